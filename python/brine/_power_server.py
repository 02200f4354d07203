"""Powers for jobs: served at a Unix socket, to which ``brine run`` and ``brine work`` connect a job."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import socket
import stat
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from brine._errors import InputOutputError, UsageError
from brine._guest.cbor import NotPlainError
from brine._guest.peer import LostError
from brine._power import seconds as length
from brine._power_table import Guest
from brine._stays import Stays
from brine._wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from datetime import timedelta

MAX_GUESTS = 64
MAX_PATH_BYTES = 107
"""unix(7): 108, with the zero at its end."""
PAUSE_SECONDS = 0.05


class PowerServer(Stays):
    """Gives powers to jobs, at a Unix socket that ``--power NAME=PATH`` names.

    ``names`` is what each job gets by name: data and `Power`; or a function that makes that for each job, so that no two share
    what they are limited to. ``seconds`` is how long a job may take to read what it is sent, and, in each call of a method,
    for all that its functions answer together. ``on_end`` is told of each job that has ended, with why if that was not its
    own end.

    Each job is served by a thread of its own, so that methods of one object can run at the same time. Nobody but this
    user can connect.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        names: Mapping[str, Any] | Callable[[], Mapping[str, Any]],
        *,
        seconds: str | float | timedelta = 30.0,
        on_end: Callable[[BaseException | None], object] | None = None,
    ) -> None:
        # The working directory may change.
        self.path = Path(path).absolute()
        self._names, self._seconds, self._on_end = names, length(seconds), on_end
        if not callable(names):
            _refuse_unsendable(names)
        self._is_closed, self._maker = False, os.getpid()
        self._room = threading.BoundedSemaphore(MAX_GUESTS)
        self._guests: set[socket.socket] = set()
        self._listener, self._place = _listening(self.path)
        self._thread = threading.Thread(target=self._accept, name="brine-powers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Serve nobody any more. Jobs that are at work lose their powers."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._maker != os.getpid():
            # It is the parent's.
            self._listener.close()
            return
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for guest in list(self._guests):
            with contextlib.suppress(OSError):
                guest.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        with contextlib.suppress(OSError):
            if _place_of(self.path) == self._place:
                self.path.unlink()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Serve nobody any more."""
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if self._is_closed:
                    return
                # Too many files are open, for now.
                time.sleep(PAUSE_SECONDS)
                continue
            while not self._is_closed and not self._room.acquire(timeout=PAUSE_SECONDS):
                pass
            self._guests.add(connection)
            if self._is_closed:
                connection.close()
                return
            try:
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
            except RuntimeError as error:
                # There are too many threads, for now.
                self._ended(connection, error)
                time.sleep(PAUSE_SECONDS)

    def _serve(self, connection: socket.socket) -> None:
        why: BaseException | None = None
        try:
            self._serve_guest(connection)
        except (LostError, BrokenPipeError, ConnectionResetError):
            pass
        except BaseException as error:  # noqa: BLE001
            # It ends this job, and nobody else hears of it.
            why = error
        finally:
            self._ended(connection, why)

    def _ended(self, connection: socket.socket, why: BaseException | None) -> None:
        self._guests.discard(connection)
        with contextlib.suppress(OSError):
            # A child that this process forked may have it, too.
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        self._room.release()
        if self._on_end is not None:
            self._on_end(why)

    def _serve_guest(self, connection: socket.socket) -> None:
        def read_until() -> float | None:
            # A job may think for as long as it likes, but not while one of our methods waits for it.
            return guest.waits_until(self._seconds)

        def write_until() -> float:
            return guest.waits_until(self._seconds) or time.monotonic() + self._seconds

        wire = Wire(connection, read_until, write_until)
        guest = Guest(wire.read, wire.write)
        names = self._names() if callable(self._names) else self._names
        guest.hello(dict(names))
        while True:
            guest.serve_one()


def _refuse_unsendable(names: Mapping[str, Any]) -> None:
    if not isinstance(names, Mapping):
        raise UsageError("names: expected a mapping, or a function that makes one", reason="usage")
    if not all(type(name) is str for name in names):
        raise UsageError("names: expected text", reason="usage")
    try:
        Guest(lambda: b"", lambda _: None).hello(dict(names))
    except NotPlainError as error:
        raise UsageError(f"names: {error}", reason="not-plain") from None


def _listening(path: Path) -> tuple[socket.socket, tuple[int, int]]:
    """Listen at a path, at which nobody does, and return what the socket there is. It is never there before it listens,
    and takes the place of one whose server was killed."""
    made = path.with_name(f".{secrets.token_hex(8)}")
    longest = max(len(os.fsencode(place)) for place in (path, made))
    if longest > MAX_PATH_BYTES:
        raise UsageError(
            f"{path} is too long for a socket: it takes {longest} bytes there, and at most {MAX_PATH_BYTES}",
            reason="usage",
        )
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _locked(path.parent):
            if not _is_free(path):
                raise OSError(errno.EADDRINUSE, "another server listens there, or it is no socket")
            listener.bind(str(made))
            try:
                made.chmod(0o600)
                listener.listen()
                place = _place_of(made)
                made.rename(path)
            except BaseException:
                made.unlink()
                raise
    except OSError as error:
        listener.close()
        raise InputOutputError(f"{path}: {error}", reason="io") from None
    return listener, place


@contextlib.contextmanager
def _locked(directory: Path) -> Generator[None]:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _place_of(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


def _is_free(path: Path) -> bool:
    """Return whether nothing is there, or a socket that a server left behind. A socket of another type finds out, and
    disturbs nobody (unix(7))."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            probe.connect(str(path))
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError:
        return False
    return False
