"""What a power is bound by: how much of it is left, and whether it was revoked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from brine._errors import UsageError
from brine._fork import LockOfProcess
from brine._guest.peer import PowerError

if TYPE_CHECKING:
    from brine._facet import Facet

Watcher: TypeAlias = Callable[[str, tuple[Any, ...], dict[str, Any]], object]


@dataclass(frozen=True, eq=False)
class Bounds:
    """All that binds a power. Where two powers meet, what binds either binds what comes of them."""

    facets: tuple[Facet, ...] = ()
    """What all of them give is given."""
    watchers: tuple[Watcher, ...] = ()
    limits: tuple[Limit, ...] = ()
    standings: tuple[Standing, ...] = ()
    """Its own, and those of all that it came from."""
    most_seconds: float | None = None

    def joined(self, other: Bounds) -> Bounds:
        """Return what binds as both do."""
        lengths = [each for each in (self.most_seconds, other.most_seconds) if each is not None]
        return Bounds(
            _joined(self.facets, other.facets),
            _joined(self.watchers, other.watchers),
            _joined(self.limits, other.limits),
            _joined(self.standings, other.standings),
            min(lengths, default=None),
        )

    def only(self, names: frozenset[str]) -> Bounds:
        """Return the same with fewer methods and attributes."""
        return replace(self, facets=tuple(facet.only(names) for facet in self.facets))

    def of_result(self, name: str) -> Bounds:
        """Return what binds what a method returns: the same, but for the facets, which are those that are for it."""
        found = (facet.returns.get(name) for facet in self.facets)
        return replace(self, facets=tuple(facet for facet in found if facet is not None))

    @cached_property
    def returning(self) -> frozenset[str]:
        """The methods and attributes of which something stays in the host."""
        return frozenset(name for facet in self.facets for name in facet.returns)

    @cached_property
    def methods(self) -> frozenset[str]:
        """The methods that can be called."""
        return frozenset.intersection(*(facet.methods for facet in self.facets))

    @cached_property
    def attributes(self) -> frozenset[str]:
        """The attributes that can be read."""
        return frozenset.intersection(*(facet.attributes for facet in self.facets))

    @cached_property
    def takes_functions(self) -> frozenset[str]:
        """The methods that functions can be given to. These run in the thread that has them, and no limit of time does."""
        if self.most_seconds is not None:
            return frozenset()
        return frozenset.intersection(*(facet.takes_functions for facet in self.facets))

    @cached_property
    def is_reentrant(self) -> bool:
        """Whether functions of the guest may call it while a method runs."""
        return all(facet.reentrant for facet in self.facets)

    @property
    def is_revoked(self) -> bool:
        """Whether the power, or one that it came from, was revoked."""
        for standing in self.standings:
            if standing.is_revoked:
                return True
        return False


def take_call(limits: tuple[Limit, ...], message_bytes: int) -> None:
    """Take a call from what is left, or raise if nothing is, and take nothing then.

    The bytes of the message that asks for it were taken already. They may have been the last.
    """
    if not limits:
        return
    with _lock:
        for limit in limits:
            limit.refuse_spent(message_bytes)
        for limit in limits:
            limit.count_call()


def take_bytes(limits: tuple[Limit, ...], count: int) -> None:
    """Take bytes from what is left. What goes beyond it ends the power."""
    if not limits:
        return
    with _lock:
        for limit in limits:
            limit.count_bytes(count)


def refuse_spent_bytes(limits: tuple[Limit, ...]) -> None:
    """Raise if no bytes are left."""
    with _lock:
        for limit in limits:
            limit.refuse_spent_bytes()


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

    def refuse_spent(self, message_bytes: int) -> None:
        """Raise if nothing is left, or was before a message."""
        if self.end is not None and monotonic() >= self.end:
            raise PowerError("power-spent", "the time of the power is over")
        if self.calls is not None and self.calls <= 0:
            raise PowerError("power-spent", "the power has no calls left")
        self.refuse_spent_bytes(message_bytes)

    def refuse_spent_bytes(self, message_bytes: int = 0) -> None:
        """Raise if no bytes are left, or were before a message."""
        if self.bytes is not None and self.bytes + message_bytes <= 0:
            raise PowerError("power-spent", "the power has no bytes left")

    def count_call(self) -> None:
        """Take a call from what is left."""
        if self.calls is not None:
            self.calls -= 1

    def count_bytes(self, count: int) -> None:
        """Take bytes from what is left."""
        if self.bytes is not None:
            self.bytes -= count


_T = TypeVar("_T")


def _joined(some: tuple[_T, ...], more: tuple[_T, ...]) -> tuple[_T, ...]:
    """Put two lists together, with what is in both once."""
    known = set(map(id, some))
    both = some + tuple(item for item in more if id(item) not in known)
    if len(both) > MAX_ORIGINS:
        raise UsageError(f"a power comes from more than {MAX_ORIGINS} others", reason="usage")
    return both


MAX_ORIGINS = 1000


_lock = LockOfProcess()
"""Limits are shared by the threads that serve guests."""
