"""What an attacker does to signed bytes, and to plain ones.

Each attack is also run on a pickle that nobody signed, where it succeeds: so each of them can fail.
"""

from __future__ import annotations

import base64
import os
import pickle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import brine

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = pickle.dumps({"to": "alice", "amount": 7})
CONTEXT = "payments"


class Bomb:
    """An object that runs a command when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture
def verifier(trust: brine.Trust) -> brine.Verifier:
    return brine.Verifier(trust, context=CONTEXT)


@pytest.fixture
def envelope(alice: brine.Key) -> bytes:
    return brine.sign(PLAIN, key=alice, context=CONTEXT)


def refusal(call: Callable[[], object]) -> tuple[type[brine.Error], str]:
    """Return how a call is refused: the exception and its reason."""
    with pytest.raises(brine.Error) as refused:
        call()
    return type(refused.value), refused.value.reason


def test_bytes_that_were_tampered_with(verifier: brine.Verifier, envelope: bytes) -> None:
    tampered = envelope.replace(b"alice", b"mally")
    assert refusal(lambda: verifier.verify(tampered)) == (brine.AlteredError, "signature-bad")
    assert pickle.loads(PLAIN.replace(b"alice", b"mally"))["to"] == "mally"


def test_bytes_that_were_cut(verifier: brine.Verifier, envelope: bytes) -> None:
    for length in range(len(envelope)):
        kind, reason = refusal(lambda length=length: verifier.verify(envelope[:length]))
        assert (kind, reason) in {
            (brine.AlteredError, "cut-short"),
            (brine.UnsupportedError, "not-an-envelope"),
        }
    batch = [PLAIN, pickle.dumps("that was all")]
    assert pickle.loads(b"".join(batch[:1]))["to"] == "alice"


def test_bytes_with_something_after_them(verifier: brine.Verifier, envelope: bytes) -> None:
    for more in (b"\0", b"\n", b"x" * 100, envelope):
        kind, reason = refusal(lambda more=more: verifier.verify(envelope + more))
        assert (kind, reason) in {
            (brine.AlteredError, "trailing-bytes"),
            (brine.UnsupportedError, "not-an-envelope"),
        }
    assert pickle.loads(PLAIN + b"x" * 100)["to"] == "alice"


def test_bytes_that_were_sent_twice(trust: brine.Trust, alice: brine.Key, tmp_path: Path) -> None:
    brine.replay_init(tmp_path / "seen", accept_older=True)
    verifier = brine.Verifier(trust, replay_db=tmp_path / "seen")
    record = brine.Signer(alice).sign_record(PLAIN)
    assert verifier.verify(record).payload == PLAIN
    assert refusal(lambda: verifier.verify(record)) == (brine.ReplayedError, "replayed")
    assert pickle.loads(PLAIN) == pickle.loads(PLAIN)


def test_bytes_that_a_stranger_signed(verifier: brine.Verifier, mallory: brine.Key) -> None:
    envelope = brine.sign(PLAIN, key=mallory, context=CONTEXT)
    assert refusal(lambda: verifier.verify(envelope)) == (brine.UntrustedError, "unknown-signer")
    assert pickle.loads(PLAIN)["to"] == "alice"


def test_bytes_of_somebody_else_under_a_name(alice: brine.Key, mallory: brine.Key) -> None:
    both = brine.Trust.of({"alice": alice.public, "mallory": mallory.public})
    verifier = brine.Verifier(both, context=CONTEXT, signer="alice")
    envelope = brine.sign(PLAIN, key=mallory, context=CONTEXT)
    assert refusal(lambda: verifier.verify(envelope)) == (brine.UntrustedError, "wrong-signer")


def test_bytes_of_a_revoked_key(alice: brine.Key) -> None:
    text = (
        f'[[signer]]\nname = "alice"\nkey = "{alice.public}"\nrevoked-at = 2020-01-01T00:00:00Z\n'
    )
    envelope = brine.sign(PLAIN, key=alice)
    trust = brine.Trust.parse(text)
    refused = refusal(lambda: brine.verify(envelope, trust=trust))
    assert refused == (brine.UntrustedError, "signer-revoked")


def test_bytes_that_have_expired(trust: brine.Trust, alice: brine.Key) -> None:
    envelope = brine.sign(PLAIN, key=alice, expires="1h")
    refused = refusal(lambda: brine.verify(envelope, trust=trust, now="2h"))
    assert refused == (brine.UntrustedError, "expired")
    refused = refusal(lambda: brine.verify(envelope, trust=trust, now="20m", max_age="10m"))
    assert refused == (brine.UntrustedError, "too-old")


@pytest.mark.parametrize(
    ("signed", "asked", "reason"),
    [
        ("refunds", CONTEXT, "context-mismatch"),
        (None, CONTEXT, "context-missing"),
        (CONTEXT, None, "context-unexpected"),
        (CONTEXT, "Payments", "context-mismatch"),
        (CONTEXT, "payments ", "context-mismatch"),
        ("pay*", CONTEXT, "context-mismatch"),
        (CONTEXT, "pay*", "context-mismatch"),
    ],
)
def test_bytes_for_another_context(
    trust: brine.Trust, alice: brine.Key, signed: str | None, asked: str | None, reason: str
) -> None:
    envelope = brine.sign(PLAIN, key=alice, context=signed)
    refused = refusal(lambda: brine.verify(envelope, trust=trust, context=asked))
    assert refused == (brine.UntrustedError, reason)


def test_bytes_that_were_signed_with_others(trust: brine.Trust, alice: brine.Key) -> None:
    envelope = brine.sign(PLAIN, key=alice, aad=b"order 1")
    for aad in (None, b"", b"order 2"):
        refused = refusal(lambda aad=aad: brine.verify(envelope, trust=trust, aad=aad))
        assert refused == (brine.AlteredError, "signature-bad")


def test_a_header_of_another_envelope(verifier: brine.Verifier, alice: brine.Key) -> None:
    one = brine.sign(b"pay 7   ", key=alice, context=CONTEXT)
    other = brine.sign(b"pay 7000", key=alice, context=CONTEXT)
    at = one.index(b"pay 7")
    swapped = one[:at] + other[at : at + 8] + one[at + 8 :]
    assert refusal(lambda: verifier.verify(swapped)) == (brine.AlteredError, "signature-bad")
    swapped = one[:-64] + other[-64:]
    assert refusal(lambda: verifier.verify(swapped)) == (brine.AlteredError, "signature-bad")


def test_a_detached_signature_is_no_payload_and_the_payload_no_signature(
    verifier: brine.Verifier, alice: brine.Key
) -> None:
    signature = brine.sign(PLAIN, key=alice, context=CONTEXT, detached=True)
    envelope = brine.sign(PLAIN, key=alice, context=CONTEXT)
    expected = [
        ((signature, PLAIN + b"."), brine.AlteredError, "digest-mismatch"),
        ((signature, b""), brine.AlteredError, "digest-mismatch"),
        ((signature, signature), brine.AlteredError, "digest-mismatch"),
        ((signature, envelope), brine.AlteredError, "digest-mismatch"),
        ((PLAIN, signature), brine.UnsupportedError, "not-an-envelope"),
        ((envelope, PLAIN), brine.UnsupportedError, "payload-attached"),
        ((envelope, b""), brine.UnsupportedError, "payload-attached"),
        ((signature,), brine.UnsupportedError, "wrong-kind"),
    ]
    for arguments, kind, reason in expected:
        found = refusal(lambda arguments=arguments: verifier.verify(*arguments))
        assert found == (kind, reason), arguments


def test_armor_that_something_happened_to(verifier: brine.Verifier, alice: brine.Key) -> None:
    armored = brine.sign(PLAIN, key=alice, context=CONTEXT, armor=True)
    lines = armored.splitlines(keepends=True)
    mutants = [
        b"".join(lines[:1] + lines[2:]),
        b"".join(lines[:1] + lines[2:1:-1] + lines[1:2] + lines[3:]),
        b"".join(lines[:-1]),
        b"".join(lines[1:]),
        b"> " + b"> ".join(lines),
        b" " + armored,
        armored + armored,
        armored + b"x",
        b"\xef\xbb\xbf" + armored,
        armored.replace(b"\n", b"\n\n"),
        armored.replace(b"ENVELOPE", b"OTHER"),
        base64.b64encode(b"".join(lines)),
    ]
    for mutant in mutants:
        assert mutant != armored
        kind, reason = refusal(lambda mutant=mutant: verifier.verify(mutant))
        assert kind in {brine.AlteredError, brine.UnsupportedError}, mutant
        assert reason in {"armor-malformed", "not-an-envelope", "signature-bad", "cut-short"}, (
            mutant
        )


def test_a_hostile_pickle_is_not_even_seen(
    verifier: brine.Verifier, mallory: brine.Key, tmp_path: Path
) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "boom"))
    for arrived in (bomb, brine.sign(bomb, key=mallory, context=CONTEXT)):
        with pytest.raises((brine.UnsupportedError, brine.UntrustedError)):
            pickle.loads(verifier.verify(arrived).payload)
        assert not (tmp_path / "boom").exists()
    pickle.loads(bomb)
    assert (tmp_path / "boom").exists()
