"""The encoder of Dramatiq, which is one for a process, as the signed brokers of the process share it."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from dramatiq import Encoder, get_encoder, set_encoder

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Encode = Callable[[dict[str, Any]], bytes]
    Decode = Callable[[bytes], dict[str, Any]]

_encode: ContextVar[Encode | None] = ContextVar("brine_encode", default=None)
_decode: ContextVar[Decode | None] = ContextVar("brine_decode", default=None)


class _Switch(Encoder):
    """Asks the signed broker that is sending or receiving right now, and otherwise the encoder that was there before."""

    def __init__(self, other: Encoder) -> None:
        self.other = other

    def encode(self, data: dict[str, Any]) -> bytes:
        return (_encode.get() or self.other.encode)(data)

    def decode(self, data: bytes) -> dict[str, Any]:
        return (_decode.get() or self.other.decode)(data)


@contextmanager
def encoding(encode: Encode | None) -> Generator[None]:
    """Have messages encoded by a function in this block, or by none, as without a signed broker."""
    _take_over()
    before = _encode.set(encode)
    try:
        yield
    finally:
        _encode.reset(before)


@contextmanager
def decoding(decode: Decode) -> Generator[None]:
    """Have messages decoded by a function in this block."""
    _take_over()
    before = _decode.set(decode)
    try:
        yield
    finally:
        _decode.reset(before)


def _take_over() -> None:
    # An application can set another encoder at any time.
    if not isinstance(found := get_encoder(), _Switch):
        set_encoder(_Switch(found))
