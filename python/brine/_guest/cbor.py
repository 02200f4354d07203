"""Plain data as CBOR (RFC 8949), and back: exact types alone, and bounded.

Tuples and sets are tag 27 with their name, and so is what is no data: a host and its guest agree on what that is. The host
has the same in the extension module, which nothing here may need.
"""

from __future__ import annotations

from struct import pack, unpack_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

MAX_DEPTH = 32
MAX_VALUES = 1 << 17
MAX_BIG_INTEGER_BYTES = 1024
MAX_SAME_HASH = 16
MAX_NUMBER_KEYS = 1024

OBJECT = b"\xd8\x1b"
"""Tag 27: a serialised object, as an array of the name of its type and its parts."""


class NotPlainError(TypeError):
    """A value is no data: a message cannot have it."""


class MalformedError(ValueError):
    """Bytes are no message."""


def encode(value: object, other: Callable[[Any], list[Any]]) -> bytes:
    """Encode a value. `other` returns the parts of one that is no data, or raises `NotPlainError`."""
    writer = _Writer(other)
    writer.put(value, 0)
    return bytes(writer.out)


class _Writer:
    def __init__(self, other: Callable[[Any], list[Any]]) -> None:
        self.out = bytearray()
        self._other, self._values_left = other, MAX_VALUES - 1

    def put(self, value: Any, depth: int) -> None:
        kind, out = type(value), self.out
        if kind is str:
            try:
                data = value.encode()
            except UnicodeEncodeError:
                raise NotPlainError("a text has half a character") from None
            self._head(0x60, len(data))
            out += data
        elif kind is int:
            self._integer(value, depth)
        elif value is None:
            out.append(0xF6)
        elif kind is bool:
            out.append(0xF5 if value else 0xF4)
        elif kind is float:
            out += pack(">Bd", 0xFB, value)
        elif kind is bytes:
            self._head(0x40, len(value))
            out += value
        elif depth >= MAX_DEPTH:
            raise NotPlainError(f"it is nested more than {MAX_DEPTH} deep")
        elif kind is list:
            self._head(0x80, self._counted(len(value)))
            for item in value:
                self.put(item, depth + 1)
        elif kind is dict:
            _judge(value, NotPlainError)
            self._counted(2 * len(value))
            self._head(0xA0, len(value))
            for key, item in value.items():
                self.put(key, depth + 1)
                self.put(item, depth + 1)
        else:
            name = _NAMES.get(kind)
            if name in ("set", "frozenset"):
                _judge(value, NotPlainError)
            out += OBJECT
            self._counted(1)
            self.put([name, *value] if name else self._other(value), depth + 1)

    def _counted(self, number: int) -> int:
        self._values_left -= number
        if self._values_left < 0:
            raise NotPlainError(f"a message has more than {MAX_VALUES} values")
        return number

    def _head(self, major: int, number: int) -> None:
        if number < 24:
            self.out.append(major | number)
        elif number < 0x100:
            self.out += pack(">BB", major | 24, number)
        elif number < 0x10000:
            self.out += pack(">BH", major | 25, number)
        elif number < 0x1_0000_0000:
            self.out += pack(">BI", major | 26, number)
        else:
            self.out += pack(">BQ", major | 27, number)

    def _integer(self, value: int, depth: int) -> None:
        negative = value < 0
        number = ~value if negative else value
        if number < 1 << 64:
            self._head(0x20 if negative else 0, number)
            return
        if depth >= MAX_DEPTH:
            raise NotPlainError(f"it is nested more than {MAX_DEPTH} deep")
        self._counted(1)
        length = (number.bit_length() + 7) // 8
        if length > MAX_BIG_INTEGER_BYTES:
            raise NotPlainError("an integer is too large")
        self.out.append(0xC3 if negative else 0xC2)
        self._head(0x40, length)
        self.out += number.to_bytes(length, "big")


_NAMES: dict[type[Any], str] = {tuple: "tuple", set: "set", frozenset: "frozenset"}
_MAKERS: dict[str, Callable[[list[Any]], Any]] = {
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}


def decode(data: bytes, other: Callable[[list[Any]], Any]) -> Any:
    """Decode all of some bytes. `other` makes what is no data of its parts, or raises `MalformedError`."""
    reader = _Reader(data, other)
    try:
        value = reader.take(0)
    except (IndexError, UnicodeDecodeError) as error:
        raise MalformedError("a message is cut, or has text that is no UTF-8") from error
    if reader.at != len(data):
        raise MalformedError("bytes follow a message")
    return value


