"""Shops with arq, on a server, signed and not: what jobs did, and what somebody does who can write to Redis."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import pickle
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine

arq = pytest.importorskip("arq")

from arq.connections import RedisSettings
from arq.constants import job_key_prefix
from arq.worker import Retry, Worker, func

import brine.arq

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DATABASE = 7
"""Other tests have others on the same server."""


def hmac_of(data: bytes) -> bytes:
    """Return what whoever has the secret knows."""
    return hmac.digest(b"secret", data, hashlib.sha256)


def hmac_dumps(job: Any) -> bytes:
    """Serialize a job with an HMAC."""
    data = pickle.dumps(job)
    return hmac_of(data) + data


def hmac_loads(data: bytes) -> Any:
    """Verify an HMAC, and load the job."""
    if not hmac.compare_digest(hmac_of(data[32:]), data[:32]):
        raise ValueError("wrong HMAC")
    return pickle.loads(data[32:])


KINDS: dict[str, dict[str, Any]] = {
    "unsigned": {},
    "hmac": {"job_serializer": hmac_dumps, "job_deserializer": hmac_loads},
}
"""arq without signatures: as it is, and with the best serializer of a secret."""


class Shop:
    """A pool, functions, and what they did."""

    def __init__(
        self, port: int, queue: str, options: dict[str, Any], signing: dict[str, Any] | None
    ) -> None:
        self.ran: list[Any] = []
        self.deleted: list[int] = []
        self.queue, self._options, self._signing = queue, options, signing
        self.place = RedisSettings(port=port, database=DATABASE)
        self.pool: Any = None
        self.attempts = 0

    async def connect(self) -> None:
        """Make the pool."""
        self.pool = await arq.create_pool(
            self.place, default_queue_name=self.queue, **self._options
        )
        if self._signing is not None:
            brine.arq.sign(self.pool, **self._signing)

    def settings(self, **more: Any) -> dict[str, Any]:
        """Return the settings of a worker."""

        async def add(ctx: dict[str, Any], a: Any, b: Any = 0) -> Any:
            self.ran.append((a, b, ctx.get("signer", "nobody")))
            return a + b

        async def delete_user(_ctx: dict[str, Any], number: int) -> None:
            self.deleted.append(number)

        async def flaky(_ctx: dict[str, Any]) -> str:
            self.attempts += 1
            if self.attempts < 3:
                raise Retry
            return "at last"

        async def slow(_ctx: dict[str, Any]) -> None:
            self.attempts += 1
            await asyncio.sleep(60)

        made = {
            "functions": [func(one, name=one.__name__) for one in (add, delete_user, flaky, slow)],
            "queue_name": self.queue,
            "redis_settings": self.place,
            "burst": True,
            "poll_delay": 0.01,
            "handle_signals": False,
            **self._options,
            **more,
        }
        return made if self._signing is None else brine.arq.sign(made, **self._signing)

    async def work(self, **more: Any) -> None:
        """Do what there is."""
        worker = Worker(**self.settings(**more))
        await worker.async_run()
        await worker.close()

    async def put(self, job_id: str, value: bytes, score: int = 1) -> None:
        """Queue a value, as somebody does who can write to Redis."""
        await self.raw.set(job_key_prefix + job_id, value)
        await self.raw.zadd(self.queue, {job_id: score})

    async def taken(self, job_id: str) -> bytes:
        """Take what is queued."""
        value: bytes = await self.raw.getdel(job_key_prefix + job_id)
        await self.raw.zrem(self.queue, job_id)
        return value

    @property
    def raw(self) -> Any:
        """Redis, as somebody has it who can write to it."""
        return arq.ArqRedis(self.pool.connection_pool)

    async def reasons(self) -> list[str]:
        """Return why jobs were refused."""
        return [one.reason for one in await brine.arq.refused(self.pool)]


class Shops:
    """Makes shops on one server, and closes them."""

    def __init__(self, port: int, signing: dict[str, Any]) -> None:
        self._port, self._signing = port, signing
        self._made: list[Shop] = []

    async def signed(self, queue: str = "shop", **signing: Any) -> Shop:
        """Return a shop whose jobs alice signs."""
        return await self._connected(Shop(self._port, queue, {}, {**self._signing, **signing}))

    async def plain(self, kind: str = "unsigned", queue: str = "shop") -> Shop:
        """Return a shop without signatures."""
        return await self._connected(Shop(self._port, queue, KINDS[kind], None))

    async def _connected(self, shop: Shop) -> Shop:
        await shop.connect()
        self._made.append(shop)
        return shop

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Shops]:
        """Begin with a server that is empty."""
        first = await self.plain()
        await first.raw.flushdb()
        try:
            yield self
        finally:
            for shop in self._made:
                await shop.pool.aclose()


Scene = "Callable[[Callable[[Shops], Awaitable[None]]], None]"


class Evil:
    """Runs a command when it is loaded."""

    def __reduce__(self) -> Any:
        return (Path.touch, (Path("ran"),))


JOB = {"t": None, "f": "add", "a": (1,), "k": {}, "et": 1, "id": "x", "eta": None}
