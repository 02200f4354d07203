"""Queues whose processes are killed, wherever they are."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing import queues as plain_queues
from typing import Any

import pytest

import brine
from queue_soak import Options, run

FORK = multiprocessing.get_context("fork")
OPTIONS = Options(messages=1600, rounds=1, kills=16, attacks=16)


def kill_oneself(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def look_and_die(queue: Any) -> None:
    """Be killed when the message has verified, and before it is taken out."""
    queue._messages.take = kill_oneself
    queue.get()


def read_length_and_die(queue: Any) -> None:
    """Be killed in the middle of reading, as it happens to the standard queue."""
    queue._rlock.acquire()
    os.read(queue._reader.fileno(), 4)
    kill_oneself()


def killed(work: Any, queue: Any) -> None:
    """Let a process be killed while it holds the lock of all readers, and free that."""
    child = FORK.Process(target=work, args=(queue,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    queue._rlock.release()


def test_a_consumer_killed_in_the_middle_leaves_whole_messages() -> None:
    queue = brine.SignedQueue[Any](ctx=FORK)
    queue.put("first")
    queue.put("second")
    killed(look_and_die, queue)
    assert [queue.get(timeout=5), queue.get(timeout=5)] == ["first", "second"]
    assert queue.missing() == 0

    plain = plain_queues.Queue(ctx=FORK)
    plain.put("first")
    killed(read_length_and_die, plain)
    with pytest.raises(EOFError):
        plain.get(timeout=5)


@pytest.mark.parametrize("around", [3800, 4096, 65300, 65536])
def test_messages_of_any_length_arrive(around: int) -> None:
    queue = brine.SignedQueue[Any](ctx=FORK)
    lengths = range(around - 320, around + 32, 11)
    for length in lengths:
        queue.put(b"x" * length)
    assert [len(queue.get(timeout=10)) for _ in lengths] == list(lengths)


def test_consumers_killed_at_random_lose_one_message_each_at_most() -> None:
    counts = run(OPTIONS, signed=True)
    assert counts.kills == OPTIONS.kills
    assert (counts.twice, counts.forged, counts.broken_rounds) == (0, 0, 0)
    assert counts.lost <= counts.kills
    assert counts.refused["replayed"] + counts.refused["unknown"] > 0
    assert set(counts.refused) <= {"replayed", "unknown"}


def test_the_plain_queue_gives_out_what_is_forged_and_repeated() -> None:
    counts = run(OPTIONS, signed=False)
    assert counts.twice > 0
    assert counts.forged > 0
