"""Dramatiq, with everything signed that steers a task, and its results.

import brine.dramatiq
from dramatiq.brokers.redis import RedisBroker

broker = brine.dramatiq.sign(RedisBroker(), expires="1d", replay_db="shop.replay")
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import dramatiq as _dramatiq
from dramatiq.results import Results

from brine._dramatiq_consumer import SignedConsumer
from brine._dramatiq_encoder import encoding
from brine._dramatiq_gate import Gate, is_unsigned, not_begun
from brine._dramatiq_messages import Messages, Resent, encode_unsigned
from brine._dramatiq_places import RabbitmqPlace, RedisPlace, StubPlace
from brine._dramatiq_redis import Lying, SignedRedisConsumer, fetched
from brine._dramatiq_results import sign_results
from brine._errors import UnsupportedError, UsageError
from brine._frameworks import put_in_front, refuse_unknown_version
from brine._refused_tasks import Refused
from brine._task_signatures import TaskSignatures, load_json_or_pickle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

    from brine._allow import Allow
    from brine._brine import KeyLike, Trust
    from brine._unsigned import Unsigned

__all__ = ["Refused", "refused", "sign"]

KNOWN_MAJOR = "2"

_B = TypeVar("_B")


def sign(
    broker: _B,
    *,
    expires: timedelta | str,
    replay_db: str | Path,
    key: KeyLike | Sequence[KeyLike] | None = None,
    trust: Trust | None = None,
    allow: Allow = "std",
    fallback: Unsigned | None = None,
) -> _B:
    """Have a broker sign its messages and results, take signed ones alone, and run each once. Returns the same broker.

    - ``expires`` is how long a message waits at most, from its time on if it is delayed, and how long a result can be read.
    - ``replay_db`` remembers which messages were run. ``brine replay init`` makes it.
    - ``allow`` is what arguments and results may be, as in `brine.loads`.
    - ``fallback`` lets messages pass that were never signed, while a system moves, and counts them.

    The context of messages is ``dramatiq:`` and the name of the queue, that of results the same and ``:results``. With the
    middleware ``CurrentMessage``, an actor has the signer of its message as ``get_current_message().signer``.
    """
    if not isinstance(broker, _dramatiq.Broker):
        raise UsageError(f"expected a broker, and not {type(broker).__qualname__}", reason="usage")
    refuse_unknown_version("Dramatiq", _dramatiq.__version__, KNOWN_MAJOR)
    if isinstance(broker, _SignedBroker):
        raise UsageError("it is signed already", reason="usage")
    kind = type(broker)
    signed, place = _parts_of(kind)
    messages = Messages(
        TaskSignatures(
            "dramatiq:default",
            key=key,
            trust=trust,
            expires=expires,
            replay_db=replay_db,
            allow=allow,
            always_allowed=(),
            fallback=fallback,
            load_unsigned=load_json_or_pickle,
        )
    )
    made: Any = broker
    for middleware in made.middleware:
        _sign_results_of(middleware, messages)
    # What a broker does is done by methods of its class; this is one more in front of them.
    put_in_front(made, signed)
    made._brine, made._brine_place, made._brine_gate = messages, place(made), Gate(messages)
    first = type(made.middleware[0]) if made.middleware else None
    made.add_middleware(made._brine_gate, before=first)
    return broker


def refused(broker: Any) -> list[Refused]:
    """Return the messages that were refused, in the order of time."""
    if not isinstance(broker, _SignedBroker):
        raise UsageError("expected a signed broker", reason="usage")
    return sorted(broker._brine_place.all(), key=lambda one: one.at)


def _sign_results_of(middleware: Any, messages: Messages) -> None:
    if isinstance(middleware, Results):
        sign_results(middleware.backend, messages)


class _SignedBroker:
    """What a broker does otherwise."""

    _brine: Messages
    _brine_gate: Gate
    _brine_place: Any
    _brine_consumer: ClassVar[type[SignedConsumer]] = SignedConsumer

    def add_middleware(self, middleware: Any, **place: Any) -> None:
        _sign_results_of(middleware, self._brine)
        super().add_middleware(middleware, **place)  # type: ignore[misc]

    def enqueue(self, message: Any, **options: Any) -> Any:
        encode = partial(self._brine.encode, waiting=not_begun(message))
        # What nobody has signed is signed by nobody when it goes on, or is tried again.
        with encoding(encode_unsigned if is_unsigned(message) else encode):
            return super().enqueue(message, **options)  # type: ignore[misc]

    def emit_before(self, signal: str, *about: Any, **more: Any) -> None:
        # Middleware may send by another broker, whose messages are not this one's to sign.
        with encoding(None):
            super().emit_before(signal, *about, **more)  # type: ignore[misc]

    def emit_after(self, signal: str, *about: Any, **more: Any) -> None:
        with encoding(None):
            super().emit_after(signal, *about, **more)  # type: ignore[misc]

    def consume(self, queue_name: str, *more: Any, **options: Any) -> SignedConsumer:
        inner = super().consume(queue_name, *more, **options)  # type: ignore[misc]
        return self._brine_consumer(inner, queue_name, self, self._brine, self._brine_gate)


class _SignedRedisBroker(_SignedBroker):
    """Redis has messages under ids, which they are acknowledged by."""

    _brine_consumer = SignedRedisConsumer

    def do_fetch(self, queue_name: str, count: int) -> list[Lying]:
        return fetched(self, queue_name, count)

    def do_enqueue(self, queue_name: str, message_id: str, data: bytes) -> Any:
        # Who takes it acknowledges the id that is signed.
        given = data.redis_id if isinstance(data, Resent) else message_id
        return self._dispatch("enqueue")(queue_name, given, bytes(data))  # type: ignore[attr-defined]


_KINDS: dict[str, tuple[type[_SignedBroker], Any]] = {
    "dramatiq.brokers.redis": (_SignedRedisBroker, RedisPlace),
    "dramatiq.brokers.rabbitmq": (_SignedBroker, RabbitmqPlace),
    "dramatiq.brokers.stub": (_SignedBroker, StubPlace),
}
"""By the modules that define them, so that nobody needs the clients of all."""


def _parts_of(kind: type) -> tuple[type[_SignedBroker], Any]:
    for base in kind.__mro__:
        if base.__module__ in _KINDS:
            return _KINDS[base.__module__]
    raise UnsupportedError(
        f"{kind.__qualname__} is not known here: the brokers for Redis and RabbitMQ and the stub are",
        reason="framework-broker",
    )
