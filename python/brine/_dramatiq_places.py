"""Where each broker of Dramatiq keeps what was refused."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from brine._refused_tasks import Refused, records

NAME = "brine.refused"
"""The queue in RabbitMQ, and with the namespace before it the list in Redis."""

LONGEST_MESSAGE = 1000
"""How many characters of the message of a refusal RabbitMQ keeps."""


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
        return records(self._client.lrange(self._key, 0, -1))


class RabbitmqPlace:
    """A durable queue, from which nothing expires. Bodies are as they were refused, so that none is too long for the server."""

    def __init__(self, broker: Any) -> None:
        self._parameters = broker.parameters

    def keep(self, one: Refused) -> None:
        import pika

        # All headers together have to fit a frame, and a message can tell what an envelope says.
        message = one.message[:LONGEST_MESSAGE]
        headers = {"reason": one.reason, "message": message, "place": one.place}
        headers["at"] = one.at.isoformat()
        with pika.BlockingConnection(self._parameters) as connection:
            channel = self._channel(connection)
            # It is on the disk before the message is acknowledged.
            channel.confirm_delivery()
            properties = pika.BasicProperties(delivery_mode=2, headers=headers)
            channel.basic_publish("", NAME, one.content, properties, mandatory=True)

    def all(self) -> list[Refused]:
        import pika

        found = []
        with pika.BlockingConnection(self._parameters) as connection:
            channel = self._channel(connection)
            # What is not acknowledged goes back when the connection ends.
            while (got := channel.basic_get(NAME))[0] is not None:
                _, properties, content = got
                with suppress(*_NOT_KEPT):
                    told = dict(properties.headers)
                    at = datetime.fromisoformat(told["at"]).astimezone(UTC)
                    found.append(
                        Refused(told["reason"], told["message"], at, content, told["place"])
                    )
        return found

    def _channel(self, connection: Any) -> Any:
        channel = connection.channel()
        channel.queue_declare(NAME, durable=True)
        return channel


_NOT_KEPT = (ArithmeticError, LookupError, TypeError, ValueError)
"""What is raised for what somebody else has put there. It is left out."""
