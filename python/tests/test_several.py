"""Several keys that sign one envelope, and verifiers who ask for several persons."""

from __future__ import annotations

import json
import os
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine
from programs import program, run

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def bob() -> brine.Key:
    return brine.Key.generate()


@pytest.fixture
def both(alice: brine.Key, bob: brine.Key) -> brine.Trust:
    """Trust in alice and bob."""
    return brine.Trust.of({"alice": alice.public, "bob": bob.public})


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(brine.Error) as refused:
        call()
    return refused.value.reason


def entry(name: str, key: brine.Key) -> str:
    return f'[[signer]]\nname = "{name}"\nkey = "{key.public}"\n'


def last_signature(envelope: bytes) -> int:
    """Return where the last signature of an envelope begins: `[protected, {}, signature]`."""
    for start in range(len(envelope) - 3, 0, -1):
        if envelope[start : start + 2] == b"\x83\x58":
            after = start + 3 + envelope[start + 2]
            if envelope[after:].startswith(b"\xa0\x58\x40") and after + 67 == len(envelope):
                return start
    raise AssertionError("it has no signatures of several")


def without_last(envelope: bytes) -> bytes:
    """Remove the second of two signatures, as anybody can."""
    second = last_signature(envelope)
    first = last_signature(envelope[:second])
    assert envelope[first - 1] == 0x82
    return envelope[: first - 1] + b"\x81" + envelope[first:second]


@pytest.mark.parametrize("make", [list, tuple])
def test_several_keys_sign_in_every_form(
    make: Callable[[Any], Any], alice: brine.Key, bob: brine.Key, both: brine.Trust
) -> None:
    keys = make([alice, bob])
    signer = brine.Signer(keys, context="c")
    verifier = brine.Verifier(both, context="c", require=2, signer=make(["bob", "alice"]))
    for armor in (False, True):
        verified = verifier.verify(signer.sign(b"x", armor=armor))
        assert (verified.payload, verified.kind) == (b"x", "data")
        # Those first who were asked for, in that order.
        assert (verified.signer, verified.signers) == ("bob", ("bob", "alice"))
        assert verified.key_id == bob.id
        signature = signer.sign(b"x", detached=True, armor=armor)
        verified = verifier.verify(signature, b"x")
        assert (verified.payload, verified.kind, verified.is_detached) == (b"x", "digest", True)
        with pytest.raises(brine.AlteredError):
            verifier.verify(signature, b"y")
    envelope = brine.sign(bytearray(5 << 20), key=keys)
    verified = brine.verify(envelope, trust=both, require=2)
    assert (len(verified), verified.signers) == (5 << 20, ("alice", "bob"))
    assert repr(verified) == '<brine.Verified: 5242880 bytes signed by "alice" and "bob">'
    # Whoever asks for nothing needs one of them.
    alone = brine.Trust.of({"bob": bob.public})
    assert brine.verify(envelope, trust=alone).signers == ("bob",)


def test_a_signer_has_its_keys(alice: brine.Key, bob: brine.Key) -> None:
    signer = brine.Signer([alice, bob])
    assert signer.key.id == alice.id
    assert [key.id for key in signer.keys] == [alice.id, bob.id]
    for key in (alice, bob):
        assert key.id[:8] in repr(signer)
    assert [key.id for key in brine.Signer(alice).keys] == [alice.id]
    # One key in a list is one key: records and streams take it.
    assert brine.Signer([alice]).sign_record(b"x")


def test_one_key_in_a_list_makes_an_ordinary_envelope(alice: brine.Key, trust: brine.Trust) -> None:
    envelope = brine.sign(b"x", key=[alice])
    assert envelope[:1] == b"\xd2"
    assert "signers" not in brine.verify(envelope, trust=trust).verdict


@pytest.fixture
def people(home: Path) -> Path:
    """A home with the keys alice and bob, which are trusted."""
    for name in ("alice", "bob"):
        run("brinekey", "gen", name, "--no-passphrase", home=home)
    return home


