"""File objects against those who cut, splice, alter and lie."""

from __future__ import annotations

import io
import itertools
import os
import pickle
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest

import brine
from conftest import in_child, wait_until
from test_files import stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEGMENTS = [b"first line\n", b"second line\n", b"third line\n"]


def parts(key: brine.Key, **options: Any) -> list[bytes]:
    """Return the segments of a stream, each as it stands there."""

    class Sink(list[bytes]):
        def write(self, data: bytes) -> None:
            self.append(data)

    sink = Sink()
    with brine.open(sink, "wb", key=key, **options) as file:
        for segment in SEGMENTS:
            file.write(segment)
            file.flush()
    return sink


def read(content: bytes, trust: brine.Trust, **options: Any) -> tuple[bytes, str]:
    """Read line by line, and return what there was, and why there is no more."""
    found = b""
    try:
        with brine.open(io.BytesIO(content), trust=trust, **options) as file:
            for line in file:
                found += line
    except brine.Error as error:
        return found, error.reason
    return found, "end"


def test_segments_are_told_apart(alice: brine.Key, trust: brine.Trust) -> None:
    whole = parts(alice)
    assert len(whole) == len(SEGMENTS) + 1
    assert read(b"".join(whole), trust) == (b"".join(SEGMENTS), "end")


@pytest.mark.parametrize("count", range(1, 4))
def test_a_cut_between_segments_is_no_end(count: int, alice: brine.Key, trust: brine.Trust) -> None:
    found, reason = read(b"".join(parts(alice)[:count]), trust)
    assert b"".join(SEGMENTS).startswith(found)
    assert reason == "stream-cut"


@pytest.mark.parametrize("order", [[0, 2, 1, 3], [0, 1, 1, 2, 3], [0, 2, 3], [1, 0, 2, 3], [0, 3]])
def test_segments_in_another_order_are_refused(
    order: list[int], alice: brine.Key, trust: brine.Trust
) -> None:
    whole = parts(alice)
    found, reason = read(b"".join(whole[at] for at in order), trust)
    assert b"".join(SEGMENTS).startswith(found)
    assert reason == "segment-form"


def test_two_streams_of_one_signer_are_not_spliced(alice: brine.Key, trust: brine.Trust) -> None:
    one, other = parts(alice), parts(alice)
    for at in range(1, len(one)):
        found, reason = read(b"".join([*one[:at], *other[at:]]), trust)
        assert b"".join(SEGMENTS).startswith(found)
        assert reason == "segment-form"
    assert read(b"".join([*one, *other]), trust)[1] == "trailing-bytes"


@pytest.mark.parametrize("more", [b"\0", b"x" * 1000, b"\n"])
def test_what_follows_the_end_is_refused(more: bytes, alice: brine.Key, trust: brine.Trust) -> None:
    assert read(b"".join(parts(alice)) + more, trust)[1] == "trailing-bytes"


def test_each_bit_counts(alice: brine.Key, trust: brine.Trust) -> None:
    whole = b"".join(parts(alice))
    for at in range(0, len(whole), 3):
        altered = bytearray(whole)
        altered[at] ^= 1 << (at % 8)
        found, reason = read(bytes(altered), trust)
        assert b"".join(SEGMENTS).startswith(found)
        assert reason != "end", at


def test_who_is_not_believed_is_not_read(
    alice: brine.Key, mallory: brine.Key, trust: brine.Trust
) -> None:
    whole = b"".join(parts(alice, context="files"))
    assert read(whole, trust, context="files") == (b"".join(SEGMENTS), "end")
    assert read(whole, trust, context="other") == (b"", "context-mismatch")
    assert read(whole, trust) == (b"", "context-unexpected")
    assert read(whole, trust, context="files", signer="bob") == (b"", "wrong-signer")
    assert read(b"".join(parts(mallory)), trust) == (b"", "unknown-signer")
    assert read(b"".join(parts(alice, expires="1h")), trust, now="2h") == (b"", "expired")
    assert read(b"".join(parts(alice, aad=b"x")), trust) == (b"", "signature-bad")


def test_a_signer_who_is_revoked_is_not_read_any_more(home: Path) -> None:
    """Trust is judged again for each segment."""
    whole = b"".join(parts(brine.Key.load()))
    file = brine.open(io.BytesIO(whole))
    assert file.raw.read(100) == SEGMENTS[0]
    trust = home / "trust.toml"
    content = trust.read_text()
    trust.write_text(content + "revoked-at = 2020-01-01T00:00:00Z\n")
    with pytest.raises(brine.UntrustedError) as caught:
        file.read()
    assert caught.value.reason == "signer-revoked"
    trust.write_text(content)
    with pytest.raises(brine.UntrustedError):
        file.read()


