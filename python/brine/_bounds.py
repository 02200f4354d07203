"""What a power is bound by: how much of it is left, and whether it was revoked."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TypeVar

from brine._errors import UsageError
from brine._guest.peer import PowerError


class Standing:
    """Whether a power was revoked."""

    __slots__ = ("is_revoked",)

    def __init__(self) -> None:
        self.is_revoked = False


class Limit:
    """What is left of a power that is limited."""

    def __init__(
        self, calls: int | None, most_bytes: int | None, until: datetime | timedelta | None
    ) -> None:
        if calls is None and most_bytes is None and until is None:
            raise UsageError("limited: nothing says by what", reason="usage")
        if calls is not None and (type(calls) is not int or calls < 0):
            raise UsageError("calls: expected a number", reason="usage")
        if until is not None and not isinstance(until, datetime | timedelta):
            raise UsageError("until: expected a datetime or a timedelta", reason="usage")
        self.calls, self.bytes = calls, most_bytes
        if isinstance(until, datetime):
            if until.tzinfo is None:
                raise UsageError("until: it has no time zone", reason="usage")
            until = until - datetime.now(UTC)
        self.end = None if until is None else monotonic() + until.total_seconds()

    def refuse_spent(self) -> None:
        """Raise if nothing is left."""
        if self.end is not None and monotonic() >= self.end:
            raise PowerError("power-spent", "the time of the power is over")
        if self.calls is not None and self.calls <= 0:
            raise PowerError("power-spent", "the power has no calls left")
        if self.bytes is not None and self.bytes <= 0:
            raise PowerError("power-spent", "the power has no bytes left")

    def count_call(self) -> None:
        """Take a call from what is left."""
        if self.calls is not None:
            self.calls -= 1

    def count_bytes(self, count: int) -> None:
        """Take bytes from what is left. What goes beyond it ends the power, and not the call."""
        if self.bytes is not None:
            self.bytes -= count


_T = TypeVar("_T")


def joined(some: tuple[_T, ...], more: tuple[_T, ...]) -> tuple[_T, ...]:
    """Put two lists together, with what is in both once."""
    known = set(map(id, some))
    both = some + tuple(item for item in more if id(item) not in known)
    if len(both) > MAX_ORIGINS:
        raise PowerError("power-data", f"a power comes from more than {MAX_ORIGINS} others")
    return both


MAX_ORIGINS = 1000


def least(one: float | None, other: float | None) -> float | None:
    return min((length for length in (one, other) if length is not None), default=None)


lock = threading.Lock()
"""Limits are shared by the threads that serve guests."""
