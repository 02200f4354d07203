"""Queues of signed messages, in a file that processes share or on a server."""

from __future__ import annotations

import os
from queue import Empty
from time import monotonic
from typing import TYPE_CHECKING, Any

from brine import _allow, _code, _objects
from brine._brine import Key, Queue, Signer, Verifier
from brine._errors import Error, UsageError, printable
from brine._lease_keeper import LeaseKeeper
from brine._messages import refuse_several

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta
    from types import TracebackType
    from typing import Self, TypeAlias

    from brine._allow import Allow
    from brine._brine import QueuedMessage, Trust, Verified

    Expires: TypeAlias = datetime | timedelta | str | None
    OnRefused: TypeAlias = Callable[[Error, bytes], object]

ATTEMPTS = 5
"""How often a message is delivered before it becomes a dead letter, unless a program says otherwise."""


def queue(
    url: str,
    *,
    key: Key | str | None = None,
    trust: Trust | None = None,
    context: str | None = None,
    allow: Allow = "std",
    code: bool = False,
    expires: Expires = None,
    lease: timedelta | str | None = None,
    attempts: int = ATTEMPTS,
    on_refused: OnRefused | None = None,
) -> MessageQueue:
    """Open a queue by its URL, and make it if it is not there: ``"sqlite:jobs.db?queue=orders"`` or
    ``"nats://host?queue=orders"``. A server that cannot be reached now raises, and one that is away later is waited for.

    - ``key`` signs what is put; by default the default key. ``trust`` says who is believed; by default the trust file.
    - ``context`` is what messages are signed for; by default the name of the queue.
    - ``allow`` says what may be loaded, as for `brine.loads`. With ``code``, functions and classes travel, signed for the
      context ``"python-code/" + context``.
    - ``expires`` is when messages stop being valid.
    - ``lease`` is how long other consumers leave a message to this process if it dies, by default a minute, and
      ``attempts`` how often a message is delivered before it becomes a dead letter.
    - ``on_refused`` is called with the error and the bytes of each message that is refused.
    """
    return MessageQueue(
        url,
        key=key,
        trust=trust,
        context=context,
        allow=allow,
        code=code,
        expires=expires,
        lease=lease,
        attempts=attempts,
        on_refused=on_refused,
    )


class MessageQueue:
    """A queue of signed messages, which `brine.queue` opens.

    It can be shared by threads, and used after a fork. Other processes open it by its URL. Key and trust are read when
    they are needed first: who only puts messages trusts nobody, and who only gets them needs no key.
    """

    def __init__(
        self,
        url: str,
        *,
        key: Key | str | None = None,
        trust: Trust | None = None,
        context: str | None = None,
        allow: Allow = "std",
        code: bool = False,
        expires: Expires = None,
        lease: timedelta | str | None = None,
        attempts: int = ATTEMPTS,
        on_refused: OnRefused | None = None,
    ) -> None:
        _allow.check(allow)
        refuse_several(key)
        if code and allow != "std":
            raise UsageError("no list holds for code, which can import anything", reason="usage")
        if attempts < 1:
            raise UsageError("attempts: expected a number, 1 or more", reason="usage")
        self._queue: Queue | None = Queue(url, lease=lease)
        self.name: str = self._queue.name
        """The name of the queue."""
        context = _objects.context_of(self.name if context is None else context, code)
        assert context is not None
        self.context: str = context
        """What messages are signed for."""
        self._key, self._trust, self._expires = key, trust, expires
        self._allow, self._code, self._attempts = allow, code, attempts
        self._on_refused = on_refused
        self._signers: dict[str | None, Signer] = {}
        self._verifier: Verifier | None = None
        self._keeper = LeaseKeeper(self._queue.lease_seconds)

    def put(self, obj: object, *, expires: Expires = None, delay: timedelta | float = 0.0) -> None:
        """Sign an object and put it on the queue. When this returns, it is on the disk, or a server has confirmed it.

        ``bytes`` go as they are, as `brine send` sends them. Anything else is pickled. The message is delivered when
        ``delay`` has passed, in seconds.
        """
        queue = self._open()
        if type(obj) is bytes:
            payload, content_type = obj, None
        else:
            payload = _objects.pickled(obj, self._code)
            content_type = _objects.content_type(self._code)
        if expires is None:
            message = self._signer(content_type).sign_record(payload)
        else:
            # A channel for each such message would fill the ledger. What expires is told apart without a number.
            signer = Signer(self._signing_key(), context=self.context, expires=expires)
            message = signer.sign(payload, content_type=content_type)
        queue.send(message, delay=_seconds(delay))

    def get(self, timeout: timedelta | float | None = None) -> Message:
        """Return the next message that verifies, and wait for it. Raise ``queue.Empty`` if there is none in time, and
        ``InputOutputError`` with the reason ``queue-connection`` if its server is away then.

        It is this process's until its lease runs out, and the lease is renewed while the process lives. Settle it, or use
        it in a ``with`` statement:

            with queue.get() as message:
                work(message.value)

        A message that does not verify, or is not to be loaded, becomes a dead letter with its reason, and the next one is
        looked at.
        """
        queue = self._open()
        if self._verifier is None:
            self._verifier = Verifier(self._trust, context=self.context)
        deadline = None if timeout is None else monotonic() + _seconds(timeout)
        while True:
            left = None if deadline is None else max(0.0, deadline - monotonic())
            found = queue.receive(self._verifier, left, attempts=self._attempts)
            if found is None:
                raise Empty
            if isinstance(found, tuple):
                self._refused(*found)
                continue
            try:
                value = self._loaded(found)
            except Error as error:
                self._refused(error, found.content)
                continue
            message = Message(found, value, self._attempts, self._keeper)
            self._keeper.keep(message)
            return message

    def _loaded(self, found: QueuedMessage) -> Any:
        """Load the object of a message. What is not loaded becomes a dead letter."""
        assert found.verified is not None
        verified = found.verified
        content_type = verified.content_type
        if content_type != _objects.CONTENT_TYPE and not _code.is_code_type(content_type):
            return verified.payload
        try:
            return _objects.from_verified(verified, allow=self._allow, code=self._code)
        except Error as error:
            if _says_nothing_of_messages(error):
                found.retry(None, error.message)
            else:
                found.dead_letter(error.reason, error.message, False)
            raise
        except BaseException:
            found.retry(0.0, "it was interrupted while it was loaded")
            raise

    def _refused(self, error: Error, message: bytes) -> None:
        if _says_nothing_of_messages(error):
            raise error
        if self._on_refused is not None:
            self._on_refused(error, message)

    def close(self) -> None:
        """Let go of the queue. Messages that this process has can still be settled."""
        self._queue = None

    def _open(self) -> Queue:
        if self._queue is None:
            raise ValueError(f"{self!r} is closed")
        return self._queue

    def _signer(self, content_type: str | None) -> Signer:
        """Return what signs messages and numbers them."""
        if content_type not in self._signers:
            self._signers[content_type] = Signer(
                self._signing_key(),
                context=self.context,
                expires=self._expires,
                content_type=content_type,
            )
        return self._signers[content_type]

    def _signing_key(self) -> Key:
        if not isinstance(self._key, Key):
            self._key = Key.load() if self._key is None else Key.load(self._key)
        return self._key

    def __enter__(self) -> Self:
        """Return the queue."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the queue."""
        self.close()

    def __repr__(self) -> str:
        return f"<brine.MessageQueue {self.name!r}>"


