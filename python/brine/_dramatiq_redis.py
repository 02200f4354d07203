"""Messages of Dramatiq in Redis, which lie under ids of their own."""

from __future__ import annotations

from typing import Any

from brine._dramatiq_consumer import SignedConsumer
from brine._dramatiq_messages import REDIS_ID
from brine._errors import InputOutputError, UsageError


class SignedRedisConsumer(SignedConsumer):
    """Gives out messages that lie under the ids that are signed in them, by which Dramatiq removes them, and finds the others."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        root = self._broker.namespace
        self._acks = f"{root}:__acks__.{self._broker.broker_id}.{self._queue}"
        self._place = f"{root}:{self._queue}.msgs"
        self._fetched: Any = None
        self._ids: set[str] = set()
        self._new: set[str] = set()
        self._given_out: set[str] = set()
        self._by_data: dict[bytes, list[str]] | None = None

    def check(self, fields: dict[str, Any]) -> None:
        self._look()
        own = fields["options"].get(REDIS_ID)
        if own not in self._new:
            raise UsageError(
                "it does not lie under its id, or was taken already", reason="task-place"
            )
        self._new.remove(own)
        self._given_out.add(own)

    def ack(self, message: Any) -> None:
        self._given_out.discard(message.options.get(REDIS_ID))
        super().ack(message)

    def nack(self, message: Any) -> None:
        if not message.is_waiting:
            self._given_out.discard(message.options.get(REDIS_ID))
        super().nack(message)

    def remove(self, message: Any) -> None:
        if message.opened is not None:
            super().remove(message)
            return
        # One with the same content that lies under its id, and was given out, is left alone.
        for one in self._ids_of(message.data):
            if one not in self._given_out:
                message.options[REDIS_ID] = one
                super().remove(message)
        self.inner.queued_message_ids.discard(message.message_id)

    def _look(self) -> None:
        """Ask once for all that was fetched under which ids it lies."""
        if self._fetched is self.inner.message_cache:
            return
        from redis import RedisError

        try:
            names = self._broker.client.smembers(self._acks)
        except RedisError as error:
            raise InputOutputError(str(error), reason="redis") from error
        self._ids = {_text(name) for name in names}
        self._new = self._ids - self._given_out
        self._by_data = None
        self._fetched = self.inner.message_cache

    def _ids_of(self, data: bytes) -> list[str]:
        self._look()
        if self._by_data is None:
            self._by_data = {}
            names = list(self._ids)
            lie = self._broker.client.hmget(self._place, names) if names else []
            for name, found in zip(names, lie, strict=True):
                self._by_data.setdefault(found, []).append(name)
        return self._by_data.pop(data, [])


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
