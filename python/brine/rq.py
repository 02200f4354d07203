"""RQ, with everything signed that steers a job, its results, and commands to workers.

import brine.rq
from redis import Redis

signed = brine.rq.sign(expires="1d", replay_db="shop.replay")
queue = signed.Queue("shop", connection=Redis())
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import rq as _rq

from brine._errors import UnsupportedError
from brine._rq_jobs import SignedJob
from brine._rq_queues import SignedGroup, SignedQueue, SignedScheduler
from brine._rq_refusals import Refused, refused
from brine._rq_signatures import QueueSignatures
from brine._rq_workers import SignedWorker, send_command
from brine._rq_workers_jobs import WorkersJob

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

    from brine._allow import Allow
    from brine._brine import KeyLike, Trust
    from brine._unsigned import Unsigned

__all__ = ["Refused", "Signed", "refused", "sign"]

KNOWN = ((2, 7), (4, 0))
"""The oldest version that is known, and the first that is not."""


def sign(
    *,
    expires: timedelta | str,
    replay_db: str | Path,
    key: KeyLike | Sequence[KeyLike] | None = None,
    trust: Trust | None = None,
    allow: Allow = "std",
    fallback: Unsigned | None = None,
) -> Signed:
    """Return classes of RQ that sign jobs and results, take signed ones alone, and run each as often as it was signed for.

    - ``expires`` is how long a job waits at most, from its time on if it has one, and how long a result can be read.
    - ``replay_db`` remembers which jobs were run. ``brine replay init`` makes it.
    - ``allow`` is what arguments, meta and results may be, as in `brine.loads`.
    - ``fallback`` lets jobs pass that were never signed, while a system moves, and counts them.

    The context of jobs is ``rq:`` and the name of their queue, that of results the same and ``:results``, and that of commands
    to workers ``rq:commands``. A job has its signer as ``job.signer``.
    """
    found = tuple(int(part) for part in _rq.__version__.split(".")[:2])
    if not KNOWN[0] <= found < KNOWN[1]:
        raise UnsupportedError(
            f"RQ {_rq.__version__} is not known here: versions from 2.7 to 3.x are",
            reason="framework-version",
        )
    return Signed(
        QueueSignatures(
            {
                "key": key,
                "trust": trust,
                "expires": expires,
                "replay_db": replay_db,
                "allow": allow,
                "fallback": fallback,
            }
        )
    )


class Signed:
    """Classes of RQ for signed jobs. Each is used like the one of RQ that has its name."""

    def __init__(self, signatures: QueueSignatures) -> None:
        self._signatures = signatures
        job, queue = _made(SignedJob, signatures=signatures), _made(SignedQueue)
        workers_job = _made(WorkersJob, job)
        job.queue_class = queue
        queue.job_class, queue.workers_job = job, workers_job
        of_workers = {
            "signatures": signatures,
            "job_class": workers_job,
            "queue_class": queue,
            "scheduler_class": _made(SignedScheduler, job_class=workers_job),
        }
        self.Job, self.Queue = job, queue
        self.Worker = _made(SignedWorker, _rq.Worker, **of_workers)
        self.SimpleWorker = _made(SignedWorker, _rq.SimpleWorker, **of_workers)
        self.Group = _made(SignedGroup, job_class=job)

    @cached_property
    def CronScheduler(self) -> Any:
        """Cron of RQ."""
        # What RQ imports for this starts a process to find out where it is.
        from brine._rq_cron import SignedCronScheduler

        return _made(SignedCronScheduler, job_class=self.Job)

    def send_command(self, connection: Any, worker_name: str, command: str, **details: Any) -> None:
        """Send a worker a command of RQ: ``"shutdown"``, ``"kill-horse"``, or ``"stop-job"`` with ``job_id``."""
        send_command(self._signatures, connection, worker_name, {"command": command, **details})


def _made(*kinds: type, **attributes: Any) -> Any:
    return type(kinds[0].__name__, kinds, attributes)
