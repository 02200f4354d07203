"""Leases of messages, which are renewed while their process lives."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from typing import TYPE_CHECKING, Protocol

from brine._errors import Error

if TYPE_CHECKING:
    from brine._brine import Lease

    class Renewable(Protocol):
        """A message that this process has."""

        @property
        def is_settled(self) -> bool: ...
        def renew(self) -> bool: ...


class Held:
    """What is held by a lease until it is settled."""

    _lease: Lease | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it is not held."""
        return self._lease is None

    def renew(self) -> bool:
        """Hold it for longer."""
        # Another thread may settle it meanwhile.
        lease = self._lease
        if lease is not None:
            lease.renew()
        return lease is not None


class LeaseKeeper:
    """Renews leases on a thread, which is there while there are any.

    A message that nobody has any more is left alone, so that its lease runs out.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._seconds = lease_seconds / 4
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._messages: list[weakref.ref[Renewable]] = []
        self._is_at_work = False

    def keep(self, message: Renewable) -> None:
        """Renew the lease of a message until it is settled or forgotten."""
        if self._process != os.getpid():
            self._reset()
        with self._changed:
            self._messages.append(weakref.ref(message))
            if not self._is_at_work:
                self._is_at_work = True
                threading.Thread(target=self._work, name="brine-leases", daemon=True).start()

    def look(self) -> None:
        """Look what is still held: a message was settled."""
        if self._process == os.getpid():
            with self._changed:
                self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(self._seconds)
                messages = [message for ref in self._messages if (message := ref()) is not None]
                held = [message for message in messages if not message.is_settled]
                self._messages = [weakref.ref(message) for message in held]
                if not held:
                    self._is_at_work = False
                    return
            for message in held:
                # If it fails, the next time may be better. If not, settling says that the lease was lost.
                with contextlib.suppress(Error):
                    message.renew()
            del message, messages, held

    def _reset(self) -> None:
        """Begin anew in a forked child, which has neither the thread nor the messages."""
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._messages = []
        self._is_at_work = False
