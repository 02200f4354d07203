"""Certificates that go into what Python signs: which are found, which are left out, and what verifiers refuse."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import brine
import queue_workers
from agent_kit import Agent, new_key
from brine._messages import _portable
from programs import run

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "alice@example.com"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose trust file has the authority `team` alone, and a directory with the key `alice`, which nobody knows."""
    home, place = tmp_path / "home", tmp_path / "place"
    place.mkdir()
    monkeypatch.setenv("BRINE_HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    run("brinekey", "ca", "team", "--no-passphrase")
    (place / "team.pub").write_bytes(run("brinekey", "pub", "team"))
    run("brinekey", "trust", "add", "team", f"{place}/team.pub", "--authority", "*@example.com")
    new_key(place / "alice")
    return place


def certify(place: Path, *options: str, name: str = NAME) -> None:
    """Have the authority certify the key."""
    terms = ["--with", "team", "--name", name, "--force", *(options or ["--for", "1h"])]
    run("brinekey", "issue", f"{place}/alice.pub", *terms)
    assert (place / "alice-cert.pub").exists()


def certify_with_openssh(place: Path, *options: str) -> None:
    """Have OpenSSH certify the key with a key of its own."""
    if not (place / "ca").exists():
        new_key(place / "ca")
    command = ["ssh-keygen", "-q", "-s", f"{place}/ca", "-I", "id", *options, f"{place}/alice.pub"]
    subprocess.run(command, check=True)


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(brine.Error) as refused:
        call()
    return refused.value.reason


def test_a_certificate_beside_a_key_goes_into_what_is_signed(place: Path) -> None:
    key = place / "alice"
    assert brine.Key.load(key).certificate is None
    assert reason_of(lambda: brine.verify(brine.sign(b"x", key=key))) == "unknown-signer"
    certify(place)
    text = (place / "alice-cert.pub").read_text()
    certificate = brine.Key.load(key).certificate
    assert certificate is not None
    assert certificate.split()[:2] == text.split()[:2]
    envelope = brine.sign(b"x", key=key)
    verified = brine.verify(envelope, signer=NAME)
    assert (verified.signer, verified.signers) == (NAME, (NAME,))
    assert verified.verdict["authority"]["name"] == "team"
    assert run("brine", "verify", "--signer", NAME, data=envelope) == b"x"


def test_it_goes_into_every_form(place: Path, tmp_path: Path) -> None:
    certify(place)
    signer, verifier = brine.Signer(place / "alice", context="c"), brine.Verifier(context="c")
    envelopes = [signer.sign(b"x"), signer.sign(b"x", armor=True), signer.sign_record(b"x")]
    envelopes += signer.sign_batch([b"x", b"x"])
    assert [verifier.verify(one).signer for one in envelopes] == [NAME] * 5
    assert verifier.verify(signer.sign(b"x", detached=True), b"x").signer == NAME
    job, _ = signer.sign_job(b"x", grants=["wall=1s"])
    assert NAME.encode() in run("brine", "inspect", data=job)
    with brine.open(tmp_path / "stream", "wb", key=place / "alice", context="c") as file:
        file.write(bytes(3 << 20))
    with brine.open(tmp_path / "stream", context="c", signer=NAME) as file:
        assert (file.verified.signer, len(file.read())) == (NAME, 3 << 20)


def test_a_certificate_is_found_beside_a_key_in_the_store(place: Path, tmp_path: Path) -> None:
    certify(place)
    keys = tmp_path / "home/keys"
    (keys / "alice.key").touch(mode=0o600)
    (keys / "alice.key").write_text((place / "alice").read_text())
    assert reason_of(lambda: brine.verify(brine.sign(b"x", key="alice"))) == "unknown-signer"
    (keys / "alice-cert.pub").write_text((place / "alice-cert.pub").read_text())
    assert brine.verify(brine.sign(b"x", key="alice")).signer == NAME


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["-n", NAME, "-V", "20200101:20210101"], "it expired at 20"),
        (["-n", NAME, "-V", "20900101:20910101"], "it is not valid before 20"),
        (["-n", NAME, "-h"], "it is for a host"),
        (["-n", NAME, "-O", "force-command=true"], 'it has the critical option "force-command"'),
        ([], "it names nobody"),
    ],
)
def test_a_certificate_that_nobody_would_believe_is_left_out_with_a_warning(
    place: Path, options: list[str], why: str
) -> None:
    certify_with_openssh(place, *options)
    with pytest.warns(UserWarning, match=r"alice-cert\.pub.* is left out: ") as told:
        key = brine.Key.load(place / "alice")
    assert [str(one.message).partition("is left out: ")[2][: len(why)] for one in told] == [why]
    assert told[0].filename == __file__
    assert key.certificate is None
    with pytest.warns(UserWarning, match="is left out") as told:
        envelope = brine.sign(b"x", key=place / "alice")
    assert told[0].filename == __file__
    trust = brine.Trust.of({"alice": key.public})
    assert "authority" not in brine.verify(envelope, trust=trust).verdict
    # The program says the same, and goes on.
    done = run("brine", "sign", "-k", f"{place}/alice", data=b"x")
    assert brine.verify(done, trust=trust).signer == "alice"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            brine.Key.load(place / "alice")


