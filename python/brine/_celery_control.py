"""Control commands of Celery, signed, fresh, and obeyed once by each worker."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from celery.utils.imports import symbol_by_name

from brine._celery_backend import Codec
from brine._celery_channel import guard_channel
from brine._celery_messages import CONTENT_TYPE
from brine._errors import ReplayedError
from brine._refused_tasks import logger

if TYPE_CHECKING:
    from brine._brine import Verified
    from brine._celery_messages import CelerySignatures

COMMAND = b"command"
REPLY = b"reply"

LEEWAY_SECONDS = 120
"""More than what has expired is taken for, on a host whose clock differs."""


def signed_control(kind: Any, signatures: CelerySignatures) -> type[Any]:
    """Return the class of an app for control commands, which signs them and the answers."""
    base: Any = symbol_by_name(kind)
    mailbox = type("SignedMailbox", (_SignedMailbox, base.Mailbox), {"signatures": signatures})
    return type("SignedControl", (base,), {"Mailbox": mailbox})


class _SignedMailbox:
    signatures: CelerySignatures
    node_cls: Any
    commands: Codec

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        made: Any = self
        given = made.serializer, made.accept
        made.commands = Codec(self.signatures, self.signatures.control, COMMAND, *given, _Once())
        made.replies = Codec(self.signatures, self.signatures.replies, REPLY, *given)
        made.serializer, made.accept = made.commands.name, [CONTENT_TYPE]
        made.node_cls = type("SignedNode", (_SignedNode, made.node_cls), {})

    def _publish_reply(self, *arguments: Any, **named: Any) -> Any:
        made: Any = self
        named["serializer"] = made.replies.name
        return super()._publish_reply(*arguments, **named)  # type: ignore[misc]

    def _collect(self, *arguments: Any, callback: Any = None, **named: Any) -> Any:
        made: Any = self
        named["channel"] = guard_channel(named.get("channel") or made.connection.default_channel)
        found = super()._collect(*arguments, **named)  # type: ignore[misc]
        answers = [answer for one in found if (answer := self._opened(one)) is not None]
        for answer in answers if callback else []:
            callback(answer)
        return answers

    def _opened(self, envelope: Any) -> Any:
        made: Any = self
        try:
            return made.replies.decode(envelope)
        except Exception as error:  # noqa: BLE001
            logger.error("refused an answer to a command: %s", error)
            return None


class _SignedNode:
    mailbox: Any
    state: Any

    def handle_message(self, body: Any, message: Any = None) -> Any:
        try:
            command = self.mailbox.commands.decode(body)
        except Exception as error:  # noqa: BLE001
            # Raising would have the worker listen anew, and miss what is said meanwhile.
            return self.state.consumer.keep(message, error)
        return super().handle_message(command, message)  # type: ignore[misc]


class _Once:
    """Refuses a command that was obeyed before, by this process or by one that is no more.

    A command goes to every worker, and so each remembers for itself. What was signed before it began, an earlier one may
    have obeyed.
    """

    def __init__(self) -> None:
        self._began = time.time()
        self._seen: dict[bytes, float] = {}

    def __call__(self, verified: Verified, at: float) -> None:
        now = time.time()
        self._seen = {name: end for name, end in self._seen.items() if end > now}
        if at <= self._began:
            raise ReplayedError("the command is older than this worker", reason="replayed")
        name, expires = verified.payload, verified.expires
        if name in self._seen:
            raise ReplayedError("the command was obeyed before", reason="replayed")
        self._seen[name] = expires.timestamp() + LEEWAY_SECONDS if expires else math.inf
