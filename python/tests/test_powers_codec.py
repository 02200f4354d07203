"""Messages of powers: the host's reader and writer, and the guest's, which are written apart, say the same of everything."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brine._brine import power_message_decode, power_message_encode
from brine._guest.cbor import (
    MAX_BIG_INTEGER_BYTES,
    MAX_DEPTH,
    MAX_VALUES,
    MalformedError,
    NotPlainError,
    decode,
    encode,
)
from sandbox_kit import Tagged

FIXTURES = Path(__file__).parent.parent.parent / "fixtures/powers/messages.json"
MUTATIONS = int(os.environ.get("BRINE_MUTATIONS", "30000"))

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
)
KEYS = SCALARS | st.tuples(SCALARS) | st.frozensets(SCALARS, max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.sets(KEYS, max_size=4)
    ),
    max_leaves=20,
)


def shown(value: Any) -> str:
    """Return a value as a text that shows the types of all of its parts."""
    return repr(value) if type(value) is not Tagged else f"Tagged({list(value)!r})"


def outcome(read: Any, data: bytes) -> str:
    """Return what a reader makes of bytes."""
    try:
        return shown(read(data, Tagged))
    except MalformedError:
        return "refused"


def written(write: Any, value: Any) -> bytes | str:
    """Return what a writer makes of a value, or why it refuses it."""
    try:
        return bytes(write(value, list))
    except NotPlainError as error:
        return str(error)


@given(VALUES)
@settings(deadline=None)
def test_what_one_end_writes_the_other_reads(value: Any) -> None:
    data = encode(value, list)
    assert power_message_encode(value, list) == data
    assert shown(power_message_decode(data, Tagged)) == shown(decode(data, Tagged))
    assert decode(data, Tagged) == value


def nested(depth: int) -> list[Any]:
    """Return a list in a list, and so on."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("\ud800", "half a character"),
        (1 << (8 * MAX_BIG_INTEGER_BYTES), "an integer is too large"),
        (nested(MAX_DEPTH + 1), "nested more than 32 deep"),
        ((nested(MAX_DEPTH - 1),), "nested more than 32 deep"),
        ([None] * MAX_VALUES, "more than 131072 values"),
        ({(0, object()): 1}, "a key, or what is in a set"),
        (frozenset([object()]), "a key, or what is in a set"),
        ({object(): 1}, "a key, or what is in a set"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_end_reads_no_end_writes(value: Any, words: str) -> None:
    found = written(encode, value)
    assert isinstance(found, str)
    assert words in found
    assert written(power_message_encode, value) == found


@pytest.mark.parametrize(
    "value",
    [
        (1 << (8 * MAX_BIG_INTEGER_BYTES)) - 1,
        -(1 << (8 * MAX_BIG_INTEGER_BYTES)),
        nested(MAX_DEPTH),
        (nested(MAX_DEPTH - 2),),
        [None] * (MAX_VALUES - 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_as_large_as_it_may_be_crosses(value: Any) -> None:
    data = encode(value, list)
    assert power_message_encode(value, list) == data
    assert power_message_decode(data, Tagged) == decode(data, Tagged) == value


def test_a_message_of_too_many_values_is_refused() -> None:
    for data in (
        b"\x9a" + MAX_VALUES.to_bytes(4, "big") + b"\xf6" * MAX_VALUES,
        b"\xba" + (MAX_VALUES // 2).to_bytes(4, "big") + b"\xf6" * MAX_VALUES,
        # Each of these lists takes its share.
        b"\x84" + (b"\x99\xff\xff" + b"\xf6" * 0xFFFF) * 4,
    ):
        for read in (decode, power_message_decode):
            with pytest.raises(MalformedError, match="too many values"):
                read(data, Tagged)


def test_both_readers_say_the_same_of_messages_that_were_changed() -> None:
    random.seed(20261201)
    seeds = [bytes.fromhex(message["bytes"]) for message in json.loads(FIXTURES.read_text())]
    counts = {"read": 0, "refused": 0}
    for _ in range(MUTATIONS):
        data = bytearray(random.choice(seeds))
        for _ in range(random.randrange(1, 5)):
            place = random.randrange(len(data) + 1)
            match random.randrange(4):
                case 0 if data:
                    data[place % len(data)] = random.randrange(256)
                case 1:
                    data.insert(
                        place, random.choice(b"\x80\xa0\xc2\xd8\xf9\xfa\xfb\xf4\x1b\x00\x3f\x61")
                    )
                case 2:
                    data[place:place] = random.choice(seeds)
                case _:
                    del data[place : place + random.randrange(3)]
        found = outcome(decode, bytes(data))
        assert outcome(power_message_decode, bytes(data)) == found, data.hex()
        counts["refused" if found == "refused" else "read"] += 1
    assert min(counts.values()) > MUTATIONS // 20, counts
