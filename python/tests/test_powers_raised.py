"""What is raised at one end arrives at the other as what it was, and threads of a guest use powers in turn."""

from __future__ import annotations

import builtins
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

import brine
import brine.guest
from brine._guest.peer import LostError
from brine._power_table import Guest
from sandbox_kit import refuse_without_confinement

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = ["class", "def", "for", "import", "raise", "try", "while"]
MORE_THAN_TEXT = {
    "ExceptionGroup",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeTranslateError",
}
BUILTIN = sorted(
    name
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception) and name not in MORE_THAN_TEXT
)


@pytest.fixture(autouse=True)
def confined() -> None:
    refuse_without_confinement()


class Desk:
    """An object of the host."""

    def fail(self, name: str) -> None:
        """Raise an exception of Python."""
        raise getattr(builtins, name)("the text")

    def fail_in_own_way(self, way: str) -> None:
        """Raise what is made of more than a text."""
        if way == "file":
            open("/nowhere/at/all")  # noqa: SIM115
        if way == "decode":
            b"\xff".decode()
        if way == "group":
            raise ExceptionGroup("several", [ValueError("one")])
        raise Desk.OwnError("its own")

    class OwnError(Exception):
        """An exception of the host's own."""

    def each(self, function: Callable[[], Any]) -> Any:
        """Call a function."""
        return function()

    def echo(self, value: Any) -> Any:
        """Return what is given."""
        return value


def desk() -> brine.Power:
    return brine.Power(
        Desk(), ["fail", "fail_in_own_way", "each", "echo"], takes_functions=["each"]
    )


CAUGHT = (
    "def caught(work):\n"
    "    try: work()\n"
    "    except BaseException as e:\n"
    "        return [type(e).__name__, str(e), getattr(e, 'kind', None), getattr(e, 'reason', None)]"
)


def test_exceptions_of_python_arrive_in_the_guest_as_what_they_were() -> None:
    with brine.Sandbox({"desk": desk()}, ALL) as one:
        one.evaluate(CAUGHT)
        for name in BUILTIN:
            raised = getattr(builtins, name)("the text")
            found = one.evaluate("caught(lambda: desk.fail(name))", name=name)
            assert found[:2] == [type(raised).__name__, str(raised)]


@pytest.mark.parametrize(
    ("way", "name", "text", "kind"),
    [
        (
            "file",
            "FileNotFoundError",
            "[Errno 2] No such file or directory: '/nowhere/at/all'",
            None,
        ),
        (
            "decode",
            "Thrown",
            "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
            "UnicodeDecodeError",
        ),
        ("group", "Thrown", "ExceptionGroup: several (1 sub-exception)", "ExceptionGroup"),
        ("own", "Thrown", f"{__name__}.Desk.OwnError: its own", f"{__name__}.Desk.OwnError"),
    ],
)
def test_what_no_text_makes_arrives_with_its_name(
    way: str, name: str, text: str, kind: str | None
) -> None:
    with brine.Sandbox({"desk": desk()}, ALL) as one:
        one.evaluate(CAUGHT)
        found = one.evaluate("caught(lambda: desk.fail_in_own_way(way))", way=way)
        assert found[:3] == [name, text, kind]
        with pytest.raises(brine.RemoteError) as raised:
            one.evaluate("desk.fail_in_own_way(way)", way=way)
        assert raised.value.type == (kind or name)


@pytest.mark.parametrize(
    ("statement", "name", "text"),
    [
        ("raise KeyError('a')", "KeyError", "'a'"),
        ("raise ValueError('a')", "ValueError", "a"),
        ("raise SystemExit(3)", "Thrown", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "Thrown", "KeyboardInterrupt"),
        ("raise GeneratorExit", "Thrown", "GeneratorExit"),
        ("raise PowerError('power-own', 'of the guest')", "PowerError", "of the guest"),
        ("class Own(Exception): pass\n    raise Own('a')", "Thrown", "__guest__.f.<locals>.Own: a"),
        (
            "desk.echo(1)",
            "PowerError",
            "a method of the host runs, and this power waits for its end",
        ),
    ],
)
def test_what_a_function_of_the_guest_raises_comes_back_as_what_it_was(
    statement: str, name: str, text: str
) -> None:
    with brine.Sandbox({"desk": desk()}, ALL) as one:
        one.evaluate(CAUGHT)
        one.evaluate(f"def f():\n    {statement}")
        assert one.evaluate("caught(lambda: desk.each(f))")[:2] == [name, text]
        assert one.evaluate("desk.each(lambda: 1)") == 1


def test_the_reason_of_a_power_error_is_told() -> None:
    with brine.Sandbox({"desk": desk().limited(calls=0)}) as one:
        with pytest.raises(brine.RemoteError) as raised:
            one.evaluate("desk.echo(1)")
        assert raised.value.type == "PowerError"
        assert raised.value.text == "power-spent: the power has no calls left"


def test_a_traceback_shows_each_exception_and_nothing_of_brine() -> None:
    code = (
        "def f():\n    try: 1 / 0\n    except ArithmeticError as e:\n"
        "        raise KeyError('k') from e\n"
        "try: f()\nexcept KeyError:\n    e = ValueError('several')\n    e.__notes__ = ['a note']\n"
        "    raise ExceptionGroup('group', [e])"
    )
    with pytest.raises(brine.RemoteError) as raised:
        brine.safe_eval(code, operations=ALL)
    assert raised.value.traceback == (
        "Traceback (most recent call last):\n"
        '  File "<guest>", line 2, in f\n'
        "ZeroDivisionError: division by zero\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        "Traceback (most recent call last):\n"
        '  File "<guest>", line 5, in <module>\n'
        '  File "<guest>", line 4, in f\n'
        "KeyError: 'k'\n\n"
        "During handling of the above exception, another exception occurred:\n\n"
        "Traceback (most recent call last):\n"
        '  File "<guest>", line 9, in <module>\n'
        "ExceptionGroup: group (1 sub-exception)\n"
        "  | ValueError: several\n"
        "  | a note"
    )


def test_threads_of_a_job_use_its_powers_in_turn() -> None:
    ours, theirs = socket.socketpair()
    host = Guest(lambda: ours.recv(1 << 16), ours.sendall)

    def serve() -> None:
        host.hello({"desk": desk()})
        try:
            while True:
                host.serve_one()
        except LostError:
            pass

    serving = threading.Thread(target=serve)
    serving.start()
    given = brine.guest.powers(theirs.fileno())["desk"]
    wrong: list[Any] = []

    def use(number: int) -> None:
        for count in range(200):
            asked = [number, count]
            try:
                answers = [given.echo(asked), given.each(lambda asked=asked: asked)]
            except BaseException as error:  # noqa: BLE001
                answers = [error]
            wrong.extend(answer for answer in answers if answer != asked)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
        theirs.close()
        serving.join()
        ours.close()
    assert wrong == []


def test_threads_of_a_sandbox_use_its_powers_while_something_is_evaluated() -> None:
    code = (
        "import threading\nfound = []\n"
        "def use(number):\n    for count in range(50): found.append(desk.echo((number, count)))\n"
        "threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]\n"
        "for thread in threads: thread.start()"
    )
    with brine.Sandbox({"desk": desk()}, ALL, ["threading"]) as one:
        one.evaluate(code)
        for _ in range(50):
            assert one.evaluate("desk.echo(1)") == 1
        one.evaluate("for thread in threads: thread.join()")
        expected = [(number, count) for number in range(4) for count in range(50)]
        assert one.evaluate("sorted(found)") == expected
