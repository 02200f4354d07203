"""Plain data as CBOR, in which the results of Python jobs are written."""

from __future__ import annotations

import enum
import math
from collections import OrderedDict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brine._brine import cbor_decode, cbor_encode

KEYS = st.one_of(st.none(), st.text(), st.binary(), st.integers(min_value=2, max_value=2**64 - 1))
PLAIN = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(KEYS, inner)),
    max_leaves=20,
)


class Colour(enum.IntEnum):
    """A number that is more than a number."""

    RED = 1


def same(found: object, expected: object) -> bool:
    """Compare values and their types, and the order of dictionaries."""
    if type(found) is not type(expected):
        return False
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(found, dict) and isinstance(expected, dict):
        return same(list(found), list(expected)) and same(
            list(found.values()), list(expected.values())
        )
    return repr(found) == repr(expected)


@given(PLAIN)
@settings(deadline=None)
def test_plain_data_is_read_back_as_it_was(value: Any) -> None:
    encoded = cbor_encode(value)
    assert encoded is not None
    assert same(cbor_decode(encoded), value)


@pytest.mark.parametrize(
    ("value", "hexadecimal"),
    [
        (None, "f6"),
        (False, "f4"),
        (23, "17"),
        (24, "1818"),
        (-1, "20"),
        (2**63, "1b8000000000000000"),
        (2**64 - 1, "1bffffffffffffffff"),
        (-(2**63), "3b7fffffffffffffff"),
        (-(2**64), "3bffffffffffffffff"),
        (2**64, "c249010000000000000000"),
        (-(2**64) - 1, "c349010000000000000000"),
        (1.5, "fb3ff8000000000000"),
        ("ü", "62c3bc"),
        (b"\x00", "4100"),
        ([1, []], "820180"),
        ({"b": 1, "a": 2}, "a2616201616102"),
        ({True: None}, "a1f5f6"),
    ],
)
def test_a_value_has_one_form(value: object, hexadecimal: str) -> None:
    encoded = cbor_encode(value)
    assert encoded is not None
    assert encoded.hex() == hexadecimal
    assert same(cbor_decode(encoded), value)


def test_what_is_no_number_is_read_back() -> None:
    encoded = cbor_encode([math.nan, math.inf])
    assert encoded is not None
    assert str(cbor_decode(encoded)) == "[nan, inf]"


def nested(depth: int) -> list[Any]:
    """Return a list in a list, and so on."""
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)
LAUGHS: list[Any] = []
for _ in range(40):
    LAUGHS = [LAUGHS, LAUGHS]


@pytest.mark.parametrize(
    "value",
    [
        (1,),
        {1},
        1j,
        bytearray(b"x"),
        "\ud800",
        Colour.RED,
        OrderedDict(a=1),
        object(),
        {(1,): 1},
        {1.5: 1},
        {2**64: 1},
        [[object()]],
        nested(49),
        ENDLESS,
        LAUGHS,
        dict.fromkeys(range(131073)),
        bytes(16 * 1024 * 1024 + 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_is_not_written(value: object) -> None:
    assert cbor_encode(value) is None


def test_what_is_nested_as_deep_as_it_may_be_is_written() -> None:
    encoded = cbor_encode(nested(48))
    assert encoded is not None
    assert cbor_decode(encoded) == nested(48)


@pytest.mark.parametrize(
    ("hexadecimal", "words"),
    [
        ("", "cut short"),
        ("f6f6", "follows its end"),
        ("1817", "shortest form"),
        ("9fff", "left open"),
        ("6180", "not UTF-8"),
        ("62c3", "cut short"),
        ("9a7fffffff", "cut short"),
        ("ba7fffffff", "cut short"),
        ("a2616101616102", "stands in it twice"),
        ("a201f5f5f5", "stands in it twice"),
        ("a18001", "of a type that keys do not have"),
        ("a1fb3ff800000000000001", "of a type that keys do not have"),
        ("a1c24901000000000000000001", "of a type that keys do not have"),
        ("f7", "no plain data"),
        ("f93e00", "no plain data"),
        ("d81e00", "no plain data"),
        ("c24101", "shortest form"),
        ("c249000000000000000001", "shortest form"),
        ("c2f6", "no digits"),
        ("81" * 49 + "80", "nested too deep"),
        ("c2" * 10, "no digits"),
    ],
)
def test_anything_else_is_refused(hexadecimal: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        cbor_decode(bytes.fromhex(hexadecimal))
