"""File objects that sign what is written to them."""

from __future__ import annotations

import io
import os
import warnings
from typing import TYPE_CHECKING, Any

from brine._brine import StreamWriter
from brine._opening import is_regular, misuse, name_of, open_raw, path_of, require

if TYPE_CHECKING:
    from types import TracebackType

    from brine._brine import Buffer, Signer

BUFFER_BYTES = 128 * 1024
"""How much of small writes is passed on at once."""


class RawSignedWriter(io.RawIOBase):
    """What a ``SignedWriter`` has its buffer over. To close it does not finish the stream."""

    mode = "wb"

    def __init__(self, stream: StreamWriter, name: str, owned: io.FileIO | None = None) -> None:
        self.stream = stream
        self.name = name
        self.discards = False
        self._owned = owned

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        if self.discards:
            return len(memoryview(data).cast("B"))
        return self.stream.write(data)

    def tell(self) -> int:
        if self.closed:
            raise ValueError("I/O operation on closed file")
        return self.stream.tell()

    def close(self) -> None:
        if not self.closed:
            self.stream.abandon()
            if self._owned is not None:
                self._owned.close()
        super().close()


class SignedWriter(io.BufferedWriter):
    """A binary file that signs what is written to it, as a stream of any size.

    ``close`` finishes the stream, and a file appears under its name only then. If an exception leaves the ``with`` block,
    if the object is forgotten without ``close``, or if the program ends, the stream gets no end: a file does not appear,
    and whoever reads from a pipe is told that it was cut.
    """

    def __init__(self, raw: RawSignedWriter) -> None:
        self._raw = raw
        self._is_ending = False
        super().__init__(raw, BUFFER_BYTES)

    def flush(self) -> None:
        """Sign and write what there is, so that a reader can have it now."""
        super().flush()
        if not self._is_ending:
            self._raw.stream.flush()

    def close(self) -> None:
        """Sign the last of it, and finish the stream. To close it twice does nothing."""
        if self.closed:
            return
        self._is_ending = True
        try:
            if not self._raw.discards:
                super().flush()
                self._raw.stream.finish()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Give it up, and close it: the stream gets no end, and no file appears. What is finished stays."""
        self._give_up()
        if not self.closed:
            super().close()

    def detach(self) -> io.RawIOBase:
        """Return the raw file below. The stream gets no end then."""
        self._is_ending = True
        return super().detach()

    def _give_up(self) -> None:
        self._is_ending = True
        self._raw.discards = True
        self._raw.stream.abandon()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _dealloc_warn(self, source: object) -> None:
        """Is called by a text file over this that is forgotten without ``close``."""
        words = (
            f"the signed file {self._raw.name!r} was forgotten without close(): it was not finished"
        )
        warnings.warn(words, ResourceWarning, stacklevel=3, source=source)
        self._give_up()

    def __del__(self) -> None:
        if not getattr(self, "_is_ending", True):
            self._dealloc_warn(self)
            self.abandon()


class SignedTextWriter(io.TextIOWrapper):
    """A text file that signs what is written to it: a ``SignedWriter``, encoded."""

    def __init__(self, buffer: SignedWriter, **options: Any) -> None:
        self._signed = buffer
        super().__init__(buffer, **options)

    def abandon(self) -> None:
        """Give it up, and close it: the stream gets no end, and no file appears. What is finished stays."""
        self._signed._give_up()  # pyright: ignore[reportPrivateUsage]
        self.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def open_writer(file: object, signer: Signer, threads: int | None, is_new: bool) -> SignedWriter:
    """Open a path, or take a file object, for a stream."""
    path = path_of(file)
    if path is None:
        if is_new:
            raise misuse('mode "x" takes a path, and not a file object')
        sink, name = require(file, "write"), name_of(file)
        stream = StreamWriter.of_object(signer, sink, name, threads)
        return SignedWriter(RawSignedWriter(stream, name))
    if not os.path.exists(path) or os.path.isfile(path):
        stream = StreamWriter.of_path(signer, path, is_new, threads)
        return SignedWriter(RawSignedWriter(stream, path))
    if is_new:
        open_raw(path, "xb").close()
    raw = open_raw(path, "wb")
    if is_regular(raw):
        raw.close()
        raise misuse(f"{path!r} became a regular file, which is not written over in place")
    stream = StreamWriter.of_object(signer, raw, repr(path), threads)
    return SignedWriter(RawSignedWriter(stream, path, raw))
