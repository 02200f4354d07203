"""What a host has given to one guest: a table of powers, and the calls that come for them."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

from brine._bounds import refuse_spent_bytes, take_bytes
from brine._brine import power_message_decode, power_message_encode
from brine._guest.cbor import MalformedError, NotPlainError
from brine._guest.peer import CALL, HELLO, REVOKED, ROOT, VERSION, Peer, PowerError
from brine._overtime import OvertimeError
from brine._power import Power, is_power
from brine._stays import Stays

if TYPE_CHECKING:
    from collections.abc import Callable

    from brine._bounds import Limit

MAX_POWERS = 10_000
"""The most powers that one guest has at one time."""

MAX_FUNCTION_CALLS = 10_000
"""How often functions of the guest can be called in one call of a method."""

MAX_OVERTIME = 16
"""How many methods may run on that took longer than they may, also where all are reentrant."""


class GuestFunction(Stays):
    """A function of the guest, for the method that it was given to."""

    def __init__(self, guest: Guest, handle: int) -> None:
        self._guest, self._handle = guest, handle
        self._is_alive, self._thread = True, threading.get_ident()

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call it, in the guest."""
        if not self._is_alive:
            raise RuntimeError("the function was given for one call, which is over")
        if self._thread != threading.get_ident():
            raise RuntimeError(
                "a function of the guest is called by the thread that it was given to"
            )
        self._guest.take_function_call()
        return self._guest.call(self._handle, "__call__", list(arguments), keywords)


