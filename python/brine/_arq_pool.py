"""A pool of arq whose jobs and results are signed where they are written, and verified where they are read."""

from __future__ import annotations

import asyncio
import copy
import uuid
from contextvars import ContextVar
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from arq.constants import in_progress_key_prefix, job_key_prefix, result_key_prefix
from arq.utils import timestamp_ms, to_ms, to_unix_ms
from redis.asyncio.client import Pipeline

from brine._arq_deliveries import LATER, Delivery, Opened
from brine._errors import UsageError
from brine._frameworks import as_text, put_in_front
from brine._objects import pickled
from brine._refused_tasks import WaitLog
from brine._task_signatures import TASK, OpenedTask, TaskSignatures, queue_context

if TYPE_CHECKING:
    from arq.jobs import Job

MAX_TRIES = 2**31
MAX_TIME_MS = 2**47
"""The year 6429. What is later is no time for Python, and would end a worker."""


def sign_pool(pool: Any, signatures: TaskSignatures) -> None:
    """Make a pool one that signs."""
    if isinstance(pool, SignedPool):
        raise UsageError("it is signed already", reason="usage")
    if (pool.job_serializer, pool.job_deserializer) not in ((None, None), (serialize, deserialize)):
        raise UsageError("a pool that is signed has no serializer", reason="usage")
    # What arq does with Redis is done by methods of this class; this is one more in front of them.
    put_in_front(pool, SignedPool)
    pool.signatures, pool.waits = signatures, WaitLog(signatures.context, "jobs")
    pool.job_serializer, pool.job_deserializer = serialize, deserialize
    pool.expires_extra_ms = to_ms(signatures.lifetime)


def serialize(data: dict[str, Any]) -> bytes:
    """Pickle a job, with what arq keeps beside it, or a result."""
    is_result = "s" in data
    return pickled(data if is_result else {**data, **_beside.get()}, False)


def deserialize(data: bytes) -> dict[str, Any]:
    """Return what was loaded when it verified."""
    if isinstance(data, Opened):
        return data.content
    delivery = Delivery.current()
    raise (delivery and delivery.error) or UsageError("nobody has verified it", reason="usage")


_beside: ContextVar[dict[str, Any]] = ContextVar("beside")
"""What arq keeps beside the job that is being sent."""


class _SignedKeys:
    """What a client and its pipelines write otherwise: the values of keys of arq."""

    signatures: TaskSignatures

    def psetex(self, name: Any, time_ms: Any, value: Any) -> Any:
        if as_text(name).startswith(job_key_prefix):
            # The signature expires when the key does.
            value = self.signatures.sign(value, TASK, lifetime=timedelta(milliseconds=time_ms))
        return super().psetex(name, time_ms, value)  # type: ignore[misc]

    def set(self, name: Any, value: Any, *more: Any, **options: Any) -> Any:
        if as_text(name).startswith(result_key_prefix):
            value = self.signatures.sign(value, _about(name), is_result=True)
            delivery = Delivery.current()
            # What is said of a job that did not run is no reason to forget what one that ran has returned.
            options["nx"] = delivery is None or not delivery.has_begun
            # arq says 0 of a failure that is kept forever, which is no time for Redis.
            options["px"] = options.get("px") or None
        return super().set(name, value, *more, **options)  # type: ignore[misc]


class _SignedPipeline(_SignedKeys, Pipeline):  # type: ignore[misc]
    """What a pipeline does otherwise."""

    def __init__(self, pool: SignedPool, *options: Any) -> None:
        super().__init__(pool.connection_pool, pool.response_callbacks, *options)
        self._pool, self.signatures = pool, pool.signatures

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands = [args for args, _ in self.command_stack]
        found = await super().execute(raise_on_error)
        for at, (command, *names) in enumerate(commands):
            if command == "GET" and isinstance(found[at], bytes):
                found[at] = await self._read(as_text(names[0]), found[at])
        await _end(commands)
        return found

    async def _read(self, name: str, value: bytes) -> bytes:
        if name.startswith(job_key_prefix):
            return await Delivery(self._pool, name.removeprefix(job_key_prefix), value).read()
        if name.startswith(result_key_prefix):
            return self._pool.open_result(name, value)
        return value


