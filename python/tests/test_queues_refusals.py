"""What a queue does with messages that it refuses, and goes on."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from fractions import Fraction
from queue import Empty
from typing import TYPE_CHECKING, Any

import pytest

import brine
import queue_workers
from conftest import wait_until
from test_queues_attacks import inject, intercept

if TYPE_CHECKING:
    from pathlib import Path

FORK = multiprocessing.get_context("fork")
GARBAGE = b"no envelope"


class Refused:
    """Keeps what was refused."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.messages: list[bytes] = []

    def __call__(self, error: brine.Error, message: bytes) -> None:
        self.reasons.append(error.reason)
        self.messages.append(message)


def test_a_handler_is_given_what_is_refused_and_get_goes_on() -> None:
    refused = Refused()
    queue = brine.SignedQueue[Any](ctx=FORK, on_refused=refused)
    inject(queue, GARBAGE)
    queue.put("good")
    assert queue.get() == "good"
    assert refused.reasons == ["not-an-envelope"]
    assert refused.messages == [GARBAGE]


def test_a_handler_is_given_what_is_refused_by_simple_queues_and_pipes() -> None:
    refused = Refused()
    queue = brine.SignedSimpleQueue[Any](ctx=FORK, on_refused=refused)
    inject(queue, GARBAGE)
    queue.put("good")
    assert queue.get() == "good"
    here, there = brine.signed_pipe(ctx=FORK, on_refused=refused)
    there._plain.send_bytes(GARBAGE)
    there.send("good")
    assert here.recv() == "good"
    there._plain.send_bytes(GARBAGE)
    there.send_bytes(b"good")
    assert here.recv_bytes() == b"good"
    assert refused.reasons == ["not-an-envelope"] * 3


def test_get_waits_no_longer_than_asked_whatever_is_refused() -> None:
    refused = Refused()
    queue = brine.SignedQueue[Any](ctx=FORK, on_refused=refused)
    for _ in range(3):
        inject(queue, GARBAGE)
    with pytest.raises(Empty):
        queue.get(timeout=0.05)
    inject(queue, GARBAGE)
    with pytest.raises(Empty):
        queue.get(block=False)
    assert len(refused.reasons) == 4


def test_an_exception_in_the_handler_is_raised_and_the_queue_goes_on() -> None:
    def fail(error: brine.Error, _message: bytes) -> None:
        raise KeyError(error.reason)

    queue = brine.SignedJoinableQueue[Any](ctx=FORK, on_refused=fail)
    inject(queue, GARBAGE)
    with pytest.raises(KeyError, match="not-an-envelope"):
        queue.get()
    queue.put("good")
    assert queue.get() == "good"
    queue.task_done()
    queue.join()


def test_a_handler_can_use_the_queue() -> None:
    def put_another(_error: brine.Error, _message: bytes) -> None:
        queue.put("instead")

    queue = brine.SignedQueue[Any](ctx=FORK, on_refused=put_another)
    inject(queue, GARBAGE)
    assert queue.get() == "instead"


def test_a_refused_message_frees_its_place() -> None:
    queue = brine.SignedQueue[Any](1, ctx=FORK)
    message = intercept(queue, "first")
    inject(queue, message[:-1] + bytes([message[-1] ^ 1]))
    with pytest.raises(brine.AlteredError):
        queue.get()
    queue.put("second", timeout=5)
    assert queue.get() == "second"
    assert queue.missing() == 1


def test_forged_messages_make_no_room_that_is_not_there() -> None:
    queue = brine.SignedQueue[Any](2, ctx=FORK)
    for _ in range(5):
        inject(queue, GARBAGE)
        with pytest.raises(brine.UnsupportedError):
            queue.get()
    queue.put(1)
    queue.put(2)
    assert queue.full()


def test_join_does_not_wait_for_a_message_that_was_refused() -> None:
    queue = brine.SignedJoinableQueue[Any](ctx=FORK)
    message = intercept(queue, "work")
    inject(queue, message[:-1] + bytes([message[-1] ^ 1]))
    with pytest.raises(brine.AlteredError):
        queue.get()
    queue.join()


def test_forged_messages_take_no_task_done_away() -> None:
    queue = brine.SignedJoinableQueue[Any](ctx=FORK)
    inject(queue, GARBAGE)
    queue.put("work")
    with pytest.raises(brine.UnsupportedError):
        queue.get()
    assert queue.get() == "work"
    queue.task_done()
    queue.join()
    with pytest.raises(ValueError, match="too many times"):
        queue.task_done()


