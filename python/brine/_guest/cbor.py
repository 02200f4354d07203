"""Plain data as CBOR (RFC 8949), and back: exact types alone, of bounded depth.

Tuples and sets are tag 27 with their name, and so is what is no data: a host and its guest agree on what that is.
"""

from __future__ import annotations

from struct import pack, unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_DEPTH = 32
MAX_BIG_INTEGER_BYTES = 1024
MAX_SAME_HASH = 16

OBJECT = b"\xd8\x1b"
"""Tag 27: a serialised object, as an array of the name of its type and its parts."""


class NotPlainError(TypeError):
    """A value is no data: a message cannot have it."""


class MalformedError(ValueError):
    """Bytes are no message."""


def encode(value: object, other: Callable[[Any], list[Any]]) -> bytes:
    """Encode a value. `other` returns the parts of one that is no data, or raises `NotPlainError`."""
    out = bytearray()
    _put(out, value, other, 0)
    return bytes(out)


def _put(out: bytearray, value: Any, other: Callable[[Any], list[Any]], depth: int) -> None:
    kind = type(value)
    if kind is str:
        try:
            data = value.encode()
        except UnicodeEncodeError:
            raise NotPlainError("a text has half a character") from None
        _head(out, 0x60, len(data))
        out += data
    elif kind is int:
        _integer(out, value)
    elif value is None:
        out.append(0xF6)
    elif kind is bool:
        out.append(0xF5 if value else 0xF4)
    elif kind is float:
        out += pack(">Bd", 0xFB, value)
    elif kind is bytes:
        _head(out, 0x40, len(value))
        out += value
    elif depth >= MAX_DEPTH:
        raise NotPlainError(f"it is nested more than {MAX_DEPTH} deep")
    elif kind is list:
        _head(out, 0x80, len(value))
        for item in value:
            _put(out, item, other, depth + 1)
    elif kind is dict:
        _head(out, 0xA0, len(value))
        for key, item in value.items():
            _put(out, key, other, depth + 1)
            _put(out, item, other, depth + 1)
    else:
        named = _NAMES.get(kind)
        parts = [named, *value] if named else other(value)
        out += OBJECT
        _put(out, parts, other, depth + 1)


_NAMES: dict[type[Any], str] = {tuple: "tuple", set: "set", frozenset: "frozenset"}
_MAKERS: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}


def _head(out: bytearray, major: int, number: int) -> None:
    if number < 24:
        out.append(major | number)
    elif number < 0x100:
        out += pack(">BB", major | 24, number)
    elif number < 0x10000:
        out += pack(">BH", major | 25, number)
    elif number < 0x1_0000_0000:
        out += pack(">BI", major | 26, number)
    else:
        out += pack(">BQ", major | 27, number)


def _integer(out: bytearray, value: int) -> None:
    negative = value < 0
    number = ~value if negative else value
    if number < 1 << 64:
        _head(out, 0x20 if negative else 0, number)
        return
    length = (number.bit_length() + 7) // 8
    if length > MAX_BIG_INTEGER_BYTES:
        raise NotPlainError(f"an integer has more than {MAX_BIG_INTEGER_BYTES} bytes")
    out.append(0xC3 if negative else 0xC2)
    _head(out, 0x40, length)
    out += number.to_bytes(length, "big")


def decode(data: bytes, other: Callable[[list[Any]], Any]) -> Any:
    """Decode all of some bytes. `other` makes what is no data of its parts, or raises `MalformedError`."""
    try:
        value, end = _take(data, 0, other, 0)
    except (IndexError, UnicodeDecodeError) as error:
        raise MalformedError("a message is cut, or has text that is no UTF-8") from error
    if end != len(data):
        raise MalformedError("bytes follow a message")
    return value


