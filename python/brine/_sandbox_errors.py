"""Why a guest gave no value."""

from __future__ import annotations

from brine._errors import printable
from brine._job_errors import JobError, JobMemoryError, JobTimeoutError


class RuleError(JobError):
    """The code broke a rule of the language: ``rule`` says which, ``line`` and ``column`` where, from 1 on, if that is known."""

    __module__ = "brine"

    outcome = "refused"
    rule: str = ""
    """Which rule: `operations`, `syntax` or `code-from`."""
    _place: tuple[int | None, int | None] = (None, None)

    @property
    def line(self) -> int | None:
        """The line, from 1 on, if that is known."""
        return self._place[0]

    @property
    def column(self) -> int | None:
        """The column in it, from 1 on, if that is known."""
        return self._place[1]

    @classmethod
    def of(cls, rule: str, message: str, line: int | None, column: int | None) -> RuleError:
        """Say which rule was broken."""
        where = [f"{what} {place}" for what, place in (("line", line), ("column", column)) if place]
        error = cls(": ".join(filter(None, [", ".join(where), message])), None, rule, 5)
        error.rule, error._place = rule, (line, column)
        return error


class GuestError(JobError):
    """The guest ended before it answered, or said what it must not say."""

    __module__ = "brine"

    outcome = "failed"


RULES = frozenset({"operations", "syntax", "code-from"})


def of_verdict(verdict: dict[str, object], errors: str) -> JobError:
    """Say why a guest ended, by the verdict of the program that confined it."""
    outcome = str(verdict.get("outcome", "failed"))
    if outcome == "timed-out":
        return JobTimeoutError("the guest took longer than it may", None, "timed-out", 124)
    if outcome == "out-of-processor-time":
        return JobTimeoutError("the guest used more processor time than it may", None, outcome, 124)
    if outcome == "out-of-memory":
        return JobMemoryError("the guest used more memory than it may", None, outcome, 137)
    if outcome == "violated":
        call = verdict.get("violated_call") or verdict.get("violated")
        return GuestError(f"the guest tried what no job may do: {call}", None, "violated", 137)
    if "outcome" not in verdict and (message := str(verdict.get("message", "")).strip()):
        # The program has connected by then, or not: what it says is why it ran nothing.
        hint = verdict.get("hint")
        error = GuestError(
            f"the guest was not started: {message}",
            None if hint is None else str(hint),
            "not-started",
            125,
        )
    else:
        error = GuestError(
            f"the guest ended before it answered ({outcome})", None, "guest-ended", 1
        )
    if errors.strip():
        error.add_note("it said:\n" + printable(errors.strip()[-4096:]))
    return error
