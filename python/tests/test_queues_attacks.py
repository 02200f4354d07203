"""Attacks on queues. Each is made on the plain queue of the standard library, too, where it succeeds."""

from __future__ import annotations

import copy
import datetime
import multiprocessing
import os
import pickle
from multiprocessing import queues as plain_queues
from pathlib import Path
from typing import Any

import pytest

import brine
import queue_workers
from brine import _messages, _objects

FORK = multiprocessing.get_context("fork")


def inject(queue: Any, message: bytes) -> None:
    """Write a message into the pipe of a queue, as a process could that has the descriptor."""
    queue._writer.send_bytes(message)


def intercept(queue: Any, obj: object) -> bytes:
    """Put an object, and take what was sent out of the pipe."""
    queue.put(obj)
    message: bytes = queue._reader.recv_bytes()
    return message


def plain_queue() -> Any:
    return plain_queues.SimpleQueue(ctx=FORK)


def refusal(queue: Any) -> brine.Error:
    """Return why the next message is refused."""
    with pytest.raises(brine.Error) as caught:
        queue.get()
    return caught.value


class Payload:
    """What runs code where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.fixture(params=[brine.SignedQueue, brine.SignedSimpleQueue, brine.SignedJoinableQueue])
def queue(request: pytest.FixtureRequest) -> Any:
    """Make a queue of each class."""
    return request.param(ctx=FORK)


def test_an_altered_message_is_refused(queue: Any) -> None:
    message = intercept(queue, {"pay": 100})
    where = message.index(b"pay")
    altered = message[:where] + b"owe" + message[where + 3 :]
    inject(queue, altered)
    assert refusal(queue).reason == "signature-bad"
    queue.put("next")
    assert queue.get() == "next"

    plain = plain_queue()
    message = intercept(plain, {"pay": 100})
    where = message.index(b"pay")
    inject(plain, message[:where] + b"owe" + message[where + 3 :])
    assert plain.get() == {"owe": 100}


def test_no_altered_byte_of_a_message_is_given_out() -> None:
    queue = brine.SignedSimpleQueue[Any](ctx=FORK)
    message = intercept(queue, "hello")
    for where in range(len(message)):
        inject(queue, message[:where] + bytes([message[where] ^ 1]) + message[where + 1 :])
        assert refusal(queue).status in (1, 3, 5), where
    inject(queue, message)
    assert queue.get() == "hello"


def test_a_repeated_message_is_refused(queue: Any) -> None:
    message = intercept(queue, "run")
    inject(queue, message)
    inject(queue, message)
    assert queue.get() == "run"
    error = refusal(queue)
    assert error.reason == "replayed"
    assert isinstance(error, brine.ReplayedError)

    plain = plain_queue()
    message = intercept(plain, "run")
    inject(plain, message)
    inject(plain, message)
    assert [plain.get(), plain.get()] == ["run", "run"]


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_message_is_refused_that_another_process_was_given(method: str) -> None:
    ctx: Any = multiprocessing.get_context(method)
    queue, results = brine.SignedQueue[Any](ctx=ctx), brine.SignedSimpleQueue[Any](ctx=ctx)
    message = intercept(queue, 21)
    inject(queue, message)
    child = ctx.Process(target=queue_workers.double, args=(queue, results))
    child.start()
    assert results.get() == 42
    queue.put(None)
    child.join()
    inject(queue, message)
    assert refusal(queue).reason == "replayed"


def test_a_message_is_refused_that_a_later_one_has_overtaken(queue: Any) -> None:
    first = intercept(queue, "withdraw")
    queue.put("later")
    assert queue.get() == "later"
    assert queue.missing() == 1
    inject(queue, first)
    assert refusal(queue).reason == "replayed"


def test_a_message_of_another_queue_is_refused(alice: brine.Key, trust: brine.Trust) -> None:
    one = brine.SignedQueue[Any](ctx=FORK, key=alice, trust=trust)
    other = brine.SignedQueue[Any](ctx=FORK, key=alice, trust=trust)
    inject(other, intercept(one, "for one"))
    assert refusal(other).reason == "context-mismatch"

    plain = plain_queue()
    inject(plain, intercept(plain_queue(), "for another"))
    assert plain.get() == "for another"


def test_a_message_of_a_stranger_is_refused(
    mallory: brine.Key, trust: brine.Trust, alice: brine.Key
) -> None:
    queue = brine.SignedQueue[Any](ctx=FORK, key=alice, trust=trust)
    queue.with_key(mallory).put("mine")
    assert refusal(queue).reason == "unknown-signer"
    queue.put("still works")
    assert queue.get() == "still works"


def test_a_queue_without_a_key_believes_nobody_but_itself(queue: Any, mallory: brine.Key) -> None:
    queue.with_key(mallory).put("mine")
    assert refusal(queue).reason == "unknown-signer"


def test_a_message_is_refused_once_its_key_is_revoked(alice: brine.Key, tmp_path: Path) -> None:
    file = tmp_path / "trust.toml"
    entry = f'[[signer]]\nname = "alice"\nkey = "{alice.public}"\n'
    file.write_text(entry)
    queue = brine.SignedQueue[Any](ctx=FORK, key=alice, trust=brine.Trust.load(file))
    queue.put("before")
    assert queue.get() == "before"
    queue.put("after")
    changed = tmp_path / "changed.toml"
    changed.write_text(entry + "revoked-at = 2020-01-01 00:00:00Z\n")
    changed.rename(file)
    assert refusal(queue).reason == "signer-revoked"


def test_an_expired_message_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def later(*args: Any, **kwargs: Any) -> brine.Verifier:
        return brine.Verifier(*args, now=datetime.timedelta(hours=2), **kwargs)

    queue = brine.SignedQueue[Any](ctx=FORK, expires="1h")
    queue.put("in time")
    assert queue.get() == "in time"
    monkeypatch.setattr(_messages, "Verifier", later)
    late = brine.SignedQueue[Any](ctx=FORK, expires="1h")
    late.put("late")
    assert refusal(late).reason == "expired"


def test_a_hostile_pickle_of_a_stranger_is_not_loaded(queue: Any, tmp_path: Path) -> None:
    hostile = pickle.dumps(Payload(tmp_path / "ran"))
    inject(queue, hostile)
    assert refusal(queue).reason == "not-an-envelope"
    key = brine.Key.generate()
    inject(queue, brine.Signer(key, context=queue.context).sign_record(hostile))
    assert refusal(queue).reason == "unknown-signer"
    assert not (tmp_path / "ran").exists()

    plain = plain_queue()
    inject(plain, hostile)
    plain.get()
    assert (tmp_path / "ran").is_dir()


def test_a_hostile_pickle_of_a_trusted_signer_is_not_loaded(queue: Any, tmp_path: Path) -> None:
    queue.put(Payload(tmp_path / "ran"))
    error = refusal(queue)
    assert error.reason == "import-not-allowed"
    assert not (tmp_path / "ran").exists()
    queue.put("next")
    assert queue.get() == "next"

    plain = plain_queue()
    plain.put(Payload(tmp_path / "ran"))
    plain.get()
    assert (tmp_path / "ran").is_dir()


def test_a_message_without_a_number_is_refused(alice: brine.Key, trust: brine.Trust) -> None:
    queue = brine.SignedQueue[Any](ctx=FORK, key=alice, trust=trust)
    signer = brine.Signer(alice, context=queue.context, content_type=_objects.CONTENT_TYPE)
    inject(queue, signer.sign(pickle.dumps("again and again")))
    assert refusal(queue).reason == "replay-identity-missing"


def test_a_forged_number_moves_no_mark(queue: Any, mallory: brine.Key) -> None:
    queue.put("first")
    assert queue.get() == "first"
    forger = brine.Signer(mallory, context=queue.context)
    for _ in range(5):
        inject(queue, forger.sign_record(b"forged"))
        assert refusal(queue).reason == "unknown-signer"
    queue.put("second")
    assert queue.get() == "second"
    assert queue.missing() == 0


@pytest.mark.parametrize("message", [b"", b"\0", b"x" * 100, pickle.dumps("unsigned")])
def test_what_is_no_envelope_is_refused(queue: Any, message: bytes) -> None:
    inject(queue, message)
    assert refusal(queue).status == 3
    queue.put("next")
    assert queue.get() == "next"


def test_a_message_that_is_cut_is_refused() -> None:
    queue = brine.SignedSimpleQueue[Any](ctx=FORK)
    message = intercept(queue, "whole")
    for length in range(len(message)):
        inject(queue, message[:length])
        assert refusal(queue).status in (1, 3), length


def test_a_message_of_a_pipe_does_not_come_back_as_an_answer() -> None:
    here, there = brine.signed_pipe(ctx=FORK)
    here.send("question")
    message = there._plain.recv_bytes()
    there._plain.send_bytes(message)
    with pytest.raises(brine.Error) as caught:
        here.recv()
    assert caught.value.reason == "context-mismatch"

    plain_here, plain_there = FORK.Pipe()
    plain_here.send("question")
    plain_there.send_bytes(plain_there.recv_bytes())
    assert plain_here.recv() == "question"


def test_a_pipe_gives_a_message_once() -> None:
    here, there = brine.signed_pipe(duplex=False, ctx=FORK)
    there.send("run")
    message = here._plain.recv_bytes()
    there._plain.send_bytes(message)
    there._plain.send_bytes(message)
    assert here.recv() == "run"
    with pytest.raises(brine.ReplayedError):
        here.recv()
    there.send("next")
    assert here.recv() == "next"


def test_bytes_are_never_unpickled(tmp_path: Path) -> None:
    here, there = brine.signed_pipe(duplex=False, ctx=FORK, allow=["std", "posix:mkdir"])
    hostile = pickle.dumps(Payload(tmp_path / "ran"))
    there.send_bytes(hostile)
    with pytest.raises(brine.UnsupportedError):
        here.recv()
    assert not (tmp_path / "ran").exists()

    plain_here, plain_there = FORK.Pipe(duplex=False)
    plain_there.send_bytes(hostile)
    plain_here.recv()
    assert (tmp_path / "ran").is_dir()


@pytest.mark.parametrize("copied", [pickle.dumps, copy.deepcopy])
def test_the_key_of_a_queue_goes_only_to_processes_that_are_started(copied: Any) -> None:
    queue = brine.SignedQueue(ctx=FORK, key=brine.Key.generate(), trust=brine.Trust.of({}))
    with pytest.raises(RuntimeError, match="through inheritance"):
        copied(queue._codec)
    shown = repr(_messages._Pem(brine.Key.generate().to_pem()))
    assert "BEGIN" not in shown
