"""Guests as processes: each is a job of its own, which `brine run` confines."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path
from typing import Any

from brine._brine import Key, Signer
from brine._errors import InputOutputError, UnsupportedError
from brine._fork import LockOfProcess
from brine._guest.cbor import encode
from brine._sandbox_errors import of_verdict

CONTEXT = "brine.Sandbox"
POWER = "host"
START_SECONDS = 30.0
VERDICT_SECONDS = 2.0
END_SECONDS = 10.0

BOOT = (
    "import sys, types; package = types.ModuleType('brine'); package.__path__ = [sys.argv[1]]; "
    "sys.modules['brine'] = package; from brine._guest.evaluator import main; main()"
)
"""Starts the guest without what else is in the package: it would take longer than the guest itself."""


class GuestProcess:
    """A confined process, and the socket to it. Nobody believes what it says."""

    def __init__(self, setup: dict[str, Any], limits: dict[str, str]) -> None:
        key = Key.generate()
        # It exists in this process alone, and signs this job alone.
        signer = Signer(key, context=CONTEXT, expires="1h")
        job, _ = signer.sign_job(encode(setup, list), grants=[f"power={POWER}"])
        with tempfile.TemporaryDirectory(prefix="brine-") as name:
            directory = Path(name)
            (directory / "policy.toml").write_text(_policy(str(key.public), limits))
            # A file, and no pipe: a program that ends before it reads one would be told of by SIGPIPE.
            (directory / "job").write_bytes(job)
            with socket.socket(socket.AF_UNIX) as listener:
                try:
                    listener.bind(str(directory / "socket"))
                except OSError as error:
                    raise InputOutputError(f"{directory}: {error}", reason="not-started") from None
                listener.listen(1)
                start = _Start(_command(key, directory))
                try:
                    self._process = start.process()
                    connected = _accepted(listener, self._process)
                except BaseException:
                    start.give_up()
                    raise
        if connected is None:
            raise of_verdict(*self.end())
        self.socket = connected

    def kill(self) -> None:
        """End it, without waiting for anything that it does."""
        self._process.terminate()

    def end(self) -> tuple[dict[str, object], str]:
        """Wait for its end, and return the verdict on it and what it wrote to standard error."""
        for seconds, more in (
            (VERDICT_SECONDS, self._process.terminate),
            (END_SECONDS, self._process.kill),
        ):
            try:
                _, said = self._process.communicate(timeout=seconds)
                break
            except subprocess.TimeoutExpired:
                # It has hung up, and goes on.
                more()
        else:
            _, said = self._process.communicate()
        for line in reversed(said.decode("utf-8", "replace").splitlines()):
            if line.startswith("{"):
                verdict: dict[str, object] = json.loads(line)
                return verdict, str(verdict.get("errors", ""))
        return {"message": said.decode("utf-8", "replace")[-1000:]}, ""


def _command(key: Key, directory: Path) -> list[str]:
    options = ["--json", "--die-with-parent", "-p", str(key.public), "-c", CONTEXT]
    options += ["--policy", str(directory / "policy.toml")]
    options += ["--power", f"{POWER}={directory / 'socket'}"]
    options += [f"--system={place}" for place in _shown()]
    guest = [sys.executable, "-I", "-c", BOOT, str(Path(__file__).parent)]
    return [_program(), "run", str(directory / "job"), *options, "--", *guest]


def _policy(signer: str, limits: dict[str, str]) -> str:
    values = ", ".join(f"{name} = {json.dumps(value)}" for name, value in limits.items())
    return f"[[allow]]\nsigners = [{json.dumps(signer)}]\npowers = [{json.dumps(POWER)}]\nlimits = {{ {values} }}\n"


def _shown() -> list[str]:
    """Return where Python and its libraries are, as far as a job does not see that anyway."""
    prefixes = [sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix]
    program = Path(sys.executable)
    places = [Path(place) for place in prefixes]
    places += [program.parent, program.resolve().parent, Path(__file__).parent]
    real = {place.resolve() for place in places if place.exists()}
    outside = [place for place in real if not place.is_relative_to("/usr") and place != Path("/")]
    inner = {place for place in outside if any(other in place.parents for other in outside)}
    return sorted(str(place) for place in set(outside) - inner)


def _program() -> str:
    beside = Path(sysconfig.get_path("scripts"), "brine")
    found = str(beside) if beside.exists() else shutil.which("brine")
    if found is None:
        raise UnsupportedError(
            "the program brine is not installed, which confines guests", reason="no-program"
        )
    return found


class _Start:
    """A program that is started by a thread that lives as long as this process, since it ends with what starts it.

    Whoever waits for it can be interrupted at any moment, before it has started or after that: then nobody has it, and it is
    ended.
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._answer: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_given_up = False
        self._process: subprocess.Popen[bytes] | None = None

    def process(self) -> subprocess.Popen[bytes]:
        """Have it started."""
        _starter().put(self)
        error = self._answer.get()
        process = self._process
        if process is None:
            raise InputOutputError(f"brine could not be started: {error}", reason="not-started")
        return process

    def begin(self) -> None:
        """Start it, in the thread that lives as long as this process."""
        error = None
        try:
            process = _popen(self._command)
        except BaseException as raised:  # noqa: BLE001
            error = raised
        else:
            with self._lock:
                self._process = process
                if self._is_given_up:
                    _end_soon(process)
        self._answer.put(error)

    def give_up(self) -> None:
        """End it, now or as soon as it has started."""
        with self._lock:
            self._is_given_up = True
            if self._process is not None:
                _end_soon(self._process)


def _popen(command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        # What is typed at a terminal asks this process to end, and it ends the guest.
        process_group=0,
    )


def _end_soon(process: subprocess.Popen[bytes]) -> None:
    """End a process that nobody waits for, and wait for it elsewhere."""
    process.terminate()
    # Where there can be no more threads, the next program that is started waits for it.
    with contextlib.suppress(RuntimeError):
        threading.Thread(
            target=_read_to_end, args=(process,), name="brine-end", daemon=True
        ).start()


def _read_to_end(process: subprocess.Popen[bytes]) -> None:
    # Its standard input can be half closed.
    with contextlib.suppress(OSError, ValueError):
        process.communicate()


def _starter() -> queue.SimpleQueue[_Start]:
    """Return what is asked to start programs: a thread that lives as long as this process."""
    with _lock:
        found = _starters.get(os.getpid())
        if found is None:
            found = _starters[os.getpid()] = queue.SimpleQueue()
            threading.Thread(
                target=_start_all, args=(found,), name="brine-starter", daemon=True
            ).start()
    return found


def _start_all(asked: queue.SimpleQueue[_Start]) -> None:
    while True:
        asked.get().begin()


_starters: dict[int, queue.SimpleQueue[_Start]] = {}
_lock = LockOfProcess()


def _accepted(listener: socket.socket, process: subprocess.Popen[bytes]) -> socket.socket | None:
    """Wait until the program connects; `None` if it ends before, for a reason that its verdict has."""
    listener.settimeout(0.05)
    for _ in range(int(START_SECONDS / 0.05)):
        try:
            connected, _ = listener.accept()
        except TimeoutError:
            if process.poll() is not None:
                return None
        else:
            return connected
    raise InputOutputError("the guest did not start in time", reason="not-started")
