"""Whose code runs in a guest: the modules that functions come from (CPython 3.12 and later).

This is a rule of the language, which the interpreter alone holds.
"""

from __future__ import annotations

import sys
from _thread import get_ident

from brine._guest.raised import OWN_DIRECTORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType, FrameType
    from typing import Any, Never, TypeVar

    T = TypeVar("T")

CO_OPTIMIZED = 1
"""The flag of the code of functions. The module `inspect` has it, and takes longer to import than all else here."""

TYPE_IS_IMMUTABLE = 1 << 8
"""The flag of types that are made in C, and not by a statement `class`."""

GUEST = "<guest>"
"""The file of code that is evaluated."""

GUEST_FILES = frozenset({GUEST, "<dynamic-code>"})
"""The second one is of functions that cloudpickle has sent with their code."""


def unwatched(work: Callable[[], T]) -> T:
    """Do work of brine's that runs code of other modules, such as parsing. What the guest runs inside of it is looked at.

    Its frame is the mark: there is no state that another thread, a finalizer or an exception could find switched off. It
    counts where brine begins it: not where code of the guest leads to it, nor in a thread of the guest.
    """
    return work()


class Origins:
    """Ends the guest when a function runs that comes from a module from which none may.

    A function of Python goes by the file that its code was compiled from, which stays with it whoever calls it. Functions and types
    in C go by the module that they say, and are seen where Python calls them.
    """

    def __init__(
        self,
        only: Iterable[str] | None,
        never: Iterable[str],
        end: Callable[[str, str, int | None], Never],
    ) -> None:
        self._only = None if only is None else _with_halves(only) | _ALWAYS
        self._never = _with_halves(never)
        self._end = end
        self._of_file: dict[str, str] = {}
        self._allowed: set[str] = set()
        self._thread = get_ident()

    def begin(self) -> None:
        """Look at everything that runs from now on."""
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
        tool = monitoring.DEBUGGER_ID
        monitoring.use_tool_id(tool, "brine")
        events = monitoring.events
        monitoring.register_callback(tool, events.PY_START, self._starts)
        monitoring.register_callback(tool, events.CALL, self._calls)
        monitoring.set_events(tool, events.PY_START | events.CALL)

    def _starts(self, code: CodeType, offset: int) -> None:
        del offset
        if code.co_flags & CO_OPTIMIZED and not code.co_filename.startswith(OWN_DIRECTORY):
            self._judge(self._module_of(code.co_filename), code.co_qualname)

    def _calls(self, code: CodeType, offset: int, called: Any, first: object) -> None:
        del offset, first
        # Nothing is asked of an object of the guest: what it answers with would run here, where nobody looks.
        kind = type(called)
        is_in_c = kind in _C_FUNCTIONS or (kind is type and called.__flags__ & TYPE_IS_IMMUTABLE)
        is_own = code.co_filename.startswith(OWN_DIRECTORY) and code is not unwatched.__code__
        if is_in_c and not is_own:
            self._judge(self._module_in_c(called), called.__name__)

    def _module_in_c(self, called: Any) -> str:
        """Return the module of a function in C. A method is of no module, unless it is of one that is banned.

        Where a module may use types of others, as for a regular expression, their methods come with them.
        """
        module = _MODULE(called) if type(called) is type else getattr(called, "__module__", None)
        if module is None and self._never:
            owner = _MODULE(getattr(called, "__objclass__", None) or _owner(called))
            module = owner if type(owner) is str and _packages(owner) & self._never else None
        return module if type(module) is str else "builtins"

    def _judge(self, module: str, name: str) -> None:
        if module in self._allowed:
            return
        packages = _packages(module)
        if banned := packages & self._never:
            found = min(banned)
        elif self._only is not None and not packages & self._only:
            found = max(packages, key=len)
        else:
            self._allowed.add(module)
            return
        # The frame of what starts, or of what calls a function in C.
        frame = sys._getframe(2)
        if not self._is_unwatched(frame):
            self._end(found, name, _line(frame))

    def _is_unwatched(self, frame: FrameType | None) -> bool:
        """Return whether brine or an import runs this, and no code of the guest in between.

        The rule is about functions that are called, and an import calls many.
        """
        while frame is not None and frame.f_code.co_filename not in GUEST_FILES:
            if frame.f_code in _IMPORTING:
                return True
            if frame.f_code is unwatched.__code__:
                return self._thread == get_ident() and _guest_frame(frame) is None
            frame = frame.f_back
        return False

    def _module_of(self, file: str) -> str:
        found = self._of_file.get(file)
        if found is None:
            for name, module in list(sys.modules.items()):
                is_module = issubclass(type(module), _MODULE_KIND)
                spec: Any = _NAMES(module).get("__spec__") if is_module else None
                if type(spec) is _SPEC_KIND and type(spec.origin) is str:
                    self._of_file.setdefault(spec.origin, name)
            is_frozen = file.startswith(_FROZEN)
            module_name = file[len(_FROZEN) : -1] if is_frozen else file
            found = self._of_file.setdefault(file, module_name)
        return found


