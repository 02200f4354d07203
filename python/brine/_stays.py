"""What stays in the process that made it, since it leads to objects of that process."""

from __future__ import annotations

from typing import Any, ClassVar, Never, Self

from brine._errors import UsageError


class Stays:
    """Is not pickled, also not as a part of something else. A copy in this process is the thing itself."""

    _instead: ClassVar[str | None] = None
    """What to do instead."""

    def __reduce_ex__(self, protocol: Any, /) -> Never:
        raise UsageError(
            f"a {type(self).__name__} stays in this process, and is not pickled",
            self._instead,
            "usage",
        )

    def __copy__(self) -> Self:
        """Return itself."""
        return self

    def __deepcopy__(self, _: Any) -> Self:
        """Return itself."""
        return self
