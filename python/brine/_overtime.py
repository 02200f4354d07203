"""Calls that are waited for so long, and no longer."""

from __future__ import annotations

import threading
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from brine._guest.peer import PowerError

if TYPE_CHECKING:
    from collections.abc import Callable


class OvertimeError(PowerError):
    """A call takes longer than it may. It goes on: nothing ends a thread of Python."""

    def __init__(self, message: str, ended: threading.Event) -> None:
        super().__init__("power-time", message)
        self.ended = ended


def within(seconds: float, work: Callable[[], Any]) -> Any:
    """Do something in a thread of its own, and wait for so many seconds."""
    ended = threading.Event()
    values: list[Any] = []
    errors: list[BaseException] = []

    def do() -> None:
        try:
            values.append(work())
        except BaseException as error:  # noqa: BLE001
            errors.append(error)
        finally:
            ended.set()

    threading.Thread(target=copy_context().run, args=(do,), name="brine-power", daemon=True).start()
    if not ended.wait(seconds):
        raise OvertimeError(f"the method takes longer than {seconds:g} s", ended)
    if errors:
        raise errors[0]
    return values[0]
