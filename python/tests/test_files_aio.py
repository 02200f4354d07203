"""Files under asyncio: awaited, cancelled, and given up."""

from __future__ import annotations

import asyncio
import io
import os
import threading
from typing import TYPE_CHECKING

import pytest

import brine
from brine import aio

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = b"one\ntwo\n" * 2_000


def test_what_is_written_is_read(tmp_path: Path, alice: brine.Key, trust: brine.Trust) -> None:
    path = tmp_path / "data.brine"

    async def work() -> None:
        async with aio.open(path, "wb", key=alice, context="aio") as file:
            await file.write(CONTENT[:10])
            await file.flush()
            await file.write(CONTENT[10:])
        async with aio.open(path, trust=trust, context="aio") as found:
            assert found.verified.signer == "alice"
            assert await found.readline() == b"one\n"
            assert await found.read(4) == b"two\n"
            assert await found.read() == CONTENT[8:]
        async with aio.open(path, "rt", trust=trust, context="aio") as text:
            assert [line async for line in text] == CONTENT.decode().splitlines(keepends=True)
        async with aio.open(path, trust=trust, context="aio") as found:
            assert await anext(found) == b"one\n"
            assert await found.read(2) == b"tw"
            assert await found.readline() == b"o\n"
            assert await found.read(len(CONTENT) - 12) == CONTENT[8:-4]
            assert [line async for line in found] == [b"two\n"]
        file = await aio.open(path, trust=trust, context="aio")
        assert await file.read(3) == b"one"
        await file.close()

    asyncio.run(work())


