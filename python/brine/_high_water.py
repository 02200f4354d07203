"""What the processes of a queue remember together of the messages that were given out."""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
import tempfile
from hashlib import blake2b
from multiprocessing import reduction
from multiprocessing.context import assert_spawning
from typing import TYPE_CHECKING, Protocol, cast

from brine._errors import ReplayedError, UnsupportedError, UntrustedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from brine._brine import Verified

MAX_CHANNELS = 1 << 20
"""How many processes can put messages into one queue, over its whole life. One key can use a quarter of them."""

MAX_GAP = 1 << 32
"""How many messages of one process can be missing between two that arrive."""


class HighWaterMarks:
    """The highest number that was given out of each channel, in memory that processes share.

    A producer numbers its messages, and one pipe carries them in this order. So a number that is not above the mark of
    its channel was given out before, or was passed over. The callers **must** hold one lock, from the moment at which a
    message leaves the pipe until its number was noted.

    A process can be killed between any two instructions: each store is one aligned word, and the count of channels is
    the last of them.
    """

    def __init__(self, max_channels: int = MAX_CHANNELS) -> None:
        self._open(_anonymous_file(_WORD_BYTES * (_HEADER_WORDS + _ROW_WORDS * max_channels)))

    @classmethod
    def attached(cls, duplicate: _Duplicate) -> HighWaterMarks:
        """Use the marks of another process."""
        marks = cls.__new__(cls)
        marks._open(duplicate.detach())
        return marks

    def note(self, verified: Verified) -> None:
        """Note that a message is given out. Raise if it was before, or if nobody could tell."""
        if verified.sequence is None:
            raise UnsupportedError(
                "the message has no number, so nobody can tell whether it was given out before",
                reason="replay-identity-missing",
            )
        channel, number = verified.sequence
        row = self._row(verified.key_id, channel)
        above = self._words[row + _MARK]
        if number < above:
            raise ReplayedError(
                f"message {number} of its channel was given out before, or passed over",
                reason="replayed",
            )
        if number - above > MAX_GAP:
            raise UntrustedError(
                f"message {number} follows message {above - 1} of its channel: no process skips so many",
                reason="message-number",
            )
        self._words[row + _MARK] = number + 1
        self._words[_SKIPPED] = min(self._words[_SKIPPED] + number - above, _MAX_WORD)

    @property
    def skipped(self) -> int:
        """How many numbers below one that was given out never were."""
        return int(self._words[_SKIPPED])

    def grant_credit(self) -> None:
        """Note that a refused message was counted as done."""
        self._words[_CREDIT] += 1

    def take_credit(self) -> bool:
        """Use up one message that was counted as done and may not have been in the count, if there is one."""
        if not self._words[_CREDIT]:
            return False
        self._words[_CREDIT] -= 1
        return True

    def _row(self, key_id: str, channel: str) -> int:
        name = blake2b(bytes.fromhex(key_id + channel), digest_size=2 * _WORD_BYTES).digest()
        if name not in self._rows:
            self._read_new_rows()
        if name not in self._rows:
            self._charge(key_id)
            self._add_row(name)
        return self._rows[name]

    def _charge(self, key_id: str) -> None:
        """Count a channel more for a key, in a row that is the key's. Raise if it has had too many."""
        name = blake2b(bytes.fromhex(key_id), digest_size=2 * _WORD_BYTES).digest()
        if name not in self._rows:
            self._add_row(name)
        row = self._rows[name]
        most = (len(self._words) - _HEADER_WORDS) // _ROW_WORDS // _KEYS_WITH_ALL
        if self._words[row + _MARK] >= most:
            raise UntrustedError(
                f"{most} processes have put messages into this queue with this key, and it can tell no more apart",
                hint="make a new queue",
                reason="replay-full",
            )
        self._words[row + _MARK] += 1

    def _read_new_rows(self) -> None:
        for index in range(len(self._rows), self._words[_COUNT]):
            row = _HEADER_WORDS + _ROW_WORDS * index
            self._rows[self._words[row : row + _MARK].tobytes()] = row

    def _add_row(self, name: bytes) -> None:
        index = self._words[_COUNT]
        row = _HEADER_WORDS + _ROW_WORDS * index
        if row + _ROW_WORDS > len(self._words):
            raise UntrustedError(
                f"{index} processes have put messages into this queue, and it can tell no more apart",
                hint="make a new queue",
                reason="replay-full",
            )
        self._words[row : row + _MARK] = memoryview(name).cast("Q")
        self._words[row + _MARK] = 0
        self._words[_COUNT] = index + 1
        self._rows[name] = row

    def _open(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._words = memoryview(mmap.mmap(descriptor, 0)).cast("Q")
        self._rows: dict[bytes, int] = {}

    def __reduce__(self) -> tuple[Callable[[_Duplicate], HighWaterMarks], tuple[_Duplicate]]:
        assert_spawning(self)
        duplicate = reduction.DupFd(self._descriptor)
        return HighWaterMarks.attached, (cast("_Duplicate", duplicate),)

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError, OSError):
            os.close(self._descriptor)


class _Duplicate(Protocol):
    """A descriptor on its way to another process."""

    def detach(self) -> int: ...


def _anonymous_file(length: int) -> int:
    """Make a file without a name, in memory where there is such a thing. It takes room only where it is written."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("brine-queue")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, length)
    return descriptor


_WORD_BYTES = 8
_MAX_WORD = (1 << 64) - 1

# Words at the beginning: how many channels there are, numbers that were passed over, and refused messages that counted
# as done.
_COUNT, _SKIPPED, _CREDIT = range(3)
_HEADER_WORDS = 3

_KEYS_WITH_ALL = 4
"""How many keys it takes to use up all rows."""

# A row for each channel, and for each key: its name in two words, and one above the highest number that was given out.
_MARK = 2
_ROW_WORDS = 3
