"""Functions, closures and classes that travel in a pickle, through cloudpickle.

Whoever may send code can do anything. So code is signed for a context of its own, and believed only from signers to whom
the trust file gives such contexts by name.
"""

from __future__ import annotations

import pickle
import sys
from typing import Any

from brine._errors import UnsupportedError, UsageError

CONTEXT = "python-code/"
"""How the contexts of code begin. The library believes nobody for them who is merely trusted for everything."""

CONTENT_TYPE = "application/x-python-cloudpickle"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CONTENT_TYPE_HERE = f"{CONTENT_TYPE}; python={PYTHON}"


def context_for(context: str | None) -> str:
    """Return the context that code is signed for, where data is signed for another one."""
    if context is None:
        raise UsageError(
            "code is signed for a context",
            'give context="jobs"; its code is then signed for "python-code/jobs"',
            "usage",
        )
    if not context:
        raise UsageError("context: it is empty", reason="usage")
    return CONTEXT + context


def is_code_context(context: object) -> bool:
    """Return whether a context is one of code."""
    return isinstance(context, str) and context.startswith(CONTEXT)


def is_code_type(content_type: str | None) -> bool:
    """Return whether a content type is one of code, of whatever Python version."""
    return content_type is not None and content_type.partition(";")[0] == CONTENT_TYPE


def check_version(content_type: str | None) -> None:
    """Refuse code of another Python version: its byte code means something else here."""
    if content_type == CONTENT_TYPE_HERE:
        return
    _, _, parameters = (content_type or "").partition(";")
    version = parameters.strip().removeprefix("python=") or "an unknown version"
    raise UnsupportedError(
        f"code was signed by Python {version}, and this is Python {PYTHON}",
        f"run the receiver with Python {version}, or sign the code with Python {PYTHON}",
        "python-version",
    )


def dumps(value: object, protocol: int) -> bytes:
    """Pickle a value with the code that it has."""
    data: bytes = _cloudpickle().dumps(value, protocol=protocol)
    return data


def loads(data: bytes) -> object:
    """Load code. Only what has verified for a context of code **must** come here."""
    _cloudpickle()
    return pickle.loads(data)


def _cloudpickle() -> Any:
    try:
        import cloudpickle  # type: ignore[import-untyped, unused-ignore]
    except ImportError as error:
        raise UnsupportedError(
            "code=True needs cloudpickle, which is not installed",
            'pip install "brine-sign[code]"',
            "cloudpickle-missing",
        ) from error
    return cloudpickle
