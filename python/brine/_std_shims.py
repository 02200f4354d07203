"""Functions of the standard library that take free arguments, with the arguments that picklers write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brine._errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Callable


def _encode(text: object, encoding: object = None) -> bytes:
    """Protocols 0 to 2 write bytes as text in Latin-1. The name of another encoding would import a module."""
    if type(text) is not str or encoding not in {"latin1", "latin-1"}:
        raise UntrustedError(
            "pickle: gives _codecs:encode something else than text in Latin-1",
            None,
            "call-not-allowed",
        )
    return text.encode("latin-1")


SHIMS: dict[tuple[str, str], Callable[..., object]] = {("_codecs", "encode"): _encode}
