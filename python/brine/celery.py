"""Celery, with everything signed that steers a task, and its results and control commands.

import brine.celery
from celery import Celery

app = brine.celery.sign(Celery("shop", broker="redis://"), expires="1d", replay_db="shop.replay")
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import celery as _celery
from celery.utils.imports import instantiate

from brine._celery_backend import signed_backend
from brine._celery_channel import guard_channel
from brine._celery_control import signed_control
from brine._celery_messages import REFUSED_QUEUE, CelerySignatures, signed_amqp
from brine._errors import UsageError
from brine._frameworks import put_in_front, refuse_unknown_version
from brine._refused_tasks import Refused, records

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

    from brine._allow import Allow
    from brine._brine import KeyLike, Trust
    from brine._unsigned import Unsigned

__all__ = ["REFUSED_QUEUE", "Refused", "refused", "sign"]

KNOWN_MAJOR = "5"

_A = TypeVar("_A", bound="_celery.Celery")


def sign(
    app: _A,
    *,
    expires: timedelta | str,
    replay_db: str | Path,
    key: KeyLike | Sequence[KeyLike] | None = None,
    trust: Trust | None = None,
    allow: Allow = "std",
    fallback: Unsigned | None = None,
) -> _A:
    """Have an app sign its tasks, results and control commands, take signed ones alone, and run each task once. Returns
    the same app.

    - ``expires`` is how long a task waits at most, from its ``eta`` on if it has one, and how long a result can be read.
    - ``replay_db`` remembers which tasks were begun. ``brine replay init`` makes it.
    - ``allow`` is what pickles may name, as in `brine.loads`. It is asked only where the app uses pickles.
    - ``fallback`` lets tasks and results pass that were never signed, while a system moves, and counts them.

    The context of a task is ``celery:QUEUE:TASK``, that of results ``celery:results``, those of control commands and the
    answers to them ``celery:control`` and ``celery:replies``. A task that runs has its signer as ``self.request.signer``.
    """
    if not isinstance(app, _celery.Celery):
        raise UsageError(
            f"expected an app of Celery, and not {type(app).__qualname__}", reason="usage"
        )
    refuse_unknown_version("Celery", _celery.__version__, KNOWN_MAJOR)
    if isinstance(app, _SignedApp):
        raise UsageError("it is signed already", reason="usage")
    signatures = CelerySignatures(
        key=key,
        trust=trust,
        expires=expires,
        replay_db=replay_db,
        allow=allow,
        fallback=fallback,
    )
    made: Any = app
    put_in_front(made, _SignedApp)
    made._brine = signatures
    made.conf.worker_consumer = "brine._celery_worker:SignedConsumer"
    for name in ("amqp", "control"):
        made.__dict__.pop(name, None)
    # One that was made before signs nothing.
    made._backend_cache, made._local = None, threading.local()
    return app


def refused(app: _celery.Celery) -> list[Refused]:
    """Return the messages that the workers of an app refused, in the order of time. They stay where they are."""
    with app.connection_for_read() as connection:
        queue = REFUSED_QUEUE(guard_channel(connection.default_channel))
        queue.declare()
        kept = list(iter(queue.get, None))
        for one in kept:
            one.requeue()
    return records(one.body for one in kept)


class _SignedApp:
    """What an app makes otherwise."""

    _brine: CelerySignatures
    amqp_cls: Any
    control_cls: Any

    @cached_property
    def amqp(self) -> Any:
        return instantiate(signed_amqp(self.amqp_cls, self._brine), app=self)

    @cached_property
    def control(self) -> Any:
        return instantiate(signed_control(self.control_cls, self._brine), app=self)

    def _get_backend(self) -> Any:
        return signed_backend(super()._get_backend(), self._brine)  # type: ignore[misc]
