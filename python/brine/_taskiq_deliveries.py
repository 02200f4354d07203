"""Messages that a worker of taskiq has taken, and what runs for them."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from taskiq.exceptions import NoResultError

from brine._errors import Error
from brine._lease_keeper import Held, LeaseKeeper
from brine._refused_tasks import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from brine._task_signatures import OpenedTask, TaskSignatures

LEASE = timedelta(minutes=1)
"""How long a task is held for a worker that has died. One that lives renews it."""

_keeper = LeaseKeeper(LEASE.total_seconds())


class Delivery(Held):
    """A message that a worker has taken. Its task is held while it runs."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.task_id = ""
        self.opened: OpenedTask | None = None
        self.function: Callable[..., Any] | None = None
        self.has_begun = False

    @staticmethod
    def current() -> Delivery | None:
        """Return that of the task that begins now."""
        return _delivery.get()

    def is_next(self) -> None:
        """Have its function run next."""
        _delivery.set(self)

    def begin(self, signatures: TaskSignatures) -> None:
        """Judge it as of now, and hold it. What was let through unsigned cannot be held."""
        if self.opened is not None:
            self._lease = signatures.lease(self.opened, LEASE)
            _keeper.keep(self)
        self.has_begun = True

    def end(self) -> None:
        """Note that it never runs again."""
        lease, self._lease = self._lease, None
        try:
            if lease is not None:
                lease.commit()
        except Error as error:
            logger.error("cannot note that task %r is done: %s", self.task_id, error)


_delivery: ContextVar[Delivery | None] = ContextVar("delivery", default=None)


class NotRunError(NoResultError):
    """A task was refused. It has no result: one that is there stays."""


async def not_run() -> None:
    """Run instead of a task that was refused."""
    raise NotRunError


class GuardedTask:
    """What a task does otherwise: taskiq asks for its function, and for what that depends on, after it has begun."""

    @property
    def original_func(self) -> Callable[..., Any]:
        delivery = Delivery.current()
        if delivery is None or not delivery.has_begun or delivery.function is None:
            return not_run
        return delivery.function