def test_the_programs_take_what_python_signs(people: Path, tmp_path: Path) -> None:
    envelope = brine.sign(b"x", key=["alice", "bob"], context="c")
    asked = ["-c", "c", "--require", "2", "--signer", "bob", "--signer", "alice"]
    assert run("brine", "verify", *asked, data=envelope) == b"x"
    done = subprocess.run(
        [program("brine"), "verify", "--json", *asked],
        input=envelope,
        capture_output=True,
        check=True,
    )
    theirs = json.loads(done.stderr)
    ours = brine.verify(envelope, context="c", require=2, signer=("bob", "alice")).verdict
    assert [one["name"] for one in ours["signers"]] == ["bob", "alice"]
    for verdict in (ours, theirs):
        del verdict["judged_at"]
    assert ours == {name: theirs[name] for name in ours}
    (tmp_path / "f").write_bytes(b"content")
    signature = brine.sign(b"content", key=("alice", "bob"), context="c", detached=True)
    (tmp_path / "f.sig").write_bytes(signature)
    run("brine", "verify", "-d", *asked, str(tmp_path / "f"))


def test_python_takes_what_the_programs_sign(people: Path, tmp_path: Path) -> None:
    envelope = run("brine", "sign", "-k", "alice", "-k", "bob", data=b"x")
    assert brine.verify(envelope, require=2, signer=["alice", "bob"]).payload == b"x"
    (tmp_path / "f").write_bytes(b"content")
    run("brine", "sign", "-d", "-k", "alice", "-k", "bob", str(tmp_path / "f"))
    signature = (tmp_path / "f.sig").read_bytes()
    assert brine.verify(signature, b"content", require=2).signers == ("alice", "bob")
    with brine.verified_path(tmp_path / "f", require=2, signer=["bob", "alice"]) as path:
        assert Path(path).read_bytes() == b"content"
        assert path.verified.signers == ("bob", "alice")
    (tmp_path / "envelope").write_bytes(envelope)
    with brine.open(tmp_path / "envelope", require=2, signer=["alice", "bob"]) as file:
        assert (file.read(), file.verified.signers) == (b"x", ("alice", "bob"))
    with pytest.raises(brine.UntrustedError) as refused:
        brine.open(tmp_path / "envelope", require=3)
    assert refused.value.reason == "too-few-signers"


def test_too_few_persons_are_refused(
    alice: brine.Key, bob: brine.Key, mallory: brine.Key, both: brine.Trust
) -> None:
    verify = brine.Verifier(both, require=2).verify
    assert reason_of(lambda: verify(brine.sign(b"x", key=alice))) == "too-few-signers"
    record = brine.Signer(alice).sign_record(b"x")
    assert reason_of(lambda: verify(record)) == "too-few-signers"
    # Whoever is not trusted does not count, and does not keep others from counting.
    envelope = brine.sign(b"x", key=[alice, mallory])
    assert reason_of(lambda: verify(envelope)) == "too-few-signers"
    assert verify(brine.sign(b"x", key=[mallory, alice, bob])).signers == ("alice", "bob")
    assert reason_of(lambda: brine.verify(envelope, trust=both, require=3)) == "too-few-signers"
    # A signature that somebody removed.
    whole = brine.sign(b"x", key=[alice, bob])
    rest = without_last(whole)
    assert brine.verify(rest, trust=both).signers == ("alice",)
    assert reason_of(lambda: verify(rest)) == "too-few-signers"
    # One person with two keys, and one with two names.
    keys = brine.Trust.parse(entry("alice", alice) + entry("alice", bob))
    assert reason_of(lambda: brine.verify(whole, trust=keys, require=2)) == "too-few-signers"
    names = brine.Trust.parse(entry("alice", alice) + entry("alice", bob) + entry("bob", bob))
    assert reason_of(lambda: brine.verify(whole, trust=names, require=2)) == "too-few-signers"
    below = brine.Trust.parse(entry("alice", alice) + entry("alice/ci", bob))
    assert reason_of(lambda: brine.verify(whole, trust=below, require=2)) == "too-few-signers"


def test_a_rule_of_the_trust_file_holds_besides(alice: brine.Key, bob: brine.Key) -> None:
    rule = '[[rule]]\ncontexts = ["release/*"]\nrequire = 2\n'
    trust = brine.Trust.parse(entry("alice", alice) + entry("bob", bob) + rule)
    one, two = (brine.sign(b"x", key=keys, context="release/1") for keys in ([alice], [alice, bob]))
    for require in (None, 1):
        asked: dict[str, Any] = {"trust": trust, "context": "release/1", "require": require}
        verifier = brine.Verifier(**asked)
        assert reason_of(partial(verifier.verify, one)) == "too-few-signers"
        assert verifier.verify(two).payload == b"x"


