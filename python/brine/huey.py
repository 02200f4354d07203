"""Huey, with everything signed that steers a task, and its results.

import brine.huey
from huey import SqliteHuey

huey = brine.huey.sign(SqliteHuey("shop", filename="shop.db"), expires="1d", replay_db="shop.replay")
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import huey as _huey
from huey.constants import EmptyData
from huey.registry import Message

from brine._errors import Error, UsageError
from brine._frameworks import put_in_front, refuse_unknown_version
from brine._objects import pickled
from brine._refused_tasks import Refused, is_verdict, log, logger
from brine._task_signatures import TASK, OpenedTask, TaskSignatures, queue_context

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from brine._allow import Allow
    from brine._brine import KeyLike, Trust
    from brine._unsigned import Unsigned

__all__ = ["Refused", "refused", "sign"]

KNOWN_MAJOR = "3"
REFUSED = "brine.refused."

PAUSE = timedelta(seconds=1)
"""How long a task waits that cannot be judged now."""

ALLOWED = (
    "huey.registry:Message",
    "huey.utils:Error",
    "huey.utils:_Skipped",
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
    if isinstance(huey, _SignedHuey):
        raise UsageError("it is signed already", reason="usage")
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
    put_in_front(made, _SignedHuey)
    made._brine = signatures
    made.serializer = _Values()
    made.storage = _SignedStorage(made.storage, signatures)
    return huey


def refused(huey: Any) -> list[Refused]:
    """Return the messages that a Huey refused, in the order of time."""
    kept = huey.storage.inner.result_items()
    found = [
        Refused.from_json(value) for key, value in kept.items() if _text(key).startswith(REFUSED)
    ]
    return sorted(found, key=lambda one: one.at)


class _SignedHuey:
    """What a Huey does otherwise."""

    _brine: TaskSignatures
    storage: Any
    _registry: Any
    utc: bool

    def create_storage(self) -> Any:
        made = super().create_storage()  # type: ignore[misc]
        return _SignedStorage(made, self._brine)

    def serialize_task(self, task: Any) -> bytes:
        message = pickled(self._registry.create_message(task), False)
        opened: OpenedTask | None = getattr(task, "_brine_opened", None)
        # One that waits for its time goes on as its signer meant it.
        if opened and not opened.is_consumed and message == pickled(opened.content, False):
            return opened.envelope
        return self._brine.sign(message, TASK, self._moment(task.eta))

    def _moment(self, eta: datetime | None) -> datetime | None:
        if eta is None or eta.tzinfo is not None:
            return eta
        return eta.replace(tzinfo=UTC) if self.utc else eta.astimezone()

    def deserialize_task(self, data: bytes) -> Any:
        opened = self._brine.open(data, TASK)
        message = opened.content if isinstance(opened, OpenedTask) else opened
        if type(message) is not Message:
            raise UsageError("it is no message of Huey", reason="task-form")
        task = self._registry.create_task(message)
        task.signer = None
        if isinstance(opened, OpenedTask):
            task.signer, task._brine_opened = opened.verified.signer, opened
        return task

    def dequeue(self) -> Any:
        while (data := self.storage.dequeue()) is not None:
            for task in self._read([data]):
                return task
        return None

    def read_schedule(self, timestamp: datetime | None = None) -> list[Any]:
        at = self._get_timestamp() if timestamp is None else timestamp  # type: ignore[attr-defined]
        return self._read(self.storage.read_schedule(at))

    def _read(self, messages: Iterable[bytes]) -> list[Any]:
        found = []
        for data in messages:
            try:
                found.append(self.deserialize_task(data))
            except Exception as error:  # noqa: BLE001
                self._put_away(data, error)
        return found

    def _put_away(self, data: bytes, error: Exception) -> None:
        """Keep what was refused, with the reason. What cannot be judged now is looked at again later."""
        if is_verdict(error):
            self.storage.refuse(data, error)
            return
        logger.error("a message of %s waits: %s", self._brine.context, error)
        at = self._get_timestamp() + PAUSE  # type: ignore[attr-defined]
        self.storage.inner.add_to_schedule(data, at)

    def is_revoked(self, *arguments: Any, **named: Any) -> bool:
        try:
            return bool(super().is_revoked(*arguments, **named))  # type: ignore[misc]
        except Error:
            # A record that was refused says nothing about the task.
            return False

    def _execute(self, task: Any, timestamp: datetime) -> Any:
        opened = getattr(task, "_brine_opened", None)
        if opened is not None and not opened.is_consumed:
            try:
                self._brine.consume(opened)
            except Error as error:
                self._put_away(opened.envelope, error)
                return None
        return super()._execute(task, timestamp)  # type: ignore[misc]


class _Values:
    """Pickles values, and loads what has verified with the names of the list."""

    def serialize(self, data: object) -> bytes:
        return pickled(data, False)

    def deserialize(self, data: bytes) -> Any:
        if not isinstance(data, _VerifiedValue):
            raise UsageError("nobody has verified it", reason="usage")
        return data.content


class _VerifiedValue(bytes):
    """The bytes of a value that has verified."""

    content: Any


class _SignedStorage:
    """A storage whose values are signed with their keys."""

    def __init__(self, inner: Any, signatures: TaskSignatures) -> None:
        self.inner, self._signatures = inner, signatures

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def put_data(self, key: str, value: bytes, is_result: bool = False) -> Any:
        return self.inner.put_data(key, self._signed(key, value), is_result)

    def put_if_empty(self, key: str, value: bytes, *more: Any) -> Any:
        return self.inner.put_if_empty(key, self._signed(key, value), *more)

    def peek_data(self, key: str) -> Any:
        return self._opened(key, self.inner.peek_data(key))

    def pop_data(self, key: str) -> Any:
        value = self.inner.pop_data(key)
        try:
            return self._opened(key, value)
        except Error as error:
            if not is_verdict(error):
                self.inner.put_data(key, value, _is_result(key))
            raise

    def peek_many(self, keys: Sequence[str]) -> dict[str, Any]:
        found = {}
        for key, value in self.inner.peek_many(keys).items():
            try:
                found[key] = self._opened(key, value)
            except Error:
                # It says nothing about the task.
                continue
        return found

    def result_items(self) -> dict[str, Any]:
        kept = self.inner.result_items()
        return {key: value for key, value in kept.items() if not _text(key).startswith(REFUSED)}

    def refuse(self, content: bytes, error: Exception) -> None:
        """Keep what was refused, with the reason."""
        log(self._signatures.context, error)
        self.inner.put_data(f"{REFUSED}{uuid.uuid4()}", Refused.of(error, content).to_json())

    def _signed(self, key: str, value: bytes) -> bytes:
        return self._signatures.sign(value, _about(key), is_result=_is_result(key))

    def _opened(self, key: str, value: Any) -> Any:
        if value is EmptyData:
            return value
        try:
            opened = self._signatures.open(bytes(value), _about(key), is_result=_is_result(key))
        except Error as error:
            if is_verdict(error):
                self.refuse(value, error)
                # It is kept where it is no value of this key.
                self.inner.delete_data(key)
            raise
        found = _VerifiedValue(value)
        found.content = opened.content if isinstance(opened, OpenedTask) else opened
        return found


def _about(key: str) -> bytes:
    return b"value of " + _text(key).encode()


def _is_result(key: str) -> bool:
    # That a task is revoked, or all of a name, is said by whoever may send it.
    return not _text(key).startswith(("r:", "rt:"))


def _text(key: str | bytes) -> str:
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else key
