"""Why a job gave no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brine._errors import Error, printable

if TYPE_CHECKING:
    from brine._brine import JobResult


class JobError(Error):
    """A job gave no value.

    ``outcome`` says how it ended, as in a verdict, and ``reason`` why, if that is said. ``job_result`` is what the worker
    signed about it; it is not pickled.
    """

    __module__ = "brine"

    outcome: str = "failed"
    _job_result: JobResult | None = None

    @property
    def job_result(self) -> JobResult | None:
        """What the worker signed about the job, if it did."""
        return self._job_result

    def __reduce__(self) -> tuple[object, ...]:
        state = {name: value for name, value in vars(self).items() if name != "_job_result"}
        return (*super().__reduce__()[:2], state)


class RemoteError(JobError):
    """The function raised an exception: ``type``, ``text`` and ``traceback`` say which, as text. Nothing was imported for it."""

    __module__ = "brine"

    type: str = ""
    text: str = ""
    traceback: str = ""

    @classmethod
    def of(cls, kind: str, text: str, traceback: str) -> RemoteError:
        """Say what a function raised."""
        error = cls(f"{kind}: {text}" if text else kind, None, "raised", 1)
        error.type, error.text, error.traceback = kind, text, traceback
        if traceback:
            error.add_note("in the job:\n" + printable(traceback.rstrip("\n")))
        return error


class JobRefusedError(JobError):
    """The worker did not run the job: its policy or its Python does not allow it."""

    __module__ = "brine"

    outcome = "refused"


class JobTimeoutError(JobError, TimeoutError):
    """The job exceeded its limit of time, by the clock or of a processor."""

    __module__ = "brine"

    outcome = "timed-out"


class JobMemoryError(JobError):
    """The job exceeded its limit of memory."""

    __module__ = "brine"

    outcome = "out-of-memory"


class JobInterruptedError(JobError):
    """The worker died after the job was begun. It may have done some of its work, and is not run again."""

    __module__ = "brine"

    outcome = "interrupted"


class NoAnswerError(JobError, TimeoutError):
    """There was no result in time. The job has expired: a worker that did not begin it will not."""

    __module__ = "brine"

    outcome = "no-answer"


def of_result(result: JobResult) -> JobError:
    """Say why a job gave no value whose result says that it did not end well."""
    kind, words = _ENDS.get(
        result.outcome, (JobError, f"the job did not end well: {result.outcome}")
    )
    reason = result.reason or result.outcome
    if kind is JobRefusedError:
        words = f"the worker refused the job: {reason}"
    elif result.outcome == "failed" and result.signal is not None:
        words = f"the job was ended by signal {result.signal}"
    elif result.outcome == "failed":
        words = f"the job ended with status {result.exit_status}"
    elif result.outcome == "invalid-output":
        words = f"the output of the job is not a result: {reason}"
    error = kind(words, _HINTS.get(reason), reason, result.status)
    error.outcome = result.outcome
    error._job_result = result
    if result.errors:
        error.add_note("the job wrote:\n" + printable(result.errors.rstrip("\n")))
    return error


_ENDS: dict[str, tuple[type[JobError], str]] = {
    "interrupted": (JobInterruptedError, "the worker died after the job was begun"),
    "out-of-memory": (JobMemoryError, "the job exceeded its limit of memory"),
    "out-of-processor-time": (JobTimeoutError, "the job exceeded its limit of processor time"),
    "refused": (JobRefusedError, ""),
    "timed-out": (JobTimeoutError, "the job exceeded its time limit"),
}

_HINTS = {
    "grant-not-allowed": "the policy of the worker does not allow what the job asks for; the worker says what",
    "policy-absent": "the worker needs a policy, which lets replies go to reply/*",
    "policy-no-entry": "the policy of the worker has no entry for this signer and context",
}
