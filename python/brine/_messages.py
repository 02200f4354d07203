"""Messages of queues and pipes: objects that are pickled and signed, verified and loaded."""

from __future__ import annotations

import copyreg
import os
import secrets
import threading
from multiprocessing.context import assert_spawning
from typing import TYPE_CHECKING, Any, NamedTuple

from brine import _allow, _code, _objects
from brine._brine import AllowList, Key, PublicKey, Signer, Trust, Verified, Verifier
from brine._errors import Error, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from typing import TypeAlias

    from brine._allow import Allow
    from brine._brine import Buffer
    from brine._high_water import HighWaterMarks

    Expires: TypeAlias = datetime | timedelta | str | None
    OnRefused: TypeAlias = Callable[[Error, bytes], object]

DEFAULT_CONTEXT = "queue"
"""What messages are for, unless a program says more."""

BYTES_TYPE = "application/octet-stream"


class MessageCodec:
    """Turns objects into signed messages, and messages that verify into objects.

    It holds what all processes of a queue agree on, and the key with which this process signs. Signer and verifier are
    made where they are used first: a key that has a name is read by each process from its own home.
    """

    _signers: dict[str, Signer]
    _cached_verifier: Verifier | None

    def __init__(
        self,
        *,
        key: Key | str | None,
        trust: Trust | None,
        context: str,
        allow: Allow,
        code: bool,
        expires: Expires,
        aad: bytes | None = None,
    ) -> None:
        refuse_several(key)
        if isinstance(key, str) and trust is None:
            raise UsageError(
                "a key that each process finds by its name says nothing of whom to believe",
                hint="give trust, too: brine.Trust.load()",
                reason="usage",
            )
        self._believed: PublicKey | None = None
        if trust is None:
            key = key or Key.generate()
            assert isinstance(key, Key)
            self._believed = key.public
        self._key = key
        self._trust = trust
        self._context = _code.context_for(context) if code else context
        self._allow, self._code = allow, code
        self._expires, self._aad = expires, aad
        self._start()
        self._check()

    @property
    def context(self) -> str:
        """What the messages are for."""
        return self._context

    def with_key(self, key: Key | str | None) -> MessageCodec:
        """Make a codec that signs with another key, or with none, and believes the same signers."""
        twin = MessageCodec.__new__(MessageCodec)
        twin.__dict__.update(self.__dict__)
        twin._key = key
        twin._start()
        return twin

    def with_context(self, context: str) -> MessageCodec:
        """Make a codec for messages that are for something else."""
        twin = self.with_key(self._key)
        twin._context = _code.context_for(context) if self._code else context
        return twin

    def prepare(self) -> None:
        """Raise if this process has no key to sign with."""
        self._signer(self._object_type)

    def encode(self, obj: object) -> bytes:
        """Pickle an object."""
        return _objects.pickled(obj, self._code)

    def sign(self, payload: Buffer, content_type: str | None = None) -> bytes:
        """Sign what was pickled, or other bytes, as the next message of this process."""
        return self._signer(content_type or self._object_type).sign_record(payload)

    def verify(self, message: Buffer) -> Verified:
        """Verify a message."""
        return self._verifier().verify(message)

    def decode(self, verified: Verified) -> Any:
        """Load the object that a verified message has."""
        return _objects.from_verified(verified, allow=self._allow, code=self._code)

    @property
    def _object_type(self) -> str:
        return _objects.content_type(self._code)

    def _signer(self, content_type: str) -> Signer:
        if content_type not in self._signers:
            if self._key is None:
                raise UsageError(
                    "this process has no key to sign messages with",
                    hint="queue.with_key(key) returns the queue with a key",
                    reason="usage",
                )
            self._signers[content_type] = self._new_signer(self._key, content_type)
        return self._signers[content_type]

    def _new_signer(self, key: Key | str, content_type: str) -> Signer:
        return Signer(
            key,
            context=self._context,
            expires=self._expires,
            content_type=content_type,
            aad=self._aad,
        )

    def _verifier(self) -> Verifier:
        if self._cached_verifier is None:
            trust = self._trust
            if self._believed is not None:
                trust = Trust.of({"queue": self._believed}, contexts=[_pattern(self._context)])
            self._cached_verifier = Verifier(trust, context=self._context, aad=self._aad)
        return self._cached_verifier

    def _start(self) -> None:
        self._signers = {}
        self._cached_verifier = None

    def _check(self) -> None:
        """Raise now if what was given makes no sense, and not with the first message."""
        _allow.check(self._allow)
        if self._code and self._allow != "std":
            raise UsageError("no list holds for code, which can import anything", reason="usage")
        self._verifier()
        self._new_signer(self._key if isinstance(self._key, Key) else Key.generate(), BYTES_TYPE)

    def __getstate__(self) -> dict[str, Any]:
        """Return what goes to a process that is being started, the private key included."""
        assert_spawning(self)
        state = dict(self.__dict__)
        del state["_signers"], state["_cached_verifier"]
        if isinstance(self._key, Key):
            state["_key"] = _portable(self._key)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self._key, _Portable):
            self._key = Key.from_pem(self._key.pem, certificate=self._key.certificate)
        self._start()


