"""What pickles may import, as callers write it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from brine._brine import AllowList
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
    """Put a list together from its parts."""
    if isinstance(names, AllowList):
        return names
    parts = (names,) if isinstance(names, str) else tuple(names)
    try:
        return _of_parts(parts)
    except TypeError as error:
        raise UsageError(f"allow: {error}", reason="usage") from error


@lru_cache(maxsize=256)
def _of_parts(parts: tuple[str | AllowList, ...]) -> AllowList:
    texts = (part.lines() if isinstance(part, AllowList) else part for part in parts)
    allow = AllowList(*texts)
    for module, name in allow.gadgets():
        warnings.warn(
            f"the list has {module}:{name}, through which a pickle can reach what is not on it",
            stacklevel=2,
        )
    return allow
