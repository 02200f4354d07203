"""A broker of taskiq whose messages are signed, and run once."""

from __future__ import annotations

import asyncio
import time
from abc import ABC
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr
from taskiq.abc.formatter import TaskiqFormatter
from taskiq.abc.middleware import TaskiqMiddleware
from taskiq.acks import AcknowledgeType
from taskiq.exceptions import NoResultError
from taskiq.message import BrokerMessage, TaskiqMessage

from brine._errors import UsageError
from brine._frameworks import put_in_front
from brine._objects import pickled
from brine._refused_tasks import Refused, WaitLog, is_verdict, log, logger
from brine._task_signatures import TASK, OpenedTask, TaskSignatures
from brine._taskiq_deliveries import Delivery, GuardedTask
from brine._taskiq_places import place_of
from brine._taskiq_results import sign_results

if TYPE_CHECKING:
    from pathlib import Path

WAIT = timedelta(minutes=2)
"""How long a message waits at most that cannot be judged now: a worker that ends waits for it."""

REFUSED_TASK = "brine:refused"


def sign_broker(broker: Any, signatures: TaskSignatures, refused: Path) -> None:
    """Make a broker one that signs."""
    sign_results(broker.result_backend, signatures)
    put_in_front(broker, SignedBroker)
    broker.signatures, broker.waits = signatures, WaitLog(signatures.context)
    broker.refused = place_of(broker, signatures.context, refused)
    broker.formatter = _SignedFormatter(broker)
    gate = _Gate()
    gate.set_broker(broker)
    # Before all others: what they see was judged.
    broker.middlewares.insert(0, gate)


class SignedBroker(ABC):
    """What a broker does otherwise. Classes of taskiq are abstract ones: one of the same layout takes their place."""

    signatures: TaskSignatures
    waits: WaitLog

    def find_task(self, task_name: str) -> Any:
        if task_name == REFUSED_TASK:
            return _RefusedTask()
        found = super().find_task(task_name)  # type: ignore[misc]
        return None if found is None else _guarded(found)

    def function_of(self, task_name: str) -> Any:
        """Return the function of a task, or None."""
        found = super().find_task(task_name)  # type: ignore[misc]
        return None if found is None else found.original_func

    def with_result_backend(self, result_backend: Any) -> Any:
        sign_results(result_backend, self.signatures)
        return super().with_result_backend(result_backend)  # type: ignore[misc]


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
        """Verify a message. One that does not becomes a task that does nothing, until it is judged where tasks begin:
        taskiq acknowledges what cannot be read."""
        delivery = Delivery(message)
        try:
            return self.read(delivery)
        except Exception:  # noqa: BLE001
            return _refused(delivery)

    def read(self, delivery: Delivery) -> TaskiqMessage:
        """Verify a message, and find its function."""
        found = self._broker.signatures.open(delivery.content, TASK)
        is_signed = isinstance(found, OpenedTask)
        read = _checked(found.content if is_signed else found)
        delivery.function = self._broker.function_of(read.task_name)
        if delivery.function is None or read.task_name == REFUSED_TASK:
            raise UsageError(f"there is no task {read.task_name!r}", reason="task-form")
        read.labels["signer"] = found.verified.signer if is_signed else None
        (read.labels_types or {}).pop("signer", None)
        delivery.task_id, delivery.opened = read.task_id, found if is_signed else None
        read._delivery = delivery
        return read


class _Message(TaskiqMessage):
    """A message that was taken."""

    _delivery: Delivery = PrivateAttr()


def _checked(content: Any) -> _Message:
    try:
        read = _Message.model_validate(content)
        # taskiq reads its labels after this, and has no place for what it cannot read.
        copied = read.model_copy(update={"labels": dict(read.labels)})
        copied.parse_labels()
        AcknowledgeType(str(copied.labels.get("ack_type", "when_saved")).lower())
    except Exception as error:
        raise UsageError(f"it is no message of taskiq: {error}", reason="task-form") from error
    return read


def _refused(delivery: Delivery) -> _Message:
    made = _Message(task_id="", task_name=REFUSED_TASK, labels={}, args=[], kwargs={})
    made._delivery = delivery
    return made


class _Gate(TaskiqMiddleware):
    """Judges each message where its task begins, and lets it begin once."""

    broker: Any

    async def pre_execute(self, message: TaskiqMessage) -> TaskiqMessage:
        delivery = _delivery_of(message)
        if delivery is None:
            raise UsageError(
                "nobody has verified it",
                "with_formatter() replaced what brine.taskiq.sign had set",
                "usage",
            )
        delivery.is_next()
        end = time.monotonic() + WAIT.total_seconds()
        pause = 0.1
        while True:
            try:
                return await asyncio.to_thread(self._begun, message, delivery)
            except Exception as error:
                if is_verdict(error) and await self._is_kept(delivery, error):
                    return _refused(delivery)
                if time.monotonic() > end:
                    # Nothing is acknowledged: a broker that can gives it out again.
                    await self._is_kept(delivery, error)
                    raise
                if getattr(error, "reason", None) != "replay-busy":
                    self.broker.waits.say(error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 5)

    def _begun(self, message: TaskiqMessage, delivery: Delivery) -> TaskiqMessage:
        if message.task_name == REFUSED_TASK:
            message = self.broker.formatter.read(delivery)
            message.parse_labels()
        delivery.begin(self.broker.signatures)
        self.broker.waits.begin()
        return message

    async def _is_kept(self, delivery: Delivery, error: Exception) -> bool:
        context = self.broker.signatures.context
        try:
            one = Refused.of(error, delivery.content, delivery.task_id)
            if await self.broker.refused.keep(one):
                log(context, error)
        except Exception as unkept:  # noqa: BLE001
            logger.error("cannot keep what is refused of %s: %s", context, unkept)
            return False
        return True

    async def post_execute(self, message: TaskiqMessage, result: Any) -> None:
        # It was sent again, or has no result for another reason: nothing comes after this.
        if isinstance(result.error, NoResultError):
            await self._end(message)

    async def post_save(self, message: TaskiqMessage, result: Any) -> None:
        await self._end(message)

    async def _end(self, message: TaskiqMessage) -> None:
        delivery = _delivery_of(message)
        if delivery is not None:
            await asyncio.to_thread(delivery.end)


def _delivery_of(message: TaskiqMessage) -> Delivery | None:
    return getattr(message, "_delivery", None)


class _RefusedTask(GuardedTask):
    """Stands for a task that was refused, or whose message could not be read yet."""

    task_name = REFUSED_TASK

    def __init__(self) -> None:
        self.labels: dict[str, Any] = {}


_kinds: dict[type, type] = {}


def _guarded(task: Any) -> Any:
    """Return a task whose function runs only what has begun."""
    kind = type(task)
    if kind not in _kinds:
        _kinds[kind] = type(f"Guarded{kind.__name__}", (GuardedTask, kind), {})
    made: Any = object.__new__(_kinds[kind])
    made.__dict__.update(vars(task))
    return made
