"""Huey, with everything signed that steers a task, and its results.

import brine.huey
from huey import SqliteHuey

huey = brine.huey.sign(SqliteHuey("shop", filename="shop.db"), expires="1d", replay_db="shop.replay")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import huey as _huey
from huey.serializer import Serializer, SignedSerializer

from brine._errors import UsageError
from brine._frameworks import put_in_front, refuse_unknown_version
from brine._huey_store import SignedStorage, Values
from brine._huey_tasks import SignedHuey
from brine._refused_tasks import Refused, WaitLog
from brine._task_signatures import TaskSignatures, queue_context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

    from brine._allow import Allow
    from brine._brine import KeyLike, Trust
    from brine._unsigned import Unsigned

__all__ = ["Refused", "refused", "sign"]

KNOWN_MAJOR = "3"

ALLOWED = (
    "huey.registry:Message",
    "huey.utils:Error",
    "huey.utils:SKIPPED",
    "huey.exceptions:CancelExecution",
    "huey.exceptions:RateLimitExceeded",
    "huey.exceptions:RetryTask",
    "huey.exceptions:TaskException",
    "huey.exceptions:TaskLockedException",
    "huey.exceptions:TaskTimeout",
)
"""What Huey itself puts into its messages and results."""

_H = TypeVar("_H")


def sign(
    huey: _H,
    *,
    expires: timedelta | str,
    replay_db: str | Path,
    key: KeyLike | Sequence[KeyLike] | None = None,
    trust: Trust | None = None,
    allow: Allow = "std",
    fallback: Unsigned | None = None,
) -> _H:
    """Have a Huey sign its tasks and results, take signed ones alone, and run each once. Returns the same Huey.

    - ``expires`` is how long a task waits at most, from its time on if it has one, and how long a result can be read.
    - ``replay_db`` remembers which tasks were run. ``brine replay init`` makes it.
    - ``allow`` is what arguments and results may be, as in `brine.loads`.
    - ``fallback`` lets tasks pass that were never signed, while a system moves, and counts them.

    The context of tasks is ``huey:`` and the name of the Huey, that of results the same and ``:results``. A task that runs has its signer as ``task.signer``.
    """
    if not isinstance(huey, _huey.Huey):
        raise UsageError(f"expected a Huey, and not {type(huey).__qualname__}", reason="usage")
    refuse_unknown_version("Huey", _huey.__version__, KNOWN_MAJOR)
    if isinstance(huey, SignedHuey):
        raise UsageError("it is signed already", reason="usage")
    serializer = type(huey.serializer)
    if serializer not in (Serializer, SignedSerializer):
        raise UsageError(f"its {serializer.__qualname__} would not be used", reason="usage")
    signatures = TaskSignatures(
        queue_context("huey", huey.name),
        key=key,
        trust=trust,
        expires=expires,
        replay_db=replay_db,
        allow=allow,
        always_allowed=ALLOWED,
        fallback=fallback,
    )
    made: Any = huey
    # What Huey does is done by methods of its class; this is one more in front of them.
    put_in_front(made, SignedHuey)
    made._brine, made._brine_waits = signatures, WaitLog(signatures.context)
    made.serializer = Values()
    made.storage = SignedStorage(made.storage, signatures)
    return huey


def refused(huey: Any) -> list[Refused]:
    """Return the messages that a Huey refused, in the order of time."""
    found: list[Refused] = huey.storage.refused()
    return found
