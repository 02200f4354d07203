"""A caller and a worker, each with a home, trust and policy of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine
from programs import program, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

POLICY = """
[[allow]]
signers = ["{caller}"]
replies = ["reply/*", "python-code/reply/*"]
limits = {{ wall = "20s", cpu = "10s", memory = "512MiB", processes = 16 }}
"""

WORKER_STARTS_WITHIN_SECONDS = 20


class Home:
    """A home with a key of its own."""

    def __init__(self, directory: Path, name: str) -> None:
        self.path = directory / name
        self.name = name
        self.path.mkdir(mode=0o700)
        self.key = brine.Key.generate()
        keys = self.path / "keys"
        keys.mkdir(mode=0o700)
        (keys / "default.key").touch(mode=0o600)
        (keys / "default.key").write_text(self.key.to_pem())
        (keys / "default.pub").write_text(f"{self.key.public}\n")
        self.trust_file = self.path / "trust.toml"
        self.trust_file.touch(mode=0o644)

    def believe(self, other: Home, *contexts: str) -> None:
        """Trust another home for some contexts."""
        contexts_text = json.dumps(list(contexts))
        entry = f'[[signer]]\nname = "{other.name}"\nkey = "{other.key.public}"\ncontexts = {contexts_text}\n'
        self.trust_file.write_text(self.trust_file.read_text() + entry)

    @property
    def trust(self) -> brine.Trust:
        """Whom this home trusts."""
        return brine.Trust.load(self.trust_file)


class Site:
    """A queue, a caller and a worker."""

    def __init__(
        self,
        directory: Path,
        url: str | None = None,
        worker_url: str | None = None,
        before: Sequence[str] = (),
        worker_directory: Path | None = None,
    ) -> None:
        self.directory = directory
        self.caller = Home(directory, "caller")
        self.worker = Home(worker_directory or directory, "worker")
        self.worker.believe(self.caller, "work", "other-work")
        self.caller.believe(self.worker, "reply/*")
        (self.worker.path / "policy.toml").write_text(POLICY.format(caller="caller"))
        self.url = url or f"sqlite:{directory}/jobs.db?queue=work"
        self.worker_url = worker_url or self.url
        self.before = tuple(before)
        """The command that starts that of the worker, in another network namespace for one."""
        brine._brine.Queue(self.url)
        self.log = directory / "worker.log"

    def executor(self, **given: Any) -> brine.Executor:
        """Make an executor of the caller."""
        given = {"key": self.caller.key, "trust": self.caller.trust, "timeout": "40s", **given}
        return brine.Executor(self.url, **given)

    def start(self, *options: str, home: Home | None = None) -> subprocess.Popen[bytes]:
        """Start a worker, and wait until it takes jobs."""
        home = home or self.worker
        brine_program = program("brine")
        # What is installed together is found by itself.
        is_beside = Path(brine_program).parent == Path(sys.executable).parent
        python = "--python" if is_beside else f"--python={sys.executable}"
        command = [*self.before, brine_program, "work", python, *options, self.worker_url]
        process = subprocess.Popen(
            command,
            env={**os.environ, "BRINE_HOME": str(home.path)},
            stderr=self.log.open("ab"),
            stdin=subprocess.DEVNULL,
        )
        return process

    @contextlib.contextmanager
    def at_work(self, *options: str, home: Home | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Have a worker at work. It must be there at the end, and end when it is asked to."""
        process = self.start(*options, home=home)
        try:
            yield process
            assert process.poll() is None, self.log.read_text()
        except BaseException:
            # Shown with the failure: what is missing is missing here or there.
            print(f"the worker said:\n{self.log.read_text()}\ndead letters: {self.dead()}")
            raise
        finally:
            process.terminate()
            process.wait(30)

    def dead(self) -> list[dict[str, Any]]:
        """List the dead letters."""
        lines = run("brine", "dead", "list", "--json", self.url, home=self.worker.path)
        return [json.loads(line) for line in lines.splitlines()]

    def has_answers_of(self, executor: brine.Executor) -> bool:
        """Return whether the queue for the answers of an executor is there."""
        url = brine._brine.Queue(self.url).beside(str(executor._exchange._verifier.context))
        command = [program("brine"), "dead", "list", "--json", url]
        environment = {**os.environ, "BRINE_HOME": str(self.caller.path)}
        done = subprocess.run(
            command, check=False, capture_output=True, timeout=30, env=environment
        )
        # On Redis it has no ledger, which the program says of one that is there.
        is_there = done.returncode == 0 or b"the shared ledger" in done.stderr
        assert is_there or b"there is no queue" in done.stderr, done.stderr
        return is_there

    def look(self, query: str) -> list[Any]:
        """Look into the file, from another process: a second SQLite in this one would let go of locks of the first."""
        script = "import json, sqlite3, sys; print(json.dumps(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall()))"
        command = [sys.executable, "-c", script, str(self.directory / "jobs.db"), query]
        done = subprocess.run(command, check=True, capture_output=True, timeout=20)
        return [row[0] for row in json.loads(done.stdout)]

    def queues(self) -> list[str]:
        """List the queues of the file."""
        return self.look("SELECT name FROM queue")

    def begun(self) -> int:
        """Count the jobs that were begun and are not answered."""
        return int(self.look("SELECT count(*) FROM message WHERE begun IS NOT NULL")[0])


def refuse_uninstalled() -> None:
    """Skip the tests if this Python does not find the package by itself, as that of a worker must."""
    if sys.platform != "linux":
        pytest.skip("jobs are confined on Linux")
    pytest.importorskip("cloudpickle")
    command = [sys.executable, "-I", "-c", "import brine"]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("the package is not installed for this Python; scripts/test-python installs it")


def wait_for_process(process: subprocess.Popen[bytes], seconds: float = 20) -> int:
    """Wait for the end of a process."""
    return process.wait(seconds)


def wait_for_text(path: Path, text: str, seconds: float = 30) -> None:
    """Wait until a file has a text."""
    end = time.monotonic() + seconds
    while text not in path.read_text():
        if time.monotonic() > end:
            pytest.fail(f"{path} has no {text!r} after {seconds} s: {path.read_text()}")
        time.sleep(0.02)
