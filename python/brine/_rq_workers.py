"""Workers of RQ that run signed jobs, and obey signed commands."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import redis
import rq.registry
from rq import Queue
from rq.command import PUBSUB_CHANNEL_TEMPLATE, handle_command
from rq.defaults import DEFAULT_LOGGING_DATE_FORMAT, DEFAULT_LOGGING_FORMAT, DEFAULT_RESULT_TTL
from rq.job import Job, JobStatus
from rq.utils import ensure_job_list, now
from rq.worker import BaseWorker, WorkerStatus
from rq.worker_registration import clean_worker_registry

from brine._errors import Error, UsageError
from brine._objects import pickled
from brine._refused_tasks import logger
from brine._rq_queues import check_class, check_serializer
from brine._rq_refusals import is_about_a_job, is_interruption, keep
from brine._rq_results import JobValues
from brine._rq_workers_jobs import queues_job
from brine._task_signatures import OpenedTask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from brine._rq_signatures import QueueSignatures

REGISTRIES = ("FinishedJobRegistry", "FailedJobRegistry", "DeferredJobRegistry", "ReadyJobRegistry")
"""What is cleaned, besides jobs at work. The last one is not in all versions."""


class SignedWorker(BaseWorker):
    """What a worker does otherwise."""

    signatures: ClassVar[QueueSignatures]
    scheduler_class: ClassVar[Any]

    def __init__(
        self,
        queues: Any,
        name: str | None = None,
        default_result_ttl: int = DEFAULT_RESULT_TTL,
        connection: Any = None,
        *,
        job_class: Any = None,
        queue_class: Any = None,
        serializer: Any = None,
        **named: Any,
    ):
        own_queue: Any = self.queue_class
        check_class("job_class", job_class, (Job, self.job_class, own_queue.job_class))
        check_class("queue_class", queue_class, (Queue, own_queue))
        check_serializer(serializer)
        own = [self._own_queue(queue) for queue in ensure_job_list(queues)]
        super().__init__(own, name, default_result_ttl, connection, **named)
        self.serializer: Any = JobValues()

    def _own_queue(self, queue: Any) -> Any:
        """Return a queue whose jobs are refused, and not raised, where they are not as they were signed."""
        if not isinstance(queue, Queue):
            return queue
        return self.queue_class(
            queue.name,
            connection=queue.connection,
            job_class=self.job_class,
            death_penalty_class=queue.death_penalty_class,
        )

    def execute_job(self, job: Any, queue: Any) -> None:
        # A worker that is asked to stop now does so after this job, which is noted as begun below.
        self._state: str = WorkerStatus.BUSY
        if self._is_early(job):
            self._put_back(job, queue)
            return
        try:
            job.begin()
        except BaseException as error:
            if not isinstance(error, Error) or not is_about_a_job(error):
                # It ends the worker, and the job waits for one that can judge it.
                queue.give_back(job.id)
                raise
            queue.set_aside(job, error)
            return
        super().execute_job(job, queue)

    def _is_early(self, job: Any) -> bool:
        return job.not_before is not None and datetime.now(UTC).timestamp() < job.not_before

    def _put_back(self, job: Any, queue: Any) -> None:
        """Have a job wait for its time, as its signer meant it."""
        with self.connection.pipeline() as pipeline:
            job.set_status(JobStatus.SCHEDULED, pipeline=pipeline)
            due = datetime.fromtimestamp(job.not_before, UTC)
            queue.scheduled_job_registry.schedule(job, due, pipeline=pipeline)
            pipeline.lrem(queue.intermediate_queue_key, 1, job.id)
            pipeline.execute()

    def handle_job_failure(self, job: Any, *arguments: Any, **named: Any) -> None:
        """Do what follows a failure. That a job was left by a worker, only Redis says, and is believed once."""
        if job.is_at_work or job.refused_next() is None:
            super().handle_job_failure(job, *arguments, **named)

    def handle_payload(self, message: Any) -> None:
        """Do what a command says, if it was signed for this worker, within its minute, and for the first time."""
        commands = self.signatures.commands
        try:
            opened = commands.open(message["data"], about(self.name))
            if not isinstance(opened, OpenedTask) or not _is_command(opened.content):
                raise UsageError("it is no command", reason="task-form")
            commands.consume(opened)
        except Exception as error:  # noqa: BLE001
            refused = {"data": message["data"]}
            _whatever_is_there(partial(keep, self.connection, None, refused, error))
            return
        handle_command(self, opened.content)

    def clean_registries(self) -> None:
        queues: list[Any] = self.queues
        for queue in queues:
            if queue.acquire_maintenance_lock():
                try:
                    for clean in self._cleaners_of(queue):
                        _whatever_is_there(clean)
                finally:
                    queue.release_maintenance_lock()
        self.last_cleaned_at: Any = now()

    def run_maintenance_tasks(self) -> None:
        _whatever_is_there(super().run_maintenance_tasks)

    def _cleaners_of(self, queue: Any) -> Iterator[Callable[[], Any]]:
        started = queue.started_job_registry
        yield partial(started.cleanup, exception_handlers=self._exc_handlers)
        own = queues_job(queue.job_class, queue.name)
        for name in REGISTRIES:
            kind = getattr(rq.registry, name, None)
            if kind is not None:
                yield kind(queue.name, connection=queue.connection, job_class=own).cleanup
        yield partial(_clean_limits, queue)
        yield partial(clean_worker_registry, queue)
        yield partial(queue.intermediate_queue.cleanup, self, queue)

    def _start_scheduler(
        self,
        burst: bool = False,
        logging_level: Any = "INFO",
        date_format: str = DEFAULT_LOGGING_DATE_FORMAT,
        log_format: str = DEFAULT_LOGGING_FORMAT,
    ) -> None:
        scheduler = self.scheduler_class(
            self.queues,
            connection=self.connection,
            logging_level=self.log.level if logging_level is None else logging_level,
            date_format=date_format,
            log_format=log_format,
            serializer=self.serializer,
        )
        self.scheduler = scheduler
        scheduler.acquire_locks()
        if scheduler.acquired_locks and burst:
            try:
                scheduler.enqueue_scheduled_jobs()
            finally:
                scheduler.release_locks()
        elif scheduler.acquired_locks:
            scheduler.start()


def _clean_limits(queue: Any) -> None:
    limits = getattr(rq.registry, "RateLimitRegistry", None)
    for limit in limits.all(queue.connection) if limits else ():
        limit.cleanup()


def _whatever_is_there(do: Callable[[], Any]) -> None:
    """Do something beside the jobs. What anybody writes to Redis ends no worker, and keeps nothing else from being done."""
    try:
        do()
    except (redis.ConnectionError, redis.TimeoutError):
        raise
    except Exception as error:
        if is_interruption(error):
            raise
        logger.exception("what a worker of RQ does beside its jobs has failed")


def _is_command(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("command"), str)


def about(worker: str) -> bytes:
    """Return what a command is about: one worker."""
    return b"command to " + worker.encode()


def send_command(
    signatures: QueueSignatures, connection: Any, worker: str, command: dict[str, Any]
) -> None:
    """Sign a command to a worker, and publish it."""
    signed = signatures.commands.sign(pickled(command, False), about(worker))
    connection.publish(PUBSUB_CHANNEL_TEMPLATE % worker, signed)
