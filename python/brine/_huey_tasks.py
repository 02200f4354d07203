"""Tasks of Huey: signed where they are sent, judged where they are read, and noted where they begin."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from huey.registry import Message

from brine._errors import Error, UsageError
from brine._huey_store import SignedStorage
from brine._objects import pickled
from brine._refused_tasks import WaitLog, is_verdict, logger
from brine._task_signatures import TASK, OpenedTask

if TYPE_CHECKING:
    from collections.abc import Iterable

    from brine._task_signatures import TaskSignatures

PAUSE = timedelta(seconds=1)
"""How long a task waits that cannot be judged now."""

REFUSING_SECONDS = 1
"""How long one call goes on to refuse. A consumer looks between two calls whether it is to stop."""


class Came(NamedTuple):
    """The message of a task that has not begun."""

    data: bytes
    opened: OpenedTask | None
    """None of what was never signed."""


class SignedHuey:
    """What a Huey does otherwise."""

    _brine: TaskSignatures
    _brine_waits: WaitLog
    storage: Any
    _registry: Any
    utc: bool

    def create_storage(self) -> Any:
        made = super().create_storage()  # type: ignore[misc]
        return SignedStorage(made, self._brine)

    def serialize_task(self, task: Any) -> bytes:
        came: Came | None = getattr(task, "_brine_came", None)
        if came is not None:
            # It goes on as it came. Signed anew, a copy would be another task, and one of a stranger would be ours.
            return came.data
        _expire_after_its_time(task)
        message = pickled(self._registry.create_message(task), False)
        return self._brine.sign(message, TASK, self._moment(task.eta))

    def _moment(self, eta: datetime | None) -> datetime | None:
        if eta is None or eta.tzinfo is not None:
            return eta
        return eta.replace(tzinfo=UTC) if self.utc else eta.astimezone()

    def deserialize_task(self, data: bytes) -> Any:
        opened = self._brine.open(data, TASK)
        is_signed = isinstance(opened, OpenedTask)
        message = opened.content if is_signed else opened
        if type(message) is not Message:
            raise UsageError("it is no message of Huey", reason="task-form")
        task = self._registry.create_task(message)
        # A time that is none is found out here.
        self.ready_to_run(task)  # type: ignore[attr-defined]
        task.signer = opened.verified.signer if is_signed else None
        task._brine_came = Came(bytes(data), opened if is_signed else None)
        return task

    def dequeue(self) -> Any:
        end = time.monotonic() + REFUSING_SECONDS
        while (data := self.storage.dequeue()) is not None:
            for task in self._read([data]):
                return task
            if time.monotonic() >= end:
                break
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
        self._brine_waits.say(error)
        at = self._get_timestamp() + PAUSE  # type: ignore[attr-defined]
        try:
            self.storage.inner.add_to_schedule(data, at)
        except Exception:  # noqa: BLE001
            # Storages raise what they like. The rest of a batch is not lost with it.
            logger.exception("a message of %s is lost: it could not wait", self._brine.context)

    def execute(self, task: Any, timestamp: datetime | None = None) -> Any:
        at = self._get_timestamp() if timestamp is None else timestamp  # type: ignore[attr-defined]
        came: Came | None = getattr(task, "_brine_came", None)
        if came is None:
            # It is run in place.
            task.signer = getattr(task, "signer", None)
        elif self.ready_to_run(task, at) and not self._begin(task, came, at):  # type: ignore[attr-defined]
            return None
        return super().execute(task, at)  # type: ignore[misc]

    def _begin(self, task: Any, came: Came, at: datetime) -> bool:
        """Note a task before anything of it acts, also one that is revoked or late: its copies would act again."""
        try:
            # It waits as well while nobody can tell whether it is revoked.
            self.is_revoked(task, at)  # type: ignore[attr-defined]
            if came.opened is not None:
                self._brine.consume(came.opened)
        except Error as error:
            self._put_away(came.data, error)
            return False
        task._brine_came = None
        self._brine_waits.begin()
        return True


def _expire_after_its_time(task: Any) -> None:
    """Count the seconds until a task expires from its time, as Huey does when that has come."""
    if task.eta is None or not task.expires or isinstance(task.expires, datetime):
        return
    length = task.expires
    if not isinstance(length, timedelta):
        length = timedelta(seconds=length)
    resolved = task.expires_resolved or task.eta
    task.expires_resolved = max(resolved, task.eta + length)
