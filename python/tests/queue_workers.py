"""What the processes do that tests of queues start: other start methods find it by its name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import brine


def double(requests: brine.SignedQueue[int | None], results: brine.SignedQueue[int] | Any) -> None:
    """Put twice of each number that arrives, until None arrives."""
    while (number := requests.get()) is not None:
        results.put(2 * number)


def double_and_settle(requests: brine.SignedJoinableQueue[int | None], results: Any) -> None:
    """Do the same, and note that each is done."""
    while (number := requests.get()) is not None:
        results.put(2 * number)
        requests.task_done()
    requests.task_done()


def put_all(queue: Any, objects: list[Any]) -> None:
    """Put objects into a queue."""
    for each in objects:
        queue.put(each)


def put_signed_as(queue: Any, key: str, home: str, objects: list[Any]) -> None:
    """Put objects that a key from this process's home has signed."""
    os.environ["BRINE_HOME"] = home
    put_all(queue.with_key(key), objects)


def echo(end: brine.SignedConnection) -> None:
    """Send back what arrives, until None arrives."""
    while (received := end.recv()) is not None:
        end.send(received)


def try_to_put(queue: Any, report: Any) -> None:
    """Report what a put says in this process."""
    try:
        queue.put("x")
    except Exception as error:  # noqa: BLE001
        report.put(str(error))
    else:
        report.put("put")


def call(tasks: Any, results: Any) -> None:
    """Call each function that arrives, until None arrives."""
    while (task := tasks.get()) is not None:
        results.put(task())
