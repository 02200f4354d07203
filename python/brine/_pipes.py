"""Pipes between processes, whose messages are signed."""

from __future__ import annotations

from multiprocessing import BufferTooShort, Pipe, connection, get_context
from multiprocessing.context import assert_spawning
from typing import TYPE_CHECKING, Any

from brine._errors import Error
from brine._high_water import HighWaterMarks
from brine._messages import (
    BYTES_TYPE,
    DEFAULT_CONTEXT,
    MessageCodec,
    Reception,
    ThreadLock,
    key_name,
    unique_context,
)
from brine._whole_messages import receive

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext
    from multiprocessing.synchronize import Lock
    from types import TracebackType
    from typing import Self

    from brine._allow import Allow
    from brine._brine import Buffer, Key, Trust, Verified
    from brine._messages import Expires, OnRefused


def signed_pipe(
    duplex: bool = True,
    *,
    ctx: BaseContext | None = None,
    key: Key | str | None = None,
    trust: Trust | None = None,
    context: str = DEFAULT_CONTEXT,
    allow: Allow = "std",
    code: bool = False,
    expires: Expires = None,
    on_refused: OnRefused | None = None,
) -> tuple[SignedConnection, SignedConnection]:
    """Return the two ends of a pipe like ``multiprocessing.Pipe``, whose messages are signed.

    If it is not ``duplex``, the first end only receives, and the second only sends.
    """
    ctx = ctx or get_context()
    to_first = MessageCodec(
        key=key,
        trust=trust,
        context=unique_context(context),
        allow=allow,
        code=code,
        expires=expires,
    )
    to_second = to_first.with_context(unique_context(context))
    first, second = Pipe(duplex)
    return (
        SignedConnection(first, to_second, _Inbox(to_first, ctx, on_refused)),
        SignedConnection(second, to_first, _Inbox(to_second, ctx, on_refused)),
    )


class _Inbox:
    """What all holders of one end share of what it has received."""

    def __init__(self, codec: MessageCodec, ctx: BaseContext, on_refused: OnRefused | None) -> None:
        self.reception = Reception(codec, HighWaterMarks(_MAX_CHANNELS), on_refused)
        self.lock: Lock = ctx.Lock()

    def judge(self, message: bytes) -> Verified | Error:
        with self.lock:
            return self.reception.judge(message)


