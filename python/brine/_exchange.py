"""Jobs that were sent and are answered: what an executor shares with the thread that takes its answers."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from concurrent import futures
from itertools import takewhile
from time import monotonic
from typing import TYPE_CHECKING, Any

from brine._errors import Error
from brine._job_errors import NoAnswerError

if TYPE_CHECKING:
    from brine._answer import AnswerRules
    from brine._brine import Queue, Sent, Verifier
    from brine._executor import JobFuture


class SentJob:
    """A job that was sent, and is not answered."""

    def __init__(self, exchange: Exchange, future: JobFuture[Any], seconds: float) -> None:
        self.exchange = exchange
        self.future = future
        self.until = monotonic() + seconds
        self.seconds = seconds
        self.sent: Sent | None = None
        self.identity = b""

    def cancel(self, future: JobFuture[Any]) -> bool:
        """Take the job back. If a worker has begun it, note that it runs."""
        exchange = self.exchange
        if exchange.is_of_parent:
            # The job is the parent's, and so are locks that the future may have.
            return False
        if future.done() or future.running():
            return futures.Future.cancel(future)
        if self.sent is None or not exchange.jobs.withdraw(self.sent):
            exchange.begin(future)
            return False
        exchange.forget(self.identity)
        is_cancelled = futures.Future.cancel(future)
        if is_cancelled:
            future.set_running_or_notify_cancel()
        return is_cancelled


class Exchange:
    """What an executor and the thread that takes its answers share. The thread ends when the executor has."""

    def __init__(self, jobs: Queue, answers: Queue, verifier: Verifier, rules: AnswerRules) -> None:
        self.jobs = jobs
        self._answers, self._verifier, self._rules = answers, verifier, rules
        self._changed = threading.Condition()
        self._waiting: dict[bytes, SentJob] = {}
        self._passed_over: dict[str, int] = {}
        self._thread: threading.Thread | None = None
        self._has_ended = False
        self._process = os.getpid()
        self._kept_at = monotonic()

    @property
    def is_of_parent(self) -> bool:
        """Whether this is a forked child, which has no thread that takes answers."""
        return self._process != os.getpid()

    def refuse_ended(self) -> None:
        """Raise if nothing is taken any more."""
        if self.is_of_parent:
            raise RuntimeError("this executor belongs to the process that made it")
        if _interpreter_ends:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        if self._has_ended:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def send(self, future: JobFuture[Any], job: bytes, identity: bytes, seconds: float) -> None:
        """Send a job. From then on, its answer is waited for."""
        sent_job = SentJob(self, future, seconds)
        sent_job.identity = identity
        future._job = sent_job
        with self._changed:
            self.refuse_ended()
            # It can be answered before `send` returns.
            self._waiting[identity] = sent_job
        try:
            self._keep_answers()
            sent_job.sent = self.jobs.send(job)
        except BaseException:
            self.forget(identity)
            raise
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="brine-answers")
                self._thread.start()
                _exchanges.add(self)
            self._changed.notify_all()

    def _keep_answers(self) -> None:
        """Have the queue for the answers last for longer than this job is waited for."""
        if monotonic() - self._kept_at > KEPT_FOR_SECONDS / 2:
            self._kept_at = monotonic()
            self._answers.keep()

    def forget(self, identity: bytes) -> SentJob | None:
        """Wait no longer for the answer of a job."""
        with self._changed:
            job = self._waiting.pop(identity, None)
            self._changed.notify_all()
        if self._has_ended and threading.current_thread() is not self._thread:
            self._answers.wake()
        return job

    def begin(self, future: JobFuture[Any]) -> bool:
        """Note that a job runs or ran. Return false if its future was cancelled."""
        with self._changed:
            if future.done():
                return False
            return future.running() or future.set_running_or_notify_cancel()

    def end(self, cancel: bool) -> None:
        """Take nothing more. The thread ends when nothing is waited for."""
        if self.is_of_parent:
            return
        with self._changed:
            is_first = not self._has_ended
            self._has_ended = True
            waiting = list(self._waiting.values())
            has_thread = self._thread is not None
            self._changed.notify_all()
        if cancel:
            self._cancel(waiting)
        if has_thread:
            self._answers.wake()
        elif is_first:
            self._remove()

    @staticmethod
    def _cancel(waiting: list[SentJob]) -> None:
        """Take jobs back. Where the server is away, they are waited for like all others."""
        with contextlib.suppress(Error):
            for job in waiting:
                job.future.cancel()

    def join(self) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None and not self.is_of_parent:
            self._thread.join()

    def _remove(self) -> None:
        # What is left there is read by nobody. If it fails, the queue stays.
        with contextlib.suppress(Error):
            self._answers.remove()

    def _work(self) -> None:
        try:
            self._take_all()
        except BaseException as error:
            # Nobody would answer those who wait.
            with self._changed:
                self._has_ended = True
                waiting = list(self._waiting.values())
                self._waiting.clear()
            for job in waiting:
                if self.begin(job.future):
                    job.future.set_exception(error)
            raise
        finally:
            self._remove()

    def _take_all(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._has_ended:
                    self._changed.wait()
                if not self._waiting:
                    return
                    # All are waited for equally long, so the first was sent first.
                until = next(iter(self._waiting.values())).until
            self._take(max(0.0, until - monotonic()))
            self._end_waiting()

    def _take(self, seconds: float) -> None:
        """Take an answer, if there is one."""
        try:
            found = self._answers.receive(None, min(seconds, LONGEST_LOOK_SECONDS))
            if found is None or isinstance(found, tuple):
                return
            try:
                self._judge(found.content)
            except Error as error:
                # A trust file that cannot be read says nothing about the answer, which stays where it is.
                self._note(error.reason)
                found.retry(PAUSE_SECONDS, error.message)
                return
            found.ack()
        except Error as error:
            self._note(error.reason)
            with self._changed:
                self._changed.wait(PAUSE_SECONDS)

    def _judge(self, answer: bytes) -> None:
        """Give an answer to the future that waits for it. Anybody can have put it there."""
        try:
            result = self._verifier.verify_result(answer)
            self._rules.refuse_signer(result.signer)
        except Error as error:
            if error.status in _OF_THIS_PROCESS:
                raise
            self._note(error.reason)
            return
        job = self.forget(result.job)
        if job is None:
            self._note("result-other-job")
            return
        future = job.future
        if not self.begin(future):
            return
        future._job_result = result
        try:
            value = self._rules.value(result)
        except BaseException as error:  # noqa: BLE001
            future.set_exception(error)
        else:
            future.set_result(value)
        future._job = None

    def _note(self, reason: str) -> None:
        with self._changed:
            self._passed_over[reason] = self._passed_over.get(reason, 0) + 1

    def _end_waiting(self) -> None:
        """Give up on jobs that nobody answered in time."""
        now = monotonic()
        with self._changed:
            late = list(takewhile(lambda job: job.until <= now, self._waiting.values()))
            passed_over = dict(self._passed_over)
        is_there = True
        for job in late:
            if self.forget(job.identity) is None:
                continue
            if job.sent is not None and is_there:
                # Otherwise it becomes a dead letter, since it has expired.
                try:
                    self.jobs.withdraw(job.sent)
                except Error as error:
                    is_there = error.reason != "queue-connection"
            if self.begin(job.future):
                job.future.set_exception(_no_answer(job.seconds, passed_over))


def _no_answer(seconds: float, passed_over: dict[str, int]) -> NoAnswerError:
    message = f"no result within {seconds:g} s"
    if passed_over:
        counts = ", ".join(f"{count} {reason}" for reason, count in sorted(passed_over.items()))
        message += f"; answers were passed over: {counts}"
    hint = "a worker must be at work, and its policy let replies go to the queue that the job names"
    return NoAnswerError(message, hint, "no-answer", 124)


_exchanges: weakref.WeakSet[Exchange] = weakref.WeakSet()
_interpreter_ends = False


def _end_all() -> None:
    """Wait for all answers when the interpreter ends, as executors of the standard library do."""
    global _interpreter_ends
    _interpreter_ends = True
    exchanges = [exchange for exchange in _exchanges if not exchange.is_of_parent]
    for exchange in exchanges:
        exchange.end(False)
    for exchange in exchanges:
        exchange.join()


# Threads are waited for after that.
threading._register_atexit(_end_all)  # type: ignore[attr-defined]

KEPT_FOR_SECONDS = 3600.0
"""How much longer the queue of answers is kept than each answer is waited for, if this process is killed."""

LONGEST_LOOK_SECONDS = 60.0
PAUSE_SECONDS = 1.0

_OF_THIS_PROCESS = (2, 4, 6)
"""The classes of errors that say nothing about an answer."""
