"""Files that asyncio reads and writes, each by one thread at a time."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import io
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, AnyStr, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from brine import Verified

T = TypeVar("T")


class Settling(Generic[T]):
    """Work that a thread does, and brings to its end whatever becomes of those who wait for it."""

    def __init__(self, work: Callable[[], T], executor: ThreadPoolExecutor | None = None) -> None:
        run = functools.partial(contextvars.copy_context().run, work)
        self._future = asyncio.get_running_loop().run_in_executor(executor, run)

    async def wait(self) -> T:
        """Return what the work returns."""
        try:
            return await asyncio.shield(self._future)
        except asyncio.CancelledError:
            self.then(lambda _: None)
            raise

    def then(self, work: Callable[[asyncio.Future[T]], object]) -> None:
        """Do something that takes no time when it has ended, well or not."""

        def ended(future: asyncio.Future[T]) -> None:
            if not future.cancelled():
                future.exception()  # Nobody else looks at it.
            work(future)

        if self._future.done():
            ended(self._future)
        else:
            self._future.add_done_callback(ended)


class AsyncFile:
    """What asynchronous readers and writers have in common: one thread, which does their work in its order."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(1, "brine-aio")
        self._count = 0

    def _start(self, work: Callable[[], T]) -> Settling[T]:
        """Have the thread do some work after all that was started before. From now on nothing stops that."""
        try:
            settling = Settling(work, self._thread)
        except RuntimeError as error:  # The thread takes no more work.
            raise ValueError("I/O operation on closed file") from error
        self._count += 1
        settling.then(self._ended)
        return settling

    def _ended(self, _: object) -> None:
        self._count -= 1

    def _end(self, work: Callable[[], object]) -> None:
        """Do the last work, now if the thread has nothing to do, else by the thread and without waiting for it."""
        if self._count == 0:
            work()
        else:
            self._start(work)
        self._thread.shutdown(wait=False)

    async def leave(self, kind: type[BaseException] | None) -> None:
        """End the work, as at the end of a ``with`` block that ``kind`` left."""
        raise NotImplementedError


class AsyncReader(AsyncFile, Generic[AnyStr]):
    """A ``SignedReader``, or ``SignedTextReader``, whose methods are awaited.

    A read that is cancelled takes bytes with it that nobody gets. So the file is closed then, as soon as the thread that
    reads comes back.
    """

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self._is_lost = False
        # Lines that were read ahead. They belong to the thread while it works, and to the event loop while it does not.
        self._ahead: deque[AnyStr] = deque()

    @property
    def verified(self) -> Verified:
        """Who signed it, when and what for."""
        found: Verified = self._file.verified
        return found

    async def read(self, size: int = -1) -> AnyStr:
        """Read ``size`` bytes or characters, or all up to the end; nothing at the end."""
        return await self._do(lambda: self._read(size))

    async def readline(self) -> AnyStr:
        """Read a line with its end; nothing at the end of the file."""
        if self._count == 0 and self._ahead and not self._is_lost:
            return self._ahead.popleft()
        return await self._do(self._readline)

    def __aiter__(self) -> AsyncReader[AnyStr]:
        return self

    async def __anext__(self) -> AnyStr:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def close(self) -> None:
        """Close it. After a read that was cancelled, nobody waits for the thread that reads."""
        if not self._is_lost and not self._file.closed:
            await self._start(self._file.close).wait()
            self._thread.shutdown(wait=False)

    async def leave(self, kind: type[BaseException] | None) -> None:
        await self.close()

    async def _do(self, work: Callable[[], AnyStr]) -> AnyStr:
        """Have the thread read. Whoever is cancelled meanwhile leaves a hole, and nobody reads on behind that."""
        self._check()
        reading = self._start(lambda: self._checked(work))
        try:
            content = await reading.wait()
        except asyncio.CancelledError:
            self._is_lost = True
            self._end(self._file.close)
            raise
        self._check()
        return content

    def _checked(self, work: Callable[[], AnyStr]) -> AnyStr:
        self._check()
        return work()

    def _check(self) -> None:
        if self._is_lost:
            raise ValueError("the file is closed: a read was cancelled, and what it read is lost")
        if self._file.closed:
            raise ValueError("I/O operation on closed file")

    def _read(self, size: int) -> AnyStr:
        pieces = self._taken(size)
        left = max(size - sum(len(piece) for piece in pieces), 0) if size >= 0 else -1
        if left != 0 or not pieces:
            pieces.append(self._file.read(left))
        nothing: Any = pieces[0][:0]
        content: AnyStr = nothing.join(pieces)
        return content

    def _readline(self) -> AnyStr:
        if self._ahead:
            return self._ahead.popleft()
        line: AnyStr = self._file.readline()
        self._ahead.extend(self._buffered_lines())
        return line

    def _buffered_lines(self) -> list[Any]:
        """Take the lines that are in the buffer already. A thread for each would take longer than reading it."""
        if not isinstance(self._file, io.BufferedReader):
            return []
        count = self._file.raw.tell() - self._file.tell()
        end = self._file.peek()[:count].rfind(b"\n") + 1 if count > 0 else 0
        return io.BytesIO(self._file.read(end)).readlines()

    def _taken(self, size: int) -> list[AnyStr]:
        """Take what was read ahead, ``size`` of it at most."""
        pieces: list[AnyStr] = []
        while self._ahead and size != 0:
            piece = self._ahead.popleft()
            if 0 < size < len(piece):
                self._ahead.appendleft(piece[size:])
                piece = piece[:size]
            pieces.append(piece)
            size -= len(piece) if size > 0 else 0
        return pieces


class AsyncWriter(AsyncFile, Generic[AnyStr]):
    """A ``SignedWriter``, or ``SignedTextWriter``, whose methods are awaited.

    A write that is cancelled is carried out, and what is written after it comes after it.
    """

    async def write(self, data: AnyStr) -> int:
        """Sign bytes or text, and return how much it was. ``data`` must not change meanwhile."""
        written: int = await self._start(lambda: self._file.write(data)).wait()
        return written

    async def flush(self) -> None:
        """Sign and write what there is, so that a reader can have it now."""
        await self._start(self._file.flush).wait()

    async def close(self) -> None:
        """Sign the last of it, and finish the stream."""
        if not self._file.closed:
            closing = self._start(self._file.close)
            self._thread.shutdown(wait=False)
            await closing.wait()

    def abandon(self) -> None:
        """Give it up: the stream gets no end. What was started before comes to its end first; nobody waits for that."""
        if not self._file.closed:
            self._end(self._file.abandon)

    async def leave(self, kind: type[BaseException] | None) -> None:
        if kind is None:
            await self.close()
        else:
            self.abandon()
