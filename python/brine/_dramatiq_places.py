"""Where each broker of Dramatiq keeps what was refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from brine._refused import parsed

if TYPE_CHECKING:
    from brine._refused import Refused

NAME = "brine.refused"
"""The queue in RabbitMQ, and with the namespace before it the list in Redis."""


class StubPlace:
    """A list in memory."""

    def __init__(self, _broker: Any) -> None:
        self._kept: list[bytes] = []

    def keep(self, told: bytes) -> None:
        self._kept.append(told)

    def all(self) -> list[Refused]:
        return [parsed(text) for text in self._kept]


class RedisPlace:
    """A list beside the queues."""

    def __init__(self, broker: Any) -> None:
        self._client, self._key = broker.client, f"{broker.namespace}:{NAME}"

    def keep(self, told: bytes) -> None:
        self._client.rpush(self._key, told)

    def all(self) -> list[Refused]:
        return [parsed(text) for text in self._client.lrange(self._key, 0, -1)]


class RabbitmqPlace:
    """A durable queue, from which nothing expires."""

    def __init__(self, broker: Any) -> None:
        self._parameters = broker.parameters

    def keep(self, told: bytes) -> None:
        import pika

        with pika.BlockingConnection(self._parameters) as connection:
            channel = self._channel(connection)
            # It is on the disk before the message is acknowledged.
            channel.confirm_delivery()
            properties = pika.BasicProperties(delivery_mode=2)
            channel.basic_publish("", NAME, told, properties, mandatory=True)

    def all(self) -> list[Refused]:
        import pika

        found = []
        with pika.BlockingConnection(self._parameters) as connection:
            channel = self._channel(connection)
            # What is not acknowledged goes back when the connection ends.
            while (text := channel.basic_get(NAME)[2]) is not None:
                found.append(parsed(text))
        return found

    def _channel(self, connection: Any) -> Any:
        channel = connection.channel()
        channel.queue_declare(NAME, durable=True)
        return channel
