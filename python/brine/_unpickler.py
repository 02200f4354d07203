"""Loaders of pickles that import the names of a list, and nothing else.

What they load has been scanned. They hold it to the same list once more: a mistake of the scan then does not run code.
"""

from __future__ import annotations

import copyreg
import io
import pickle
import sys
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias

from brine import _std_shims
from brine._brine import AllowList
from brine._errors import UnsupportedError, UntrustedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Pair: TypeAlias = tuple[str, str]
Shims: TypeAlias = "Mapping[Pair, Callable[..., object]]"


def load(data: bytes, allow: AllowList, imports: Iterable[Pair]) -> object:
    """Load a pickle that has been scanned with this list, and that has these imports."""
    names = _names(allow, min(_protocol(data), 3))
    if any(names.needs_checks(pair) for pair in imports):
        # Most pickles have none of NumPy's names, and this module imports NumPy.
        from brine._numpy_unpickler import NumpyUnpickler

        return NumpyUnpickler(data, names).load()
    if vars(copyreg).get("_extension_cache", True):
        # From here the loader in C takes what a number stands for without asking.
        return PythonUnpickler(data, Finder(names, _std_shims.SHIMS)).load()
    return StdUnpickler(data, names).load()


class Names:
    """The names that a list gives to pickles of one protocol."""

    def __init__(self, allow: AllowList, protocol: int) -> None:
        self._allow = allow
        self._protocol = protocol
        self._pairs: dict[Pair, Pair] = {}

    def pair(self, module: str, name: str) -> Pair:
        """Return the pair that is imported for a name. Raise if it is not on the list."""
        pair = self._pairs.get((module, name))
        if pair is None:
            pair = self._allow.resolve(module, name, self._protocol)
            if pair is None:
                raise not_allowed(module, name)
            if len(self._pairs) < KEPT_PAIRS:
                self._pairs[module, name] = pair
        return pair

    def is_lifted(self, module: str, name: str) -> bool:
        """Return whether the list lifts brine's rule for a name."""
        anything = self._allow.allows_anything
        return anything(module, name) and anything(*self.pair(module, name))

    def needs_checks(self, pair: Pair) -> bool:
        """Return whether NumPy's values are checked while a pickle with this import is loaded."""
        return NUMPY.allows(*pair) and not self._allow.allows_anything(*pair)


class StdUnpickler(pickle.Unpickler):
    """Loads a pickle without NumPy's constructors."""

    def __init__(self, data: bytes, names: Names) -> None:
        super().__init__(io.BytesIO(data))
        self._finder = Finder(names, _std_shims.SHIMS)

    def find_class(self, module: str, name: str, /) -> Any:
        return self._finder.find(module, name)

    def persistent_load(self, pid: object, /) -> Any:
        raise persistent_id()


class PythonUnpickler(pickle._Unpickler):  # pyright: ignore[reportPrivateUsage]
    """Loads a pickle by the loader that is written in Python, and imports nothing by number."""

    stack: list[Any]
    append: Callable[[Any], None]
    _unframer: Any
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(
        pickle._Unpickler.dispatch  # pyright: ignore[reportPrivateUsage]
    )

    def __init__(self, data: bytes, finder: Finder) -> None:
        self._file = io.BytesIO(data)
        super().__init__(self._file)
        self._finder = finder

    def find_class(self, module: str, name: str) -> Any:
        return self._finder.find(module, name)

    def persistent_load(self, pid: object) -> Any:
        raise persistent_id()

    def load_bytearray8(self) -> None:
        """Read what is in no frame into its place at once: the loader would copy it twice."""
        frame = self._unframer.current_frame
        if frame is not None and frame.tell() < frame.getbuffer().nbytes:
            super().load_bytearray8()  # type: ignore[misc, unused-ignore]
            return
        room = bytearray(int.from_bytes(self._file.read(8), "little"))
        if self._file.readinto(room) != len(room):
            raise EOFError
        self.append(room)

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def load_extension(self) -> NoReturn:
        raise UntrustedError(
            "pickle: imports by a number of the copyreg registry", None, "extension-registry"
        )

    for _opcode in (pickle.EXT1, pickle.EXT2, pickle.EXT4):
        dispatch[_opcode[0]] = load_extension