def _packages(module: str) -> set[str]:
    """Return the names of a module and of all that it is below."""
    parts = module.split(".")
    return {".".join(parts[: end + 1]) for end in range(len(parts))}


def _owner(method: Any) -> Any:
    """Return the type that has a method that is bound to an object."""
    for kind in _MRO(type(method.__self__)):
        if type(_MEMBERS(kind).get(method.__name__)) in _C_FUNCTIONS:
            return kind
    return object


def _guest_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of code of the guest, from a frame on."""
    while frame is not None and frame.f_code.co_filename not in GUEST_FILES:
        frame = frame.f_back
    return frame


def _line(frame: FrameType | None) -> int | None:
    """Return the line of the code of the guest that led here."""
    found = _guest_frame(frame)
    return None if found is None else found.f_lineno


def _with_halves(names: Iterable[str]) -> frozenset[str]:
    """Return names of modules with those of the modules that their functions say they are of."""
    found = set(names)
    for name in names:
        package, _, last = name.rpartition(".")
        found |= {f"{package}.{half}" if package else half for half in (f"_{last}", f"_py{last}")}
        found |= _HALVES.get(name, frozenset())
    return frozenset(found)


_PATH = frozenset({"genericpath", "posixpath"})
_HALVES = {
    "hashlib": frozenset({"_blake2", "_md5", "_sha1", "_sha2", "_sha3"}),
    "importlib": frozenset({"_frozen_importlib", "_frozen_importlib_external", "_imp"}),
    "os": _PATH | {"posix"},
    "os.path": _PATH,
    "re": frozenset({"_sre"}),
    "subprocess": frozenset({"_posixsubprocess"}),
    "threading": frozenset({"_thread"}),
}
"""What modules are made of, beside a module with an underscore before the name."""

_MRO = type.__dict__["__mro__"].__get__
_MEMBERS = type.__dict__["__dict__"].__get__
_MODULE = type.__dict__["__module__"].__get__
_MODULE_KIND: Any = type(sys)
_SPEC_KIND: Any = type(sys.__spec__)
_NAMES = _MODULE_KIND.__dict__["__dict__"].__get__
"""What a class or a module has, whatever it says when it is asked."""

_C_FUNCTIONS = frozenset({type(len), type(str.join), type(object.__init__), type(object().__str__)})
_FROZEN = "<frozen "
_IMPORT = sys.modules["_frozen_importlib"]
_IMPORTING = frozenset(
    getattr(_IMPORT, name).__code__
    for name in ("_find_and_load", "_handle_fromlist", "_lock_unlock_module")
)
"""What the statement `import` calls."""

_ALWAYS = GUEST_FILES | {
    "__guest__",
    "_frozen_importlib",
    "_frozen_importlib_external",
    "builtins",
    "importlib",
}
