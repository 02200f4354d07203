"""Replay databases: each record is given out once, by whoever shares one."""

from __future__ import annotations

import os
import threading
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

import brine
from conftest import in_child, wait_for

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def signer(alice: brine.Key) -> brine.Signer:
    return brine.Signer(alice)


@pytest.fixture
def verifier(trust: brine.Trust, seen: Path) -> brine.Verifier:
    return brine.Verifier(trust, replay_db=seen)


def refusal(verifier: brine.Verifier, envelope: bytes) -> str:
    """Return the reason why an envelope is refused, or ``ok``."""
    try:
        verifier.verify(envelope)
    except brine.Error as refused:
        return refused.reason
    return "ok"


def test_a_record_is_given_out_once(verifier: brine.Verifier, signer: brine.Signer) -> None:
    record = signer.sign_record(b"pay 100")
    assert verifier.verify(record).payload == b"pay 100"
    with pytest.raises(brine.ReplayedError) as refused:
        verifier.verify(record)
    assert (refused.value.reason, refused.value.status) == ("replayed", 5)
    assert isinstance(refused.value, brine.UntrustedError)


def test_without_a_replay_database_it_is_given_out_again(
    trust: brine.Trust, signer: brine.Signer
) -> None:
    record = signer.sign_record(b"pay 100")
    verifier = brine.Verifier(trust)
    assert verifier.verify(record).payload == verifier.verify(record).payload


def test_an_envelope_with_an_expiry_is_given_out_once(
    verifier: brine.Verifier, alice: brine.Key
) -> None:
    envelope = brine.sign(b"pay 100", key=alice, expires="1h")
    assert [refusal(verifier, envelope) for _ in range(2)] == ["ok", "replayed"]


def test_an_envelope_without_an_expiry_is_refused(
    verifier: brine.Verifier, alice: brine.Key
) -> None:
    with pytest.raises(brine.UntrustedError) as refused:
        verifier.verify(brine.sign(b"pay 100", key=alice))
    assert refused.value.reason == "replay-expiry-missing"
    assert refused.value.hint == "sign it with expires, or as a record"


@pytest.mark.parametrize("armor", [True, False])
def test_a_detached_signature_is_given_out_once(
    verifier: brine.Verifier, alice: brine.Key, armor: bool
) -> None:
    signature = brine.sign(b"pay", key=alice, expires="1h", detached=True, armor=armor)
    assert verifier.verify(signature, b"pay").payload == b"pay"
    with pytest.raises(brine.ReplayedError):
        verifier.verify(signature, b"pay")


def test_armor_is_no_way_around_it(verifier: brine.Verifier, alice: brine.Key) -> None:
    import base64

    envelope = brine.sign(b"pay", key=alice, expires="1h")
    armored = brine.sign(b"pay", key=alice, expires="1h", armor=True)
    head, *_, tail = armored.splitlines()
    text = base64.encodebytes(envelope).decode().replace("\n", "")
    lines = [text[at : at + 64].encode() for at in range(0, len(text), 64)]
    same = b"\n".join([head, *lines, tail, b""])
    assert refusal(verifier, envelope) == "ok"
    assert refusal(verifier, same) == "replayed"


def test_what_is_refused_is_not_noted(trust: brine.Trust, seen: Path, signer: brine.Signer) -> None:
    record = signer.sign_record(b"x")
    other = brine.Verifier(trust, context="other", replay_db=seen)
    assert refusal(other, record) == "context-missing"
    assert refusal(brine.Verifier(trust, replay_db=seen), record) == "ok"


def test_a_new_database_refuses_what_was_signed_before_it(
    trust: brine.Trust, tmp_path: Path, signer: brine.Signer
) -> None:
    record = signer.sign_record(b"x")
    status = brine.replay_init(tmp_path / "new")
    assert (status["schema"], status["released"]) == ("brine.replay/1", 0)
    verifier = brine.Verifier(trust, replay_db=tmp_path / "new")
    assert refusal(verifier, record) == "replay-unknown"


def test_a_database_is_made_once(seen: Path) -> None:
    with pytest.raises(brine.InputOutputError) as refused:
        brine.replay_init(seen)
    assert refused.value.reason == "exists"


def test_no_database_is_made_by_using_it(trust: brine.Trust, tmp_path: Path) -> None:
    for use in (
        lambda: brine.Verifier(trust, replay_db=tmp_path / "missing"),
        lambda: brine.replay_status(tmp_path / "missing"),
    ):
        with pytest.raises(brine.InputOutputError) as refused:
            use()
        assert refused.value.reason == "replay-missing"
    assert not (tmp_path / "missing").exists()


