"""What was refused of RQ, kept in Redis with the reason."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rq.exceptions import StopRequested
from rq.timeouts import BaseTimeoutException

from brine._errors import Error
from brine._refused_tasks import is_verdict, logger

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = "rq:brine:refused"

MOST_LOGGED = 4096
"""How many refusals a process knows that it has logged."""

_logged: set[str] = set()


@dataclass(frozen=True)
class Refused:
    """A job or a message that was refused, and is kept."""

    reason: str
    message: str
    at: datetime
    job_id: str | None
    """The job, if it was one."""
    content: dict[str, bytes]
    """Its hash in Redis as it was, or the message as ``data``."""


def refused(connection: Any) -> list[Refused]:
    """Return what was refused of all queues in a Redis, in the order of time, as far as brine has written it."""
    found = [one for value in connection.hvals(KEPT) if (one := _parsed(value)) is not None]
    return sorted(found, key=lambda one: one.at)


def is_about_a_job(error: Exception) -> bool:
    """Whether an error says something about a job, and not about the system, or that somebody wants the process to stop."""
    return is_verdict(error) and not is_interruption(error)


def is_interruption(error: BaseException | None) -> bool:
    """Whether an error is of RQ's handlers of signals, which raise in the midst of anything."""
    while error is not None and not isinstance(error, StopRequested | BaseTimeoutException):
        error = error.__cause__
    return error is not None


def keep(
    connection: Any, job_id: str | None, content: Mapping[str, bytes], error: Exception
) -> None:
    """Keep what is refused, and log it. The same is kept once, however often it comes, and each process logs it once."""
    reason = error.reason if isinstance(error, Error) else "task-form"
    told: dict[str, Any] = {"reason": reason, "message": str(error), "job_id": job_id}
    name = hashlib.sha256(json.dumps(told).encode() + content.get("data", b"")).hexdigest()
    told["at"] = datetime.now(UTC).isoformat()
    told["content"] = {key: base64.b64encode(value).decode() for key, value in content.items()}
    # Whoever writes to Redis can say there that it is kept, and keeps it out of no log.
    is_kept_now, is_first = connection.hsetnx(KEPT, name, json.dumps(told)), name not in _logged
    if is_kept_now or is_first:
        what = "a message" if job_id is None else f"job {job_id!r}"
        logger.error("refused %s of RQ: %s", what, error)
    if len(_logged) >= MOST_LOGGED:
        _logged.clear()
    _logged.add(name)


def _parsed(value: bytes) -> Refused | None:
    try:
        told = json.loads(value)
        content = {key: base64.b64decode(text) for key, text in told["content"].items()}
        at = datetime.fromisoformat(told["at"]).astimezone(UTC)
        return Refused(told["reason"], told["message"], at, told["job_id"], content)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
