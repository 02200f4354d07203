"""Results of taskiq that are signed where they are stored, and verified where they are read."""

from __future__ import annotations

import asyncio
from abc import ABC
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from taskiq.abc.serializer import TaskiqSerializer
from taskiq.brokers.inmemory_broker import InmemoryResultBackend
from taskiq.result_backends.dummy import DummyResultBackend

from brine._errors import UsageError
from brine._frameworks import put_in_front
from brine._objects import pickled
from brine._task_signatures import OpenedTask, TaskSignatures
from brine._taskiq_deliveries import Delivery

if TYPE_CHECKING:
    from collections.abc import Generator

ALLOWED = ("taskiq.serialization:ExceptionRepr", "taskiq.depends.progress_tracker:TaskState")
"""What taskiq itself puts into results."""


def sign_results(backend: Any, signatures: TaskSignatures) -> None:
    """Have a result backend do so. What stays in this process, or nowhere, needs no signatures."""
    if isinstance(backend, DummyResultBackend | InmemoryResultBackend):
        return
    if isinstance(backend, _SignedResults):
        _check_is_of(backend, signatures)
        return
    if not isinstance(getattr(backend, "serializer", None), TaskiqSerializer):
        raise UsageError(
            f"results in a {type(backend).__qualname__} cannot be signed: it has no serializer",
            reason="usage",
        )
    # A serializer does not know whose result it has. The methods that do are in front of it.
    put_in_front(backend, _SignedResults)
    backend.serializer = _SignedValues(signatures)


def _check_is_of(backend: Any, signatures: TaskSignatures) -> None:
    if backend.serializer.signatures.context != signatures.context:
        raise UsageError(
            f"the result backend is of {backend.serializer.signatures.context}, and the broker of {signatures.context}",
            "give each queue a result backend of its own",
            "usage",
        )


_about: ContextVar[bytes] = ContextVar("about")
"""What the value is that is stored or read."""


@contextmanager
def _value(kind: str, task_id: str) -> Generator[None]:
    token = _about.set(f"{kind} of {task_id}".encode())
    try:
        yield
    finally:
        _about.reset(token)


class _SignedValues(TaskiqSerializer):
    """Signs the values of a result backend."""

    def __init__(self, signatures: TaskSignatures) -> None:
        self.signatures = signatures

    def dumpb(self, value: Any) -> bytes:
        return self.signatures.sign(pickled(value, False), _about.get(), is_result=True)

    def loadb(self, value: bytes) -> Any:
        opened = self.signatures.open(value, _about.get(), is_result=True)
        return opened.content if isinstance(opened, OpenedTask) else opened


class _SignedResults(ABC):
    """What a result backend does otherwise."""

    async def set_result(self, task_id: str, result: Any) -> Any:
        try:
            with _value("result", task_id):
                return await super().set_result(task_id, result)  # type: ignore[misc]
        except BaseException:
            # taskiq goes on, and acknowledges the message: the task was done, without a result.
            delivery = Delivery.current()
            if delivery is not None and delivery.task_id == task_id:
                await asyncio.to_thread(delivery.end)
            raise

    async def get_result(self, task_id: str, with_logs: bool = False) -> Any:
        with _value("result", task_id):
            return await super().get_result(task_id, with_logs)  # type: ignore[misc]

    async def set_progress(self, task_id: str, progress: Any) -> Any:
        with _value("progress", task_id):
            return await super().set_progress(task_id, progress)  # type: ignore[misc]

    async def get_progress(self, task_id: str) -> Any:
        with _value("progress", task_id):
            return await super().get_progress(task_id)  # type: ignore[misc]
