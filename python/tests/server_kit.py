"""Servers of queues that tests start on loopback ports. They end with the tests, however those end."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

STARTS_WITHIN_SECONDS = 100

GUARD = """
directory=$1 log=$2; shift 2
"$@" </dev/null >"$log" 2>&1 &
pid=$!
read -r _
kill -KILL "$pid"
wait "$pid"
rm -rf "$directory"
"""
"""Stops a server by its pid when the input of this ends: when the tests close the pipe, or are gone."""

RABBITMQ = Path("/usr/lib/rabbitmq/lib")
"""Where packages have it, each version in a directory of its own. The program on the path changes the user."""


@dataclass(frozen=True)
class Start:
    """How a server is started."""

    data: Path
    """What it keeps is here. It outlasts the server."""
    port: int
    address: str = "127.0.0.1"
    password: str | None = None
    before: tuple[str, ...] = ()
    """The command that starts the command, in another network namespace for one."""
    more: tuple[str, ...] = ()
    """More options of Redis."""


@dataclass
class Server:
    """A server, which can be stopped and started again with what it has kept."""

    kind: str
    start_of: Start
    guard: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> Self:
        """Start it, and wait until it listens."""
        files = Path(tempfile.mkdtemp())
        command, environment = KINDS[self.kind](self.start_of, files)
        self.guard = subprocess.Popen(
            ["sh", "-c", GUARD, "guard", str(files), str(files / "log"), *command],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment},
        )
        end = time.monotonic() + STARTS_WITHIN_SECONDS
        while not self._listens():
            if self.guard.poll() is not None or time.monotonic() > end:
                told = (files / "log").read_text() if (files / "log").exists() else ""
                pytest.fail(f"{self.kind} does not listen: {told}")
            time.sleep(0.02)
        return self

    def _listens(self) -> bool:
        start = self.start_of
        if start.before:
            script = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))"
            command = [*start.before, sys.executable, "-c", script, str(start.port)]
            return not subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", start.port)) == 0

    def stop(self) -> None:
        """Stop it, as a machine without power stops."""
        if self.guard is not None:
            assert self.guard.stdin is not None
            self.guard.stdin.close()
            self.guard.wait(20)
            self.guard = None

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    def url(self, queue: str, more: str = "", user: str = "") -> str:
        """Return the URL of a queue there, whose ledger is here where the server can have none."""
        if self.kind == "amqp":
            more += f"&once-per-host={self.start_of.data}/ledger.db"
        return f"{self.kind}://{user}127.0.0.1:{self.start_of.port}?queue={queue}{more}"


def server(kind: str, data: Path, password: str | None = None) -> Server:
    """Return a server on a port that is free. Skip the test if it is not installed."""
    refuse_missing(kind)
    return Server(kind, Start(data, free_port(), password=password))


def refuse_missing(kind: str) -> None:
    """Skip the test if the program is not installed, and say so. Where everything is to be tested, it fails."""
    name, found = FOUND[kind]
    if found() is not None:
        return
    told = f"not run: {name} is not installed"
    if "CI" in os.environ:
        pytest.fail(told)
    warnings.warn(told, stacklevel=2)
    pytest.skip(told)


def free_port() -> int:
    """Return a port that was free just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _on_path(name: str) -> Callable[[], str | None]:
    # Debian has some where only administrators look.
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
    return lambda: shutil.which(name, path=path)


def _rabbitmq() -> str | None:
    found = sorted(RABBITMQ.glob("*/sbin/rabbitmq-server"))
    return str(found[-1]) if found else None


FOUND = {
    "redis": ("redis-server", _on_path("redis-server")),
    "nats": ("nats-server", _on_path("nats-server")),
    "amqp": ("rabbitmq-server", _rabbitmq),
}


def _redis_command(start: Start, _files: Path) -> tuple[list[str], dict[str, str]]:
    program = str(FOUND["redis"][1]())
    command = [*start.before, program, "--port", str(start.port), "--bind", start.address]
    command += ["--dir", str(start.data), "--save", "", "--appendonly", "yes"]
    command += ["--appendfsync", "always"]
    if start.password is not None:
        command += ["--requirepass", start.password]
    return [*command, *start.more], {}


def _nats_command(start: Start, files: Path) -> tuple[list[str], dict[str, str]]:
    users = ""
    if start.password is not None:
        users = f'authorization {{ user: "alice", password: "{start.password}" }}\n'
    (files / "configuration").write_text(
        f'listen: "{start.address}:{start.port}"\nmax_payload: 20971520\n{users}'
        f'jetstream {{ store_dir: "{start.data}", max_file_store: 1073741824 }}\n'
    )
    program = str(FOUND["nats"][1]())
    return [*start.before, program, "-c", str(files / "configuration")], {}


def _amqp_command(start: Start, files: Path) -> tuple[list[str], dict[str, str]]:
    """Run it as one process, without the daemon by which nodes find each other."""
    data = start.data
    (data / "plugins").write_text("[].")
    (data / "rabbitmq.conf").write_text("disk_free_limit.absolute = 10MB\n")
    node = f"brine-{start.port}@localhost"
    settings = {
        "NODENAME": node,
        "NODE_IP_ADDRESS": start.address,
        "NODE_PORT": str(start.port),
        "CONF_ENV_FILE": "/dev/null",
        "SERVER_ADDITIONAL_ERL_ARGS": f"-sname {node} -start_epmd false -erl_epmd_port {free_port()}"
        " -kernel inet_dist_use_interface {127,0,0,1}",
        "MNESIA_BASE": str(data / "mnesia"),
        "LOG_BASE": str(data / "logs"),
        "ENABLED_PLUGINS_FILE": str(data / "plugins"),
        "CONFIG_FILE": str(data / "rabbitmq.conf"),
        "PID_FILE": str(files / "pid"),
    }
    environment = {f"RABBITMQ_{name}": value for name, value in settings.items()}
    # It would start the daemon nevertheless, after a minute.
    environment["ERL_ZFLAGS"] = "-start_epmd false"
    # The script becomes the server, and has its pid.
    environment["RUNNING_UNDER_SYSTEMD"] = "true"
    environment["HOME"] = str(data)
    return [*start.before, "sh", str(FOUND["amqp"][1]())], environment


KINDS: dict[str, Callable[[Start, Path], tuple[list[str], dict[str, str]]]] = {
    "redis": _redis_command,
    "nats": _nats_command,
    "amqp": _amqp_command,
}
