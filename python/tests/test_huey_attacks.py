"""Huey against somebody who can read and write the storage, and has no key.

Each attack is tried on a Huey without signatures or with its own HMAC, where it succeeds, and on one that is signed, which
says why it refused.
"""

from __future__ import annotations

import datetime
import gzip
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine

huey = pytest.importorskip("huey")

from huey import MemoryHuey
from huey.registry import Message
from huey.serializer import Serializer, SignedSerializer

import brine.huey
from conftest import trust_for
from huey_kit import Evil, Shop

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
pytest_plugins = ("huey_fixtures",)


KINDS = {
    "unsigned": lambda: MemoryHuey("shop"),
    "hmac": lambda: MemoryHuey("shop", serializer=SignedSerializer(secret="secret")),
}


def unsigned_message(shop: Shop, **changes: Any) -> bytes:
    """Take the queued message, and change fields of it."""
    message = Serializer().deserialize(shop.queued())
    return Serializer().serialize(message._replace(**changes))


def test_relabelled_tasks(signed: Callable[..., Shop]) -> None:
    plain = Shop(KINDS["unsigned"]())
    plain.add(7)
    plain.raw.enqueue(unsigned_message(plain, name=f"{Shop.__module__}.delete_user"))
    plain.work()
    assert plain.deleted == [7]
    shop = signed()
    shop.add(7)
    message = shop.queued()
    assert message.count(b".add") == 1
    shop.raw.enqueue(message.replace(b".add", b".foo"))
    shop.work()
    assert (shop.deleted, shop.ran, shop.reasons()) == ([], [], ["signature-bad"])


def test_arguments_of_another_task(signed: Callable[..., Shop]) -> None:
    plain = Shop(KINDS["unsigned"]())
    plain.add(1)
    plain.raw.enqueue(unsigned_message(plain, args=(7,)))
    plain.work()
    assert [ran[0] for ran in plain.ran] == [7]
    shop = signed()
    shop.add(1)
    shop.add(7)
    one, other = (shop.huey._brine.open(shop.queued(), b"task") for _ in range(2))
    pickles = [bytes(opened.verified.payload) for opened in (one, other)]
    shop.raw.enqueue(one.envelope.replace(*pickles))
    shop.work()
    assert pickles[0] in one.envelope
    assert (shop.ran, shop.reasons()) == ([], ["signature-bad"])


@pytest.mark.parametrize("kind", KINDS)
def test_replays(kind: str, signed: Callable[..., Shop]) -> None:
    for shop, expected in ((Shop(KINDS[kind]()), 3), (signed(), 1)):
        shop.add(1)
        message = shop.queued()
        for _ in range(3):
            shop.raw.enqueue(message)
        shop.work()
        assert len(shop.ran) == expected
    assert shop.reasons() == ["replayed"] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_results_of_another_task(kind: str, signed: Callable[..., Shop]) -> None:
    for shop, stays in ((Shop(KINDS[kind]()), False), (signed(), True)):
        one, other = shop.add(1, 1), shop.add(100, 100)
        shop.work()
        shop.raw.put_data(one.id, shop.raw.peek_data(other.id), True)
        if stays:
            with pytest.raises(brine.AlteredError) as caught:
                one.get()
            assert caught.value.reason == "signature-bad"
        else:
            assert one.get() == 200


def test_a_task_as_a_result_and_a_result_as_a_task(signed: Callable[..., Shop]) -> None:
    shop = signed()
    result = shop.add(1, 1)
    message = shop.queued()
    shop.raw.put_data(result.id, message, True)
    with pytest.raises(brine.AlteredError):
        result.get()
    other = shop.add(2, 2)
    shop.work()
    shop.raw.enqueue(shop.raw.peek_data(other.id))
    shop.work()
    assert shop.reasons() == ["signature-bad"] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_messages_of_another_queue(
    kind: str, alice: brine.Key, trust: brine.Trust, seen: Path, signed: Callable[..., Shop]
) -> None:
    other = KINDS[kind]()
    other.name = "other"
    for one, shop, expected in (
        (Shop(other), Shop(KINDS[kind]()), [(1, 0, "nobody")]),
        (signed(MemoryHuey("other")), signed(), []),
    ):
        one.add(1)
        shop.raw.enqueue(one.queued())
        shop.work()
        assert [ran[:2] for ran in shop.ran] == [ran[:2] for ran in expected]
    assert shop.reasons() == ["context-mismatch"]


