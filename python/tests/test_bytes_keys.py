"""Keys and trust: from the files that the programs use, and in memory."""

from __future__ import annotations

import base64
import copy
import os
import pickle
import subprocess
import time
import traceback
import warnings
from pathlib import Path

import pytest

import brine

OPENSSH_ENCRYPTED_PASSPHRASE = "correct horse"


def trust_file(path: Path, text: str) -> Path:
    """Write a trust file so that its change is seen: its time differs from that of the file before."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text)
    path.chmod(0o644)
    if path.stat().st_mtime_ns == before:
        os.utime(path, ns=(before + 1, before + 1))
    return path


def entry(key: brine.Key, *lines: str, name: str = "alice") -> str:
    return "\n".join(["[[signer]]", f'name = "{name}"', f'key = "{key.public}"', *lines, ""])


def reason_of(verifier: brine.Verifier, envelope: bytes) -> str:
    try:
        verifier.verify(envelope)
    except brine.Error as refused:
        return refused.reason
    return "ok"


def test_a_key_is_written_and_read(alice: brine.Key) -> None:
    again = brine.Key.from_pem(alice.to_pem())
    assert (again.id, again.fingerprint) == (alice.id, alice.fingerprint)
    assert brine.Key.from_pem(alice.to_pem().encode()).id == alice.id
    assert alice.public == again.public
    assert hash(alice.public) == hash(again.public)
    assert len(bytes(alice.public)) == 32


def test_a_public_key_is_read_in_each_form(alice: brine.Key, tmp_path: Path) -> None:
    public = alice.public
    (tmp_path / "alice.pub").write_text(f"{public}\n")
    (tmp_path / "alice").write_text(public.to_pem())
    for text in (str(public), tmp_path / "alice.pub", tmp_path / "alice", f"{tmp_path}/alice.pub"):
        assert brine.PublicKey.load(text) == public
    assert brine.PublicKey.from_pem(public.to_pem()) == public
    assert brine.PublicKey.from_pem(alice.to_pem()) == public


def test_a_path_is_a_file_and_text_can_be_a_name(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = brine.Key.generate()
    (tmp_path / "default").touch(mode=0o600)
    (tmp_path / "default").write_text(other.to_pem())
    monkeypatch.chdir(tmp_path)
    stored = brine.Key.from_pem((home / "keys" / "default.key").read_text())
    assert brine.Key.load().id == brine.Key.load("default").id == stored.id
    assert brine.Key.load(Path("default")).id == brine.Key.load("./default").id == other.id
    assert brine.Signer(Path("default")).key.id == other.id


def test_the_secret_shows_nowhere(alice: brine.Key) -> None:
    seed = "".join(alice.to_pem().splitlines()[1:-1])
    signer = brine.Signer(alice)
    for text in (repr(alice), str(alice), repr(signer), str(signer), repr(vars(type(alice)))):
        assert seed not in text
        assert seed[20:] not in text
    assert not hasattr(alice, "__dict__")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_private_key_is_not_pickled(alice: brine.Key, protocol: int) -> None:
    with pytest.raises(TypeError, match="whoever has the pickle could sign"):
        pickle.dumps(alice, protocol)
    for duplicate in (copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            duplicate(alice)


def test_a_public_key_is_pickled(alice: brine.Key) -> None:
    assert pickle.loads(pickle.dumps(alice.public)) == alice.public


def test_what_has_verified_is_not_pickled(alice: brine.Key, trust: brine.Trust) -> None:
    verified = brine.verify(brine.sign(b"x", key=alice), trust=trust)
    with pytest.raises(TypeError, match="nobody has verified it"):
        pickle.dumps(verified)


def test_nothing_but_verifying_makes_what_has_verified() -> None:
    with pytest.raises(TypeError, match="cannot create"):
        brine.Verified(b"forged")  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        type("Forged", (brine.Verified,), {})


def test_what_has_verified_does_not_change(alice: brine.Key, trust: brine.Trust) -> None:
    verified = brine.verify(brine.sign(b"x", key=alice), trust=trust)
    for name in ("payload", "signer", "context", "other"):
        with pytest.raises(AttributeError):
            setattr(verified, name, b"forged")


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key that OpenSSH made and encrypted."""
    path = tmp_path_factory.mktemp("keys") / "encrypted"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-a", "4", "-C", "", "-f", str(path), "-N"]
    try:
        subprocess.run([*command, OPENSSH_ENCRYPTED_PASSPHRASE], check=True)
    except FileNotFoundError:
        pytest.skip("there is no ssh-keygen")
    return path


