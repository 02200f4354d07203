"""Powers for jobs, over the socket that ``brine run`` gives them: in Python, and in a shell."""

from __future__ import annotations

import contextlib
import os
import queue
import resource
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import brine
from brine import _power_host
from brine._guest.cbor import decode, encode
from brine._power_server import MAX_PATH_BYTES
from conftest import in_child, wait_until
from programs import program
from sandbox_kit import Tagged, refuse_without_confinement

PROJECT = Path(__file__).parent.parent.parent


class Orders:
    """An object of the operator's."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def get(self, number: int) -> float:
        """Return what an order costs."""
        self.asked.append(number)
        return 12.5


def page_script(word: str) -> str:
    """Return the shell script of docs/powers.md that has a word."""
    page = (PROJECT / "docs/powers.md").read_text()
    scripts = [part.partition("```")[0] for part in page.split("```sh\n")[1:]]
    (found,) = [script for script in scripts if word in script]
    return found


@pytest.fixture
def operator(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of somebody who has a key, and runs what is signed with it."""
    refuse_without_confinement()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRINE_HOME", str(home))
    paths = [os.path.dirname(program("brine")), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(paths))
    if not (home / "keys").exists():
        subprocess.run(["brinekey", "gen", "--no-passphrase"], check=True, capture_output=True)
    policy = '[[allow]]\nsigners = ["default"]\npowers = ["orders"]\n'
    Path("policy.toml").write_text(policy)
    return tmp_path


