"""Jobs that are signed in Python, and their results."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import brine
from programs import run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are confined on Linux")


@pytest.fixture
def job(tmp_path: Path, home: Path) -> tuple[bytes, bytes]:
    """Sign a job for the shell."""
    return brine.Signer(context="work", expires="1h").sign_job(
        b"echo hello; echo oh >&2", grants=["wall=20s"]
    )


@pytest.fixture
def policy(tmp_path: Path) -> str:
    """Write a policy that lets jobs ask for their time."""
    file = tmp_path / "policy.toml"
    file.write_text('[[allow]]\nsigners = ["default"]\n')
    return str(file)


def result_of(job: bytes, policy: str, *options: str, status: int = 0) -> bytes:
    """Run a job, and return its signed result."""
    options = ("-c", "work", "--policy", policy, "--sign-result", "default", *options)
    return run("brine", "run", *options, "--", "sh", data=job, status=status)


def test_a_result_says_how_the_job_ended(job: tuple[bytes, bytes], policy: str) -> None:
    envelope = result_of(job[0], policy, "--result-context", "results")
    result = brine.Verifier(context="results").verify_result(envelope, job[1])
    assert (result.outcome, result.status, result.reason) == ("ok", 0, None)
    assert (result.output, result.errors) == (b"hello\n", "oh\n")
    assert (result.exit_status, result.signal) == (0, None)
    assert (result.signer, result.job) == ("default", job[1])
    assert result.verified.kind == "result"
    assert result.plan_digest is not None
    assert len(result.plan_digest) == 64
    assert result.usage is not None
    assert set(result.usage) == {"wall_ms", "user_ms", "system_ms", "memory_bytes"}


def test_a_refusal_is_a_result(job: tuple[bytes, bytes], policy: str) -> None:
    asking, of = brine.Signer(context="work", expires="1h").sign_job(b"", grants=["tcp=443"])
    envelope = result_of(asking, policy, status=5)
    result = brine.Verifier().verify_result(envelope, of)
    assert (result.outcome, result.status) == ("refused", 5)
    assert result.reason == "grant-not-allowed"
    assert (result.output, result.usage, result.plan_digest) == (b"", None, None)


def test_a_result_of_another_job_is_refused(job: tuple[bytes, bytes], policy: str) -> None:
    other = brine.Signer(context="work", expires="1h").sign_job(b"echo hello; echo oh >&2")
    assert job[1] != other[1]
    with pytest.raises(brine.UntrustedError) as raised:
        brine.Verifier().verify_result(result_of(job[0], policy), other[1])
    assert raised.value.reason == "result-other-job"


def test_what_is_no_result_is_refused(job: tuple[bytes, bytes], policy: str, home: Path) -> None:
    for envelope in (brine.sign(b"hello\n"), job[0]):
        with pytest.raises(brine.Error) as raised:
            brine.Verifier(context=None).verify_result(envelope, job[1])
        assert raised.value.reason in {"wrong-kind", "context-mismatch"}
    # Nor is a result data.
    with pytest.raises(brine.Error) as raised:
        brine.verify(result_of(job[0], policy))
    assert raised.value.reason == "wrong-kind"


def test_a_grant_that_is_none_is_said(home: Path) -> None:
    with pytest.raises(brine.UsageError, match='there is no "everything"'):
        brine.Signer(context="work").sign_job(b"", grants=["everything=please"])


def test_a_job_has_all_that_is_signed(home: Path) -> None:
    with pytest.raises(brine.UsageError, match="aad does not go with jobs"):
        brine.Signer(context="work", aad=b"beside").sign_job(b"")
