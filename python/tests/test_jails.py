"""Ways out of jails of Python: what each reaches by the rules of the language alone, and that none reaches anything with all layers.

Run as a program, it writes the table of docs/powers.md.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine
from brine._guest.cbor import encode
from brine._guest.language import STATEMENTS
from brine._guest_process import BOOT
from brine._power_table import Guest
from jails import JAILS
from sandbox_kit import refuse_without_confinement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODULES = ["collections", "json", "string"]
SECRET = "a-secret-of-the-host"

HARVEST = """
def open_of(found):
    if callable(found) and getattr(found, "__name__", "") == "open":
        return found
    if type(found) is list:
        for one in found:
            inner = getattr(getattr(one, "__init__", None), "__globals__", None)
            if inner:
                return open_of(inner)
    space = found if type(found) is dict else getattr(found, "__dict__", {})
    if "open" in space and "O_RDONLY" not in space:
        return space["open"]
    inner = space.get("__builtins__") or space.get("builtins")
    if inner:
        return open_of(inner)
    return open_of(space["__init__"].__globals__) if "__init__" in space else None
def harvest(found):
    try:
        opened = open_of(found)
    except BaseException as error:
        return "nothing", ""
    if opened is None:
        return "nothing", ""
    try:
        return "file", opened(secret_path).read()
    except BaseException as error:
        return "builtins", type(error).__name__
"""


class Vault:
    """An object of the host."""

    secret = SECRET

    def get(self, number: int) -> int:
        """Return a number."""
        return number


def attempts() -> list[tuple[str, str]]:
    """List all ways, with their kinds."""
    return [(kind, code) for kind, codes in JAILS.items() for code in codes]


@pytest.fixture(scope="module")
def secret_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a secret, which this user alone reads."""
    path = tmp_path_factory.mktemp("secrets") / "secret"
    path.touch(0o600)
    path.write_text(SECRET)
    return path


def tried(evaluate: Callable[[str], Any], code: str, secret_path: Path) -> tuple[str, str]:
    """Try a way out, and return what it reached: nothing, builtins or the file."""
    try:
        evaluate(HARVEST + f"\nsecret_path = {str(secret_path)!r}")
        statements, _, last = code.rpartition("\n")
        reached, told = evaluate(f"{statements}\nharvest({last})")
    except brine.JobError as error:
        return "nothing", getattr(error, "type", "") or error.reason
    return reached, told


@contextlib.contextmanager
def unconfined() -> Iterator[Callable[[str], Any]]:
    """Have the same guest without any confinement: what holds it is the rules of the language alone."""
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    setup = {
        "operations": sorted(STATEMENTS),
        "modules": MODULES,
        "builtins": None,
        "code_from": None,
        "no_code_from": [],
        "recursion": 500,
    }
    package = str(Path(brine.__file__).parent)
    place = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])"
    guest_command = [sys.executable, "-I", "-c", BOOT, package]
    command = [sys.executable, "-I", "-c", place, str(theirs.fileno()), *guest_command]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    ) as process:
        theirs.close()
        assert process.stdin is not None
        process.stdin.write(encode(setup, list))
        process.stdin.close()
        guest = Guest(lambda: ours.recv(1 << 16), ours.sendall)
        guest.hello({"power": brine.Power(Vault(), ["get"])})

        def evaluate(code: str) -> Any:
            try:
                answer = guest.call(0, "evaluate", [code, {}], {})
            except Exception as error:
                raise brine.JobError(str(error), reason="guest-ended") from error
            if "value" not in answer:
                raise brine.JobError(str(answer), reason="raised")
            return answer["value"]

        try:
            yield evaluate
        finally:
            ours.close()
            process.kill()


def reached_by_rules(code: str, secret_path: Path) -> str:
    """Return what a way out reaches if only the rules of the language are there."""
    with unconfined() as evaluate:
        return tried(evaluate, code, secret_path)[0]


def test_there_are_a_hundred_of_all_kinds() -> None:
    assert len(attempts()) >= 100
    assert len({code for _, code in attempts()}) == len(attempts())
    assert len(JAILS) >= 16


@pytest.mark.parametrize(("kind", "code"), attempts())
def test_no_way_out_reaches_anything_with_all_layers(
    kind: str, code: str, secret_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_without_confinement()
    monkeypatch.setenv("BRINE_TEST_SECRET", SECRET)
    vault = Vault()
    with brine.Sandbox(
        {"power": brine.Power(vault, ["get"])}, STATEMENTS, MODULES, wall="20s"
    ) as one:
        reached, told = tried(one.evaluate, code, secret_path)
    assert reached != "file", kind
    assert SECRET not in told
    # Whoever has the builtins of the guest has nothing that the guest does not have.
    assert reached == "nothing" or told in {"FileNotFoundError", "PermissionError"}, told


def test_a_guest_with_everything_of_its_interpreter_has_nothing_of_the_host(
    secret_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if all rules are broken, there is no file, no secret, no network and no object of the host."""
    refuse_without_confinement()
    monkeypatch.setenv("BRINE_TEST_SECRET", SECRET)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.5)
        port = listener.getsockname()[1]
        with brine.Sandbox({"power": brine.Power(Vault(), ["get"])}, STATEMENTS) as one:
            one.evaluate(
                "real = len.__self__.__import__\nos, socket, gc = real('os'), real('socket'), real('gc')"
            )
            found = one.evaluate(
                f"def tried(f):\n    try:\n        return str(f())\n    except BaseException as e:\n        return type(e).__name__\n"
                f"[tried(lambda: real('io').open({str(secret_path)!r}).read()),"
                f"tried(lambda: os.environ), tried(lambda: socket.create_connection(('127.0.0.1', {port}), 1)),"
                "tried(lambda: [repr(o) for o in gc.get_objects() if 'Vault' in repr(type(o))]),"
                "tried(lambda: os.listdir('/proc')), tried(lambda: os.listdir('/root')), tried(lambda: os.fork())]"
            )
            with contextlib.suppress(TimeoutError):
                listener.accept()
                pytest.fail("the guest reached the network")
    assert SECRET not in json.dumps(found)
    assert "Vault" not in json.dumps(found)


def test_rules_alone_hold_nobody_who_means_it(secret_path: Path) -> None:
    """It is the process that holds: most ways lead out of the rules."""
    refuse_without_confinement()
    some = [codes[0] for codes in JAILS.values()]
    reached = [reached_by_rules(code, secret_path) for code in some]
    assert reached.count("file") > len(some) // 3


def write_table() -> None:
    """Write the table of docs/powers.md."""
    path = Path(tempfile.mkdtemp(), "secret")
    path.write_text(SECRET)
    print(
        "| kind | tried | with the rules alone: a file was read | builtins | nothing | with all layers |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    total = [0, 0, 0, 0]
    for kind, codes in JAILS.items():
        found = [reached_by_rules(code, path) for code in codes]
        row = [len(found), *(found.count(name) for name in ("file", "builtins", "nothing"))]
        total = [a + b for a, b in zip(total, row, strict=True)]
        print(f"| {kind} | " + " | ".join(map(str, row)) + " | nothing |")
    print("| all | " + " | ".join(map(str, total)) + " | nothing |")
    shutil.rmtree(path.parent)


if __name__ == "__main__":
    write_table()