def run(script: str) -> str:
    """Run a line of a shell that ends well, and return its output."""
    done = subprocess.run(
        ["sh", "-ec", script], check=False, capture_output=True, text=True, timeout=50
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_shell_reads_the_page_and_uses_a_power(operator: Path) -> None:
    orders = Orders()
    with brine.PowerServer("orders.sock", {"orders": brine.Power(orders, ["get"])}):
        shown = run(page_script("read_message"))
    # An array of three: return, 1, and 12.5 in eight bytes.
    assert shown.split() == ["83", "02", "01", "fb", "40", "29", "00", "00", "00", "00", "00", "00"]
    assert orders.asked == [7]


def test_the_job_of_the_page_takes_no_revocation_for_its_answer(operator: Path) -> None:
    power = brine.Power(Orders(), ["get"])
    power.revoke()
    with brine.PowerServer("orders.sock", {"orders": power}):
        shown = bytes.fromhex(run(page_script("read_message")))
    said = [3, 1, "PowerError", "power-revoked: the power was revoked"]
    assert decode(shown, Tagged) == said


def test_a_worker_serves_powers_as_the_page_says(operator: Path) -> None:
    with brine.PowerServer("orders.sock", {"orders": brine.Power(Orders(), ["get"])}):
        shown = run(page_script("read_message"))
    python = f"ln -sf {sys.executable} python3; PATH=$PWD:$PATH"
    assert run(f"{python}; {page_script('shop:powers')} wait") == shown


def test_a_job_in_python_uses_a_power(operator: Path) -> None:
    ends: list[BaseException | None] = []
    orders = Orders()
    Path("script.py").write_text("from brine.guest import power\nprint(power().get(7))\n")
    directory = Path(brine.__file__).parent.parent
    shown = [f"--system={path}" for path in {sys.prefix, sys.base_prefix, str(directory)}]
    command = f"brine run job --policy policy.toml --power orders=orders.sock {' '.join(shown)} -- {sys.executable} -"
    ended = threading.Event()

    def end(why: BaseException | None) -> None:
        ends.append(why)
        ended.set()

    with brine.PowerServer(
        "orders.sock", lambda: {"orders": brine.Power(orders, ["get"])}, on_end=end
    ):
        run("brine sign --job --grant power=orders script.py > job")
        for _ in range(2):
            ended.clear()
            assert run(command) == "12.5\n"
            assert ended.wait(20)
    assert ends == [None, None]
    assert not Path("orders.sock").exists()


def test_a_job_that_says_what_none_says_loses_its_powers(operator: Path) -> None:
    ends: list[Any] = []
    ended = threading.Event()

    def end(why: BaseException | None) -> None:
        ends.append(why)
        ended.set()

    with brine.PowerServer("orders.sock", {"orders": brine.Power(Orders(), ["get"])}, on_end=end):
        Path("job.sh").write_text("printf '\\377\\377\\377\\377' >&3; cat <&3 | wc -c")
        line = "brine sign --job --grant power=orders job.sh | brine run --policy policy.toml --power orders=orders.sock -- sh"
        assert int(run(line)) > 0
        assert ended.wait(20)
    assert "a message is too large" in str(ends[0])


def test_nobody_else_can_connect(tmp_path: Path) -> None:
    with brine.PowerServer(tmp_path / "socket", {}) as server:
        assert server.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(brine.InputOutputError, match="another server listens there"):
        (tmp_path / "there").touch()
        brine.PowerServer(tmp_path / "there", {})


class Waits:
    """An object whose method waits for the job."""

    def each(self, function: Any) -> Any:
        """Call a function."""
        return function(1)


def ended_by(server: brine.PowerServer, ends: queue.SimpleQueue[Any], say: bytes) -> Any:
    """Say something to a server, and return what it says of the end."""
    with socket.socket(socket.AF_UNIX) as job:
        job.connect(str(server.path))
        if say:
            # Who says nothing may find that the server has hung up.
            job.sendall(say)
        return ends.get(timeout=20)


def test_a_method_does_not_wait_for_a_silent_job_for_ever(tmp_path: Path) -> None:
    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
    waits = brine.Power(Waits(), ["each"], takes_functions=["each"])
    call = encode([1, 1, 1, "each", [Tagged(["function", 1])], {}], list)
    with brine.PowerServer(tmp_path / "s", {"w": waits}, seconds=0.3, on_end=ends.put) as server:
        say = len(call).to_bytes(4, "big") + call
        assert isinstance(ended_by(server, ends, say), TimeoutError)


def test_a_method_waits_for_all_functions_of_a_call_together(tmp_path: Path) -> None:
    class Asks:
        def each(self, function: Any) -> None:
            for _ in range(30):
                function()

    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
    asks = brine.Power(Asks(), ["each"], takes_functions=["each"])
    with (
        brine.PowerServer(tmp_path / "s", {"asks": asks}, seconds=0.5, on_end=ends.put) as server,
        socket.socket(socket.AF_UNIX) as job,
    ):
        job.connect(str(server.path))
        call = encode([1, 1, 1, "each", [Tagged(["function", 1])], {}], list)
        job.sendall(len(call).to_bytes(4, "big") + call)
        with contextlib.suppress(OSError):
            for number in range(1, 31):
                # It answers each function in less time than a call may take.
                time.sleep(0.1)
                answer = encode([2, number, None], list)
                job.sendall(len(answer).to_bytes(4, "big") + answer)
        assert isinstance(ends.get(timeout=20), TimeoutError)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_a_thread_is_told_as_the_end_of_a_job(
    tmp_path: Path, kind: type[BaseException]
) -> None:
    def leave() -> Any:
        raise kind("left")

    class Leaves:
        get = staticmethod(leave)

    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with brine.PowerServer(tmp_path / "names", leave, on_end=ends.put) as server:
        assert type(ended_by(server, ends, b"")) is kind
    power = brine.Power(Leaves(), ["get"])
    with brine.PowerServer(tmp_path / "method", {"it": power}, on_end=ends.put) as server:
        call = encode([1, 1, 1, "get", [], {}], list)
        assert type(ended_by(server, ends, len(call).to_bytes(4, "big") + call)) is kind


def test_a_worker_is_told_what_ends_a_job(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    def leave() -> Any:
        raise SystemExit("left")

    with _power_host._server(tmp_path / "s", "own", leave) as server:
        with socket.socket(socket.AF_UNIX) as job:
            job.connect(str(server.path))
            assert job.recv(1) == b""
        wait_until(lambda: said.append(capsys.readouterr().err) or "SystemExit" in "".join(said))
    assert "".join(said) == "brine: the power own: SystemExit: left\n"


def test_a_path_where_nobody_could_connect_is_refused(tmp_path: Path) -> None:
    # A name may be short where the directory is not, and the other way round.
    room = MAX_PATH_BYTES - len(os.fsencode(tmp_path)) - 1
    deep = tmp_path / ("d" * (room - 2 - len("/s"))) / "s"
    deep.parent.mkdir()
    for path in (tmp_path / ("s" * (room + 1)), deep, deep.with_name("s" * 100)):
        with pytest.raises(brine.UsageError, match="is too long for a socket") as refused:
            brine.PowerServer(path, {})
        assert refused.value.reason == "usage"
        assert list(path.parent.glob("*s*")) == []
    with (
        brine.PowerServer(tmp_path / ("s" * room), {}) as server,
        socket.socket(socket.AF_UNIX) as job,
    ):
        job.connect(str(server.path))
        assert job.recv(4)


def test_a_server_closes_also_where_its_directory_is_gone(tmp_path: Path) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    server = brine.PowerServer(directory / "s", {})
    server.path.unlink()
    directory.rmdir()
    directory.write_text("a file")
    server.close()
    assert not server._thread.is_alive()
    assert directory.read_text() == "a file"


def test_names_that_cannot_be_given_are_told(tmp_path: Path) -> None:
    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with brine.PowerServer(tmp_path / "a", lambda: {"x": 1 // 0}, on_end=ends.put) as server:
        assert isinstance(ended_by(server, ends, b""), ZeroDivisionError)
    with brine.PowerServer(tmp_path / "b", lambda: {"x": object()}, on_end=ends.put) as server:
        assert "neither data nor a power" in str(ended_by(server, ends, b""))
    with pytest.raises(brine.UsageError, match="neither data nor a power"):
        brine.PowerServer(tmp_path / "c", {"x": object()})
    with pytest.raises(brine.UsageError, match="expected a mapping"):
        brine.PowerServer(tmp_path / "c", [1])  # type: ignore[arg-type]


def test_a_fork_ends_nothing_of_its_parent(tmp_path: Path) -> None:
    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with brine.PowerServer(tmp_path / "s", {}, on_end=ends.put) as server:
        assert in_child(server.close) == 0
        assert server.path.exists()
        assert "a message is too large" in str(ended_by(server, ends, b"\xff" * 4))


def test_a_server_outlasts_a_time_without_descriptors(tmp_path: Path) -> None:
    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with brine.PowerServer(tmp_path / "s", {}, on_end=ends.put) as server:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket(socket.AF_UNIX) as job:
            used = len(os.listdir("/proc/self/fd")) - 1
            resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
            job.connect(str(server.path))
            time.sleep(0.3)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            job.sendall(b"\xff" * 4)
            assert "a message is too large" in str(ends.get(timeout=20))


MODULE = """
import brine

class Orders:
    def __init__(self):
        self.asked = 0
    def get(self, number):
        print("on the standard output of a host, which says nothing to the worker")
        self.asked += 1
        return self.asked

shared = brine.Power(Orders(), ["get"])

class Shop:
    powers = {
        "orders": shared,
        "own": lambda: {"orders": brine.Power(Orders(), ["get"]), "most": 7},
    }

wrong = {"orders": 5}
"""


def test_a_worker_serves_the_powers_of_a_module(operator: Path) -> None:
    Path("shop.py").write_text(MODULE)
    # Nothing here is taken for the package.
    Path("brine.py").write_text("raise ImportError('this is not the package')")
    Path("policy.toml").write_text(
        '[[allow]]\nsigners = ["default"]\npowers = ["orders", "own"]\nreplies = ["reply/*"]\n'
    )
    Path("job.py").write_text(
        "from brine.guest import power, powers\nprint(power(3).get(1), powers(4)['orders'].get(1))\n"
    )
    shown = {sys.prefix, sys.base_prefix, str(Path(brine.__file__).parent.parent)}
    system = " ".join(f"--system={path}" for path in sorted(shown))
    python = f"ln -sf {sys.executable} python3; PATH=$PWD:$PATH"
    said = run(
        f"{python}; mkdir tmp; TMPDIR=$PWD/tmp brine work --powers shop:Shop.powers --policy policy.toml --wait 20s {system}"
        f" sqlite:q?queue=work -- {sys.executable} - 2> errors & worker=$!;"
        " call='brine call --wait 30s --grant power=own --grant power=orders sqlite:q?queue=work job.py';"
        " $call; $call; kill $worker; wait $worker || true; cat errors"
    )
    # What one job has for itself begins anew in the next.
    assert said.startswith("1 1\n2 1\n"), said
    assert said.count("on the standard output of a host") == 4
    assert list(Path("tmp").iterdir()) == []


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("none:powers", "ModuleNotFoundError: No module named 'none'"),
        ("shop:none", "AttributeError: module 'shop' has no attribute 'none'"),
        ("shop", "UsageError: expected MODULE:OBJECT"),
        (
            "shop:Shop",
            'UsageError: expected a mapping from names of powers, like {"orders": power}, and not type',
        ),
        ("shop:wrong", "UsageError: names: expected a mapping"),
    ],
)
def test_a_worker_says_why_it_cannot_serve(operator: Path, named: str, why: str) -> None:
    Path("shop.py").write_text(MODULE)
    line = f"ln -sf {sys.executable} python3; PATH=$PWD:$PATH brine work --powers {named} sqlite:q?queue=work -- sh 2>&1 || true"
    said = run(line)
    assert f'the powers of "{named}" cannot be served: {why}' in said, said


def test_a_server_takes_the_place_of_one_that_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for left in ("nothing", "a socket"):
        with brine.PowerServer(path, {}):
            pass
        if left == "a socket":
            with socket.socket(socket.AF_UNIX) as leftover:
                leftover.bind(str(path))
            with brine.PowerServer(path, {}):
                assert path.is_socket()
                with pytest.raises(brine.InputOutputError, match="another server listens there"):
                    brine.PowerServer(path, {})
    path.write_text("precious")
    with pytest.raises(brine.InputOutputError, match="another server listens there"):
        brine.PowerServer(path, {})
    assert path.read_text() == "precious"


def test_a_server_is_closed_while_all_its_places_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brine._power_server.MAX_GUESTS", 1)
    work, go_on = threading.Event(), threading.Event()

    class Slow:
        def get(self) -> None:
            work.set()
            go_on.wait(30)

    server = brine.PowerServer(tmp_path / "s", {"slow": brine.Power(Slow(), ["get"])})
    call = encode([1, 1, 1, "get", [], {}], list)
    with socket.socket(socket.AF_UNIX) as one, socket.socket(socket.AF_UNIX) as other:
        one.connect(str(server.path))
        one.sendall(len(call).to_bytes(4, "big") + call)
        assert work.wait(20)
        other.connect(str(server.path))
        start = time.monotonic()
        server.close()
        assert time.monotonic() - start < 10
    go_on.set()


def test_a_server_removes_its_own_socket_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    server = brine.PowerServer("s", {})
    Path("s").unlink()
    with brine.PowerServer("s", {}) as other:
        server.close()
        assert other.path.is_socket()
    server = brine.PowerServer("s", {})
    Path("s").unlink()
    Path("s").write_text("precious")
    server.close()
    assert Path("s").read_text() == "precious"
    Path("s").unlink()
    server = brine.PowerServer("s", {})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    server.close()
    assert list(tmp_path.glob("s")) == []
    # A link to a leftover is somebody's.
    with socket.socket(socket.AF_UNIX) as leftover:
        leftover.bind(str(tmp_path / "old"))
    (tmp_path / "link").symlink_to(tmp_path / "old")
    with pytest.raises(
        brine.InputOutputError, match="another server listens there, or it is no socket"
    ):
        brine.PowerServer(tmp_path / "link", {})
    assert (tmp_path / "link").is_symlink()


def test_of_servers_that_start_at_once_one_has_the_place(tmp_path: Path) -> None:
    for _ in range(20):
        with socket.socket(socket.AF_UNIX) as leftover:
            leftover.bind(str(tmp_path / "s"))
        made: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def make(made: queue.SimpleQueue[Any] = made) -> None:
            try:
                made.put(brine.PowerServer(tmp_path / "s", {}))
            except brine.InputOutputError as error:
                made.put(error)

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        found = [made.get(timeout=20) for _ in threads]
        servers = [one for one in found if isinstance(one, brine.PowerServer)]
        assert len(servers) == 1, found
        with socket.socket(socket.AF_UNIX) as job:
            job.connect(str(tmp_path / "s"))
            assert job.recv(4)
        servers[0].close()
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("first", "then"),
    [(b"\0\x01\0\0", b"\0"), (b"", b"\0\0\0\x0b\x86\x01\x01\x01\x63get\x81\x07\xa0")],
    ids=["byte by byte", "calls"],
)
def test_a_guest_that_says_something_else_does_not_hold_a_method_for_ever(
    tmp_path: Path, first: bytes, then: bytes
) -> None:
    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
    waits = brine.Power(Waits(), ["each"], takes_functions=["each"])
    call = encode([1, 1, 1, "each", [Tagged(["function", 1])], {}], list)
    with brine.PowerServer(tmp_path / "s", {"w": waits}, seconds="1s", on_end=ends.put) as server:
        with socket.socket(socket.AF_UNIX) as job:
            job.connect(str(server.path))
            job.sendall(len(call).to_bytes(4, "big") + call + first)
            start = time.monotonic()
            while time.monotonic() - start < 20 and ends.empty():
                with contextlib.suppress(OSError):
                    job.sendall(then)
                    job.setblocking(False)
                    job.recv(1 << 16)
                time.sleep(0.05)
        assert isinstance(ends.get(timeout=5), TimeoutError)
        assert time.monotonic() - start < 10


def test_a_server_outlasts_a_time_without_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with brine.PowerServer(tmp_path / "s", {}, on_end=ends.put) as server:
        start = threading.Thread.start

        def fail(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", fail)
        assert "can't start new thread" in str(ended_by(server, ends, b""))
        monkeypatch.setattr(threading.Thread, "start", start)
        assert "a message is too large" in str(ended_by(server, ends, b"\xff" * 4))


STUBBORN = """
import atexit, brine, os, signal, threading, time
from pathlib import Path

signal.signal(signal.SIGTERM, signal.SIG_IGN)
atexit.register(time.sleep, 600)
threading.Thread(target=time.sleep, args=(600,)).start()

class Orders:
    def get(self): return 1

powers = {"orders": brine.Power(Orders(), ["get"])}
Path("pid").write_text(str(os.getpid()))
if os.environ.get("HANGS"):
    time.sleep(600)
"""


@pytest.mark.parametrize("hangs", ["", "1"])
@pytest.mark.parametrize("how", ["TERM", "KILL"])
def test_a_host_ends_with_its_worker(operator: Path, how: str, hangs: str) -> None:
    Path("stubborn.py").write_text(STUBBORN)
    run(
        f"ln -sf {sys.executable} python3; mkdir tmp; PATH=$PWD:$PATH TMPDIR=$PWD/tmp HANGS={hangs}"
        " brine work --powers stubborn:powers sqlite:q?queue=work -- sh 2> errors & worker=$!;"
        f" until test -s pid; do sleep 0.05; done; sleep 0.3; kill -{how} $worker; wait $worker || true"
    )
    pid = int(Path("pid").read_text())
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 20)
    if how != "KILL" and not hangs:
        assert list(Path("tmp").iterdir()) == []
