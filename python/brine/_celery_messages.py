"""Messages of Celery: what is sent is signed last, and what comes is verified first."""

from __future__ import annotations

import re
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from celery.app.amqp import AMQP
from celery.utils.imports import symbol_by_name
from celery.utils.time import maybe_iso8601, maybe_make_aware
from kombu.entity import Queue
from kombu.messaging import Consumer
from kombu.serialization import dumps, loads

from brine._celery_channel import REFUSED, as_bytes, guard_channel
from brine._errors import UsageError
from brine._objects import pickled
from brine._task_signatures import TASK, OpenedTask, TaskSignatures

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, tzinfo

    from brine._brine import Lease

CONTENT_TYPE = "application/cose"
PICKLE = "application/x-python-serialize"

ALLOWED = ("celery.canvas:signature",)
"""What Celery itself puts into pickles."""

REFUSED_QUEUE: Any = Queue(REFUSED, durable=True)
"""Where messages are kept that were refused, with the reason in a header."""


class CelerySignatures:
    """Signs and verifies what an app sends. Each task of each queue has a context of its own."""

    def __init__(self, **options: Any) -> None:
        self._lock = threading.Lock()
        self._tasks: dict[str, TaskSignatures] = {}
        self.results = TaskSignatures("celery:results", always_allowed=ALLOWED, **options)
        self.control = self.results.for_commands("celery:control")
        self.replies = self.results.for_commands("celery:replies")

    def of_task(self, queue: str, task: str, *, is_known: bool) -> TaskSignatures:
        """Return what signs tasks of a name for a queue. It is kept if the task is known: strangers choose names."""
        context = f"celery:{queue}:{task}"
        with self._lock:
            found = self._tasks.get(context)
            if found is None:
                found = self.results.for_context(context)
                if is_known:
                    self._tasks[context] = found
        return found

    def pack(self, body: object, serializer: str | None, **more: Any) -> bytes:
        """Serialise something as the app does, with what is to be signed beside it."""
        content_type, encoding, data = dumps(body, serializer)
        return pickled({**more, "type": content_type, "encoding": encoding, "data": data}, False)

    def unpack(self, told: Any, accept: Any, signer: str | None) -> Any:
        """Load what has verified. Pickles name only what is on the list for the signer."""
        content_type, encoding = told["type"], told["encoding"]
        if not isinstance(content_type, str) or not isinstance(encoding, str) or not content_type:
            raise UsageError("it says in no known way how it is written", reason="task-form")
        if content_type == PICKLE and _is_accepted(PICKLE, accept):
            return self.results.load_pickle(told["data"], signer)
        return loads(told["data"], content_type, encoding, accept=accept)


def signed_amqp(kind: Any, signatures: CelerySignatures) -> type[AMQP]:
    """Return the class of an app for its messages, which signs and verifies them."""
    base: Any = symbol_by_name(kind)
    if not issubclass(base.Consumer, Consumer):
        raise UsageError(f"{base.__qualname__}.Consumer is no consumer of kombu", reason="usage")
    consumer = type("SignedConsumer", (_SignedConsumer, base.Consumer), {"signatures": signatures})
    return type("SignedAMQP", (_SignedAMQP, base), {"signatures": signatures, "Consumer": consumer})


class _SignedAMQP:
    signatures: CelerySignatures
    app: Any

    def _create_task_sender(self) -> Any:
        send = super()._create_task_sender()  # type: ignore[misc]

        def send_task_message(
            producer: Any, name: str, message: Any, *arguments: Any, **named: Any
        ) -> Any:
            if "task" not in message.headers:
                raise UsageError(
                    "task_protocol 1 steers by what is not signed: use 2", reason="usage"
                )
            signing = _SigningProducer(producer, self.signatures, self.app)
            return send(signing, name, message, *arguments, **named)

        return send_task_message

    def TaskConsumer(self, channel: Any, *arguments: Any, **named: Any) -> Any:
        made = super().TaskConsumer(channel, *arguments, **named)  # type: ignore[misc]
        made.app = self.app
        return made


