"""Paths to exactly the bytes that verified."""

from __future__ import annotations

import io
import os
import pathlib
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import brine
from conftest import in_child

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT = bytes(range(256)) * 30_000
"""More than is held in memory of an envelope."""


def made(kind: str, path: pathlib.Path, key: brine.Key, content: bytes = CONTENT) -> pathlib.Path:
    """Return a signed file of one of the forms that there are."""
    if kind == "stream":
        with brine.open(path, "wb", key=key, context="paths") as file:
            file.write(content)
    elif kind == "beside":
        path.write_bytes(content)
        signature = brine.sign(content, key=key, context="paths", detached=True)
        pathlib.Path(f"{path}.sig").write_bytes(signature)
    else:
        path.write_bytes(brine.sign(content, key=key, context="paths", armor=kind == "armored"))
    return path


FORMS = ["single", "armored", "stream", "beside"]


@pytest.mark.parametrize("max_memory", [1 << 26, 1000])
@pytest.mark.parametrize("kind", FORMS)
def test_a_path_leads_to_what_verified_and_to_nothing_else(
    kind: str, max_memory: int, tmp_path: pathlib.Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path = made(kind, tmp_path / "data", alice)
    with brine.verified_path(path, trust=trust, context="paths", max_memory=max_memory) as copy:
        # Whatever becomes of the file now.
        path.write_bytes(b"something else")
        for opened in (copy, os.fspath(copy), str(copy), pathlib.Path(copy), copy.resolve()):
            assert pathlib.Path(opened).read_bytes() == CONTENT
        assert copy.verified.signer == "alice"
        assert len(copy.verified) == len(CONTENT)
        assert copy.verified.is_detached == (kind == "beside")
        assert copy.is_sealed == (max_memory > len(CONTENT))
        with pytest.raises(AttributeError, match="from the path"):
            _ = copy.verified.payload
        refused_to_change(copy)


def refused_to_change(copy: brine.VerifiedPath) -> None:
    """Try to change it as its owner without privileges, and, if it is sealed, as anybody."""
    found = os.stat(copy)
    assert stat.S_IMODE(found.st_mode) == 0o400
    assert found.st_nlink == 0
    for change in (lambda: os.write(copy.fileno(), b"x"), lambda: os.ftruncate(copy.fileno(), 0)):
        with pytest.raises(OSError, match=r"Bad file descriptor|Invalid argument"):
            change()
    if not copy.is_sealed:
        return
    os.chmod(copy, 0o600)
    with open(copy, "r+b", buffering=0) as file:
        for change in (
            lambda: file.write(b"x"),
            lambda: file.truncate(0),
            lambda: file.truncate(1 << 30),
        ):
            with pytest.raises(PermissionError):
                change()


def test_the_path_is_gone_after_the_block(
    tmp_path: pathlib.Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path = made("stream", tmp_path / "data", alice)
    copy = brine.verified_path(path, trust=trust, context="paths")
    name = os.fspath(copy)
    with copy:
        pass
    assert not os.path.exists(name)
    for use in (copy.__fspath__, copy.__str__, copy.fileno, copy.__enter__):
        with pytest.raises(ValueError, match="with block has ended"):
            use()
    copy.close()
    assert "VerifiedPath" in repr(copy)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_program_and_a_child_can_read_it(
    tmp_path: pathlib.Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path = made("single", tmp_path / "data", alice)
    with brine.verified_path(path, trust=trust, context="paths") as copy:
        count = "import sys; print(len(open(sys.argv[1], 'rb').read()))"
        command = [sys.executable, "-c", count, str(copy)]
        found = subprocess.run(
            command, pass_fds=[copy.fileno()], capture_output=True, text=True, check=True
        )
        assert found.stdout.strip() == str(len(CONTENT))

        def reads() -> None:
            assert pathlib.Path(copy).read_bytes() == CONTENT

        assert in_child(reads) == 0


@pytest.mark.parametrize("kind", FORMS)
def test_nothing_that_was_altered_gets_a_path(
    kind: str, tmp_path: pathlib.Path, alice: brine.Key, trust: brine.Trust
) -> None:
    path = made(kind, tmp_path / "data", alice)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle] = ord("A") if content[middle] != ord("A") else ord("B")
    path.write_bytes(content)
    with pytest.raises(brine.AlteredError) as caught:
        brine.verified_path(path, trust=trust, context="paths")
    digests = kind in ("stream", "beside")
    assert caught.value.reason == ("digest-mismatch" if digests else "signature-bad")


@pytest.mark.parametrize("kind", FORMS)
def test_nothing_that_is_not_believed_gets_a_path(
    kind: str,
    tmp_path: pathlib.Path,
    alice: brine.Key,
    mallory: brine.Key,
    trust: brine.Trust,
) -> None:
    path = made(kind, tmp_path / "data", alice)
    with pytest.raises(brine.UntrustedError) as caught:
        brine.verified_path(path, trust=trust, context="others")
    assert caught.value.reason == "context-mismatch"
    path = made(kind, tmp_path / "other", mallory)
    with pytest.raises(brine.UntrustedError) as caught:
        brine.verified_path(path, trust=trust, context="paths")
    assert caught.value.reason == "unknown-signer"


def test_a_signature_can_lie_anywhere(
    tmp_path: pathlib.Path, alice: brine.Key, trust: brine.Trust
) -> None:
    signature = tmp_path / "signature"
    signature.write_bytes(brine.sign(CONTENT, key=alice, detached=True))
    for content in (io.BytesIO(CONTENT), tmp_path / "data"):
        (tmp_path / "data").write_bytes(CONTENT)
        for found in (signature, io.BytesIO(signature.read_bytes())):
            if isinstance(content, io.BytesIO):
                content.seek(0)
            with brine.verified_path(content, signature=found, trust=trust) as copy:
                assert pathlib.Path(copy).read_bytes() == CONTENT
    with pytest.raises(brine.UsageError, match="lies beside its file"):
        brine.verified_path(signature, trust=trust)
    with pytest.raises(brine.AlteredError) as caught:
        brine.verified_path(io.BytesIO(CONTENT + b"x"), signature=signature, trust=trust)
    assert caught.value.reason == "digest-mismatch"


def test_a_file_without_a_signature_says_what_it_is(
    tmp_path: pathlib.Path, trust: brine.Trust
) -> None:
    (tmp_path / "data").write_bytes(CONTENT)
    with pytest.raises(brine.UnsupportedError) as caught:
        brine.verified_path(tmp_path / "data", trust=trust)
    assert caught.value.reason == "not-an-envelope"
    with pytest.raises(FileNotFoundError) as missing:
        brine.verified_path(tmp_path / "none", trust=trust)
    assert isinstance(missing.value, brine.Error)


def _numpy(directory: pathlib.Path) -> tuple[str, Callable[[object], object]]:
    numpy = pytest.importorskip("numpy")
    numpy.save(directory / "a.npy", numpy.arange(1000))
    return "a.npy", lambda path: int(numpy.load(path, mmap_mode="r").sum())


def _joblib(directory: pathlib.Path) -> tuple[str, Callable[[object], object]]:
    joblib, numpy = pytest.importorskip("joblib"), pytest.importorskip("numpy")
    joblib.dump(numpy.arange(1000), directory / "a.joblib")
    return "a.joblib", lambda path: int(joblib.load(path, mmap_mode="r").sum())


def _pandas(directory: pathlib.Path) -> tuple[str, Callable[[object], object]]:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    pandas.DataFrame({"x": range(1000)}).to_parquet(directory / "a.parquet")
    return "a.parquet", lambda path: int(pandas.read_parquet(path)["x"].sum())


def _pickle(directory: pathlib.Path) -> tuple[str, Callable[[object], object]]:
    pandas = pytest.importorskip("pandas")
    pandas.DataFrame({"x": range(1000)}).to_pickle(directory / "a.pkl")
    return "a.pkl", lambda path: int(pandas.read_pickle(path)["x"].sum())


@pytest.mark.parametrize("library", [_numpy, _joblib, _pandas, _pickle])
@pytest.mark.parametrize("max_memory", [1 << 26, 100])
def test_libraries_map_and_read_it(
    library: Callable[[pathlib.Path], tuple[str, Callable[[object], object]]],
    max_memory: int,
    tmp_path: pathlib.Path,
    alice: brine.Key,
    trust: brine.Trust,
) -> None:
    name, load = library(tmp_path)
    envelope = made("stream", tmp_path / "envelope", alice, (tmp_path / name).read_bytes())
    with brine.verified_path(envelope, trust=trust, context="paths", max_memory=max_memory) as copy:
        assert load(copy) == 499_500
