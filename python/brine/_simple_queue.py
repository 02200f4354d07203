"""A queue that is a pipe with locks, whose messages are signed."""

from __future__ import annotations

from multiprocessing import connection, get_context, queues
from multiprocessing.context import assert_spawning
from typing import TYPE_CHECKING, Any, TypeVar

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
from brine._whole_messages import WholeMessages, duplicate_ends, message_pipe

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import BaseContext
    from multiprocessing.synchronize import Lock

    from brine._allow import Allow
    from brine._brine import Key, Trust, Verified
    from brine._messages import Expires, OnRefused

T = TypeVar("T")


class SignedSimpleQueue(queues.SimpleQueue[T]):
    """A queue like ``multiprocessing.SimpleQueue``, whose messages are signed.

    It has no thread: ``put`` waits until the pipe has taken the message.
    """

    # What is inherited, and not documented.
    _reader: connection.Connection
    _poll: Callable[[float | None], bool]
    _rlock: Lock
    _wlock: Lock
    _writer: connection.Connection

    def __init__(
        self,
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
        self._order = ThreadLock()
        self._twins: dict[tuple[str, str | None], SignedSimpleQueue[T]] = {}
        super().__init__(ctx=ctx or get_context())
        self._reader.close()
        self._writer.close()
        self._use_ends(*message_pipe())

    @property
    def context(self) -> str:
        """What the messages of this queue are signed for: the context that was given, and a random name."""
        return self._codec.context

    def with_key(self, key: Key | str | None) -> SignedSimpleQueue[T]:
        """Return the same queue with another key to put messages with, or with none.

        The same key gives the same queue.
        """
        name = key_name(key)
        if name not in self._twins or self._twins[name]._writer.closed:
            self._twins[name] = self._twin(key)
        return self._twins[name]

    def _twin(self, key: Key | str | None) -> SignedSimpleQueue[T]:
        twin = type(self).__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin._codec = self._codec.with_key(key)
        twin._order = ThreadLock()
        twin._twins = {}
        twin._use_ends(*duplicate_ends(self._reader, self._writer))
        return twin

    def put(self, obj: T) -> None:
        """Pickle an object, sign it and write it into the pipe."""
        payload = self._codec.encode(obj)
        # What is numbered first is sent first.
        with self._order:
            message = self._codec.sign(payload)
            with self._wlock:
                self._writer.send_bytes(message)

    def get(self) -> T:
        """Return the next object that verifies.

        Raise an error of brine if a message is refused, unless there is ``on_refused``.
        """
        while True:
            message, judged = self._take()
            try:
                return self._reception.loaded(judged)  # type: ignore[no-any-return]
            except Error as error:
                self._reception.refuse(error, message)

    def missing(self) -> int:
        """Return how many messages never arrived or were refused, as far as later ones of their process tell."""
        return self._reception.marks.skipped

    def _take(self) -> tuple[bytes, Verified | Error]:
        with self._rlock:
            try:
                message = self._messages.look()
            except Error as error:
                return b"", error
            return message, self._reception.judge(message, self._messages.take)

    def _use_ends(self, reader: connection.Connection, writer: connection.Connection) -> None:
        self._reader, self._writer = reader, writer
        self._poll = reader.poll
        self._messages = WholeMessages(reader)

    def __getstate__(self) -> Any:
        assert_spawning(self)
        return super().__getstate__(), self._codec, self._reception

    def __setstate__(self, state: Any) -> None:
        inherited, self._codec, self._reception = state
        super().__setstate__(inherited)
        self._twins = {}
        self._use_ends(self._reader, self._writer)
        self._order = ThreadLock()
