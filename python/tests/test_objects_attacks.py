"""Hostile pickles: each does its work under `pickle.loads`, and is refused, for its own reason, by `brine.loads`."""

from __future__ import annotations

import copyreg
import fractions
import io
import os
import pickle
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

import brine
from objects_kit import call, load_signed, named, refusal, text, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """A directory that is there once an attack has worked."""
    return tmp_path / "mark"


def classic(opcode: str) -> Callable[[str], bytes]:
    """Make a directory, by one of the opcodes that import."""
    return lambda path: {
        "GLOBAL": b"cos\nmkdir\n(V" + path.encode() + b"\ntR.",
        "INST": b"(V" + path.encode() + b"\nios\nmkdir\n.",
        "OBJ": b"(cos\nmkdir\nV" + path.encode() + b"\no.",
        "STACK_GLOBAL": whole(call("os", "mkdir", text(path))),
        "posix": whole(call("posix", "mkdir", text(path))),
    }[opcode]


def by_eval(path: str) -> bytes:
    return whole(call("builtins", "eval", text(f"__import__('os').mkdir({path!r})")))


def by_python2_name(path: str) -> bytes:
    return b"c__builtin__\neval\n(V__import__('os').mkdir(" + repr(path).encode() + b")\ntR."


def by_getattr_chain(path: str) -> bytes:
    """Reach a method of a class that is on the list, and call it."""
    mkdir = call("builtins", "getattr", named("pathlib", "PosixPath"), text("mkdir"))
    return whole(mkdir, b"(", call("pathlib", "PosixPath", text(path)), b"tR")


def by_dotted_name(path: str) -> bytes:
    return whole(
        named("pathlib", "PosixPath.mkdir"), b"(", call("pathlib", "PosixPath", text(path)), b"tR"
    )


def by_operator(path: str) -> bytes:
    """Let a listed class call a function that is not listed: a map, made to run by a deque."""
    mapped = call("builtins", "map", named("os", "mkdir"), b"(" + text(path) + b"t")
    return whole(call("collections", "deque", mapped))


def by_state_that_calls(path: str) -> bytes:
    """Give an object a method in its state, and let the loader call it."""
    partial = call("functools", "partial", named("os", "mkdir"))
    target = named("argparse", "Namespace") + b")\x81"
    state = b"}" + text("__setstate__") + partial + b"s"
    return whole(target, state, b"b", text(path), b"b")


