"""One end of a connection between a host and its guest: calls, and what answers them.

SPEC.md has the messages. Both ends are alike: each may call what the other has let it have.
"""

from __future__ import annotations

from brine._guest.cbor import MalformedError, NotPlainError, decode, encode
from brine._guest.raised import MAX_NAME_CHARS, MAX_TEXT_CHARS, harmless, named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

VERSION = 1
HELLO, CALL, RETURN, THROW, RELEASE, REVOKED = range(6)

MAX_MESSAGE_BYTES = 1 << 20
MAX_OPEN_CALLS = 16
MAX_ID = (1 << 64) - 1

ROOT = 0
"""The handle of the other end itself."""


class LostError(ConnectionError):
    """The other end is gone."""


class ProtocolError(ConnectionError):
    """The other end said what it must not say. Nothing more is said to it."""


class PowerError(Exception):
    """A power was not used: `reason` says why, as SPEC.md has it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Thrown(Exception):
    """What the other end raised: the name of its type, its text, and where, if it says that."""

    def __init__(self, kind: str, message: str, text: str = "") -> None:
        super().__init__(f"{kind}: {message}" if message else kind)
        self.kind, self.message, self.text = kind, message, text


class Peer:
    """One end. A subclass says what is exported, and what becomes of a call."""

    _encode, _decode = staticmethod(encode), staticmethod(decode)

    def __init__(self, read: Callable[[], bytes], write: Callable[[bytes], None]) -> None:
        self._read, self._write = read, write
        self._arrived = bytearray()
        self._open: list[int] = []
        self._last = 0
        self._answering: list[int] = []
        """The numbers of the calls that are being answered, one inside of the other."""
        self.message_bytes = 0
        self._fault: OSError | None = None
        """Why nothing more is said. A method of the host may have caught it: it holds all the same."""
        self._given: list[int] = []
        """The handles of what the message gives that is being made."""

    def call(self, handle: int, method: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """Call what the other end has, and wait for its answer. What it calls meanwhile is answered."""
        if len(self._open) >= MAX_OPEN_CALLS:
            raise RecursionError("calls are nested too deeply")
        self._last += 1
        number = self._last
        self._send([CALL, number, handle, method, arguments, keywords])
        self._open.append(number)
        try:
            return self._answer(number)
        finally:
            self._open.pop()

    def _answer(self, number: int) -> Any:
        while True:
            message = self._receive()
            kinds, kind = _shape(message)
            if kind == RETURN and len(kinds) == 3 and kinds[1] is int:
                self._refuse_other(message[1], number)
                return message[2]
            if kind == THROW and kinds[1:] in _THROWN:
                self._refuse_other(message[1], number)
                self._raise(message[2], message[3], message[4] if len(kinds) == 5 else "")
            self._handle(message)

    def _broken(self, why: str) -> ProtocolError:
        """Return what is raised, and from now on, because the other end said what it must not say."""
        self._fault = ProtocolError(why)
        return self._fault

    def _refuse_other(self, answered: int, number: int) -> None:
        if answered != number:
            raise self._broken("an answer came that nobody waits for")

    def serve_one(self) -> None:
        """Wait for a message, and do what it asks for."""
        self._handle(self._receive())

    def _handle(self, message: Any) -> None:
        kinds, kind = _shape(message)
        if kind == CALL and kinds[1:] == _CALL:
            _, number, handle, method, arguments, keywords = message
            if not 0 <= number <= MAX_ID:
                raise self._broken("a call has a number that is none")
            if not all(type(name) is str for name in keywords):
                raise self._broken("a keyword is no text")
            self._serve(number, handle, method, arguments, keywords)
        elif kind == RELEASE and kinds[1:] == (int, int) and message[2] > 0:
            self._release(message[1], message[2])
        elif kind == REVOKED and kinds[1:] == (int,):
            self._note_revoked(message[1])
        else:
            raise self._broken("a message is none that may come now")

    def _serve(
        self, number: int, handle: int, method: str, arguments: list[Any], keywords: dict[str, Any]
    ) -> None:
        self._answering.append(number)
        try:
            self._answer_call(number, handle, method, arguments, keywords)
        finally:
            self._answering.pop()

    def _answer_call(
        self, number: int, handle: int, method: str, arguments: list[Any], keywords: dict[str, Any]
    ) -> None:
        try:
            answer = [RETURN, number, self._invoke(handle, method, arguments, keywords)]
        except Exception as error:  # noqa: BLE001
            answer = [THROW, number, *_thrown(error)]
        if self._fault is not None:
            # A method may have caught it, or not.
            raise self._fault
        try:
            self._send(answer)
        except NotPlainError as error:
            self._send([THROW, number, *told(PowerError("power-data", str(error)))])

    def _send(self, message: list[Any]) -> None:
        if self._fault is not None:
            raise self._fault
        self._given.clear()
        try:
            data = self._encode(message, self._parts_of)
            if len(data) > MAX_MESSAGE_BYTES:
                raise NotPlainError(f"a message is larger than {MAX_MESSAGE_BYTES} bytes")
        except NotPlainError:
            # What is not sent gives nothing.
            self._take_back(self._given)
            raise
        self._count(4 + len(data))
        try:
            self._write(len(data).to_bytes(4, "big") + data)
        except OSError as error:
            # A part of it may be on its way.
            self._fault = error
            raise

    def _receive(self) -> Any:
        if self._fault is not None:
            raise self._fault
        try:
            return self._received()
        except OSError as error:
            self._fault = error
            raise

    def _received(self) -> Any:
        arrived = self._arrived
        while True:
            if len(arrived) >= 4:
                length = int.from_bytes(arrived[:4], "big")
                if length > MAX_MESSAGE_BYTES:
                    raise ProtocolError("a message is too large")
                end = 4 + length
                if len(arrived) >= end:
                    self.message_bytes = end
                    self._count(end)
                    data = bytes(arrived[4:end])
                    del arrived[:end]
                    try:
                        return self._decode(data, self._of_parts)
                    except MalformedError as error:
                        raise ProtocolError(str(error)) from None
            more = self._read()
            if not more:
                raise LostError("the other end is gone")
            arrived += more

    def _raise(self, name: str, message: str, text: str) -> NoReturn:
        raise Thrown(name, message, text)

    def _count(self, count: int) -> None:
        """Note that a message of so many bytes crosses, whatever becomes of it."""

    def _take_back(self, given: list[int]) -> None:
        """Take back what a message that is not sent would have given."""

    def _invoke(
        self, handle: int, method: str, arguments: list[Any], keywords: dict[str, Any]
    ) -> Any:
        raise NotImplementedError

    def _release(self, handle: int, count: int) -> None:
        raise self._broken(f"{count} of {handle} are released, which were not had")

    def _note_revoked(self, handle: int) -> None:
        raise self._broken(f"{handle} is revoked by somebody who does not have it")

    def _parts_of(self, value: object) -> list[Any]:
        raise NotPlainError(f"{type(value).__qualname__} is no data")

    def _of_parts(self, parts: list[Any]) -> Any:
        raise MalformedError(f"{str(parts[0])[:64]!r} is none that may come")


_CALL = (int, int, str, list, dict)
_THROWN = ((int, str, str), (int, str, str, str))


def _shape(message: Any) -> tuple[tuple[type, ...], int | None]:
    """Return the types of the parts of a message, and its kind. Nothing of what the parts are is asked for."""
    if type(message) is not list:
        return (), None
    kinds = tuple(map(type, message))
    return kinds, message[0] if kinds and kinds[0] is int else None


def told(error: BaseException) -> list[str]:
    """Return the name of the type of an exception, and its text, with the reason of a `PowerError`.

    What the other end has raised is told as what it was there.
    """
    if isinstance(error, Thrown):
        return [harmless(error.kind)[:MAX_NAME_CHARS], harmless(error.message)[:MAX_TEXT_CHARS]]
    name, text = named(error)
    if isinstance(error, PowerError):
        return ["PowerError", f"{error.reason}: {text}"]
    return [name, text]


def _thrown(error: BaseException) -> list[str]:
    """Return the same for an exception that is made again at the other end, from its text."""
    name, text = told(error)
    if type(error) is KeyError and [type(key) for key in error.args] == [str]:
        # Its text is the key as Python writes it.
        text = harmless(error.args[0])[:MAX_TEXT_CHARS]
    return [name, text]