class _SigningProducer:
    """A producer that signs what it is given, with all that goes along."""

    def __init__(self, producer: Any, signatures: CelerySignatures, app: Any) -> None:
        self._producer, self._signatures, self._app = producer, signatures, app

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def publish(
        self,
        body: Any,
        *,
        exchange: str,
        routing_key: str,
        headers: dict[str, Any],
        serializer: str | None = None,
        compression: str | None = None,
        reply_to: str = "",
        correlation_id: str | None = None,
        priority: int | None = None,
        **more: Any,
    ) -> Any:
        headers = {name: value for name, value in headers.items() if name != "signer"}
        message = self._signatures.pack(
            body,
            serializer,
            headers=headers,
            exchange=exchange,
            routing_key=routing_key,
            reply_to=reply_to,
            correlation_id=correlation_id,
            priority=priority,
        )
        task = headers["task"]
        signatures = self._signatures.of_task(
            exchange or routing_key, task, is_known=task in self._app.tasks
        )
        return self._producer.publish(
            signatures.sign(message, TASK, _moment(headers.get("eta"), self._app.timezone)),
            exchange=exchange,
            routing_key=routing_key,
            headers=headers,
            content_type=CONTENT_TYPE,
            content_encoding="binary",
            reply_to=reply_to,
            correlation_id=correlation_id,
            priority=priority,
            **more,
        )


def _moment(eta: str | None, zone: tzinfo) -> datetime | None:
    moment = maybe_iso8601(eta)
    return maybe_make_aware(moment, zone) if moment else None


class VerifiedTask:
    """A message of a queue that has verified, and may begin once."""

    def __init__(self, opened: OpenedTask, queue: str, signatures: TaskSignatures) -> None:
        self.envelope, self.queue = opened.envelope, queue
        self._opened, self._signatures = opened, signatures

    def reserve(self) -> Lease:
        """Judge it again, as of now, and keep others from beginning it."""
        return self._signatures.lease(self._opened)


class _SignedConsumer:
    """A consumer of tasks, which hands on what has verified, and nothing of a message that did not."""

    signatures: CelerySignatures
    app: Any
    channel: Any
    accept: Any

    def refuse(self, message: Any, queue: str, error: Exception) -> None:
        """Keep a message of a queue, with the reason: a worker does."""
        raise error

    def revive(self, channel: Any) -> Any:
        revived = super().revive(channel)  # type: ignore[misc]
        guard_channel(self.channel)
        return revived

    def _basic_consume(self, queue: Any, *arguments: Any, **named: Any) -> Any:
        # Only here is it known which queue a message was in: the rest is told by the message.
        told = _OfQueue(queue, self.receive_of)
        return super()._basic_consume(told, *arguments, **named)  # type: ignore[misc]

    def receive_of(self, queue: str, message: Any) -> Any:
        to_python = getattr(self.channel, "message_to_python", None)
        message = to_python(message) if to_python else message
        try:
            self._open(queue, message)
        except Exception as error:  # noqa: BLE001
            self.refuse(message, queue, error)
            return None
        try:
            return self.on_message(message)
        except self.connection_errors:
            raise
        except Exception as error:  # noqa: BLE001
            self.refuse(message, queue, error)
            return None

    on_message: Any
    connection_errors: tuple[type[Exception], ...] = ()

    def _open(self, queue: str, message: Any) -> None:
        message.accept = self.accept
        message.brine = None
        body = as_bytes(message.body)
        signatures = self._signatures_of(queue, message)
        verified = signatures.verify(body, TASK)
        if verified is None:
            message.inflate()
            message.decode()
            message.headers = {**message.headers, "signer": None}
            signatures.note_unsigned()
            return
        told = _checked(signatures.load(verified))
        _check_place(told, self.app.amqp.queues[queue], queue)
        message.headers = {**told["headers"], "signer": verified.signer}
        message.properties.update(
            reply_to=told["reply_to"],
            correlation_id=told["correlation_id"],
            priority=told["priority"],
        )
        message.delivery_info.update(exchange=told["exchange"], routing_key=told["routing_key"])
        message.content_type, message.content_encoding = told["type"], told["encoding"]
        message.body = told["data"]
        message._decoded_cache = _checked_body(
            self.signatures.unpack(told, self.accept, verified.signer)
        )
        message.brine = VerifiedTask(OpenedTask(body, TASK, verified, told), queue, signatures)

    def _signatures_of(self, queue: str, message: Any) -> TaskSignatures:
        """What it is verified with is chosen by what it says of itself, and then says so under the signature."""
        name = message.headers.get("task")
        if not isinstance(name, str):
            raise UsageError("it names no task", reason="task-form")
        declared = self.app.amqp.queues[queue].exchange.name
        place = (
            declared if declared and message.delivery_info.get("exchange") == declared else queue
        )
        return self.signatures.of_task(place, name, is_known=name in self.app.tasks)


