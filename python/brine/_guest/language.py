"""The rules of a guest's language: which statements, which builtins, which modules, and whose code.

The interpreter alone holds them. They say early and with a line what code may not do. The walls are elsewhere: the process,
and what the kernel lets it do.
"""

from __future__ import annotations

import ast
import builtins
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import CodeType, ModuleType
    from typing import Any, Never

CO_OPTIMIZED = 1
"""The flag of the code of functions. The module `inspect` has it, and takes longer to import than all else here."""

STATEMENTS: dict[str, tuple[type[ast.AST], ...]] = {
    "assert": (ast.Assert,),
    "async": (ast.AsyncFor, ast.AsyncFunctionDef, ast.AsyncWith, ast.Await),
    "class": (ast.ClassDef,),
    "def": (ast.FunctionDef,),
    "del": (ast.Delete,),
    "for": (ast.For,),
    "global": (ast.Global,),
    "import": (ast.Import, ast.ImportFrom),
    "match": (ast.Match,),
    "nonlocal": (ast.Nonlocal,),
    "raise": (ast.Raise,),
    "try": (ast.Try, ast.TryStar),
    "while": (ast.While,),
    "with": (ast.With,),
}
"""What has to be allowed, by its name. Expressions, assignments, `if`, `pass`, and what belongs to a loop or a function need
nothing."""

if sys.version_info >= (3, 12):
    STATEMENTS["type"] = (ast.TypeAlias,)

OPERATIONS = {kind: name for name, kinds in STATEMENTS.items() for kind in kinds}

BUILTINS = frozenset(
    [
        "abs",
        "aiter",
        "all",
        "anext",
        "any",
        "ascii",
        "bin",
        "bool",
        "bytearray",
        "bytes",
        "callable",
        "chr",
        "classmethod",
        "complex",
        "dict",
        "dir",
        "divmod",
        "enumerate",
        "filter",
        "float",
        "format",
        "frozenset",
        "getattr",
        "hasattr",
        "hash",
        "hex",
        "id",
        "int",
        "isinstance",
        "issubclass",
        "iter",
        "len",
        "list",
        "map",
        "max",
        "memoryview",
        "min",
        "next",
        "object",
        "oct",
        "ord",
        "pow",
        "print",
        "property",
        "range",
        "repr",
        "reversed",
        "round",
        "set",
        "setattr",
        "slice",
        "sorted",
        "staticmethod",
        "str",
        "sum",
        "super",
        "tuple",
        "type",
        "vars",
        "zip",
        "Ellipsis",
        "NotImplemented",
        "__build_class__",
        "__name__",
    ]
)
"""The builtins that code has unless others are named. All exceptions are among them, too."""


class Broken(Exception):
    """A rule of the language is broken: which one, and where."""

    def __init__(
        self, rule: str, message: str, line: int | None = None, column: int | None = None
    ) -> None:
        super().__init__(message)
        self.rule, self.message, self.line, self.column = rule, message, line, column


class Language:
    """What code may do."""

    def __init__(
        self, operations: Iterable[str], names: Iterable[str] | None, modules: Iterable[str]
    ) -> None:
        self._operations = frozenset(operations)
        self._modules = frozenset(modules)
        allowed = BUILTINS | _exceptions() if names is None else frozenset(names)
        self._builtins = {
            name: getattr(builtins, name) for name in allowed if hasattr(builtins, name)
        }
        self._builtins["__import__"] = self._import
        self.origins: Origins | None = None

    def namespace(self, names: dict[str, Any]) -> dict[str, Any]:
        """Return what code finds at first."""
        return {"__builtins__": self._builtins, "__name__": "__guest__", **names}

    def compiled(self, source: str) -> tuple[CodeType | None, CodeType | None]:
        """Compile code: what is run, and the expression at its end, whose value is that of all."""
        try:
            tree = ast.parse(source, "<guest>")
        except (SyntaxError, ValueError) as error:
            line, column = getattr(error, "lineno", None), getattr(error, "offset", None)
            raise Broken("syntax", getattr(error, "msg", str(error)), line, column) from None
        self._judge(tree)
        last = tree.body[-1] if tree.body else None
        value = None
        if isinstance(last, ast.Expr):
            tree.body.pop()
            value = compile(ast.Expression(last.value), "<guest>", "eval")
        return (compile(tree, "<guest>", "exec") if tree.body else None), value

    def _judge(self, tree: ast.AST) -> None:
        broken: list[tuple[int, int, str]] = []
        for node in ast.walk(tree):
            name = OPERATIONS.get(type(node))
            if isinstance(node, ast.comprehension) and node.is_async:
                name = "async"
            if name is not None and name not in self._operations:
                line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0)
                broken.append((line, column + 1, name))
        if broken:
            line, column, name = min(broken)
            raise Broken("operations", f"{name!r} is not allowed", line, column)

    def _import(
        self,
        name: str,
        namespace: dict[str, Any] | None = None,
        local: Mapping[str, object] | None = None,
        wanted: tuple[str, ...] = (),
        level: int = 0,
    ) -> ModuleType:
        if level:
            raise ImportError("the code is in no package")
        parents = name.split(".")
        found = {".".join(parents[: end + 1]) for end in range(len(parents))}
        if not found & self._modules:
            raise ModuleNotFoundError(f"the module {name!r} is not allowed", name=name)

        def found_module() -> ModuleType:
            return builtins.__import__(name, namespace, local, wanted, level)

        return found_module() if self.origins is None else self.origins.importing(found_module)


