"""Consumers of Dramatiq that give out what has verified, and keep what was refused."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from dramatiq import Consumer
from dramatiq.errors import ConnectionClosed

from brine._dramatiq_encoder import decoding
from brine._dramatiq_gate import as_signed
from brine._dramatiq_messages import placeholder, seconds_until_due
from brine._errors import Error
from brine._refused_tasks import Refused, is_verdict, log, logger

if TYPE_CHECKING:
    from collections.abc import Iterable

    from brine._dramatiq_gate import Gate
    from brine._dramatiq_messages import Messages
    from brine._task_signatures import OpenedTask

MOST_SECONDS = 5
"""How long a message that cannot be judged now waits at most, until it is judged again."""


class _StoppedError(BaseException):
    """The worker ends before a message could be judged. Dramatiq takes any exception of a decoder for a bad message."""


class SignedConsumer(Consumer):
    """A consumer of a broker, in front of which messages are judged."""

    def __init__(self, inner: Any, queue: str, broker: Any, messages: Messages, gate: Gate) -> None:
        self.inner, self._broker, self._queue = inner, broker, queue
        self._messages, self._gate = messages, gate
        self._waiting: list[tuple[float, Any]] = []
        self._lock, self._is_closed = threading.Lock(), False
        self._read: tuple[bytes, OpenedTask | Exception | None] | None = None

    def __next__(self) -> Any:
        message = self._waited() or self._received()
        if message is None:
            return None
        if message.refusal is not None:
            try:
                self._refuse(message)
            except ConnectionClosed:
                # Others that were fetched with it are still to be judged.
                self._wait(message, MOST_SECONDS)
            return None
        if (seconds := seconds_until_due(message)) > 0:
            self._wait(message, seconds)
            return None
        return message

    def _received(self) -> Any:
        try:
            with decoding(self._decode):
                found: Any = next(self.inner)
        except _StoppedError as stopped:
            raise _unreachable(stopped.__cause__) from stopped.__cause__
        if found is None:
            return None
        if self._read is None:
            raise RuntimeError("another encoder has decoded a message of a signed broker")
        (data, judged), self._read = self._read, None
        message = as_signed(found)
        message.data = data
        if isinstance(judged, Exception):
            message.refusal = judged
        elif judged is not None:
            message.opened, message.signer = judged, judged.verified.signer
        return message

    def _decode(self, data: bytes) -> dict[str, Any]:
        while True:
            try:
                fields, opened = self._messages.decode(data, self._queue)
                self.check(fields, data)
            except Exception as error:
                if not is_verdict(error):
                    # Nothing can be judged, so nothing else can be done meanwhile.
                    self._say_that_nothing_is_judged(error)
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
            if getattr(message.refusal, "reason", None) != "replay-busy":
                self._say_that_nothing_is_judged(message.refusal)
            message.failed = False
            again = message.anew()
            again.waited = min(2 * message.waited, MOST_SECONDS)
            self._wait(again, again.waited)
        elif message.refusal is not None:
            self._refuse(message)
            message.failed = False
        else:
            self._end(message)
            self.inner.nack(message)

    def requeue(self, messages: Iterable[Any]) -> None:
        self.inner.requeue(messages)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
        self._give_back([message for _, message in self._waiting])
        self.inner.close()

    def check(self, fields: dict[str, Any], data: bytes) -> None:
        """Refuse a message that has verified, and is not where it belongs."""

    def _end(self, message: Any) -> None:
        try:
            message.end()
        except Error as error:
            # It is not acknowledged before it is noted: a copy would run.
            raise _unreachable(error) from error

    def _wait(self, message: Any, seconds: float) -> None:
        with self._lock:
            if not self._is_closed:
                self._waiting.append((time.monotonic() + seconds, message))
                return
        # A worker's thread was still at it when the connection failed. Another consumer gets it.
        self._give_back([message])

    def _give_back(self, messages: list[Any]) -> None:
        try:
            self.inner.requeue(messages)
        except Exception as error:  # noqa: BLE001
            # They come again when this worker is gone.
            logger.warning("messages of %s were not given back: %s", self._queue, error)

    def _waited(self) -> Any:
        for at, (until, message) in enumerate(self._waiting):
            if until <= time.monotonic():
                del self._waiting[at]
                return message
        return None

    def _say_that_nothing_is_judged(self, error: Exception) -> None:
        logger.error("messages of dramatiq:%s wait: %s", self._queue, error)

    def _refuse(self, message: Any) -> None:
        try:
            self._broker._brine_place.keep(Refused.of(message.refusal, message.data, self._queue))
            self.inner.ack(message)
        except Exception as error:
            # Dramatiq tries again, or has it delivered again.
            logger.error("a message of dramatiq:%s is refused and not kept: %s", self._queue, error)
            raise _unreachable(error) from error
        log(f"dramatiq:{self._queue}", message.refusal)


def _unreachable(error: BaseException | None) -> Exception:
    """Return the exception after which Dramatiq tries again."""
    made: Exception = ConnectionClosed(error)  # type: ignore[no-untyped-call]
    return made
