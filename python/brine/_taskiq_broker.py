"""A broker of taskiq whose messages are signed, and run once."""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import os
from abc import ABC
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr, ValidationError
from taskiq.abc.formatter import TaskiqFormatter
from taskiq.abc.middleware import TaskiqMiddleware
from taskiq.acks import AcknowledgeType
from taskiq.exceptions import NoResultError
from taskiq.message import BrokerMessage, TaskiqMessage

from brine._errors import Error, UsageError
from brine._frameworks import put_in_front
from brine._lease_keeper import LeaseKeeper
from brine._objects import pickled
from brine._refused_tasks import Refused, log, logger
from brine._task_signatures import TASK, OpenedTask, TaskSignatures
from brine._taskiq_results import sign_results

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from brine._brine import Lease

LEASE = timedelta(minutes=1)
"""How long a task is held for a worker that has died. One that lives renews it."""

REFUSED_TASK = "brine:refused"

_keeper = LeaseKeeper(LEASE.total_seconds())


def sign_broker(broker: Any, signatures: TaskSignatures, refused: Path) -> None:
    """Make a broker one that signs."""
    sign_results(broker.result_backend, signatures)
    put_in_front(broker, SignedBroker)
    broker.signatures, broker.refused = signatures, refused
    broker.formatter = _SignedFormatter(broker)
    once = _Once()
    once.set_broker(broker)
    # Before all others: what they see was judged.
    broker.middlewares.insert(0, once)


class SignedBroker(ABC):
    """What a broker does otherwise. Classes of taskiq are abstract ones: one of the same layout takes their place."""

    signatures: TaskSignatures
    refused: Path

    def find_task(self, task_name: str) -> Any:
        found = super().find_task(task_name)  # type: ignore[misc]
        if task_name == REFUSED_TASK:
            return _RefusedTask()
        return None if found is None else _guarded(found)

    def with_result_backend(self, result_backend: Any) -> Any:
        sign_results(result_backend, self.signatures)
        return super().with_result_backend(result_backend)  # type: ignore[misc]

    def refuse(self, content: bytes, error: Error, task_id: str = "") -> None:
        """Keep what was refused, with the reason."""
        log(self.signatures.context, error)
        line = Refused.of(error, content, task_id).to_json() + b"\n"
        descriptor = os.open(self.refused, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class _SignedFormatter(TaskiqFormatter):
    """Signs a whole message, and verifies one."""

    def __init__(self, broker: Any) -> None:
        self._broker = broker

    def dumps(self, message: TaskiqMessage) -> BrokerMessage:
        content = pickled(message.model_dump(mode="json"), False)
        return BrokerMessage(
            task_id=message.task_id,
            task_name=message.task_name,
            message=self._broker.signatures.sign(content, TASK),
            labels=message.labels,
        )

    def loads(self, message: bytes) -> TaskiqMessage:
        """Verify a message. One that is refused becomes a task that does nothing: brokers differ in what they do with
        what cannot be read."""
        try:
            return self._opened(message)
        except Error as error:
            self._broker.refuse(message, error)
            return TaskiqMessage(task_id="", task_name=REFUSED_TASK, labels={}, args=[], kwargs={})

    def _opened(self, message: bytes) -> TaskiqMessage:
        found = self._broker.signatures.open(message, TASK)
        is_signed = isinstance(found, OpenedTask)
        read = _checked(found.content if is_signed else found)
        # Asked of the broker as it was: what runs is another function around it.
        if self._broker.find_task(read.task_name) is None or read.task_name == REFUSED_TASK:
            raise UsageError(f"there is no task {read.task_name!r}", reason="task-form")
        read.labels["signer"] = found.verified.signer if is_signed else None
        (read.labels_types or {}).pop("signer", None)
        read._delivery = _Delivery(read.task_id, message, found if is_signed else None)
        return read


class _Message(TaskiqMessage):
    """A message that has verified."""

    _delivery: _Delivery = PrivateAttr()


def _checked(content: Any) -> _Message:
    try:
        read = _Message.model_validate(content)
        # taskiq reads its labels after this, and has no place for what it cannot read.
        copied = read.model_copy(deep=True)
        copied.parse_labels()
        AcknowledgeType(str(copied.labels.get("ack_type", "when_saved")).lower())
    except (ValidationError, ValueError, TypeError) as error:
        raise UsageError(f"it is no message of taskiq: {error}", reason="task-form") from error
    return read


class _Delivery:
    """A task that a worker has taken, and holds while it runs."""

    def __init__(self, task_id: str, content: bytes, opened: OpenedTask | None) -> None:
        self.task_id, self.content, self._opened = task_id, content, opened
        self._lease: Lease | None = None
        self.has_begun = False

    @property
    def is_settled(self) -> bool:
        return self._lease is None

    def renew(self) -> bool:
        if self._lease is not None:
            self._lease.renew()
        return not self.is_settled

    def begin(self, signatures: TaskSignatures) -> None:
        """Judge it as of now, and hold it."""
        if self._opened is not None:
            self._lease = signatures.lease(self._opened, LEASE)
            _keeper.keep(self)
        self.has_begun = True

    def end(self) -> None:
        """Note that it never runs again."""
        lease, self._lease = self._lease, None
        try:
            if lease is not None:
                lease.commit()
        except Error as error:
            logger.error("cannot note that task %s is done: %s", self.task_id, error)


_delivery: ContextVar[_Delivery | None] = ContextVar("delivery", default=None)
"""The task that begins now."""


class _Once(TaskiqMiddleware):
    """Begins a task once."""

    broker: Any

    async def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        delivery = getattr(message, "_delivery", None)
        _delivery.set(delivery)
        if delivery is not None:
            try:
                await asyncio.to_thread(delivery.begin, self.broker.signatures)
            except Error as error:
                self.broker.refuse(delivery.content, error, delivery.task_id)
                if error.reason == "replay-busy":
                    # Nothing is acknowledged: if the worker that runs it dies, a broker that can gives it out again.
                    raise
        return message

    async def post_execute(self, message: TaskiqMessage, result: Any) -> None:
        # It was sent again, or has no result for another reason: nothing comes after this.
        if isinstance(result.error, NoResultError):
            await self._end(message)

    async def post_save(self, message: TaskiqMessage, result: Any) -> None:
        await self._end(message)

    async def _end(self, message: TaskiqMessage) -> None:
        delivery = getattr(message, "_delivery", None)
        if delivery is not None:
            await asyncio.to_thread(delivery.end)


class _NotRunError(NoResultError):
    """A task was refused. It has no result: one that is there stays."""


class _RefusedTask:
    """Stands for a task that was refused."""

    task_name = REFUSED_TASK

    def __init__(self) -> None:
        self.labels: dict[str, Any] = {}

    @staticmethod
    async def original_func() -> None:
        raise _NotRunError


def _guarded(task: Any) -> Any:
    """Return a task whose function runs only what has begun."""
    made = copy.copy(task)
    made.original_func = _guarded_function(task.original_func)
    return made


def _guarded_function(run: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(run):

        @functools.wraps(run)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            _check_begun()
            return await run(*args, **kwargs)

        return coroutine

    @functools.wraps(run)
    def function(*args: Any, **kwargs: Any) -> Any:
        _check_begun()
        return run(*args, **kwargs)

    return function


def _check_begun() -> None:
    delivery = _delivery.get()
    if delivery is None or not delivery.has_begun:
        raise _NotRunError