@pytest.mark.parametrize("kind", KINDS)
def test_bombs(kind: str, monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Shop]) -> None:
    inflated: list[int] = []

    def inflate(data: bytes) -> bytes:
        found = inflater(data)
        inflated.append(len(found))
        return found

    inflater = gzip.decompress
    is_named = hasattr(huey.serializer, "gzip_decompress")
    name = "gzip_decompress" if is_named else "gzip.decompress"
    monkeypatch.setattr(f"huey.serializer.{name}", inflate)
    bomb = gzip.compress(bytes(30_000_000))
    compressing = MemoryHuey("shop", compression=True)
    shop = signed(compressing)
    shop.raw.enqueue(bomb)
    shop.work()
    assert (inflated, shop.reasons()) == ([], ["not-an-envelope"])
    # Huey inflates before it verifies.
    made = KINDS[kind]()
    made.serializer.comp = True
    made.storage.enqueue(bomb)
    with pytest.raises((ValueError, pickle.UnpicklingError)):
        made.dequeue()
    assert inflated == [30_000_000]


def test_strangers(mallory: brine.Key, signed: Callable[..., Shop]) -> None:
    # An HMAC refuses who does not know its secret.
    open_shop = KINDS["unsigned"]
    for stranger, shop, runs in (
        (Shop(open_shop()), Shop(open_shop()), True),
        (signed(key=mallory), signed(), False),
    ):
        stranger.add(1)
        shop.raw.enqueue(stranger.queued())
        shop.work()
        assert len(shop.ran) == runs
    assert shop.reasons() == ["unknown-signer"]


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_of_one_who_has_left(kind: str, home: Path, signed: Callable[..., Shop]) -> None:
    for shop, runs in ((Shop(KINDS[kind]()), True), (signed(key=None, trust=None), False)):
        shop.add(1)
        if not runs:
            with (home / "trust.toml").open("a") as trust:
                trust.write("revoked-at = 2020-01-01T00:00:00Z\n")
        shop.work()
        assert len(shop.ran) == runs
    assert shop.reasons() == ["signer-revoked"]


@pytest.mark.parametrize("kind", KINDS)
def test_old_tasks(kind: str, trust: brine.Trust, signed: Callable[..., Shop]) -> None:
    for shop, runs in ((Shop(KINDS[kind]()), True), (signed(), False)):
        shop.add(1)
        if not runs:
            # Two days pass.
            now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2)
            judge = brine.Verifier(trust, context="huey:shop", aad=b"task", now=now)
            shop.huey._brine._judge = judge
        shop.work()
        assert len(shop.ran) == runs
    assert shop.reasons() == ["expired"]


def test_tasks_that_never_expire(alice: brine.Key, signed: Callable[..., Shop]) -> None:
    shop = signed()
    endless = brine.Signer(alice, context="huey:shop", aad=b"task")
    shop.raw.enqueue(brine.dumps(Message("x", "add"), signer=endless))
    shop.work()
    assert (shop.ran, shop.reasons()) == ([], ["replay-expiry-missing"])


def test_who_sends_tasks_is_not_believed_about_results(
    alice: brine.Key, mallory: brine.Key, seen: Path
) -> None:
    trust = trust_for(
        ("producer", alice, ["huey:shop"]),
        ("consumer", mallory, ["huey:shop", "huey:shop:results"]),
    )
    given = {"trust": trust, "expires": "1d", "replay_db": seen}
    producer = Shop(brine.huey.sign(MemoryHuey("shop"), key=alice, **given))
    consumer = Shop(brine.huey.sign(MemoryHuey("shop"), key=mallory, **given))
    result = producer.add(1, 2)
    consumer.raw.enqueue(producer.queued())
    consumer.work()
    producer.raw.put_data(result.id, consumer.raw.peek_data(result.id), True)
    assert result.get() == 3
    # The producer makes a result itself.
    forged = producer.add(1, 2)
    producer.huey.put_result(forged.id, 1_000_000)
    with pytest.raises(brine.UntrustedError) as caught:
        forged.get()
    assert caught.value.reason == "context-not-allowed"


