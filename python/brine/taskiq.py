"""taskiq, with tasks and results signed.

import brine.taskiq
from taskiq_redis import ListQueueBroker, RedisAsyncResultBackend

broker = ListQueueBroker(url).with_result_backend(RedisAsyncResultBackend(url))
brine.taskiq.sign(broker, expires="1d", replay_db="shop.replay")
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import taskiq as _taskiq

from brine._errors import UsageError
from brine._frameworks import refuse_unknown_version
from brine._refused_tasks import Refused
from brine._task_signatures import TaskSignatures, load_json_or_pickle, queue_context
from brine._taskiq_broker import SignedBroker, sign_broker
from brine._taskiq_results import ALLOWED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from brine._allow import Allow
    from brine._brine import KeyLike, Trust
    from brine._unsigned import Unsigned

__all__ = ["Refused", "refused", "sign"]

KNOWN_MINORS = ("0.11", "0.12", "0.13")

_B = TypeVar("_B")


def sign(
    broker: _B,
    *,
    expires: timedelta | str,
    replay_db: str | Path,
    queue: str | None = None,
    key: KeyLike | Sequence[KeyLike] | None = None,
    trust: Trust | None = None,
    allow: Allow = "std",
    fallback: Unsigned | None = None,
) -> _B:
    """Have a broker sign tasks and results, take signed ones alone, and run each once. Returns the same broker.

    - ``expires`` is how long a task waits at most, and how long a result can be read.
    - ``replay_db`` remembers which tasks were run. ``brine replay init`` makes it. What is refused is kept beside it, or
      beside the queue if that is in Redis.
    - ``queue`` is the name of the queue, where the broker has no ``queue_name``.
    - ``allow`` is what results may be, as in `brine.loads`. Arguments are plain values.
    - ``fallback`` lets tasks pass that were never signed, while a system moves, and counts them.

    The context of tasks is ``taskiq:`` and the name of the queue, that of results the same and ``:results``. A task that
    runs has its signer as the label ``signer``.
    """
    if not isinstance(broker, _taskiq.AsyncBroker):
        raise UsageError(
            f"expected a broker of taskiq, and not {type(broker).__qualname__}", reason="usage"
        )
    refuse_unknown_version("taskiq", _taskiq.__version__, *KNOWN_MINORS)
    if isinstance(broker, SignedBroker):
        raise UsageError("it is signed already", reason="usage")
    name = queue or getattr(broker, "queue_name", None)
    if not isinstance(name, str):
        raise UsageError('the broker does not name its queue: give queue="..."', reason="usage")
    signatures = TaskSignatures(
        queue_context("taskiq", name),
        key=key,
        trust=trust,
        expires=expires,
        replay_db=replay_db,
        allow=allow,
        always_allowed=ALLOWED,
        fallback=fallback,
        load_unsigned=load_json_or_pickle,
    )
    sign_broker(broker, signatures, Path(f"{os.fspath(replay_db)}.refused"))
    return broker


async def refused(broker: Any) -> list[Refused]:
    """Return the tasks that were refused, in the order of time: of a queue in Redis all, and else those of this host."""
    kept: list[Refused] = await broker.refused.all()
    return kept
