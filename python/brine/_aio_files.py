"""Files that asyncio reads and writes, each by one thread at a time."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections import deque
from typing import TYPE_CHECKING, Any, AnyStr, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from brine import Verified

T = TypeVar("T")

LINES_BYTES = 64 * 1024
"""How much is read at once for those who want one line after the other."""


class Settling(Generic[T]):
    """Work that a thread does, and brings to its end whatever becomes of those who wait for it."""

    def __init__(self, work: Callable[[], T]) -> None:
        run = functools.partial(contextvars.copy_context().run, work)
        self._future = asyncio.get_running_loop().run_in_executor(None, run)

    async def wait(self) -> T:
        """Return what the work returns."""
        try:
            return await asyncio.shield(self._future)
        except asyncio.CancelledError:
            self.then(lambda _: None)
            raise

    async def settled(self) -> None:
        """Wait until it has ended, well or not."""
        if not self._future.done():
            await asyncio.wait([self._future])

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
    """What asynchronous readers and writers have in common."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._lock = asyncio.Lock()
        self._last: Settling[Any] | None = None

    async def _do(self, work: Callable[[], T]) -> T:
        """Have a thread do some work, when what was cancelled before has ended."""
        async with self._lock:
            self._check()
            if self._last is not None:
                await self._last.settled()
            self._check()
            settling = Settling(work)
            self._last = settling
            try:
                return await settling.wait()
            except asyncio.CancelledError:
                self._cancelled()
                raise

    def _at_the_end(self, work: Callable[[], object]) -> None:
        """Do something now, or when the work of a thread has ended. Nobody waits for that."""
        if self._last is None:
            work()
        else:
            self._last.then(lambda _: work())

    def _check(self) -> None:
        """Raise if nothing can be done any more."""

    def _cancelled(self) -> None:
        """Note that work was cancelled, which a thread brings to its end."""

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
        self._ahead: deque[AnyStr] = deque()

    @property
    def verified(self) -> Verified:
        """Who signed it, when and what for."""
        found: Verified = self._file.verified
        return found

    async def read(self, size: int = -1) -> AnyStr:
        """Read ``size`` bytes or characters, or all up to the end; nothing at the end."""
        pieces = [] if self._is_lost else self._taken(size)
        left = max(size - sum(len(piece) for piece in pieces), 0) if size >= 0 else -1
        if left != 0 or not pieces:
            pieces.append(await self._do(lambda: self._file.read(left)))
        nothing: Any = pieces[0][:0]
        content: AnyStr = nothing.join(pieces)
        return content

    async def readline(self) -> AnyStr:
        """Read a line with its end; nothing at the end of the file."""
        if self._ahead and not self._is_lost:
            return self._ahead.popleft()
        return await self._do(self._file.readline)

    def __aiter__(self) -> AsyncReader[AnyStr]:
        return self

    async def __anext__(self) -> AnyStr:
        if not self._ahead:
            # A thread for each line would take longer than reading it.
            self._ahead.extend(await self._do(lambda: self._file.readlines(LINES_BYTES)))
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

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

    async def close(self) -> None:
        """Close it. After a read that was cancelled, nobody waits for the thread that reads."""
        if self._is_lost:
            self._at_the_end(self._file.close)
        else:
            await self._do(self._file.close)

    def _check(self) -> None:
        if self._is_lost:
            raise ValueError("the file is closed: a read was cancelled, and what it read is lost")

    def _cancelled(self) -> None:
        self._is_lost = True
        self._at_the_end(self._file.close)

    async def leave(self, kind: type[BaseException] | None) -> None:
        await self.close()


class AsyncWriter(AsyncFile, Generic[AnyStr]):
    """A ``SignedWriter``, or ``SignedTextWriter``, whose methods are awaited.

    A write that is cancelled is carried out, and what is written after it comes after it.
    """

    async def write(self, data: AnyStr) -> int:
        """Sign bytes or text, and return how much it was. ``data`` must not change meanwhile."""
        written: int = await self._do(lambda: self._file.write(data))
        return written

    async def flush(self) -> None:
        """Sign and write what there is, so that a reader can have it now."""
        await self._do(self._file.flush)

    async def close(self) -> None:
        """Sign the last of it, and finish the stream."""
        await self._do(self._file.close)

    def abandon(self) -> None:
        """Give it up: the stream gets no end. What a thread writes now comes to its end first; nobody waits for it."""
        self._at_the_end(self._file.abandon)

    async def leave(self, kind: type[BaseException] | None) -> None:
        if kind is None:
            await self.close()
        else:
            self.abandon()
