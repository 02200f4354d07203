"""Powers: objects of the host that a guest may use as far as it is let, and no further."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeGuard

from brine._bounds import Limit, Standing, joined, least, lock
from brine._brine import size_in_bytes, time_limit_in_seconds
from brine._errors import UsageError
from brine._facet import Facet, names_of, taker
from brine._guest.cbor import MAX_DEPTH
from brine._guest.peer import PowerError
from brine._overtime import within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime


class Power:
    """An object that stays in the host, and what of it a guest may use.

    ``Power(obj, ["get"])`` gives one method. The other arguments are those of `Facet`. ``on_call`` is told of each call
    before it is made, with the name of the method and its arguments; what it raises is raised in the guest instead.

    ``only``, ``limited`` and ``watched`` return weaker powers over the same object. ``revoke`` ends a power with all that
    came from it: those weaker powers, and what its methods returned.
    """

    def __init__(
        self,
        obj: object,
        methods: Iterable[str] | Facet = (),
        attributes: Iterable[str] = (),
        *,
        returns: Mapping[str, Facet] | None = None,
        takes_functions: Iterable[str] = (),
        reentrant: bool = False,
        on_call: Callable[[str, tuple[Any, ...], dict[str, Any]], object] | None = None,
    ) -> None:
        if isinstance(methods, Facet) and (attributes or returns or takes_functions or reentrant):
            raise UsageError(
                "a facet says all that is given; nothing goes beside it", reason="usage"
            )
        self._obj = obj
        self._facet = (
            methods
            if isinstance(methods, Facet)
            else Facet(
                methods,
                attributes,
                returns=returns,
                takes_functions=takes_functions,
                reentrant=reentrant,
            )
        )
        self._watchers: tuple[Callable[[str, tuple[Any, ...], dict[str, Any]], object], ...] = (
            () if on_call is None else (on_call,)
        )
        self._limits: tuple[Limit, ...] = ()
        self._most_seconds: float | None = None
        self._own = Standing()
        self._standings: tuple[Standing, ...] = (self._own,)
        """Its own, and those of all that it came from: what is revoked there is revoked here."""

    def only(self, *names: str) -> Power:
        """Return a power with these methods and attributes alone."""
        return self._weaker(self._facet.only(names_of("only", names)))

    def limited(
        self,
        *,
        calls: int | None = None,
        bytes: int | str | None = None,
        until: datetime | timedelta | None = None,
        each: str | float | timedelta | None = None,
    ) -> Power:
        """Return a power for so many calls, so many bytes of messages both ways, or until a moment. What comes from it
        counts, too.

        ``each`` is how long a call may take. Its methods run in threads of their own then. One that takes longer is
        waited for no more, and runs to its end; until then the guest can use no other power that is not reentrant.
        """
        weaker = self._weaker(self._facet)
        if each is not None:
            if name := taker(self._facet, []):
                raise UsageError(
                    f"each: {name!r} takes functions, which run in the thread that has them",
                    reason="usage",
                )
            weaker._most_seconds = least(self._most_seconds, seconds(each))
        if each is None or (calls, bytes, until) != (None, None, None):
            weaker._limits += (Limit(calls, None if bytes is None else size(bytes), until),)
        return weaker

    def watched(self, on_call: Callable[[str, tuple[Any, ...], dict[str, Any]], object]) -> Power:
        """Return a power of whose calls somebody is told before they are made."""
        weaker = self._weaker(self._facet)
        weaker._watchers += (on_call,)
        return weaker

    def revoke(self) -> None:
        """End it, with all that came from it. Calls that are under way end as they would."""
        self._own.is_revoked = True

    @property
    def is_revoked(self) -> bool:
        """Whether it, or what it came from, was revoked."""
        return any(standing.is_revoked for standing in self._standings)

    def __repr__(self) -> str:
        return f"<brine.Power over {type(self._obj).__qualname__}>"

    def _weaker(self, facet: Facet, obj: object = None) -> Power:
        weaker = Power(self._obj if obj is None else obj, facet)
        weaker._watchers, weaker._limits = self._watchers, self._limits
        weaker._most_seconds = self._most_seconds
        weaker._standings = joined(self._standings, weaker._standings)
        return weaker

    def _also(self, other: Power) -> Power:
        """Return another power, which ends when this one does, and counts here, too."""
        both = other._weaker(other._facet)
        both._watchers = joined(both._watchers, self._watchers)
        both._limits = joined(both._limits, self._limits)
        both._most_seconds = least(other._most_seconds, self._most_seconds)
        # Nobody but the guest has it: what is revoked is what it came from.
        both._standings = joined(other._standings, self._standings)
        return both

    def _of_result(self, name: str, value: Any) -> Any:
        """Return what crosses of what a method returned."""
        facet = self._facet.returns.get(name)
        kind = type(value)
        if is_power(value):
            # What is given on is bound by both.
            return self._also(
                value if facet is None else value.only(*facet.methods, *facet.attributes)
            )
        if facet is None:
            return self._bound(value, 0)
        if value is None:
            return value
        if kind in (bool, bytes, dict, float, frozenset, int, set, str):
            raise PowerError("power-data", f"{name!r} returned data, and was to return an object")
        if kind in (list, tuple):
            return kind(None if item is None else self._of_result(name, item) for item in value)
        # The guest alone has it.
        given = self._weaker(facet, value)
        given._standings = self._standings
        return given

    def _bound(self, value: Any, depth: int) -> Any:
        """Bind the powers in a value as one that is returned by itself."""
        kind = type(value)
        if is_power(value):
            return self._also(value)
        if depth >= MAX_DEPTH or kind not in (list, tuple, dict):
            return value
        if kind is dict:
            return {key: self._bound(item, depth + 1) for key, item in value.items()}
        return kind(self._bound(item, depth + 1) for item in value)

    def _call(self, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Do what a guest asks for, if it may."""
        if self.is_revoked:
            raise PowerError("power-revoked", "the power was revoked")
        is_read = name.startswith(".")
        plain_name = name[1:] if is_read else name
        if plain_name not in (self._facet.attributes if is_read else self._facet.methods):
            raise PowerError("power-method", f"the power has no {plain_name[:64]!r}")
        with lock:
            for limit in self._limits:
                limit.refuse_spent()
            for limit in self._limits:
                limit.count_call()

        def work() -> Any:
            for watcher in self._watchers:
                watcher(plain_name, tuple(arguments), dict(keywords))
            found = getattr(self._obj, plain_name)
            return found if is_read else found(*arguments, **keywords)

        done = work() if self._most_seconds is None else within(self._most_seconds, work)
        return self._of_result(plain_name, done)

    def _count_bytes(self, count: int) -> None:
        with lock:
            for limit in self._limits:
                limit.count_bytes(count)


def is_power(value: object) -> TypeGuard[Power]:
    """Return whether an object is a power. It is not asked, since it can be anything."""
    return issubclass(type(value), Power)


def size(text: int | str) -> int:
    """Read a size, as in "64MiB"."""
    if type(text) is not int and not isinstance(text, str):
        raise UsageError(f'expected a size, as in "64MiB", and not {text!r}', reason="usage")
    return size_in_bytes(str(text))


def seconds(length: str | float | timedelta) -> float:
    """Read a length of time, as in "2s"."""
    if isinstance(length, str):
        found = time_limit_in_seconds(length)
    elif isinstance(length, timedelta):
        found = length.total_seconds()
    elif isinstance(length, int | float) and not isinstance(length, bool):
        found = float(length)
    else:
        raise UsageError(
            f'expected a length of time, as in "2s", and not {length!r}', reason="usage"
        )
    if not 0 < found <= MOST_SECONDS:
        raise UsageError(
            f"expected a length of time up to 366 days, and not {length!r}", reason="usage"
        )
    return found


MOST_SECONDS = 366.0 * 24 * 3600
