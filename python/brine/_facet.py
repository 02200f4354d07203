"""What of an object a guest may use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from brine._errors import UsageError

SPECIAL = frozenset(
    f"__{name}__"
    for name in (
        "call contains delitem enter exit getitem iter len next setitem".split()  # noqa: SIM905
    )
)
"""The methods with two underscores that can be given. The others reach into an object."""


class Facet:
    """What of an object a guest may use.

    - ``methods`` can be called, and ``attributes`` read.
    - ``returns`` has, for the name of a method or an attribute, the facet of what it returns: that stays in the host, too,
      and the guest gets a power over it. Of a list or a tuple, each item does. What no facet is for is copied, and must be
      plain data.
    - ``takes_functions`` has the methods that functions of the guest can be given to. Each is dead when the method returns.
    - With ``reentrant``, functions of the guest may call the power while a method of any power runs.
    """

    __slots__ = {  # noqa: RUF023
        "methods": "The names of the methods that can be called.",
        "attributes": "The names of the attributes that can be read.",
        "returns": "The facets of what methods and attributes return, by their names.",
        "takes_functions": "The methods that functions of the guest can be given to.",
        "reentrant": "Whether functions of the guest may call it while one of its methods runs.",
    }

    def __init__(
        self,
        methods: Iterable[str] = (),
        attributes: Iterable[str] = (),
        *,
        returns: Mapping[str, Facet] | None = None,
        takes_functions: Iterable[str] = (),
        reentrant: bool = False,
    ) -> None:
        self.methods = names_of("methods", methods)
        self.attributes = names_of("attributes", attributes)
        self.returns = _facets(returns or {})
        self.takes_functions = names_of("takes_functions", takes_functions)
        self.reentrant = reentrant
        if type(reentrant) is not bool:
            raise UsageError("reentrant: expected True or False", reason="usage")
        for name in self.attributes:
            if name.startswith("_"):
                raise UsageError(f"attributes: {name!r} begins with an underscore", reason="usage")
        if twice := self.methods & self.attributes:
            raise UsageError(f"{min(twice)!r} is a method and an attribute", reason="usage")
        for what, names in (
            ("returns", set(self.returns)),
            ("takes_functions", self.takes_functions),
        ):
            if unknown := names - self.methods - self.attributes:
                raise UsageError(f"{what}: {min(unknown)!r} is not given", reason="usage")

    def only(self, names: frozenset[str]) -> Facet:
        """Return the same with fewer methods and attributes."""
        if unknown := names - self.methods - self.attributes:
            raise UsageError(
                f"{min(unknown)!r} is not given, and so it cannot be kept", reason="usage"
            )
        return Facet(
            self.methods & names,
            self.attributes & names,
            returns={name: facet for name, facet in self.returns.items() if name in names},
            takes_functions=self.takes_functions & names,
            reentrant=self.reentrant,
        )


def names_of(what: str, names: Iterable[str]) -> frozenset[str]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise UsageError(f'{what}: expected a list, like ["get"]', reason="usage")
    listed = list(names)
    for name in listed:
        if not isinstance(name, str) or not name.isidentifier():
            raise UsageError(f"{what}: {name!r} is no name", reason="usage")
    found = frozenset(listed)
    for name in found:
        if name.startswith("_") and name not in SPECIAL:
            raise UsageError(f"{what}: {name!r} begins with an underscore", reason="usage")
    return found


def _facets(returns: Mapping[str, Facet]) -> dict[str, Facet]:
    if not isinstance(returns, Mapping):
        raise UsageError(
            'returns: expected a mapping, like {"find": Facet(["get"])}', reason="usage"
        )
    for name, facet in returns.items():
        if not isinstance(facet, Facet):
            raise UsageError(
                f"returns: {name!r}: expected a Facet, and not {type(facet).__qualname__}",
                reason="usage",
            )
    return dict(returns)


def taker(facet: Facet, seen: list[Facet]) -> str | None:
    """Return a method that takes functions, of this facet or of what its methods return."""
    if any(facet is one for one in seen):
        return None
    seen.append(facet)
    names = [min(facet.takes_functions)] if facet.takes_functions else []
    names += [name for inner in facet.returns.values() if (name := taker(inner, seen))]
    return names[0] if names else None