class Finder:
    """Finds what a pickle imports, and remembers under which names it gave what."""

    def __init__(self, names: Names, shims: Shims, *, checks_numpy: bool = False) -> None:
        self.names = names
        self._shims = shims
        self._checks_numpy = checks_numpy
        self._given: dict[int, tuple[object, list[Pair]]] = {}
        self._only_named: dict[int, Pair] = {}

    def find(self, module: str, name: str) -> Any:
        """Return what a name stands for: itself, or what checks its arguments before it."""
        pair = self.names.pair(module, name)
        # Whoever watches what pickles import sees it here, as with the loader of the standard library.
        sys.audit("pickle.find_class", *pair)
        if self.names.is_lifted(module, name):
            return self._give(module, name, imported(*pair))
        if pair == GETATTR:
            return self._attribute
        if pair in self._shims:
            return self._shims[pair]
        found = self._give(module, name, imported(*pair))
        if NUMPY.allows(*pair):
            if not self._checks_numpy:
                raise call_not_allowed(*pair, "values that nothing checks")
            self._only_named[id(found)] = pair
        return found

    def is_ruled(self, called: object) -> bool:
        """Return whether something is of NumPy's list, and its rule holds."""
        return id(called) in self._only_named

    def refuse_call(self, called: object) -> None:
        """Refuse a call of what may only be named."""
        pair = self._only_named.get(id(called))
        if pair is not None:
            raise call_not_allowed(*pair, "arguments, where it may only be named")

    def _give(self, module: str, name: str, found: object) -> object:
        self._given.setdefault(id(found), (found, []))[1].append((module, name))
        return found

    def _attribute(self, holder: object, attribute: str) -> object:
        """Import an attribute of an import, which is a line of its own on a list."""
        _, names = self._given.get(id(holder), (None, []))
        if type(attribute) is not str or "." in attribute or not names:
            raise call_not_allowed(*GETATTR, "something else than an import and a name")
        module, name = names[-1]
        return self.find(module, f"{name}.{attribute}")


def imported(module: str, name: str) -> object:
    """Import a module, and return what a name with dots stands for in it."""
    try:
        found: object = sys.modules.get(module) or import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise UnsupportedError(
            f"pickle imports {module}:{name}, which is not here: {error}",
            "install what the sender has, in a version that fits",
            "import-failed",
        ) from error
    return found


def not_allowed(module: str, name: str) -> UntrustedError:
    """Refuse a name that is not on the list."""
    line = f"{module}:{name}"
    return UntrustedError(
        f"pickle: imports {line}, which is not on the list",
        f'allow=["std", "{line}"] allows it; what is on a list runs',
        "import-not-allowed",
        allow=[line],
    )


def call_not_allowed(module: str, name: str, why: str) -> UntrustedError:
    """Refuse a call of a name, or a state, that brine's rule for the name does not allow."""
    return UntrustedError(f"pickle: gives {module}:{name} {why}", None, "call-not-allowed")


def persistent_id() -> UntrustedError:
    """Refuse a persistent id: it stands for something that is not in the pickle."""
    return UntrustedError("pickle: has a persistent id", None, "persistent-id")


def _protocol(data: bytes) -> int:
    """Return the protocol that a pickle states. Only its first opcode states one: a scan refuses others."""
    return data[1] if data[:1] == pickle.PROTO and len(data) > 1 else 0


@lru_cache(maxsize=256)
def _names(allow: AllowList, protocol: int) -> Names:
    return Names(allow, protocol)


NUMPY = AllowList("numpy")
GETATTR = ("builtins", "getattr")

KEPT_PAIRS = 10_000
"""How many names of a list are remembered as resolved."""