def test_a_key_of_openssh_is_opened_by_its_passphrase(encrypted: Path) -> None:
    key = brine.Key.load(encrypted, passphrase=OPENSSH_ENCRYPTED_PASSPHRASE)
    text = encrypted.read_text()
    assert brine.Key.from_pem(text, passphrase=OPENSSH_ENCRYPTED_PASSPHRASE).id == key.id
    public = brine.PublicKey.load(encrypted.with_suffix(".pub"))
    assert public == key.public


def test_a_passphrase_that_is_missing_or_wrong_is_told(encrypted: Path) -> None:
    text = encrypted.read_text()
    for call in (
        lambda: brine.Key.load(encrypted),
        lambda: brine.Key.from_pem(text),
        lambda: brine.Signer(encrypted),
    ):
        with pytest.raises(brine.KeyFileError) as refused:
            call()
        assert refused.value.reason == "passphrase-needed"
        assert refused.value.message.endswith("is encrypted, and no passphrase was given")
        assert refused.value.hint is not None
        assert refused.value.hint.startswith("give passphrase")
    for call in (
        lambda: brine.Key.load(encrypted, passphrase="wrong"),
        lambda: brine.Key.from_pem(text, passphrase="wrong"),
    ):
        with pytest.raises(brine.KeyFileError) as refused:
            call()
        assert refused.value.reason == "wrong-passphrase"


def test_the_environment_names_the_file_of_the_passphrase(
    encrypted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "passphrase").write_text(OPENSSH_ENCRYPTED_PASSPHRASE + "\n")
    monkeypatch.setenv("BRINE_PASSPHRASE_FILE", str(tmp_path / "passphrase"))
    assert brine.Signer(encrypted).key.id == brine.Key.load(encrypted).id


def test_a_key_that_others_can_read_is_warned_of(alice: brine.Key, tmp_path: Path) -> None:
    path = tmp_path / "alice.key"
    path.write_text(alice.to_pem())
    path.chmod(0o644)
    with pytest.warns(UserWarning, match=r"others may read it \(mode 0644\): chmod 600"):
        brine.Key.load(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        brine.Key.load(path, insecure_permissions=True)
        path.chmod(0o600)
        brine.Key.load(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nobody", "no-such-key"),
        ("./nobody", "unreadable"),
        ("-", "bad-name"),
        ("SHA256:abc", "bad-name"),
        ("ssh-ed25519 AAAA", "key-malformed"),
        ("/", "unreadable"),
    ],
)
@pytest.mark.usefixtures("home")
def test_what_names_no_key_is_refused(name: str, reason: str) -> None:
    with pytest.raises(brine.Error) as refused:
        brine.Key.load(name)
    assert refused.value.reason == reason


def secrets(key: brine.Key) -> dict[str, str]:
    """Return the forms in which somebody may have a private key as text."""
    pem = key.to_pem()
    body = "".join(pem.splitlines()[1:-1])
    seed = base64.b64decode(body)[-32:]
    return {
        "PEM": pem,
        "a part of PEM": pem[:-30],
        "PEM in one line": pem.replace("\n", "\\n"),
        "Base64": body,
        "Base64 with a line end": body + "\n",
        "a seed in hex": seed.hex(),
        "a seed in Base64": base64.b64encode(seed).decode(),
        "PEM that is not UTF-8": pem + "\udc80",
    }


