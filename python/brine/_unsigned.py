"""What was never signed, while a system moves to signatures."""

from __future__ import annotations

import threading
import warnings

from brine._caller import level_of_caller


class UnsignedWarning(UserWarning):
    """Something was loaded that nobody has signed."""

    __module__ = "brine"


class Unsigned:
    """Lets `loads` take pickles that were never signed, and counts them.

    Anybody who can send can send unsigned pickles: while this is in use, signatures protect nobody. Remove it as soon as
    ``count`` stands still. The list of names holds for unsigned pickles, too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0

    @property
    def count(self) -> int:
        """How many unsigned pickles were loaded in this process."""
        return self._count

    def note(self) -> None:
        """Count one, and warn of the first."""
        with self._lock:
            self._count += 1
            first = self._count == 1
        if first:
            warnings.warn(
                "loaded a pickle that nobody has signed, because of fallback=; whoever can send here can do the same",
                UnsignedWarning,
                stacklevel=level_of_caller(),
            )

    def __repr__(self) -> str:
        return f"<brine.Unsigned: {self._count} loaded>"
