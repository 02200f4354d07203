"""The package as it is installed: what importing it brings along, what it leaves behind, and its programs."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

import brine

PROJECT = Path(__file__).parent.parent.parent

HEAVY = ["asyncio", "cloudpickle", "concurrent", "dataclasses", "importlib.metadata", "inspect"]
HEAVY += ["multiprocessing", "numpy", "pathlib", "socket", "subprocess", "tempfile"]
"""Modules that take milliseconds to import, each of which a program without queues or arrays can do without."""


def python(script: str) -> str:
    """Run a script in an interpreter of its own, and return what it prints."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stderr
    return done.stdout


def program(name: str, *arguments: str, data: bytes = b"") -> bytes:
    """Run one of the programs beside this interpreter, and return its output."""
    command = [str(Path(sysconfig.get_path("scripts"), name)), *arguments]
    done = subprocess.run(command, check=False, input=data, capture_output=True, timeout=50)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def distribution() -> importlib.metadata.Distribution:
    """The installed wheel. Where the package is used from its sources, there is none."""
    if "BRINE_TEST_INSTALLED" not in os.environ:
        pytest.skip("the package is not installed; scripts/test-python installs it")
    assert Path(brine.__file__).is_relative_to(sys.prefix)
    return importlib.metadata.distribution("brine-sign")


def test_versions_are_the_same_everywhere() -> None:
    package = tomllib.loads((PROJECT / "python/Cargo.toml").read_text())["package"]
    workspace = tomllib.loads((PROJECT / "Cargo.toml").read_text())["workspace"]
    assert brine.__version__ == package["version"] == workspace["package"]["version"]


def test_a_panic_in_a_release_is_an_exception() -> None:
    release = tomllib.loads((PROJECT / "python/Cargo.toml").read_text())["profile"]["release"]
    assert release["panic"] == "unwind"


def test_import_brings_no_heavy_module_along() -> None:
    script = (
        "import sys; before = set(sys.modules); import brine; print(*set(sys.modules) - before)"
    )
    modules = python(script).split()
    assert "brine._brine" in modules
    heavy = [m for m in modules if any(m == heavy or m.startswith(heavy + ".") for heavy in HEAVY)]
    assert heavy == []


def test_every_public_name_is_there() -> None:
    assert sorted(brine.__all__) == brine.__all__
    missing = [name for name in brine.__all__ if not hasattr(brine, name)]
    assert missing == []
    assert set(brine.__all__) <= set(dir(brine))


USE = """
import os, threading, brine
key = brine.Key.generate()
trust = brine.Trust.of({"alice": key.public})
for size in (1, 1 << 10, 3 << 20):
    envelope = brine.sign(bytes(size), key=key)
    assert len(brine.verify(envelope, trust=trust).payload) == size
"""

# A thread is joined a moment before the system has let go of it.
COUNT = """
import time
for _ in range(100):
    tasks = len(os.listdir("/proc/self/task"))
    if tasks == 1:
        break
    time.sleep(0.02)
print(threading.active_count(), tasks)
"""


USE_QUEUE = """
import multiprocessing
for start in ("fork", "forkserver", "spawn"):
    ctx = multiprocessing.get_context(start)
    queue = brine.SignedQueue(ctx=ctx)
    process = ctx.Process(target=queue.put, args=("from a child",))
    process.start()
    assert queue.get(timeout=40) == "from a child"
    process.join()
    queue.put("from here")
    assert queue.get(timeout=40) == "from here"
    queue.close()
    queue.join_thread()
"""


@pytest.mark.parametrize("use", [USE, USE + USE_QUEUE], ids=["bytes", "queues"])
def test_no_thread_is_left_behind(use: str) -> None:
    assert python(use + COUNT).split() == ["1", "1"]


def test_the_count_of_threads_sees_one() -> None:
    wait = "\nend = threading.Event(); threading.Thread(target=end.wait, daemon=True).start()"
    assert python(USE + wait + COUNT).split() == ["2", "2"]


SUBINTERPRETER = """
import os, sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
{first}
end, begin = os.pipe()
script = '''
import os
try:
    import {module}
    said = "imported"
except ImportError as error:
    said = f"ImportError: {{error}}"
os.write(%d, said.encode())
''' % begin
interpreters.run_string({create}, script)
print(os.read(end, 1000).decode())
"""

ISOLATED = "interpreters.create()"
"""With a GIL of its own, from CPython 3.12 on."""

SHARING = (
    "interpreters.create('legacy')"
    if sys.version_info >= (3, 13)
    else "interpreters.create(isolated=False)"
)
"""With the GIL of the main interpreter, as programs that embed Python make them."""


@pytest.mark.parametrize("create", [ISOLATED, SHARING])
def test_a_subinterpreter_is_refused(create: str) -> None:
    script = SUBINTERPRETER.format(first="import brine", module="brine", create=create)
    said = python(script)
    assert said.startswith("ImportError: ")
    assert "subinterpreters" in said


def test_a_subinterpreter_can_import_what_supports_it() -> None:
    script = SUBINTERPRETER.format(first="import json", module="json", create=ISOLATED)
    assert python(script) == "imported\n"


def test_the_interpreter_can_import_it_again() -> None:
    again = "import sys, brine; del sys.modules['brine._brine'], sys.modules['brine']; import brine"
    assert python(f"{again}; print(len(brine.Key.generate().id))") == "64\n"


EXTRAS = ["code", "numpy", "arq", "celery", "dramatiq", "huey", "rq", "taskiq"]


def test_the_wheel_says_what_it_is(distribution: importlib.metadata.Distribution) -> None:
    metadata = distribution.metadata
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0 OR MIT"
    assert metadata.get_all("License-File") == ["LICENSE-APACHE", "LICENSE-MIT"]
    assert metadata.get_all("Provides-Extra") == EXTRAS
    required = distribution.requires or []
    assert all("extra ==" in requirement for requirement in required)


def test_the_wheel_is_whole(distribution: importlib.metadata.Distribution) -> None:
    installed = {file.name for file in distribution.files or []}
    package = PROJECT / "python/brine"
    sources = {
        str(file.relative_to(package)) for file in package.rglob("*.py*") if file.suffix != ".pyc"
    }
    paths = {str(file).removeprefix("brine/") for file in distribution.files or []}
    assert "_guest/peer.py" in sources
    assert sources <= paths
    assert {"LICENSE-APACHE", "LICENSE-MIT", "_brine.abi3.so", "py.typed"} <= installed


def test_the_programs_are_of_the_same_version(
    distribution: importlib.metadata.Distribution,
) -> None:
    for name in ("brine", "brinekey"):
        assert program(name, "--version").decode() == f"{name} {distribution.version}\n"


def test_the_programs_verify_what_the_package_signs(
    distribution: importlib.metadata.Distribution, home: Path
) -> None:
    assert program("brine", "verify", data=brine.sign(b"from Python")) == b"from Python"
    assert brine.verify(program("brine", "sign", data=b"from a pipe")).payload == b"from a pipe"


@pytest.mark.skipif(sys.platform != "linux", reason="jobs are confined on Linux")
def test_the_program_confines_jobs(
    distribution: importlib.metadata.Distribution, home: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("for the job's eyes not")
    script = f"cat {secret} 2> /dev/null || echo confined".encode()
    job = program("brine", "sign", "--job", data=script)
    assert program("brine", "run", "--", "sh", data=job) == b"confined\n"