@pytest.mark.parametrize("form", secrets(brine.Key.generate()))
@pytest.mark.usefixtures("home")
def test_a_private_key_in_place_of_its_name_is_not_shown(
    form: str, alice: brine.Key, trust: brine.Trust
) -> None:
    text = secrets(alice)[form]
    calls = [
        lambda: brine.sign(b"x", key=text),
        lambda: brine.Signer(text),
        lambda: brine.Key.load(text),
        lambda: brine.PublicKey.load(text),
        lambda: brine.Trust.load(keys=[text]),
    ]
    for call in calls:
        with pytest.raises(brine.UsageError) as refused:
            call()
        error = refused.value
        assert error.reason in {"bad-name", "usage"}
        shown = [str(error), repr(error), repr(error.args), repr(pickle.dumps(error))]
        shown += traceback.format_exception(error, chain=True)
        parts = [text[at : at + 20] for at in range(0, len(text) - 20, 10)]
        secret = [part for part in parts if part.strip("-") and "PRIVATE" not in part]
        assert not any(part in one for part in secret for one in shown)


def test_text_that_is_not_utf_8_is_not_shown(alice: brine.Key, encrypted: Path) -> None:
    pem = alice.to_pem()
    calls = [
        lambda: brine.Key.from_pem(pem + "\udc80"),
        lambda: brine.PublicKey.from_pem(pem + "\udc80"),
        lambda: brine.Key.from_pem(encrypted.read_text(), passphrase="hunter2\udc80"),
        lambda: brine.Key.load(encrypted, passphrase="hunter2\udc80"),
    ]
    for call in calls:
        with pytest.raises(brine.KeyFileError) as refused:
            call()
        shown = "".join(traceback.format_exception(refused.value, chain=True))
        shown += repr(pickle.dumps(refused.value))
        assert "hunter2" not in shown.replace('passphrase="hunter2', "")
        assert pem.splitlines()[1][20:] not in shown
    with pytest.raises(TypeError, match="expected a passphrase as str, not bytes"):
        brine.Key.load(encrypted, passphrase=b"x")  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [b"default", 7, object(), [7]])
def test_what_is_no_name_is_a_wrong_type(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"^argument 'key': expected a private Key|private Key"):
        brine.Signer(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="name of a key or a path"):
        brine.Key.load(wrong)  # type: ignore[arg-type]


def test_trust_takes_public_keys(alice: brine.Key) -> None:
    with pytest.raises(TypeError, match=r"expected a PublicKey, such as key\.public, not Key"):
        brine.Trust.of({"alice": alice})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="expected the name of a signer as str, not int"):
        brine.Trust.of({1: alice.public})  # type: ignore[dict-item]


def test_a_key_that_is_revoked_meanwhile_is_refused_from_then_on(
    alice: brine.Key, tmp_path: Path
) -> None:
    path = trust_file(tmp_path / "trust.toml", entry(alice))
    verifier = brine.Verifier(brine.Trust.load(path))
    envelope = brine.sign(b"x", key=alice)
    assert reason_of(verifier, envelope) == "ok"
    trust_file(path, entry(alice, "revoked-at = 2020-01-01T00:00:00Z"))
    assert reason_of(verifier, envelope) == "signer-revoked"
    trust_file(path, "")
    assert reason_of(verifier, envelope) == "unknown-signer"
    trust_file(path, entry(alice))
    assert reason_of(verifier, envelope) == "ok"


def test_a_trust_file_that_no_longer_parses_stops_all(alice: brine.Key, tmp_path: Path) -> None:
    path = trust_file(tmp_path / "trust.toml", entry(alice))
    verifier = brine.Verifier(brine.Trust.load(path))
    envelope = brine.sign(b"x", key=alice)
    assert reason_of(verifier, envelope) == "ok"
    trust_file(path, entry(alice) + "[[signer")
    with pytest.raises(brine.KeyFileError) as refused:
        verifier.verify(envelope)
    assert (refused.value.reason, refused.value.status) == ("trust-toml", 6)
    path.unlink()
    with pytest.raises(brine.KeyFileError) as refused:
        verifier.verify(envelope)
    assert refused.value.reason == "unreadable"


