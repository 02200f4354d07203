"""For jobs: the powers that the operator gave this job, over its sockets.

A job that was granted ``power=orders`` has it as descriptor 3, or one of the following if it has several, in the order of
their names. This module needs nothing but the standard library::

    from brine.guest import power
    print(power().get(7))
"""

from __future__ import annotations

from typing import Any

from brine._guest.peer import LostError, PowerError, ProtocolError, Thrown
from brine._guest.stubs import FIRST_DESCRIPTOR, Host, Power

__all__ = ["LostError", "Power", "PowerError", "ProtocolError", "Thrown", "power", "powers"]


def powers(descriptor: int = FIRST_DESCRIPTOR) -> dict[str, Any]:
    """Return all that the host behind a descriptor gives at first, by name."""
    return Host(descriptor).names()


def power(descriptor: int = FIRST_DESCRIPTOR) -> Any:
    """Return the only thing that the host behind a descriptor gives."""
    (only,) = powers(descriptor).values()
    return only
