"""What a guest has of its host's: a stub for each power, and functions of its own that the host may call."""

from __future__ import annotations

import builtins
import os
import weakref
from _thread import RLock
from types import FunctionType, MethodType

from brine._guest.cbor import MalformedError, NotPlainError
from brine._guest.peer import (
    CALL,
    HELLO,
    RELEASE,
    RETURN,
    ROOT,
    THROW,
    VERSION,
    Peer,
    PowerError,
    ProtocolError,
    Thrown,
    told,
)
from brine._guest.raised import named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Never, NoReturn

FIRST_DESCRIPTOR = 3
READ_BYTES = 1 << 16
MAX_FUNCTIONS = 1000
END_SECONDS = 1


class Power:
    """Something of the host's: its methods run there.

    It has nothing but what the host lets it have, and shows nothing of what is behind it.
    """

    __slots__ = ("__weakref__", "_brine_handle", "_brine_host")
    _brine_handle: int
    _brine_host: Host

    def __repr__(self) -> str:
        return "<a power>"


class RemoteMethod:
    """A method of a power."""

    __slots__ = ("_name", "_power")

    def __init__(self, power: Power, name: str) -> None:
        self._power, self._name = power, name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Call it, in the host."""
        power = self._power
        return power._brine_host.call(power._brine_handle, self._name, list(arguments), keywords)

    def __repr__(self) -> str:
        return f"<method {self._name} of a power>"


class Host(Peer):
    """The host, for its guest. Threads use it in turn: what one of them calls is answered before another calls."""

    def __init__(self, descriptor: int = FIRST_DESCRIPTOR) -> None:
        super().__init__(
            lambda: os.read(descriptor, READ_BYTES), lambda data: _write(descriptor, data)
        )
        self._stubs: dict[int, tuple[weakref.ref[Power], list[int]]] = {}
        self._released: list[tuple[int, int]] = []
        self._functions: dict[int, Any] = {}
        self._last_function = 0
        self._kinds: dict[tuple[tuple[str, ...], tuple[str, ...]], type[Power]] = {}
        self.root: Any = None
        self._sending = HELLO
        self._lock, self._is_ending = RLock(), False

    def names(self) -> dict[str, Any]:
        """Wait for what the host gives at first, by name."""
        match self._receive():
            case [int(kind), int(version), dict(names)] if kind == HELLO and version == VERSION:
                return names
            case _:
                raise ProtocolError("the host speaks another version")

    def call(self, handle: int, method: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Call a power. The functions that are given with the call are the host's until it is answered."""
        with self._lock:
            before = self._last_function
            try:
                return super().call(handle, method, arguments, keywords)
            finally:
                for given in [given for given in self._functions if given > before]:
                    del self._functions[given]

    def serve(self) -> Never:
        """Do what the host asks for, until it is gone. Other threads call what they have while the root does something.

        Between two of its calls, they wait: the host would take a call of theirs for nothing that may come.
        """
        with self._lock:
            while True:
                self.serve_one()

    def end(self, answer: Any, message: str) -> Never:
        """Answer what the host has called first, and end. Calls that are open inside of that are ended before.

        Where another thread is in the middle of one, the message goes to standard error.
        """
        try:
            if not self._lock.acquire(timeout=END_SECONDS):
                _write(2, message.encode())
            else:
                self._is_ending = True
                while self._open or len(self._answering) > 1:
                    self._end_innermost()
                self._send([RETURN, self._answering[0], answer])
        finally:
            os._exit(3)

    def _end_innermost(self) -> None:
        if len(self._open) < len(self._answering):
            self._send([THROW, self._answering.pop(), *told(_ENDING)])
        else:
            try:
                self._answer(self._open.pop())
            except Exception:  # noqa: BLE001, S110
                # However it was answered, it is over.
                pass

    def _send(self, message: list[Any]) -> None:
        with self._lock:
            while self._released:
                super()._send([RELEASE, *self._released.pop()])
            self._sending = message[0]
            super()._send(message)

    def _invoke(
        self, handle: int, method: str, arguments: list[Any], keywords: dict[str, Any]
    ) -> Any:
        if handle == ROOT and self.root is not None:
            self._lock.release()
            try:
                return getattr(self.root, method)(*arguments, **keywords)
            finally:
                self._lock.acquire()
        function = self._functions.get(handle)
        if self._is_ending:
            raise _ENDING
        if function is None or method != "__call__":
            raise PowerError("power-unknown", "there is no such function")
        try:
            return function(*arguments, **keywords)
        except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
            # They end the function, and not what has called the host.
            raise Thrown(*named(error)) from None

    def _note_revoked(self, handle: int) -> None:
        """Do nothing: each call of it is refused, and says so."""

    def _take_back(self, given: list[int]) -> None:
        for handle in given:
            self._functions.pop(handle, None)

    def _parts_of(self, value: object) -> list[Any]:
        if isinstance(value, Power):
            return ["yours", value._brine_handle]
        is_function = isinstance(value, FunctionType | MethodType | RemoteMethod)
        if is_function and self._sending == CALL:
            if len(self._functions) >= MAX_FUNCTIONS:
                raise NotPlainError("too many functions are given to the host")
            self._last_function += 1
            self._functions[self._last_function] = value
            self._given.append(self._last_function)
            return ["function", self._last_function]
        raise NotPlainError(f"{type(value).__qualname__} is neither data nor a power")

    def _of_parts(self, parts: list[Any]) -> Any:
        match parts:
            case ["power", int(handle), dict(interface)]:
                return self._stub(handle, interface)
            case ["yours", int(handle)] if handle in self._functions:
                return self._functions[handle]
            case _:
                raise MalformedError("it is neither data nor a power")

    def _stub(self, handle: int, interface: dict[str, Any]) -> Power:
        found = self._stubs.get(handle)
        stub = found[0]() if found else None
        if found is not None and stub is not None:
            found[1][0] += 1
            return stub
        if found is not None:
            self._drop(handle, found[1])
        kind = self._kind(
            tuple(interface.get("methods", ())), tuple(interface.get("attributes", ()))
        )
        stub = kind()
        stub._brine_handle, stub._brine_host = handle, self
        count = [1]
        self._stubs[handle] = (weakref.ref(stub, lambda _: self._drop(handle, count)), count)
        return stub

    def _drop(self, handle: int, count: list[int]) -> None:
        found = self._stubs.get(handle)
        if found is not None and found[1] is count:
            del self._stubs[handle]
            self._released.append((handle, count[0]))

    def _kind(self, methods: tuple[str, ...], attributes: tuple[str, ...]) -> type[Power]:
        kind = self._kinds.get((methods, attributes))
        if kind is None:
            members: dict[str, Any] = {"__slots__": ()}
            members.update((name, _method(name)) for name in methods)
            members.update((name, property(_reader(name))) for name in attributes)
            kind = self._kinds[methods, attributes] = type("Power", (Power,), members)
        return kind

    def _raise(self, name: str, message: str, text: str) -> NoReturn:
        if name == "PowerError":
            reason, _, said = message.partition(": ")
            raise PowerError(reason, said)
        kind = EXCEPTIONS.get(name)
        if kind is not None:
            raise kind(message)
        raise Thrown(name, message, text)


def _method(name: str) -> Any:
    def special(self: Power, *arguments: Any, **keywords: Any) -> Any:
        return RemoteMethod(self, name)(*_plain_exit(name, arguments), **keywords)

    def bound(self: Power) -> RemoteMethod:
        return RemoteMethod(self, name)

    # The interpreter looks for the special ones in the class, and calls them.
    return special if name.startswith("__") else property(bound)


def _plain_exit(name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return what crosses of what a context manager is told: the name and the text of an exception."""
    if name != "__exit__" or not arguments or arguments[0] is None:
        return arguments
    return (arguments[0].__name__, str(arguments[1]), None)


def _reader(name: str) -> Any:
    def read(self: Power) -> Any:
        return self._brine_host.call(self._brine_handle, f".{name}", [], {})

    return read


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


_ENDING = PowerError("power-unknown", "the guest ends")

_OF_MORE_THAN_TEXT = (
    BaseExceptionGroup,
    UnicodeDecodeError,
    UnicodeEncodeError,
    UnicodeTranslateError,
)

EXCEPTIONS: dict[str, type[Exception]] = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, _OF_MORE_THAN_TEXT)
}
"""What is raised in the guest as it was in the host: the exceptions of Python that are made from a text. Anything else is a
`Thrown`."""