def test_a_trust_file_that_others_can_write_is_refused(alice: brine.Key, tmp_path: Path) -> None:
    path = trust_file(tmp_path / "trust.toml", entry(alice))
    path.chmod(0o666)
    with pytest.raises(brine.KeyFileError) as refused:
        brine.Trust.load(path)
    assert refused.value.reason == "insecure-permissions"
    assert refused.value.hint is not None
    assert refused.value.hint.endswith("insecure_permissions=True accepts it as it is")
    brine.Trust.load(path, insecure_permissions=True)


def test_a_list_of_revoked_keys_is_heeded(
    alice: brine.Key, mallory: brine.Key, tmp_path: Path
) -> None:
    trust = trust_file(tmp_path / "trust.toml", entry(alice) + entry(mallory, name="mallory"))
    revoked = trust_file(tmp_path / "revoked", f"{mallory.public}\n")
    verifier = brine.Verifier(brine.Trust.load(trust, revoked=revoked))
    assert reason_of(verifier, brine.sign(b"x", key=alice)) == "ok"
    assert reason_of(verifier, brine.sign(b"x", key=mallory)) == "signer-revoked"


def test_keys_that_are_named_are_the_only_ones(alice: brine.Key, mallory: brine.Key) -> None:
    verifier = brine.Verifier(brine.Trust.load(keys=[str(alice.public)]))
    assert reason_of(verifier, brine.sign(b"x", key=alice)) == "ok"
    assert reason_of(verifier, brine.sign(b"x", key=mallory)) == "unknown-signer"


def test_an_allowed_signers_file_is_read(alice: brine.Key, tmp_path: Path) -> None:
    path = trust_file(tmp_path / "allowed", f"alice@example.org {alice.public}\n")
    verified = brine.verify(brine.sign(b"x", key=alice), trust=brine.Trust.load(path))
    assert verified.signer == "alice@example.org"


def test_a_signer_is_believed_for_its_contexts_and_in_its_time(alice: brine.Key) -> None:
    limits = entry(alice, 'contexts = ["jobs/*"]', "not-after = 2100-01-01T00:00:00Z")
    trust = brine.Trust.parse(limits)
    envelope = brine.sign(b"x", key=alice, context="jobs/a")
    other = brine.sign(b"x", key=alice, context="other")
    assert brine.verify(envelope, context="jobs/a", trust=trust).signer == "alice"
    assert reason_of(brine.Verifier(trust, context="other"), other) == "context-not-allowed"
    late = brine.Verifier(trust, context="jobs/a", now="2101-01-01T00:00Z")
    assert reason_of(late, envelope) == "signer-too-late"


def test_a_verdict_says_by_which_clock(alice: brine.Key, trust: brine.Trust) -> None:
    envelope = brine.sign(b"x", key=alice, expires="1h")
    assert brine.verify(envelope, trust=trust).verdict["clock"] == "system"
    assert brine.verify(envelope, trust=trust, now="30m").verdict["clock"] == "given"
    assert reason_of(brine.Verifier(trust, now="2h"), envelope) == "expired"
    assert reason_of(brine.Verifier(trust, now="2h ago"), envelope) == "issued-in-future"


def test_times_are_taken_in_each_form(alice: brine.Key, trust: brine.Trust) -> None:
    from datetime import UTC, datetime, timedelta

    at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    for expires in (at, str(int(at.timestamp())), at.isoformat()):
        assert brine.verify(brine.sign(b"", key=alice, expires=expires), trust=trust).expires == at
    verified = brine.verify(
        brine.sign(b"", key=alice, expires=timedelta(hours=1), content_type="text/plain"),
        trust=trust,
        max_age=timedelta(minutes=1),
    )
    assert verified.issued_at is not None
    assert verified.expires == verified.issued_at + timedelta(hours=1)
    assert verified.content_type == "text/plain"
    assert abs(verified.judged_at.timestamp() - time.time()) < 60
    late = at + timedelta(microseconds=999_999)
    assert brine.verify(brine.sign(b"", key=alice, expires=late), trust=trust).expires == at
    with pytest.raises(ValueError, match="without a time zone is no moment"):
        brine.sign(b"", key=alice, expires=at.replace(tzinfo=None))
    with pytest.raises(TypeError, match="write seconds as"):
        brine.sign(b"", key=alice, expires=3600)  # type: ignore[arg-type]
