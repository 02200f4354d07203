"""Messages of Dramatiq in envelopes: what is signed, and what a message must look like that was."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from dramatiq.common import current_millis, dq_name, q_name

from brine._errors import UsageError
from brine._objects import pickled
from brine._task_signatures import TASK, OpenedTask, TaskSignatures

FORM = {
    "queue_name": str,
    "actor_name": str,
    "args": tuple,
    "kwargs": dict,
    "options": dict,
    "message_id": str,
    "message_timestamp": int,
}
"""The fields of a message."""

REDIS_ID = "redis_message_id"
"""The option under whose value a message lies in Redis."""


class Resent(bytes):
    """The envelope of a message that waited for its time, and goes on as its signer meant it."""

    redis_id: str


class Messages:
    """Signs and verifies the messages of a broker. Each queue has a context of its own."""

    def __init__(self, signatures: TaskSignatures) -> None:
        self._any = signatures
        self._of_queue: dict[str, TaskSignatures] = {}

    def of(self, queue: str) -> TaskSignatures:
        """Return the signatures of a queue, which are those of its delayed messages as well."""
        name = q_name(queue)
        if name not in self._of_queue:
            self._of_queue[name] = self._any.for_context(f"dramatiq:{name}")
        return self._of_queue[name]

    def encode(self, fields: dict[str, Any], waiting: OpenedTask | None) -> bytes:
        """Sign a message. One that has waited, and has not begun, goes on in its envelope."""
        if waiting is not None:
            if not _is_due(waiting.content, fields):
                # Each copy would become a new message, which nobody knows for a copy.
                raise UsageError("a message that has not begun is not sent anew", reason="usage")
            return _resent(waiting)
        return self.of(fields["queue_name"]).sign(pickled(fields, False), TASK, _due(fields))

    def decode(self, data: bytes, queue: str) -> tuple[dict[str, Any], OpenedTask | None]:
        """Verify a message that came from a queue, and return its fields."""
        opened = self.of(queue).open(data, TASK)
        is_signed = isinstance(opened, OpenedTask)
        fields = _checked(opened.content if is_signed else _with_tuple(opened))
        # Dramatiq changes options where they are.
        fields = {**fields, "options": dict(fields["options"])}
        if queue != fields["queue_name"]:
            _arrive(fields, queue)
        return fields, opened if is_signed else None


def encode_unsigned(fields: dict[str, Any]) -> bytes:
    """Return a message as it is taken from those that do not sign yet."""
    return pickled(fields, False)


def seconds_until_due(message: Any) -> float:
    """Take the time off a message that is in its queue already, and return how long it is until then.

    Dramatiq would put it into the queue a second time, where it is.
    """
    eta = message.options.get("eta")
    if message.queue_name == dq_name(message.queue_name) or not isinstance(eta, int | float):
        return 0
    del message.options["eta"]
    return (eta - current_millis()) / 1000


def placeholder(queue: str) -> dict[str, Any]:
    """Return the fields of a message that stands for one that was refused, until it is removed."""
    return {
        "queue_name": queue,
        "actor_name": "brine.refused",
        "args": (),
        "kwargs": {},
        "options": {REDIS_ID: ""},
        "message_id": str(uuid.uuid4()),
    }


def _with_tuple(fields: Any) -> Any:
    """Return what JSON has as a list as the tuple that Dramatiq makes of it."""
    if type(fields) is dict and type(fields.get("args")) is list:
        return {**fields, "args": tuple(fields["args"])}
    return fields


def _checked(fields: Any) -> dict[str, Any]:
    if type(fields) is not dict or fields.keys() != FORM.keys():
        raise UsageError("it is no message of Dramatiq", reason="task-form")
    wrong = [name for name, kind in FORM.items() if type(fields[name]) is not kind]
    if wrong:
        raise UsageError(f"it is no message of Dramatiq: {wrong[0]}", reason="task-form")
    _due(fields)
    options = fields["options"]
    if not _is_priority(options.get("broker_priority")) or not _are_kinds(options.get("throws")):
        raise UsageError("it is no message of Dramatiq: options", reason="task-form")
    return fields


def _is_priority(value: Any) -> bool:
    """Tell whether the client of RabbitMQ takes it. It would end the thread that passes delayed messages on."""
    return value is None or (isinstance(value, int) and 0 <= value <= 255)


def _are_kinds(value: Any) -> bool:
    """Tell whether an exception can be asked if it is one. It would end the thread in which a task has raised it."""
    with suppress(RecursionError, TypeError):
        isinstance(None, value or ())
        return True
    return False


def _due(fields: dict[str, Any]) -> datetime | None:
    """Return when a message is due. Dramatiq takes anything for a time."""
    eta = fields["options"].get("eta")
    if eta is None:
        return None
    with suppress(ArithmeticError, OSError, ValueError):
        if isinstance(eta, int | float):
            return datetime.fromtimestamp(eta / 1000, UTC)
    raise UsageError("it is no message of Dramatiq: eta", reason="task-form")


def _arrive(fields: dict[str, Any], queue: str) -> None:
    """Have a delayed message arrive in its queue."""
    if fields["queue_name"] != dq_name(queue):
        raise UsageError(f"it is for the queue {fields['queue_name']!r}", reason="task-form")
    fields["queue_name"] = queue


def _resent(opened: OpenedTask) -> Resent:
    resent = Resent(opened.envelope)
    resent.redis_id = opened.content["options"].get(REDIS_ID, "")
    return resent


def _is_due(signed: dict[str, Any], fields: dict[str, Any]) -> bool:
    """Tell whether it is the message that was signed, which Dramatiq moves to its queue when its time has come.

    What middleware then adds to the options, as traces, is left behind.
    """
    is_moved = signed["queue_name"] == dq_name(fields["queue_name"]) != fields["queue_name"]
    # What was not changed is the same object. Nothing that a signer sent is asked whether it is equal.
    return is_moved and all(signed[name] is fields[name] for name in _UNMOVED)


_UNMOVED = ("actor_name", "args", "kwargs", "message_id", "message_timestamp")