class SignedConnection:
    """One end of a pipe, whose messages are signed.

    It has the methods of ``multiprocessing.connection.Connection``. As there, two processes or threads must not read
    from one end at the same time.
    """

    def __init__(self, plain: connection.Connection, codec: MessageCodec, inbox: _Inbox) -> None:
        self._plain = plain
        self._codec = codec
        self._inbox = inbox
        self._order = ThreadLock()
        self._twins: dict[tuple[str, str | None], SignedConnection] = {}

    def with_key(self, key: Key | str | None) -> SignedConnection:
        """Return the same end with another key to send messages with, or with none.

        The same key gives the same end. All share one descriptor: closing one closes the others.
        """
        name = key_name(key)
        if name not in self._twins:
            self._twins[name] = SignedConnection(
                self._plain, self._codec.with_key(key), self._inbox
            )
        return self._twins[name]

    def send(self, obj: object) -> None:
        """Pickle an object, sign it and send it."""
        self._check_writable()
        payload = self._codec.encode(obj)
        with self._order:
            self._plain.send_bytes(self._codec.sign(payload))

    def recv(self) -> Any:
        """Return the next object that verifies.

        Raise ``EOFError`` if nothing is left to receive and the other end was closed, and an error of brine if a message
        is refused, unless there is ``on_refused``.
        """
        reception = self._inbox.reception
        while True:
            message, judged = self._take(None)
            try:
                return reception.loaded(judged)
            except Error as error:
                reception.refuse(error, message)

    def send_bytes(self, buf: Buffer, offset: int = 0, size: int | None = None) -> None:
        """Sign bytes and send them. The other end receives them with ``recv_bytes``."""
        self._check_writable()
        with memoryview(buf) as view:
            payload = _part(view.cast("B") if view.nbytes else memoryview(b""), offset, size)
        with self._order:
            self._plain.send_bytes(self._codec.sign(payload, BYTES_TYPE))

    def recv_bytes(self, maxlength: int | None = None) -> bytes:
        """Return the bytes of the next message that verifies.

        Raise ``OSError`` if there are more than ``maxlength``: as in the standard library, the connection is of no use
        then.
        """
        if maxlength is not None and maxlength < 0:
            raise ValueError("negative maxlength")
        limit = None if maxlength is None else maxlength + _MAX_ENVELOPE_BYTES
        while True:
            message, judged = self._take(limit)
            if isinstance(judged, Error):
                self._inbox.reception.refuse(judged, message)
            elif maxlength is not None and len(judged) > maxlength:
                self.close()
                raise OSError("bad message length")
            else:
                return judged.payload

    def recv_bytes_into(self, buf: Any, offset: int = 0) -> int:
        """Receive bytes into a buffer, from ``offset`` on, and return how many there were."""
        with memoryview(buf) as view, view.cast("B") as room:
            if offset < 0:
                raise ValueError("negative offset")
            if offset > len(room):
                raise ValueError("offset too large")
            received = self.recv_bytes()
            end = offset + len(received)
            if end > len(room):
                raise BufferTooShort(received)
            room[offset:end] = received
            return len(received)

    def poll(self, timeout: float | None = 0.0) -> bool:
        """Return whether there is something to receive, and wait for it up to ``timeout`` seconds."""
        return self._plain.poll(timeout)

    def fileno(self) -> int:
        """Return the descriptor, for ``multiprocessing.connection.wait``."""
        return self._plain.fileno()

    def close(self) -> None:
        """Close this end."""
        self._plain.close()

    @property
    def closed(self) -> bool:
        """Whether this end is closed."""
        return self._plain.closed

    @property
    def readable(self) -> bool:
        """Whether this end receives."""
        return self._plain.readable

    @property
    def writable(self) -> bool:
        """Whether this end sends."""
        return self._plain.writable

    def missing(self) -> int:
        """Return how many messages never arrived or were refused, as far as later ones of their process tell."""
        return self._inbox.reception.marks.skipped

    def _take(self, limit: int | None) -> tuple[bytes, Verified | Error]:
        try:
            message = receive(self._plain) if limit is None else self._plain.recv_bytes(limit)
        except Error as error:
            return b"", error
        return message, self._inbox.judge(message)

    def _check_writable(self) -> None:
        # Nothing is numbered that is not sent.
        if self._plain.closed:
            raise OSError("handle is closed")
        if not self._plain.writable:
            raise OSError("connection is read-only")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __getstate__(self) -> tuple[connection.Connection, MessageCodec, _Inbox]:
        assert_spawning(self)
        return self._plain, self._codec, self._inbox

    def __setstate__(self, state: tuple[connection.Connection, MessageCodec, _Inbox]) -> None:
        self._plain, self._codec, self._inbox = state
        self._twins = {}
        self._order = ThreadLock()


def _part(view: memoryview, offset: int, size: int | None) -> bytes:
    """Return ``size`` bytes from ``offset`` on."""
    if offset < 0:
        raise ValueError("offset is negative")
    if offset > len(view):
        raise ValueError("buffer length < offset")
    if size is None:
        size = len(view) - offset
    if size < 0:
        raise ValueError("size is negative")
    if offset + size > len(view):
        raise ValueError("buffer length < offset + size")
    return bytes(view[offset : offset + size])


_MAX_CHANNELS = 1 << 16
"""How many processes can send into one end of a pipe, over its whole life."""

_MAX_ENVELOPE_BYTES = 1 << 16
"""More than an envelope adds to what is signed."""
