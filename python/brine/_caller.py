"""Where a warning belongs: to the code that called brine."""

from __future__ import annotations

import sys
import warnings


def level_of_caller() -> int:
    """Return how many frames above the function that warns the code is that is not brine's."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        frame, level = frame.f_back, level + 1
    return level


def warn(text: str) -> None:
    """Warn the code that is not brine's of something that changes nothing."""
    warnings.warn(text, stacklevel=level_of_caller())
