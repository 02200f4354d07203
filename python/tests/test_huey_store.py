"""What a signed Huey stores beside tasks: results, records that tasks are revoked, and what was refused."""

from __future__ import annotations

import datetime
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

import brine

huey = pytest.importorskip("huey")

from huey import MemoryHuey, SqliteHuey
from huey.serializer import Serializer

import brine.huey
from conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from huey_kit import Shop

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
pytest_plugins = ("huey_fixtures",)

LONG_AGO = datetime.datetime(2000, 1, 1)
NO_BYTES = ["text", 1.5, 10**15]
"""What SQLite keeps in a column of blobs. bytes() makes as many zeros as a number says."""


@pytest.fixture
def in_file(tmp_path: Path, signed: Callable[..., Shop]) -> Shop:
    """A shop in a file."""
    return signed(SqliteHuey("shop", filename=str(tmp_path / "shop.db")))


@pytest.fixture
def in_two_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge values, and not tasks, as of the day after tomorrow."""
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)

    def judge(*arguments: Any, **named: Any) -> brine.Verifier:
        if named["aad"] != b"task":
            named["now"] = later
        return brine.Verifier(*arguments, **named)

    monkeypatch.setattr("brine._task_signatures.Verifier", judge)


def write(shop: Shop, statement: str, *values: Any) -> None:
    """Write to the file of a shop, as somebody who knows SQL."""
    with closing(sqlite3.connect(shop.raw.filename, isolation_level=None)) as database:
        database.execute(statement, values)


@pytest.mark.parametrize("what", NO_BYTES)
def test_a_message_that_is_no_bytes(what: object, in_file: Shop) -> None:
    write(in_file, "insert into task (queue, data) values ('shop', ?)", what)
    in_file.add(1)
    in_file.work()
    write(in_file, "insert into schedule (queue, data, timestamp) values ('shop', ?, 0)", what)
    in_file.raw.add_to_schedule(in_file.huey.serialize_task(in_file.add.s(2)), LONG_AGO)
    in_file.work()
    assert [ran[0] for ran in in_file.ran] == [1, 2]
    assert in_file.reasons() == ["not-an-envelope"] * 2
    kept = brine.huey.refused(in_file.huey)
    assert [one.content for one in kept] == [repr(what).encode()] * 2


@pytest.mark.parametrize("what", NO_BYTES)
def test_a_value_that_is_no_bytes(what: object, in_file: Shop) -> None:
    result = in_file.add(1)
    name = in_file.huey._task_key(in_file.add.task_class, "rt")
    for key in (name, result.id):
        write(in_file, "insert into kv (queue, key, value) values ('shop', ?, ?)", key, what)
    with pytest.raises(brine.UnsupportedError) as caught:
        result.get()
    assert caught.value.reason == "not-an-envelope"
    in_file.work()
    assert result.get() == 1
    kept = brine.huey.refused(in_file.huey)
    assert [(one.reason, one.place) for one in kept] == [
        ("not-an-envelope", result.id),
        ("not-an-envelope", name),
    ]


def test_a_place_that_is_full_loses_no_other_task(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, signed: Callable[..., Shop]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    shop = signed(MemoryHuey("shop", results=False))
    message = shop.huey.serialize_task(shop.add.s(1))
    for data in (b"garbage", message):
        shop.raw.add_to_schedule(data, LONG_AGO)
    shop.raw.enqueue(b"garbage")
    shop.add(2)
    monkeypatch.setattr(shop.raw, "put_data", full)
    shop.work()
    assert sorted(ran[0] for ran in shop.ran) == [1, 2]
    assert caplog.text.count("could not be kept") == 2
    assert shop.reasons() == []


def test_what_was_refused_can_be_sent_again(home: Path, signed: Callable[..., Shop]) -> None:
    shop = signed(key=None, trust=None)
    trust = home / "trust.toml"
    shop.add(1)
    trust.rename(home / "away")
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["unknown-signer"])
    (home / "away").rename(trust)
    [one] = brine.huey.refused(shop.huey)
    shop.huey.storage.enqueue(one.content)
    shop.huey.storage.enqueue(one.content)
    shop.work()
    assert shop.ran == [(1, 0, "default")]
    assert shop.reasons() == ["unknown-signer", "replayed"]


def test_what_others_write_where_refusals_are_kept_hides_none(shop: Shop) -> None:
    shop.raw.enqueue(b"garbage")
    shop.work()
    for number, value in enumerate([b"garbage", b"7", b"[" * 100_000, b'{"reason": "x"}']):
        shop.raw.put_data(f"brine.refused.{number}", value)
    assert shop.reasons() == ["not-an-envelope"]


@pytest.mark.usefixtures("in_two_days")
def test_a_task_stays_revoked_for_longer_than_a_task_waits(shop: Shop) -> None:
    shop.add(1).revoke()
    shop.huey.revoke_all(shop.flaky)
    shop.flaky()
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], [])


def test_a_forged_record_does_not_hide_that_all_tasks_are_revoked(shop: Shop) -> None:
    result = shop.add(1)
    shop.huey.revoke_all(shop.add)
    shop.raw.put_data(result.revoke_id, b"garbage")
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["not-an-envelope"])


def test_a_task_is_not_taken_for_one_that_is_not_revoked(
    home: Path, monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Shop]
) -> None:
    shop = signed(key=None, trust=None)
    trust = home / "trust.toml"
    listed = trust.read_text()
    result = shop.add(1)
    result.revoke()
    task = shop.huey.dequeue()
    trust.write_text("no TOML")
    with pytest.raises(brine.KeyFileError):
        result.is_revoked()
    # It can be read again just when nobody asks any more whether the task is revoked.
    consume = shop.huey._brine.consume
    monkeypatch.setattr(
        shop.huey._brine, "consume", lambda opened: trust.write_text(listed) and consume(opened)
    )
    shop.huey.execute(task)
    trust.write_text(listed)
    wait_until(lambda: not shop.work() and shop.raw.schedule_size() == 0)
    assert (shop.ran, shop.reasons()) == ([], [])


@pytest.mark.usefixtures("in_two_days")
def test_a_result_can_be_read_for_as_long_as_was_said(shop: Shop) -> None:
    result = shop.add(1)
    shop.work()
    with pytest.raises(brine.UntrustedError) as caught:
        result.get()
    assert (caught.value.reason, shop.reasons()) == ("expired", ["expired"])


@pytest.mark.usefixtures("in_two_days")
def test_a_rate_limit_that_was_not_used_for_long(shop: Shop) -> None:
    limit = shop.huey.rate_limit("calls", 10, per=10**9)
    limit.acquire()
    limit.acquire()
    assert (limit.current_usage(), shop.reasons()) == (2, [])


def test_a_serializer_of_somebody_is_not_dropped_silently(signed: Callable[..., Shop]) -> None:
    class Encrypting(Serializer):
        """Keeps a secret."""

    with pytest.raises(brine.UsageError, match="Encrypting would not be used"):
        signed(MemoryHuey("shop", serializer=Encrypting()))
