"""Consumers of Dramatiq that give out what has verified, keep what was refused, and note what was done."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from dramatiq import Consumer
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Middleware, SkipMessage

from brine._brine import length_in_seconds
from brine._dramatiq_encoder import decoding
from brine._dramatiq_messages import placeholder, seconds_until_due
from brine._errors import Error, InputOutputError, KeyFileError
from brine._lease_keeper import LeaseKeeper
from brine._refused import told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dramatiq import Broker, MessageProxy, Worker

    from brine._brine import Lease
    from brine._dramatiq_messages import Messages
    from brine._task_signatures import OpenedTask

MOST_SECONDS = 5
"""How long a message waits at most, until it is asked again whether another worker has done it."""

logger = logging.getLogger("brine")


class Begun:
    """A task that has begun here, and that nobody else begins meanwhile."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self.is_settled = False

    def renew(self) -> bool:
        self._lease.renew()
        return True

    def end(self) -> None:
        """Note that the task was done."""
        self.is_settled = True
        try:
            self._lease.commit()
        except Error as error:
            logger.error("the end of a task was not noted: %s", error)


class SignedMessage:
    """What the proxy of a message has besides."""

    _message: Any
    signer: str | None = None
    """Who signed it. It is None for one that was let through without a signature."""
    data: bytes = b""
    refusal: Exception | None = None
    begun: Begun | None = None
    is_waiting = False
    waited = 0.1
    _brine_opened: OpenedTask | None = None

    def copy(self, **changes: Any) -> Any:
        made = self._message.copy(**changes)
        object.__setattr__(made, "_brine_opened", self._brine_opened)
        return made


_kinds: dict[type, type] = {}


def _as_signed(message: Any) -> Any:
    """Give a proxy what a signed message has besides."""
    kind = type(message)
    if kind not in _kinds:
        _kinds[kind] = type(f"Signed{kind.__name__}", (SignedMessage, kind), {})
    message.__class__ = _kinds[kind]
    return message


class Gate(Middleware):
    """Judges each message again where its task starts, and lets it start once."""

    def __init__(self, messages: Messages, lease: str) -> None:
        self._messages = messages
        self._keeper = LeaseKeeper(length_in_seconds(lease))
        self.is_stopping = threading.Event()

    def before_worker_boot(self, _broker: Broker, _worker: Worker) -> None:
        self.is_stopping.clear()

    def before_worker_shutdown(self, _broker: Broker, _worker: Worker) -> None:
        self.is_stopping.set()

    def before_process_message(self, _broker: Broker, message: MessageProxy) -> None:
        opened: OpenedTask | None = getattr(message, "_brine_opened", None)
        if not isinstance(message, SignedMessage) or opened is None:
            return
        try:
            lease = self._messages.of(message.queue_name).lease(opened)
        except Exception as error:
            # Neither is failed for good: the consumer takes the mark off, before anybody stores a failure as the result.
            message.fail()
            message.is_waiting = is_no_fault_of_the_message(error)
            message.refusal = error
            raise SkipMessage(str(error)) from error
        message.begun = Begun(lease)
        self._keeper.keep(message.begun)


def is_no_fault_of_the_message(error: Exception) -> bool:
    """Tell whether a message can be judged later: another worker has it, or files that judge it cannot be read."""
    if isinstance(error, InputOutputError):
        return error.reason != "out-of-memory"
    return isinstance(error, KeyFileError)


class _StoppedError(BaseException):
    """The worker ends before a message could be judged. Dramatiq takes any exception of a decoder for a bad message."""


class SignedConsumer(Consumer):
    """A consumer of a broker, in front of which messages are judged."""

    def __init__(self, inner: Any, queue: str, broker: Any, messages: Messages, gate: Gate) -> None:
        self.inner, self._broker, self._queue = inner, broker, queue
        self._messages, self._gate = messages, gate
        self._waiting: list[tuple[float, Any]] = []
        self._read: tuple[bytes, OpenedTask | Exception | None] | None = None

    def __next__(self) -> MessageProxy | None:
        if (message := self._waited()) is not None:
            return message
        try:
            with decoding(self._decode):
                found: Any = next(self.inner)
        except _StoppedError as stopped:
            raise ConnectionClosed(stopped.__cause__) from stopped.__cause__
        if found is None:
            return None
        if self._read is None:
            raise RuntimeError("another encoder has decoded a message of a signed broker")
        (data, judged), self._read = self._read, None
        message = _as_signed(found)
        message.data = data
        if isinstance(judged, Exception):
            message.refusal = judged
            self._refuse(message)
            return None
        if judged is not None:
            message._brine_opened, message.signer = judged, judged.verified.signer
        if (seconds := seconds_until_due(message)) > 0:
            self._wait(message, seconds)
            return None
        return message

    def _decode(self, data: bytes) -> dict[str, Any]:
        while True:
            try:
                fields, opened = self._messages.decode(data, self._queue)
                self.check(fields)
            except Exception as error:
                if is_no_fault_of_the_message(error):
                    # Nothing can be judged, so nothing else can be done meanwhile.
                    logger.error("cannot judge messages of %s: %s", self._queue, error)
                    if self._gate.is_stopping.wait(MOST_SECONDS):
                        raise _StoppedError from error
                    continue
                self._read = (data, error)
                return placeholder(self._queue)
            self._read = (data, opened)
            return fields

    def ack(self, message: Any) -> None:
        self._end(message)
        self.inner.ack(message)

    def nack(self, message: Any) -> None:
        if message.is_waiting:
            message.failed = message.is_waiting = False
            message.waited = min(2 * message.waited, MOST_SECONDS)
            self._wait(message, message.waited)
        elif message.refusal is not None:
            self._refuse(message)
            message.failed = False
        else:
            self._end(message)
            self.inner.nack(message)

    def requeue(self, messages: Iterable[Any]) -> None:
        self.inner.requeue(messages)

    def close(self) -> None:
        waiting, self._waiting = self._waiting, []
        try:
            self.inner.requeue([message for _, message in waiting])
        except Exception as error:
            # They come again when this worker is gone.
            logger.warning("messages of %s were not given back: %s", self._queue, error)
        self.inner.close()

    def check(self, fields: dict[str, Any]) -> None:
        """Refuse a message that has verified, and is not where it belongs."""

    def remove(self, message: Any) -> None:
        """Take a message away that was refused."""
        self.inner.ack(message)

    def _wait(self, message: Any, seconds: float) -> None:
        self._waiting.append((time.monotonic() + seconds, message))

    def _waited(self) -> Any:
        for at, (until, message) in enumerate(self._waiting):
            if until <= time.monotonic():
                del self._waiting[at]
                message.refusal = None
                return message
        return None

    def _end(self, message: Any) -> None:
        if message.begun is not None:
            message.begun.end()

    def _refuse(self, message: Any) -> None:
        try:
            self._broker._brine_place.keep(told(message.data, message.refusal))
            self.remove(message)
        except Exception as error:
            # Dramatiq tries again, or has it delivered again.
            raise ConnectionClosed(error) from error
        logger.error("refused a message of dramatiq:%s: %s", self._queue, message.refusal)