def by_numpy(path: str) -> bytes:
    code = f"__import__('os').mkdir({path!r})"
    return whole(call("numpy.testing._private.utils", "runstring", text(code), b"}"))


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (classic("GLOBAL"), "import-not-allowed"),
        (classic("INST"), "import-not-allowed"),
        (classic("OBJ"), "import-not-allowed"),
        (classic("STACK_GLOBAL"), "import-not-allowed"),
        (classic("posix"), "import-not-allowed"),
        (by_eval, "import-not-allowed"),
        (by_python2_name, "import-not-allowed"),
        (by_getattr_chain, "import-not-allowed"),
        (by_dotted_name, "import-not-allowed"),
        (by_operator, "import-not-allowed"),
        (by_state_that_calls, "import-not-allowed"),
        (by_numpy, "import-not-allowed"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_pickle_that_runs_code(
    alice: brine.Key, mark: Path, attack: Callable[[str], bytes], reason: str
) -> None:
    data = attack(str(mark))
    pickle.loads(data)
    assert mark.is_dir(), "the attack works on pickle.loads"
    mark.rmdir()
    with refusal(reason, brine.UntrustedError):
        load_signed(alice, data, allow=["std", "numpy"])
    assert not mark.exists()


EXTENSION = 0x7E


@pytest.fixture
def warm_cache() -> Iterator[None]:
    """A process whose `copyreg` registry gives `os.mkdir` for a number, without a look at any name."""
    copyreg.add_extension("os", "mkdir", EXTENSION)
    copyreg._extension_cache[EXTENSION] = os.mkdir  # type: ignore[attr-defined]
    yield
    copyreg.remove_extension("os", "mkdir", EXTENSION)


@pytest.mark.parametrize(
    "opcode", [b"\x82\x7e", b"\x83\x7e\0", b"\x84\x7e\0\0\0"], ids=["EXT1", "EXT2", "EXT4"]
)
@pytest.mark.usefixtures("warm_cache")
def test_an_import_by_number(alice: brine.Key, mark: Path, opcode: bytes) -> None:
    data = whole(opcode, b"(", text(str(mark)), b"tR")

    class Restricted(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> object:
            raise AssertionError(module, name)

    Restricted(io.BytesIO(data)).load()
    assert mark.is_dir(), "the attack gets around find_class"
    mark.rmdir()
    with refusal("extension-registry", brine.UntrustedError):
        load_signed(alice, data)
    assert not mark.exists()


def test_a_persistent_id(alice: brine.Key) -> None:
    data = whole(text("id"), b"Q")

    class Lenient(pickle.Unpickler):
        def persistent_load(self, pid: object) -> object:
            return pid

    assert Lenient(io.BytesIO(data)).load() == "id"
    with refusal("persistent-id", brine.UntrustedError):
        load_signed(alice, data)


def test_a_buffer_that_is_elsewhere(alice: brine.Key) -> None:
    data = whole(b"\x97", protocol=5)
    assert pickle.loads(data, buffers=[b"x"]) == b"x"
    with refusal("out-of-band-buffer", brine.UntrustedError):
        load_signed(alice, data)


def test_a_change_of_what_was_imported(alice: brine.Key) -> None:
    """A state for a listed class would change it for the whole process."""
    state = b"N}" + text("hostile") + b"K\x01s\x86"
    data = whole(named("fractions", "Fraction"), state, b"b")
    pickle.loads(data)
    assert vars(fractions.Fraction).get("hostile") == 1
    del fractions.Fraction.hostile  # type: ignore[attr-defined]
    with refusal("changes-a-global", brine.UntrustedError):
        load_signed(alice, data)
    assert not hasattr(fractions.Fraction, "hostile")


def test_an_import_by_names_from_the_memo(alice: brine.Key) -> None:
    data = whole(text("os"), b"\x94", text("name"), b"\x94", b"h\0h\1\x93")
    assert pickle.loads(data) == os.name
    with refusal("import-not-allowed", brine.UntrustedError):
        load_signed(alice, data)


def test_a_memo_that_allocates(alice: brine.Key) -> None:
    data = whole(b"K\1r\xff\xff\x0f\x00")
    assert pickle.loads(data) == 1
    with refusal("memo-index", brine.AlteredError):
        load_signed(alice, data)


def test_a_second_pickle_behind_the_first(alice: brine.Key) -> None:
    data = pickle.dumps(1) + pickle.dumps(2)
    assert pickle.loads(data) == 1
    with refusal("trailing-bytes", brine.AlteredError):
        load_signed(alice, data)


def test_an_archive_of_good_pickles(alice: brine.Key, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data.pkl", pickle.dumps(1))
    assert brine.AllowList("std").scan(path.read_bytes()) == []
    with refusal("not-a-pickle", brine.UnsupportedError):
        load_signed(alice, path.read_bytes())


@pytest.mark.parametrize(
    "data", [b"", b"\x80", b"\x80\x04", b"K\1", b".", b"hello", b"\x80\x09K\1."]
)
def test_no_pickle_at_all(alice: brine.Key, data: bytes) -> None:
    with pytest.raises((EOFError, pickle.UnpicklingError, ValueError, IndexError)):
        pickle.loads(data)
    with pytest.raises(brine.Error) as refused:
        load_signed(alice, data)
    assert refused.value.reason in {
        "not-a-pickle",
        "truncated",
        "protocol-unknown",
        "stack-underflow",
    }


def nested(depth: int) -> bytes:
    return whole(b"]" * depth + b"a" * (depth - 1))


def test_nesting_has_an_end(alice: brine.Key) -> None:
    assert load_signed(alice, nested(900))
    assert pickle.loads(nested(100_000))
    with refusal("too-deep", brine.AlteredError):
        load_signed(alice, nested(100_000))


def test_too_deep_an_object_is_not_signed(alice: brine.Key) -> None:
    value: list[object] = []
    for _ in range(100_000):
        value = [value]
    with refusal("too-deep", brine.UsageError):
        brine.dumps(value, key=alice)


class Recursive:
    """A class whose state takes more depth than there is."""

    def __setstate__(self, state: object) -> None:
        self.__setstate__(state)


def test_a_recursion_in_a_listed_class_is_a_refusal(alice: brine.Key) -> None:
    data = whole(named(Recursive.__module__, "Recursive"), b")\x81K\1b")
    with pytest.raises(RecursionError):
        pickle.loads(data)
    with refusal("too-deep", brine.AlteredError):
        load_signed(alice, data, allow=[f"{Recursive.__module__}:Recursive"])


def test_a_name_that_is_listed_and_not_there(alice: brine.Key) -> None:
    for line in ("no_such_module:Name", "collections:NoSuchName"):
        module, name = line.split(":")
        with refusal("import-failed", brine.UnsupportedError):
            load_signed(alice, whole(named(module, name)), allow=[line])


def test_an_error_of_a_constructor_is_a_refusal(alice: brine.Key) -> None:
    data = whole(call("decimal", "Decimal", text("no number")))
    with refusal("load-failed", brine.AlteredError) as refused:
        load_signed(alice, data)
    assert isinstance(refused.value.__cause__, ArithmeticError)


def test_python_2_names_need_both_names_on_the_list(alice: brine.Key) -> None:
    data = b"c__builtin__\nxrange\n(I1\nI5\nI1\ntR."
    assert pickle.loads(data) == range(1, 5)
    assert load_signed(alice, data) == range(1, 5)
    for line in ("__builtin__:xrange", "builtins:range"):
        with refusal("import-not-allowed", brine.UntrustedError):
            load_signed(alice, data, allow=[line])
    with refusal("import-not-allowed", brine.UntrustedError):
        load_signed(alice, b"\x80\x02cbuiltins\nunicode\n.", allow="std")


def test_a_refusal_does_not_write_to_a_terminal(alice: brine.Key) -> None:
    escape = "\x1b[2J"
    for data in (
        whole(named(f"os{escape}", "system")),
        whole(named("os", f"system{escape}")),
        whole(call("builtins", "KeyError", text(escape))),
        whole(call("decimal", "Decimal", text(escape))),
        whole(call("fractions", "Fraction", text(escape))),
        whole(call("ipaddress", "IPv4Network", text(escape))),
    ):
        try:
            load_signed(alice, data)
        except brine.Error as error:
            assert str(error).replace("\n", "").isprintable(), str(error)


def test_an_audit_hook_sees_each_import(alice: brine.Key) -> None:
    seen: list[tuple[object, ...]] = []
    watching = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event == "pickle.find_class":
            seen.append(arguments)

    sys.addaudithook(hook)
    load_signed(alice, pickle.dumps({1, 2}, 2))
    watching = False
    assert seen == [("builtins", "set")]


class Unspeakable(Exception):
    """An exception that raises when it is asked what happened."""

    def __str__(self) -> str:
        raise ValueError("no words")


class Failing:
    """A class whose objects fail as their state says."""

    def __setstate__(self, state: str) -> None:
        raise {"memory": MemoryError, "words": Unspeakable}[state]()


@pytest.mark.parametrize(
    ("state", "reason", "kind"),
    [
        ("memory", "out-of-memory", brine.InputOutputError),
        ("words", "load-failed", brine.AlteredError),
    ],
)
def test_whatever_a_listed_class_raises_is_a_refusal(
    alice: brine.Key, state: str, reason: str, kind: type[brine.Error]
) -> None:
    line = f"{Failing.__module__}:Failing"
    data = whole(named(Failing.__module__, "Failing"), b")\x81", text(state), b"b")
    with pytest.raises((MemoryError, Unspeakable)):
        pickle.loads(data)
    with refusal(reason, kind):
        load_signed(alice, data, allow=[line])
