"""What a sandbox is told: the rules of the language, the limits of the process, and the first names."""

from __future__ import annotations

import builtins as _builtins
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from brine._errors import UnsupportedError, UsageError
from brine._guest.language import RESERVED, STATEMENTS
from brine._power import seconds, size

if TYPE_CHECKING:
    from datetime import timedelta

RECURSION = 500
FIRST_VERSION_OF_ORIGINS = (3, 12)


def rules(
    operations: Iterable[str],
    modules: Iterable[str],
    builtins: Iterable[str] | None,
    code_from: Iterable[str] | None,
    no_code_from: Iterable[str],
) -> dict[str, Any]:
    """Return what the guest is told of the rules."""
    statements = _listed("operations", operations)
    if unknown := set(statements) - set(STATEMENTS):
        raise UsageError(f"operations: there is no {min(unknown)!r}", reason="usage")
    named = None if builtins is None else _listed("builtins", builtins)
    if absent := [name for name in named or () if not hasattr(_builtins, name)]:
        raise UsageError(f"builtins: there is no {absent[0]!r}", reason="usage")
    only = None if code_from is None else _listed("code_from", code_from)
    never = _listed("no_code_from", no_code_from)
    if (only is not None or never) and sys.version_info < FIRST_VERSION_OF_ORIGINS:
        raise UnsupportedError(
            "code_from and no_code_from take CPython 3.12 or later", reason="python-version"
        )
    return {
        "operations": statements,
        "modules": _listed("modules", modules),
        "builtins": named,
        "code_from": only,
        "no_code_from": never,
        "recursion": RECURSION,
    }


def limits(
    memory: int | str, cpu: str | float | timedelta, lifetime: str | float | timedelta
) -> dict[str, str]:
    """Return the limits of the process, as a policy has them."""
    return {
        "memory": str(size(memory)),
        "cpu": f"{max(1, round(seconds(cpu) * 1000))}ms",
        "wall": f"{max(1, round(seconds(lifetime) * 1000))}ms",
        "processes": "16",
        "files": "64",
        "output": "1MiB",
        "scratch": "1MiB",
    }


def names(what: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what code finds by name."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UsageError(f"{what}: expected a mapping from names", reason="usage")
    found = dict(given)
    for name in found:
        if type(name) is not str:
            raise UsageError(f"{what}: {name!r} is no name", reason="usage")
        if name in RESERVED:
            raise UsageError(f"{what}: {name} has a meaning already", reason="usage")
    return found


def _listed(what: str, names: Iterable[str]) -> list[str]:
    # A text is made of texts, and each is a name of one letter.
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise UsageError(f"{what}: expected a list of names", reason="usage")
    found = list(names)
    if not all(isinstance(name, str) for name in found):
        raise UsageError(f"{what}: expected a list of names", reason="usage")
    return sorted(set(found))
