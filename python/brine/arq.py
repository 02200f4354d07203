"""arq, with jobs and results signed.

import arq
import brine.arq

pool = brine.arq.sign(await arq.create_pool(), expires="1d", replay_db="shop.replay")

class WorkerSettings:
    functions = [add]

brine.arq.sign(WorkerSettings, expires="1d", replay_db="shop.replay")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from arq.connections import ArqRedis
from arq.constants import default_queue_name
from arq.version import VERSION
from arq.worker import func

from brine._arq_deliveries import REFUSED
from brine._arq_jobs import guarded, later
from brine._arq_pool import SignedPool, deserialize, serialize, sign_pool
from brine._errors import UsageError
from brine._frameworks import refuse_unknown_version
from brine._refused_tasks import Refused, records
from brine._task_signatures import TaskSignatures, queue_context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

    from brine._allow import Allow
    from brine._brine import KeyLike, Trust
    from brine._unsigned import Unsigned

__all__ = ["Refused", "refused", "sign"]

KNOWN_MINORS = ("0.26", "0.27", "0.28")

ALLOWED = (
    "arq.jobs:DeserializationError",
    "arq.jobs:SerializationError",
    "arq.worker:JobExecutionFailed",
    "arq.worker:Retry",
    "arq.worker:RetryJob",
    "asyncio.exceptions:CancelledError",
    "brine:AlteredError",
    "brine:InputOutputError",
    "brine:ReplayedError",
    "brine:UnsupportedError",
    "brine:UntrustedError",
    "brine:UsageError",
)
"""How jobs end in arq itself, and here."""

_S = TypeVar("_S")


def sign(
    of: _S,
    *,
    expires: timedelta | str,
    replay_db: str | Path,
    key: KeyLike | Sequence[KeyLike] | None = None,
    trust: Trust | None = None,
    allow: Allow = "std",
    fallback: Unsigned | None = None,
) -> _S:
    """Have a pool of arq, or a worker by its settings, sign jobs and results, take signed ones alone, and run each once.

    Returns the same pool or settings: a class, or a dictionary of what `arq.Worker` takes.

    - ``expires`` is how long a job waits at most, from its time on if it has one, and how long a result can be read. It
      stands for ``expires_extra_ms`` of arq.
    - ``replay_db`` remembers which jobs were run. ``brine replay init`` makes it.
    - ``allow`` is what arguments and results may be, as in `brine.loads`.
    - ``fallback`` lets jobs pass that were never signed, while a system moves, and counts them.

    The context of jobs is ``arq:`` and the name of the queue, that of results the same and ``:results``. A job that runs
    has its signer as ``ctx["signer"]``.
    """
    refuse_unknown_version("arq", VERSION, *KNOWN_MINORS)

    def for_queue(name: str) -> TaskSignatures:
        return TaskSignatures(
            queue_context("arq", name),
            key=key,
            trust=trust,
            expires=expires,
            replay_db=replay_db,
            allow=allow,
            always_allowed=ALLOWED,
            fallback=fallback,
        )

    if isinstance(of, ArqRedis):
        sign_pool(of, for_queue(of.default_queue_name))
    elif isinstance(of, dict | type):
        settings = _Settings(of)
        settings.sign(for_queue(settings.queue))
    else:
        raise UsageError(
            f"expected a pool or the settings of a worker, and not {type(of).__qualname__}",
            reason="usage",
        )
    return of


async def refused(pool: Any) -> list[Refused]:
    """Return the jobs of the queue of a pool that were refused, in the order of time."""
    kept = await pool.hgetall(REFUSED + pool.default_queue_name)
    return records(kept.values())


class _Settings:
    """The settings of a worker: a class, or a dictionary."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._pool = self._get("redis_pool")
        name = self._get("queue_name", default_queue_name)
        self.queue: str = self._pool.default_queue_name if name is None else name

    def sign(self, signatures: TaskSignatures) -> None:
        if self._get("job_serializer") or self._get("job_deserializer"):
            raise UsageError("settings that are signed have no serializer", reason="usage")
        if not self._get("retry_jobs", True):
            raise UsageError(
                "a job that cannot be judged now is retried: retry_jobs=False loses it",
                reason="usage",
            )
        if self._pool is not None:
            self._sign_pool(signatures)
        self._set(
            functions=[*(guarded(func(one)) for one in self._get("functions", ())), later()],
            cron_jobs=[guarded(one) for one in self._get("cron_jobs") or ()],
            job_serializer=serialize,
            job_deserializer=deserialize,
            on_startup=_after_signing(signatures, self._get("on_startup")),
        )

    def _sign_pool(self, signatures: TaskSignatures) -> None:
        if not isinstance(self._pool, SignedPool):
            sign_pool(self._pool, signatures)
        self._set(redis_pool=self._pool.of_queue(self.queue))

    def _get(self, name: str, default: Any = None) -> Any:
        # arq reads what a class has itself, and not what it inherits.
        found = self._settings if isinstance(self._settings, dict) else vars(self._settings)
        return found.get(name, default)

    def _set(self, **changes: Any) -> None:
        if isinstance(self._settings, dict):
            self._settings.update(changes)
        else:
            for name, value in changes.items():
                setattr(self._settings, name, value)


def _after_signing(signatures: TaskSignatures, started: Any) -> Any:
    """Sign the pool that a worker has made, before anything else."""

    async def on_startup(ctx: dict[Any, Any]) -> None:
        pool = ctx["redis"]
        if not isinstance(pool, SignedPool):
            sign_pool(pool, signatures)
        elif pool.signatures.context != signatures.context:
            raise UsageError(
                f'the worker is of "{signatures.context}", and its pool of "{pool.signatures.context}"',
                "a pool is of its default_queue_name",
                "usage",
            )
        if started is not None:
            await started(ctx)

    return on_startup