class Message:
    """A message of a queue, which this process has.

    In a ``with`` statement it is acknowledged at the end. If an exception leaves the block, the message is delivered again
    later, and becomes a dead letter after so many attempts. A message that was settled before stays as it is.
    """

    def __init__(
        self, message: QueuedMessage, value: Any, attempts: int, keeper: LeaseKeeper
    ) -> None:
        self._message = message
        self._attempts = attempts
        self._keeper = keeper
        self._process = os.getpid()
        self.value: Any = value
        """The object that was put; ``bytes`` if it was no object of Python."""

    @property
    def verified(self) -> Verified:
        """The envelope of the message."""
        assert self._message.verified is not None
        return self._message.verified

    @property
    def signer(self) -> str:
        """The name of the signer in the trust file."""
        return self.verified.signer

    @property
    def attempt(self) -> int:
        """How often the message was delivered, with this time."""
        return self._message.attempt

    @property
    def is_settled(self) -> bool:
        """Whether the message was acknowledged, handed back or made a dead letter."""
        return not self._message.is_held

    def ack(self) -> None:
        """Note that the message was handled, so that it is never delivered again.

        Raise ``InputOutputError`` with the reason ``queue-lease-lost`` if it was delivered to somebody else meanwhile.
        """
        self._message.ack()
        self._keeper.look()

    def retry(self, delay: timedelta | float | None = None, reason: str = "") -> None:
        """Hand the message back, to be delivered again when ``delay`` has passed, in seconds.

        Without one, it waits for a second or less after the first attempt, and twice as long after each further one.
        """
        self._message.retry(None if delay is None else _seconds(delay), printable(reason))
        self._keeper.look()

    def dead_letter(self, reason: str = "") -> None:
        """Make the message a dead letter. `brine dead list` shows it with the reason."""
        self._bury(_REFUSED_BY_HANDLER, printable(reason))

    def renew(self) -> bool:
        """Let the lease last from now on as long as a new one, and return whether it was still held."""
        return self._message.renew()

    def __enter__(self) -> Self:
        """Return the message."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Settle the message. A forked child that unwinds owes nothing to the message of its parent."""
        if self._process != os.getpid() or self.is_settled:
            return
        if raised is None:
            self.ack()
            return
        try:
            self._fail(raised)
        except Error as error:
            # What was raised matters more. The lease runs out by itself.
            raised.add_note(f"the message was not handed back: {error}")

    def _fail(self, raised: BaseException) -> None:
        if not isinstance(raised, Exception):
            # The program was asked to end, which says nothing about the message.
            self.retry(0.0, "the consumer ended")
        elif self.attempt < self._attempts:
            self.retry(None, _told(raised))
        else:
            self._bury(_HANDLER_FAILED, _told(raised))

    def _bury(self, reason: str, detail: str) -> None:
        self._message.dead_letter(reason, detail, True)
        self._keeper.look()

    def __repr__(self) -> str:
        return f"<brine.Message of {self.signer!r}, attempt {self.attempt}>"


def _seconds(time: timedelta | float) -> float:
    return float(time) if isinstance(time, (int, float)) else time.total_seconds()


def _told(raised: Exception) -> str:
    """Say what was raised. An exception can fail to say it."""
    try:
        return printable(f"{type(raised).__name__}: {raised}")
    except Exception:  # noqa: BLE001
        return type(raised).__name__


_HANDLER_FAILED = "handler-failed"
_REFUSED_BY_HANDLER = "handler-refused"


def _says_nothing_of_messages(error: Error) -> bool:
    """Return whether it is this process that lacks something, such as a trust file that can be read."""
    if error.reason == "attempts-exhausted":
        return False
    return error.status in {2, 4, 6} or error.reason == "cloudpickle-missing"
