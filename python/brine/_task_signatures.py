"""What integrations into frameworks of tasks share: messages are signed, verified, and handled once."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from brine import _allow
from brine._brine import AllowList, Signer, Verifier, length_in_seconds
from brine._errors import Error, UsageError
from brine._objects import CONTENT_TYPE, from_verified, unpickled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from brine._allow import Allow
    from brine._brine import KeyLike, Lease, Trust, Verified
    from brine._unsigned import Unsigned


RESULTS = ":results"
"""What the context of results has behind that of tasks."""

COMMANDS_LIFETIME = timedelta(minutes=1)

TASK = b"task"
"""What the signature of a task is about. That of a value is about its key."""


LEASE = timedelta(seconds=30)
"""How long a task that was begun is left to a process that died, unless the framework says otherwise."""

OLDEST = timedelta(days=3653)
"""How old a task may be when it begins. Until when its signature is good, that says itself."""


def queue_context(framework: str, queue: str) -> str:
    """Return the context of the tasks of a queue. No queue has that of another one's results."""
    if queue.endswith(RESULTS):
        raise UsageError(f"no queue can be called {queue!r}: it is another context", reason="usage")
    return f"{framework}:{queue}"


class OpenedTask:
    """A task that has verified, with the envelope that it came in and what that is about."""

    def __init__(self, envelope: bytes, about: bytes, verified: Verified, content: Any) -> None:
        self.envelope, self.about = envelope, about
        self.verified, self.content = verified, content
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
        load_unsigned: Callable[[bytes, AllowList], Any] = unpickled,
    ) -> None:
        if not isinstance(expires, timedelta | str):
            raise UsageError('expires: expected a length of time like "1d"', reason="usage")
        self.context = context
        self.lifetime = timedelta(seconds=length_in_seconds(expires))
        # It is found out here that there is none.
        self.keys = Signer(key, context=context).keys
        self._trust, self._replay_db = trust, replay_db
        self._judge: Verifier | None = None
        self._ledgers: dict[timedelta, Verifier] = {}
        self._allow = _with(allow, always_allowed)
        _allow.check(self._allow)
        self._fallback, self._load_unsigned = fallback, load_unsigned

    def for_context(self, context: str) -> Self:
        """Return the same for another queue."""
        other = copy.copy(self)
        other.context, other._judge, other._ledgers = context, None, {}
        return other

    def for_commands(self, context: str) -> Self:
        """Return the same for commands to workers: they expire soon, and none is let through that nobody has signed."""
        other = self.for_context(context)
        other.lifetime, other._fallback = COMMANDS_LIFETIME, None
        return other

    def sign(
        self,
        data: bytes,
        about: bytes,
        until: datetime | None = None,
        *,
        is_result: bool = False,
        lifetime: timedelta | None = None,
    ) -> bytes:
        """Sign a pickle. It expires a lifetime from now, or from `until` if it is not handled before."""
        now = datetime.now(UTC)
        expires = _added(max(now, until or now), lifetime or self.lifetime)
        context = self._context_of(is_result)
        signer = Signer(self.keys, context=context, expires=expires, aad=about)
        return signer.sign(data, content_type=CONTENT_TYPE)

    def open(self, envelope: bytes, about: bytes, *, is_result: bool = False) -> OpenedTask | Any:
        """Verify, and load the object with the names of the list. What was never signed comes without an envelope, if
        that is let through."""
        verified = self.verify(envelope, about, is_result=is_result)
        if verified is None:
            content = self._load_unsigned(bytes(envelope), self.allow_list(None))
            self.note_unsigned()
            return content
        return OpenedTask(bytes(envelope), about, verified, self.load(verified))

    def verify(self, envelope: bytes, about: bytes, *, is_result: bool = False) -> Verified | None:
        """Verify, and return None for what was never signed, if that is let through."""
        try:
            verified = self._verifier(about, is_result).verify(envelope)
        except Error as error:
            if self._fallback is None or error.reason != "not-an-envelope":
                raise
            return None
        if verified.expires is None:
            raise UsageError("it does not expire", reason="replay-expiry-missing")
        return verified

    def note_unsigned(self) -> None:
        """Count something that was let through, and that nobody has signed."""
        if self._fallback is not None:
            self._fallback.note()

    def load(self, verified: Verified) -> Any:
        """Load the object that has verified, with the names of the list."""
        return from_verified(verified, allow=self._allow)

    def load_pickle(self, data: bytes, signer: str | None) -> Any:
        """Load a pickle that stands in what a signer signed, with the names of the list."""
        return unpickled(data, self.allow_list(signer))

    def allow_list(self, signer: str | None) -> AllowList:
        """Return what pickles of a signer may name."""
        return _allow.allow_list(self._allow, signer)

    def consume(self, task: OpenedTask) -> None:
        """Judge a task again, as of now, and note that it is handled: it never is again."""
        self._ledger(task.about, LEASE).verify(task.envelope)
        task.is_consumed = True

    def lease(self, task: OpenedTask, length: timedelta | None = None) -> Lease:
        """Judge a task again, as of now, and keep others from handling it until the lease is settled, or runs out."""
        lease = self._ledger(task.about, length or LEASE).lease(task.envelope)
        task.is_consumed = True
        return lease

    def _ledger(self, about: bytes, length: timedelta) -> Verifier:
        found = self._ledgers.get(length) if about == TASK else None
        if found is None:
            found = Verifier(
                self._trust,
                context=self.context,
                aad=about,
                max_age=OLDEST,
                replay_db=self._replay_db,
                lease=length,
            )
            if about == TASK:
                self._ledgers[length] = found
        return found

    def _verifier(self, about: bytes, is_result: bool) -> Verifier:
        # Tasks are many, and about one thing; values are about their keys.
        if about != TASK:
            return Verifier(self._trust, context=self._context_of(is_result), aad=about)
        if self._judge is None:
            self._judge = Verifier(self._trust, context=self.context, aad=TASK)
        return self._judge

    def _context_of(self, is_result: bool) -> str:
        return self.context + RESULTS if is_result else self.context


def load_json_or_pickle(data: bytes, allow: AllowList) -> Any:
    """Load what was never signed where frameworks write JSON, or a pickle with the names of the list."""
    if data[:1] == b"\x80":
        return unpickled(data, allow)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"it is no JSON: {error}", reason="task-form") from error


def _added(moment: datetime, length: timedelta) -> datetime:
    """Return a later moment, and the last one that there is instead of none."""
    last = datetime.max.replace(tzinfo=UTC, microsecond=0)
    return moment + length if moment < last - length else last


def _with(allow: Allow, always: Sequence[str]) -> Allow:
    if isinstance(allow, Mapping):
        return {signer: _joined(names, always) for signer, names in allow.items()}
    return _joined(allow, always)


def _joined(names: _allow.Names, always: Sequence[str]) -> list[str | AllowList]:
    listed = [names] if isinstance(names, str | AllowList) else names
    return [*listed, *always]
