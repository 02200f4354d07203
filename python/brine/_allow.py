"""What pickles may import, as callers write it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias, cast

from brine._brine import AllowList
from brine._caller import level_of_caller
from brine._errors import UntrustedError, UsageError

Names: TypeAlias = str | AllowList | Sequence[str | AllowList]
"""``"std"``, ``"numpy"``, lines such as ``"shop.orders:Order"``, a list of these, or an ``AllowList``."""

Allow: TypeAlias = Names | Mapping[str, Names]
"""The names for everybody, or those for each signer by its name in the trust file; ``"*"`` is for all others."""


def allow_list(allow: Allow, signer: str | None) -> AllowList:
    """Return what a signer may have imported. Without a name, nobody has signed.

    Raise `UntrustedError` if there is a list for each signer, and none for this one.
    """
    if not isinstance(allow, Mapping):
        return listed(allow)
    if signer is not None and signer in allow:
        return listed(allow[signer])
    if "*" in allow:
        return listed(allow["*"])
    who = "whoever sent it unsigned" if signer is None else repr(signer)
    raise UntrustedError(
        f"allow has no list for {who}",
        'allow={"alice": ["std"], "*": []} has one for alice, and one for all others',
        "signer-not-listed",
    )


def check(allow: Allow) -> None:
    """Raise `UsageError` if a list cannot be read, whomever it is for."""
    if not isinstance(allow, Mapping):
        listed(allow)
        return
    for names in allow.values():
        listed(names)


def listed(names: Names) -> AllowList:
    """Put a list together from its parts, and warn of what is known to reach more."""
    if isinstance(names, AllowList):
        allow = names
    else:
        allow = _of_parts(_parts(names))
    for module, name in _gadgets(allow):
        warnings.warn(
            f"the list has {module}:{name}, through which a pickle can reach what is not on it",
            stacklevel=level_of_caller(),
        )
    return allow


def _parts(names: object) -> tuple[str | AllowList, ...]:
    """Return the parts of a list. What can be read only once, and mappings, are no lists."""
    if isinstance(names, str):
        return (names,)
    if isinstance(names, (list, tuple, set, frozenset)):
        parts = cast("Iterable[str | AllowList]", names)
        if all(map(_is_part, parts)):
            return tuple(parts)
    raise UsageError(
        f"allow: expected text, a brine.AllowList, or a list of these, not {_shown(names)}",
        reason="usage",
    )


def _is_part(part: object) -> bool:
    return isinstance(part, (str, AllowList))


def _shown(names: object) -> str:
    text = repr(names)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


@lru_cache(maxsize=256)
def _of_parts(parts: tuple[str | AllowList, ...]) -> AllowList:
    texts = (part.lines() if isinstance(part, AllowList) else part for part in parts)
    return AllowList(*texts)


@lru_cache(maxsize=256)
def _gadgets(allow: AllowList) -> tuple[tuple[str, str], ...]:
    return tuple(name for name in allow.gadgets() if name not in _HARMLESS)


_HARMLESS = {("asyncio.exceptions", "CancelledError"), ("multiprocessing.managers", "Token")}
"""What stands in a module of gadgets, and keeps values: an exception, and what lists of managers have."""

LONGEST_SHOWN = 80
