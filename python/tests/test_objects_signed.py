"""What is not signed as it should be is not loaded, whatever it holds."""

from __future__ import annotations

import datetime
import io
import pickle
import threading
import warnings
from typing import Any

import pytest

import brine
from conftest import warned_of
from objects_kit import Order, call, load_signed, refusal, text, whole


def test_each_way_to_be_refused(alice: brine.Key, mallory: brine.Key, trust: brine.Trust) -> None:
    good = brine.dumps({"a": 1}, key=alice, context="jobs")
    assert pickle.loads(brine.verify(good, trust=trust, context="jobs").payload) == {"a": 1}
    assert brine.loads(good, trust=trust, context="jobs", signer="alice", max_age="1h") == {"a": 1}
    with refusal("signature-bad", brine.AlteredError):
        brine.loads(good[:-1] + bytes([good[-1] ^ 1]), trust=trust, context="jobs")
    with refusal("context-mismatch", brine.UntrustedError):
        brine.loads(good, trust=trust, context="other")
    with refusal("context-unexpected", brine.UntrustedError):
        brine.loads(good, trust=trust)
    with refusal("wrong-signer", brine.UntrustedError):
        brine.loads(good, trust=trust, context="jobs", signer="bob")
    with refusal("unknown-signer", brine.UntrustedError):
        brine.loads(brine.dumps(1, key=mallory), trust=trust)
    old = brine.Signer(alice, expires=datetime.timedelta(seconds=100))
    later = brine.Verifier(trust, now=datetime.timedelta(hours=1))
    with refusal("expired", brine.UntrustedError):
        brine.loads(brine.dumps(1, signer=old), verifier=later)
    with refusal("too-old", brine.UntrustedError):
        brine.loads(
            brine.dumps(1, key=alice),
            verifier=brine.Verifier(trust, now=datetime.timedelta(hours=1), max_age="5m"),
        )