@pytest.mark.parametrize("threads", [1, 4])
def test_a_file_that_changes_while_it_is_read_gives_what_was_signed_or_raises(
    threads: int, tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path, content = tmp_path / "data", os.urandom(1 << 20) * 12
    with brine.open(path, "wb", key=alice) as file:
        file.write(content)
    with brine.open(path, trust=trust, threads=threads) as found:
        start = found.read(1000)
        with path.open("r+b") as writer:
            writer.seek(11 << 20)
            writer.write(b"evil")
        with pytest.raises(brine.AlteredError) as caught:
            while piece := found.read(100_000):
                start += piece
        assert caught.value.reason == "digest-mismatch"
        assert content.startswith(start)
        with pytest.raises(brine.AlteredError):
            found.read(1)


def test_a_large_envelope_that_changes_later_gives_what_verified(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path, content = tmp_path / "data", os.urandom(1 << 20) * 6
    path.write_bytes(brine.sign(content, key=alice))
    with brine.open(path, trust=trust) as found:
        path.write_bytes(b"")
        assert found.read() == content


class Liar:
    """A file object whose ``read`` says something else the third time."""

    def __init__(self, content: bytes, answer: Callable[[int], object]) -> None:
        self.content = io.BytesIO(content)
        self.answer = answer
        self.calls = itertools.count()

    def read(self, size: int) -> object:
        return self.content.read(size) if next(self.calls) < 20 else self.answer(size)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (lambda size: b"x" * (size + 1), brine.InputOutputError, "asks for fewer"),
        (lambda _: "text", TypeError, "binary mode"),
        (lambda _: None, brine.InputOutputError, "non-blocking mode"),
        (lambda _: 7, TypeError, "not int"),
    ],
)
def test_a_file_object_that_lies_is_an_error_each_time(
    answer: Callable[[int], object],
    kind: type[Exception],
    words: str,
    alice: brine.Key,
    trust: brine.Trust,
) -> None:
    file = brine.open(Liar(b"".join(parts(alice)), answer), trust=trust)
    for _ in range(3):
        with pytest.raises(kind, match=words):
            file.read()


def test_an_end_that_is_a_lie_is_a_cut(alice: brine.Key, trust: brine.Trust) -> None:
    file = brine.open(Liar(b"".join(parts(alice)), lambda _: b""), trust=trust)
    with pytest.raises(brine.AlteredError) as caught:
        file.read()
    assert caught.value.reason == "stream-cut"


@pytest.mark.parametrize("at", [0, 5, 20])
def test_what_a_file_object_raises_comes_through_as_it_is(
    at: int, alice: brine.Key, trust: brine.Trust
) -> None:
    raised = LookupError("of its own")

    class Raises(Liar):
        def read(self, size: int) -> object:
            if next(self.calls) >= at:
                raise raised
            return self.content.read(size)

    whole = b"".join(parts(alice))

    def read_all() -> None:
        file = brine.open(Raises(whole, lambda _: None), trust=trust)
        for _ in range(2):
            with pytest.raises(LookupError) as again:
                file.read()
            assert again.value is raised
        file.read()

    with pytest.raises(LookupError) as caught:
        read_all()
    assert caught.value is raised


def test_a_file_object_that_calls_back_is_an_error(alice: brine.Key, trust: brine.Trust) -> None:
    files: list[brine.SignedReader] = []

    class CallsBack(Liar):
        def read(self, size: int) -> object:
            if files:
                files[0].raw.readinto(bytearray(10))
            return self.content.read(size)

    source = CallsBack(b"".join(parts(alice)), lambda _: None)
    file = brine.open(source, trust=trust)
    files.append(file)
    with pytest.raises(RuntimeError, match="calls back"):
        file.read()


class Sink(io.RawIOBase):
    """A file object that answers in its own way."""

    def __init__(self, answer: Callable[[bytes], object]) -> None:
        self.answer = answer
        self.taken = b""

    def write(self, data: Any, /) -> Any:
        answer = self.answer(bytes(data))
        if isinstance(answer, int):
            self.taken += bytes(data)[:answer]
        return answer


def test_a_file_object_can_take_a_part(alice: brine.Key, trust: brine.Trust) -> None:
    sink = Sink(lambda data: min(len(data), 7))
    with brine.open(sink, "wb", key=alice) as file:
        file.write(b"content")
    assert read(sink.taken, trust) == (b"content", "end")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda _: None, "non-blocking mode"),
        (lambda data: len(data) + 1, "and says"),
        (lambda _: 0, "and says 0"),
        (lambda _: -1, "and says -1"),
        (lambda _: "all", "and says all"),
    ],
)
def test_a_sink_that_lies_is_an_error_and_gets_no_end(
    answer: Callable[[bytes], object], words: str, alice: brine.Key
) -> None:
    file = brine.open(Sink(answer), "wb", key=alice)
    file.write(b"content")
    for end in (file.flush, file.flush, file.close):
        with pytest.raises(brine.InputOutputError, match=words):
            end()
    assert file.closed