TEXTS = ("exchange", "routing_key", "type", "encoding")
OPTIONAL_TEXTS = ("eta", "expires", "group", "root_id", "parent_id", "shadow", "lang", "origin")
NUMBERS = ("retries", "group_index", "replaced_task_nesting")


def _checked(told: Any) -> dict[str, Any]:
    """Refuse what would end a worker of Celery, where anybody believed has signed it."""
    headers = told.get("headers") if isinstance(told, dict) else None
    if not isinstance(headers, dict):
        raise UsageError("it is no message of Celery", reason="task-form")
    limits = headers.get("timelimit") or [None, None]
    fits = (
        isinstance(headers.get("id"), str)
        and isinstance(headers.get("task"), str)
        and all(isinstance(told.get(name), str) for name in TEXTS)
        and all(isinstance(headers.get(name), str | None) for name in OPTIONAL_TEXTS)
        and all(isinstance(headers.get(name), int | None) for name in NUMBERS)
        and isinstance(limits, list | tuple)
        and len(limits) == 2
        and all(isinstance(limit, int | float | None) for limit in limits)
        and isinstance(told.get("reply_to"), str | None)
        and isinstance(told.get("correlation_id"), str | None)
        and isinstance(told.get("priority"), int | None)
    )
    if not fits:
        raise UsageError("it is no message of Celery", reason="task-form")
    return dict(told)


def _checked_body(body: Any) -> Any:
    match body:
        case [list() | tuple(), dict(), dict() | None]:
            return body
        case _:
            raise UsageError("it is no task of Celery", reason="task-form")


def _check_place(told: dict[str, Any], declared: Any, queue: str) -> None:
    """Refuse what was signed for another queue, or for a place that does not lead to this one."""
    exchange, key = told["exchange"], told["routing_key"]
    leads_here = (
        exchange == declared.exchange.name and _is_bound(declared, key)
        if exchange
        else key == queue
    )
    if not leads_here:
        place = f"{exchange}/{key}" if exchange else key
        raise UsageError(f"it was signed for {place!r}, and not for {queue!r}", reason="task-place")


def _is_bound(declared: Any, key: str) -> bool:
    """Whether the exchange of a queue gives it messages with a routing key."""
    pattern = declared.routing_key or ""
    kind = declared.exchange.type
    if kind == "topic":
        words = (_WORDS.get(word, re.escape(word)) for word in pattern.split("."))
        # "#" is no word at all, too.
        found = r"\.".join(words).replace(r"\.\S*", r"(\.\S*)?")
        return re.fullmatch(found, key) is not None
    return key == pattern or kind != "direct"


_WORDS = {"*": r"[^.]+", "#": r"\S*"}


class _OfQueue:
    """A queue that tells its name with each message."""

    def __init__(self, queue: Any, receive: Callable[[str, Any], Any]) -> None:
        self._queue, self._receive = queue, receive

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def consume(self, consumer_tag: str, callback: Any, **named: Any) -> Any:
        receive = partial(self._receive, self._queue.name)
        return self._queue.consume(consumer_tag, receive, **named)


def _is_accepted(content_type: str, accept: Any) -> bool:
    return accept is None or content_type in accept
