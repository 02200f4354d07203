"""Queues between processes, whose messages are signed."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from multiprocessing import connection, get_context, queues, util
from multiprocessing.context import assert_spawning
from queue import Empty, Full
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from brine._errors import Error
from brine._high_water import HighWaterMarks
from brine._messages import (
    DEFAULT_CONTEXT,
    MessageCodec,
    Reception,
    ThreadLock,
    key_name,
    unique_context,
)
from brine._whole_messages import (
    PATIENCE_SECONDS,
    WholeMessages,
    duplicate_ends,
    message_pipe,
)

T = TypeVar("T")

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from multiprocessing.context import BaseContext
    from multiprocessing.queues import JoinableQueue, Queue
    from multiprocessing.synchronize import BoundedSemaphore, Condition, Lock, Semaphore

    from brine._allow import Allow
    from brine._brine import Key, Trust, Verified
    from brine._messages import Expires, OnRefused
else:

    class Queue(queues.Queue, Generic[T]):
        """The queue of the standard library, which takes no type parameter in Python 3.11."""

    class JoinableQueue(queues.JoinableQueue, Generic[T]):
        """The joinable queue of the standard library, likewise."""


class SignedQueue(Queue[T]):
    """A queue like ``multiprocessing.Queue``, whose messages are signed.

    ``put`` pickles and signs in the thread that calls it. ``get`` returns what verified, and each message once. What
    does not verify is not loaded: ``get`` raises, or gives it to ``on_refused(error, message)`` and goes on.

    Without a ``key``, the queue draws a key of its own, which every process has that has the queue.
    """

    # What is inherited, and not documented.
    _buffer: deque[object]
    _closed: bool
    _notempty: threading.Condition
    _poll: Callable[[float | None], bool]
    _reader: connection.Connection
    _rlock: Lock
    _sem: BoundedSemaphore
    _thread: threading.Thread | None
    _writer: connection.Connection
    if TYPE_CHECKING:

        def _start_thread(self) -> None: ...

    def __init__(
        self,
        maxsize: int = 0,
        *,
        ctx: BaseContext | None = None,
        key: Key | str | None = None,
        trust: Trust | None = None,
        context: str = DEFAULT_CONTEXT,
        allow: Allow = "std",
        code: bool = False,
        expires: Expires = None,
        on_refused: OnRefused | None = None,
    ) -> None:
        codec = MessageCodec(
            key=key,
            trust=trust,
            context=unique_context(context),
            allow=allow,
            code=code,
            expires=expires,
        )
        self._codec = codec
        self._reception = Reception(codec, HighWaterMarks(), on_refused)
        self._twins: dict[tuple[str, str | None], SignedQueue[T]] = {}
        super().__init__(maxsize, ctx=ctx or get_context())
        self._reader.close()
        self._writer.close()
        self._reader, self._writer = message_pipe()
        self._reset()

    @property
    def context(self) -> str:
        """What the messages of this queue are signed for: the context that was given, and a random name."""
        return self._codec.context

    def with_key(self, key: Key | str | None) -> SignedQueue[T]:
        """Return the same queue with another key to put messages with, or with none.

        Who is believed stays as it is. A process that is given a queue without a key cannot put messages. The same key
        gives the same queue, until that is closed.
        """
        name = key_name(key)
        if name not in self._twins or self._twins[name]._closed:
            self._twins[name] = self._twin(key)
        return self._twins[name]

    def _twin(self, key: Key | str | None) -> SignedQueue[T]:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._codec = self._codec.with_key(key)
        twin._reader, twin._writer = duplicate_ends(self._reader, self._writer)
        twin._twins = {}
        twin._reset()
        util.register_after_fork(twin, twin._renew)
        return twin

    def put(self, obj: T, block: bool = True, timeout: float | None = None) -> None:
        """Pickle an object, sign it and put it into the queue.

        Raise ``queue.Full`` if there is no room in time.
        """
        self._check_open()
        payload = self._codec.encode(obj)
        self._codec.prepare()
        if not self._sem.acquire(block, timeout):
            raise Full
        try:
            self._send(payload)
        except BaseException:
            self._sem.release()
            raise

    def get(self, block: bool = True, timeout: float | None = None) -> T:
        """Return the next object that verifies.

        Raise ``queue.Empty`` if there is none in time, and an error of brine if a message is refused, unless there is
        ``on_refused``.
        """
        self._check_open()
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            message, judged = self._take(block, deadline)
            try:
                return self._reception.loaded(judged)  # type: ignore[no-any-return]
            except Error as error:
                self._count_refused()
                self._reception.refuse(error, message)
            except BaseException:
                self._count_refused()
                raise

    def missing(self) -> int:
        """Return how many messages never arrived or were refused, as far as later ones of their process tell."""
        return self._reception.marks.skipped

    def _check_open(self) -> None:
        if self._process != os.getpid():
            # os.fork() does not tell multiprocessing.
            self._reset(after_fork=True)
        if self._closed:
            raise ValueError(f"Queue {self!r} is closed")

    def _send(self, payload: bytes) -> None:
        # What is numbered first is sent first.
        with self._order:
            message = self._codec.sign(payload)
            with self._notempty:
                self._append(message)

    def _append(self, message: bytes) -> None:
        if self._thread is None:
            self._start_thread()
        self._outbox.append(message)
        self._buffer.append(None)
        self._notempty.notify()

    def _take(self, block: bool, deadline: float | None) -> tuple[bytes, Verified | Error]:
        """Take a message out of the pipe, and judge it."""
        if not self._rlock.acquire(block, _seconds_until(deadline)):
            raise Empty
        try:
            if (not block or deadline is not None) and not self._poll(
                _seconds_until(deadline) if block else 0.0
            ):
                raise Empty
            patience = None if block and deadline is None else PATIENCE_SECONDS
            try:
                message = self._messages.look(patience)
            except Error as error:
                self._remove()
                return b"", error
            return message, self._reception.judge(message, self._remove)
        finally:
            self._rlock.release()

    def _remove(self) -> None:
        """Take the message out of the pipe that was looked at, and make room for another."""
        self._messages.take()
        with contextlib.suppress(ValueError):
            # A message that nobody put here has taken no place.
            self._sem.release()

    def _count_refused(self) -> None:
        """Note that a message was taken out that nobody will work on."""

    def _reset(self, after_fork: bool = False) -> None:
        super()._reset(after_fork)  # type: ignore[misc]
        self._order = ThreadLock()
        self._process = os.getpid()
        self._outbox: deque[bytes] = deque()
        self._send_bytes = _OutboxSender(self._outbox, self._writer)
        self._messages = WholeMessages(self._reader)

    @staticmethod
    def _renew(queue: SignedQueue[Any]) -> None:
        queue._reset(after_fork=True)

    def __getstate__(self) -> Any:
        assert_spawning(self)
        return super().__getstate__(), self._codec, self._reception

    def __setstate__(self, state: Any) -> None:
        inherited, self._codec, self._reception = state
        self._twins = {}
        super().__setstate__(inherited)
        util.register_after_fork(self, self._renew)


class SignedJoinableQueue(SignedQueue[T], JoinableQueue[T]):
    """A queue like ``multiprocessing.JoinableQueue``, whose messages are signed.

    A refused message counts as done: ``join`` does not wait for what nobody will work on.
    """

    _cond: Condition
    _unfinished_tasks: Semaphore

    def task_done(self) -> None:
        """Note that an object is done which ``get`` returned."""
        with self._cond:
            if self._is_unfinished() or not self._reception.marks.take_credit():
                super().task_done()

    def _append(self, message: bytes) -> None:
        with self._cond:
            super()._append(message)
            self._unfinished_tasks.release()

    def _count_refused(self) -> None:
        with self._cond:
            if self._is_unfinished():
                super().task_done()
                self._reception.marks.grant_credit()

    def _is_unfinished(self) -> bool:
        return not self._unfinished_tasks._semlock._is_zero()  # type: ignore[attr-defined]


class _OutboxSender:
    """Sends the next message of an outbox, whatever the thread that feeds the pipe has.

    That thread pickles what it takes from its own buffer. A message is bytes already, so the buffer has a placeholder
    for each message, which is not sent.
    """

    def __init__(self, outbox: deque[bytes], writer: connection.Connection) -> None:
        self._outbox = outbox
        self._writer = writer

    def __call__(self, _placeholder: object) -> None:
        self._writer.send_bytes(self._outbox.popleft())


def _seconds_until(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())
