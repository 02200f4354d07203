"""Objects make the round trip, and what is not on the list is refused."""

from __future__ import annotations

import collections
import datetime
import decimal
import io
import pickle
import uuid
import zoneinfo

import pytest

import brine
from objects_kit import Order, code_trust, refusal, round_trip


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [
        None,
        {"a": [1, 2.5, "x", b"y", (True, None)], "b": {3}, "c": frozenset([4])},
        datetime.datetime(2026, 11, 29, 8, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")),
        datetime.datetime(2026, 11, 29, 8, 30, tzinfo=datetime.UTC),
        collections.Counter("abcab"),
        collections.OrderedDict([("a", 1)]),
        decimal.Decimal("1.50"),
        uuid.UUID(int=7),
        range(3),
        ValueError("no"),
        bytearray(b"abc"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_plain_values_come_back(alice: brine.Key, value: object, protocol: int) -> None:
    found = round_trip(alice, value, protocol=protocol)
    assert type(found) is type(value)
    assert repr(found) == repr(value)


def test_what_appears_twice_stays_one(alice: brine.Key) -> None:
    shared = ["once"]
    value: dict[str, object] = {"a": shared, "b": shared}
    value["self"] = value
    found = round_trip(alice, value)
    assert isinstance(found, dict)
    assert found["a"] is found["b"]
    assert found["self"] is found


def test_files(alice: brine.Key, trust: brine.Trust) -> None:
    file = io.BytesIO()
    brine.dump([1], file, key=alice, context="a")
    file.seek(0)
    assert brine.load(file, trust=trust, context="a") == [1]


def test_a_class_is_loaded_only_if_it_is_listed(alice: brine.Key) -> None:
    line = f"{Order.__module__}:Order"
    with refusal("import-not-allowed", brine.UntrustedError) as refused:
        round_trip(alice, Order(3))
    assert refused.value.allow == (line,)
    assert f'allow=["std", "{line}"]' in str(refused.value)
    assert round_trip(alice, Order(3), allow=["std", *refused.value.allow]) == Order(3)


def test_what_may_be_loaded_depends_on_the_signer(alice: brine.Key, mallory: brine.Key) -> None:
    trust = brine.Trust.of({"alice": alice.public, "bob": mallory.public})
    line = f"{Order.__module__}:Order"
    allow = {"alice": [line], "*": "std"}
    of_alice, of_bob = (brine.dumps(Order(1), key=key) for key in (alice, mallory))
    assert brine.loads(of_alice, trust=trust, allow=allow) == Order(1)
    with refusal("import-not-allowed", brine.UntrustedError):
        brine.loads(of_bob, trust=trust, allow=allow)
    with refusal("signer-not-listed", brine.UntrustedError):
        brine.loads(of_bob, trust=trust, allow={"alice": [line]})


def test_the_content_type_is_signed(alice: brine.Key, trust: brine.Trust) -> None:
    envelope = brine.dumps([1], key=alice)
    assert brine.verify(envelope, trust=trust).content_type == "application/x-python-pickle"
    for content_type in (None, "text/plain", "application/x-python-pickle; a=b"):
        other = brine.sign(pickle.dumps([1]), key=alice, content_type=content_type)
        with refusal("wrong-content-type", brine.UnsupportedError):
            brine.loads(other, trust=trust)


def test_code_only_from_who_may_send_code(alice: brine.Key, trust: brine.Trust) -> None:
    def adder(number: int) -> object:
        return lambda other: number + other

    envelope = brine.dumps(adder(3), key=alice, context="jobs", code=True)
    found = brine.loads(
        envelope, trust=code_trust(alice, "python-code/*"), context="jobs", code=True
    )
    assert callable(found)
    assert found(4) == 7
    with refusal("context-not-allowed", brine.UntrustedError):
        brine.loads(envelope, trust=trust, context="jobs", code=True)