class Reception:
    """What becomes of messages that arrive: each is verified and noted under one lock, then loaded or refused."""

    def __init__(
        self, codec: MessageCodec, marks: HighWaterMarks, on_refused: OnRefused | None
    ) -> None:
        self.codec = codec
        self.marks = marks
        self._on_refused = on_refused

    def judge(self, message: bytes, take: Callable[[], object] = lambda: None) -> Verified | Error:
        """Verify a message, take it out of the pipe and note that it is given out, or return why not.

        The caller **must** hold the lock that is held while messages leave the pipe.
        """
        try:
            verified = self.codec.verify(message)
        except Error as error:
            take()
            return error
        take()
        try:
            self.marks.note(verified)
        except Error as error:
            return error
        return verified

    def loaded(self, judged: Verified | Error) -> Any:
        """Load what verified. Raise what was refused, or is not loaded."""
        if isinstance(judged, Error):
            raise judged
        return self.codec.decode(judged)

    def refuse(self, error: Error, message: bytes) -> None:
        """Give a message to the handler. Raise if there is none."""
        if self._on_refused is None:
            raise error
        self._on_refused(error, message)


def refuse_several(key: object) -> None:
    """Raise if there are several keys where one signs."""
    if isinstance(key, (list, tuple)):
        raise UsageError(
            "key: a message is signed with one key, and not with a list of them", reason="usage"
        )


def key_name(key: Key | str | None) -> tuple[str, str | None]:
    """Return what tells keys apart. Raise if there are several."""
    refuse_several(key)
    return ("id", key.id) if isinstance(key, Key) else ("name", key)


class ThreadLock:
    """A lock for the threads of one process. A forked child finds it open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = os.getpid()

    def __enter__(self) -> None:
        if self._process != os.getpid():
            self.__init__()  # type: ignore[misc]
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _pattern(context: str) -> str:
    """Return a pattern for a context that spells out whether it is one of code, as it must."""
    first, *rest = context.split("/")
    return "/".join([first if first + "/" == _code.CONTEXT else "*", *("*" for _ in rest)])


def _reduced_list(names: AllowList) -> tuple[type[AllowList], tuple[str]]:
    return AllowList, (names.lines(),)


# A list goes to processes that are started, within a queue.
copyreg.pickle(AllowList, _reduced_list)


class _Portable(NamedTuple):
    """What a process needs to have a key that is in memory."""

    pem: _Pem
    certificate: str | None


def _portable(key: Key) -> _Portable | str:
    """Return what goes to a process that is being started. It finds a key in an agent by its fingerprint."""
    if key.is_in_agent:
        return f"agent:{key.fingerprint}"
    return _Portable(_Pem(key.to_pem()), key.certificate)


class _Pem(str):
    """The text of a private key, which is no name of one."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<private key>"


def unique_context(context: str) -> str:
    """Return a context that no other queue has, or raise if it is none."""
    Verifier(Trust.of({}), context=context)
    return f"{context}/{secrets.token_hex(_NAME_BYTES)}"


_NAME_BYTES = 16
