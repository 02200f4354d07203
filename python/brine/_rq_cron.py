"""Cron of RQ, whose jobs are signed."""

from __future__ import annotations

from typing import Any, ClassVar

from rq.cron import CronScheduler
from rq.utils import now


class SignedCronScheduler(CronScheduler):
    """Enqueues signed jobs at the times of a table."""

    job_class: ClassVar[Any]

    def enqueue_jobs(self) -> list[Any]:
        due = [entry for entry in self.get_jobs() if entry.should_run()]
        for entry in due:
            queue = self.job_class.queue_class(entry.queue_name, connection=self.connection)
            queue.enqueue(entry.func, args=entry.args, kwargs=entry.kwargs, **entry.job_options)
            entry.set_enqueue_time(now())
        return due
