"""What tests of guests share."""

from __future__ import annotations

import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from brine._guest.cbor import MalformedError, decode, encode
from brine._guest.peer import LostError
from brine._power_table import Guest
from programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator


def refuse_without_confinement() -> None:
    """Skip the tests where no guest can be confined."""
    if sys.platform != "linux":
        pytest.skip("guests are confined on Linux")
    program("brine")


class Tagged(list[Any]):
    """The parts of tag 27, to be sent as they are."""


class RawGuest:
    """A guest that says whatever a test has it say, byte by byte."""

    def __init__(self, names: dict[str, Any], seconds: float = 5) -> None:
        self.ours, theirs = socket.socketpair()
        self.ours.settimeout(seconds)
        theirs.settimeout(seconds)
        self._theirs = theirs
        self.table = Guest(lambda: theirs.recv(1 << 16), theirs.sendall)
        self.table.hello(names)
        self.hello = self.heard()

    def say_bytes(self, data: bytes) -> None:
        """Say bytes, with a length before them."""
        self.ours.sendall(len(data).to_bytes(4, "big") + data)

    def say(self, *message: Any) -> None:
        """Say a message."""
        self.say_bytes(encode(list(message), lambda value: list(value)))

    def heard(self) -> Any:
        """Return what the host said."""
        length = int.from_bytes(self._exactly(4), "big")
        return decode(self._exactly(length), Tagged)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.ours.recv(count - len(data))
            if not more:
                raise LostError
            data += more
        return data

    def asked(self, *message: Any) -> Any:
        """Say a message, have the host do what it asks for, and return what it says then."""
        self.say(*message)
        self.table.serve_one()
        return self.heard()

    def close(self) -> None:
        """Hang up."""
        self.ours.close()
        self._theirs.close()


@contextmanager
def raw_guest(names: dict[str, Any]) -> Iterator[RawGuest]:
    """Have a guest that says anything."""
    guest = RawGuest(names)
    try:
        yield guest
    finally:
        guest.close()


def refuse_parts(parts: list[Any]) -> Any:
    """Take nothing that is no data."""
    raise MalformedError(str(parts))
