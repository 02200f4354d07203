"""NumPy's constructors, with the values that NumPy writes into pickles and no others.

NumPy believes what a pickle says of types and buffers: with a type of objects over free bytes, a pickle makes pointers.
Each type here is made by NumPy's public constructor, and each buffer has the length that its type and shape need.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from brine._errors import UntrustedError

try:
    from numpy._core.multiarray import scalar
except ImportError:  # NumPy 1
    from numpy.core.multiarray import scalar  # type: ignore[no-redef, unused-ignore]

if TYPE_CHECKING:
    from collections.abc import Callable

    from brine._unpickler import Pair


class NumpyValues:
    """The values of NumPy that one pickle makes."""

    def __init__(self, pickle_bytes: int) -> None:
        self._most = pickle_bytes * MOST_FOR_A_BYTE
        self._made_here: dict[int, object] = {}
        """The arrays and types that were made by what checks its arguments."""
        self._fresh: set[int] = set()
        """Those of them that have no state and no use yet. They take a state once."""

    def dtype(self, word: Any, align: Any = False, copy: Any = True) -> Any:
        """Make a type by its letter and size, as a copy that no array has."""
        if word is np.record:
            return self._made(np.dtype((np.record, [])))
        text = _text(word)
        if text is None or not DTYPE_WORD.fullmatch(text) or align not in {0} or copy not in {1}:
            raise refused("numpy:dtype", "a type that NumPy does not write")
        return self._made(np.dtype(text, align=False, copy=True))

    def reconstruct(self, kind: Any, shape: Any, letter: Any) -> Any:
        """Make an empty array, which takes a state."""
        if not is_array_class(kind) or shape != (0,):
            raise refused("numpy:ndarray", "a class or shape that NumPy does not write")
        if _text(letter) != "b":
            raise refused("numpy:ndarray", "a letter that NumPy does not write")
        return self._made(np.ndarray.__new__(kind, (0,), "b"))

    def scalar(self, dtype: Any, data: Any = None) -> Any:
        """Make a value of a type without objects from its bytes."""
        found = self._used(dtype)
        if not is_a(data, bytes) or found.hasobject or len(data) != found.itemsize:
            raise refused("numpy:scalar", "bytes that do not fit its type")
        return scalar(found, data)

    def frombuffer(self, data: Any, dtype: Any, shape: Any, order: Any, axes: Any = None) -> Any:
        """Make an array of a type without objects over bytes."""
        found = self._used(dtype)
        if not is_a(data, bytes, bytearray) or found.hasobject:
            raise refused(
                "numpy:_frombuffer", "something else than bytes for a type without objects"
            )
        if len(data) != self._size(shape, found):
            raise refused("numpy:_frombuffer", "another number of bytes than its shape needs")
        array: Any = np.frombuffer(data, found) if data and found.itemsize else np.zeros(0, found)
        if order == "K" and axes is not None:
            return self._kept(array.reshape(shape).transpose(_axes(axes)))
        if order not in {"C", "F"} or axes is not None:
            raise refused("numpy:_frombuffer", "an order that NumPy does not write")
        return self._kept(array.reshape(shape, order=order))

    def state(self, made: Any, state: Any) -> object:
        """Return the state that something of NumPy takes, made anew where NumPy would believe it."""
        if id(made) not in self._made_here:
            return state
        if id(made) not in self._fresh:
            raise refused("numpy:ndarray", "a second state, or one while it is in use")
        self._fresh.discard(id(made))
        return dtype_state(made, state, self._used) if is_dtype(made) else self._array_state(state)

    def _array_state(self, state: Any) -> object:
        if not is_a(state, tuple) or len(state) != ARRAY_STATE_ITEMS:
            raise refused("numpy:ndarray", "a state of another length")
        version, shape, dtype, fortran, data = state
        found = self._used(dtype)
        if version not in {0, 1} or fortran not in {0, 1}:
            raise refused("numpy:ndarray", "a state that NumPy does not write")
        count, size = _count(shape), self._size(shape, found)
        if not found.hasobject:
            if not is_a(data, bytes) or len(data) != size:
                raise refused("numpy:ndarray", "another number of bytes than its shape needs")
        elif not is_a(data, list) or len(data) != count or size > self._most:
            raise refused("numpy:ndarray", "another number of objects than its shape needs")
        elif found != np.dtype(object) and not all(_is_row(item) for item in data):
            raise refused("numpy:ndarray", "rows that are not literals")
        return state

    def _size(self, shape: Any, dtype: Any) -> int:
        """Return how many bytes an array has. Without a size, bytes say nothing of the number."""
        count = _count(shape)
        if not dtype.itemsize and count > self._most:
            raise refused("numpy:ndarray", "more elements than are in proportion to the pickle")
        size: int = count * dtype.itemsize
        return size

    def _made(self, made: Any) -> object:
        self._fresh.add(id(made))
        return self._kept(made)

    def _kept(self, made: Any) -> Any:
        # Held to the end, so that nothing else gets its id.
        self._made_here[id(made)] = made
        return made

    def _used(self, dtype: Any) -> Any:
        """Return a type that is used from now on, so that its state is final."""
        if not is_dtype(dtype):
            raise refused("numpy:dtype", "something else in its place")
        self._fresh.discard(id(dtype))
        return dtype

    def shims(self) -> dict[Pair, Callable[..., object]]:
        """Return what stands for NumPy's constructors, by the names of NumPy 1 and 2."""
        found: dict[Pair, Callable[..., object]] = {}
        for core in ("numpy.core", "numpy._core"):
            found[f"{core}.multiarray", "_reconstruct"] = self.reconstruct
            found[f"{core}.multiarray", "scalar"] = self.scalar
            found[f"{core}.numeric", "_frombuffer"] = self.frombuffer
        return found


