"""The same for asyncio: what waits is done by a thread, and awaited.

``sign``, ``verify``, ``dumps``, ``loads``, ``open`` and ``verified_path`` take the arguments of their namesakes in ``brine``.

To sign or verify a message of a kilobyte takes about 50 microseconds. A thread costs more than that: call ``brine.sign``
and ``brine.verify`` for small messages, and await what is large, or comes from somewhere slow.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

import brine
from brine._aio_files import AsyncReader, AsyncWriter, Settling

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import TracebackType

    from brine._files import FileLike
    from brine._paths import VerifiedPath

__all__ = [
    "AsyncReader",
    "AsyncWriter",
    "dumps",
    "loads",
    "open",
    "sign",
    "verified_path",
    "verify",
]

P = ParamSpec("P")
T = TypeVar("T")


class _Leaves(Protocol):
    async def leave(self, kind: type[BaseException] | None) -> None: ...


F = TypeVar("F", bound=_Leaves)


def _in_thread(function: Callable[P, T]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Return the same function as one that is awaited."""

    @functools.wraps(function)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(function, *args, **kwargs)

    return call


sign = _in_thread(brine.sign)
verify = _in_thread(brine.verify)
dumps = _in_thread(brine.dumps)
loads = _in_thread(brine.loads)


class Opening(Generic[F]):
    """Something that is about to be opened: await it, or use it in ``async with``."""

    def __init__(self, open_it: Callable[[], Any], wrap: Callable[[Any], F]) -> None:
        self._open = open_it
        self._wrap = wrap
        self._opened: F | None = None

    async def _wait(self) -> F:
        settling = Settling(self._open)
        try:
            return self._wrap(await settling.wait())
        except asyncio.CancelledError:
            settling.then(_close)
            raise

    def __await__(self) -> Generator[Any, None, F]:
        return self._wait().__await__()

    async def __aenter__(self) -> F:
        self._opened = await self._wait()
        return self._opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._opened is not None:
            await self._opened.leave(kind)


def _close(opened: asyncio.Future[Any]) -> None:
    """Close what was opened when nobody wanted it any more."""
    if opened.cancelled() or opened.exception() is not None:
        return
    file = opened.result()
    getattr(file, "abandon", file.close)()


@overload
def open(
    file: FileLike, mode: Literal["rb"] = "rb", **options: Any
) -> Opening[AsyncReader[bytes]]: ...


@overload
def open(file: FileLike, mode: Literal["rt"], **options: Any) -> Opening[AsyncReader[str]]: ...


@overload
def open(
    file: FileLike, mode: Literal["wb", "xb"], **options: Any
) -> Opening[AsyncWriter[bytes]]: ...


@overload
def open(
    file: FileLike, mode: Literal["wt", "xt"], **options: Any
) -> Opening[AsyncWriter[str]]: ...


def open(file: FileLike, mode: str = "rb", **options: Any) -> Opening[Any]:
    """Open a signed file of any size, as ``brine.open`` does; its ``options`` are the same.

    Use it in ``async with``, or await it. If an exception leaves the block, also a cancellation, what is written gets no
    end.
    """
    open_it = functools.partial(brine.open, file, mode, **options)
    return Opening(open_it, AsyncReader if mode.startswith("r") else AsyncWriter)


class _LeavingPath:
    """A verified path that is left as a file is."""

    def __init__(self, path: VerifiedPath) -> None:
        self.path = path

    async def leave(self, kind: type[BaseException] | None) -> None:
        self.path.close()


class PathOpening:
    """A verified path that is about to be made: await it, or use it in ``async with``."""

    def __init__(self, make: Callable[[], VerifiedPath]) -> None:
        self._opening = Opening(make, _LeavingPath)

    def __await__(self) -> Generator[Any, None, VerifiedPath]:
        return self.__aenter__().__await__()

    async def __aenter__(self) -> VerifiedPath:
        return (await self._opening.__aenter__()).path

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._opening.__aexit__(kind, error, traceback)


def verified_path(path: FileLike, **options: Any) -> PathOpening:
    """Return the path to a verified copy, as ``brine.verified_path`` does; its ``options`` are the same.

    Use it in ``async with``, or await it and close what is returned.
    """
    return PathOpening(functools.partial(brine.verified_path, path, **options))
