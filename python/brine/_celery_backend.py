"""Results of Celery, each signed with the task that it is of."""

from __future__ import annotations

import itertools
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from celery.backends.base import BaseKeyValueStoreBackend, DisabledBackend
from celery.backends.rpc import RPCBackend
from celery.states import PENDING
from kombu.serialization import loads, prepare_accept_content, register, registry

from brine._celery_messages import CONTENT_TYPE
from brine._errors import UnsupportedError, UsageError
from brine._frameworks import as_text, put_in_front
from brine._refused_tasks import logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from brine._brine import Verified
    from brine._celery_messages import CelerySignatures
    from brine._task_signatures import TaskSignatures

RESULT = b"result"
_numbers = itertools.count(1)


class Unopened(bytes):
    """An envelope as it came: kombu knows of no app when it decodes."""


class Codec:
    """Signs what a serializer of kombu makes. It is one as well, under a name of its own, for what is sent."""

    def __init__(
        self,
        signatures: CelerySignatures,
        which: TaskSignatures,
        about: bytes,
        inner: str | None,
        accept: Any,
        check: Callable[[Verified, float], None] = lambda verified, at: None,
    ) -> None:
        self._signatures, self._which, self.about, self._check = signatures, which, about, check
        self._inner = inner or "json"
        self._accept = prepare_accept_content(accept)
        self.name = f"brine-{next(_numbers)}"
        register(self.name, self.encode, _unopened, CONTENT_TYPE, "binary")

    def encode(self, data: object, about: bytes | None = None) -> bytes:
        packed = self._signatures.pack(data, self._inner, at=time.time())
        return self._which.sign(packed, about or self.about)

    def decode(self, envelope: Any, about: bytes | None = None) -> Any:
        body = _unopened(envelope)
        verified = self._which.verify(body, about or self.about)
        if verified is not None:
            told = self._which.load(verified)
            self._check(verified, told["at"])
            return self._signatures.unpack(told, self._accept, verified.signer)
        data = loads(body, registry.name_to_type[self._inner], "utf-8", accept=self._accept)
        self._which.note_unsigned()
        return data


def _unopened(envelope: Any) -> Unopened:
    return Unopened(envelope.encode() if isinstance(envelope, str) else envelope)


def signed_backend(backend: Any, signatures: CelerySignatures) -> Any:
    """Have a result backend sign what it keeps."""
    if isinstance(backend, DisabledBackend):
        return backend
    if not isinstance(backend, BaseKeyValueStoreBackend | RPCBackend):
        raise UnsupportedError(
            f"results cannot be signed in {type(backend).__name__}",
            "Redis, memcached, files, rpc:// and other stores of keys and values can be used",
            reason="framework-backend",
        )
    made: Any = backend
    codec = _codec_of(signatures, made.serializer, tuple(sorted(made.accept)))
    put_in_front(made, _SignedBackend)
    made._brine, made._brine_chord = codec, threading.local()
    made.serializer = codec.name
    made.content_type, made.content_encoding, made.encoder = CONTENT_TYPE, "binary", codec.encode
    made.accept = {CONTENT_TYPE}
    if isinstance(backend, RPCBackend):
        made.Queue = type("Queue", (_Answers, made.Queue), {"codec": codec})
        consumer = made.result_consumer
        consumer.accept = made.accept
        consumer.Consumer = type(
            "Consumer", (_AnswersConsumer, consumer.Consumer), {"codec": codec}
        )
    return backend


@lru_cache
def _codec_of(signatures: CelerySignatures, inner: str, accept: tuple[str, ...]) -> Codec:
    # Each thread has a backend of its own. kombu keeps what is registered for ever.
    return Codec(signatures, signatures.results, RESULT, inner, accept)


class _SignedBackend:
    """What a result backend does otherwise."""

    _brine: Codec
    _brine_chord: Any

    def encode(self, data: Any) -> Any:
        group = getattr(self._brine_chord, "group", None)
        is_part = group is not None and isinstance(data, list)
        return self._brine.encode(data, _chord(group) if is_part else None)

    def decode(self, payload: Any) -> Any:
        # It is not inflated: what is signed was not made smaller.
        return payload and self._brine.decode(payload)

    def on_chord_part_return(self, request: Any, state: Any, result: Any, **named: Any) -> Any:
        before = getattr(self._brine_chord, "group", None)
        self._brine_chord.group = request.group
        try:
            return super().on_chord_part_return(request, state, result, **named)  # type: ignore[misc]
        finally:
            self._brine_chord.group = before

    def _unpack_chord_result(self, part: Any, decode: Any, *more: Any, **named: Any) -> Any:
        def of_this_chord(envelope: Any) -> Any:
            return self._brine.decode(envelope, _chord(self._brine_chord.group))

        return super()._unpack_chord_result(part, of_this_chord, *more, **named)  # type: ignore[misc]

    def _get_task_meta_for(self, task_id: Any) -> Any:
        meta = super()._get_task_meta_for(task_id)  # type: ignore[misc]
        if meta["status"] != PENDING or "task_id" in meta:
            _check_id(meta.get("task_id"), task_id)
        return meta

    def _mget_to_results(self, *arguments: Any, **named: Any) -> Any:
        found = super()._mget_to_results(*arguments, **named)  # type: ignore[misc]
        for task_id, meta in found.items():
            _check_id(meta.get("task_id"), task_id)
        return found

    def _restore_group(self, group_id: Any) -> Any:
        meta = super()._restore_group(group_id)  # type: ignore[misc]
        if meta:
            _check_id(meta["result"].id, group_id)
        return meta


def _chord(group: Any) -> bytes:
    return b"part of chord " + as_text(group).encode()


def _check_id(told: Any, asked: Any) -> None:
    """Refuse what was signed about another task or group."""
    if as_text(told) != as_text(asked):
        raise UsageError(
            f"it is about {as_text(told)!r}, and not {as_text(asked)!r}", reason="task-place"
        )


class _Answers:
    """A queue of results that a client looks into."""

    codec: Codec

    def get(self, *arguments: Any, **named: Any) -> Any:
        while (message := super().get(*arguments, **named)) is not None:  # type: ignore[misc]
            if _is_answer(self.codec, message):
                return message
            message.ack_log_error(logger, ())
        return None


class _AnswersConsumer:
    """A consumer of results that a client waits for."""

    codec: Codec

    def _receive_callback(self, message: Any) -> Any:
        made: Any = self
        to_python = getattr(made.channel, "message_to_python", None)
        message = to_python(message) if to_python else message
        if _is_answer(self.codec, message):
            return made.receive(message.payload, message)
        message.ack_log_error(logger, ())
        return None


def _is_answer(codec: Codec, message: Any) -> bool:
    """Open a result that came in a message. One that is refused says nothing about a task."""
    try:
        meta = codec.decode(message.body)
        _check_id(meta["task_id"], message.properties.get("correlation_id"))
    except Exception as error:  # noqa: BLE001
        logger.error("refused a result: %s", error)
        return False
    message._decoded_cache = meta
    return True