def test_messages_and_paths_are_awaited(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path = tmp_path / "data.brine"

    async def work() -> None:
        envelope = await aio.sign(CONTENT, key=alice)
        assert (await aio.verify(envelope, trust=trust)).payload == CONTENT
        path.write_bytes(envelope)
        async with aio.verified_path(path, trust=trust) as copy:
            assert os.pread(copy.fileno(), len(CONTENT) + 1, 0) == CONTENT
        with pytest.raises(ValueError, match="has ended"):
            os.fspath(copy)
        assert await aio.loads(await aio.dumps([1], key=alice), trust=trust) == [1]

    asyncio.run(work())


def test_a_refusal_is_raised_where_it_is_awaited(mallory: brine.Key, trust: brine.Trust) -> None:
    async def work() -> None:
        with pytest.raises(brine.UntrustedError) as caught:
            await aio.verify(await aio.sign(b"x", key=mallory), trust=trust)
        assert caught.value.reason == "unknown-signer"
        with pytest.raises(brine.UntrustedError) as caught:
            async with aio.open(io.BytesIO(brine.sign(b"x", key=mallory)), trust=trust):
                pass
        assert caught.value.reason == "unknown-signer"

    asyncio.run(work())


def test_an_exception_leaves_no_file(tmp_path: Path, alice: brine.Key) -> None:
    async def work() -> None:
        with pytest.raises(ZeroDivisionError):
            async with aio.open(tmp_path / "out", "wb", key=alice) as file:
                await file.write(CONTENT)
                raise ZeroDivisionError

    asyncio.run(work())
    assert os.listdir(tmp_path) == []


class Slow(io.RawIOBase):
    """A file object that waits until it is let go."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = io.BytesIO(content)
        self.gate = threading.Event()
        self.gate.set()
        self.waits = threading.Event()
        self.written = bytearray()

    def pause(self) -> None:
        if not self.gate.is_set():
            self.waits.set()
            self.gate.wait()

    def read(self, size: int = -1, /) -> bytes:
        self.pause()
        return self.content.read(size)

    def write(self, data: object, /) -> int:
        self.pause()
        taken = bytes(data)  # type: ignore[call-overload]
        self.written += taken
        return len(taken)

    def flush(self) -> None:
        pass


async def cancelled_while_waiting(task: asyncio.Task[object], slow: Slow) -> None:
    while not slow.waits.is_set():
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_read_that_is_cancelled_closes_the_file(alice: brine.Key, trust: brine.Trust) -> None:
    sink = io.BytesIO()
    with brine.open(sink, "wb", key=alice) as file:
        file.write(CONTENT)
        file.flush()
        file.write(CONTENT)
    slow = Slow(sink.getvalue())

    async def work() -> None:
        async with aio.open(slow, trust=trust) as found:
            assert await found.read(4) == b"one\n"
            slow.gate.clear()
            await cancelled_while_waiting(asyncio.create_task(found.read()), slow)
            with pytest.raises(ValueError, match="a read was cancelled"):
                await found.read(4)
        # The block was left although the thread still waits.
        slow.gate.set()

    asyncio.run(work())


def test_a_write_that_is_cancelled_is_carried_out(alice: brine.Key, trust: brine.Trust) -> None:
    slow = Slow()

    async def work() -> None:
        async with aio.open(slow, "wb", key=alice) as file:
            await file.write(b"first ")
            await file.flush()
            slow.gate.clear()
            await file.write(b"second ")
            await cancelled_while_waiting(asyncio.create_task(file.flush()), slow)
            third = asyncio.create_task(file.write(b"third"))
            await asyncio.sleep(0)
            slow.gate.set()
            await third

    asyncio.run(work())
    with brine.open(io.BytesIO(slow.written), trust=trust) as found:
        assert found.read() == b"first second third"


def test_writes_that_are_cancelled_while_they_wait_are_carried_out_in_their_order(
    alice: brine.Key, trust: brine.Trust
) -> None:
    slow = Slow()
    expected = [bytes([letter]) * 10 for letter in b"abcdef"]

    async def work() -> None:
        async with aio.open(slow, "wb", key=alice) as file:
            slow.gate.clear()
            tasks: list[asyncio.Task[object]] = []
            for piece in expected:
                tasks += [asyncio.create_task(file.write(piece)), asyncio.create_task(file.flush())]
            await asyncio.sleep(0)
            await cancelled_while_waiting(tasks[-1], slow)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            slow.gate.set()

    asyncio.run(work())
    with brine.open(io.BytesIO(slow.written), trust=trust) as found:
        assert found.read() == b"".join(expected)


def test_nobody_reads_on_behind_a_read_that_was_cancelled_while_it_waited(
    alice: brine.Key, trust: brine.Trust
) -> None:
    sink = io.BytesIO()
    with brine.open(sink, "wb", key=alice) as file:
        for _ in range(20):
            file.write(CONTENT)
            file.flush()
    slow = Slow(sink.getvalue())

    async def work() -> None:
        file = await aio.open(slow, trust=trust)
        assert await anext(file) == b"one\n"
        slow.gate.clear()
        first = asyncio.create_task(file.read(len(CONTENT) * 2))
        second = asyncio.create_task(file.read(len(CONTENT) * 2))
        third = asyncio.create_task(file.readline())
        await asyncio.sleep(0)
        await cancelled_while_waiting(second, slow)
        slow.gate.set()
        for task in (first, third):
            with pytest.raises(ValueError, match="a read was cancelled"):
                await task
        with pytest.raises(ValueError, match="a read was cancelled"):
            await file.readline()
        await file.close()

    asyncio.run(work())


def test_lines_of_a_pipe_come_when_they_are_there(
    tmp_path: Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    async def write(told: asyncio.Event) -> None:
        async with aio.open(path, "wb", key=alice) as file:
            await file.write(b"one\ntwo\nthr")
            await file.flush()
            await told.wait()
            await file.write(b"ee\n")

    async def work() -> None:
        told = asyncio.Event()
        writing = asyncio.create_task(write(told))
        async with aio.open(path, trust=trust) as file:
            assert await anext(file) == b"one\n"
            assert await anext(file) == b"two\n"
            told.set()
            assert [line async for line in file] == [b"three\n"]
        await writing

    asyncio.run(work())


def test_what_is_closed_is_closed(alice: brine.Key, trust: brine.Trust) -> None:
    async def work() -> None:
        sink = io.BytesIO()
        writer = await aio.open(sink, "wb", key=alice)
        await writer.write(b"x")
        for _ in range(2):
            await writer.close()
        writer.abandon()
        with pytest.raises(ValueError, match="closed file"):
            await writer.write(b"x")
        reader = await aio.open(io.BytesIO(sink.getvalue()), trust=trust)
        for _ in range(2):
            await reader.close()
        with pytest.raises(ValueError, match="closed file"):
            await reader.read()

    asyncio.run(work())


def test_a_block_that_is_cancelled_finishes_nothing(alice: brine.Key, trust: brine.Trust) -> None:
    slow = Slow()

    async def write() -> None:
        async with aio.open(slow, "wb", key=alice) as file:
            await file.write(b"half")
            await file.flush()
            slow.gate.clear()
            await file.write(b"more")
            await file.flush()

    async def work() -> None:
        await cancelled_while_waiting(asyncio.create_task(write()), slow)
        slow.gate.set()

    asyncio.run(work())
    with brine.open(io.BytesIO(slow.written), trust=trust) as found:
        assert found.read(4) == b"half"
        with pytest.raises(brine.AlteredError) as caught:
            found.read()
        assert caught.value.reason == "stream-cut"


def test_an_opening_that_is_cancelled_closes_what_it_opened(
    alice: brine.Key, trust: brine.Trust
) -> None:
    slow = Slow(brine.sign(b"payload", key=alice))
    slow.gate.clear()

    async def read() -> None:
        async with aio.open(slow, trust=trust):
            pytest.fail("it was cancelled before")

    async def work() -> None:
        await cancelled_while_waiting(asyncio.create_task(read()), slow)
        slow.gate.set()

    asyncio.run(work())