def test_each_name_needs_a_signature_of_its_own(
    alice: brine.Key, bob: brine.Key, both: brine.Trust
) -> None:
    one, two = brine.sign(b"x", key=alice), brine.sign(b"x", key=[alice, bob])
    asked = brine.Verifier(both, signer=["alice", "bob"])
    assert asked.verify(two).signers == ("alice", "bob")
    assert reason_of(lambda: asked.verify(one)) == "wrong-signer"
    assert reason_of(lambda: asked.verify(without_last(two))) == "wrong-signer"
    for names in ("carol", ["carol"], ["alice", "carol"], ["alice", "alice"], ("alicebob",)):
        assert (
            reason_of(lambda: brine.verify(two, trust=both, signer=names))  # noqa: B023
            == "wrong-signer"
        )
    # A key of two names is one signature.
    trust = brine.Trust.parse(entry("alice", alice) + entry("bob", alice))
    assert (
        reason_of(lambda: brine.verify(one, trust=trust, signer=["alice", "bob"])) == "wrong-signer"
    )


def test_a_signature_that_was_changed_is_no_signature(
    alice: brine.Key, bob: brine.Key, both: brine.Trust
) -> None:
    envelope = brine.sign(b"payload", key=[alice, bob])
    altered = envelope[:-1] + bytes([envelope[-1] ^ 1])
    assert reason_of(lambda: brine.verify(altered, trust=both)) == "signature-bad"
    other = envelope.replace(b"payload", b"pAyload")
    assert reason_of(lambda: brine.verify(other, trust=both)) == "signature-bad"
    second = last_signature(envelope)
    first = last_signature(envelope[:second])
    twice = envelope[:second] + envelope[first:second]
    assert reason_of(lambda: brine.verify(twice, trust=both, require=2)) == "signers-form"


def test_keys_that_do_not_sign_together_are_refused(alice: brine.Key, bob: brine.Key) -> None:
    with pytest.raises(brine.UsageError, match="key: expected a key, or several"):
        brine.sign(b"x", key=[])
    with pytest.raises(brine.KeyFileError, match="a key cannot sign twice") as refused:
        brine.sign(b"x", key=[alice, bob, alice])
    assert refused.value.reason == "signing-refused"
    many = [brine.Key.generate() for _ in range(17)]
    with pytest.raises(brine.KeyFileError, match="no more than sixteen can sign"):
        brine.sign(b"x", key=many)
    trust = brine.Trust.of({f"signer {number}": key.public for number, key in enumerate(many)})
    assert len(brine.verify(brine.sign(b"x", key=many[:16]), trust=trust, require=16).signers) == 16
    for wrong in ([alice, 7], [alice, None], [[alice], bob], {alice: 1}, b"alice", {alice}):
        with pytest.raises(TypeError, match="expected a private Key"):
            brine.sign(b"x", key=wrong)  # type: ignore[arg-type]


@pytest.mark.usefixtures("home")
def test_what_is_asked_makes_sense(both: brine.Trust) -> None:
    for require in (0, -1):
        with pytest.raises(brine.UsageError, match="require: expected a number, 1 or more"):
            brine.Verifier(both, require=require)
    # A list of names that turned out empty does not mean anybody.
    for signer in ([], ()):
        with pytest.raises(brine.UsageError, match="signer: expected a name, or several"):
            brine.Verifier(both, signer=signer)
    for wrong in (7, [7], [None], b"alice"):
        with pytest.raises(TypeError):
            brine.Verifier(both, signer=wrong)  # type: ignore[arg-type]
    for wrong in ("2", 1.5):
        with pytest.raises(TypeError):
            brine.Verifier(both, require=wrong)  # type: ignore[arg-type]


