"""Paths to what has verified: ``brine.verified_path``."""

from __future__ import annotations

import os
import pathlib
import sys
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING, Any, Self, TypeAlias

from brine._brine import Verified, VerifiedFile, Verifier
from brine._errors import UnsupportedError
from brine._opening import is_regular, name_of, open_raw, path_of, require, require_least

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from types import TracebackType

    from brine._brine import Buffer, Trust
    from brine._opening import StrPath

    FileLike: TypeAlias = StrPath | bytes | IO[bytes] | Any

MAX_MEMORY_BYTES = 64 * 1024 * 1024
"""The largest payload that is kept in memory, unless another limit is given."""

_DESCRIPTORS = "/proc/self/fd" if sys.platform == "linux" else "/dev/fd"


class VerifiedPath(os.PathLike[str]):
    """A path to a copy of a payload that has verified: exactly these bytes.

    If it ``is_sealed``, nobody can change them. Else the same user can, and root: processes that may look into this one,
    and code in it. It names a descriptor of this process, and can be opened any number of times until the ``with`` block ends, or
    ``close`` is called. What is open or mapped then stays as it is.
    """

    def __init__(self, file: VerifiedFile) -> None:
        self._file = file

    @property
    def verified(self) -> Verified:
        """Who signed it, when and what for. It has no ``payload``, which is read from the path."""
        return self._file.verified

    @property
    def is_sealed(self) -> bool:
        """Whether it is in memory and sealed by the kernel; else it is in a private file without a name."""
        return self._file.is_sealed

    def fileno(self) -> int:
        """Return the descriptor. To let a program read the path, start it with ``pass_fds=[path.fileno()]``."""
        return self._file.fileno()

    def resolve(self, strict: bool = False) -> pathlib.Path:
        """Return it as a ``pathlib.Path``. What it leads to has no name, so no link is followed."""
        return pathlib.Path(self)

    def close(self) -> None:
        """Close the descriptor. Its number can name another file from now on."""
        self._file.close()

    def __fspath__(self) -> str:
        return f"{_DESCRIPTORS}/{self._file.fileno()}"

    def __str__(self) -> str:
        return self.__fspath__()

    def __repr__(self) -> str:
        return f"<brine.VerifiedPath of {self.verified!r}>"

    def __enter__(self) -> Self:
        self._file.fileno()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a verified path is not pickled: it names a descriptor of this process")


def verified_path(
    path: FileLike,
    *,
    signature: FileLike | None = None,
    context: str | None = None,
    signer: str | Sequence[str] | None = None,
    require: int | None = None,
    max_age: timedelta | str | None = None,
    trust: Trust | None = None,
    aad: Buffer | None = None,
    now: datetime | timedelta | str | None = None,
    max_memory: int = MAX_MEMORY_BYTES,
    threads: int | None = None,
) -> VerifiedPath:
    """Copy a payload to where no other user can change it, verify the copy, and return the path to that.

    ``path`` is a path or a binary file object: an envelope, a stream or armored text that holds its payload; or a file,
    whose ``signature`` is another one, or lies beside it as ``FILE.sig``. Payloads up to ``max_memory`` bytes are kept in
    memory that is sealed, so that nobody at all can change them; larger ones in a file without a name in the directory
    for temporary files, which ``TMPDIR`` names. ``Verifier`` describes the other arguments.

    Raise as ``Verifier.verify`` does: there is no path then.
    """
    require_least("threads", threads, 1)
    require_least("max_memory", max_memory, 0)
    verifier = Verifier(
        trust,
        context=context,
        signer=signer,
        require=require,
        max_age=max_age,
        aad=aad,
        now=now,
    )
    limits = (max_memory, threads)
    if signature is not None:
        return _beside(verifier, path, signature, limits)
    try:
        return _embedded(verifier, path, limits)
    except UnsupportedError as error:
        beside = _signature_beside(path)
        if error.reason != "not-an-envelope" or beside is None:
            raise
    return _beside(verifier, path, beside, limits)


_Limits: TypeAlias = tuple[int, int | None]


def _embedded(verifier: Verifier, path: FileLike, limits: _Limits) -> VerifiedPath:
    with ExitStack() as stack:
        source, name = _opened(path, stack)
        return VerifiedPath(VerifiedFile(verifier, source, name, None, "", *limits))


def _beside(
    verifier: Verifier, path: FileLike, signature: FileLike, limits: _Limits
) -> VerifiedPath:
    with ExitStack() as stack:
        envelope, envelope_name = _opened(signature, stack)
        content, name = _opened(path, stack)
        return VerifiedPath(VerifiedFile(verifier, envelope, envelope_name, content, name, *limits))


def _signature_beside(path: FileLike) -> str | None:
    """Return the signature of a file, if that lies beside it."""
    name = path_of(path)
    beside = None if name is None else VerifiedFile.signature_of(name)
    return beside if beside is not None and os.path.isfile(beside) else None


def _opened(file: FileLike, stack: ExitStack) -> tuple[int | Any, str]:
    """Open a path until the stack ends: a descriptor of a regular file, or a file object; and what to call it."""
    path = path_of(file)
    if path is None:
        return require(file, "read"), name_of(file)
    raw = stack.enter_context(open_raw(path, "rb"))
    return (raw.fileno() if is_regular(raw) else raw), path
