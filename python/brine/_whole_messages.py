"""A pipe from which messages are taken whole."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import struct
import time
from multiprocessing import connection

from brine._errors import AlteredError


def message_pipe() -> tuple[connection.Connection, connection.Connection]:
    """Return the ends of a pipe: one to receive from, one to send into.

    It is a socket, and not a pipe: one can look at what is in it without taking it out.
    """
    first, second = socket.socketpair()
    first.shutdown(socket.SHUT_WR)
    return (
        connection.Connection(first.detach(), writable=False),
        connection.Connection(second.detach(), readable=False),
    )


def duplicate_ends(
    reader: connection.Connection, writer: connection.Connection
) -> tuple[connection.Connection, connection.Connection]:
    """Return the ends of a pipe under descriptors of their own, which can be closed alone."""
    return (
        connection.Connection(os.dup(reader.fileno()), writable=False),
        connection.Connection(os.dup(writer.fileno()), readable=False),
    )


class WholeMessages:
    """Receives messages, in the framing of ``multiprocessing.connection``.

    A process that is killed between the length of a message and the message would leave the rest of it to others, who
    would take it for lengths. So a message is looked at first, and all of it is taken out with one system call. Until
    then it is there for others. Messages over `MAX_WHOLE_BYTES`, and those that take long to arrive, are received in
    pieces, as the standard library does.
    """

    def __init__(self, reader: connection.Connection) -> None:
        self._reader = reader
        self._socket: socket.socket | None = None
        self._seen_bytes = 0

    def look(self, patience: float | None = None) -> bytes:
        """Return the next message, which **must** be taken out then.

        Raise ``EOFError`` if there will be none, and ``AlteredError`` if what arrives is none: if its length makes no
        sense, or nothing more of it arrives for ``patience`` seconds.
        """
        self._seen_bytes = 0
        return self._whole() or receive(self._reader, patience)

    def take(self) -> None:
        """Take out of the pipe what was looked at."""
        while self._seen_bytes:
            self._seen_bytes -= len(self._descriptor().recv(self._seen_bytes))

    def _whole(self) -> bytes | None:
        """Look at the next message if it has arrived. Its length is at least 1."""
        for attempt in range(_ATTEMPTS):
            seen = self._look(_FIRST_LOOK_BYTES)
            end = _end_of_message(seen)
            if end is None:
                return None
            if len(seen) < end:
                seen = self._look(end)
            if len(seen) >= end:
                self._seen_bytes = end
                return seen[_LENGTH_BYTES:end]
            time.sleep(_PAUSE_SECONDS * attempt)
        return None

    def _look(self, size: int) -> bytes:
        return self._descriptor().recv(size, socket.MSG_PEEK)

    def _descriptor(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.socket(fileno=self._reader.fileno())
            self._socket.setblocking(True)
        elif self._reader.closed:
            raise OSError("handle is closed")
        return self._socket

    def __del__(self) -> None:
        # The descriptor belongs to the reader.
        with contextlib.suppress(AttributeError):
            if self._socket is not None:
                self._socket.detach()


def receive(reader: connection.Connection, patience: float | None = None) -> bytes:
    """Receive a message in pieces. No length that is claimed leads to an allocation."""
    if reader.closed:
        raise OSError("handle is closed")
    if not reader.readable:
        raise OSError("connection is write-only")
    (length,) = struct.unpack("!i", _read(reader, _LENGTH_BYTES, patience, is_first=True))
    if length == _LONG:
        (length,) = struct.unpack("!Q", _read(reader, _LONG_LENGTH_BYTES, patience))
    if not 0 <= length <= _MAX_MESSAGE_BYTES:
        raise AlteredError(f"a message has no length like {length}", reason="message-length")
    return _read(reader, length, patience)


def _read(
    reader: connection.Connection, size: int, patience: float | None, is_first: bool = False
) -> bytes:
    pieces = io.BytesIO()
    while size > (got := pieces.tell()):
        if patience is not None and not reader.poll(patience):
            raise AlteredError(
                f"{got} of {size} bytes of a message arrived, and nothing more for {patience:g} s",
                reason="message-length",
            )
        piece = os.read(reader.fileno(), min(size - got, _PIECE_BYTES))
        if not piece:
            raise EOFError if is_first and not got else OSError("got end of file during message")
        pieces.write(piece)
    return pieces.getvalue()


def _end_of_message(seen: bytes) -> int | None:
    """Return where the first message ends, if it is one that is taken whole."""
    if len(seen) < _LENGTH_BYTES:
        return None
    (length,) = struct.unpack_from("!i", seen)
    return _LENGTH_BYTES + length if 0 < length <= MAX_WHOLE_BYTES else None


MAX_WHOLE_BYTES = 1 << 16
"""Up to this length, a message is taken out of the pipe at once."""

PATIENCE_SECONDS = 10.0
"""How long a message that has begun to arrive may rest, where somebody does not want to wait for ever."""

_LONG = -1
_LENGTH_BYTES = 4
_LONG_LENGTH_BYTES = 8
_MAX_MESSAGE_BYTES = 1 << 40
_PIECE_BYTES = 1 << 20
_FIRST_LOOK_BYTES = 4096
_ATTEMPTS = 30
_PAUSE_SECONDS = 0.0002
