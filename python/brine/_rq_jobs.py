"""Jobs of RQ that are signed in Redis, and their results."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from rq.exceptions import DeserializationError, NoSuchJobError
from rq.job import Job
from rq.utils import as_text

from brine._errors import AlteredError, Error, UntrustedError, UsageError
from brine._objects import pickled
from brine._rq_results import JobValues, SignedResult, inflated
from brine._rq_signatures import (
    NEXT,
    SIGNED_ALONE,
    STATE,
    UNUSED,
    JobContent,
    needs_next,
    readable,
    runs_left,
    steering,
)
from brine._task_signatures import TASK, OpenedTask, TaskSignatures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rq.results import Result

    from brine._rq_signatures import QueueSignatures

WAITING = frozenset(
    ("created", "queued", "deferred", "scheduled", "rate_limited", "ready_to_enqueue")
)
OVER = frozenset(("finished", "failed", "stopped", "canceled"))


class SignedJob(Job):
    """A job that is signed when it is written, and verified when it is read.

    What is not as its signer meant it raises `brine.Error`. ``signer`` is who signed it, as the trust file calls them.
    """

    signatures: ClassVar[QueueSignatures]
    queue_class: ClassVar[Any]

    def __init__(self, id: str | None = None, connection: Any = None, serializer: Any = None):
        super().__init__(id, connection=connection)
        self.connection: Any = connection
        self.serializer: Any = JobValues(self)
        self.signer: str | None = None
        self.not_before: int | None = None
        self.is_unsigned = False
        self._envelope = b""
        self._content: JobContent | None = None
        self._came: OpenedTask | None = None
        self._is_over = False
        self._next_was_used: bytes | None = None

    @property
    def own(self) -> TaskSignatures:
        # What belongs to a signed job is signed, whatever a fallback lets pass.
        return self.signatures.of(self.origin, self.is_unsigned)

    def to_dict(self, include_meta: bool = True, include_result: bool = True) -> dict[str, Any]:
        if self.is_unsigned:
            # It is as it came, and nobody else's key makes it a signed one.
            return super().to_dict(include_meta, include_result=False)
        fields = super().to_dict(include_meta=False, include_result=False)
        if self._content is None or (fields["status"] in WAITING and self._is_signed_again(fields)):
            self._sign(steering(fields))
        assert self._content is not None
        # What steers is written as it was signed. A job that has begun is no other job for what it does to itself.
        state = {name: value for name, value in fields.items() if name in STATE}
        written = {**state, **self._content.fields, "data": self._envelope}
        if include_meta and self.meta:
            written["meta"] = self._signed_meta()
        return written

    def _is_signed_again(self, fields: Mapping[str, Any]) -> bool:
        """Whether a job that waits is another one than before. Here, somebody who may sign has made it so."""
        content = self._content
        assert content is not None
        return (
            self._is_over
            or steering(fields) != content.fields
            or (self.data, self.not_before) != (content.data, content.not_before)
        )

    def _sign(self, fields: dict[str, bytes]) -> None:
        following = self._next_of(fields)
        until = self._until
        if following is None and needs_next(fields):
            # A job that begins at its last moment can fail later.
            later = (until or datetime.now(UTC)) + self.own.lifetime
            following = self.own.sign(pickled(self.id, False), NEXT, later)
        self._content = JobContent(self.id, fields, self.data, self.not_before, following)
        self._envelope = self.own.sign(pickled(vars(self._content), False), TASK, until)
        self._came, self._is_over = None, False

    @property
    def _until(self) -> datetime | None:
        return None if self.not_before is None else datetime.fromtimestamp(self.not_before, UTC)

    def _next_of(self, fields: Mapping[str, bytes]) -> bytes | None:
        """Return the right to what follows, which goes on. One that is used up makes room for a new one."""
        before = self._content
        if before is None:
            return None
        if runs_left(fields) < runs_left(before.fields):
            self._use_next()
            return None
        is_same = fields.get("origin") == before.fields.get("origin")
        return before.next if is_same and not self._is_over else None

    def _use_next(self) -> None:
        """Use the right to what follows, which can be used once: a job in Redis can be made to look as if it had failed."""
        right = None if self._content is None else self._content.next
        if right is not None and right != self._next_was_used:
            opened = self.own.open(right, NEXT)
            if opened.content != self.id:
                raise AlteredError("its right is that of another job", reason="task-moved")
            self.own.consume(opened)
            self._next_was_used = right

    def restore(self, raw_data: Any) -> None:
        stored = readable(raw_data)
        if "data" not in stored and not steering(stored):
            raise NoSuchJobError(f"no job: {self.id}")
        was_signed = self._content is not None
        own = self._signatures_of(stored.get("origin", b""), was_signed)
        data = stored.get("data", b"")
        if self.signatures.takes_unsigned and not was_signed:
            data = inflated(data)
        opened = _opened(own, data)
        if isinstance(opened, OpenedTask):
            self._restore_signed(stored, opened)
        else:
            values = SIGNED_ALONE | UNUSED
            kept = {name: value for name, value in stored.items() if name not in values}
            super().restore({**kept, "data": b""})
            self.data, self.is_unsigned = data, True
            self._content, self._came, self.signer, self.not_before = None, None, None, None
            self._set_call(opened)
        self.meta = self._opened_meta(stored.get("meta"))
        self._is_over = as_text(stored.get("status", b"")) in OVER

    def _signatures_of(self, origin: bytes, was_signed: bool) -> TaskSignatures:
        """Return what judges this job as it is in Redis now. One that was signed stays so, and stays in its queue."""
        queue = origin.decode(errors="backslashreplace")
        if was_signed and queue != self.origin:
            told = f"it is of queue {queue!r} now, and was of {self.origin!r}"
            raise UntrustedError(told, reason="context-mismatch")
        return self.signatures.of(queue, unsigned=not was_signed)

    def _restore_signed(self, stored: Mapping[str, bytes], opened: OpenedTask) -> None:
        content = JobContent.parsed(opened.content)
        content.check(self.id, stored)
        state = {name: stored[name] for name in STATE & stored.keys()}
        try:
            super().restore({**state, **content.fields, "data": b""})
        except ValueError as error:
            raise UsageError(f"it is no job of RQ: {error}", reason="task-form") from error
        self.data, self.is_unsigned = content.data, False
        self._envelope, self._content, self._came = opened.envelope, content, opened
        self.signer, self.not_before = opened.verified.signer, content.not_before

    def begin(self) -> None:
        """Judge a job again, as of now, and note that it runs: what it came in never does again."""
        came = self._came
        if came is None or came.is_consumed:
            return
        self._load_call()
        self.own.consume(came)

    def perform(self) -> Any:
        self.begin()
        return super().perform()

    def _load_call(self) -> None:
        if self._content is None or self.signer is None:
            raise UsageError("nobody has verified it", reason="usage")
        self._set_call(self.own.load_pickle(self._content.data, self.signer))

    def _set_call(self, call: Any) -> None:
        if not isinstance(call, tuple) or len(call) != 4:
            raise UsageError("it calls nothing", reason="task-form")
        self._func_name, self._instance, self._args, self._kwargs = call

    def _deserialize_data(self) -> None:
        try:
            self._load_call()
        except Error as error:
            raise DeserializationError from error

    def requeue(self, at_front: bool = False) -> Job:
        self._is_over = True
        return super().requeue(at_front)

    def _signed_meta(self) -> bytes:
        if self.is_unsigned:
            return pickled(self.meta, False)
        return self.own.sign(pickled(self.meta, False), self.about("meta"), self._until)

    def _opened_meta(self, value: bytes | None) -> dict[str, Any]:
        if not value:
            return {}
        opened = self.own.open(value, self.about("meta"))
        found = opened.content if isinstance(opened, OpenedTask) else opened
        if not isinstance(found, dict):
            raise UsageError("it is no meta of a job", reason="task-form")
        return found

    def about(self, what: str) -> bytes:
        return f"{what} of {self.id}".encode()

    def save_meta(self) -> None:
        self.connection.hset(self.key, "meta", self._signed_meta())

    def get_meta(self, refresh: bool = True) -> dict[str, Any]:
        if refresh:
            self.meta = self._opened_meta(self.connection.hget(self.key, "meta"))
        return self.meta

    def results(self) -> list[Result]:
        found: list[Result] = SignedResult.all(self, serializer=self.serializer)
        return found

    def latest_result(self, timeout: int = 0) -> Result | None:
        return SignedResult.fetch_latest(self, serializer=self.serializer, timeout=timeout)

    def dependencies_are_met(self, parent_job: Any = None, *arguments: Any, **named: Any) -> bool:
        # Redis says which jobs wait for one, and the signature of each what it waits for. One that is over waits for none.
        if parent_job is not None and (self._is_over or parent_job.id not in self._dependency_ids):
            return False
        return super().dependencies_are_met(parent_job, *arguments, **named)

    def delete_dependents(self, pipeline: Any = None) -> None:
        for job in self.fetch_many(self.dependent_ids, self.connection):
            if job is not None:
                job.delete(pipeline=pipeline, remove_from_queue=False)
        (self.connection if pipeline is None else pipeline).delete(self.dependents_key)

    @property
    def started_job_registry(self) -> Any:
        return self.queue_class(self.origin, connection=self.connection).started_job_registry


def _opened(own: TaskSignatures, data: bytes) -> OpenedTask | Any:
    try:
        return own.open(data, TASK)
    except Error as error:
        if error.reason == "not-an-envelope":
            error.hint = "was it sent with a queue of RQ? signed.Queue signs; fallback= lets unsigned jobs pass meanwhile"
        raise
