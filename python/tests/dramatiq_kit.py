"""Shops on each broker of Dramatiq: actors, what they did, and what somebody does who can read and write the store."""

from __future__ import annotations

import logging
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("dramatiq")

import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.common import dq_name
from dramatiq.middleware import CurrentMessage
from dramatiq.results import Results
from dramatiq.results.backends import StubBackend

import brine.dramatiq
from conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BROKERS = ["stub", "redis", "rabbitmq"]


class Shop:
    """Actors on a broker, and what they did."""

    def __init__(self, broker: Any, queue: str = "shop") -> None:
        self.broker, self.queue = broker, queue
        self.ran: list[Any] = []
        self.deleted: list[int] = []
        self.done: list[Any] = []
        self.numbers: dict[bytes, bytes] = {}
        self.backend = next(one.backend for one in broker.middleware if isinstance(one, Results))
        named = {"broker": broker, "queue_name": queue}

        @dramatiq.actor(**named, store_results=True, max_retries=0)
        def add(a: Any, b: Any = 0) -> Any:
            message = CurrentMessage.get_current_message()
            self.ran.append((a, b, getattr(message, "signer", "nobody")))
            return a + b

        @dramatiq.actor(**named)
        def delete_user(number: int) -> None:
            self.deleted.append(number)

        @dramatiq.actor(**named, store_results=True, max_retries=2, min_backoff=1, max_backoff=2)
        def flaky() -> str:
            message = CurrentMessage.get_current_message()
            self.ran.append(("flaky", getattr(message, "signer", "nobody")))
            if len(self.ran) < 3:
                raise ValueError("not yet")
            return "at last"

        @dramatiq.actor(**named)
        def note(data: Any, told: Any = None) -> None:
            self.done.append((data["actor_name"] if isinstance(data, dict) else data, told))

        self.add, self.delete_user, self.flaky, self.note = add, delete_user, flaky, note

    @contextmanager
    def at_work(self, threads: int = 2) -> Iterator[Any]:
        """Have a worker at work, which is stopped at the end."""
        worker = dramatiq.Worker(self.broker, worker_timeout=50, worker_threads=threads)
        worker.start()
        try:
            yield worker
        finally:
            worker.stop()

    def result(self, message: Any) -> Any:
        """Wait for a result."""
        return message.get_result(backend=self.backend, block=True, timeout=20_000)

    def work(self, ran: int = 0, refused: int = 0) -> None:
        """Work until so many tasks ran and so many messages were refused, and then until one more task was done."""
        with self.at_work():
            wait_until(lambda: len(self.ran) >= ran and len(self.reasons()) >= refused)
            # What came before it has begun by then.
            self.note.send("end")
            wait_until(lambda: ("end", None) in self.done)
            wait_until(lambda: len(self.ran) >= ran and len(self.reasons()) >= refused)

    def reasons(self) -> list[str]:
        """Return why messages were refused."""
        if not hasattr(self.broker, "_brine"):
            return []
        return [one.reason for one in brine.dramatiq.refused(self.broker)]

    @property
    def kind(self) -> str:
        """The kind of the broker."""
        return next(kind for kind in BROKERS if kind in type(self.broker).__name__.lower())

    def queued(self, *, is_delayed: bool = False) -> bytes:
        """Take the message that is queued."""
        name = dq_name(self.queue) if is_delayed else self.queue
        return getattr(self, f"_take_{self.kind}")(name)

    def put(self, data: bytes, *, is_delayed: bool = False) -> None:
        """Put a message into the queue."""
        name = dq_name(self.queue) if is_delayed else self.queue
        getattr(self, f"_put_{self.kind}")(name, data)

    def _take_stub(self, name: str) -> bytes:
        data = self.broker.queues[name].get_nowait()
        self.broker.queues[name].task_done()
        return bytes(data)

    def _put_stub(self, name: str, data: bytes) -> None:
        self.broker.queues[name].put(data)

    def _take_redis(self, name: str) -> bytes:
        client, key = self.broker.client, f"{self.broker.namespace}:{name}"
        number = client.lpop(key)
        data = bytes(client.hget(f"{key}.msgs", number))
        client.hdel(f"{key}.msgs", number)
        self.numbers[data] = number
        return data

    def _put_redis(self, name: str, data: bytes) -> None:
        client, key = self.broker.client, f"{self.broker.namespace}:{name}"
        number = self.numbers.get(data) or secrets.token_hex(4)
        client.hset(f"{key}.msgs", number, data)
        client.rpush(key, number)

    def _take_rabbitmq(self, name: str) -> bytes:
        found: list[bytes] = []

        def is_there() -> bool:
            data = self.broker.channel.basic_get(name, auto_ack=True)[2]
            found.extend([] if data is None else [data])
            return data is not None

        wait_until(is_there)
        return found[0]

    def _put_rabbitmq(self, name: str, data: bytes) -> None:
        self.broker.declare_queue(self.queue, ensure=True)
        self.broker.channel.basic_publish("", name, data)

    def left(self) -> int:
        """Return how many messages are in the queues of the server, and taken from them."""
        if self.kind == "redis":
            return int(self.broker.do_qsize(self.queue))
        if self.kind == "rabbitmq":
            return sum(self.broker.get_queue_message_counts(self.queue)[:2])
        names = [self.queue, dq_name(self.queue)]
        return sum(self.broker.queues[name].unfinished_tasks for name in names)


def signing(**given: Any) -> Callable[..., Shop]:
    """Return what signs a broker, in memory unless told, and opens a shop on it."""

    def sign(made: Any = None, queue: str = "shop", **options: Any) -> Shop:
        broker = made or with_results(StubBroker())
        return Shop(brine.dramatiq.sign(broker, **{"expires": "1d", **given, **options}), queue)

    return sign


def about(message: Any) -> bytes:
    """Return what the result of a message is signed with."""
    return f"result of {message.message_id}".encode()


def with_results(broker: Any, backend: Any = None) -> Any:
    """Give a broker results, in memory unless told, and the current message."""
    if backend is None:
        backend = StubBackend()
        backend.results = {}
    broker.add_middleware(Results(backend=backend))
    broker.add_middleware(CurrentMessage())
    return broker


def broker_of(kind: str, servers: Callable[[str], Any]) -> Any:
    """Return a broker, on a server where it needs one."""
    if kind == "stub":
        return with_results(StubBroker(fail_fast_default=False))
    if kind == "redis":
        pytest.importorskip("redis")
        from dramatiq.brokers.redis import RedisBroker
        from dramatiq.results.backends.redis import RedisBackend

        port, name = servers("redis").start_of.port, f"shop-{secrets.token_hex(4)}"
        broker = RedisBroker(host="127.0.0.1", port=port, namespace=name)
        return with_results(broker, RedisBackend(client=broker.client, namespace=f"{name}-results"))
    pytest.importorskip("pika")
    from dramatiq.brokers.rabbitmq import RabbitmqBroker

    broker = RabbitmqBroker(host="127.0.0.1", port=servers("amqp").start_of.port)
    broker.channel.queue_declare("brine.refused", durable=True)
    broker.channel.queue_purge("brine.refused")
    return with_results(broker)


logging.getLogger("pika").setLevel(logging.CRITICAL)
