"""Results of Dramatiq, each signed for the message that it is of."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from dramatiq import Encoder

from brine._errors import UsageError
from brine._frameworks import put_in_front
from brine._objects import pickled
from brine._task_signatures import OpenedTask

if TYPE_CHECKING:
    from collections.abc import Generator

    from brine._dramatiq_messages import Messages

_message: ContextVar[Any] = ContextVar("brine_result_of", default=None)


def sign_results(backend: Any, messages: Messages) -> None:
    """Have a backend sign its results, and give out what has verified."""
    if isinstance(backend, _SignedBackend):
        raise UsageError("the result backend is signed already", reason="usage")
    put_in_front(backend, _SignedBackend)
    backend.encoder = _Results(messages)


class _SignedBackend:
    """What a backend does otherwise: it tells the encoder of which message a result is."""

    def get_result(self, message: Any, **options: Any) -> Any:
        with _about(message):
            return super().get_result(message, **options)  # type: ignore[misc]

    def store_result(self, message: Any, result: Any, ttl: int) -> Any:
        with _about(message):
            return super().store_result(message, result, ttl)  # type: ignore[misc]

    def store_exception(self, message: Any, exception: Exception, ttl: int) -> Any:
        with _about(message):
            return super().store_exception(message, exception, ttl)  # type: ignore[misc]


@contextmanager
def _about(message: Any) -> Generator[None]:
    before = _message.set(message)
    try:
        yield
    finally:
        _message.reset(before)


class _Results(Encoder):
    """Signs results, in a context of their own, with the id of the message."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages

    def encode(self, data: Any) -> bytes:
        message = _message.get()
        signatures = self._messages.of(message.queue_name)
        return signatures.sign(pickled(data, False), _id(message), is_result=True)

    def decode(self, data: bytes) -> Any:
        message = _message.get()
        signatures = self._messages.of(message.queue_name)
        opened = signatures.open(data, _id(message), is_result=True)
        return opened.content if isinstance(opened, OpenedTask) else opened


def _id(message: Any) -> bytes:
    return f"result of {message.message_id}".encode()
