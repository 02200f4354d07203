"""What is public has a docstring, which the API reference shows, and functions stand in a page."""

from __future__ import annotations

import importlib
import inspect
import pickle
from pathlib import Path
from types import ModuleType

import pytest

import brine

PAGES = Path(__file__).parent.parent.parent / "docs/python"

PUBLIC = ["brine"] + [
    f"brine.{path.stem}"
    for path in Path(brine.__file__).parent.glob("*.py")
    if not path.stem.startswith("_")
]
"""The public modules."""


def imported(name: str) -> ModuleType:
    """Import a public module. What arq needs of a client of Redis, others cannot use: it is tested alone."""
    if name == "brine.arq":
        pytest.importorskip("arq")
    return importlib.import_module(name)


def public_names(module: ModuleType) -> list[str]:
    """List the functions and classes of a module, and the methods and properties of its classes."""
    names = []
    for name in module.__all__:
        value = getattr(module, name)
        if not callable(value):
            continue
        names.append(name)
        if inspect.isclass(value):
            names += [f"{name}.{member}" for member in vars(value) if not member.startswith("_")]
    return names


def find(module: ModuleType, name: str) -> object:
    """Find a name, which may be that of a member of a class."""
    found: object = module
    for part in name.split("."):
        found = getattr(found, part)
    return found


@pytest.mark.parametrize("module_name", PUBLIC)
def test_what_is_public_has_a_docstring(module_name: str) -> None:
    module = imported(module_name)
    assert module.__doc__
    names = public_names(module)
    assert names
    without = [name for name in names if not (inspect.getdoc(find(module, name)) or "").strip()]
    assert without == []


def test_the_classes_of_the_extension_are_looked_at() -> None:
    names = public_names(brine)
    assert {"Verifier.verify", "Verified.payload", "Key.generate", "loads"} <= set(names)


@pytest.mark.parametrize("module_name", PUBLIC)
def test_every_function_stands_in_a_page(module_name: str) -> None:
    module = imported(module_name)
    functions = [name for name in module.__all__ if inspect.isroutine(getattr(module, name))]
    assert functions
    pages = [*PAGES.glob("*.md"), PAGES.parent / "powers.md"]
    text = "".join(page.read_text() for page in pages)
    assert [name for name in functions if f"{name}(" not in text] == []


def test_exceptions_are_named_as_they_are_imported() -> None:
    for name in brine.__all__:
        kind = getattr(brine, name)
        if inspect.isclass(kind) and issubclass(kind, BaseException):
            assert f"{kind.__module__}.{kind.__qualname__}" == f"brine.{name}"
            assert pickle.loads(pickle.dumps(kind)) is kind
