"""Time messages through queues between two processes: ``scripts/bench-queue`` starts it."""

from __future__ import annotations

import importlib
import multiprocessing
import pickle
import resource
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import brine

if TYPE_CHECKING:
    from collections.abc import Callable

CTX: Any = multiprocessing.get_context("fork")

SMALL = {"id": 7, "task": "resize", "args": [640, 480], "when": 1764403200.0}
LARGE = {"id": 7, "data": bytes(range(256)) * 40}


class Wrapped:
    """The standard queue, with a serializer of somebody else around each object."""

    def __init__(self, dumps: Callable[[Any], Any], loads: Callable[[Any], Any]) -> None:
        self.queue = CTX.Queue()
        self.dumps, self.loads = dumps, loads

    def put(self, obj: object) -> None:
        self.queue.put(self.dumps(obj))

    def get(self) -> Any:
        return self.loads(self.queue.get())


def signed() -> Any:
    return brine.SignedQueue[Any](ctx=CTX)


def plain() -> Any:
    return CTX.Queue()


def itsdangerous() -> Any:
    serializer = importlib.import_module("itsdangerous").Serializer("k" * 32, serializer=pickle)
    return Wrapped(serializer.dumps, serializer.loads)


def huey() -> Any:
    serializer = importlib.import_module("huey.serializer").SignedSerializer(secret="k" * 32)
    return Wrapped(serializer.serialize, serializer.deserialize)


QUEUES: dict[str, Callable[[], Any]] = {
    "multiprocessing.Queue": plain,
    "brine.SignedQueue": signed,
    "itsdangerous": itsdangerous,
    "huey": huey,
}


def produce(queue: Any, obj: object, count: int) -> None:
    for _ in range(count):
        queue.put(obj)


def processor_seconds() -> float:
    """Return what this process and those that have ended have used of the processor."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure(make: Callable[[], Any], obj: object, count: int) -> tuple[float, float]:
    """Return how many messages a second go from one process to another, and the processor time of each in µs."""
    queue = make()
    used = processor_seconds()
    producer = CTX.Process(target=produce, args=(queue, obj, count + 1))
    producer.start()
    queue.get()
    begin = time.perf_counter()
    for _ in range(count):
        queue.get()
    seconds = time.perf_counter() - begin
    producer.join()
    return count / seconds, (processor_seconds() - used) / count * 1e6


def main(count: int = 4000, runs: int = 7) -> None:
    """Print a line for each queue and size."""
    for size, obj in (("small dict", SMALL), ("10 KiB", LARGE)):
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in QUEUES}
        for _ in range(runs):
            for name, make in QUEUES.items():
                found[name].append(measure(make, obj, count))
        ours = statistics.median(rate for rate, _ in found["brine.SignedQueue"])
        for name, each in found.items():
            rate, used = (statistics.median(column) for column in zip(*each, strict=True))
            print(
                f"{size:10} {name:21} {rate:8.0f} messages/s, {rate / ours:5.2f} of brine, "
                f"{used:5.0f} µs of processor time"
            )


if __name__ == "__main__":
    main(*(int(each) for each in sys.argv[1:]))
