"""RQ with signed jobs: what it does otherwise, it does as before."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import brine
from conftest import trust_for, wait_until

rq = pytest.importorskip("rq")
redis = pytest.importorskip("redis")

from rq import Callback, Repeat, Retry
from rq.job import Dependency
from rq.registry import FailedJobRegistry

import brine.rq
import rq_kit
from brine._rq_signatures import NEXT
from brine._task_signatures import TASK
from rq_kit import Shop, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


pytest_plugins = ("rq_fixtures",)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_jobs_run_and_results_come_back(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1, b=2)
    shop.work()
    assert job.return_value() == 3
    assert job.latest_result().type.name == "SUCCESSFUL"
    assert shop.ran == ["add 1 2 for alice"]
    found = shop.kind.Job.fetch(job.id, connection=shop.connection)
    assert (found.func_name, found.args, found.kwargs) == ("rq_kit.add", (1,), {"b": 2})
    assert (found.signer, found.get_status()) == ("alice", "finished")
    assert shop.queue.fetch_job(job.id) == found


def test_failures_and_callbacks(shop: Shop) -> None:
    back = Callback(rq_kit.called_back, timeout=10)
    shop.queue.enqueue(rq_kit.add, 1, on_success=back)
    failing = shop.queue.enqueue(rq_kit.add, "text", 1, on_failure=back, failure_ttl=100)
    shop.work()
    assert shop.ran.count("called back for shop") == 2
    assert failing.is_failed
    assert "can only concatenate" in failing.latest_result().exc_string
    assert failing.return_value() is None
    assert FailedJobRegistry(queue=shop.queue).get_job_ids() == [failing.id]


def test_retries(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.flaky, 2, retry=Retry(max=3))
    shop.work()
    assert (job.return_value(), shop.ran, shop.reasons()) == ("at last", ["flaky"] * 3, [])
    job.refresh()
    assert (job.retries_left, job.signer) == (1, "alice")


def test_a_job_that_asks_to_run_again(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.again, 2)
    shop.work()
    assert (job.return_value(), shop.ran, shop.reasons()) == ("done", ["again"] * 3, [])
    job = shop.queue.enqueue(rq_kit.again, 100)
    for _ in range(3):
        shop.work(max_jobs=1)
    types = [result.type.name for result in job.results()]
    assert types == ["RETRIED"] * 3
    assert isinstance(job.results()[0].return_value, Retry | None)


def test_repeats(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1, repeat=Repeat(times=2, interval=0))
    shop.work()
    assert shop.ran == ["add 1 0 for alice"] * 3
    assert len(job.results()) == 3
    assert shop.reasons() == []


def test_dependencies(shop: Shop) -> None:
    first = shop.queue.enqueue(rq_kit.add, 1)
    second = shop.queue.enqueue(rq_kit.add, 2, depends_on=first)
    third = shop.queue.enqueue(rq_kit.add, 3, depends_on=[first, second], ttl=100)
    failing = shop.queue.enqueue(rq_kit.add, "text", 1)
    waits = Dependency(jobs=[failing], allow_failure=True, enqueue_at_front=True)
    fourth = shop.queue.enqueue(rq_kit.add, 4, depends_on=waits)
    before = stored(shop, third)["data"]
    assert third.get_status() == "deferred"
    shop.work()
    assert [line.split()[1] for line in shop.ran] == ["1", "text", "4", "2", "3"]
    assert (fourth.return_value(), third.return_value()) == (4, 3)
    # A job that is let go is still what its signer signed.
    assert stored(shop, third)["data"] == before


def test_jobs_at_a_time_and_after_a_time(shop: Shop) -> None:
    soon = shop.queue.enqueue_in(timedelta(seconds=1), rq_kit.add, 1)
    late = shop.queue.enqueue_at(datetime.now(UTC) + timedelta(hours=1), rq_kit.add, 2)
    before = stored(shop, soon)["data"]
    shop.work(with_scheduler=True)
    assert (shop.ran, soon.get_status(), late.get_status()) == ([], "scheduled", "scheduled")
    wait_until(lambda: datetime.now(UTC).timestamp() > soon.not_before + 1)
    shop.work(with_scheduler=True)
    shop.work()
    assert shop.ran == ["add 1 0 for alice"]
    assert stored(shop, soon)["data"] == before
    assert soon.return_value() == 1


def test_retries_and_repeats_after_a_time(shop: Shop) -> None:
    flaky = shop.queue.enqueue(rq_kit.flaky, 1, retry=Retry(max=1, interval=1))
    repeated = shop.queue.enqueue(rq_kit.add, 1, repeat=Repeat(times=1, interval=1))
    shop.work()
    assert (flaky.get_status(), repeated.get_status()) == ("scheduled", "scheduled")
    flaky.refresh()
    repeated.refresh()
    last = max(flaky.not_before, repeated.not_before)
    wait_until(lambda: datetime.now(UTC).timestamp() > last + 1)
    shop.work(with_scheduler=True)
    shop.work()
    assert flaky.return_value() == "at last"
    assert sorted(shop.ran) == ["add 1 0 for alice"] * 2 + ["flaky"] * 2
    assert shop.reasons() == []


def test_many_at_once_and_groups(shop: Shop) -> None:
    datas = [shop.queue.prepare_data(rq_kit.add, (number,)) for number in range(3)]
    group = shop.kind.Group.create(connection=shop.connection)
    group.enqueue_many(shop.queue, datas)
    shop.work()
    assert sorted(job.return_value() for job in group.get_jobs()) == [0, 1, 2]
    shop.queue.enqueue_many(datas)
    shop.work()
    assert len(shop.ran) == 6


def test_cron(shop: Shop) -> None:
    cron = shop.kind.CronScheduler(connection=shop.connection)
    cron.register(rq_kit.add, queue_name="shop", args=(1,), kwargs={"b": 2}, interval=60)
    assert len(cron.enqueue_jobs()) == 1
    assert cron.enqueue_jobs() == []
    shop.work()
    assert shop.ran == ["add 1 2 for alice"]


def test_meta(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.remember, "seen", meta={"seen": 1, "by": "alice"})
    assert shop.kind.Job.fetch(job.id, connection=shop.connection).meta == job.meta
    shop.work()
    assert job.return_value() == 2
    assert job.get_meta() == {"seen": 2, "by": "alice"}
    # A job that changes itself while it runs stays what was signed.
    found = shop.kind.Job.fetch(job.id, connection=shop.connection)
    assert found.timeout == 180


def test_what_waits_for_long_can_be_read_for_as_long(shop: Shop) -> None:
    when = datetime.now(UTC) + timedelta(days=30)
    job = shop.queue.enqueue_at(when, rq_kit.flaky, 1, retry=Retry(max=1), meta={"by": "alice"})
    signatures, fields = shop.kind._signatures.of("shop"), stored(shop, job)
    opened = signatures.open(fields["data"], TASK)
    meta = signatures.open(fields["meta"], job.about("meta"))
    following = signatures.open(opened.content["next"], NEXT)
    last = when.replace(microsecond=0) + timedelta(days=1)
    assert opened.verified.expires == meta.verified.expires == last
    # It can fail after it began at its last moment.
    assert following.verified.expires == last + timedelta(days=1)


def test_a_job_that_is_wanted_earlier(shop: Shop) -> None:
    job = shop.queue.enqueue_in(timedelta(hours=1), rq_kit.add, 1)
    shop.queue.scheduled_job_registry.remove(job)
    shop.queue.enqueue_job(shop.kind.Job.fetch(job.id, connection=shop.connection))
    shop.work()
    assert (job.return_value(), shop.reasons()) == (1, [])


def test_what_an_operator_does(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.flaky, 2)
    shop.work()
    assert job.is_failed
    shop.kind.Job.fetch(job.id, connection=shop.connection).requeue()
    shop.work()
    registry = FailedJobRegistry("shop", shop.connection, job_class=shop.kind.Job)
    registry.requeue(job.id)
    shop.work()
    assert (job.return_value(), shop.reasons()) == ("at last", [])
    canceled = shop.queue.enqueue(rq_kit.add, 1)
    canceled.cancel()
    shop.work()
    assert "add 1 0 for alice" not in shop.ran
    parent = shop.queue.enqueue(rq_kit.add, 2)
    child = shop.queue.enqueue(rq_kit.add, 3, depends_on=parent)
    parent.delete(delete_dependents=True)
    assert not shop.kind.Job.exists(child.id, shop.connection)


def test_a_signer_who_changes_a_job_signs_it_again(shop: Shop) -> None:
    job = shop.queue.enqueue(rq_kit.add, 1)
    found = shop.kind.Job.fetch(job.id, connection=shop.connection)
    assert found.args == (1,)
    found.args = (5,)
    found.timeout = 20
    found.save()
    shop.work()
    assert (shop.ran, shop.reasons()) == (["add 5 0 for alice"], [])


def test_a_job_is_signed_once(shop: Shop) -> None:
    signatures = shop.queue.job_class.signatures.of("shop")
    signed: list[bytes] = []
    sign = signatures.sign

    def counted(data: bytes, *more: Any, **named: Any) -> bytes:
        signed.append(data)
        return bytes(sign(data, *more, **named))

    signatures.sign = counted
    shop.queue.enqueue(rq_kit.add, 1)
    shop.queue.enqueue(rq_kit.add, 1, depends_on="none")
    shop.queue.enqueue_in(timedelta(hours=1), rq_kit.add, 1)
    assert len(signed) == 3


def test_a_queue_that_is_not_asynchronous(shop: Shop) -> None:
    queue = shop.kind.Queue("shop", connection=shop.connection, is_async=False)
    assert queue.enqueue(rq_kit.add, 1, 2).return_value() == 3


def test_webhooks(shop: Shop) -> None:
    webhook = pytest.importorskip("rq.webhook").Webhook
    called: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            called.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/done"
        job = shop.queue.enqueue(rq_kit.add, 1, webhooks=[webhook(url, "finished")])
        shop.work()
        server.shutdown()
        thread.join()
    assert called == ["/done"]
    shop.forge(job, webhooks=stored(shop, job)["webhooks"].replace(b"/done", b"/evil"))
    with pytest.raises(brine.AlteredError) as caught:
        job.refresh()
    assert caught.value.reason == "task-altered"


def test_rate_limits(shop: Shop) -> None:
    limit = pytest.importorskip("rq.rate_limit").RateLimit("few", concurrency=1)
    jobs = [shop.queue.enqueue(rq_kit.add, n, rate_limit=limit) for n in range(3)]
    assert [job.get_status() for job in jobs] == ["queued", "rate_limited", "rate_limited"]
    shop.work()
    shop.work()
    shop.work()
    assert ([job.return_value() for job in jobs], shop.reasons()) == ([0, 1, 2], [])


def test_unique_jobs(shop: Shop) -> None:
    duplicate = pytest.importorskip("rq.scripts") and rq.exceptions.DuplicateJobError
    shop.queue.enqueue(rq_kit.add, 1, job_id="one", unique=True)
    with pytest.raises(duplicate):
        shop.queue.enqueue(rq_kit.add, 1, job_id="one", unique=True)
    shop.work()
    assert shop.ran == ["add 1 0 for alice"]


def test_each_has_a_key_of_its_own(
    connection: Any, alice: brine.Key, mallory: brine.Key, seen: Path
) -> None:
    trust = trust_for(
        ("producer", alice, ["rq:shop"]),
        ("worker", mallory, ["rq:shop", "rq:shop:results"]),
    )
    given = {"trust": trust, "expires": "1d", "replay_db": seen}
    producer = Shop(connection, brine.rq.sign(key=alice, **given))
    worker = Shop(connection, brine.rq.sign(key=mallory, **given))
    job = producer.queue.enqueue(rq_kit.add, 1)
    flaky = producer.queue.enqueue(rq_kit.flaky, 1, retry=Retry(max=1))
    worker.work()
    assert job.return_value() == 1
    flaky.refresh()
    assert (flaky.return_value(), flaky.signer) == ("at last", "worker")
    # Who may send jobs is not believed about results.
    forged = producer.queue.enqueue(rq_kit.add, 2)
    rq.results.Result.create(forged, rq.results.Result.Type.SUCCESSFUL, 60, return_value=1_000_000)
    with pytest.raises(brine.UntrustedError) as caught:
        forged.return_value()
    assert caught.value.reason == "context-not-allowed"


def test_keys_rotate_with_jobs_in_flight(
    connection: Any, alice: brine.Key, mallory: brine.Key, seen: Path
) -> None:
    trust = brine.Trust.of({"old": alice.public, "new": mallory.public})
    given = {"trust": trust, "expires": "1d", "replay_db": seen}
    Shop(connection, brine.rq.sign(key=alice, **given)).queue.enqueue(rq_kit.add, 1)
    shop = Shop(connection, brine.rq.sign(key=mallory, **given))
    shop.queue.enqueue(rq_kit.add, 2)
    shop.work()
    assert shop.ran == ["add 1 0 for old", "add 2 0 for new"]


MODULE = """
import brine.rq
signed = brine.rq.sign(expires="1d", replay_db={seen!r})
"""


@pytest.fixture
def module(
    tmp_path: Path, home: Path, seen: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """A module that signs with the key of the home, as programs import it."""
    (tmp_path / "signing_shop.py").write_text(MODULE.format(seen=str(seen)))
    monkeypatch.syspath_prepend(str(tmp_path))
    import signing_shop

    yield signing_shop.signed
    del sys.modules["signing_shop"]


def program(tmp_path: Path, connection: Any, *arguments: str) -> subprocess.Popen[str]:
    """Start the program of RQ."""
    port = connection.connection_pool.connection_kwargs["port"]
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).parent), *filter(None, sys.path)])
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from rq.cli import main; main()",
            *arguments,
            "--url",
            f"redis://127.0.0.1:{port}",
        ],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_the_program(tmp_path: Path, connection: Any, module: Any) -> None:
    shop = Shop(connection, module)
    job = shop.queue.enqueue(rq_kit.add, 1, 2)
    shop.connection.hset(shop.queue.enqueue(rq_kit.add, 3).key, "timeout", 5)
    worker = program(
        tmp_path,
        connection,
        "worker",
        "--burst",
        "--worker-class",
        "signing_shop.signed.Worker",
        "shop",
    )
    told, _ = worker.communicate(timeout=50)
    assert worker.returncode == 0, told
    assert job.return_value() == 3
    assert shop.ran == ["add 1 2 for default"]
    assert shop.reasons() == ["task-altered"]
    assert "'timeout' is not what was signed" in told


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="RQ would pickle classes")
def test_a_pool_of_workers(tmp_path: Path, connection: Any, module: Any) -> None:
    shop = Shop(connection, module)
    jobs = [shop.queue.enqueue(rq_kit.add, number) for number in range(6)]
    given = ("--burst", "--num-workers", "2", "--worker-class", "signing_shop.signed.Worker")
    pool = program(tmp_path, connection, "worker-pool", *given, "shop")
    told, _ = pool.communicate(timeout=50)
    assert pool.returncode == 0, told
    assert [job.return_value() for job in jobs] == list(range(6))
    assert shop.reasons() == []


def test_the_program_requeues(tmp_path: Path, connection: Any, module: Any) -> None:
    shop = Shop(connection, module)
    job = shop.queue.enqueue(rq_kit.flaky, 1)
    shop.work()
    done = program(
        tmp_path,
        connection,
        "requeue",
        "--queue",
        "shop",
        "--job-class",
        "signing_shop.signed.Job",
        job.id,
    )
    told, _ = done.communicate(timeout=50)
    assert done.returncode == 0, told
    shop.work()
    assert job.return_value() == "at last"


def test_commands(tmp_path: Path, connection: Any, module: Any) -> None:
    shop = Shop(connection, module)
    job = shop.queue.enqueue(rq_kit.wait_for, "never")
    given = ("--name", "one", "--worker-class", "signing_shop.signed.Worker", "shop")
    worker = program(tmp_path, connection, "worker", *given)
    try:
        wait_until(lambda: shop.ran == ["waits"], 50)
        module.send_command(connection, "one", "stop-job", job_id=job.id)
        wait_until(lambda: job.get_status() == "stopped", 50)
        module.send_command(connection, "one", "shutdown")
        told, _ = worker.communicate(timeout=50)
        assert worker.returncode == 0, told
    finally:
        worker.kill()
        worker.wait()
    assert shop.reasons() == []


def test_a_scheduler_beside_a_worker(tmp_path: Path, connection: Any, module: Any) -> None:
    shop = Shop(connection, module)
    job = shop.queue.enqueue_in(timedelta(seconds=1), rq_kit.add, 1)
    repeated = shop.queue.enqueue(rq_kit.add, 2, repeat=Repeat(times=1, interval=1))
    given = ("--name", "one", "--with-scheduler", "--worker-class", "signing_shop.signed.Worker")
    worker = program(tmp_path, connection, "worker", *given, "shop")
    try:
        wait_until(lambda: job.return_value() == 1 and len(repeated.results()) == 2, 50)
        module.send_command(connection, "one", "shutdown")
        told, _ = worker.communicate(timeout=50)
        assert worker.returncode == 0, told
    finally:
        worker.kill()
        worker.wait()
    assert (len(shop.ran), shop.reasons()) == (3, [])


def test_a_horse_that_dies_is_retried(tmp_path: Path, connection: Any, module: Any) -> None:
    shop = Shop(connection, module)
    job = shop.queue.enqueue(rq_kit.die, retry=Retry(max=1))
    worker = program(
        tmp_path,
        connection,
        "worker",
        "--burst",
        "--worker-class",
        "signing_shop.signed.Worker",
        "shop",
    )
    told, _ = worker.communicate(timeout=50)
    assert worker.returncode == 0, told
    assert shop.ran == ["dies"] * 2, told
    job.refresh()
    assert (job.get_status(), job.retries_left, shop.reasons()) == ("failed", 0, [])


def test_what_makes_no_sense_is_refused(
    connection: Any, monkeypatch: pytest.MonkeyPatch, signed: Callable[..., Any]
) -> None:
    made = signed()
    for given in ({"job_class": type("Other", (rq.job.Job,), {})}, {"serializer": "json"}):
        with pytest.raises(brine.UsageError, match="what is signed has"):
            made.Queue("shop", connection=connection, **given)
        with pytest.raises(brine.UsageError, match="what is signed has"):
            made.Worker(["shop"], connection=connection, **given)
    with pytest.raises(brine.UsageError, match="what is signed has"):
        made.Worker(["shop"], connection=connection, queue_class=type("Other", (rq.Queue,), {}))
    for name in ("commands", "shop:results"):
        with pytest.raises(brine.UsageError, match="no queue can be called"):
            made.Queue(name, connection=connection)
    with pytest.raises(brine.UsageError, match="expected a length of time"):
        signed(expires=5)
    for version in ("2.6.1", "4.0.0"):
        monkeypatch.setattr("rq.__version__", version, raising=False)
        with pytest.raises(brine.UnsupportedError, match=f"RQ {version} is not known here"):
            signed()
