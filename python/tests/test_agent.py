"""Keys in an agent: by which names they sign, what is refused, and what becomes of a wait."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import brine
import queue_workers
from agent_kit import LIST, SIGN, Agent, FrontAgent, new_key
from conftest import in_child
from programs import program, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Agent]:
    """An agent of OpenSSH, which the environment names."""
    directory = tmp_path / "agent"
    directory.mkdir(mode=0o700)
    agent = Agent(directory)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.socket))
    monkeypatch.setenv("BRINE_HOME", str(tmp_path / "home"))
    yield agent
    agent.stop()


Front = "Callable[[Callable[[int, bytes], bytes]], FrontAgent]"


@pytest.fixture
def front(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """Return what puts an agent in front of that of OpenSSH."""
    started = []

    def start(change: Callable[[int, bytes], bytes]) -> FrontAgent:
        one = FrontAgent(agent.directory / "front", agent.socket, change)
        started.append(one)
        monkeypatch.setenv("SSH_AUTH_SOCK", str(one.socket))
        return one

    yield start
    for one in started:
        one.stop()


def trust_in(path: Path) -> brine.Trust:
    return brine.Trust.load(keys=[f"{path}.pub"])


def reason_of(call: Callable[[], object]) -> str:
    with pytest.raises(brine.Error) as refused:
        call()
    return refused.value.reason


def test_a_key_is_named_by_comment_fingerprint_or_public_half(agent: Agent) -> None:
    path = agent.new_key("id", comment="me@laptop")
    public = brine.PublicKey.load(f"{path}.pub")
    path.unlink()
    names: list[str | Path] = [
        "agent:",
        "agent:me@laptop",
        f"agent:{public.fingerprint}",
        f"agent:{path}.pub",
        f"agent:{public}",
        # The public half alone, where the agent has the other.
        f"{path}.pub",
        Path(f"{path}.pub"),
        str(public),
    ]
    for name in names:
        key = brine.Key.load(name)
        assert (key.is_in_agent, key.public, key.certificate) == (True, public, None), name
        envelope = brine.sign(b"x", key=name, context="c")
        assert brine.verify(envelope, context="c", trust=trust_in(path)).key_id == public.id
        done = run("brine", "verify", "-c", "c", "-p", f"{path}.pub", data=envelope)
        assert done == b"x", name


def test_an_agent_signs_whatever_python_signs(agent: Agent, tmp_path: Path) -> None:
    path = agent.new_key("id")
    key, trust = "agent:id", trust_in(path)
    verifier = brine.Verifier(trust, context="c")
    signer = brine.Signer(key, context="c")
    for options in ({}, {"armor": True}):
        assert verifier.verify(signer.sign(b"x", **options)).payload == b"x"
        detached = signer.sign(b"x", detached=True, **options)
        assert verifier.verify(detached, b"x").is_detached
    assert verifier.verify(signer.sign_record(b"x")).sequence == (signer.channel, 0)
    records = signer.sign_batch([b"y", b"z"])
    assert [verifier.verify(record).payload for record in records] == [b"y", b"z"]
    job, _ = signer.sign_job(b"job")
    run("brine", "inspect", data=job)
    with brine.open(tmp_path / "stream", "wb", key=key, context="c") as file:
        file.write(bytes(3 << 20))
    with brine.open(tmp_path / "stream", trust=trust, context="c") as file:
        assert file.read() == bytes(3 << 20)
    assert run(
        "brine", "verify", "-c", "c", "-p", f"{path}.pub", str(tmp_path / "stream")
    ) == bytes(3 << 20)
    assert brine.loads(brine.dumps({"a": 1}, key=key), trust=trust) == {"a": 1}
    with brine.queue(f"sqlite:{tmp_path}/q?queue=c", key=key, trust=trust) as queue:
        queue.put("message")
        with queue.get(timeout=5) as message:
            assert message.value == "message"
    pipe = brine.SignedQueue(key=key, trust=trust)
    pipe.put("through a pipe")
    assert pipe.get(timeout=5) == "through a pipe"


def test_a_key_in_an_agent_shows_no_secret(agent: Agent) -> None:
    agent.new_key("id")
    key = brine.Key.load("agent:")
    with pytest.raises(brine.UsageError, match="an agent gives no private key out"):
        key.to_pem()
    assert repr(key) == f"<brine.Key {key.fingerprint}>"
    assert brine.Signer(key).key.id == key.id


def test_a_process_that_is_started_finds_the_key_in_the_agent_again(agent: Agent) -> None:
    path = agent.new_key("id")
    context = multiprocessing.get_context("spawn")
    key = brine.Key.load("agent:")
    queue: brine.SignedQueue[str] = brine.SignedQueue(ctx=context, key=key, trust=trust_in(path))
    child = context.Process(target=queue_workers.put_all, args=(queue, ["from the child"]))
    child.start()
    assert queue.get(timeout=30) == "from the child"
    child.join()
    assert child.exitcode == 0


def test_what_names_no_key_in_the_agent_is_refused(agent: Agent, tmp_path: Path) -> None:
    load = brine.Key.load
    assert reason_of(lambda: load("agent:")) == "agent-key-missing"
    agent.new_key("ecdsa", kind="ecdsa")
    assert reason_of(lambda: load("agent:ecdsa")) == "agent-key-type"
    agent.new_key("one", comment="same")
    agent.new_key("two", comment="same")
    assert reason_of(lambda: load("agent:")) == "agent-several-keys"
    assert reason_of(lambda: load("agent:same")) == "agent-several-keys"
    assert reason_of(lambda: load("agent:other")) == "agent-key-missing"
    assert reason_of(lambda: load("agent:SHA256:abc")) == "bad-name"
    # A path is a file, whatever it is called.
    assert reason_of(lambda: load(Path("agent:one"))) == "unreadable"
    stranger = new_key(tmp_path / "stranger")
    with pytest.raises(brine.KeyFileError) as refused:
        load(f"{stranger}.pub")
    assert refused.value.reason == "private-key-expected"
    assert refused.value.hint is not None
    assert "PublicKey.load this one; the agent does not hold the private one" in refused.value.hint
    agent.run("ssh-add", "-q", "-x")
    assert reason_of(lambda: load("agent:same")) == "agent-key-missing"


def test_no_agent_says_whom_to_trust(agent: Agent) -> None:
    agent.new_key("id")
    for call in (
        lambda: brine.PublicKey.load("agent:id"),
        lambda: brine.Trust.load(keys=["agent:id"]),
    ):
        with pytest.raises(brine.UsageError, match="named where something is signed"):
            call()


def test_a_key_that_has_left_the_agent_does_not_sign(agent: Agent) -> None:
    path = agent.new_key("id")
    signer = brine.Signer("agent:id")
    agent.run("ssh-add", "-q", "-d", str(path))
    with pytest.raises(brine.KeyFileError) as refused:
        signer.sign(b"x")
    assert refused.value.reason == "agent-refused"
    agent.stop()
    assert reason_of(lambda: signer.sign(b"x")) == "agent-absent"


def test_an_agent_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(brine.InputOutputError) as refused:
        brine.Key.load("agent:")
    assert refused.value.reason == "agent-absent"
    assert "SSH_AUTH_SOCK" in str(refused.value)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "nothing"))
    assert reason_of(lambda: brine.Key.load("agent:")) == "agent-absent"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        # A signature, which another key has made.
        (b"\x0e\0\0\0\x53\0\0\0\x0bssh-ed25519\0\0\0\x40" + bytes(64), "agent-signature"),
        (b"\x05", "agent-refused"),
        (b"\x06hello", "agent-malformed"),
        (b"", "agent-hung-up"),
    ],
)
def test_an_agent_that_lies_is_found_out(
    agent: Agent, front: Front, answer: bytes, reason: str
) -> None:
    agent.new_key("id")
    front(lambda asked, good: answer if asked == SIGN else good)
    signer = brine.Signer("agent:id")
    assert reason_of(lambda: signer.sign(b"x")) == reason
    assert reason_of(lambda: signer.sign_batch([b"x", b"y"])) == reason


def test_what_is_too_large_for_an_agent_is_signed_in_another_form(
    agent: Agent, tmp_path: Path
) -> None:
    path = agent.new_key("id")
    large, signer = bytes(300_000), brine.Signer("agent:id")
    for call in (lambda: signer.sign(large), lambda: signer.sign_record(large)):
        with pytest.raises(brine.UnsupportedError) as refused:
            call()
        assert refused.value.reason == "signing-too-large"
        assert "detached=True signs the digest" in str(refused.value)
    signature = signer.sign(large, detached=True)
    assert brine.verify(signature, large, trust=trust_in(path)).kind == "digest"
    with brine.open(tmp_path / "stream", "wb", key="agent:id") as file:
        file.write(large)
    with brine.open(tmp_path / "stream", trust=trust_in(path)) as file:
        assert file.read() == large


def interrupt_after(seconds: float) -> None:
    """Send this process a Ctrl-C in a while."""
    timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))
    timer.daemon = True
    timer.start()


@pytest.mark.parametrize("asked", [LIST, SIGN])
def test_ctrl_c_ends_the_wait_for_an_agent(
    asked: int, agent: Agent, front: Front, tmp_path: Path
) -> None:
    agent.new_key("id")
    hold = threading.Event()

    def slow(found: int, good: bytes) -> bytes:
        if found == asked:
            hold.wait(50)
        return good

    hold.set()
    front(slow)
    stream = tmp_path / "stream"

    def write() -> None:
        with brine.open(stream, "wb", key=signer_key) as file:
            file.write(bytes(2 << 20))

    signer_key = brine.Key.load("agent:id")
    signer = brine.Signer(signer_key)
    signing: list[Callable[[], object]] = [
        lambda: signer.sign(b"x"),
        lambda: signer.sign(b"x", detached=True),
        lambda: signer.sign_batch([b"x", b"y"]),
        write,
    ]
    hold.clear()
    for call in [lambda: brine.Key.load("agent:id")] if asked == LIST else signing:
        begin = time.monotonic()
        interrupt_after(0.3)
        with pytest.raises(KeyboardInterrupt):
            call()
        assert time.monotonic() - begin < 4
    assert not stream.exists()
    # It is no reason to give up: the next one is signed.
    hold.set()
    assert signer.sign(b"x")


def test_a_signal_that_raises_nothing_leaves_the_wait_as_it_is(agent: Agent, front: Front) -> None:
    path = agent.new_key("id")

    def slow(asked: int, good: bytes) -> bytes:
        if asked == SIGN:
            time.sleep(1)
        return good

    front(slow)
    signer, heard = brine.Signer("agent:id"), []
    before = signal.signal(signal.SIGUSR1, lambda *_: heard.append(time.monotonic()))
    try:
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
        envelope = signer.sign(b"x")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(heard) == 1
    assert brine.verify(envelope, trust=trust_in(path)).payload == b"x"


def test_threads_share_a_key_in_an_agent(agent: Agent) -> None:
    path = agent.new_key("id")
    signer, envelopes = brine.Signer("agent:id"), []

    def sign() -> None:
        envelopes.extend(signer.sign_record(b"x") for _ in range(20))

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    verifier = brine.Verifier(trust_in(path))
    numbers = sorted(verifier.verify(one).sequence[1] for one in envelopes)  # type: ignore[index]
    assert numbers == list(range(80))


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_parent_and_child_sign_over_connections_of_their_own(agent: Agent, front: Front) -> None:
    path = agent.new_key("id")
    started = front(lambda _, good: good)
    signer, verifier = brine.Signer("agent:id"), brine.Verifier(trust_in(path))
    signer.sign(b"x")
    before = started.connections

    def sign() -> None:
        for _ in range(20):
            assert verifier.verify(signer.sign(b"x")).payload == b"x"

    children = threading.Thread(target=lambda: statuses.append(in_child(sign)))
    statuses: list[int] = []
    children.start()
    sign()
    children.join()
    assert statuses == [0]
    assert started.connections == before + 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_fork_does_not_wait_for_a_person_whom_an_agent_asks(agent: Agent, front: Front) -> None:
    path = agent.new_key("id")
    is_first, asks, answer = [True], threading.Event(), threading.Event()

    def ask_first(asked: int, good: bytes) -> bytes:
        if asked == SIGN and is_first:
            is_first.clear()
            asks.set()
            answer.wait(50)
        return good

    front(ask_first)
    signer, verifier = brine.Signer("agent:id"), brine.Verifier(trust_in(path))
    envelopes: list[bytes] = []
    thread = threading.Thread(target=lambda: envelopes.append(signer.sign(b"x")))
    thread.start()
    assert asks.wait(20)
    begin = time.monotonic()
    assert in_child(lambda: verifier.verify(signer.sign(b"from the child"))) == 0
    assert time.monotonic() - begin < 10
    answer.set()
    thread.join()
    assert verifier.verify(envelopes[0]).payload == b"x"


def test_a_stream_whose_segments_a_person_confirms_is_warned_of_once(
    agent: Agent, front: Front, tmp_path: Path
) -> None:
    agent.new_key("id")

    def slow(asked: int, good: bytes) -> bytes:
        if asked == SIGN:
            time.sleep(0.6)
        return good

    front(slow)

    def write(segments: int) -> None:
        with brine.open(tmp_path / "stream", "wb", key="agent:id") as file:
            for _ in range(segments):
                file.write(bytes(1 << 20))

    with pytest.warns(UserWarning, match=r"asks for each; sign\(..., detached=True\)") as told:
        write(4)
    assert [one.filename for one in told] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(0)


def test_a_key_that_a_person_confirms_signs(agent: Agent) -> None:
    path = agent.new_key("id", "-c")
    assert brine.verify(brine.sign(b"x", key="agent:id"), trust=trust_in(path)).payload == b"x"
    (agent.directory / "ask").write_text("#!/bin/sh\nexit 1\n")
    assert reason_of(lambda: brine.sign(b"x", key="agent:id")) == "agent-refused"


def test_the_programs_say_what_python_says(agent: Agent) -> None:
    agent.new_key("one", comment="same")
    agent.new_key("two", comment="same")
    with pytest.raises(brine.KeyFileError) as refused:
        brine.sign(b"x", key="agent:")
    done = subprocess.run(
        [program("brine"), "sign", "-k", "agent:"], input=b"x", capture_output=True, check=False
    )
    assert done.returncode == refused.value.status == 6
    assert refused.value.message in done.stderr.decode()
