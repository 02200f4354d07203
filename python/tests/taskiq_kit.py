"""Shops with taskiq, in memory and with Redis, signed and not: what tasks did, and what somebody does who can write to the broker."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine

taskiq = pytest.importorskip("taskiq")
taskiq_redis = pytest.importorskip("taskiq_redis")

from redis.asyncio import Redis
from taskiq import Context, InMemoryBroker, SimpleRetryMiddleware, TaskiqDepends, TaskiqMiddleware
from taskiq.abc.serializer import TaskiqSerializer
from taskiq.message import BrokerMessage, TaskiqMessage

import brine.taskiq

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DATABASE = 9


class HmacSerializer(TaskiqSerializer):
    """JSON with an HMAC: what whoever has the secret can write."""

    def dumpb(self, value: Any) -> bytes:
        data = json.dumps(value).encode()
        return hmac.digest(b"secret", data, hashlib.sha256) + data

    def loadb(self, value: bytes) -> Any:
        if not hmac.compare_digest(hmac.digest(b"secret", value[32:], hashlib.sha256), value[:32]):
            raise ValueError("wrong HMAC")
        return json.loads(value[32:])


KINDS: dict[str, TaskiqSerializer | None] = {"unsigned": None, "hmac": HmacSerializer()}


class Shop:
    """A broker in memory, whose messages somebody takes and puts, and what its tasks did."""

    def __init__(self, serializer: TaskiqSerializer | None, signing: dict[str, Any] | None) -> None:
        self.ran: list[Any] = []
        self.deleted: list[int] = []
        self.sent: list[bytes] = []
        self.seen: list[str] = []
        self.attempts = 0
        self.release = asyncio.Event()
        self.broker: Any = InMemoryBroker(await_inplace=True)
        self.broker.add_middlewares(SimpleRetryMiddleware(), Watcher(self))
        if serializer is not None:
            self.broker.with_serializer(serializer)
        if signing is not None:
            brine.taskiq.sign(self.broker, **{"queue": "shop", **signing})
        self._kick = self.broker.kick
        self.broker.kick = self.take
        self._register()

    def _register(self) -> None:
        @self.broker.task(task_name="add")
        async def add(a: Any, b: Any = 0, context: Context = TaskiqDepends()) -> Any:  # noqa: B008
            self.ran.append((a, b, context.message.labels.get("signer", "nobody")))
            return a + b

        @self.broker.task(task_name="delete_user")
        def delete_user(number: int) -> None:
            self.deleted.append(number)

        @self.broker.task(task_name="flaky", retry_on_error=True, max_retries=5)
        async def flaky() -> str:
            self.attempts += 1
            if self.attempts < 3:
                raise ValueError("not yet")
            return "at last"

        @self.broker.task(task_name="slow")
        async def slow() -> None:
            self.attempts += 1
            await asyncio.sleep(60)

        @self.broker.task(task_name="held")
        async def held() -> None:
            self.attempts += 1
            await self.release.wait()

        self.add, self.delete_user, self.flaky = add, delete_user, flaky
        self.slow, self.held = slow, held

    async def take(self, message: BrokerMessage) -> None:
        """Take a message instead of running it."""
        self.sent.append(message.message)

    async def put(self, message: bytes) -> None:
        """Do with a message what a worker does."""
        await self.broker.receiver.callback(message)

    async def work(self) -> None:
        """Run what was sent, and what that sends."""
        while self.sent:
            await self.put(self.sent.pop(0))

    async def reasons(self) -> list[str]:
        """Return why tasks were refused."""
        return [one.reason for one in await brine.taskiq.refused(self.broker)]


class Watcher(TaskiqMiddleware):
    """Notes what it sees."""

    def __init__(self, shop: Shop) -> None:
        super().__init__()
        self._shop = shop

    def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        self._shop.seen.append(message.task_name)
        return message


def plain(kind: str = "unsigned") -> Shop:
    """Return a shop without signatures."""
    return Shop(KINDS[kind], None)


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


MESSAGE: dict[str, Any] = {
    "task_id": "x",
    "task_name": "add",
    "labels": {},
    "labels_types": {},
    "args": [1],
    "kwargs": {},
}


class Store:
    """A broker with results in Redis."""

    def __init__(self, url: str, signing: dict[str, Any] | None) -> None:
        self.redis = Redis.from_url(url)
        results = taskiq_redis.RedisAsyncResultBackend(url)
        self.broker = taskiq_redis.ListQueueBroker(url, queue_name="shop")
        self.broker.with_result_backend(results)
        if signing is not None:
            brine.taskiq.sign(self.broker, **signing)

        @self.broker.task(task_name="add")
        async def add(a: int, b: int = 0) -> int:
            return a + b

        @self.broker.task(task_name="wrong")
        async def wrong() -> None:
            raise ValueError("this is wrong")

        self.add, self.wrong = add, wrong

    async def work(self) -> None:
        """Do what a worker does, until nothing is queued."""
        receiver = taskiq.receiver.Receiver(self.broker, max_async_tasks=1)
        while message := await self.redis.rpop("shop"):
            await receiver.callback(message)


@asynccontextmanager
async def store(url: str, signing: dict[str, Any] | None) -> AsyncIterator[Store]:
    """Begin with a database that is empty."""
    made = Store(url, signing)
    await made.broker.startup()
    await made.redis.flushdb()
    try:
        yield made
    finally:
        await made.broker.shutdown()
        await made.redis.aclose()