def test_a_sink_that_raises_once_gets_no_end(alice: brine.Key, trust: brine.Trust) -> None:
    raised = OSError("full")
    fails = [raised]

    def answer(data: bytes) -> int:
        if fails:
            raise fails.pop()
        return len(data)

    sink = Sink(answer)
    file = brine.open(sink, "wb", key=alice)
    file.write(b"content")
    with pytest.raises(OSError, match="full") as caught:
        file.flush()
    assert caught.value is raised
    # It would take more now, and there is a hole.
    with pytest.raises(OSError, match="full"):
        file.close()
    assert sink.taken == b""


def test_a_pipe_is_read_as_its_writer_writes(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    told = threading.Event()

    def write() -> None:
        with brine.open(path, "wb", key=alice) as file:
            file.write(b"one\n")
            file.flush()
            told.wait()
            file.write(b"two\n")

    thread = threading.Thread(target=write)
    thread.start()
    with brine.open(path, trust=trust) as found:
        assert found.readline() == b"one\n"
        told.set()
        assert found.read() == b"two\n"
    thread.join()


def test_a_pipe_whose_writer_fails_is_a_cut(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with pytest.raises(ZeroDivisionError), brine.open(path, "wb", key=alice) as file:
            file.write(b"one\n")
            file.flush()
            raise ZeroDivisionError

    thread = threading.Thread(target=write)
    thread.start()
    with brine.open(path, trust=trust) as found:
        assert found.readline() == b"one\n"
        with pytest.raises(brine.AlteredError) as caught:
            found.read()
        assert caught.value.reason == "stream-cut"
    thread.join()


def test_a_pipe_that_is_not_ready_is_an_error(alice: brine.Key, trust: brine.Trust) -> None:
    source, sink = os.pipe()
    os.set_blocking(source, False)
    with (
        os.fdopen(sink, "wb"),
        os.fdopen(source, "rb", buffering=0) as file,
        pytest.raises(brine.InputOutputError, match="non-blocking mode"),
    ):
        brine.open(file, trust=trust)


def test_ctrl_c_ends_a_read_that_waits(alice: brine.Key, trust: brine.Trust) -> None:
    """The signal comes while ``read`` waits, as Ctrl-C does."""
    source, sink = os.pipe()
    with os.fdopen(sink, "wb", buffering=0) as writer, os.fdopen(source, "rb") as reader:
        writer.write(b"".join(parts(alice)[:2]))
        file = brine.open(reader, trust=trust)
        assert file.readline() == SEGMENTS[0]
        before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
        try:
            main = threading.main_thread().ident
            assert main is not None
            timer = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGUSR1))
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                file.read()
            timer.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
        with pytest.raises(brine.InputOutputError, match="interrupted"):
            file.read()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_does_not_go_on_with_what_the_parent_opened(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path, content = tmp_path / "data", os.urandom(1 << 20) * 8
    with brine.open(path, "wb", key=alice, threads=2) as file:
        file.write(content[:1_000_000])

        def write() -> None:
            with pytest.raises(brine.UsageError, match="another process"):
                file.write(content)
            with pytest.raises(brine.UsageError, match="another process"):
                file.close()

        assert in_child(write) == 0
        file.write(content[1_000_000:])
    with brine.open(path, trust=trust, threads=2) as found:
        start = found.read(1000)

        def read_on() -> None:
            with pytest.raises(brine.UsageError, match="another process"):
                found.read()
            found.close()

        assert in_child(read_on) == 0
        assert start + found.read() == content


def threads_alive() -> int:
    return len(os.listdir("/proc/self/task"))


def test_no_thread_is_left_behind(tmp_path: Path, alice: brine.Key, trust: brine.Trust) -> None:
    path, content = tmp_path / "data", os.urandom(1 << 20) * 8
    before = threads_alive()
    with brine.open(path, "wb", key=alice, threads=4) as file:
        file.write(content)
        assert threads_alive() > before
    wait_until(lambda: threads_alive() <= before)
    file = brine.open(path, "wb", key=alice, threads=4)
    file.write(content)
    file.abandon()
    wait_until(lambda: threads_alive() <= before)
    found = brine.open(path, trust=trust, threads=4)
    assert found.read(10) == content[:10]
    assert threads_alive() > before
    found.close()
    wait_until(lambda: threads_alive() <= before)
    os.truncate(path, 5 << 20)
    with brine.open(path, trust=trust, threads=4) as found, pytest.raises(brine.AlteredError):
        found.read()
    wait_until(lambda: threads_alive() <= before)


def test_threads_share_a_reader_and_a_writer(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path = tmp_path / "data"
    records = [f"{number:07}\n".encode() for number in range(20_000)]
    with brine.open(path, "wb", key=alice) as file:

        def write(mine: list[bytes]) -> None:
            for number, record in enumerate(mine):
                file.write(record)
                if number % 1000 == 0:
                    file.flush()

        run_all([threading.Thread(target=write, args=(records[at::4],)) for at in range(4)])
    found: list[bytes] = []
    with brine.open(path, trust=trust) as reader:

        def take() -> None:
            found.extend(iter(reader.readline, b""))

        run_all([threading.Thread(target=take) for _ in range(3)])
    assert sorted(found) == records


def run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_what_is_closed_is_closed(tmp_path: Path, alice: brine.Key, trust: brine.Trust) -> None:
    path = tmp_path / "data"
    writer = brine.open(path, "wb", key=alice)
    writer.write(b"content")
    for _ in range(2):
        writer.close()
    reader = brine.open(path, trust=trust)
    for _ in range(2):
        reader.close()
    for use in (writer.flush, lambda: writer.write(b"x"), writer.tell):
        with pytest.raises(ValueError, match="closed"):
            use()
    for use in (reader.read, reader.readline, lambda: reader.read(1), reader.tell):
        with pytest.raises(ValueError, match="closed"):
            use()
    assert reader.verified.signer == "alice"
    writer.abandon()
    assert path.exists()


@pytest.mark.parametrize("mode", ["wb", "wt"])
def test_an_exception_in_the_block_leaves_what_was_there(
    mode: Any, tmp_path: Path, alice: brine.Key
) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"before")
    for error in (ZeroDivisionError, KeyboardInterrupt, SystemExit, GeneratorExit):
        with pytest.raises(error), brine.open(path, mode, key=alice) as file:
            file.write("x" if mode == "wt" else b"x")
            raise error
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["data"]


def test_misuse_is_refused_with_words(tmp_path: Path, alice: brine.Key, trust: brine.Trust) -> None:
    path = tmp_path / "data"
    for mode, options, words in [
        ("r", {}, '"rb" or "rt"'),
        ("w", {}, '"wb" or "wt"'),
        ("ab", {}, "has an end"),
        ("r+b", {}, "has an end"),
        ("xyz", {}, "is none of"),
        ("rb", {"key": alice}, "key: not for reading"),
        ("wb", {"trust": trust, "max_age": "1h"}, "max_age, trust: not for writing"),
        ("wb", {"threads": 0}, "threads must be at least 1"),
        ("rb", {"encoding": "utf-8"}, 'encoding: for text, as "rt"'),
    ]:
        with pytest.raises(brine.UsageError, match=words):
            brine.open(path, mode, **options)  # type: ignore[call-overload]
    with pytest.raises(brine.UsageError, match="max_memory must be at least 0"):
        brine.verified_path(path, trust=trust, max_memory=-1)
    with pytest.raises(brine.UsageError, match="a descriptor"):
        brine.open(3, trust=trust)
    with pytest.raises(TypeError, match="can read, not object"):
        brine.open(object(), trust=trust)
    with pytest.raises(IsADirectoryError):
        brine.open(tmp_path, trust=trust)
    path.write_bytes(brine.sign(b"x", key=alice, detached=True))
    with pytest.raises(brine.UsageError, match="lies beside its file"):
        brine.open(path, trust=trust)
    with pytest.raises(brine.Error, match="exists already"):
        brine.open(path, "xb", key=alice)
    assert os.listdir(tmp_path) == ["data"]


def test_what_decides_is_not_written_over(home: Path, alice: brine.Key) -> None:
    """A key or the trust file is as precious here as it is to ``brine sign -o``."""
    for path in (home / "trust.toml", home / "keys/default.key"):
        before = path.read_bytes()
        with pytest.raises(brine.UsageError) as caught:
            brine.open(path, "wb", key=alice)
        assert caught.value.reason == "precious-file"
        assert path.read_bytes() == before


def test_ctrl_c_ends_a_long_verification(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    """The signal is there before the work begins, and the work asks for signals between two pieces."""
    path = tmp_path / "data"
    path.write_bytes(brine.sign(bytes(32 << 20), key=alice))
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)
    try:
        for work in (brine.open, brine.verified_path):
            timer = threading.Timer(0, os.kill, (os.getpid(), signal.SIGUSR1))
            with pytest.raises(KeyboardInterrupt):
                timer.start()
                while True:
                    work(path, trust=trust).close()
            timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_it_has_no_descriptor_and_cannot_be_pickled(alice: brine.Key, trust: brine.Trust) -> None:
    file = brine.open(io.BytesIO(stream(alice, b"x")), trust=trust)
    for use in (file.fileno, lambda: file.seek(0)):
        with pytest.raises(io.UnsupportedOperation):
            use()
    with pytest.raises(TypeError):
        pickle.dumps(file)