async def _end(commands: list[Any]) -> None:
    """Note how the job that runs has ended, if arq did: it lets go of a job, and deletes one that it never runs again."""
    delivery = Delivery.current()
    if delivery is None:
        return
    let_go = [args[1:] for args in commands if args[0] in ("DEL", "PEXPIRE")]
    names = {name for args in let_go for name in args}
    if in_progress_key_prefix + delivery.job_id in names:
        is_done = job_key_prefix + delivery.job_id in names
        await asyncio.to_thread(delivery.end, is_done)


class SignedPool(_SignedKeys):
    """What a pool does otherwise."""

    connection_pool: Any
    response_callbacks: Any
    default_queue_name: str
    hsetnx: Any
    waits: WaitLog

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Any:
        return _SignedPipeline(self, transaction, shard_hint)

    async def get(self, name: Any) -> Any:
        value = await super().get(name)  # type: ignore[misc]
        if isinstance(value, bytes):
            if as_text(name).startswith(job_key_prefix):
                return self.open_job(as_text(name).removeprefix(job_key_prefix), value)[0]
            if as_text(name).startswith(result_key_prefix):
                return self.open_result(name, value)
        return value

    async def enqueue_job(
        self,
        function: str,
        *args: Any,
        _job_id: str | None = None,
        _queue_name: str | None = None,
        **options: Any,
    ) -> Job | None:
        queue = self.of_queue(_queue_name or self.default_queue_name)
        return await queue._send(_job_id or uuid.uuid4().hex, function, *args, **options)

    async def _send(self, job_id: str, function: str, *args: Any, **options: Any) -> Job | None:
        until, by = options.get("_defer_until"), to_ms(options.get("_defer_by"))
        eta = to_unix_ms(until) if until else timestamp_ms() + by if by else None
        token = _beside.set({"id": job_id, "eta": eta})
        try:
            sent: Job | None = await super().enqueue_job(function, *args, _job_id=job_id, **options)  # type: ignore[misc]
        finally:
            _beside.reset(token)
        return sent

    def of_queue(self, name: str) -> SignedPool:
        """Return a pool with the same connections for another queue."""
        if name == self.default_queue_name:
            return self
        other = copy.copy(self)
        other.default_queue_name = name
        other.signatures = self.signatures.for_context(queue_context("arq", name))
        other.waits = WaitLog(other.signatures.context, "jobs")
        return other

    def open_job(self, job_id: str, value: bytes) -> tuple[Opened, OpenedTask | None]:
        """Verify a job, and that it is the one of this id. What was let through unsigned has no envelope."""
        opened = self.signatures.open(value, TASK)
        found = _opened(opened, value)
        _check_form(found.content)
        if not isinstance(opened, OpenedTask):
            return found, None
        if found.content.get("id") != job_id:
            raise UsageError("it is of another job", reason="task-moved")
        return found, opened

    def open_result(self, name: Any, value: bytes) -> Opened:
        """Verify a result, and that it is the one of this key."""
        return _opened(self.signatures.open(value, _about(name), is_result=True), value)


def _opened(opened: OpenedTask | Any, value: bytes) -> Opened:
    if isinstance(opened, OpenedTask):
        found = Opened(opened.verified.payload)
        found.content = opened.content
    else:
        found = Opened(value)
        found.content = opened
    return found


def _check_form(job: Any) -> None:
    """Refuse what would end a worker of arq, where anybody believed has signed it."""
    fits = (
        isinstance(job, dict)
        and isinstance(job.get("f"), str)
        and job["f"] != LATER
        and isinstance(job.get("a"), list | tuple)
        and isinstance(job.get("k"), dict)
        and all(isinstance(name, str) for name in job["k"])
        and _is_number(job.get("t") or 0, MAX_TRIES)
        and _is_number(job.get("et"), MAX_TIME_MS)
        and _is_number(job.get("eta") or 0, MAX_TIME_MS)
    )
    if not fits:
        raise UsageError("it is no job of arq", reason="task-form")


def _is_number(value: Any, limit: int) -> bool:
    return isinstance(value, int) and 0 <= value < limit


def _about(name: Any) -> bytes:
    return b"value of " + as_text(name).encode()