def test_another_file_is_no_database(trust: brine.Trust, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("hello" * 1000)
    with pytest.raises(brine.InputOutputError) as refused:
        brine.Verifier(trust, replay_db=other)
    assert refused.value.reason == "replay-not-a-database"


def test_its_status_counts_what_was_given_out(
    verifier: brine.Verifier, signer: brine.Signer, seen: Path
) -> None:
    records = [signer.sign_record(b"x") for _ in range(3)]
    verifier.verify(records[0])
    verifier.verify(records[2])
    status = brine.replay_status(seen)
    assert (status["released"], status["missing"]) == (2, 1)


def test_a_relative_path_stays_that_of_the_beginning(
    trust: brine.Trust,
    seen: Path,
    signer: brine.Signer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(seen.parent)
    verifier = brine.Verifier(trust, replay_db=seen.name)
    monkeypatch.chdir(tmp_path.parent)
    in_child(lambda: None)
    record = signer.sign_record(b"x")
    assert [refusal(verifier, record) for _ in range(2)] == ["ok", "replayed"]


def test_a_time_that_was_given_has_no_replay_database(trust: brine.Trust, seen: Path) -> None:
    with pytest.raises(brine.UsageError, match="clock of the system"):
        brine.Verifier(trust, replay_db=seen, now="1d")


@pytest.mark.time_limit(120)
def test_threads_of_one_verifier_give_each_record_out_once(
    verifier: brine.Verifier, signer: brine.Signer
) -> None:
    records = [signer.sign_record(bytes([number])) for number in range(40)]
    given_out: Counter[bytes] = Counter()
    reasons: Counter[str] = Counter()

    def work() -> None:
        for record in records:
            try:
                given_out[verifier.verify(record).payload] += 1
            except brine.Error as refused:
                reasons[refused.reason] += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given_out == Counter({bytes([number]): 1 for number in range(40)})
    assert reasons == {"replayed": 120}


@pytest.mark.time_limit(120)
def test_processes_give_each_record_out_once(
    trust: brine.Trust, seen: Path, signer: brine.Signer, tmp_path: Path
) -> None:
    """The children share the verifier of their parent, and one opens its own."""
    records = [signer.sign_record(bytes([number])) for number in range(30)]
    shared = brine.Verifier(trust, replay_db=seen)
    children = []
    for name in range(3):
        child = os.fork()
        if child == 0:
            mine = shared if name else brine.Verifier(trust, replay_db=seen)
            found = [number for number, record in enumerate(records) if is_mine(mine, record)]
            (tmp_path / f"child-{name}").write_bytes(bytes(found))
            os._exit(0)
        children.append(child)
    mine = [number for number, record in enumerate(records) if is_mine(shared, record)]
    assert [wait_for(child) for child in children] == [0, 0, 0]
    found = [list((tmp_path / f"child-{name}").read_bytes()) for name in range(3)]
    assert sorted(sum(found, mine)) == list(range(30))


def is_mine(verifier: brine.Verifier, record: bytes) -> bool:
    """Return whether the record was given out here, whatever that takes."""
    while (reason := refusal(verifier, record)) in {"replay-busy", "replay-locked"}:
        pass
    assert reason in {"ok", "replayed"}
    return reason == "ok"


def test_the_note_of_a_child_outlives_its_parent(
    trust: brine.Trust, seen: Path, signer: brine.Signer
) -> None:
    """SQLite deletes the log of a database when the last process closes it.

    A parent that had the database open while it forked would not know of its child, and would delete the log that the
    child goes on to write: what the child gave out would be given out again.
    """
    verifier: brine.Verifier | None = brine.Verifier(trust, replay_db=seen)
    records = [signer.sign_record(b"x") for _ in range(3)]
    assert verifier is not None
    assert refusal(verifier, records[0]) == "ok"
    to_child, from_parent = os.pipe()
    to_parent, from_child = os.pipe()
    child = os.fork()
    if child == 0:
        good = refusal(verifier, records[1]) == "ok"
        os.write(from_child, b"1")
        os.read(to_child, 1)
        good &= refusal(verifier, records[2]) == "ok"
        os._exit(0 if good else 1)
    assert os.read(to_parent, 1) == b"1"
    assert refusal(verifier, records[1]) == "replayed"
    del verifier
    os.write(from_parent, b"1")
    assert wait_for(child) == 0
    later = brine.Verifier(trust, replay_db=seen)
    assert [refusal(later, record) for record in records] == ["replayed"] * 3
    assert brine.replay_status(seen)["released"] == 3


def test_no_database_is_open_while_the_process_forks(
    trust: brine.Trust, seen: Path, signer: brine.Signer
) -> None:
    verifier = brine.Verifier(trust, replay_db=seen)
    assert refusal(verifier, signer.sign_record(b"x")) == "ok"

    def holds_it() -> bool:
        links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
        return any(os.path.realpath(link).startswith(str(seen)) for link in links)

    assert holds_it()

    def look() -> None:
        assert not holds_it()

    assert in_child(look) == 0
    record = signer.sign_record(b"x")
    assert [refusal(verifier, record) for _ in range(2)] == ["ok", "replayed"]


def test_a_lease_is_committed_at_the_end(verifier: brine.Verifier, signer: brine.Signer) -> None:
    record = signer.sign_record(b"work")
    with verifier.lease(record) as verified:
        assert verified.payload == b"work"
        assert refusal(verifier, record) == "replay-busy"
    assert refusal(verifier, record) == "replayed"


def test_a_lease_is_given_back_if_the_work_fails(
    verifier: brine.Verifier, signer: brine.Signer
) -> None:
    record = signer.sign_record(b"work")
    for error in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(error), verifier.lease(record):
            raise error
    with verifier.lease(record) as verified:
        assert verified.payload == b"work"
    assert refusal(verifier, record) == "replayed"


def test_a_busy_record_is_no_fault_of_the_record(
    verifier: brine.Verifier, signer: brine.Signer
) -> None:
    record = signer.sign_record(b"work")
    lease = verifier.lease(record)
    with pytest.raises(brine.InputOutputError) as refused:
        verifier.lease(record)
    assert (refused.value.reason, refused.value.status) == ("replay-busy", 4)
    lease.give_back()
    assert refusal(verifier, record) == "ok"


def test_a_lease_is_settled_once(verifier: brine.Verifier, signer: brine.Signer) -> None:
    for settle in ("commit", "give_back"):
        lease = verifier.lease(signer.sign_record(b"work"))
        lease.renew()
        getattr(lease, settle)()
        for again in (lease.commit, lease.give_back, lease.renew):
            with pytest.raises(brine.UsageError, match="before"):
                again()
        with pytest.raises(brine.UsageError, match="before"), lease:
            pytest.fail("a settled lease gave the record again")


def test_a_lease_gives_its_record_once(verifier: brine.Verifier, signer: brine.Signer) -> None:
    lease = verifier.lease(signer.sign_record(b"work"))
    with lease, pytest.raises(brine.UsageError, match="before"), lease:
        pytest.fail("two have the record")
    with pytest.raises(brine.UsageError, match="before"), lease:
        pytest.fail("a committed lease gave the record again")


def test_a_lease_that_ran_out_and_was_taken_over_gives_nothing(
    trust: brine.Trust, seen: Path, signer: brine.Signer
) -> None:
    record = signer.sign_record(b"work")
    slow = brine.Verifier(trust, replay_db=seen, lease="1s").lease(record)
    other = brine.Verifier(trust, replay_db=seen, lease=timedelta(minutes=5))
    while (reason := refusal_of_lease(other, record)) == "replay-busy":
        pass
    assert reason == "ok"
    with pytest.raises(brine.InputOutputError) as entered, slow:
        pytest.fail("a lost lease gave the record")
    assert entered.value.reason == "replay-lease-lost"


def test_a_lease_that_was_taken_over_commits_nothing(
    trust: brine.Trust, seen: Path, signer: brine.Signer
) -> None:
    record = signer.sign_record(b"work")
    slow = brine.Verifier(trust, replay_db=seen, lease="1s").lease(record)
    other = brine.Verifier(trust, replay_db=seen, lease=timedelta(minutes=5))
    while (reason := refusal_of_lease(other, record)) == "replay-busy":
        pass
    assert reason == "ok"
    with pytest.raises(brine.InputOutputError) as refused:
        slow.commit()
    assert refused.value.reason == "replay-lease-lost"
    assert refused.value.hint is not None


def refusal_of_lease(verifier: brine.Verifier, record: bytes) -> str:
    try:
        verifier.lease(record)
    except brine.Error as refused:
        return refused.reason
    return "ok"


def test_a_child_does_not_end_the_lease_of_its_parent(
    verifier: brine.Verifier, signer: brine.Signer
) -> None:
    record = signer.sign_record(b"work")
    with verifier.lease(record):

        def unwind() -> None:
            assert refusal(verifier, record) == "replay-busy"
            with pytest.raises(brine.UsageError, match="belongs to the process"):
                lease.give_back()
            with pytest.raises(brine.UsageError, match="belongs to the process"), lease:
                pytest.fail("a child has the record of its parent")
            assert lease.__exit__(ValueError, ValueError("x"), None) is False

        lease = verifier.lease(signer.sign_record(b"other"))
        assert in_child(unwind) == 0
        assert refusal(verifier, record) == "replay-busy"
        lease.commit()
    assert refusal(verifier, record) == "replayed"


def test_a_lease_takes_a_replay_database(trust: brine.Trust, signer: brine.Signer) -> None:
    with pytest.raises(brine.UsageError, match="give replay_db"):
        brine.Verifier(trust).lease(signer.sign_record(b"x"))
    with pytest.raises(brine.UsageError, match="give replay_db"):
        brine.Verifier(trust, lease="1m")


@pytest.mark.parametrize("lease", ["0s", "-1s", "200ms", "long"])
def test_a_lease_lasts_a_second_at_least(trust: brine.Trust, seen: Path, lease: str) -> None:
    with pytest.raises(brine.UsageError, match=r"^lease: expected a length of time"):
        brine.Verifier(trust, replay_db=seen, lease=lease)
