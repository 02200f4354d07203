"""Jobs that a worker of arq has taken: verified where they are read, and held while they run."""

from __future__ import annotations

import hashlib
import threading
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from arq.utils import timestamp_ms
from redis.exceptions import RedisError

from brine._errors import Error
from brine._lease_keeper import Held, LeaseKeeper
from brine._refused_tasks import Refused, is_verdict, log, logger

if TYPE_CHECKING:
    from brine._arq_pool import SignedPool
    from brine._task_signatures import OpenedTask

REFUSED = "brine:refused:"

LATER = "brine:later"
"""The function that arq runs instead of a job that cannot be judged now."""

LEASE = timedelta(seconds=30)
"""How long a job is held for a worker that has died. One that lives renews it."""

_keeper = LeaseKeeper(LEASE.total_seconds())


class Opened(bytes):
    """The pickle of a job or a result that has verified, and what was loaded from it."""

    content: dict[str, Any]


class Delivery(Held):
    """A job that a worker has taken."""

    def __init__(self, pool: SignedPool, job_id: str, value: bytes) -> None:
        self.job_id, self._pool, self._value = job_id, pool, value
        self._opened: OpenedTask | None = None
        self._settling = threading.Lock()
        self._is_over = False
        self.error: Exception | None = None
        self.has_begun = False

    @staticmethod
    def current() -> Delivery | None:
        """Return that of the job that runs. arq runs each in a context of its own."""
        return _delivery.get()

    @property
    def signer(self) -> str | None:
        """Who signed it, if anybody did."""
        return None if self._opened is None else self._opened.verified.signer

    @property
    def eta_ms(self) -> int:
        """When it runs at the earliest."""
        return 0 if self._opened is None else self._opened.content.get("eta") or 0

    async def read(self) -> bytes:
        """Verify it. arq gets what it cannot load of one that is refused, and another job for one that waits."""
        _delivery.set(self)
        try:
            found, self._opened = self._pool.open_job(self.job_id, self._value)
        except Exception as error:  # noqa: BLE001
            return b"\0" if await self.is_refused(error) else _later()
        return found

    def begin(self) -> None:
        """Judge it as of now, and hold it, unless it has ended meanwhile: nobody waits for the thread of a job that arq
        has aborted."""
        with self._settling:
            if not self._is_over:
                self._hold()

    def end(self, is_done: bool) -> None:
        """Note that it never runs again, or that it does. arq also ends what never began: it was aborted, or tried too
        often."""
        with self._settling:
            self._is_over = True
            try:
                if is_done and not self.has_begun and self.error is None:
                    self._hold()
                lease, self._lease = self._lease, None
                if lease is not None:
                    lease.commit() if is_done else lease.give_back()
            except Error as error:
                logger.error("cannot note how job %r ended: %s", self.job_id, error)

    def _hold(self) -> None:
        # What was let through unsigned cannot be held.
        if self._opened is not None:
            self._lease = self._pool.signatures.lease(self._opened, LEASE)
            self._pool.waits.begin()
            _keeper.keep(self)
        self.has_begun = True

    async def is_refused(self, error: Exception) -> bool:
        """Keep it with the reason, once. It waits instead while it cannot be judged, or cannot be kept."""
        if is_verdict(error):
            try:
                await self._keep(error)
            except RedisError as unkept:
                error = unkept
            else:
                self.error = error
                return True
        if getattr(error, "reason", None) != "replay-busy":
            self._pool.waits.say(error)
        return False

    async def _keep(self, error: Exception) -> None:
        place = REFUSED + self._pool.default_queue_name
        kept = Refused.of(error, self._value, self.job_id)
        field = f"{self.job_id} {hashlib.sha256(self._value).hexdigest()} {kept.reason}"
        if await self._pool.hsetnx(place, field, kept.to_json()):
            log(self._pool.signatures.context, error)


_delivery: ContextVar[Delivery | None] = ContextVar("delivery", default=None)


def _later() -> Opened:
    found = Opened(b"\0")
    found.content = {"f": LATER, "a": (), "k": {}, "t": None, "et": timestamp_ms()}
    return found
