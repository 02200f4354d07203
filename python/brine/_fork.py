"""What forks wait for, and what they leave in order.

A fork is held back while a thread is at work in the extension module. ``os.register_at_fork`` is no place for that. Its
hooks run in turn, and one that comes later can wait for a lock whose owner is waiting until the fork is over: that of
``logging``, for one. ``pthread_atfork`` runs what it is given inside of ``fork``, when all hooks of Python are done.
"""

from __future__ import annotations

import ctypes
import os
import threading

from brine._brine import fork_handlers


def hold_back() -> None:
    """Register the handlers of the extension module with the C library."""
    before, after = map(ctypes.c_void_p, fork_handlers())
    library = ctypes.CDLL(None)
    if hasattr(library, "pthread_atfork"):
        failed = library.pthread_atfork(before, after, after)
    else:
        # glibc links `pthread_atfork` into each program, and has this function under it.
        failed = library.__register_atfork(before, after, after, None)
    if failed:
        raise MemoryError("no handlers for forks could be registered")


class LockOfProcess:
    """A lock that no child finds held by a thread that it does not have."""

    def __init__(self) -> None:
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Wait for it."""
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        """Let others have it."""
        self._lock.release()
