"""Jobs of RQ as workers read them: what is refused is kept, and stands in nobody's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError
from rq.defaults import DEFAULT_FAILURE_TTL
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus, parse_job_id
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.utils import as_text, current_timestamp, decode_redis_hash

from brine._errors import Error, UntrustedError, UsageError
from brine._refused_tasks import is_verdict
from brine._rq_jobs import WAITING, SignedJob
from brine._rq_refusals import keep
from brine._rq_signatures import runs_left, steering

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class WorkersJob(SignedJob):
    """A job as a worker reads it. What is refused is kept, and is no job for RQ, which goes on with the next one."""

    @classmethod
    def fetch(cls, id: str, connection: Any = None, serializer: Any = None) -> Job:
        (job,) = cls.fetch_many([id], connection)
        if job is None:
            raise NoSuchJobError(f"no job: {id}")
        return job

    @classmethod
    def fetch_many(
        cls, job_ids: Iterable[str], connection: Any, serializer: Any = None
    ) -> list[Job | None]:
        ids = [parse_job_id(as_text(job_id)) for job_id in job_ids]
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
            stored = decode_redis_hash(found)
            job = cls(job_id, connection=connection)
            job.restore(stored)
        except NoSuchJobError:
            return None
        except Exception as error:
            if not is_verdict(error):
                raise
            _refuse(connection, job_id, stored, error)
            return None
        return job

    def refuse(self, error: Exception) -> None:
        """Keep this job, which does not run, with the reason. If it waits, it is marked as failed."""
        _refuse(self.connection, self.id, self._stored(), error)

    def keep(self, error: Exception) -> None:
        """Keep a copy of this job, which is somebody else's, with the reason."""
        keep(self.connection, self.id, self._stored(), error)

    def _stored(self) -> dict[str, bytes]:
        return decode_redis_hash(self.connection.hgetall(self.key))

    def restore(self, raw_data: Any) -> None:
        super().restore(raw_data)
        # It is over in Redis, where anybody can write. It runs again if `requeue` says so.
        self._is_over = False

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

    def retry(self, queue: Any, pipeline: Any) -> None:
        try:
            if queue.name != self.origin:
                raise UntrustedError(f"it is of queue {self.origin!r}", reason="context-mismatch")
            self._use_next()
        except Error as error:
            if not is_verdict(error):
                raise
            self.refuse(error)
            self.set_status(JobStatus.FAILED, pipeline=pipeline)
            self._handle_failure(f"no retry: {error}", pipeline)
        else:
            super().retry(queue, pipeline)


class SignedStartedJobRegistry(StartedJobRegistry):
    """What a queue has at work. Jobs that a lost worker leaves behind are handled as signed ones."""

    queue_class: Any

    def get_queue(self) -> Any:
        return self.queue_class(self.name, connection=self.connection, job_class=self.job_class)

    def __contains__(self, item: Any) -> bool:
        return super().__contains__(getattr(item, "id", item))


def started_jobs(queue_class: Any, name: str, connection: Any) -> SignedStartedJobRegistry:
    """Return what a queue has at work, as workers see it, whoever looks."""
    found = SignedStartedJobRegistry(name, connection, job_class=queue_class.workers_job)
    found.queue_class = queue_class
    return found


def _refuse(connection: Any, job_id: str, stored: Mapping[str, bytes], error: Exception) -> None:
    """Keep what is refused. A job that waits is marked as failed, for whoever waits for it."""
    keep(connection, job_id, stored, error)
    if stored.get("status", b"").decode(errors="replace") not in WAITING:
        return
    key = SignedJob.key_for(job_id)
    origin = stored.get("origin", b"").decode(errors="replace")
    with connection.pipeline() as pipeline:
        pipeline.hset(key, "status", JobStatus.FAILED.value)
        pipeline.expire(key, DEFAULT_FAILURE_TTL)
        registry = FailedJobRegistry(origin, connection=connection)
        pipeline.zadd(registry.key, {job_id: current_timestamp() + DEFAULT_FAILURE_TTL})
        pipeline.execute()
