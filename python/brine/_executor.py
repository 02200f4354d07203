"""Functions that run elsewhere: sent as signed jobs over a queue, and answered with signed results."""

from __future__ import annotations

import secrets
import weakref
from concurrent import futures
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from brine import _allow, _code, _objects
from brine._answer import AnswerRules
from brine._brine import Queue, Signer, Verifier, cbor_encode, length_in_seconds
from brine._errors import Error, UsageError
from brine._exchange import KEPT_FOR_SECONDS, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import timedelta

    from brine._allow import Allow
    from brine._brine import JobResult, Key, Trust
    from brine._exchange import SentJob

P = ParamSpec("P")
T = TypeVar("T")

CONTENT_TYPE = "application/vnd.brine.python-call+cbor"
"""The content type of calls, for policies."""

VERSION = 1

ANSWER_LEASE = "10s"
"""How long it takes until an answer comes again that was lost between a server and this process."""


class JobFuture(futures.Future[T]):
    """The value of a function that runs elsewhere.

    ``cancel`` takes the job back if no worker has begun it, and returns whether it did.
    """

    def __init__(self) -> None:
        super().__init__()
        self._job: SentJob | None = None
        self._job_result: JobResult | None = None

    @property
    def job_result(self) -> JobResult | None:
        """What the worker signed about the job, once it is done."""
        return self._job_result

    def cancel(self) -> bool:
        """Take the job back, if no worker has begun it. Return whether it was: it is not run then."""
        job = self._job
        if job is None:
            return super().cancel()
        return job.cancel(self)


class Executor(futures.Executor):
    """Runs functions on the workers of a queue, which are ``brine work URL --python``.

    - ``url`` is the queue for the jobs, like ``"sqlite:jobs.db?queue=work"`` or ``"nats://host?queue=work"``. It is made if
      it is not there.
    - ``key`` signs them, by default the default key, for ``context``, by default the name of the queue.
    - ``trust`` says who is believed to have answered, by default the trust file at home; ``answers_from`` has the names
      of the workers, if not all who are trusted may answer.
    - ``allow`` says what results may import that are no plain data, as for `brine.loads`.
    - ``code`` has the names of the workers whose results may be functions and classes, or is `True` for all. Such a
      result can do anything in this process.
    - ``grants`` is what each job asks for, as `brine sign --grant` takes it: ``["memory=256MiB", "wall=10s"]``.
    - ``timeout`` is how long to wait for each result, by default an hour. The job expires then.
    """

    def __init__(
        self,
        url: str,
        *,
        key: Key | str | None = None,
        trust: Trust | None = None,
        context: str | None = None,
        answers_from: str | Iterable[str] | None = None,
        allow: Allow = "std",
        code: bool | str | Iterable[str] = False,
        grants: Iterable[str] = (),
        timeout: timedelta | str = "1h",
    ) -> None:
        _allow.check(allow)
        everybody = True if answers_from is None else _names("answers_from", answers_from)
        rules = AnswerRules(allow, _names("code", code), everybody)
        jobs = Queue(url)
        reply = _reply_queue(rules.takes_code)
        # Nobody is believed for a context of code to whom the trust file does not give it by name.
        verifier = Verifier(trust, context=reply)
        signer = Signer(
            key,
            context=jobs.name if context is None else context,
            expires=timeout,
            content_type=CONTENT_TYPE,
        )
        if isinstance(grants, str):
            raise UsageError('grants: expected a list, like ["wall=10s"]', reason="usage")
        self._grants = [*grants, "format=cbor", f"reply={reply}"]
        # What makes no sense is said here, and not with the first job.
        signer.sign_job(b"", grants=self._grants)
        self._rules, self._signer = rules, signer
        self._seconds = length_in_seconds(timeout)
        # Others delete it if this process is killed.
        answers = Queue(
            jobs.beside(reply), lifetime=self._seconds + KEPT_FOR_SECONDS, lease=ANSWER_LEASE
        )
        self._exchange = Exchange(jobs, answers, verifier, rules)
        self._end = weakref.finalize(self, Exchange.end, self._exchange, False)
        self._end.atexit = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> JobFuture[T]:
        """Sign a call and put it on the queue. When this returns, it is on the disk, or a server has confirmed it.

        A function of an importable module travels as its name, and others as their code. What cannot be pickled, or is
        larger than a message may be, is the exception of the future.
        """
        future: JobFuture[T] = JobFuture()
        self._exchange.refuse_ended()
        try:
            job, identity = self._signed((fn, args, kwargs))
        except UsageError as error:
            future.set_exception(error)
            return future
        try:
            self._exchange.send(future, job, identity, self._seconds)
        except Error as error:
            if error.reason != "too-large":
                raise
            future.set_exception(error)
        return future

    def _signed(self, call: object) -> tuple[bytes, bytes]:
        payload = cbor_encode(
            {
                "v": VERSION,
                "python": _code.PYTHON,
                "code": self._rules.takes_code,
                "call": _objects.pickled(call, True),
            }
        )
        if payload is None:
            raise UsageError("the call is larger than 16 MiB", reason="too-large")
        return self._signer.sign_job(payload, grants=self._grants)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more functions, and delete the queue of the results when all have come.

        With ``cancel_futures``, jobs that no worker has begun are taken back. With ``wait``, return when all futures are
        done.
        """
        exchange = self._exchange
        exchange.end(cancel_futures)
        if wait:
            exchange.join()

    def __repr__(self) -> str:
        return f"<brine.Executor for {self._signer.context!r}>"


def _names(name: str, given: bool | str | Iterable[str]) -> frozenset[str] | bool:
    """Return names of signers; whether all are meant or none, if that is said."""
    if isinstance(given, bool):
        return given
    names = frozenset([given] if isinstance(given, str) else given)
    if not all(isinstance(one, str) for one in names):
        raise UsageError(f"{name}: expected names of signers", reason="usage")
    return names


def _reply_queue(takes_code: bool) -> str:
    """Draw a name that nobody knows before a job names it. One for code says so."""
    name = f"reply/{secrets.token_hex(16)}"
    return _code.context_for(name) if takes_code else name
