"""What Huey stores beside tasks: results and other values, signed with their keys, and what was refused."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from huey.constants import EmptyData

from brine._errors import Error, UsageError
from brine._objects import pickled
from brine._refused_tasks import Refused, is_verdict, log
from brine._task_signatures import OpenedTask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from brine._task_signatures import TaskSignatures

REFUSED = "brine.refused."


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
        return {key: value for key, value in kept.items() if not text_of(key).startswith(REFUSED)}

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
    return b"value of " + text_of(key).encode()


def _is_result(key: str) -> bool:
    # That a task is revoked, or all of a name, is said by whoever may send it.
    return not text_of(key).startswith(("r:", "rt:"))


def text_of(key: str | bytes) -> str:
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else key
