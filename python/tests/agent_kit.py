"""Agents that tests start: that of OpenSSH, and one in front of it that is slow, silent or no good."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIST, SIGN = 11, 13
"""What an agent is asked for: its keys, or a signature."""


class Agent:
    """The agent of OpenSSH, until ``stop``."""

    def __init__(self, directory: Path) -> None:
        if shutil.which("ssh-agent") is None:
            pytest.skip("there is no ssh-agent: install the client of OpenSSH")
        self.directory = directory
        self.socket = directory / "socket"
        self._process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", str(self.socket)],
            stdout=subprocess.DEVNULL,
            env={**os.environ, **self._asking()},
        )
        wait_until(self._answers)

    def _answers(self) -> bool:
        """Return whether it listens. Its socket is there before that."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def new_key(self, name: str, *options: str, kind: str = "ed25519", comment: str = "") -> Path:
        """Make a key, give it to the agent, and return its file."""
        path = new_key(self.directory / name, kind=kind, comment=comment or name)
        self.run("ssh-add", "-q", *options, str(path))
        return path

    def run(self, *command: str, status: int = 0) -> str:
        """Run a program with this agent."""
        environment = {**os.environ, **self._asking(), "SSH_AUTH_SOCK": str(self.socket)}
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=30, env=environment
        )
        assert done.returncode == status, done.stderr
        return done.stdout

    def _asking(self) -> dict[str, str]:
        """Have a script answer for the person whom the agent asks."""
        script = self.directory / "ask"
        if not script.exists():
            script.write_text('#!/bin/sh\n[ "$SSH_ASKPASS_PROMPT" = confirm ] || echo secret\n')
            script.chmod(0o700)
        return {"DISPLAY": ":0", "SSH_ASKPASS": str(script), "SSH_ASKPASS_REQUIRE": "force"}


def new_key(path: Path, *, kind: str = "ed25519", comment: str = "") -> Path:
    """Make a key with ssh-keygen, and return its file."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("there is no ssh-keygen: install the client of OpenSSH")
    command = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(path)]
    subprocess.run(command, check=True)
    return path


class FrontAgent:
    """An agent that asks another one, and does something to its answers. It hears each connection on a thread."""

    def __init__(
        self, path: Path, behind: Path | None, change: Callable[[int, bytes], bytes]
    ) -> None:
        self.socket = path
        self.connections = 0
        self._behind, self._change = behind, change
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Take no further connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, socket.socket(socket.AF_UNIX) as behind:
            if self._behind is not None:
                behind.connect(str(self._behind))
            while (request := _receive(connection)) is not None:
                answer: bytes | None = b""
                if self._behind is not None:
                    behind.sendall(_framed(request))
                    answer = _receive(behind)
                if not (answer := self._change(request[0], answer or b"")):
                    return
                # Whoever asked may want no answer any more.
                with suppress(BrokenPipeError):
                    connection.sendall(_framed(answer))


def _framed(message: bytes) -> bytes:
    return len(message).to_bytes(4) + message


def _receive(connection: socket.socket) -> bytes | None:
    """Receive a message, or nothing at the end."""
    with connection.makefile("rb") as file:
        length = file.read(4)
        return file.read(int.from_bytes(length)) if length else None