def test_trust_that_cannot_be_read_refuses_and_heals(alice: brine.Key, tmp_path: Path) -> None:
    file = tmp_path / "trust.toml"
    entry = f'[[signer]]\nname = "alice"\nkey = "{alice.public}"\n'
    file.write_text(entry)
    queue = brine.SignedQueue[Any](ctx=FORK, key=alice, trust=brine.Trust.load(file))

    def replace(text: str) -> None:
        (tmp_path / "next").write_text(text)
        (tmp_path / "next").rename(file)

    queue.put(1)
    replace("what is this")
    with pytest.raises(brine.KeyFileError):
        queue.get()
    replace(entry)
    queue.put(2)
    assert queue.get() == 2


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_each_process_can_sign_with_a_key_of_its_own(
    method: str, home: Path, tmp_path: Path
) -> None:
    homes = {name: tmp_path / name for name in ("alice", "bob", "mallory")}
    keys = {name: brine.Key.generate() for name in homes}
    for name, place in homes.items():
        (place / "keys").mkdir(parents=True, mode=0o700)
        file = place / "keys" / "worker.key"
        file.touch(mode=0o600)
        file.write_text(keys[name].to_pem())
    trust = brine.Trust.of({name: keys[name].public for name in ("alice", "bob")})
    refused = Refused()
    ctx: Any = multiprocessing.get_context(method)
    queue = brine.SignedQueue[Any](ctx=ctx, key="worker", trust=trust, on_refused=refused)
    children = [
        ctx.Process(
            target=queue_workers.put_signed_as, args=(queue, "worker", str(place), [name] * 3)
        )
        for name, place in homes.items()
    ]
    if method == "spawn":
        # What refuses stays in this process.
        queue._reception._on_refused = None
    for child in children:
        child.start()
        child.join()
    queue._reception._on_refused = refused
    assert sorted(queue.get(timeout=5) for _ in range(6)) == ["alice"] * 3 + ["bob"] * 3
    with pytest.raises(Empty):
        queue.get(timeout=0.1)
    assert refused.reasons == ["unknown-signer"] * 3


def test_a_key_by_name_needs_trust() -> None:
    with pytest.raises(brine.UsageError, match="trust"):
        brine.SignedQueue(key="worker")


@pytest.mark.parametrize(
    "options",
    [
        {"context": ""},
        {"context": "a\nb"},
        {"expires": "soon"},
        {"allow": "no such:line :"},
        {"code": True, "allow": "numpy"},
    ],
)
def test_what_makes_no_sense_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(brine.UsageError):
        brine.SignedQueue(**options)


def test_lists_can_depend_on_the_signer(alice: brine.Key, mallory: brine.Key) -> None:
    trust = brine.Trust.of({"alice": alice.public, "mallory": mallory.public})
    allow = {"alice": ["std", "fractions:Fraction"], "mallory": []}
    queue = brine.SignedQueue[Any](ctx=FORK, key=alice, trust=trust, allow=allow)
    queue.put(Fraction(1, 2))
    assert queue.get() == Fraction(1, 2)
    queue.with_key(mallory).put(Fraction(1, 2))
    with pytest.raises(brine.UntrustedError) as caught:
        queue.get()
    assert caught.value.reason == "import-not-allowed"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_functions_are_sent_with_code_alone(method: str) -> None:
    pytest.importorskip("cloudpickle")
    ctx: Any = multiprocessing.get_context(method)
    tasks, results = brine.SignedQueue[Any](ctx=ctx, code=True), brine.SignedQueue[Any](ctx=ctx)
    child = ctx.Process(target=queue_workers.call, args=(tasks, results))
    child.start()
    offset = 10
    tasks.put(lambda: offset + 1)
    assert results.get() == 11
    tasks.put(None)
    child.join()
    with pytest.raises(brine.UsageError) as caught:
        results.put(lambda: 1)
    assert caught.value.reason == "not-picklable"


def test_a_child_that_forks_itself_goes_on_with_numbers_of_its_own() -> None:
    queue = brine.SignedQueue[Any](ctx=FORK)
    queue.put("parent")
    child = os.fork()
    if child == 0:
        queue.put("child")
        queue.close()
        queue.join_thread()
        os._exit(0)
    os.waitpid(child, 0)
    queue.put("parent again")
    assert sorted(queue.get(timeout=5) for _ in range(3)) == ["child", "parent", "parent again"]
    assert queue.missing() == 0


