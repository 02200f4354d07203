"""Tasks of Huey: signed where they are sent, judged where they are read, and noted where they begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from huey.registry import Message

from brine._errors import Error, UsageError
from brine._huey_store import SignedStorage
from brine._objects import pickled
from brine._refused_tasks import is_verdict, logger
from brine._task_signatures import TASK, OpenedTask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from brine._task_signatures import TaskSignatures

PAUSE = timedelta(seconds=1)
"""How long a task waits that cannot be judged now."""


class SignedHuey:
    """What a Huey does otherwise."""

    _brine: TaskSignatures
    storage: Any
    _registry: Any
    utc: bool

    def create_storage(self) -> Any:
        made = super().create_storage()  # type: ignore[misc]
        return SignedStorage(made, self._brine)

    def serialize_task(self, task: Any) -> bytes:
        message = pickled(self._registry.create_message(task), False)
        opened: OpenedTask | None = getattr(task, "_brine_opened", None)
        # One that waits for its time goes on as its signer meant it.
        if opened and not opened.is_consumed and message == pickled(opened.content, False):
            return opened.envelope
        return self._brine.sign(message, TASK, self._moment(task.eta))

    def _moment(self, eta: datetime | None) -> datetime | None:
        if eta is None or eta.tzinfo is not None:
            return eta
        return eta.replace(tzinfo=UTC) if self.utc else eta.astimezone()

    def deserialize_task(self, data: bytes) -> Any:
        opened = self._brine.open(data, TASK)
        message = opened.content if isinstance(opened, OpenedTask) else opened
        if type(message) is not Message:
            raise UsageError("it is no message of Huey", reason="task-form")
        task = self._registry.create_task(message)
        task.signer = None
        if isinstance(opened, OpenedTask):
            task.signer, task._brine_opened = opened.verified.signer, opened
        return task

    def dequeue(self) -> Any:
        while (data := self.storage.dequeue()) is not None:
            for task in self._read([data]):
                return task
        return None

    def read_schedule(self, timestamp: datetime | None = None) -> list[Any]:
        at = self._get_timestamp() if timestamp is None else timestamp  # type: ignore[attr-defined]
        return self._read(self.storage.read_schedule(at))

    def _read(self, messages: Iterable[bytes]) -> list[Any]:
        found = []
        for data in messages:
            try:
                found.append(self.deserialize_task(data))
            except Exception as error:  # noqa: BLE001
                self._put_away(data, error)
        return found

    def _put_away(self, data: bytes, error: Exception) -> None:
        """Keep what was refused, with the reason. What cannot be judged now is looked at again later."""
        if is_verdict(error):
            self.storage.refuse(data, error)
            return
        logger.error("a message of %s waits: %s", self._brine.context, error)
        at = self._get_timestamp() + PAUSE  # type: ignore[attr-defined]
        self.storage.inner.add_to_schedule(data, at)

    def is_revoked(self, *arguments: Any, **named: Any) -> bool:
        try:
            return bool(super().is_revoked(*arguments, **named))  # type: ignore[misc]
        except Error:
            # A record that was refused says nothing about the task.
            return False

    def _execute(self, task: Any, timestamp: datetime) -> Any:
        opened = getattr(task, "_brine_opened", None)
        if opened is not None and not opened.is_consumed:
            try:
                self._brine.consume(opened)
            except Error as error:
                self._put_away(opened.envelope, error)
                return None
        return super()._execute(task, timestamp)  # type: ignore[misc]
