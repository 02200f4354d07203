"""Signing and verifying bytes: what everybody does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import brine

if TYPE_CHECKING:
    from pathlib import Path


def test_what_was_signed_verifies(alice: brine.Key, trust: brine.Trust) -> None:
    envelope = brine.sign(b"hello", context="greet", key=alice)
    verified = brine.verify(envelope, context="greet", trust=trust)
    assert (verified.payload, verified.signer, verified.context) == (b"hello", "alice", "greet")


def test_a_stranger_is_refused(mallory: brine.Key, trust: brine.Trust) -> None:
    envelope = brine.sign(b"hello", key=mallory)
    with pytest.raises(brine.UntrustedError) as refused:
        brine.verify(envelope, trust=trust)
    assert refused.value.reason == "unknown-signer"


@pytest.mark.usefixtures("home")
def test_the_default_key_and_the_trust_file_are_at_home() -> None:
    assert brine.verify(brine.sign(b"hello")).signer == "default"


def test_no_home_has_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRINE_HOME", str(tmp_path))
    with pytest.raises(brine.KeyFileError) as refused:
        brine.sign(b"hello")
    assert refused.value.hint is not None