class Guest(Stays, Peer):
    """A guest, for its host.

    Handles are numbers that the host draws in order, for this guest alone, and never again. One that it did not give, or
    that was released, names nothing.
    """

    _encode, _decode = staticmethod(power_message_encode), staticmethod(power_message_decode)

    def __init__(self, read: Callable[[], bytes], write: Callable[[bytes], None]) -> None:
        super().__init__(read, write)
        self._limits: tuple[Limit, ...] = ()
        """The limits of the calls that are under way, which pay for each message meanwhile."""
        self._powers: dict[int, _Given] = {}
        self._handles: dict[int, int] = {}
        self._last_handle = 0
        self._functions: list[GuestFunction] = []
        self._named = 0
        self._told_revoked: set[int] = set()
        self._function_calls = 0
        self._busy: list[Power] = []
        self._waits_since: float | None = None
        """Since when a function of the guest is waited for, on the clock of `time.monotonic`."""
        self._waited = 0.0
        """How many seconds that took before, in the call that is under way."""
        self._overtime: list[threading.Event] = []

    def hello(self, names: dict[str, Any]) -> None:
        """Give the first data and powers, by name."""
        self._send([HELLO, VERSION, names])

    def take_function_call(self) -> None:
        """Take the call of a function of the guest from what is left, or raise."""
        refuse_spent_bytes(self._limits)
        self._function_calls += 1
        if self._function_calls > MAX_FUNCTION_CALLS:
            raise RuntimeError(
                f"functions of the guest were called more than {MAX_FUNCTION_CALLS} times"
            )

    def given(self) -> int:
        """Return how many powers the guest has."""
        return len(self._powers)

    def _power(self, handle: int) -> Power:
        found = self._powers.get(handle)
        if found is None:
            raise PowerError("power-unknown", "there is no such power, or it was released")
        return found.power

    def _invoke(
        self, handle: int, method: str, arguments: list[Any], keywords: dict[str, Any]
    ) -> Any:
        power = self._power(handle)
        if power.is_revoked and handle not in self._told_revoked:
            self._told_revoked.add(handle)
            self._send([REVOKED, handle])
        self._overtime = [ended for ended in self._overtime if not ended.is_set()]
        is_busy = bool(self._busy or self._overtime) and not power._bounds.is_reentrant
        if is_busy or len(self._overtime) >= MAX_OVERTIME:
            raise PowerError(
                "power-busy", "a method of the host runs, and this power waits for its end"
            )
        functions, self._functions = self._functions, []
        arguments, keywords = self._resolved(arguments), self._resolved(keywords)
        if method.startswith(".") and (arguments or keywords):
            raise PowerError("power-method", "an attribute takes no arguments")
        if functions and method not in power._bounds.takes_functions:
            raise PowerError("power-argument", f"{method[:64]!r} takes no functions")
        self._busy.append(power)
        if len(self._busy) == 1:
            self._function_calls, self._waited = 0, 0.0
        try:
            return power._call(method, arguments, keywords, self.message_bytes)
        except OvertimeError as error:
            self._overtime.append(error.ended)
            raise
        finally:
            self._busy.pop()
            for function in functions:
                function._is_alive = False

    def _serve(
        self,
        number: int,
        handle: int,
        method: str,
        arguments: list[Any],
        keywords: dict[str, Any],
    ) -> None:
        given, outer = self._powers.get(handle), self._limits
        limits = () if given is None else given.power._bounds.limits
        inner = tuple(limit for limit in limits if limit not in outer) if limits else ()
        take_bytes(inner, self.message_bytes)
        self._limits = outer + inner
        try:
            super()._serve(number, handle, method, arguments, keywords)
        finally:
            self._limits = outer

    def _count(self, count: int) -> None:
        take_bytes(self._limits, count)

    def _receive(self) -> Any:
        self._functions = []
        self._named = 0
        message = super()._receive()
        is_call = type(message) is list and message and type(message[0]) is int
        if self._functions and not (is_call and message[0] == CALL):
            raise self._broken("a function is given where nothing takes one")
        return message

    def _release(self, handle: int, count: int) -> None:
        given = self._powers.get(handle)
        if given is None or count > given.count:
            raise self._broken("more is released than was given")
        self._forget(handle, count)

    def _forget(self, handle: int, count: int) -> None:
        given = self._powers[handle]
        given.count -= count
        if given.count == 0:
            del self._powers[handle], self._handles[id(given.power)]
            self._told_revoked.discard(handle)

    def _take_back(self, given: list[int]) -> None:
        for handle in given:
            self._forget(handle, 1)

    def _parts_of(self, value: object) -> list[Any]:
        # What an object says that it is, is not asked for.
        if type(value) is GuestFunction and value._guest is self and value._is_alive:
            return ["yours", value._handle]
        if not is_power(value):
            raise NotPlainError(f"{type(value).__qualname__} is neither data nor a power")
        handle = self._handles.get(id(value))
        if handle is None:
            if len(self._powers) >= MAX_POWERS:
                raise NotPlainError(f"the guest has {MAX_POWERS} powers, and gets no more")
            self._last_handle += 1
            handle = self._last_handle
            # It is kept with the handle, so that its place in memory is nobody else's.
            self._powers[handle], self._handles[id(value)] = _Given(value), handle
        self._powers[handle].count += 1
        self._given.append(handle)
        bounds = value._bounds
        return [
            "power",
            handle,
            {"methods": sorted(bounds.methods), "attributes": sorted(bounds.attributes)},
        ]

    def _of_parts(self, parts: list[Any]) -> Any:
        match parts:
            case ["yours", handle] if type(handle) is int and handle in self._powers:
                self._named += 1
                return _Named(self._powers[handle].power)
            case ["function", handle] if type(handle) is int:
                function = GuestFunction(self, handle)
                self._functions.append(function)
                return function
            case _:
                raise MalformedError("it is neither data nor a power")

    def call(self, handle: int, method: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Call what the guest has, and wait for its answer."""
        if self._waits_since is not None:
            return self._resolved(super().call(handle, method, arguments, keywords))
        self._waits_since = monotonic()
        try:
            return self._resolved(super().call(handle, method, arguments, keywords))
        finally:
            self._waited += monotonic() - self._waits_since
            self._waits_since = None

    def waits_until(self, seconds: float) -> float | None:
        """Return until when a method may wait for functions of the guest, for so many seconds in all; `None` if none waits."""
        return None if self._waits_since is None else self._waits_since + seconds - self._waited

    def call_root(self, method: str, arguments: list[Any]) -> Any:
        """Call the guest itself, and return its answer: of data alone, but for what it has as its `value`."""
        answer = super().call(ROOT, method, arguments, {})
        if type(answer) is dict and list(answer) == ["value"]:
            return {"value": self._resolved(answer["value"])}
        if self._named:
            raise self._broken("an object of the host stands where none may")
        return answer

    def _resolved(self, value: Any) -> Any:
        """Return a value of a message with the objects that it names."""
        return _with_objects(value) if self._named else value


class _Named:
    """What a guest names of what it was given, until it is known that it stands where a value may stand."""

    __slots__ = ("power",)

    def __init__(self, power: Power) -> None:
        self.power = power


def _with_objects(value: Any) -> Any:
    kind = type(value)
    if kind is _Named:
        if value.power.is_revoked:
            raise PowerError("power-revoked", "a power that is given back was revoked")
        return value.power._obj
    if kind is list or kind is tuple:
        return kind(map(_with_objects, value))
    if kind is dict:
        return {key: _with_objects(item) for key, item in value.items()}
    return value


class _Given:
    """A power that the guest has, and how often it was given."""

    __slots__ = ("count", "power")

    def __init__(self, power: Power) -> None:
        self.power, self.count = power, 0
