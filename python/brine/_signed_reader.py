"""File objects that give what has verified."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

from brine._brine import StreamReader
from brine._opening import is_regular, name_of, open_raw, path_of, require

if TYPE_CHECKING:
    from brine._brine import Buffer, Verified, Verifier

BUFFER_BYTES = 128 * 1024
"""How much is read at once for those who want a few bytes each time."""

PIECE_BYTES = 1024 * 1024


class RawSignedReader(io.RawIOBase):
    """What a ``SignedReader`` has its buffer over."""

    mode = "rb"

    def __init__(
        self, stream: StreamReader, name: str, is_path: bool, owned: io.FileIO | None = None
    ) -> None:
        self.stream = stream
        self.name = name
        self._is_path = is_path
        self._owned = owned

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        return self.stream.readinto(buffer)

    def readall(self) -> bytes:
        pieces: list[bytes] = []
        room = bytearray(PIECE_BYTES)
        while count := self.stream.readinto(room):
            pieces.append(bytes(memoryview(room)[:count]))
        return b"".join(pieces)

    def tell(self) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return self.stream.tell()

    def close(self) -> None:
        if not self.closed:
            self.stream.close()
            if self._owned is not None:
                self._owned.close()
        super().close()

    def _dealloc_warn(self, source: object) -> None:
        """Is called by the buffer if it is forgotten without ``close``, as it calls that of any raw file."""
        if self._is_path and not self.closed:
            words = f"unclosed signed file {self.name!r}"
            warnings.warn(words, ResourceWarning, stacklevel=2, source=source)


class SignedReader(io.BufferedReader):
    """A binary file that gives what has verified, and nothing else.

    It ends only where the signer ended it. If it was cut or altered, reading raises an ``AlteredError``, and does so each
    time from then on; what was read before had verified. Trust and time are judged again as it is read. It cannot be
    sought in.
    """

    def __init__(self, raw: RawSignedReader) -> None:
        self._stream = raw.stream
        super().__init__(raw, BUFFER_BYTES)

    @property
    def verified(self) -> Verified:
        """Who signed it, when and what for. It has no ``payload``, which is read from the file."""
        return self._stream.verified

    def read(self, size: int | None = -1, /) -> bytes:
        """Read ``size`` bytes, or all up to the end, and return them; ``b""`` at the end."""
        if size is not None and size >= 0:
            return super().read(size)
        most = None if self.closed else self._stream.most()
        if most is None:
            return super().read()
        try:
            # Memory for all of it at once. What was too much of it is given back.
            content = super().read(most + BUFFER_BYTES)
        except MemoryError:
            content = b""
        return content + super().read()


class SignedTextReader(io.TextIOWrapper):
    """A text file that gives what has verified, and nothing else: a ``SignedReader``, decoded."""

    def __init__(self, buffer: SignedReader, **options: Any) -> None:
        self._signed = buffer
        super().__init__(buffer, **options)

    @property
    def verified(self) -> Verified:
        """Who signed it, when and what for. It has no ``payload``, which is read from the file."""
        return self._signed.verified


def open_reader(file: object, verifier: Verifier, threads: int | None) -> SignedReader:
    """Open a path or a file object, of which the beginning verifies."""
    path = path_of(file)
    if path is None:
        source, name = require(file, "read"), name_of(file)
        stream = StreamReader.of_object(verifier, source, name)
        return SignedReader(RawSignedReader(stream, name, is_path=False))
    raw = open_raw(path, "rb")
    try:
        if not is_regular(raw):
            stream = StreamReader.of_object(verifier, raw, repr(path))
            return SignedReader(RawSignedReader(stream, path, is_path=True, owned=raw))
        stream = StreamReader.of_descriptor(verifier, raw.fileno(), path, threads)
    except BaseException:
        raw.close()
        raise
    raw.close()
    return SignedReader(RawSignedReader(stream, path, is_path=True))
