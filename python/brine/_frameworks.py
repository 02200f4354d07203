"""What integrations into frameworks of tasks do to these: refuse unknown versions, put classes in front, read names."""

from __future__ import annotations

from typing import Any

from brine._errors import UnsupportedError


def refuse_unknown_version(framework: str, version: str, *known: str) -> None:
    """Raise `UnsupportedError` for a version that is of no known line, such as ``"3"`` or ``"0.26"``."""
    if f"{version}.".startswith(tuple(f"{line}." for line in known)):
        return
    lines = ", ".join(line if "." in line else f"{line}.x" for line in known)
    raise UnsupportedError(
        f"{framework} {version} is not known here: versions {lines} are", reason="framework-version"
    )


def put_in_front(made: Any, signing: type) -> None:
    """Have an object do what a class does, in front of its own: what a framework does is done by methods."""
    kind = type(made)
    made.__class__ = type(f"Signed{kind.__name__}", (signing, kind), {})


def as_text(name: object) -> str:
    """Return a name as text, where clients also give bytes."""
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else str(name)
