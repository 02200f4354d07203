"""A socket to a guest, which is waited for until a moment and no longer."""

from __future__ import annotations

import socket
from select import POLLIN, POLLOUT, poll
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

READ_BYTES = 1 << 16

MSG_NOSIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)
"""The other end may be gone, which is an error, also where SIGPIPE would end this process."""


class Deadline:
    """Says until when may be waited, or raises when that is over."""

    def __init__(self) -> None:
        self._end = 0.0

    def begin(self, seconds: float) -> None:
        """Let it be so many seconds from now on."""
        self._end = monotonic() + seconds

    def __call__(self) -> float:
        """Return the moment, on the clock of `time.monotonic`."""
        if monotonic() >= self._end:
            raise TimeoutError
        return self._end


class Wire:
    """Reads and writes.

    ``read_until`` and ``write_until`` say, before each, until when it may wait, on the clock of `time.monotonic`; `None` is for
    as long as it takes.
    """

    def __init__(
        self,
        connection: socket.socket,
        read_until: Callable[[], float | None],
        write_until: Callable[[], float | None],
    ) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._read_until, self._write_until = read_until, write_until
        self._readable, self._writable = poll(), poll()
        self._readable.register(connection, POLLIN)
        self._writable.register(connection, POLLOUT)

    def read(self) -> bytes:
        """Return some bytes, or none if the other end is gone."""
        end = self._read_until()
        while True:
            _wait(self._readable, end)
            try:
                return self._socket.recv(READ_BYTES)
            except BlockingIOError:
                continue

    def write(self, data: bytes) -> None:
        """Write all of some bytes."""
        end = self._write_until()
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest, MSG_NOSIGNAL) :]
            except BlockingIOError:
                _wait(self._writable, end)


def _wait(ready: poll, end: float | None) -> None:
    if end is None:
        ready.poll()
        return
    left = end - monotonic()
    if left <= 0 or not ready.poll(left * 1000):
        raise TimeoutError
