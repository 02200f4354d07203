"""What all tests share: keys, trust, a home, and an end for tests that hang."""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import signal
import sys
import threading
import time
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import brine
from server_kit import Server, server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

TEST_SECONDS = 60
"""How long one test may take, unless it is marked ``@pytest.mark.time_limit(seconds)``."""

KILL_AFTER_SECONDS = 15
"""How long a test has to end after its time limit, until the whole process is ended."""


@contextmanager
def warned_of(words: str) -> Iterator[list[warnings.WarningMessage]]:
    """Give a list that has, at the end, each warning with these words.

    It leaves out all others: a collection of garbage may warn of what an earlier test left.
    """
    found: list[warnings.WarningMessage] = []
    with warnings.catch_warnings(record=True) as everything:
        warnings.simplefilter("always")
        yield found
    found += [one for one in everything if words in str(one.message)]


def pytest_configure(config: pytest.Config) -> None:
    """Describe the marks."""
    config.addinivalue_line(
        "markers", "time_limit(seconds): how long the test may take, by default a minute"
    )


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """End a test that hangs, and show where each thread stands.

    The alarm raises in the main thread. Code that never comes back to the interpreter does not see it: a second clock,
    which needs no interpreter, ends the process.
    """
    mark = item.get_closest_marker("time_limit")
    seconds = float(mark.args[0]) if mark else float(TEST_SECONDS)

    def too_late(_signal: int, _frame: FrameType | None) -> None:
        faulthandler.dump_traceback(file=sys.__stderr__)
        pytest.fail(f"{item.nodeid} took longer than {seconds} s", pytrace=True)

    main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGALRM, too_late) if main_thread else None
    if main_thread:
        signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(seconds + KILL_AFTER_SECONDS, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        if main_thread:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)


@pytest.fixture
def alice() -> brine.Key:
    """The key of somebody who is trusted."""
    return brine.Key.generate()


@pytest.fixture
def mallory() -> brine.Key:
    """The key of somebody who is not."""
    return brine.Key.generate()


@pytest.fixture
def trust(alice: brine.Key) -> brine.Trust:
    """Trust in alice, for everything and at any time."""
    return brine.Trust.of({"alice": alice.public})


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    """A replay database of the first day."""
    path = tmp_path / "seen"
    brine.replay_init(path, accept_older=True)
    return path


@pytest.fixture
def signing(alice: brine.Key, trust: brine.Trust, seen: Path) -> dict[str, Any]:
    """What alice signs with."""
    return {"key": alice, "trust": trust, "expires": "1d", "replay_db": seen}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home as `brinekey gen` makes it: one key, called default, which is trusted."""
    home = tmp_path / "home"
    keys = home / "keys"
    keys.mkdir(parents=True, mode=0o700)
    home.chmod(0o700)
    key = brine.Key.generate()
    (keys / "default.key").touch(mode=0o600)
    (keys / "default.key").write_text(key.to_pem())
    (keys / "default.pub").write_text(f"{key.public} default\n")
    (home / "trust.toml").write_text(f'[[signer]]\nname = "default"\nkey = "{key.public}"\n')
    (home / "trust.toml").chmod(0o644)
    monkeypatch.setenv("BRINE_HOME", str(home))
    return home


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Return what starts a server of a kind once."""
    started: dict[str, Server] = {}

    def of_kind(kind: str) -> Server:
        if kind not in started:
            started[kind] = server(kind, tmp_path_factory.mktemp(kind)).start()
        return started[kind]

    yield of_kind
    for one in started.values():
        one.stop()


def trust_for(*signers: tuple[str, brine.Key, list[str]]) -> brine.Trust:
    """Return trust in signers by their names, each for some contexts alone."""
    entries = (
        f'[[signer]]\nname = "{name}"\nkey = "{key.public}"\ncontexts = {json.dumps(contexts)}\n'
        for name, key, contexts in signers
    )
    return brine.Trust.parse("\n".join(entries))


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until a condition holds, and fail if it does not within a time that is long for any machine."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds} s in vain")
        time.sleep(0.002)


async def until(condition: Callable[[], bool]) -> None:
    """Do the same in a loop of asyncio."""
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            pytest.fail("waited 20 s in vain")
        await asyncio.sleep(0.005)


def in_child(work: Callable[[], object], seconds: float = 30) -> int:
    """Do some work in a forked child, and return its exit status: 0, or 1 if it raised.

    A child that does not end in time is killed, and the test fails.
    """
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    return wait_for(child, seconds)


def wait_for(child: int, seconds: float = 30) -> int:
    """Wait for a child, and return its exit status. A child that does not end is killed, and the test fails."""
    end = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail(f"the child did not end in {seconds} s")
        time.sleep(0.002)