def test_a_fork_while_threads_put_leaves_both_queues_in_order() -> None:
    queue = brine.SignedQueue[Any](ctx=FORK)
    stop = threading.Event()
    sent = 0

    def put_until_stopped() -> None:
        nonlocal sent
        while not stop.is_set():
            queue.put("thread")
            sent += 1

    thread = threading.Thread(target=put_until_stopped)
    thread.start()
    children = []
    for number in range(10):
        child = FORK.Process(target=queue_workers.put_all, args=(queue, [number]))
        child.start()
        children.append(child)
    stop.set()
    thread.join()
    got = [queue.get(timeout=20) for _ in range(sent + len(children))]
    for child in children:
        child.join()
    assert sorted(each for each in got if each != "thread") == list(range(10))
    assert got.count("thread") == sent


def test_control_c_in_get_leaves_the_queue_in_order() -> None:
    queue = brine.SignedQueue[Any](ctx=FORK)
    main = threading.main_thread().ident
    assert main is not None
    ended = threading.Event()

    def interrupt() -> None:
        wait_until(lambda: queue._rlock._semlock._is_zero())
        time.sleep(0.05)
        signal.pthread_kill(main, signal.SIGINT)
        # One that comes right before a call that waits is not seen by that call.
        while not ended.wait(2):
            signal.pthread_kill(main, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        try:
            queue.get()
        finally:
            ended.set()
    thread.join()
    queue.put("after")
    assert queue.get(timeout=5) == "after"


def test_control_c_in_put_on_a_full_queue_leaves_it_in_order() -> None:
    queue = brine.SignedQueue[Any](1, ctx=FORK)
    queue.put("first")
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        queue.put("second")
    timer.join()
    assert queue.get() == "first"
    queue.put("third", timeout=5)
    assert queue.get() == "third"
    assert queue.missing() == 0


def test_large_messages_arrive() -> None:
    queue = brine.SignedQueue[Any](ctx=FORK)
    large = b"x" * (40 << 20)
    queue.put(large)
    queue.put("small")
    assert queue.get() == large
    assert queue.get() == "small"


def test_a_producer_that_dies_in_the_middle_of_a_message_gives_nothing_out() -> None:
    here, there = brine.signed_pipe(duplex=False, ctx=FORK)
    whole = brine.Signer(brine.Key.generate(), context="x").sign_record(b"y" * 1000)
    os.write(there._plain.fileno(), len(whole).to_bytes(4) + whole[:500])
    there.close()
    with pytest.raises(OSError, match="end of file"):
        here.recv()


def test_a_closed_pipe_ends() -> None:
    here, there = brine.signed_pipe(ctx=FORK)
    there.send(1)
    there.close()
    assert here.recv() == 1
    with pytest.raises(EOFError):
        here.recv()
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        here.send(2)
    here.close()
    with pytest.raises(OSError, match="closed"):
        here.send(3)


def test_too_many_bytes_are_not_received() -> None:
    here, there = brine.signed_pipe(duplex=False, ctx=FORK)
    there.send_bytes(b"x" * 100)
    with pytest.raises(OSError, match="bad message length"):
        here.recv_bytes(99)
    assert here.closed


def test_a_queue_tells_no_more_than_so_many_processes_apart(
    alice: brine.Key, trust: brine.Trust
) -> None:
    here, there = brine.signed_pipe(duplex=False, ctx=FORK, key=alice, trust=trust)
    context = there._codec.context
    marks = here._inbox.reception.marks
    marks._words[0] = (len(marks._words) - 3) // 3 - 2

    def put_from_another_process() -> None:
        signer = brine.Signer(alice, context=context, content_type="application/x-python-pickle")
        there._plain.send_bytes(signer.sign_record(pickle.dumps("x")))

    put_from_another_process()
    assert here.recv() == "x"
    put_from_another_process()
    with pytest.raises(brine.UntrustedError) as caught:
        here.recv()
    assert caught.value.reason == "replay-full"


def test_a_queue_leaves_no_thread_and_no_descriptor_behind() -> None:
    brine.SignedQueue[Any](ctx=FORK)
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        queue = brine.SignedQueue[Any](ctx=FORK)
        queue.put(1)
        assert queue.get() == 1
        queue.close()
        queue.join_thread()
        del queue
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) <= before