def dtype_state(dtype: np.dtype[Any], state: Any, used: Callable[[object], Any]) -> object:
    """Return the state that NumPy itself gives to the type that a state describes."""
    if not is_a(state, tuple) or len(state) - state[0] != DTYPE_STATE_ITEMS - DTYPE_VERSION:
        raise refused("numpy:dtype", "a state of another length")
    _, endian, subarray, names, fields, size, _, flags, *metadata = state
    if not is_a(flags, int):
        raise refused("numpy:dtype", "flags that are none")
    try:
        if dtype.kind in "mM":
            found = np.dtype(dtype.kind + "8" + _unit(metadata))
        elif subarray is not None:
            base, shape = subarray
            found = np.dtype((used(base), shape))
        elif names is not None:
            found = _record(names, fields, size, bool(flags & ALIGNED_STRUCT), used)
        else:
            found = dtype
        found = found if endian == "|" else found.newbyteorder(endian)
    except (TypeError, ValueError, KeyError) as error:
        raise refused("numpy:dtype", f"a state that NumPy does not take: {error}") from error
    if dtype.itemsize not in {0, found.itemsize} or size not in {-1, found.itemsize}:
        raise refused("numpy:dtype", "a state of another size")
    if bool(flags & ITEM_REFCOUNT) != found.hasobject:
        raise refused("numpy:dtype", "flags of another type")
    return found.__reduce__()[2]  # type: ignore[index, unused-ignore]


def _record(
    names: Any,
    fields: Any,
    size: Any,
    align: bool,
    used: Callable[[object], Any],
) -> np.dtype[Any]:
    if not is_a(names, tuple) or not is_a(fields, dict):
        raise refused("numpy:dtype", "fields that NumPy does not write")
    parts = [fields[name] for name in names]
    titles = [part[2] if len(part) > FIELD_ITEMS else None for part in parts]
    description: dict[str, Any] = {
        "names": list(names),
        "formats": [used(part[0]) for part in parts],
        "offsets": [part[1] for part in parts],
        "itemsize": size,
    }
    if any(title is not None for title in titles):
        description["titles"] = titles
    return np.dtype(description, align=align)  # type: ignore[call-overload, no-any-return, unused-ignore]


def _unit(metadata: list[Any]) -> str:
    """Return the unit of a date as NumPy reads it: ``[25s]``."""
    _, (unit, steps, *_) = metadata[0]
    text = _text(unit)
    if text not in UNITS or not is_a(steps, int):
        raise refused("numpy:dtype", "a unit of time that NumPy does not know")
    return "" if text == "generic" else f"[{steps}{text}]"


def _axes(axes: Any) -> Any:
    """Return the order of axes in which the bytes of an array are."""
    if not is_a(axes, tuple) or not all(is_a(axis, int) for axis in axes):
        raise refused("numpy:_frombuffer", "axes that are none")
    return axes


def _count(shape: Any) -> int:
    """Return how many elements an array of this shape has."""
    if (
        not is_a(shape, tuple)
        or len(shape) > MAX_SIDES
        or not all(is_a(side, int) and side >= 0 for side in shape)
    ):
        raise refused("numpy:ndarray", "a shape that is none")
    return math.prod(shape)


def _is_row(item: Any) -> bool:
    return is_a(item, tuple) and all(
        part is None or is_a(part, bool, int, float, complex, str, bytes, tuple, list)
        for part in item
    )


def _text(word: Any) -> str | None:
    if is_a(word, bytes):
        return str(word, "latin-1")
    return str(word) if is_a(word, str) else None


def is_array_class(kind: object) -> bool:
    """Return whether something is NumPy's class of arrays, or extends it."""
    return isinstance(kind, type) and issubclass(kind, np.ndarray)


def is_array(value: object) -> bool:
    """Return whether something is an array."""
    return isinstance(value, np.ndarray)


def is_dtype(value: object) -> bool:
    """Return whether something is a type of NumPy."""
    return isinstance(value, np.dtype)


def is_a(value: object, *types: type) -> bool:
    """Return whether a value is of one of these types, and not of a class that extends one."""
    return type(value) in types


def refused(name: str, why: str) -> UntrustedError:
    """Refuse a value of NumPy."""
    return UntrustedError(f"pickle: gives {name} {why}", None, "call-not-allowed")


DTYPE_WORD = re.compile(
    r"b1|[iu][1248]|f(2|4|8|12|16)|c(8|16|24|32)|[Mm]8|O[48]|[SVU](0|[1-9][0-9]{0,9})"
)

UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "generic")

MAX_SIDES = 64
MOST_FOR_A_BYTE = 1024
"""How many bytes of an array with objects a byte of the pickle may stand for."""

ARRAY_STATE_ITEMS = 5
DTYPE_STATE_ITEMS = 8
DTYPE_VERSION = 3
"""The version of states without metadata. Version 4 has one item more."""

# NumPy's flags, from numpy/_core/include/numpy/ndarraytypes.h.
ITEM_REFCOUNT = 0x01
ALIGNED_STRUCT = 0x80
FIELD_ITEMS = 2
