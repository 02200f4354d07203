"""Where tasks of Dramatiq start: each message is judged again, and its task begins once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from dramatiq.middleware import Middleware, SkipMessage

from brine import _task_signatures
from brine._errors import Error
from brine._lease_keeper import Held, LeaseKeeper
from brine._refused_tasks import is_verdict, logger

if TYPE_CHECKING:
    from collections.abc import Callable

    from dramatiq import Broker, Worker

    from brine._brine import Lease
    from brine._dramatiq_messages import Messages
    from brine._task_signatures import OpenedTask


class Begun(Held):
    """A task that has begun here, and that nobody else begins meanwhile."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def end(self) -> None:
        """Note that the task was done, once. Raise `Error` if that can be tried again; its lease is renewed meanwhile."""
        if self._lease is None:
            return
        try:
            self._lease.commit()
        except Error as error:
            if error.reason == "replay-locked":
                raise
            logger.error("the end of a task was not noted: %s", error)
        self._lease = None


class SignedMessage:
    """What the proxy of a message has besides."""

    _message: Any
    queue_name: str
    failed: bool
    fail: Callable[[], None]
    signer: str | None = None
    """Who signed it. It is None for one that was let through without a signature."""
    data: bytes = b""
    refusal: Exception | None = None
    begun: Begun | None = None
    is_waiting = False
    waited = 0.1
    opened: OpenedTask | None = None

    def end(self) -> None:
        """Note that its task was done, if it has begun."""
        if self.begun is not None:
            self.begun.end()

    def anew(self) -> Any:
        """Return it as it was before it was tried. The thread that has tried it is not done with this one yet."""
        made = object.__new__(type(self))
        made.__dict__.update(
            self.__dict__, failed=False, is_waiting=False, refusal=None, _exception=None
        )
        return made

    def copy(self, **changes: Any) -> Any:
        made = self._message.copy(**changes)
        object.__setattr__(made, "_brine_copy_of", self)
        return made


def not_begun(message: Any) -> OpenedTask | None:
    """Return the task of a message, or of one that it is a copy of, if it has not begun here."""
    origin = _origin_of(message)
    return origin.opened if origin is not None and not origin.begun else None


def is_unsigned(message: Any) -> bool:
    """Tell whether it is a message that was let through without a signature, or a copy of one."""
    origin = _origin_of(message)
    return origin is not None and origin.opened is None


def _origin_of(message: Any) -> SignedMessage | None:
    origin = getattr(message, "_brine_copy_of", message)
    return origin if isinstance(origin, SignedMessage) else None


_kinds: dict[type, type] = {}


def as_signed(message: Any) -> Any:
    """Give a proxy what a signed message has besides."""
    kind = type(message)
    if kind not in _kinds:
        _kinds[kind] = type(f"Signed{kind.__name__}", (SignedMessage, kind), {})
    message.__class__ = _kinds[kind]
    return message


class Gate(Middleware):
    """Judges each message again where its task starts, and lets it start once."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._keeper = LeaseKeeper(_task_signatures.LEASE.total_seconds())
        self.is_stopping = threading.Event()

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        self.is_stopping.clear()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:
        self.is_stopping.set()

    def before_process_message(self, broker: Broker, message: Any) -> None:
        if not isinstance(message, SignedMessage):
            # It was taken before the broker was signed.
            message.fail()
            raise SkipMessage("nobody has verified it")
        if message.opened is None:
            return
        try:
            lease = self._messages.of(message.queue_name).lease(message.opened)
        except Exception as error:
            # The consumer takes the mark off again, before a failure is stored as the result of the task.
            message.fail()
            message.refusal = error
            message.is_waiting = not is_verdict(error)
            raise SkipMessage(str(error)) from error
        message.begun = Begun(lease)
        self._keeper.keep(message.begun)
