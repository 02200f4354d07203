"""Powers: objects of the host that a guest may use as far as it is let, and no further."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeGuard

from brine._bounds import Bounds, Limit, Standing, Watcher, take_call
from brine._brine import size_in_bytes, time_limit_in_seconds
from brine._errors import UsageError
from brine._facet import Facet, names_of, taker
from brine._guest.cbor import MAX_DEPTH
from brine._guest.peer import PowerError
from brine._overtime import within
from brine._stays import Stays

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime


class Power(Stays):
    """An object that stays in the host, and what of it a guest may use.

    ``Power(obj, ["get"])`` gives one method. The other arguments are those of `Facet`. ``on_call`` is told of each call
    before it is made, with the name of the method and its arguments; what it raises is raised in the guest instead.

    ``only``, ``limited`` and ``watched`` return weaker powers over the same object. ``revoke`` ends a power with all that
    came from it: those weaker powers, and what its methods returned.
    """

    _instead = "give it to the guest by name, or to a function as an argument of Sandbox.call"

    def __init__(
        self,
        obj: object,
        methods: Iterable[str] | Facet = (),
        attributes: Iterable[str] = (),
        *,
        returns: Mapping[str, Facet] | None = None,
        takes_functions: Iterable[str] = (),
        reentrant: bool = False,
        on_call: Watcher | None = None,
    ) -> None:
        if isinstance(methods, Facet) and (attributes or returns or takes_functions or reentrant):
            raise UsageError(
                "a facet says all that is given; nothing goes beside it", reason="usage"
            )
        facet = (
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
        self._obj, self._own = obj, Standing()
        watchers = () if on_call is None else (_watcher(on_call),)
        self._bounds = Bounds((facet,), watchers, standings=(self._own,))

    def only(self, *names: str) -> Power:
        """Return a power with these methods and attributes alone."""
        return self._weaker(self._bounds.only(names_of("only", names)))

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
        bounds = Bounds()
        if each is not None:
            if names := [name for facet in self._bounds.facets if (name := taker(facet, []))]:
                raise UsageError(
                    f"each: {names[0]!r} takes functions, which run in the thread that has them",
                    reason="usage",
                )
            bounds = replace(bounds, most_seconds=seconds(each))
        if each is None or (calls, bytes, until) != (None, None, None):
            limit = Limit(calls, None if bytes is None else size(bytes), until)
            bounds = replace(bounds, limits=(limit,))
        return self._weaker(self._bounds.joined(bounds))

    def watched(self, on_call: Watcher) -> Power:
        """Return a power of whose calls somebody is told before they are made."""
        return self._weaker(self._bounds.joined(Bounds(watchers=(_watcher(on_call),))))

    def revoke(self) -> None:
        """End it, with all that came from it. Calls that are under way end as they would."""
        self._own.is_revoked = True

    @property
    def is_revoked(self) -> bool:
        """Whether it, or what it came from, was revoked."""
        return self._bounds.is_revoked

    def __repr__(self) -> str:
        return f"<brine.Power over {type(self._obj).__qualname__}>"

    def _weaker(self, bounds: Bounds) -> Power:
        """Return a power over the same object, which can be revoked by itself."""
        weaker = _over(self._obj, bounds)
        weaker._bounds = bounds.joined(Bounds(standings=(weaker._own,)))
        return weaker

    def _of_result(self, name: str, value: Any) -> Any:
        """Return what crosses of what a method returned."""
        kind = type(value)
        if kind in _SIMPLE and name not in self._bounds.returning:
            return value
        inner = self._bounds.of_result(name)
        if not inner.facets or is_power(value):
            return _bound(value, inner, 0)
        if value is None:
            return value
        if kind in (bool, bytes, dict, float, frozenset, int, set, str):
            raise PowerError("power-data", f"{name!r} returned data, and was to return an object")
        if kind in (list, tuple):
            return kind(self._of_result(name, item) for item in value)
        # Where a facet is missing, it has to be data, which it is not.
        return _over(value, inner) if len(inner.facets) == len(self._bounds.facets) else value

    def _call(
        self, name: str, arguments: list[Any], keywords: dict[str, Any], message_bytes: int
    ) -> Any:
        """Do what a guest asks for in a message of so many bytes, if it may."""
        bounds = self._bounds
        if bounds.is_revoked:
            raise PowerError("power-revoked", "the power was revoked")
        is_read = name.startswith(".")
        plain_name = name[1:] if is_read else name
        if plain_name not in (bounds.attributes if is_read else bounds.methods):
            raise PowerError("power-method", f"the power has no {plain_name[:64]!r}")
        take_call(bounds.limits, message_bytes)

        def work() -> Any:
            for watcher in bounds.watchers:
                watcher(plain_name, tuple(arguments), dict(keywords))
            found = getattr(self._obj, plain_name)
            return found if is_read else found(*arguments, **keywords)

        done = work() if bounds.most_seconds is None else within(bounds.most_seconds, work)
        return self._of_result(plain_name, done)


def is_power(value: object) -> TypeGuard[Power]:
    """Return whether an object is a power. It is not asked, since it can be anything."""
    return issubclass(type(value), Power)


def _over(obj: object, bounds: Bounds) -> Power:
    """Return a power with these bounds alone, which the guest has and the host does not: nobody can revoke it by itself."""
    power = Power(obj, _NOTHING)
    power._bounds = bounds
    return power


_NOTHING = Facet()

_SIMPLE = frozenset((bool, bytes, float, int, str, type(None)))
"""What no power can stand in."""


def _bound(value: Any, bounds: Bounds, depth: int) -> Any:
    """Bind the powers in a value, too: as one that is returned by itself."""
    kind = type(value)
    if is_power(value):
        try:
            return _over(value._obj, value._bounds.joined(bounds))
        except UsageError as error:
            raise PowerError("power-data", error.message) from None
    if depth >= MAX_DEPTH or kind not in (list, tuple, dict):
        return value
    if kind is dict:
        return {key: _bound(item, bounds, depth + 1) for key, item in value.items()}
    return kind(_bound(item, bounds, depth + 1) for item in value)


def _watcher(on_call: Watcher) -> Watcher:
    if not callable(on_call):
        raise UsageError("on_call: expected a function", reason="usage")
    return on_call


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