def _take(data: bytes, at: int, other: Callable[[list[Any]], Any], depth: int) -> tuple[Any, int]:
    initial = data[at]
    major, number = initial & 0xE0, initial & 0x1F
    at += 1
    if number >= 24:
        if major == 0xE0:
            return _float(data, at, number)
        if number > 27:
            raise MalformedError("a length is not given")
        size = 1 << (number - 24)
        end = at + size
        if end > len(data):
            raise MalformedError("a message is cut")
        number = int.from_bytes(data[at:end], "big")
        at = end
    if major == 0:
        return number, at
    if major == 0x20:
        return ~number, at
    if major in (0x40, 0x60):
        end = at + number
        if end > len(data):
            raise MalformedError("a message is cut")
        part = data[at:end]
        return (part.decode() if major == 0x60 else part), end
    if major == 0xE0:
        if number not in _SIMPLE:
            raise MalformedError("a value is none that is known")
        return _SIMPLE[number], at
    if depth >= MAX_DEPTH:
        raise MalformedError("a message is nested too deeply")
    if major == 0x80:
        # Each item takes a byte at least.
        if number > len(data) - at:
            raise MalformedError("a message is cut")
        items = []
        for _ in range(number):
            item, at = _take(data, at, other, depth + 1)
            items.append(item)
        return items, at
    if major == 0xA0:
        return _map(data, at, number, other, depth)
    return _tagged(data, at, number, other, depth)


_SIMPLE = {20: False, 21: True, 22: None}


def _map(
    data: bytes, at: int, count: int, other: Callable[[list[Any]], Any], depth: int
) -> tuple[dict[Any, Any], int]:
    if 2 * count > len(data) - at:
        raise MalformedError("a message is cut")
    found: dict[Any, Any] = {}
    keys = _Keys()
    for _ in range(count):
        key, at = _take(data, at, other, depth + 1)
        item, at = _take(data, at, other, depth + 1)
        keys.judge(key)
        if key in found:
            raise MalformedError("a map has a key twice")
        found[key] = item
    return found, at


class _Keys:
    """Holds keys and items of sets to what they may be: plain data, few of which share a hash.

    Integers with one hash are easily found, and finding one among many of them takes time in proportion to their number.
    """

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def judge(self, key: Any) -> None:
        if not _is_plain_key(key):
            raise MalformedError("a key, or what is in a set, is none that can be")
        found = hash(key)
        count = self._counts[found] = self._counts.get(found, 0) + 1
        if count > MAX_SAME_HASH:
            raise MalformedError("keys were chosen to be slow")


def _is_plain_key(key: Any) -> bool:
    kind = type(key)
    if kind is tuple or kind is frozenset:
        return all(map(_is_plain_key, key))
    return kind in _KEY_KINDS


_KEY_KINDS = frozenset({bool, bytes, float, int, str, type(None)})


def _tagged(
    data: bytes, at: int, tag: int, other: Callable[[list[Any]], Any], depth: int
) -> tuple[Any, int]:
    value, at = _take(data, at, other, depth + 1)
    if tag in (2, 3):
        if type(value) is not bytes or len(value) > MAX_BIG_INTEGER_BYTES:
            raise MalformedError("an integer is not one")
        number = int.from_bytes(value, "big")
        return (number if tag == 2 else ~number), at
    if tag != 27 or type(value) is not list or not value or type(value[0]) is not str:
        raise MalformedError("a tag is none that is known")
    make = _MAKERS.get(value[0])
    if make is None:
        return other(value), at
    items = value[1:]
    if make is not tuple:
        keys = _Keys()
        for item in items:
            keys.judge(item)
    return make(items), at


def _float(data: bytes, at: int, size: int) -> tuple[float, int]:
    form = {25: ">e", 26: ">f", 27: ">d"}.get(size)
    if form is None:
        raise MalformedError("a value is none that is known")
    end = at + (1 << (size - 24))
    if end > len(data):
        raise MalformedError("a message is cut")
    return float(unpack_from(form, data, at)[0]), end
