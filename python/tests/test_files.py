"""File objects: what is written is read, and nothing else is."""

from __future__ import annotations

import gc
import io
import os
from typing import TYPE_CHECKING

import pytest

import brine
from conftest import warned_of

if TYPE_CHECKING:
    from pathlib import Path


def stream(key: brine.Key, *segments: bytes, context: str | None = None) -> bytes:
    """Return a stream with these segments, and an empty one at its end."""
    sink = io.BytesIO()
    with brine.open(sink, "wb", key=key, context=context) as file:
        for segment in segments:
            file.write(segment)
            file.flush()
    return sink.getvalue()


def test_what_is_written_is_read(tmp_path: Path, alice: brine.Key, trust: brine.Trust) -> None:
    path = tmp_path / "data.brine"
    content = os.urandom(1 << 20) * 3 + b"and the rest"
    with brine.open(path, "wb", key=alice, context="files") as file:
        file.write(content)
        assert os.listdir(tmp_path) == []
    with brine.open(path, trust=trust, context="files") as found:
        assert found.verified.signer == "alice"
        assert found.verified.context == "files"
        assert found.read() == content
        assert found.read() == b""


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview"])
def test_whatever_has_bytes_is_written(kind: str, alice: brine.Key, trust: brine.Trust) -> None:
    content = bytes(range(256)) * 1000
    data = {
        "bytes": content,
        "bytearray": bytearray(content),
        "memoryview": memoryview(content).cast("I"),
    }[kind]
    sink = io.BytesIO()
    with brine.open(sink, "wb", key=alice) as file:
        file.write(data)
    sink.seek(0)
    with brine.open(sink, trust=trust) as found:
        assert found.read() == content


def test_a_stream_that_is_cut_anywhere_raises_and_goes_on_to(
    alice: brine.Key, trust: brine.Trust
) -> None:
    whole = stream(alice, b"first line\n", b"second line\n", b"third")
    for length in range(len(whole)):
        try:
            file = brine.open(io.BytesIO(whole[:length]), trust=trust)
        except (brine.AlteredError, brine.UnsupportedError):
            continue
        for read in (file.read, file.readline, file.readlines, file.read1):
            with pytest.raises(brine.AlteredError) as caught:
                while read():
                    pass
            assert caught.value.reason == "stream-cut"


def test_a_stream_that_is_forgotten_is_not_finished(tmp_path: Path, alice: brine.Key) -> None:
    with warned_of("forgotten without close()") as warned:
        file = brine.open(tmp_path / "out", "wb", key=alice)
        file.write(b"half")
        del file
        gc.collect()
    assert [warning.category for warning in warned] == [ResourceWarning]
    assert os.listdir(tmp_path) == []
