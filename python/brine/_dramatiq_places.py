"""Where each broker of Dramatiq keeps what was refused."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from brine._refused_tasks import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME = "brine.refused"
"""The queue in RabbitMQ, and with the namespace before it the list in Redis."""


class StubPlace:
    """A list in memory."""

    def __init__(self, _broker: Any) -> None:
        self._kept: list[Refused] = []

    def keep(self, one: Refused) -> None:
        self._kept.append(one)

    def all(self) -> list[Refused]:
        return list(self._kept)


class RedisPlace:
    """A list beside the queues."""

    def __init__(self, broker: Any) -> None:
        self._client, self._key = broker.client, f"{broker.namespace}:{NAME}"

    def keep(self, one: Refused) -> None:
        self._client.rpush(self._key, one.to_json())

    def all(self) -> list[Refused]:
        return _known(self._client.lrange(self._key, 0, -1))


class RabbitmqPlace:
    """A durable queue, from which nothing expires."""

    def __init__(self, broker: Any) -> None:
        self._parameters = broker.parameters

    def keep(self, one: Refused) -> None:
        import pika

        with pika.BlockingConnection(self._parameters) as connection:
            channel = self._channel(connection)
            # It is on the disk before the message is acknowledged.
            channel.confirm_delivery()
            properties = pika.BasicProperties(delivery_mode=2)
            channel.basic_publish("", NAME, one.to_json(), properties, mandatory=True)

    def all(self) -> list[Refused]:
        import pika

        found: list[bytes] = []
        with pika.BlockingConnection(self._parameters) as connection:
            channel = self._channel(connection)
            # What is not acknowledged goes back when the connection ends.
            while (text := channel.basic_get(NAME)[2]) is not None:
                found.append(text)
        return _known(found)

    def _channel(self, connection: Any) -> Any:
        channel = connection.channel()
        channel.queue_declare(NAME, durable=True)
        return channel


def _known(kept: Iterable[bytes]) -> list[Refused]:
    """Return what was kept. What somebody else has put there is left out."""
    found = []
    for text in kept:
        with suppress(ValueError):
            found.append(Refused.from_json(text))
    return found