def test_what_has_one_signer_is_not_signed_with_several_keys(
    alice: brine.Key, bob: brine.Key, both: brine.Trust, tmp_path: Path
) -> None:
    keys: Any = [alice, bob]
    signer, url = brine.Signer(keys), f"sqlite:{tmp_path}/q?queue=c"
    path = tmp_path / "stream"
    calls: list[tuple[str, Callable[[], object]]] = [
        ("a record is signed with one key, and not with 2", lambda: signer.sign_record(b"x")),
        ("a record is signed with one key, and not with 2", lambda: signer.sign_batch([b"x"])),
        ("a job is signed with one key, and not with 2", lambda: signer.sign_job(b"x")),
        (
            "a stream is signed with one key, and not with 2",
            lambda: brine.open(path, "wb", key=keys),
        ),
        ("a message is signed with one key", lambda: brine.queue(url, key=keys, trust=both)),
        ("a message is signed with one key", lambda: brine.SignedQueue(key=keys, trust=both)),
        ("a message is signed with one key", lambda: brine.SignedQueue(key=keys)),
        ("a message is signed with one key", lambda: brine.SignedQueue().with_key(keys)),
        ("a message is signed with one key", lambda: brine.signed_pipe(key=keys, trust=both)),
        ("a message is signed with one key", lambda: brine.register_manager_serializer(key=keys)),
        ("a job is signed with one key", lambda: brine.Executor(url, key=keys, trust=both)),
    ]
    for words, call in calls:
        with pytest.raises(brine.UsageError, match=f"key: {words}"):
            call()
    assert not path.exists()


def test_a_stream_has_one_signer(alice: brine.Key, both: brine.Trust, tmp_path: Path) -> None:
    with brine.open(tmp_path / "stream", "wb", key=[alice]) as file:  # type: ignore[call-overload]
        file.write(b"x")
    for asked in ({"require": 2}, {"signer": ["alice", "bob"]}):
        reason = reason_of(lambda: brine.open(tmp_path / "stream", trust=both, **asked))  # noqa: B023
        assert reason == ("too-few-signers" if "require" in asked else "wrong-signer")
    with brine.open(tmp_path / "stream", trust=both, require=1, signer=["alice"]) as file:
        assert file.read() == b"x"
    with pytest.raises(brine.UsageError, match='require: not for writing, as mode "wb" does'):
        brine.open(tmp_path / "stream", "wb", require=2)  # type: ignore[call-overload]


def test_objects_are_signed_and_asked_for_in_the_same_way(
    alice: brine.Key, bob: brine.Key, both: brine.Trust
) -> None:
    one, two = brine.dumps([1], key=alice), brine.dumps([1], key=(alice, bob))
    asked: dict[str, Any] = {"trust": both, "require": 2, "signer": ["bob", "alice"]}
    assert brine.loads(two, **asked) == [1]
    assert reason_of(lambda: brine.loads(one, **asked)) == "wrong-signer"
    assert reason_of(lambda: brine.loads(one, trust=both, require=2)) == "too-few-signers"
    verifier = brine.Verifier(both, require=2)
    assert brine.loads(two, verifier=verifier) == [1]
    with pytest.raises(brine.UsageError):
        brine.loads(two, verifier=verifier, require=2)


def test_an_envelope_of_several_is_given_out_once(
    alice: brine.Key, bob: brine.Key, both: brine.Trust, tmp_path: Path
) -> None:
    brine.replay_init(tmp_path / "seen", accept_older=True)
    verifier = brine.Verifier(both, replay_db=tmp_path / "seen")
    envelope = brine.sign(b"x", key=[alice, bob], expires="1h")
    assert verifier.verify(envelope).payload == b"x"
    # Who takes a signature away makes no new record of it.
    for again in (envelope, without_last(envelope)):
        with pytest.raises(brine.ReplayedError):
            verifier.verify(again)


@pytest.mark.skipif("BRINE_TEST_LARGE" not in os.environ, reason="BRINE_TEST_LARGE is not set")
def test_what_no_verifier_holds_in_memory_is_not_signed_by_several(
    alice: brine.Key, bob: brine.Key
) -> None:
    large = bytes((256 << 20) + 1)
    with pytest.raises(brine.UnsupportedError) as refused:
        brine.sign(large, key=[alice, bob])
    assert refused.value.reason == "too-large"
    assert brine.sign(large, key=[alice, bob], detached=True)
