"""Rules by the module that code comes from: what they refuse, and what brine itself does under them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Self

import pytest

import brine
from sandbox_kit import refuse_without_confinement

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="sys.monitoring is new in CPython 3.12"
)

ALL = ["class", "def", "del", "for", "import", "raise", "try", "while", "with"]


@pytest.fixture(autouse=True)
def confined() -> None:
    refuse_without_confinement()


class Desk:
    """An object of the host."""

    def get(self) -> int:
        """Return a number."""
        return 7

    def make(self) -> Desk:
        """Return another one."""
        return Desk()

    def each(self, function: Callable[[], Any]) -> Any:
        """Call a function."""
        return function()

    def stubborn(self, function: Callable[[], Any]) -> str:
        """Call a function again and again, whatever it raises."""
        for _ in range(3):
            try:
                function()
            except Exception:  # noqa: BLE001, S112
                continue
        return "went on"

    def fail(self) -> None:
        """Raise something."""
        raise ValueError("no")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __iter__(self) -> Iterator[int]:
        return iter([1, 2])


DESK = brine.Facet(["get"])
EACH = brine.Facet(["__next__"])


def desk() -> brine.Power:
    return brine.Power(
        Desk(),
        ["get", "make", "each", "stubborn", "fail", "__enter__", "__exit__", "__iter__"],
        returns={"make": DESK, "__enter__": DESK, "__iter__": EACH},
        takes_functions=["each", "stubborn"],
    )


def refused(sandbox: brine.Sandbox, code: str) -> tuple[str, int | None]:
    """Return the message and the line of what is refused, by which the guest ends."""
    with pytest.raises(brine.RuleError) as raised:
        sandbox.evaluate(code)
    error = raised.value
    assert (error.rule, error.column) == ("code-from", None)
    with pytest.raises(brine.UsageError, match="the guest has ended"):
        sandbox.evaluate("1")
    return error.message, error.line


STRICT: list[dict[str, Any]] = [
    {"code_from": []},
    {"code_from": ["math"]},
    {
        "no_code_from": [
            *("_imp", "ast", "brine", "codecs", "collections", "contextlib", "importlib", "io"),
            *("linecache", "os", "pickle", "re", "threading", "traceback", "types", "warnings"),
            *("weakref", "encodings", "functools", "enum", "copyreg", "cloudpickle", "abc"),
        ]
    },
]


@pytest.mark.parametrize("rules", STRICT, ids=["none", "one", "not what brine uses"])
class TestWhatBrineDoesItself:
    """No rule about the code of modules holds for what brine does for the guest."""

    def test_code_is_evaluated_again_and_again(self, rules: dict[str, Any]) -> None:
        with brine.Sandbox(operations=ALL, **rules) as one:
            for _ in range(3):
                assert one.evaluate("def f(n): return n and f(n - 1)\nx = '\\d'\nf(9)") == 0
                with pytest.raises(brine.RuleError) as raised:
                    one.evaluate("x = (")
                assert raised.value.rule == "syntax"
                with pytest.raises(brine.RuleError) as raised:
                    one.evaluate("global x")
                assert raised.value.rule == "operations"

    def test_exceptions_are_told(self, rules: dict[str, Any]) -> None:
        with brine.Sandbox({"desk": desk()}, ALL, **rules) as one:
            for code, kind in (
                ("1 / 0", "ZeroDivisionError"),
                ("absent", "NameError"),
                ("().absent", "AttributeError"),
                ("import absent", "ModuleNotFoundError"),
                ("try: 1 / 0\nexcept ArithmeticError: ().absent", "AttributeError"),
                ("raise ExceptionGroup('several', [KeyError('a')])", "ExceptionGroup"),
                ("desk.fail()", "ValueError"),
                ("object()", "PowerError"),
            ):
                if kind == "PowerError":
                    with pytest.raises(brine.RemoteError, match="power-data"):
                        one.evaluate(code)
                    continue
                with pytest.raises(brine.RemoteError) as raised:
                    one.evaluate(code)
                assert raised.value.type == kind
                assert 'File "<guest>", line' in raised.value.traceback

    def test_powers_are_used_and_dropped(self, rules: dict[str, Any]) -> None:
        with brine.Sandbox({"desk": desk()}, ALL, **rules) as one:
            for _ in range(2):
                assert one.evaluate("desk.make().get() + desk.each(lambda: 1)") == 8
                assert one.evaluate("with desk as one: x = one.get()\n[x, *desk]") == [7, 1, 2]
                caught = "try: desk.fail()\nexcept ValueError as error: x = str(error)\nx"
                assert one.evaluate(caught) == "no"
            assert one._guest.given() < 4

    def test_modules_are_imported(self, rules: dict[str, Any]) -> None:
        with brine.Sandbox(operations=ALL, modules=["decimal", "json", "math"], **rules) as one:
            assert one.evaluate("import math, decimal\nfrom math import pi\nround(pi)") == 3
            assert one.evaluate("from json import decoder\nimport json.tool as t\nt.__name__")

    def test_functions_travel_with_their_code(self, rules: dict[str, Any]) -> None:
        pytest.importorskip("cloudpickle")
        with brine.Sandbox(**rules) as one:
            assert [one.call(lambda n: n + 1, n) for n in range(3)] == [1, 2, 3]


WAYS = {
    "a call": "time.sleep(0)",
    "what a method calls": "desk.each(lambda: time.sleep(0))",
    "what a method calls again": "desk.stubborn(lambda: time.sleep(0))",
    "what a method calls inside of another": "desk.stubborn(lambda: desk.each(lambda: time.sleep(0)))",
    "what comes after that": "desk.each(lambda: 1)\ntime.sleep(0)",
    "the text of an exception": "class E(Exception):\n    def __str__(self): return str(time.sleep(0))\nraise E",
    "the notes of an exception": "class E(Exception):\n    @property\n    def __notes__(self): return time.sleep(0)\nraise E",
    "the name of a context manager's exception": "class E(Exception):\n    def __str__(self): return str(time.sleep(0))\nwith desk: raise E",
    "a finalizer": "class E:\n    def __del__(self): time.sleep(0)\ne = E()\ne.me = e\ndel e\ngc.collect()",
    "a type": "itertools.count()",
    "what looks for a module": "class F:\n    def find_spec(self, *_): time.sleep(0)\nsys.meta_path.insert(0, F())\nimport decimal",
    "what brine does unwatched": "sys.modules['brine._guest.origins'].unwatched(lambda: time.sleep(0))",
    "what brine does unwatched, in C": "sys.modules['brine._guest.origins'].unwatched(time.time)",
    "what brine does unwatched, of a module": "sys.modules['brine._guest.origins'].unwatched(lambda: textwrap.dedent(''))",
    "what brine does unwatched, in a thread": "run = sys.modules['brine._guest.origins'].unwatched\nt = threading.Thread(target=run, args=(lambda: time.sleep(0),))\nt.start()\nt.join()",
    "what is asked of a value": "class A:\n    @property\n    def __class__(self): return time.sleep(0)\nA()",
    "what is asked of a function's value": "class A:\n    @property\n    def __class__(self): return time.sleep(0)\ndesk.stubborn(lambda: A())",
    "a pickle": "import pickle\nclass A:\n    def __reduce__(self): return textwrap.dedent, ('',)\ndesk._brine_host.root.call(pickle.dumps(A()), [], {})",
    "a pickle in a thread": "import pickle\nclass A:\n    def __reduce__(self): return textwrap.dedent, ('',)\nt = threading.Thread(target=desk._brine_host.root.call, args=(pickle.dumps(A()), [], {}))\nt.start()\nt.join()",
    "a finally": "try: time.sleep(0)\nfinally: x = 1",
    "a thread": "t = threading.Thread(target=lambda: time.sleep(0))\nt.start()\nt.join()",
    "a thread that does only that": "t = threading.Thread(target=textwrap.dedent, args=('',))\nt.start()\nt.join()",
}


@pytest.mark.parametrize("code", WAYS.values(), ids=WAYS)
def test_no_way_leads_around_it(code: str) -> None:
    modules = [
        "decimal",
        "gc",
        "itertools",
        "json",
        "pickle",
        "sys",
        "textwrap",
        "threading",
        "time",
    ]
    banned = ["itertools", "textwrap", "time"]
    power = brine.Power(
        Desk(),
        ["each", "stubborn", "__enter__", "__exit__"],
        returns={"__enter__": DESK},
        takes_functions=["each", "stubborn"],
        reentrant=True,
    )
    with brine.Sandbox({"desk": power}, ALL, modules, no_code_from=banned) as one:
        one.evaluate("import gc, itertools, sys, textwrap, threading, time\ngc.disable()")
        assert "may not run" in refused(one, code)[0]


def test_looking_runs_nothing_of_the_guest() -> None:
    """What ran there would not be looked at."""
    code = (
        "ran = []\n"
        "class Kind(type):\n"
        "    __mro__ = property(lambda self: ran.append('mro'))\n"
        "    __dict__ = property(lambda self: ran.append('dict'))\n"
        "    __module__ = property(lambda self: ran.append('module'))\n"
        "    __flags__ = property(lambda self: ran.append('flags'))\n"
        "class Callable(metaclass=Kind):\n"
        "    __class__ = property(lambda self: ran.append('class'))\n"
        "    def __call__(self): return 1\n"
        "class Map(dict, metaclass=Kind):\n"
        "    def get(self, key): return super().get(key)\n"
        "Callable()()\n"
        "get = Map().get\nget(1)\ndict.get(Map(), 1)\nitems = Map().items\nitems()\n"
        "ran"
    )
    for rules in ({"no_code_from": ["time"]}, {"code_from": []}):
        with brine.Sandbox(operations=ALL, **rules) as one:
            assert one.evaluate(code) == []


def test_a_rule_that_is_broken_very_deep_is_told() -> None:
    code = (
        "import time\ndef f(n):\n    try: f(n + 1)\n    except RecursionError: time.sleep(0)\nf(0)"
    )
    with brine.Sandbox(operations=ALL, modules=["time"], no_code_from=["time"]) as one:
        assert refused(one, code)[1] == 4


def test_a_thread_that_breaks_the_rule_while_another_calls_says_so() -> None:
    code = (
        "import threading, time\nt = threading.Thread(target=lambda: time.sleep(0))\n"
        "desk.each(lambda: t.start() or t.join())"
    )
    with brine.Sandbox({"desk": desk()}, ALL, ["threading", "time"], no_code_from=["time"]) as one:
        with pytest.raises(brine.GuestError) as raised:
            one.evaluate(code)
        assert raised.value.reason == "guest-ended"
        assert "'sleep' of the module 'time' may not run" in raised.value.__notes__[0]


def test_the_line_is_that_of_the_code_of_the_guest() -> None:
    rules: dict[str, Any] = {
        "operations": ALL,
        "modules": ["json"],
        "no_code_from": ["json.decoder"],
    }
    with brine.Sandbox(**rules) as one:
        one.evaluate("import json")
        message, line = refused(one, "x = 1\n\ndef f():\n    return json.loads('[')\nf()")
        assert (line, message) == (
            4,
            "line 4: 'JSONDecoder.decode' of the module 'json.decoder' may not run",
        )


def test_a_function_of_a_module_is_judged_when_it_is_called() -> None:
    with brine.Sandbox(code_from=["json"]) as one:
        assert one.call(json.dumps, [1]) == "[1]"
    with (
        brine.Sandbox(code_from=["math"]) as one,
        pytest.raises(brine.RuleError, match="'dumps' of the module 'json' may not run"),
    ):
        one.call(json.dumps, [1])


@pytest.mark.parametrize(
    ("named", "code"),
    [
        ("socket", "import socket\nsocket.gethostname()"),
        ("os", "import os\nos.getpid()"),
        ("os", "import os\nos.path.join('a', 'b')"),
        ("os.path", "import os\nos.path.join('a', 'b')"),
        ("random", "import random\nrandom.random()"),
        ("collections", "import collections\ncollections.deque()"),
        ("itertools", "import itertools\nitertools.count()"),
        ("decimal", "import decimal\ndecimal.Decimal(1)"),
        ("json", "import json.decoder\njson.decoder.scanstring('a\"', 0)"),
        ("re", "import re\nre.compile('a')"),
    ],
)
def test_a_module_is_named_with_its_half_in_c(named: str, code: str) -> None:
    modules = ["collections", "decimal", "itertools", "json", "os", "random", "re", "socket"]
    with brine.Sandbox(operations=ALL, modules=modules, no_code_from=[named]) as one:
        assert "may not run" in refused(one, code)[0]
    if named not in {"re", "os.path"}:
        assert (
            brine.safe_eval(f"{code}\n1", operations=ALL, modules=modules, code_from=[named]) == 1
        )


def test_code_of_no_file_is_of_no_module() -> None:
    code = "import collections\nN = collections.namedtuple('N', 'a')\nN(1).a"
    rules: dict[str, Any] = {"operations": ["import"], "modules": ["collections"]}
    assert brine.safe_eval(code, no_code_from=["string"], **rules) == 1
    with pytest.raises(brine.RuleError, match="of the module '<string>' may not run"):
        brine.safe_eval(code, no_code_from=["<string>"], **rules)