def test_nothing_is_printed_where_a_warning_is_given(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    certify_with_openssh(place, "-n", NAME, "-h")
    with pytest.warns(UserWarning):
        brine.Key.load(place / "alice")
    assert capfd.readouterr() == ("", "")


def test_what_is_no_certificate_of_the_key_is_refused(place: Path) -> None:
    beside, load = place / "alice-cert.pub", lambda: brine.Key.load(place / "alice")
    certify(place)
    good = beside.read_text()
    name, blob, *_ = good.split()
    new_key(place / "bob")
    for text, reason in [
        (f"{name} {blob[:40]}\n", "certificate-malformed"),
        (f"{name} ####\n", "key-malformed"),
        ((place / "bob.pub").read_text(), "key-unrecognised"),
        ("", "key-unrecognised"),
    ]:
        beside.write_text(text)
        assert reason_of(load) == reason, text
    run("brinekey", "issue", f"{place}/bob.pub", "--with", "team", "--name", NAME, "--for", "1h")
    beside.write_text((place / "bob-cert.pub").read_text())
    assert reason_of(load) == "certificate-other-key"
    beside.unlink()
    os.mkfifo(beside)
    assert reason_of(load) == "unreadable"


def test_a_certificate_that_others_may_write_is_refused(place: Path) -> None:
    certify(place)
    (place / "alice-cert.pub").chmod(0o666)
    assert reason_of(lambda: brine.Key.load(place / "alice")) == "insecure-permissions"
    assert brine.Key.load(place / "alice", insecure_permissions=True).certificate is not None


def test_a_certificate_in_an_agent_comes_with_its_key(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certify(place)
    (tmp_path / "agent").mkdir()
    agent = Agent(tmp_path / "agent")
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.socket))
        agent.run("ssh-add", "-q", str(place / "alice"))
        (place / "alice-cert.pub").unlink()
        envelope = brine.sign(b"x", key="agent:")
        assert brine.verify(envelope).signer == NAME
        assert run("brine", "verify", data=envelope) == b"x"
        agent.run("ssh-add", "-q", "-D")
        certify_with_openssh(place, "-n", NAME, "-V", "20200101:20210101")
        agent.run("ssh-add", "-q", str(place / "alice"))
        (place / "alice-cert.pub").unlink()
        with pytest.warns(UserWarning, match="the certificate in the agent is left out: ") as told:
            envelope = brine.sign(b"x", key="agent:")
        assert len(told) == 1
        assert reason_of(lambda: brine.verify(envelope)) == "unknown-signer"
        # One beside the file of the public half comes first.
        certify(place)
        key = brine.Key.load(f"{place}/alice.pub")
        assert key.is_in_agent
        assert brine.verify(brine.sign(b"x", key=key)).signer == NAME
    finally:
        agent.stop()


def test_a_key_from_text_is_given_its_certificate(place: Path) -> None:
    certify(place)
    certificate = (place / "alice-cert.pub").read_text()
    pem = brine.Key.load(place / "alice").to_pem()
    for text in (certificate, certificate.encode()):
        key = brine.Key.from_pem(pem, certificate=text)
        assert brine.verify(brine.sign(b"x", key=key)).signer == NAME
    again = brine.Key.from_pem(pem, certificate=key.certificate)
    assert again.certificate == key.certificate
    assert brine.Key.from_pem(pem).certificate is None
    other = brine.Key.generate().to_pem()
    assert (
        reason_of(lambda: brine.Key.from_pem(other, certificate=certificate))
        == "certificate-other-key"
    )
    certify_with_openssh(place, "-n", NAME, "-h")
    with pytest.warns(UserWarning, match="is left out: "):
        brine.Key.from_pem(pem, certificate=(place / "alice-cert.pub").read_text())


def test_a_certificate_goes_along_to_a_process_that_is_started(place: Path) -> None:
    certify(place)
    key, context = brine.Key.load(place / "alice"), multiprocessing.get_context("spawn")
    assert key.to_pem().splitlines()[1] not in repr(_portable(key))
    queue: brine.SignedQueue[str] = brine.SignedQueue(
        ctx=context, key=key, trust=brine.Trust.load()
    )
    child = context.Process(target=queue_workers.put_all, args=(queue, ["from the child"]))
    child.start()
    assert queue.get(timeout=30) == "from the child"
    child.join()
    assert child.exitcode == 0


def test_what_a_certificate_does_not_say_is_refused(place: Path) -> None:
    certify(place, "--for", "1h", "-c", "jobs/*")
    key = place / "alice"
    good, other = (brine.sign(b"x", key=key, context=context) for context in ("jobs/a", "other"))
    without = brine.sign(b"x", key=key)
    assert brine.verify(good, context="jobs/a").signer == NAME
    assert reason_of(lambda: brine.verify(other, context="other")) == "context-not-allowed"
    assert reason_of(lambda: brine.verify(without)) == "context-not-allowed"
    late = {"context": "jobs/a", "now": "2h"}
    assert reason_of(lambda: brine.verify(good, **late)) == "certificate-expired"  # type: ignore[arg-type]
    bob = {"context": "jobs/a", "signer": "bob@example.com"}
    assert reason_of(lambda: brine.verify(good, **bob)) == "wrong-signer"  # type: ignore[arg-type]
    team = brine.PublicKey.load(place / "team.pub")
    # To trust the key of an authority is not to trust whom it certifies.
    trust = brine.Trust.of({"team": team})
    assert reason_of(lambda: brine.verify(good, context="jobs/a", trust=trust)) == "unknown-signer"
    certify(place, name="eve@elsewhere.org")
    envelope = brine.sign(b"x", key=key)
    assert reason_of(lambda: brine.verify(envelope)) == "certificate-principals"
    certify_with_openssh(place, "-n", NAME)
    envelope = brine.sign(b"x", key=key)
    assert reason_of(lambda: brine.verify(envelope)) == "authority-unknown"
