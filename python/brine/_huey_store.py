"""What Huey stores beside tasks: results and other values, signed with their keys, and what was refused."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from huey.constants import EmptyData

from brine._errors import Error, UsageError
from brine._frameworks import as_text
from brine._objects import pickled
from brine._refused_tasks import Refused, is_verdict, log, logger, records
from brine._task_signatures import OpenedTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from brine._task_signatures import TaskSignatures

REFUSED = "brine.refused."
"""How the keys begin under which it lies what was refused."""

FOR_EVER = datetime.max.replace(tzinfo=UTC)


class Values:
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


class SignedStorage:
    """A storage whose values are signed with their keys."""

    def __init__(self, inner: Any, signatures: TaskSignatures) -> None:
        self.inner, self._signatures = inner, signatures

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def dequeue(self) -> bytes | None:
        found = self.inner.dequeue()
        return None if found is None else _bytes_of(found)

    def read_schedule(self, ts: datetime) -> list[bytes]:
        return [_bytes_of(found) for found in self.inner.read_schedule(ts)]

    def put_data(self, key: str, value: bytes, is_result: bool = False) -> Any:
        return self.inner.put_data(key, self._signed(key, value, is_result), is_result)

    def put_if_empty(self, key: str, value: bytes, *more: Any) -> Any:
        return self.inner.put_if_empty(key, self._signed(key, value, False), *more)

    def peek_data(self, key: str) -> Any:
        return self._opened(key, self.inner.peek_data(key))

    def pop_data(self, key: str) -> Any:
        value = self.inner.pop_data(key)
        try:
            return self._opened(key, value)
        except Error as error:
            if not is_verdict(error):
                self.inner.put_data(key, value, not _is_revocation(key))
            raise

    def peek_many(self, keys: Sequence[str]) -> dict[str, Any]:
        found = {key: self._opened(key, value) for key, value in self.inner.peek_many(keys).items()}
        return {key: value for key, value in found.items() if value is not EmptyData}

    def result_items(self) -> dict[str, Any]:
        kept = self.inner.result_items()
        return {key: value for key, value in kept.items() if not _is_refusal(key)}

    def refuse(self, content: bytes, error: Exception, place: str = "") -> None:
        """Keep what was refused, with the reason and the key where it lay."""
        log(self._signatures.context, error)
        kept = Refused.of(error, content, place).to_json()
        try:
            self.inner.put_data(f"{REFUSED}{uuid.uuid4()}", kept)
        except Exception:  # noqa: BLE001
            # Storages raise what they like. What comes after it is not lost with it.
            logger.exception("what was refused of %s could not be kept", self._signatures.context)

    def refused(self) -> list[Refused]:
        """Return what was refused, in the order of time."""
        kept = self.inner.result_items()
        return records(_bytes_of(value) for key, value in kept.items() if _is_refusal(key))

    def _signed(self, key: str, value: bytes, expires: bool) -> bytes:
        # Results expire. That a task is revoked holds until somebody says otherwise.
        until = None if expires else FOR_EVER
        return self._signatures.sign(value, _about(key), until, is_result=not _is_revocation(key))

    def _opened(self, key: str, value: Any) -> Any:
        if value is EmptyData:
            return value
        data = _bytes_of(value)
        try:
            opened = self._signatures.open(data, _about(key), is_result=not _is_revocation(key))
        except Error as error:
            if is_verdict(error):
                self.refuse(data, error, as_text(key))
                # It is kept where it is no value of this key.
                self.inner.delete_data(key)
                if _is_revocation(key):
                    # It says nothing about the task.
                    return EmptyData
            raise
        found = _VerifiedValue(data)
        found.content = opened.content if isinstance(opened, OpenedTask) else opened
        return found


def _bytes_of(found: Any) -> bytes:
    """Return what a storage has found as bytes. SQLite finds texts and numbers where somebody put them."""
    if isinstance(found, bytes | bytearray | memoryview):
        return bytes(found)
    return repr(found).encode("utf-8", "backslashreplace")


def _about(key: str) -> bytes:
    return b"value of " + as_text(key).encode()


def _is_revocation(key: str | bytes) -> bool:
    # That a task is revoked, or all of a name, is said by whoever may send it.
    return as_text(key).startswith(("r:", "rt:"))


def _is_refusal(key: str | bytes) -> bool:
    return as_text(key).startswith(REFUSED)
