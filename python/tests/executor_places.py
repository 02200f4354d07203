"""Where caller and worker of the executor meet: in a file, or on a server, between network namespaces for one."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

import server_kit
from executor_kit import Site
from server_kit import Server, Start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PORT = 4400

HIDING = 'mount -t tmpfs none "$1" && shift && exec "$@"'


@dataclass(frozen=True)
class Namespaces:
    """The network namespaces that scripts/soak-executor has made. These tests run in that of the caller."""

    worker: str
    broker: str
    caller_host: str
    """Where the caller finds the broker."""
    worker_host: str

    @classmethod
    def given(cls) -> Namespaces | None:
        """Return those that the script names, if there are any."""
        text = os.environ.get("BRINE_TEST_NAMESPACES")
        return None if text is None else cls(*text.split())

    def refuse_routes(self) -> None:
        """Fail if the caller can reach the network of the worker."""
        with socket.socket() as probe:
            probe.settimeout(2)
            assert probe.connect_ex((self.worker_host, PORT)) != 0, "the namespaces are one"


@contextlib.contextmanager
def chosen_site(directory: Path) -> Iterator[Site]:
    """Have caller and worker meet where ``BRINE_TEST_OVER`` says: in a file, or over a server of that kind."""
    kind = os.environ.get("BRINE_TEST_OVER")
    if kind is None:
        yield Site(directory)
        return
    server_kit.refuse_missing(kind)
    data = directory / "server"
    data.mkdir()
    with contextlib.ExitStack() as stack:
        namespaces = Namespaces.given()
        if namespaces is None:
            server = stack.enter_context(server_kit.server(kind, data))
            yield Site(directory, server.url("work"))
        else:
            yield apart(stack, kind, directory, namespaces)


def apart(stack: contextlib.ExitStack, kind: str, directory: Path, namespaces: Namespaces) -> Site:
    """Put caller, worker and server into namespaces of their own. The worker sees no file of the caller."""
    password = secrets.token_hex(16)
    start = Start(
        directory / "server",
        PORT,
        "0.0.0.0",
        password,
        entering(namespaces.broker),
    )
    stack.enter_context(Server(kind, start))
    namespaces.refuse_routes()
    user = "alice@" if kind == "nats" else ""
    here, there = directory / "here", directory / "there"
    urls = []
    for side, host in ((here, namespaces.caller_host), (there, namespaces.worker_host)):
        side.mkdir()
        file = side / "password"
        file.touch(mode=0o600)
        file.write_text(password)
        urls.append(f"{kind}://{user}{host}:{PORT}?queue=work&password-file={file}")
    hiding = ("unshare", "--mount", "sh", "-c", HIDING, "hiding", str(here))
    return Site(here, urls[0], urls[1], (*entering(namespaces.worker), *hiding), there)


def entering(namespace: str) -> tuple[str, ...]:
    """Return the command that starts a command in a network namespace."""
    return ("nsenter", f"--net=/run/netns/{namespace}")


def refuse_without_namespaces() -> None:
    """Skip the test where no network namespaces can be had, and say so. Where everything is to be tested, it fails."""
    if os.geteuid() == 0:
        return
    told = "not run: network namespaces need root"
    if "CI" in os.environ:
        pytest.fail(told)
    pytest.skip(told)
