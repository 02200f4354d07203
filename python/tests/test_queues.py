"""Queues between processes, under each way to start them."""

from __future__ import annotations

import multiprocessing
import pickle
import threading
from contextlib import closing
from queue import Empty, Full
from typing import TYPE_CHECKING, Any

import pytest

import brine
import queue_workers

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext


@pytest.fixture(params=["fork", "forkserver", "spawn"])
def ctx(request: pytest.FixtureRequest) -> BaseContext:
    """Start processes in each way."""
    return multiprocessing.get_context(request.param)


@pytest.fixture
def queue() -> Any:
    """Make a queue, and close it."""
    queue = brine.SignedQueue[Any]()
    yield queue
    queue.close()
    queue.join_thread()


def test_objects_reach_another_process_and_come_back(ctx: Any) -> None:
    requests, results = brine.SignedQueue[Any](ctx=ctx), brine.SignedSimpleQueue[Any](ctx=ctx)
    workers = [ctx.Process(target=queue_workers.double, args=(requests, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for number in range(10):
        requests.put(number)
    assert sorted(results.get() for _ in range(10)) == [2 * number for number in range(10)]
    for _ in workers:
        requests.put(None)
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0


def test_join_returns_when_all_is_done(ctx: Any) -> None:
    requests, results = brine.SignedJoinableQueue[Any](ctx=ctx), brine.SignedQueue[Any](ctx=ctx)
    worker = ctx.Process(target=queue_workers.double_and_settle, args=(requests, results))
    worker.start()
    for number in range(5):
        requests.put(number)
    requests.join()
    assert [results.get() for _ in range(5)] == [0, 2, 4, 6, 8]
    requests.put(None)
    requests.join()
    worker.join()
    with pytest.raises(ValueError, match="too many times"):
        requests.task_done()


def test_a_pipe_carries_objects_both_ways(ctx: Any) -> None:
    here, there = brine.signed_pipe(ctx=ctx)
    child = ctx.Process(target=queue_workers.echo, args=(there,))
    child.start()
    for each in ({"a": [1, 2]}, "text", 3.5):
        here.send(each)
        assert here.recv() == each
    here.send(None)
    child.join()
    assert child.exitcode == 0


def test_a_process_without_a_key_cannot_put(ctx: Any) -> None:
    queue, report = brine.SignedQueue[Any](ctx=ctx), brine.SignedSimpleQueue[Any](ctx=ctx)
    child = ctx.Process(target=queue_workers.try_to_put, args=(queue.with_key(None), report))
    child.start()
    assert "no key to sign" in report.get()
    child.join()


def test_what_is_changed_after_put_is_sent_as_it_was(queue: Any) -> None:
    numbers = [1, 2]
    queue.put(numbers)
    numbers.append(3)
    assert queue.get() == [1, 2]


def test_what_cannot_be_pickled_raises_in_put_and_takes_no_place() -> None:
    queue = brine.SignedQueue[Any](1)
    with closing(queue):
        with pytest.raises(Exception, match="pickle|Lock"):
            queue.put(threading.Lock())
        queue.put(1)
        assert queue.get() == 1
        assert queue.missing() == 0


def test_a_full_queue_is_full_and_an_empty_one_empty() -> None:
    queue = brine.SignedQueue[Any](2)
    with closing(queue):
        with pytest.raises(Empty):
            queue.get(timeout=0.01)
        with pytest.raises(Empty):
            queue.get_nowait()
        queue.put(1)
        queue.put(2)
        assert queue.full()
        assert queue.qsize() == 2
        with pytest.raises(Full):
            queue.put(3, timeout=0.01)
        with pytest.raises(Full):
            queue.put_nowait(3)
        assert [queue.get(), queue.get()] == [1, 2]
        assert queue.empty()
        queue.put(4)
        assert queue.get() == 4
        assert queue.missing() == 0


def test_a_closed_queue_takes_and_gives_nothing() -> None:
    queue = brine.SignedQueue[Any]()
    queue.put(1)
    queue.close()
    queue.join_thread()
    with pytest.raises(ValueError, match="closed"):
        queue.put(2)
    with pytest.raises(ValueError, match="closed"):
        queue.get()


@pytest.mark.parametrize(
    "make",
    [
        brine.SignedQueue,
        brine.SignedJoinableQueue,
        brine.SignedSimpleQueue,
        lambda: brine.signed_pipe()[0],
    ],
)
def test_queues_are_pickled_only_for_a_process_that_starts(make: Any) -> None:
    with pytest.raises(RuntimeError, match="inheritance"):
        pickle.dumps(make())


def test_threads_of_one_process_lose_nothing_and_see_nothing_twice(queue: Any) -> None:
    def put(first: int) -> None:
        for number in range(first, first + 50):
            queue.put(number)

    threads = [threading.Thread(target=put, args=(50 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    got = [queue.get() for _ in range(200)]
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(200))
    assert queue.missing() == 0
