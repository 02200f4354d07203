"""What integrations into frameworks of tasks share: messages are signed, verified, and handled once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from brine import _allow
from brine._brine import AllowList, Signer, Verifier, length_in_seconds
from brine._errors import Error, UsageError
from brine._objects import CONTENT_TYPE, from_verified, unpickled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from brine._allow import Allow
    from brine._brine import KeyLike, Trust, Verified
    from brine._unsigned import Unsigned


TASK = b"task"
"""What the signature of a task is about. That of a value is about its key."""


class OpenedTask:
    """A task that has verified, with the envelope that it came in."""

    def __init__(self, envelope: bytes, verified: Verified, content: Any) -> None:
        self.envelope, self.verified, self.content = envelope, verified, content
        self.is_consumed = False


class TaskSignatures:
    """Signs and verifies what one queue of a framework carries.

    What is signed is bound to the framework and the queue by its context, and to what it is there by bytes that are
    signed with it (`about`): nothing stands for anything else. Results have a context of their own, ``context:results``,
    so that who may send tasks need not be believed about results.
    """

    def __init__(
        self,
        context: str,
        *,
        key: KeyLike | Sequence[KeyLike] | None,
        trust: Trust | None,
        expires: timedelta | str,
        replay_db: str | Path,
        allow: Allow,
        always_allowed: Sequence[str],
        fallback: Unsigned | None,
    ) -> None:
        if not isinstance(expires, timedelta | str):
            raise UsageError('expires: expected a length of time like "1d"', reason="usage")
        self.context = context
        self._lifetime = timedelta(seconds=length_in_seconds(expires))
        # It is found out here that there is none.
        self._keys = Signer(key, context=context).keys
        self._trust, self._replay_db = trust, replay_db
        self._judge: Verifier | None = None
        self._ledger: Verifier | None = None
        self._allow = _with(allow, always_allowed)
        _allow.check(self._allow)
        self._fallback = fallback

    def sign(
        self, data: bytes, about: bytes, until: datetime | None = None, *, is_result: bool = False
    ) -> bytes:
        """Sign a pickle. It expires a lifetime from now, or from `until` if it is not handled before."""
        now = datetime.now(UTC)
        expires = max(now, until or now) + self._lifetime
        context = self._context_of(is_result)
        signer = Signer(self._keys, context=context, expires=expires, aad=about)
        return signer.sign(data, content_type=CONTENT_TYPE)

    def open(self, envelope: bytes, about: bytes, *, is_result: bool = False) -> OpenedTask | Any:
        """Verify, and load the object with the names of the list. What was never signed comes without an envelope, if
        that is let through."""
        try:
            verified = self._verifier(about, is_result).verify(envelope)
        except Error as error:
            if self._fallback is None or error.reason != "not-an-envelope":
                raise
            content = unpickled(bytes(envelope), _allow.allow_list(self._allow, None))
            self._fallback.note()
            return content
        if verified.expires is None:
            raise UsageError("it does not expire", reason="replay-expiry-missing")
        return OpenedTask(bytes(envelope), verified, from_verified(verified, allow=self._allow))

    def consume(self, task: OpenedTask) -> None:
        """Judge a task again, as of now, and note that it is handled: it never is again."""
        task.is_consumed = True
        if self._ledger is None:
            self._ledger = Verifier(
                self._trust, context=self.context, aad=TASK, replay_db=self._replay_db
            )
        self._ledger.verify(task.envelope)

    def _verifier(self, about: bytes, is_result: bool) -> Verifier:
        # Tasks are many, and about one thing; values are about their keys.
        if about != TASK:
            return Verifier(self._trust, context=self._context_of(is_result), aad=about)
        if self._judge is None:
            self._judge = Verifier(self._trust, context=self.context, aad=TASK)
        return self._judge

    def _context_of(self, is_result: bool) -> str:
        return f"{self.context}:results" if is_result else self.context


def _with(allow: Allow, always: Sequence[str]) -> Allow:
    if isinstance(allow, Mapping):
        return {signer: _joined(names, always) for signer, names in allow.items()}
    return _joined(allow, always)


def _joined(names: _allow.Names, always: Sequence[str]) -> list[str | AllowList]:
    listed = [names] if isinstance(names, str | AllowList) else names
    return [*listed, *always]
