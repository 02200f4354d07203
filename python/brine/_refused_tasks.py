"""What was refused of the tasks of a framework, as it is kept."""

from __future__ import annotations

import base64
import json
import logging
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from brine._errors import Error, InputOutputError, KeyFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger("brine")


@dataclass(frozen=True)
class Refused:
    """A message that was refused, and is kept. ``place`` says where it lay, if the framework knows."""

    reason: str
    message: str
    at: datetime
    content: bytes
    place: str = ""

    @classmethod
    def of(cls, error: Exception, content: bytes, place: str = "") -> Self:
        """Return it as of now, with the reason."""
        reason = error.reason if isinstance(error, Error) else "task-form"
        return cls(reason, str(error), datetime.now(UTC), bytes(content), place)

    def to_json(self) -> bytes:
        """Return it as it is kept."""
        content = base64.b64encode(self.content).decode()
        told = {**asdict(self), "at": self.at.isoformat(), "content": content}
        return json.dumps(told).encode()

    @classmethod
    def from_json(cls, kept: bytes | str) -> Self:
        """Return what was kept. Raise `ValueError` for anything else: nobody signs it."""
        try:
            told = json.loads(kept)
            return cls(
                reason=str(told["reason"]),
                message=str(told["message"]),
                at=datetime.fromisoformat(told["at"]).astimezone(UTC),
                content=base64.b64decode(told["content"]),
                place=str(told.get("place", "")),
            )
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError) as error:
            raise ValueError(f"it is no message that was refused: {error}") from error


def records(kept: Iterable[bytes | str]) -> list[Refused]:
    """Return what was kept, in the order of time. What others have put there is left out."""
    found = []
    for one in kept:
        with suppress(ValueError):
            found.append(Refused.from_json(one))
    return sorted(found, key=lambda one: one.at)


def log(context: str, error: Exception) -> None:
    """Say that a message was refused."""
    logger.error("refused a message of %s: %s", context, error)


class WaitLog:
    """Says once why messages of a context wait, until one of them begins."""

    def __init__(self, context: str, what: str = "messages") -> None:
        self._context, self._what, self._said = context, what, ""

    def say(self, error: Exception) -> None:
        """Say why they wait, unless it was said before."""
        if str(error) != self._said:
            self._said = str(error)
            logger.error("%s of %s wait: %s", self._what, self._context, error)

    def begin(self) -> None:
        """Note that one begins: if others wait later, that is new."""
        self._said = ""


def is_verdict(error: Exception) -> bool:
    """Whether an error says something about a message, and not about the ledger, the trust file or the system."""
    if isinstance(error, Error) and error.reason == "replay-version":
        return False
    if isinstance(error, InputOutputError):
        return error.reason == "out-of-memory"
    return not isinstance(error, KeyFileError | OSError | MemoryError)
