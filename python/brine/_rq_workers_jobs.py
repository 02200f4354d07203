"""Jobs of RQ as workers read them: what is refused is kept, and stands in nobody's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from redis.exceptions import ResponseError
from rq.defaults import DEFAULT_FAILURE_TTL
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus, parse_job_id
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.utils import as_text, current_timestamp

from brine._errors import Error, UntrustedError, UsageError
from brine._rq_jobs import WAITING, SignedJob
from brine._rq_refusals import is_about_a_job, keep
from brine._rq_signatures import readable, runs_left, steering

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class WorkersJob(SignedJob):
    """A job as a worker reads it. What is refused is kept, and is no job for RQ, which goes on with the next one."""

    marked_as_failed: ClassVar[frozenset[str]] = WAITING
    """The states in which somebody waits for a job that may be refused."""

    @classmethod
    def fetch(cls, id: str, connection: Any = None, serializer: Any = None) -> Job:
        (job,) = cls.fetch_many([parse_job_id(id)], connection)
        if job is None:
            raise NoSuchJobError(f"no job: {id}")
        return job

    @classmethod
    def fetch_many(
        cls, job_ids: Iterable[str], connection: Any, serializer: Any = None
    ) -> list[Job | None]:
        ids = [as_text(job_id) for job_id in job_ids]
        with connection.pipeline(transaction=False) as pipeline:
            for job_id in ids:
                pipeline.hgetall(cls.key_for(job_id))
            found = pipeline.execute(raise_on_error=False)
        return [cls._found(*one, connection) for one in zip(ids, found, strict=True)]

    @classmethod
    def _found(cls, job_id: str, found: Any, connection: Any) -> Job | None:
        stored: dict[str, bytes] = {}
        if not found:
            return None
        try:
            if isinstance(found, ResponseError):
                raise UsageError(f"it is no hash: {found}", reason="task-form")
            stored = readable(found)
            job = cls(job_id, connection=connection)
            job.restore(stored)
        except NoSuchJobError:
            return None
        except Exception as error:
            if not is_about_a_job(error):
                raise
            cls._refuse(connection, job_id, stored, error)
            return None
        return job

    @classmethod
    def _refuse(
        cls, connection: Any, job_id: str, stored: Mapping[str, bytes], error: Exception
    ) -> None:
        keep(connection, job_id, stored, error)
        if stored.get("status", b"").decode(errors="replace") in cls.marked_as_failed:
            _mark_as_failed(connection, job_id, stored.get("origin", b""))

    def refuse(self, error: Exception) -> None:
        """Keep this job, which does not run, with the reason. If it waits, it is marked as failed."""
        self._refuse(self.connection, self.id, self._stored(), error)

    def keep(self, error: Exception) -> None:
        """Keep a copy of this job, which is somebody else's, with the reason."""
        keep(self.connection, self.id, self._stored(), error)

    def _stored(self) -> dict[str, bytes]:
        return readable(self.connection.hgetall(self.key))

    def restore(self, raw_data: Any) -> None:
        super().restore(raw_data)
        # It is over in Redis, where anybody can write. It runs again if `requeue` says so.
        self._is_over = False

    def to_dict(self, include_meta: bool = True, include_result: bool = True) -> dict[str, Any]:
        # No worker moves a job to another queue. It would sign there what was signed for this one.
        if self._content is not None and self._content.fields.get("origin") != self.origin.encode():
            raise UntrustedError(f"it is moved to {self.origin!r}", reason="context-mismatch")
        return super().to_dict(include_meta, include_result)

    def _is_signed_again(self, fields: Mapping[str, Any]) -> bool:
        """Whether it is to run once more. Only a retry, a repeat and `requeue` make it another job than it was."""
        content = self._content
        assert content is not None
        now, count = steering(fields), "number_of_retries"
        return (
            self._is_over
            or runs_left(now) < runs_left(content.fields)
            or now.get(count) != content.fields.get(count)
        )

    @property
    def is_at_work(self) -> bool:
        """Whether it has begun here, so that nobody has to be believed about how it ends."""
        return self._came is None or self._came.is_consumed

    def refused_next(self) -> Error | None:
        """Use the right to what follows. Return the reason if it is refused, with which the job is kept."""
        try:
            self._use_next()
        except Error as error:
            if not is_about_a_job(error):
                raise
            self.refuse(error)
            return error
        return None

    def retry(self, queue: Any, pipeline: Any) -> None:
        error = self.refused_next()
        if error is None:
            super().retry(queue, pipeline)
            return
        self.set_status(JobStatus.FAILED, pipeline=pipeline)
        self._handle_failure(f"no retry: {error}", pipeline)


