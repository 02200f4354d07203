"""Channels of kombu that give messages as they came, whatever they are: not inflated, and none that ends a process."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from kombu.compression import decompress
from kombu.transport.virtual import Message as VirtualMessage
from kombu.utils.json import loads

REFUSED = "brine.refused"
"""The queue of what was refused."""


def guard_connection(connection: Any) -> Any:
    """Guard all channels that a connection opens, and return the connection."""
    make = connection.channel

    def channel() -> Any:
        return guard_channel(make())

    connection.channel = channel
    return connection


def guard_channel(channel: Any) -> Any:
    """Guard what a channel gives, and return the channel."""
    kind = channel.Message
    if not issubclass(kind, _AsItCame):
        is_virtual = issubclass(kind, VirtualMessage)
        kinds = (_Readable, _AsItCame, kind) if is_virtual else (_AsItCame, kind)
        channel.Message = type("Message", kinds, {})
        # The channels of Redis read JSON before they make a message of it.
        if hasattr(channel, "_brpop_read"):
            _guard_client(channel.client)
    return channel


def as_bytes(body: Any) -> bytes:
    """Return the body of a message, whatever it is."""
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    return (body if isinstance(body, str) else repr(body)).encode("utf-8", "surrogatepass")


class _AsItCame:
    """A message whose body is as it came: what has not verified is not inflated."""

    compression: str | None = None
    body: Any
    _told: dict[str, Any]

    @property
    def headers(self) -> dict[str, Any]:
        return self._told

    @headers.setter
    def headers(self, headers: dict[str, Any]) -> None:
        self.compression = headers.get("compression", self.compression)
        self._told = {name: value for name, value in headers.items() if name != "compression"}

    def inflate(self) -> None:
        """Do what was left: unsigned messages are let through."""
        if self.compression:
            self.body = decompress(self.body, self.compression)


class _Readable:
    """A message of a transport without messages of its own, which may have been put there by anybody."""

    def __init__(self, payload: Any, channel: Any = None, **named: Any) -> None:
        if not _has_form(payload):
            payload = _wrapped(json.dumps(payload, default=repr).encode())
        # Whoever knows the tag of another message would have that one acknowledged with this.
        payload["properties"]["delivery_tag"] = str(uuid.uuid4())
        try:
            super().__init__(payload, channel=channel, **named)  # type: ignore[call-arg]
        except Exception:  # noqa: BLE001
            payload = _wrapped(json.dumps(payload, default=repr).encode())
            super().__init__(payload, channel=channel, **named)  # type: ignore[call-arg]


def _has_form(payload: Any) -> bool:
    """Whether kombu and what comes after it can read a message."""
    if not isinstance(payload, dict) or not isinstance(payload.get("properties"), dict):
        return False
    place = payload["properties"].get("delivery_info")
    return (
        isinstance(payload.get("body"), str)
        and isinstance(payload.get("headers"), dict)
        and isinstance(place, dict)
        and all(isinstance(place.get(name), str) for name in ("exchange", "routing_key"))
    )


def _guard_client(client: Any) -> None:
    """Have a client of Redis give messages that kombu can read."""
    parse = client.parse_response

    def parse_response(connection: Any, command: str, **options: Any) -> Any:
        found = parse(connection, command, **options)
        if command == "BRPOP" and found:
            queue, item = found
            try:
                loads(item.decode() if isinstance(item, bytes) else item)
            except Exception:  # noqa: BLE001
                return queue, json.dumps(_wrapped(item))
        return found

    client.parse_response = parse_response


def _wrapped(content: Any) -> dict[str, Any]:
    """Return a message whose body is something that is no message."""
    properties = {
        "body_encoding": "base64",
        # If it is given back before it was refused, it goes there.
        "delivery_info": {"exchange": "", "routing_key": REFUSED},
        "delivery_tag": str(uuid.uuid4()),
    }
    body = base64.b64encode(as_bytes(content)).decode()
    return {"body": body, "headers": {}, "properties": properties}
