"""What was refused of RQ, kept in Redis with the reason."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from brine._errors import Error
from brine._refused_tasks import logger

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = "rq:brine:refused"


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
    """Return what was refused of all queues in a Redis, in the order of time."""
    found = [_parsed(value) for value in connection.hvals(KEPT)]
    return sorted(found, key=lambda one: one.at)


def keep(
    connection: Any, job_id: str | None, content: Mapping[str, bytes], error: Exception
) -> None:
    """Keep what is refused, and log it. The same is kept once, however often it comes."""
    reason = error.reason if isinstance(error, Error) else "task-form"
    told: dict[str, Any] = {"reason": reason, "message": str(error), "job_id": job_id}
    name = hashlib.sha256(json.dumps(told).encode() + content.get("data", b"")).hexdigest()
    told["at"] = datetime.now(UTC).isoformat()
    told["content"] = {key: base64.b64encode(value).decode() for key, value in content.items()}
    if connection.hsetnx(KEPT, name, json.dumps(told)):
        what = "a message" if job_id is None else f"job {job_id!r}"
        logger.error("refused %s of RQ: %s", what, error)


def _parsed(value: bytes) -> Refused:
    told = json.loads(value)
    content = {key: base64.b64decode(text) for key, text in told["content"].items()}
    at = datetime.fromisoformat(told["at"])
    return Refused(told["reason"], told["message"], at, told["job_id"], content)
