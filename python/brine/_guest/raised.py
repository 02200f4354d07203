"""What was raised, as texts: nothing else of an exception crosses."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

MAX_NAME_CHARS = 256
MAX_TEXT_CHARS = 4096
MAX_TRACE_CHARS = 16 * 1024
MAX_CHAIN = 20

OWN_DIRECTORY = __file__.rpartition("/")[0] + "/"

UNNAMED = ("builtins", "__main__", "brine", "brine._guest.peer", "brine._guest.cbor")
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


def trail(error: BaseException, most_chars: int = MAX_TRACE_CHARS) -> str:
    """Return the traceback of an exception of a guest, without the frames of what is in this directory.

    No other module does a part of it: what an exception has of methods is code of the guest, whose rules hold here, too.
    """
    try:
        text = "\n".join(_trail(error, 0))
    except BaseException:  # noqa: BLE001
        text = ""
    return harmless(text)[-most_chars:]


def _trail(error: BaseException, depth: int) -> Iterator[str]:
    if depth > MAX_CHAIN:
        return
    if error.__cause__ is not None:
        yield from _trail(error.__cause__, depth + 1)
        yield "\nThe above exception was the direct cause of the following exception:\n"
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _trail(error.__context__, depth + 1)
        yield "\nDuring handling of the above exception, another exception occurred:\n"
    frames = list(_frames(error.__traceback__))
    yield from ["Traceback (most recent call last):", *frames] if frames else ()
    yield ": ".join(part for part in named(error) if part)
    yield from (str(note) for note in getattr(error, "__notes__", ()))
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from (f"  | {line}" for line in _trail(member, depth + 1))


def _frames(step: TracebackType | None) -> Iterator[str]:
    while step is not None:
        code = step.tb_frame.f_code
        if not code.co_filename.startswith(OWN_DIRECTORY):
            yield f'  File "{code.co_filename}", line {step.tb_lineno}, in {code.co_name}'
        step = step.tb_next


def harmless(text: str) -> str:
    """Return text that has a form in UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
