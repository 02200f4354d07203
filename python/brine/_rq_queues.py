"""Queues of RQ whose jobs are signed, and what belongs to them: schedulers and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rq import Queue
from rq.group import Group
from rq.job import Job, JobStatus
from rq.scheduler import RQScheduler
from rq.serializers import DefaultSerializer
from rq.utils import as_text, current_timestamp, get_version, import_attribute

from brine._errors import UsageError
from brine._rq_refusals import keep
from brine._rq_results import JobValues
from brine._rq_workers_jobs import of_queue, started_jobs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

DEFAULT_SERIALIZERS = (None, DefaultSerializer, "rq.serializers.DefaultSerializer", "pickle")

MOST_AT_ONCE = 1000
"""How many jobs a scheduler looks at for one queue, before it looks at the next one."""


class SignedQueue(Queue):
    """A queue that takes jobs of its own class, and no others."""

    workers_job: ClassVar[Any]

    def __init__(
        self,
        name: str = "default",
        connection: Any = None,
        default_timeout: int | None = None,
        is_async: bool = True,
        job_class: Any = None,
        serializer: Any = None,
        **named: Any,
    ):
        own: Any = type(self).job_class
        check_class("job_class", job_class, (Job, own, self.workers_job))
        check_serializer(serializer)
        kind = self.workers_job if job_class is self.workers_job else own
        super().__init__(name, connection, default_timeout, is_async, job_class=kind, **named)
        self.serializer: Any = JobValues()
        # It is found out here that there can be no such queue.
        own.signatures.of(name)

    @classmethod
    def dequeue_any(
        cls,
        queues: Iterable[Queue],
        timeout: int | None,
        connection: Any,
        job_class: Any = None,
        serializer: Any = None,
        death_penalty_class: Any = None,
    ) -> tuple[Job, Queue] | None:
        """Return the next job that is one, and its queue."""
        keys = [queue.key for queue in queues]
        while True:
            if len(keys) == 1 and get_version(connection) >= (6, 2, 0):
                found = cls.lmove(connection, keys[0], timeout)
            else:
                found = cls.lpop(keys, timeout, connection=connection)
            if found is None:
                return None
            queue: Any = cls.from_queue_key(
                as_text(found[0]),
                connection=connection,
                job_class=cls.workers_job,
                death_penalty_class=death_penalty_class,
            )
            if (job := queue.taken(found[1])) is not None:
                return job, queue

    def taken(self, name: bytes) -> Job | None:
        """Return the job that was taken from here by its name. One that is refused stays nowhere but with its reason."""
        try:
            job = self.named(name)
        except BaseException:
            # Nobody has judged it.
            self.give_back(name)
            raise
        if job is None:
            self._forget(name)
        return job

    def named(self, name: bytes) -> Job | None:
        """Return the job of this queue that has a name, if there is one. What is refused is kept."""
        try:
            (job,) = self.job_class.fetch_many([name.decode()], self.connection)
        except UnicodeDecodeError as error:
            keep(self.connection, None, {"data": name}, error)
            return None
        found: Job | None = of_queue(self.name, job)
        return found

    def _forget(self, name: bytes | str) -> None:
        self.connection.lrem(self.intermediate_queue_key, 1, name)  # type: ignore[arg-type]

    def give_back(self, name: Any) -> None:
        """Put back what was taken from here, where nothing can be judged."""
        self.connection.lpush(self.key, name)
        self._forget(name)

    def set_aside(self, job: Any, error: Exception) -> None:
        """Keep a job that was taken from here, with the reason for which it is refused."""
        try:
            job.refuse(error)
        except BaseException:
            self.give_back(job.id)
            raise
        self._forget(job.id)

    def enqueue_job(self, job: Any, *arguments: Any, **named: Any) -> Any:
        job.not_before = None
        return super().enqueue_job(job, *arguments, **named)

    def schedule_job(self, job: Any, datetime: datetime, *arguments: Any, **named: Any) -> Any:
        job.not_before = int(datetime.timestamp())
        # Older versions say so later, or not at all.
        job._status = JobStatus.SCHEDULED
        return super().schedule_job(job, datetime, *arguments, **named)

    @property
    def started_job_registry(self) -> Any:
        return started_jobs(type(self), self.name, self.connection)


class SignedScheduler(RQScheduler):
    """Moves jobs whose time has come to their queues."""

    job_class: ClassVar[Any]

    def enqueue_scheduled_jobs(self) -> None:
        self._status = self.Status.WORKING
        if not self._scheduled_job_registries and self._acquired_locks:
            self.prepare_registries()
        for registry in self._scheduled_job_registries:
            queue = self.job_class.queue_class(
                registry.name, connection=self.connection, job_class=self.job_class
            )
            now = current_timestamp()
            due: Any = self.connection.zrangebyscore(
                registry.key, 0, now, start=0, num=MOST_AT_ONCE
            )
            for name in due:
                with self.connection.pipeline() as pipeline:
                    pipeline.zrem(registry.key, name)
                    if (job := queue.named(name)) is not None:
                        _enqueue(queue, job, pipeline)
                    pipeline.execute()
        self._status = self.Status.STARTED


def _enqueue(queue: Any, job: Any, pipeline: Any) -> None:
    # Older versions have neither of these.
    at_front = getattr(job, "should_enqueue_at_front", lambda: bool(job.enqueue_at_front))()
    is_limited = getattr(job, "has_rate_limit", False)
    enqueue = queue._enqueue_rate_limited_job if is_limited else queue._enqueue_job
    enqueue(job, pipeline=pipeline, at_front=at_front)


class SignedGroup(Group):
    """Jobs that were enqueued together."""

    job_class: ClassVar[Any]

    def get_jobs(self) -> list[Any]:
        self.cleanup()  # type: ignore[no-untyped-call]
        # The types of some clients say that it may have to be awaited.
        members: Any = self.connection.smembers(self.key)
        ids = [as_text(job_id) for job_id in members]
        found = self.job_class.fetch_many(ids, self.connection)
        # The group is signed of each job. Which jobs it has, Redis says.
        return [job for job in found if job is not None and job.group_id == self.name]


def check_class(what: str, given: Any, known: tuple[type, ...]) -> None:
    """Raise `UsageError` for a class with which something would be left unsigned."""
    kind = import_attribute(given) if isinstance(given, str) else given
    if kind is not None and kind not in known:
        raise UsageError(f"{what}: what is signed has classes of its own", reason="usage")


def check_serializer(given: Any) -> None:
    """Raise `UsageError` for a serializer that would take the place of the signed one."""
    if not (isinstance(given, JobValues) or given in DEFAULT_SERIALIZERS):
        raise UsageError("serializer: what is signed has one of its own", reason="usage")
