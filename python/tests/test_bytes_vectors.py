"""Every vector of ``fixtures/vectors`` through Python: the same verdict, reason and payload."""

from __future__ import annotations

import hashlib

import pytest

import brine
from vectors import NOTHING, Vector, vectors

ALL = vectors()
JOBS = [vector for vector in ALL if vector.is_job]
OTHERS = [vector for vector in ALL if not vector.is_job]

STATUSES = {
    "context-mismatch": 5,
    "expired": 5,
    "not-an-envelope": 3,
    "payload-detached": 3,
    "signature-bad": 1,
    "stream-cut": 1,
    "unknown-signer": 5,
}
"""A few reasons of each class, with the exit status of the programs."""

DATA_AS_JOBS = {
    "crossing-batched-as-job.vector": "ok",
    "crossing-data-as-job.vector": "ok",
    "crossing-detached-as-job.vector": "payload-detached",
    "crossing-segment-as-job.vector": "stream-cut",
    "crossing-several-as-job.vector": "ok",
    "crossing-several-detached-as-job.vector": "payload-detached",
    "crossing-stream-as-job.vector": "ok",
    "job-kind-data.vector": "ok",
}
"""Data, which ``brine run`` does not take for a job, with what is said of it as data."""


def judge(vector: Vector) -> tuple[str, str]:
    """Return ``ok`` or the reason, and the hash of everything that was given out."""
    try:
        verified = vector.verifier().verify(vector.envelope, vector.detached)
    except brine.Error as refused:
        # Lists of what is revoked and kept statements are files of the verifier's own.
        own = {6} if {"revoked", "statements"} & set(vector.options) else set()
        of_reason = STATUSES.get(refused.reason)
        expected = {1, 3, 5} if of_reason is None else {of_reason}
        assert refused.status in expected | own, vector.name
        return refused.reason, NOTHING
    given_out = b"" if verified.is_detached else verified.payload
    return "ok", hashlib.sha256(given_out).hexdigest()


def test_no_vector_is_left_out() -> None:
    assert len(OTHERS) >= 442
    assert len(JOBS) >= 119
    assert sum(vector.envelope[:1] == b"\xd2" for vector in ALL) > 400
    assert sum(vector.expect == "ok" for vector in OTHERS) >= 50
    assert len({vector.expect for vector in OTHERS}) >= 56


@pytest.mark.parametrize("vector", OTHERS, ids=lambda vector: vector.name)
def test_a_vector_has_the_same_reason_and_payload(vector: Vector) -> None:
    if vector.name.endswith("-asked-for.vector"):
        # It asks for a type of brine's own, which a caller cannot name.
        with pytest.raises(brine.UsageError) as refused:
            vector.verifier()
        assert refused.value.reason == "usage"
        assert refused.value.message.startswith("typ: that is a type of brine's own")
        return
    reason, given_out = judge(vector)
    assert reason == vector.expect
    # The program may have released the beginning of a stream before it refuses it. Here nothing is given out then.
    assert given_out == (vector.options["released"] if reason == "ok" else NOTHING)


@pytest.mark.parametrize("vector", JOBS, ids=lambda vector: vector.name)
def test_a_job_is_never_given_out_as_data(vector: Vector) -> None:
    """Jobs are for ``brine run``, which holds them to a policy: the suite of the programs has their reasons.

    Whatever is refused for its form or its signature is refused for the same reason here. Everything else is refused
    because it is no data.
    """
    reason, given_out = judge(vector)
    if vector.name in DATA_AS_JOBS:
        assert (vector.expect, reason) == ("wrong-kind", DATA_AS_JOBS[vector.name])
        return
    assert given_out == NOTHING
    assert reason in {vector.expect, "wrong-kind", "untyped", "segment-form"}
