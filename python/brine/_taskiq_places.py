"""Where each broker of taskiq keeps what was refused."""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from typing import TYPE_CHECKING, Any

from brine._refused_tasks import Refused, records

if TYPE_CHECKING:
    from pathlib import Path


def place_of(broker: Any, context: str, path: Path) -> RedisPlace | FilePlace:
    """Return the place of a broker: beside its queue if that is in Redis, and else a file on this host."""
    # A broker of taskiq_redis is only there where that was imported.
    redis = sys.modules.get("taskiq_redis.redis_broker")
    if redis is not None and isinstance(broker, redis.BaseRedisBroker):
        return RedisPlace(broker.connection_pool, f"brine:refused:{context}")
    return FilePlace(path)


class RedisPlace:
    """A hash, which has each message once for each reason."""

    def __init__(self, pool: Any, key: str) -> None:
        self._pool, self._key = pool, key

    async def keep(self, one: Refused) -> bool:
        """Keep it, and tell whether it is new."""
        field = f"{hashlib.sha256(one.content).hexdigest()} {one.reason}"
        async with self._client() as client:
            return bool(await client.hsetnx(self._key, field, one.to_json()))

    async def all(self) -> list[Refused]:
        async with self._client() as client:
            kept = await client.hvals(self._key)
        return records(kept)

    def _client(self) -> Any:
        from redis.asyncio import Redis

        return Redis(connection_pool=self._pool)


class FilePlace:
    """A file with one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def keep(self, one: Refused) -> bool:
        """Keep it. It is always new."""
        # It begins a line, since a disk that was full can have left half of one.
        await asyncio.to_thread(self._append, b"\n" + one.to_json())
        return True

    async def all(self) -> list[Refused]:
        if not self._path.exists():
            return []
        return records(self._path.read_bytes().splitlines())

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if os.write(descriptor, line) != len(line):
                raise OSError(f"{self._path} takes no more")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
