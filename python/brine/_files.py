"""Files of any size that are signed: ``brine.open``."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Literal, TypeAlias, overload

from brine._brine import Signer, Verifier
from brine._opening import misuse, require_least
from brine._signed_reader import SignedReader, SignedTextReader, open_reader
from brine._signed_writer import SignedTextWriter, SignedWriter, open_writer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from brine._brine import Buffer, KeyLike, Trust
    from brine._opening import StrPath

    FileLike: TypeAlias = StrPath | bytes | IO[bytes] | Any

_WRITING = ("key", "expires", "not_before", "content_type")
_READING = ("signer", "require", "max_age", "trust", "now")
_TEXT = ("encoding", "errors", "newline")


@overload
def open(
    file: FileLike,
    mode: Literal["rb"] = "rb",
    *,
    context: str | None = None,
    signer: str | Sequence[str] | None = None,
    require: int | None = None,
    max_age: timedelta | str | None = None,
    trust: Trust | None = None,
    aad: Buffer | None = None,
    now: datetime | timedelta | str | None = None,
    threads: int | None = None,
) -> SignedReader: ...


@overload
def open(
    file: FileLike,
    mode: Literal["rt"],
    *,
    context: str | None = None,
    signer: str | Sequence[str] | None = None,
    require: int | None = None,
    max_age: timedelta | str | None = None,
    trust: Trust | None = None,
    aad: Buffer | None = None,
    now: datetime | timedelta | str | None = None,
    threads: int | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> SignedTextReader: ...


@overload
def open(
    file: FileLike,
    mode: Literal["wb", "xb"],
    *,
    key: KeyLike | None = None,
    context: str | None = None,
    expires: datetime | timedelta | str | None = None,
    not_before: datetime | timedelta | str | None = None,
    content_type: str | None = None,
    aad: Buffer | None = None,
    threads: int | None = None,
) -> SignedWriter: ...


@overload
def open(
    file: FileLike,
    mode: Literal["wt", "xt"],
    *,
    key: KeyLike | None = None,
    context: str | None = None,
    expires: datetime | timedelta | str | None = None,
    not_before: datetime | timedelta | str | None = None,
    content_type: str | None = None,
    aad: Buffer | None = None,
    threads: int | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> SignedTextWriter: ...


def open(
    file: FileLike,
    mode: str = "rb",
    *,
    key: KeyLike | None = None,
    context: str | None = None,
    expires: datetime | timedelta | str | None = None,
    not_before: datetime | timedelta | str | None = None,
    content_type: str | None = None,
    signer: str | Sequence[str] | None = None,
    require: int | None = None,
    max_age: timedelta | str | None = None,
    trust: Trust | None = None,
    aad: Buffer | None = None,
    now: datetime | timedelta | str | None = None,
    threads: int | None = None,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> SignedReader | SignedTextReader | SignedWriter | SignedTextWriter:
    """Open a signed file of any size, and return a file object.

    ``file`` is a path or a binary file object, which stays open. ``mode`` is ``"rb"`` to read, ``"wb"`` to write, ``"xb"``
    to write a file that must not be there; with ``t`` instead of ``b``, text, by default UTF-8.

    Reading takes streams, envelopes of any size and armored text. Its beginning verifies before this returns: the signer,
    the context and the time are known. Writing makes a stream. ``Verifier`` and ``Signer`` describe the other arguments.
    ``threads`` is how many threads hash and verify a regular file; by default one for each processor.
    """
    given = {name for name, value in locals().items() if value is not None}
    _refuse_misuse(mode, given)
    require_least("threads", threads, 1)
    text = {"encoding": encoding or "utf-8", "errors": errors, "newline": newline}
    if mode[0] == "r":
        verifier = Verifier(
            trust,
            context=context,
            signer=signer,
            require=require,
            max_age=max_age,
            aad=aad,
            now=now,
        )
        reader = open_reader(file, verifier, threads)
        return SignedTextReader(reader, **text) if mode[1] == "t" else reader
    signs = Signer(
        key,
        context=context,
        expires=expires,
        not_before=not_before,
        content_type=content_type,
        aad=aad,
    )
    writer = open_writer(file, signs, threads, is_new=mode[0] == "x")
    return SignedTextWriter(writer, **text) if mode[1] == "t" else writer


def _refuse_misuse(mode: str, given: set[str]) -> None:
    """Refuse what makes no sense together, before anything is opened."""
    if mode in ("r", "w", "x"):
        raise misuse(f'mode "{mode}" does not say whether it is text: "{mode}b" or "{mode}t"')
    if "a" in mode or "+" in mode:
        raise misuse("a signed file has an end: nothing is added to it, or changed in it")
    if mode not in ("rb", "rt", "wb", "wt", "xb", "xt"):
        raise misuse(f'mode "{mode}" is none of "rb", "rt", "wb", "wt", "xb" and "xt"')
    misplaced = given.intersection(_WRITING if mode[0] == "r" else _READING)
    if misplaced:
        what = "reading" if mode[0] == "r" else "writing"
        raise misuse(f'{", ".join(sorted(misplaced))}: not for {what}, as mode "{mode}" does')
    if mode[1] == "b" and given.intersection(_TEXT):
        raise misuse(f'{", ".join(sorted(given.intersection(_TEXT)))}: for text, as "{mode[0]}t"')