def test_a_message_of_a_trusted_signer_that_is_none_is_refused(
    alice: brine.Key, signed: Callable[..., Shop]
) -> None:
    shop = signed()
    signer = brine.Signer(alice, context="huey:shop", expires="1h", aad=b"task")
    wrong = [
        7,
        Message("x", "no.such_task"),
        Message("x", f"{Shop.__module__}.add", on_complete=5),
        Message("x", f"{Shop.__module__}.add", chord_config=(1,)),
    ]
    for content in wrong:
        shop.raw.enqueue(brine.dumps(content, signer=signer))
    shop.add(1)
    shop.work()
    assert len(shop.ran) == 1
    assert shop.reasons() == ["task-form"] * 4


def test_a_control_record_that_nobody_signed_revokes_nothing(signed: Callable[..., Shop]) -> None:
    plain = Shop(MemoryHuey("shop"))
    plain.add(1)
    task = plain.huey.pending()[0]
    plain.raw.put_data(task.revoke_id, pickle.dumps((None, False)))
    plain.work()
    assert plain.ran == []
    shop = signed()
    shop.add(1)
    task = shop.huey.pending()[0]
    shop.raw.put_data(task.revoke_id, pickle.dumps((None, False)))
    shop.work()
    assert len(shop.ran) == 1
    assert shop.reasons() == ["not-an-envelope"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_control_record_of_another_task(kind: str, signed: Callable[..., Shop]) -> None:
    for shop, runs in ((Shop(KINDS[kind]()), False), (signed(), True)):
        revoked, other = shop.add(1), shop.add(2)
        revoked.revoke()
        shop.raw.put_data(other.revoke_id, shop.raw.peek_data(revoked.revoke_id))
        shop.work()
        assert [ran[0] for ran in shop.ran] == [2] * runs
    assert shop.reasons() == ["signature-bad"]


def test_a_signer_sends_no_more_than_the_list_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Shop]
) -> None:
    monkeypatch.chdir(tmp_path)
    shop = signed()
    shop.add(Evil())
    shop.work()
    assert not Path("ran").exists()
    assert shop.reasons() == ["import-not-allowed"]
    allowed = signed(allow={"alice": ["std", "decimal:Decimal"], "*": []})
    allowed.add(1, 2)
    allowed.work()
    assert allowed.ran == [(1, 2, "alice")]


FIELDS = {
    "id": "other",
    "name": f"{Shop.__module__}.delete_user",
    "eta": datetime.datetime(2001, 1, 1),
    "retries": 99,
    "retry_delay": 99,
    "priority": 99,
    "args": (99,),
    "kwargs": {"b": 99},
    "on_complete": Message("y", f"{Shop.__module__}.delete_user", args=(1,), kwargs={}),
    "on_error": Message("y", f"{Shop.__module__}.delete_user", args=(1,), kwargs={}),
    "expires": 99,
    "expires_resolved": datetime.datetime(2099, 1, 1),
    "timeout": 99,
    "chord_config": (
        "c",
        1,
        0,
        Message("y", f"{Shop.__module__}.delete_user", args=(1,), kwargs={}),
    ),
    "retry_backoff": 99,
}
"""Another value for each field of a message."""


@pytest.mark.parametrize("field", Message._fields)
def test_every_field_is_under_the_signature(field: str, signed: Callable[..., Shop]) -> None:
    plain = Shop(MemoryHuey("shop"))
    plain.add(1)
    sent = Serializer().deserialize(plain.raw.enqueued_items()[0])
    changed = plain.huey.deserialize_task(unsigned_message(plain, **{field: FIELDS[field]}))
    believed = plain.huey._registry.create_message(changed)
    assert [name for name in sent._fields if getattr(sent, name) != getattr(believed, name)] == [
        field
    ]
    shop = signed()
    shop.add(1)
    opened = shop.huey._brine.open(shop.queued(), b"task")
    forged = bytearray(opened.envelope)
    inner = pickle.dumps(opened.content, 5)
    at = bytes(forged).index(inner)
    other = pickle.dumps(opened.content._replace(**{field: FIELDS[field]}), 5)
    assert other != inner
    # As long as the other, so that nothing else is wrong.
    forged[at : at + len(inner)] = other[: len(inner)].ljust(len(inner), b".")
    shop.raw.enqueue(bytes(forged))
    shop.work()
    assert (shop.ran, shop.deleted, shop.reasons()) == ([], [], ["signature-bad"])


def test_the_page_says_which_fields_there_are() -> None:
    page = (Path(__file__).parent.parent.parent / "docs/python/huey.md").read_text()
    for field in Message._fields:
        assert f"`{field}`" in page, field