class QueuesJob(WorkersJob):
    """A job that a worker finds in a registry of a queue. One of another queue is none there."""

    queue_name: ClassVar[str]

    @classmethod
    def fetch_many(
        cls, job_ids: Iterable[str], connection: Any, serializer: Any = None
    ) -> list[Job | None]:
        return [of_queue(cls.queue_name, job) for job in super().fetch_many(job_ids, connection)]


class LostJob(QueuesJob):
    """A job whose worker looks lost. Only Redis says so, and is believed once: what follows is done by one right."""

    marked_as_failed: ClassVar[frozenset[str]] = WAITING | {JobStatus.STARTED.value}

    @classmethod
    def fetch_many(
        cls, job_ids: Iterable[str], connection: Any, serializer: Any = None
    ) -> list[Job | None]:
        found: list[Any] = super().fetch_many(job_ids, connection)
        return [job if job is not None and job.taken_as_lost() else None for job in found]

    def taken_as_lost(self) -> bool:
        """Use the right to what follows, if Redis says that the job has begun, and return whether it may follow."""
        return self.get_status(refresh=False) == JobStatus.STARTED and self.refused_next() is None


def of_queue(name: str, job: Any) -> Any:
    """Return a job that lay in a queue, if it was sent there. A copy of any other is kept, and it stays where it is."""
    if job is None or job.origin == name:
        return job
    told = f"it was sent to queue {job.origin!r}, and lay in {name!r}"
    job.keep(UntrustedError(told, reason="context-mismatch"))
    return None


def queues_job(workers_job: Any, name: str, kind: type[QueuesJob] = QueuesJob) -> Any:
    """Return the class of the jobs that a worker finds in a registry of a queue."""
    return type(kind.__name__, (kind, workers_job), {"queue_name": name})


class SignedStartedJobRegistry(StartedJobRegistry):
    """What a queue has at work. Jobs that a lost worker leaves behind are handled as signed ones."""

    queue_class: Any

    def get_queue(self) -> Any:
        own = self.queue_class.workers_job
        return self.queue_class(self.name, connection=self.connection, job_class=own)

    def __contains__(self, item: Any) -> bool:
        return super().__contains__(getattr(item, "id", item))


def started_jobs(queue_class: Any, name: str, connection: Any) -> SignedStartedJobRegistry:
    """Return what a queue has at work, as workers see it, whoever looks."""
    lost = queues_job(queue_class.workers_job, name, LostJob)
    found = SignedStartedJobRegistry(name, connection, job_class=lost)
    found.queue_class = queue_class
    return found


def _mark_as_failed(connection: Any, job_id: str, origin: bytes) -> None:
    key = SignedJob.key_for(job_id)
    registry = FailedJobRegistry(origin.decode(errors="replace"), connection=connection)
    with connection.pipeline() as pipeline:
        pipeline.hset(key, "status", JobStatus.FAILED.value)
        pipeline.expire(key, DEFAULT_FAILURE_TTL)
        pipeline.zadd(registry.key, {job_id: current_timestamp() + DEFAULT_FAILURE_TTL})
        pipeline.execute()