def _exceptions() -> frozenset[str]:
    return frozenset(
        name
        for name, value in vars(builtins).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    )


class Origins:
    """Ends the guest when code runs that comes from a module from which none may (CPython 3.12 and later).

    It goes by the file that a code object was compiled from, which stays with it whoever calls it, and for functions in C by
    the module that they say.
    """

    def __init__(
        self, only: Iterable[str] | None, never: Iterable[str], end: Callable[[str, str], Never]
    ) -> None:
        self._only = None if only is None else frozenset(only)
        self._never = frozenset(never)
        self._end = end
        self._of_file: dict[str, str] = {}
        self._importing = 0

    def begin(self) -> None:
        """Look at everything that runs from now on."""
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
        tool = monitoring.DEBUGGER_ID
        monitoring.use_tool_id(tool, "brine")
        events = monitoring.events
        monitoring.register_callback(tool, events.PY_START, self._starts)
        monitoring.register_callback(tool, events.CALL, self._calls)
        monitoring.set_events(tool, events.PY_START | events.CALL)

    def importing(self, work: Callable[[], ModuleType]) -> ModuleType:
        """Import a module. What runs for that is not looked at: the rule is about functions that are called."""
        self._importing += 1
        try:
            return work()
        finally:
            self._importing -= 1

    def _starts(self, code: CodeType, offset: int) -> None:
        del offset
        if self._importing or not code.co_flags & CO_OPTIMIZED:
            return
        self._judge(self._module_of(code.co_filename), code.co_qualname)

    def _calls(self, code: CodeType, offset: int, called: Any, first: object) -> None:
        del offset, first
        is_of_guest = code.co_filename.startswith(_OWN_DIRECTORY)
        if isinstance(called, _C_FUNCTIONS) and not self._importing and not is_of_guest:
            self._judge(str(getattr(called, "__module__", None) or "builtins"), called.__qualname__)

    def _judge(self, module: str, name: str) -> None:
        packages = {module}
        while "." in module:
            module = module.rpartition(".")[0]
            packages.add(module)
        if packages & self._never:
            self._end(min(packages & self._never), name)
        elif self._only is not None and not packages & (self._only | _ALWAYS):
            self._end(max(packages, key=len), name)

    def _module_of(self, file: str) -> str:
        found = self._of_file.get(file)
        if found is None:
            for name, module in list(sys.modules.items()):
                origin = getattr(getattr(module, "__spec__", None), "origin", None)
                if isinstance(origin, str):
                    self._of_file.setdefault(origin, name)
            found = self._of_file.setdefault(file, file.removeprefix("<frozen ").strip("<>"))
        return found


_C_FUNCTIONS = (
    type(len),
    type(str.join),
    type("".join),
    type(object.__init__),
    type(object().__str__),
)
_OWN_DIRECTORY = __file__.rpartition("/")[0] + "/"
_ALWAYS = frozenset(
    {"guest", "builtins", "brine", "importlib", "_frozen_importlib", "_frozen_importlib_external"}
)
