"""What is signed of a job of RQ, and for which context."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from brine._errors import AlteredError, UsageError
from brine._task_signatures import TaskSignatures, queue_context

if TYPE_CHECKING:
    from collections.abc import Mapping

ALLOWED = ("rq.job:Retry",)
"""What RQ itself puts into results."""

NEXT = b"next run"
"""What the right to what follows a run is about."""

COMMANDS = "rq:commands"

STATE = frozenset(
    ("status", "enqueued_at", "started_at", "ended_at", "last_heartbeat", "worker_name")
)
"""What RQ writes on the way of a job. Everything else in its hash is under the signature."""

SIGNED_ALONE = frozenset(("data", "meta"))
"""The envelope itself, and what tasks write at any time, in an envelope of its own."""

UNUSED = frozenset(("result", "exc_info"))
"""Where older versions looked for results. It is neither written nor read."""


class QueueSignatures:
    """The signatures of each queue by its name, and of commands to workers."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        # It is found out here that the options make no sense.
        signed: dict[str, Any] = {**options, "fallback": None}
        self._signed = TaskSignatures(COMMANDS, always_allowed=ALLOWED, **signed)
        # A key is read once.
        unsigned: dict[str, Any] = {**options, "key": self._signed.keys}
        self._unsigned = TaskSignatures(COMMANDS, always_allowed=ALLOWED, **unsigned)
        self.commands = self._signed.for_commands(COMMANDS)
        self.takes_unsigned = options["fallback"] is not None
        self._known = lru_cache(maxsize=64)(self._made)

    def of(self, queue: str, unsigned: bool = False) -> TaskSignatures:
        """Return those of a queue. They let nothing pass that is not signed, or what a fallback lets pass."""
        return self._known(queue, unsigned and self.takes_unsigned)

    def _made(self, queue: str, unsigned: bool) -> TaskSignatures:
        context = queue_context("rq", queue)
        if context == COMMANDS:
            raise UsageError(
                f"no queue can be called {queue!r}: it is another context", reason="usage"
            )
        return (self._unsigned if unsigned else self._signed).for_context(context)


@dataclass(frozen=True)
class JobContent:
    """What is signed of a job."""

    id: str
    fields: dict[str, bytes]
    """Its hash, except for what RQ writes on the way."""
    data: bytes
    """The pickle of the function's name and its arguments."""
    not_before: int | None
    """When it is due, if it was scheduled."""
    next: bytes | None
    """The right to what follows if it runs once more, or if its worker is lost. It can be used once."""

    @classmethod
    def parsed(cls, content: object) -> JobContent:
        """Return the content of an envelope, if it has the form of one."""
        if isinstance(content, dict) and content.keys() == cls.__annotations__.keys():
            found = cls(**content)
            if found._is_well_formed():
                return found
        raise UsageError("it is no job of RQ", reason="task-form")

    def _is_well_formed(self) -> bool:
        return (
            isinstance(self.id, str)
            and isinstance(self.fields, dict)
            and all(isinstance(name, str) for name in self.fields)
            and all(isinstance(value, bytes) for value in self.fields.values())
            and isinstance(self.data, bytes)
            and isinstance(self.not_before, int | None)
            and isinstance(self.next, bytes | None)
        )

    def check(self, job_id: str, stored: Mapping[str, bytes]) -> None:
        """Raise `AlteredError` if a hash in Redis says anything else."""
        if self.id != job_id:
            raise AlteredError(f"it was signed for job {self.id!r}", reason="task-moved")
        for name in steering(stored).keys() | self.fields.keys():
            if stored.get(name) != self.fields.get(name):
                raise AlteredError(f"{name!r} is not what was signed", reason="task-altered")


def steering(stored: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the part of a hash that is signed, as Redis keeps it."""
    left_out = STATE | SIGNED_ALONE | UNUSED
    return {name: as_stored(value) for name, value in stored.items() if name not in left_out}


def readable(stored: Mapping[Any, bytes]) -> dict[str, bytes]:
    """Return a hash of Redis with its names as text. One that is none is escaped, and is no name of RQ."""
    return {
        name if isinstance(name, str) else name.decode(errors="backslashreplace"): value
        for name, value in stored.items()
    }


def as_stored(value: Any) -> bytes:
    """Return a value as Redis keeps it."""
    return value if isinstance(value, bytes) else str(value).encode()


def needs_next(fields: Mapping[str, bytes]) -> bool:
    """Return whether more follows a run than that the job has ended."""
    named = ("failure_callback_name", "webhooks")
    return runs_left(fields) > 0 or any(fields.get(name) for name in named)


def runs_left(fields: Mapping[str, bytes]) -> int:
    """Return how often a job may still be retried or repeated."""
    return sum(int(fields.get(name, b"0")) for name in ("retries_left", "repeats_left"))