class _Reader:
    def __init__(self, data: bytes, other: Callable[[list[Any]], Any]) -> None:
        self.data, self.at = data, 0
        self._other, self._values_left = other, MAX_VALUES - 1

    def take(self, depth: int) -> Any:
        initial = self.data[self.at]
        self.at += 1
        major, number = initial & 0xE0, initial & 0x1F
        if number >= 24:
            if major == 0xE0:
                return self._float(number)
            if number > 27:
                raise MalformedError("a length is not given")
            number = int.from_bytes(self._bytes(1 << (number - 24)), "big")
        if major == 0:
            return number
        if major == 0x20:
            return ~number
        if major == 0x40:
            return self._bytes(number)
        if major == 0x60:
            return self._bytes(number).decode()
        if major == 0xE0:
            if number not in _SIMPLE:
                raise MalformedError("a value is none that is known")
            return _SIMPLE[number]
        if depth >= MAX_DEPTH:
            raise MalformedError("a message is nested too deeply")
        if major == 0x80:
            return self._items(number, depth + 1)
        if major == 0xA0:
            return self._map(number, depth + 1)
        if self.data[self.at] & 0xE0 != _TAGGED.get(number):
            raise MalformedError("a tag is none that is known")
        self._count(1)
        return self._tagged(number, self.take(depth + 1))

    def _bytes(self, length: int) -> bytes:
        end = self.at + length
        if end > len(self.data):
            raise MalformedError("a message is cut")
        part = self.data[self.at : end]
        self.at = end
        return part

    def _count(self, values: int) -> None:
        # Each takes a byte at least.
        if values > len(self.data) - self.at:
            raise MalformedError("a message is cut")
        self._values_left -= values
        if self._values_left < 0:
            raise MalformedError("a message has too many values")

    def _items(self, number: int, depth: int) -> list[Any]:
        self._count(number)
        return [self.take(depth) for _ in range(number)]

    def _map(self, number: int, depth: int) -> dict[Any, Any]:
        self._count(2 * number)
        pairs = [(self.take(depth), self.take(depth)) for _ in range(number)]
        _judge([key for key, _ in pairs], MalformedError)
        found = dict(pairs)
        if len(found) != number:
            raise MalformedError("a map has a key twice")
        return found

    def _tagged(self, tag: int, value: Any) -> Any:
        if tag in (2, 3):
            if len(value) > MAX_BIG_INTEGER_BYTES:
                raise MalformedError("an integer is too large")
            number = int.from_bytes(value, "big")
            return number if tag == 2 else ~number
        if not value or type(value[0]) is not str:
            raise MalformedError("an object has no name")
        make = _MAKERS.get(value[0])
        if make is None:
            return self._other(value)
        items = value[1:]
        if make is not tuple:
            _judge(items, MalformedError)
        return make(items)

    def _float(self, size: int) -> float:
        form = {25: ">e", 26: ">f", 27: ">d"}.get(size)
        if form is None:
            raise MalformedError("a value is none that is known")
        return float(unpack_from(form, self._bytes(1 << (size - 24)))[0])


_SIMPLE = {20: False, 21: True, 22: None}

_TAGGED = {2: 0x40, 3: 0x40, 27: 0x80}
"""The tags, and the major type of what each is a tag of: an object that is a list for its host is no array."""


def _judge(keys: Collection[Any], refusal: type[Exception]) -> None:
    """Hold keys, and what is in a set, to what they may be: plain data that are found quickly.

    Who knows how a dictionary looks for numbers can choose such as it finds slowly: some that share a hash, or many that
    it looks for in the same places. What text and bytes are looked for by is drawn anew by each process.
    """
    if not all(map(_is_plain_key, keys)):
        raise refusal("a key, or what is in a set, is none that can be")
    if len(keys) <= MAX_SAME_HASH:
        return
    counts: dict[int, int] = {}
    for key in keys:
        if type(key) is str or type(key) is bytes:
            continue
        found = hash(key)
        counts[found] = counts.get(found, 0) + 1
        if counts[found] > MAX_SAME_HASH or len(counts) > MAX_NUMBER_KEYS:
            raise refusal(
                "keys are too many that are neither text nor bytes, or too many are alike"
            )


def _is_plain_key(key: Any) -> bool:
    kind = type(key)
    if kind is tuple or kind is frozenset:
        return all(map(_is_plain_key, key))
    return kind in _KEY_KINDS


_KEY_KINDS = frozenset({bool, bytes, float, int, str, type(None)})
