"""What tests of RQ share: tasks, a shop with a queue and a worker, and what its messages look like."""

from __future__ import annotations

import hmac
import os
import pickle
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rq
from rq.registry import StartedJobRegistry
from rq.timeouts import TimerDeathPenalty

import brine
import brine.rq
from conftest import trust_for

if TYPE_CHECKING:
    from collections.abc import Callable


def note(text: str) -> int:
    """Note what was done where the job came from, and return how often."""
    job = rq.get_current_job()
    job.connection.rpush("ran", text)
    return int(job.connection.lrange("ran", 0, -1).count(text.encode()))


def add(a: Any, b: Any = 0) -> Any:
    """Add."""
    note(f"add {a} {b} for {getattr(rq.get_current_job(), 'signer', 'nobody')}")
    return a + b


def delete_user(number: int) -> None:
    """Do what nobody asked for."""
    note(f"delete_user {number}")


def flaky(times: int) -> str:
    """Fail some times."""
    if note("flaky") <= times:
        raise ValueError("not yet")
    return "at last"


def again(times: int) -> Any:
    """Ask to be run again some times."""
    return rq.Retry(max=times) if note("again") <= times else "done"


def remember(key: str) -> Any:
    """Change the meta of the job that runs."""
    job = rq.get_current_job()
    job.meta[key] = job.meta.get(key, 0) + 1
    job.timeout, job.enqueue_at_front = 7, True
    job.save()
    job.save_meta()
    return job.get_meta()[key]


def wait_for(key: str, seconds: float = 60) -> None:
    """Wait until a key is there."""
    connection = rq.get_current_job().connection
    note("waits")
    end = time.monotonic() + seconds
    while not connection.exists(key) and time.monotonic() < end:
        time.sleep(0.01)


def note_number(number: int) -> None:
    """Note in a file that a job ran."""
    with Path(os.environ["BRINE_RAN"]).open("a") as file:
        file.write(f"{number}\n")


def die() -> None:
    """End the process that does this, as a machine without power ends it."""
    note("dies")
    os.kill(os.getpid(), signal.SIGKILL)


def called_back(job: Any, connection: Any, *_: Any) -> None:
    """Note that a callback was called."""
    connection.rpush("ran", f"called back for {job.origin}")


def two_shops(connection: Any, alice: brine.Key, mallory: brine.Key, seen: Path) -> Any:
    """Make a shop of alice's, and one of mallory's, who is trusted for the queue ``other`` alone."""
    trust = trust_for(
        ("alice", alice, ["rq:shop", "rq:shop:results"]),
        ("mallory", mallory, ["rq:other", "rq:other:results"]),
    )
    given = {"trust": trust, "expires": "1d", "replay_db": seen}
    return (
        Shop(connection, brine.rq.sign(key=alice, **given)),
        Shop(connection, brine.rq.sign(key=mallory, **given), "other"),
    )


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


class HmacSerializer:
    """A serializer that signs as well as a serializer can."""

    @staticmethod
    def dumps(value: Any) -> bytes:
        """Pickle and sign."""
        data = pickle.dumps(value)
        return hmac.digest(b"secret", data, "sha256") + data

    @staticmethod
    def loads(data: bytes) -> Any:
        """Verify and load."""
        if not hmac.compare_digest(data[:32], hmac.digest(b"secret", data[32:], "sha256")):
            raise ValueError("not signed")
        return pickle.loads(data[32:])


class Plain:
    """RQ as it is, with a serializer of its choice."""

    def __init__(self, serializer: Any = None) -> None:
        self.serializer = serializer

    def Queue(self, name: str, connection: Any) -> Any:
        """Make a queue."""
        return rq.Queue(name, connection=connection, serializer=self.serializer)

    def SimpleWorker(self, queues: Any, **options: Any) -> Any:
        """Make a worker."""
        return rq.SimpleWorker(queues, serializer=self.serializer, **options)

    @property
    def Job(self) -> Any:
        """Return the class of jobs."""
        return rq.job.Job


class Shop:
    """A queue, what was done for it, and a worker that does what there is."""

    def __init__(self, connection: Any, kind: Any, name: str = "shop") -> None:
        self.connection, self.kind, self.name = connection, kind, name
        self.queue = kind.Queue(name, connection=connection)

    def worker(self, **options: Any) -> Any:
        """Return a worker that runs jobs in this thread, and leaves the signals of the process alone."""
        made = self.kind.SimpleWorker([self.queue], connection=self.connection, **options)
        made.death_penalty_class = TimerDeathPenalty
        made._install_signal_handlers = lambda: None
        return made

    def work(self, **options: Any) -> None:
        """Do what is due."""
        worker = self.worker()
        # Commands are for workers that stay.
        worker.subscribe = lambda: None
        worker.work(burst=True, logging_level="CRITICAL", **options)

    @property
    def ran(self) -> list[str]:
        """Return what was done."""
        return [line.decode() for line in self.connection.lrange("ran", 0, -1)]

    def reasons(self) -> list[str]:
        """Return why jobs and messages were refused."""
        return [one.reason for one in brine.rq.refused(self.connection)]

    def forge(self, job: Any, **fields: Any) -> None:
        """Change fields of a job in Redis."""
        self.connection.hset(job.key, mapping=fields)

    def push(self, job_id: str | bytes) -> None:
        """Put a job into the queue, as somebody does who can write to Redis."""
        self.connection.rpush(self.queue.key, job_id)

    def fake_a_crash(self, job: Any) -> None:
        """Have a job look as if its worker were lost while it ran."""
        self.connection.hset(job.key, "status", "started")
        self.connection.zadd(StartedJobRegistry(self.name, self.connection).key, {f"{job.id}:x": 1})

    def let_time_pass(self) -> None:
        """Have what lost workers left behind look as it does some minutes later."""
        queue = self.queue
        for entry in self.connection.zrange(queue.started_job_registry.key, 0, -1):
            self.connection.zadd(queue.started_job_registry.key, {entry: 1})
        for name in queue.intermediate_queue.get_job_ids():
            self.connection.set(queue.intermediate_queue.get_first_seen_key(name), 1)
        self.connection.delete(queue.registry_cleaning_key)


def stored(shop: Shop, job: Any) -> dict[str, bytes]:
    """Return the hash of a job."""
    return {key.decode(): value for key, value in shop.connection.hgetall(job.key).items()}


ATTEMPTS: dict[str, Callable[[], Plain]] = {
    "unsigned": Plain,
    "hmac": lambda: Plain(HmacSerializer),
}
"""What attacks succeed on."""