def test_every_flipped_bit_is_refused(alice: brine.Key, trust: brine.Trust) -> None:
    """With a fallback, too: what is altered is not what was never signed."""
    unsigned = brine.Unsigned()
    good = brine.dumps([1], key=alice)
    verifier = brine.Verifier(trust)
    for index in range(len(good) * 8):
        bad = bytearray(good)
        bad[index // 8] ^= 1 << (index % 8)
        with pytest.raises(brine.Error):
            brine.loads(bad, verifier=verifier, fallback=unsigned)
    for end in range(len(good)):
        with pytest.raises(brine.Error):
            brine.loads(good[:end], verifier=verifier, fallback=unsigned)
    assert unsigned.count == 0


def test_what_was_never_signed_is_refused_by_default(trust: brine.Trust) -> None:
    with refusal("not-an-envelope", brine.UnsupportedError):
        brine.loads(pickle.dumps([1]), trust=trust)


@pytest.mark.parametrize("protocol", range(6))
def test_a_fallback_counts_and_warns_once(trust: brine.Trust, protocol: int) -> None:
    unsigned = brine.Unsigned()
    for data in (pickle.dumps([1], protocol), bytearray(pickle.dumps([1], protocol))):
        with warned_of("nobody has signed") as warned:
            assert brine.loads(data, trust=trust, fallback=unsigned) == [1]
        expected = [brine.UnsignedWarning] if unsigned.count == 1 else []
        assert [warning.category for warning in warned] == expected
        assert all(warning.filename == __file__ for warning in warned)
    assert unsigned.count == 2


def test_a_fallback_of_a_file_warns_where_it_is_loaded(trust: brine.Trust) -> None:
    with pytest.warns(brine.UnsignedWarning) as warned:
        assert brine.load(io.BytesIO(pickle.dumps(1)), trust=trust, fallback=brine.Unsigned()) == 1
    assert warned[0].filename == __file__


def test_a_fallback_holds_to_the_same_list(alice: brine.Key, trust: brine.Trust) -> None:
    unsigned = brine.Unsigned()
    hostile = whole(call("os", "getcwd"))
    assert pickle.loads(hostile)
    for data in (hostile, pickle.dumps(Order(1))):
        with refusal("import-not-allowed", brine.UntrustedError):
            brine.loads(data, trust=trust, fallback=unsigned)
    line = f"{Order.__module__}:Order"
    # Nobody has signed, so no list of a signer holds.
    with refusal("signer-not-listed", brine.UntrustedError):
        brine.loads(pickle.dumps(1), trust=trust, allow={"alice": [line]}, fallback=unsigned)
    with refusal("import-not-allowed", brine.UntrustedError):
        allow = {"alice": [line], "*": "std"}
        brine.loads(pickle.dumps(Order(1)), trust=trust, allow=allow, fallback=unsigned)
    assert unsigned.count == 0
    # What is signed is judged as ever.
    with refusal("context-unexpected", brine.UntrustedError):
        brine.loads(brine.dumps(1, key=alice, context="a"), trust=trust, fallback=unsigned)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert brine.loads(pickle.dumps(1), trust=trust, fallback=unsigned) == 1


def test_with_a_fallback_a_payload_can_be_taken_out_of_its_envelope(
    alice: brine.Key, trust: brine.Trust
) -> None:
    """The documented price: whoever can send can strip a signature, and with it context and expiry."""
    envelope = brine.dumps([1], key=alice, context="other", expires="1s")
    payload = brine.verify(envelope, trust=trust, context="other").payload
    with pytest.warns(brine.UnsignedWarning):
        assert brine.loads(payload, trust=trust, fallback=brine.Unsigned()) == [1]


def test_unsigned_counts_in_threads(trust: brine.Trust) -> None:
    unsigned, data = brine.Unsigned(), pickle.dumps(1)

    def work() -> None:
        for _ in range(50):
            brine.loads(data, trust=trust, fallback=unsigned)

    with warned_of("nobody has signed") as warned:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert unsigned.count == 200
    assert len(warned) == 1


def test_a_list_can_be_made_of_lists(alice: brine.Key) -> None:
    line = f"{Order.__module__}:Order"
    mine = brine.AllowList(line, "collections:OrderedDict")
    copied = pickle.loads(pickle.dumps(mine))
    for allow in (mine, copied, [mine], ["std", mine], ("numpy", line)):
        assert load_signed(alice, pickle.dumps(Order(2)), allow=allow) == Order(2)
    with refusal("import-not-allowed", brine.UntrustedError):
        load_signed(alice, pickle.dumps(Order(2)), allow=[])


@pytest.mark.parametrize(
    "allow",
    [None, 3, [1], [["std"]], {"alice": {"std": False}}, {"alice": None}, iter(["std"]), b"std"],
    ids=repr,
)
def test_what_is_no_list_is_refused(alice: brine.Key, allow: Any) -> None:
    """What can be read only once would be empty when it is used, and a mapping has another meaning."""
    with refusal("usage", brine.UsageError):
        load_signed(alice, pickle.dumps(1), allow=allow)


def test_a_gadget_on_a_list_is_warned_of(alice: brine.Key, trust: brine.Trust) -> None:
    gadget = "operator:attrgetter"
    envelope = brine.dumps(1, key=alice)
    for allow in (["std", gadget], gadget, brine.AllowList(gadget), {"alice": ["std", gadget]}):
        with pytest.warns(UserWarning, match=gadget) as warned:
            brine.loads(envelope, trust=trust, allow=allow)
        assert {warning.filename for warning in warned} == {__file__}
    lifted = whole(call("builtins", "str", text("a")))
    with refusal("call-not-allowed", brine.UntrustedError) as refused:
        load_signed(alice, lifted)
    assert refused.value.allow == ("builtins:str any",)
    with pytest.warns(UserWarning, match="builtins:str"):
        assert load_signed(alice, lifted, allow=["std", "builtins:str any"]) == "a"
