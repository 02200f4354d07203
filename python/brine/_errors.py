"""Why something was not done: one tree of exceptions, over the classes of the programs.

Tracebacks and pickles name them as they are imported: ``brine.Error``.
"""

from __future__ import annotations


class Error(Exception):
    """brine did not do what it was asked to do.

    ``reason`` is the short name that stands in verdicts, ``status`` the exit status of the programs, ``hint`` what to do
    next, and ``allow`` the lines of a list that would allow what a pickle does.
    """

    __module__ = "brine"

    status: int = 4

    def __init__(
        self,
        message: str,
        hint: str | None = None,
        reason: str = "failed",
        status: int | None = None,
        allow: list[str] | tuple[str, ...] = (),
    ) -> None:
        message = printable(message)
        super().__init__(message)
        self.message = message
        self.hint = None if hint is None else printable(hint)
        self.reason = reason
        if status is not None:
            self.status = status
        self.allow = tuple(allow)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.message, self.hint, self.reason, self.status, self.allow)


class AlteredError(Error):
    """It is not to be believed: recognised as an envelope, then altered, cut, malformed or wrongly signed."""

    __module__ = "brine"

    status = 1


class UsageError(Error, ValueError):
    """The call makes no sense."""

    __module__ = "brine"

    status = 2


class UnsupportedError(Error):
    """It is no envelope, or of a kind, algorithm or form that is not taken."""

    __module__ = "brine"

    status = 3


class InputOutputError(Error, OSError):
    """Input, output or the system failed."""

    __module__ = "brine"

    status = 4


class UntrustedError(Error):
    """Trust or policy refuses it: unknown or revoked signer, outside its time, for another context."""

    __module__ = "brine"

    status = 5


class ReplayedError(UntrustedError):
    """It was given out before."""

    __module__ = "brine"


class KeyFileError(Error):
    """A key cannot be used, or a trust file: unreadable, of a wrong form, wrong passphrase, weak."""

    __module__ = "brine"

    status = 6


def printable(text: str) -> str:
    """Escape what would change a terminal: an envelope, a pickle or a file chose some of the text."""
    if text.isprintable():
        return text
    escaped = (char if char.isprintable() or char == "\n" else repr(char)[1:-1] for char in text)
    return "".join(escaped)


_CLASSES = {
    1: AlteredError,
    2: UsageError,
    3: UnsupportedError,
    4: InputOutputError,
    5: UntrustedError,
    6: KeyFileError,
}


def refusal(message: str, hint: str | None, reason: str, status: int, allow: list[str]) -> Error:
    """Make the exception that fits."""
    kind = ReplayedError if reason == "replayed" else _CLASSES.get(status, Error)
    return kind(message, hint, reason, status, allow)
