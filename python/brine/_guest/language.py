"""The rules of a guest's language: which statements, which builtins and which modules.

The interpreter alone holds them. They say early and with a line what code may not do. The walls are elsewhere: the process,
and what the kernel lets it do.
"""

from __future__ import annotations

import ast
import builtins
import sys

from brine._guest.origins import GUEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import CodeType, ModuleType
    from typing import Any

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


RESERVED = frozenset({"PowerError", "__builtins__", "__name__"})
"""The names that code finds in any case."""


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

    def namespace(self, names: dict[str, Any]) -> dict[str, Any]:
        """Return what code finds at first."""
        return {"__builtins__": self._builtins, "__name__": "__guest__", **names}

    def compiled(self, source: str) -> tuple[CodeType | None, CodeType | None]:
        """Compile code: what is run, and the expression at its end, whose value is that of all."""
        try:
            tree = ast.parse(source, GUEST)
        except _NO_CODE as error:
            raise _no_syntax(error, getattr(error, "offset", None)) from None
        self._judge(tree, source)
        last = tree.body[-1] if tree.body else None
        value = None
        try:
            if isinstance(last, ast.Expr):
                tree.body.pop()
                value = compile(ast.Expression(last.value), GUEST, "eval")
            return (compile(tree, GUEST, "exec") if tree.body else None), value
        except _NO_CODE as error:
            # The parser counts characters, and the compiler bytes.
            line, offset = getattr(error, "lineno", None), getattr(error, "offset", None)
            column = _column(source, line, offset - 1) if line and offset else None
            raise _no_syntax(error, column) from None

    def _judge(self, tree: ast.AST, source: str) -> None:
        broken: list[tuple[int, int, str]] = []
        for node in ast.walk(tree):
            name = OPERATIONS.get(type(node))
            place = node
            if isinstance(node, ast.comprehension) and node.is_async:
                name, place = "async", node.target
            if name is not None and name not in self._operations:
                broken.append((*_place(place), name))
        if broken:
            line, offset, name = min(broken)
            column = _column(source, line, offset)
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
        return builtins.__import__(name, namespace, local, wanted, level)


_NO_CODE = (SyntaxError, ValueError, MemoryError, RecursionError, OverflowError)
"""What the parser and the compiler raise. They run no code, and so the code has not raised it."""


def _no_syntax(error: Exception, column: int | None) -> Broken:
    is_deep = isinstance(error, MemoryError | RecursionError)
    message = (
        "it is nested too deep, or too large" if is_deep else getattr(error, "msg", str(error))
    )
    return Broken("syntax", message, getattr(error, "lineno", None), column)


def _place(node: ast.AST) -> tuple[int, int]:
    return getattr(node, "lineno", 1), getattr(node, "col_offset", 0)


def _column(source: str, line: int, offset: int) -> int:
    """Return the column, from 1 on, of a number of bytes of UTF-8 in a line."""
    lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    text = lines[line - 1] if line <= len(lines) else ""
    return len(text.encode()[:offset].decode("utf-8", "ignore")) + 1


def _exceptions() -> frozenset[str]:
    return frozenset(
        name
        for name, value in vars(builtins).items()
        if isinstance(value, type) and issubclass(value, BaseException)
    )
