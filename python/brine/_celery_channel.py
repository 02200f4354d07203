"""Channels of kombu that give messages as they came, whatever they are: not inflated, and none that ends the worker."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from kombu.compression import decompress
from kombu.transport.virtual import Message as VirtualMessage


def leave_as_it_came(channel: Any) -> None:
    """Have a channel give its messages so."""
    kind = channel.Message
    if not issubclass(kind, _AsItCame):
        base = (_Readable, _AsItCame) if issubclass(kind, VirtualMessage) else (_AsItCame,)
        channel.Message = type("Message", (*base, kind), {})
        if hasattr(channel, "_brpop_read"):
            _read_anything(channel.client)


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
        try:
            super().__init__(payload, channel=channel, **named)  # type: ignore[call-arg]
        except Exception:  # noqa: BLE001
            super().__init__(_wrapped(json.dumps(payload).encode()), channel=channel, **named)  # type: ignore[call-arg]


def _read_anything(client: Any) -> None:
    """Have a client of Redis give messages that kombu can read."""
    parse = client.parse_response

    def parse_response(connection: Any, command: str, **options: Any) -> Any:
        found = parse(connection, command, **options)
        if command == "BRPOP" and found:
            queue, item = found
            try:
                json.loads(item)
            except ValueError:
                return queue, json.dumps(_wrapped(item))
        return found

    client.parse_response = parse_response


def _wrapped(content: bytes) -> dict[str, Any]:
    """Return a message that has something in it that is none."""
    properties = {
        "body_encoding": "base64",
        "delivery_info": {"exchange": "", "routing_key": ""},
        "delivery_tag": str(uuid.uuid4()),
    }
    return {"body": base64.b64encode(content).decode(), "headers": {}, "properties": properties}
