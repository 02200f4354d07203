"""Opening files as ``builtins.open`` does, with brine's errors."""

from __future__ import annotations

import io
import os
import stat
from typing import Any, TypeAlias

from brine._errors import InputOutputError, UsageError

StrPath: TypeAlias = str | os.PathLike[str]


class MissingFileError(InputOutputError, FileNotFoundError):
    """There is no such file."""


class ForbiddenFileError(InputOutputError, PermissionError):
    """The system does not let this process open the file."""


class DirectoryError(InputOutputError, IsADirectoryError):
    """It is a directory."""


_KINDS: dict[type[OSError], type[InputOutputError]] = {
    FileNotFoundError: MissingFileError,
    PermissionError: ForbiddenFileError,
    IsADirectoryError: DirectoryError,
}


def open_raw(path: str, mode: str) -> io.FileIO:
    """Open a file. What is raised is an error of brine, and the one that ``builtins.open`` raises."""
    try:
        return io.FileIO(path, mode)
    except OSError as error:
        kind = _KINDS.get(type(error), InputOutputError)
        failure = kind(f"cannot open {path!r}: {error.strerror}", reason="io")
        failure.errno, failure.strerror, failure.filename = error.errno, error.strerror, path
        raise failure from error


def is_regular(file: io.FileIO) -> bool:
    """Return whether it is a file on a disk, which nobody waits for."""
    return stat.S_ISREG(os.fstat(file.fileno()).st_mode)


def path_of(file: object) -> str | None:
    """Return the path that somebody gave, and nothing for a file object."""
    if isinstance(file, int):
        raise misuse("a descriptor is not taken by its number: give open(descriptor, 'rb')")
    if isinstance(file, str | bytes | os.PathLike):
        path = os.fsdecode(file)  # pyright: ignore[reportUnknownArgumentType]
        if "\0" in path:
            raise misuse("a path has no NUL character in it")
        return path
    return None


def require(file: object, method: str) -> Any:
    """Return a file object that has a method."""
    if not callable(getattr(file, method, None)):
        kind = type(file).__name__
        raise TypeError(f"a path is expected, or a file object that can {method}, not {kind}")
    return file


def name_of(file: object) -> str:
    """Return what to call a file object in messages."""
    name = getattr(file, "name", None)
    return name if isinstance(name, str) else f"<{type(file).__name__}>"


def require_least(name: str, value: int | None, least: int) -> None:
    """Refuse a number that is too small."""
    if value is not None and value < least:
        raise misuse(f"{name} must be at least {least}")


def misuse(words: str) -> UsageError:
    """Say that a call makes no sense."""
    return UsageError(words, None, "usage")
