"""Evaluations in a guest: values, rules and their lines, limits, and what is left of it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

import brine
from conftest import wait_until
from sandbox_kit import refuse_without_confinement

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL = ["class", "def", "del", "for", "import", "raise", "try", "while", "with"]


@pytest.fixture(autouse=True)
def confined() -> None:
    refuse_without_confinement()


@pytest.fixture
def sandbox() -> Iterator[brine.Sandbox]:
    """A guest that may use most statements."""
    with brine.Sandbox(operations=ALL, modules=["math", "json", "time", "threading"]) as one:
        yield one


def broken(code: str, **rules: Any) -> tuple[str, int | None, int | None]:
    """Return which rule code breaks, and where."""
    with pytest.raises(brine.RuleError) as raised:
        brine.safe_eval(code, **rules)
    return raised.value.rule, raised.value.line, raised.value.column


class Named:
    """An object of the host."""

    def get(self) -> str:
        """Return a text."""
        return "from the host"


def test_the_line_of_the_wish() -> None:
    safeEval, obj = brine.safe_eval, brine.Power(Named(), ["get"])
    code = "import math\ndef f(n):\n    for i in range(n):\n        while True:\n            return name.get()\nf(1)"
    found = safeEval(
        code, ns={"name": obj}, operations=["import", "def", "for", "while"], modules=["math"]
    )
    assert found == "from the host"


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        7,
        -(2**64),
        2**200,
        1.5,
        "text ü",
        b"bytes",
        [1, [2]],
        {"a": {1: None}},
        (1, (2,)),
        {1, 2},
        frozenset({3}),
    ],
)
def test_data_is_copied_both_ways(sandbox: brine.Sandbox, value: Any) -> None:
    found = sandbox.evaluate("given", given=value)
    assert found == value
    assert type(found) is type(value)


def test_names_last_from_one_evaluation_to_the_next(sandbox: brine.Sandbox) -> None:
    assert sandbox.evaluate("x = 20\ndef f(y):\n    return x + y") is None
    assert sandbox.evaluate("f(y)", y=22) == 42
    assert sandbox.evaluate("y") == 22
    assert sandbox.evaluate("") is None


def test_a_function_travels_with_its_code(sandbox: brine.Sandbox) -> None:
    pytest.importorskip("cloudpickle")
    offset = 40
    assert sandbox.call(lambda number, *, more: offset + number + more, 1, more=1) == 42
    with pytest.raises(brine.RemoteError) as raised:
        sandbox.call(lambda: ()[offset])
    assert raised.value.type == "IndexError"


@pytest.mark.parametrize(
    ("code", "operation", "line", "column"),
    [
        ("assert 1", "assert", 1, 1),
        ("class A: pass", "class", 1, 1),
        ("1\n\nif 1:\n    def f(): pass", "def", 4, 5),
        ("x = 1\ndel x", "del", 2, 1),
        ("for i in []: pass", "for", 1, 1),
        ("global x", "global", 1, 1),
        ("import os", "import", 1, 1),
        ("from os import path", "import", 1, 1),
        ("match 1:\n    case 1: pass", "match", 1, 1),
        ("raise ValueError", "raise", 1, 1),
        ("try: pass\nfinally: pass", "try", 1, 1),
        ("while 0: pass", "while", 1, 1),
        ("with x: pass", "with", 1, 1),
    ],
)
def test_a_statement_that_is_not_listed_is_refused_before_anything_runs(
    code: str, operation: str, line: int, column: int
) -> None:
    others = [name for name in (*ALL, "assert", "global", "match") if name != operation]
    assert broken(code, operations=others) == ("operations", line, column)
    with pytest.raises(brine.RuleError, match=f"'{operation}' is not allowed"):
        brine.safe_eval(code, operations=others)


@pytest.mark.parametrize(
    "code",
    [
        "async def f(): pass",
        "def g():\n    async with a: pass",
        "[x async for x in a]",
    ],
)
def test_what_is_asynchronous_has_a_name_of_its_own(code: str) -> None:
    assert broken(code, operations=ALL)[0] in {"operations", "syntax"}


def test_code_that_does_not_parse_is_refused_with_its_place() -> None:
    assert broken("x = (\n1") == ("syntax", 1, 5)
    assert broken("x\n  y")[:2] == ("syntax", 2)
    assert broken("a\0b")[0] == "syntax"
    assert broken("(" * 100_000 + ")" * 100_000)[0] == "syntax"


def test_builtins_are_a_list(sandbox: brine.Sandbox) -> None:
    for name in (
        "open",
        "eval",
        "exec",
        "compile",
        "input",
        "breakpoint",
        "globals",
        "locals",
        "help",
    ):
        with pytest.raises(brine.RemoteError, match=f"NameError: name '{name}' is not defined"):
            sandbox.evaluate(name)
    assert brine.safe_eval("len('abc')", builtins=["len"]) == 3
    with pytest.raises(brine.RemoteError, match="name 'len' is not defined"):
        brine.safe_eval("len('abc')", builtins=[])


def test_import_finds_what_is_listed_and_what_is_below_it(sandbox: brine.Sandbox) -> None:
    assert sandbox.evaluate("import math, json.decoder\nmath.floor(1.5)") == 1
    for name in ("os", "sys", "socket", "jsonx", "js", ".json"):
        statement = f"from {name} import x" if name.startswith(".") else f"import {name}"
        with pytest.raises(brine.RemoteError) as raised:
            sandbox.evaluate(statement)
        assert raised.value.type in {"ModuleNotFoundError", "ImportError"}


def test_what_the_code_raises_is_told_with_its_line(sandbox: brine.Sandbox) -> None:
    with pytest.raises(brine.RemoteError) as raised:
        sandbox.evaluate("def f():\n    return 1 / 0\n\nf()")
    error = raised.value
    assert (error.type, error.text) == ("ZeroDivisionError", "division by zero")
    assert '"<guest>", line 2, in f' in error.traceback
    assert "brine" not in error.traceback
    for raised_kind in (
        "SystemExit(3)",
        "KeyboardInterrupt()",
        "BaseException('x')",
        "GeneratorExit",
    ):
        with pytest.raises(brine.RemoteError):
            sandbox.evaluate(f"raise {raised_kind}")
    assert sandbox.evaluate("1") == 1


def test_a_value_that_is_no_data_is_refused(sandbox: brine.Sandbox) -> None:
    for code in (
        "object()",
        "lambda: 1",
        "len",
        "[print]",
        "type",
        "(i for i in [])",
        "1j",
        "bytearray()",
    ):
        with pytest.raises(brine.RemoteError, match="power-data"):
            sandbox.evaluate(code)
    with pytest.raises(brine.RemoteError, match="nested more than 32"):
        sandbox.evaluate("x = []\nfor i in range(40): x = [x]\nx")
    with pytest.raises(brine.RemoteError, match="larger than 1048576 bytes"):
        sandbox.evaluate("'x' * 2000000")
    for value in (object(), Named(), lambda: 1, 1j, "\ud800"):
        with pytest.raises(brine.UsageError) as refused:
            sandbox.evaluate("x", x=value)
        assert refused.value.reason == "not-plain"
    assert sandbox.evaluate("2") == 2


def test_memory_is_bounded_and_the_host_goes_on() -> None:
    for code in (
        "x = ['x' * 1000000]\nwhile True: x.append(x[0] + str(len(x)))",
        "'x' * 10**12",
        "2 ** 10**10",
    ):
        with (
            brine.Sandbox(operations=["while"], memory="48MiB", wall="20s", cpu="10s") as one,
            pytest.raises((brine.JobMemoryError, brine.RemoteError)) as raised,
        ):
            one.evaluate(code)
        error = raised.value
        is_told = isinstance(error, brine.RemoteError) and error.type in {
            "MemoryError",
            "OverflowError",
        }
        assert is_told or isinstance(error, brine.JobMemoryError), error


def test_processor_time_is_bounded_in_all() -> None:
    with brine.Sandbox(operations=["while"], cpu="1s", wall="30s") as one:
        start = time.monotonic()
        with pytest.raises(brine.JobTimeoutError) as raised:
            one.evaluate("while True: pass")
        assert raised.value.reason == "out-of-processor-time"
        assert time.monotonic() - start < 20
        with pytest.raises(brine.UsageError, match="the guest has ended"):
            one.evaluate("1")


def test_each_evaluation_has_its_time() -> None:
    with brine.Sandbox(modules=["time"], operations=["import"], wall=timedelta(seconds=1)) as one:
        for _ in range(3):
            one.evaluate("import time\ntime.sleep(0.5)")
        with pytest.raises(brine.JobTimeoutError) as raised:
            one.evaluate("time.sleep(60)")
        assert raised.value.reason == "timed-out"


def test_a_guest_reaches_no_file_no_network_and_no_other_process() -> None:
    modules = ["os", "socket", "subprocess", "signal"]
    with brine.Sandbox(operations=ALL, modules=modules) as one:
        one.evaluate("import os, socket, subprocess, signal")
        for code in (
            "os.open('/etc/shadow', 0)",
            f"os.listdir({str(os.getcwd())!r})",
            "os.open('/usr/x', os.O_CREAT | os.O_WRONLY)",
            f"os.kill({os.getpid()}, 0)",
            "subprocess.run(['/bin/sh', '-c', 'cat /etc/shadow'], check=True)",
        ):
            with pytest.raises(brine.RemoteError) as raised:
                one.evaluate(code)
            assert raised.value.type in {
                "FileNotFoundError",
                "PermissionError",
                "OSError",
                "ProcessLookupError",
                "subprocess.CalledProcessError",
            }, (code, raised.value)
        assert one.evaluate("sorted(name for name in os.environ)") == [
            "HOME",
            "LC_CTYPE",
            "PATH",
            "TMPDIR",
        ]
    with (
        brine.Sandbox(operations=ALL, modules=modules) as one,
        pytest.raises((brine.RemoteError, brine.GuestError)),
    ):
        one.evaluate("import socket\nsocket.create_connection(('127.0.0.1', 22))")


def test_a_hostile_system_call_ends_the_guest() -> None:
    with brine.Sandbox(operations=["import"], modules=["ctypes"]) as one:
        with pytest.raises(brine.GuestError) as raised:
            # ptrace
            one.evaluate("import ctypes\nctypes.CDLL(None).ptrace(0, 0, 0, 0)")
        assert raised.value.reason == "violated"


def test_a_crash_ends_the_guest_alone() -> None:
    with brine.Sandbox(operations=["import"], modules=["ctypes"]) as one:
        with pytest.raises(brine.GuestError) as raised:
            one.evaluate("import ctypes\nctypes.string_at(0)")
        assert raised.value.reason == "guest-ended"


def test_a_guest_that_ends_itself_is_told() -> None:
    with brine.Sandbox(operations=["import"], modules=["os"]) as one:
        with pytest.raises(brine.GuestError) as raised:
            one.evaluate("import os\nos._exit(0)")
        assert raised.value.reason == "guest-ended"


def guests() -> set[int]:
    """Return the processes that this one has started, and theirs."""
    with subprocess.Popen(["ps", "-eo", "pid,ppid"], stdout=subprocess.PIPE, text=True) as listing:
        lines = listing.communicate()[0].splitlines()[1:]
    parents = {int(a): int(b) for a, b in (line.split() for line in lines)}
    del parents[listing.pid]
    ours = {os.getpid()}
    while more := {one for one, parent in parents.items() if parent in ours} - ours:
        ours |= more
    return ours


def test_nothing_is_left_of_a_guest() -> None:
    before = guests()
    with brine.Sandbox(operations=ALL, modules=["threading", "time"]) as one:
        one.evaluate(
            "import threading, time\nthreading.Thread(target=lambda: time.sleep(100)).start()"
        )
        assert guests() > before
    wait_until(lambda: guests() == before)


def test_a_guest_outlives_the_thread_that_started_it() -> None:
    found: list[brine.Sandbox] = []
    thread = threading.Thread(target=lambda: found.append(brine.Sandbox()))
    thread.start()
    thread.join()
    time.sleep(0.3)
    with found[0] as one:
        assert one.evaluate("6 * 7") == 42


def test_arguments_that_make_no_sense_are_refused() -> None:
    with pytest.raises(brine.UsageError, match="there is no 'lambda'"):
        brine.safe_eval("1", operations=["lambda"])
    with pytest.raises(brine.UsageError, match="expected a list"):
        brine.safe_eval("1", operations="import")
    with pytest.raises(
        brine.UsageError, match='expected a size like 65536, 64KiB or 256MiB, and not "64MB"'
    ):
        brine.safe_eval("1", memory="64MB")
    for bad in ({"cpu": "2 parsecs"}, {"wall": "soon"}):
        with pytest.raises(brine.UsageError):
            brine.safe_eval("1", **bad)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="it can be asked for there")
def test_origins_of_code_take_a_newer_python() -> None:
    for rules in ({"code_from": ["math"]}, {"no_code_from": ["socket"]}):
        with pytest.raises(brine.UnsupportedError, match=r"take CPython 3\.12 or later"):
            brine.safe_eval("1", **rules)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in CPython 3.12")
class TestOrigins:
    """Policy by the module that code comes from."""

    def test_code_of_a_module_does_not_run_wherever_it_is_reached(self) -> None:
        rules = {"operations": ALL, "modules": ["http", "json"], "no_code_from": ["socket"]}
        reach = "import http.client\n"
        assert brine.safe_eval(f"{reach}http.client.OK.value", **rules) == 200
        for code in (
            "http.client.socket.create_connection(('127.0.0.1', 1))",
            "http.client.HTTPConnection('127.0.0.1', 1).connect()",
            "try:\n    http.client.socket.getfqdn()\nexcept BaseException:\n    pass",
            "type(f)(http.client.socket.getfqdn.__code__, {})('x')",
        ):
            with pytest.raises(
                brine.RuleError, match="of the module 'socket' may not run"
            ) as raised:
                brine.safe_eval(f"{reach}def f(): pass\n{code}", **rules)
            assert raised.value.rule == "code-from"

    def test_functions_in_c_go_by_their_module(self) -> None:
        rules = {"operations": ["import"], "modules": ["math", "time"], "no_code_from": ["time"]}
        assert brine.safe_eval("import math\nmath.floor(1.5)", **rules) == 1
        with pytest.raises(brine.RuleError, match="'sleep' of the module 'time' may not run"):
            brine.safe_eval("import time\ntime.sleep(0)", **rules)

    def test_only_code_of_some_modules_runs(self) -> None:
        rules = {"operations": ALL, "modules": ["json", "string"], "code_from": ["json", "_json"]}
        assert brine.safe_eval("import json\njson.loads('[1]')", **rules) == [1]
        with pytest.raises(brine.RuleError, match="may not run"):
            brine.safe_eval("import string\nstring.capwords('a b')", **rules)

    def test_a_guest_that_broke_the_rule_has_ended(self) -> None:
        with brine.Sandbox(operations=ALL, modules=["time"], no_code_from=["time"]) as one:
            code = "import time\ntry:\n    time.time()\nexcept BaseException:\n    pass\n1"
            with pytest.raises(brine.RuleError):
                one.evaluate(code)
            with pytest.raises(brine.UsageError, match="the guest has ended"):
                one.evaluate("1")


def test_a_guest_that_hangs_up_and_goes_on_is_ended() -> None:
    code = "import os, time, socket\nsocket.socket(fileno=3).shutdown(2)\ntime.sleep(60)"
    with brine.Sandbox(operations=["import"], modules=["os", "time", "socket"], wall="2s") as one:
        start = time.monotonic()
        with pytest.raises(brine.GuestError) as raised:
            one.evaluate(code)
        assert raised.value.reason == "guest-ended"
        assert time.monotonic() - start < 8


def test_what_a_guest_complains_of_changes_no_terminal() -> None:
    code = "import os\nos.write(2, b'\\x1b[31mred')\nos._exit(3)"
    with (
        brine.Sandbox(operations=["import"], modules=["os"]) as one,
        pytest.raises(brine.GuestError) as raised,
    ):
        one.evaluate(code)
    assert not any("\x1b" in note for note in raised.value.__notes__)


def test_guests_serve_other_threads_when_the_main_one_has_ended() -> None:
    script = (
        "import brine, threading, time\n"
        "one = brine.Sandbox()\n"
        "def later():\n"
        "    time.sleep(0.5)\n"
        "    print(one.evaluate('6 * 7'), brine.safe_eval('1 + 1'))\n"
        "    one.close()\n"
        "threading.Thread(target=later).start()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=50
    )
    assert done.stdout == "42 2\n", done.stderr


@pytest.mark.parametrize(
    "bad",
    [
        {"wall": float("inf")},
        {"wall": float("nan")},
        {"wall": None},
        {"cpu": -5},
        {"memory": 1.5},
        {"memory": -1},
        {"memory": True},
        {"operations": [1, "for"]},
        {"operations": [["for"]]},
        {"builtins": ["lenn"]},
        {"ns": {1: 5}},
    ],
)
def test_what_no_argument_can_be_is_said(bad: dict[str, Any]) -> None:
    with pytest.raises(brine.UsageError):
        brine.safe_eval("1", **bad)


def test_a_guest_that_was_forgotten_ends() -> None:
    forgotten = [brine.Sandbox()]
    process = forgotten[0]._process
    assert process is not None

    def forget() -> None:
        forgotten.clear()
        gc.collect()

    with pytest.warns(ResourceWarning, match="not closed"):
        forget()
    assert process._process.wait(20) != 0
