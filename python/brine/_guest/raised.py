"""What was raised, as texts: nothing else of an exception crosses."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

MAX_NAME_CHARS = 256
MAX_TEXT_CHARS = 4096
MAX_TRACE_CHARS = 16 * 1024

UNNAMED = ("builtins", "__main__", "brine._errors", "brine._guest.peer", "brine._guest.cbor")
"""The modules that the name of a type is told without."""


def named(error: BaseException, most_chars: int = MAX_TEXT_CHARS) -> list[str]:
    """Return the name of the type of an exception, and its text."""
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in UNNAMED:
        name = f"{kind.__module__}.{name}"
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001
        text = "it cannot say what it is"
    return [harmless(name)[:MAX_NAME_CHARS], harmless(text)[:most_chars]]


def traced(
    error: BaseException, first: TracebackType | None, most_chars: int = MAX_TRACE_CHARS
) -> str:
    """Return the traceback of an exception from a frame on, as text."""
    try:
        # It takes a while to import, and most code raises nothing.
        import traceback

        text = "".join(traceback.format_exception(type(error), error, first))
    except BaseException:  # noqa: BLE001
        text = ""
    return harmless(text)[-most_chars:]


def harmless(text: str) -> str:
    """Return text that has a form in UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
