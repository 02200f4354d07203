"""Results of jobs of RQ, which are signed in Redis."""

from __future__ import annotations

import zlib
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from rq.results import Result

from brine._errors import AlteredError, UsageError
from brine._objects import pickled
from brine._rq_signatures import as_stored, readable
from brine._task_signatures import OpenedTask

if TYPE_CHECKING:
    from collections.abc import Mapping

SEAL = "brine"
VALUE = "return_value"

MOST_UNSIGNED_BYTES = 64 << 20
"""How much is inflated of what nobody has signed, where that is let through."""


class JobValues:
    """Pickles what jobs have. It loads nothing: what has verified is loaded where it was verified."""

    def __init__(self, job: Any = None) -> None:
        self._job = job

    def dumps(self, value: Any) -> bytes:
        return pickled(value, False)

    def loads(self, data: bytes) -> Any:
        raise UsageError("nobody has verified it", reason="usage")

    def sealed(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """Sign the record of a result, for its job. Whoever sent a job unsigned reads no signed result."""
        job = self._of_job()
        if job.is_unsigned:
            return dict(result)
        fields = {name: as_stored(value) for name, value in result.items()}
        return {SEAL: job.own.sign(pickled(fields, False), job.about("result"), is_result=True)}

    def opened(self, record: Mapping[str, bytes]) -> tuple[dict[str, bytes], Any]:
        """Verify the record of a result. Return it without the value, and the value."""
        job = self._of_job()
        if SEAL not in record and job.is_unsigned:
            return self._unsigned(job, dict(record))
        opened = job.own.open(record.get(SEAL, b""), job.about("result"), is_result=True)
        if not isinstance(opened, OpenedTask) or not isinstance(opened.content, dict):
            raise UsageError("it is no result of RQ", reason="task-form")
        fields = opened.content
        value = fields.pop(VALUE, None)
        if value is None:
            return fields, None
        return fields, job.own.load_pickle(b64decode(value), opened.verified.signer)

    def _unsigned(self, job: Any, fields: dict[str, bytes]) -> tuple[dict[str, bytes], Any]:
        inflated(b64decode(fields.get("exc_string", b"")))
        value = fields.pop(VALUE, None)
        if value is None:
            return fields, None
        found = job.own.open(b64decode(value), job.about("result"), is_result=True)
        if isinstance(found, OpenedTask):
            raise UsageError("it is no result of RQ", reason="task-form")
        return fields, found

    def _of_job(self) -> Any:
        if self._job is None:
            raise UsageError("it is of no job", reason="usage")
        return self._job


class SignedResult(Result):
    """The result of a job, verified when it is read."""

    @classmethod
    def restore(
        cls, job_id: str, result_id: str, payload: Any, connection: Any, serializer: Any = None
    ) -> Result:
        fields, value = serializer.opened(readable(payload))
        try:
            result = super().restore(job_id, result_id, fields, connection, serializer)
        except (ValueError, OverflowError) as error:
            # Nobody signs where it stands in the stream, which is when it was written.
            raise UsageError(f"it is no result of RQ: {error}", reason="task-form") from error
        result.return_value = value
        return result


_serialize = Result.serialize


def _sealed(self: Result) -> dict[str, Any]:
    record = _serialize(self)
    return self.serializer.sealed(record) if isinstance(self.serializer, JobValues) else record


# RQ makes results of this class in many places, and gives them the serializer of their job.
Result.serialize = _sealed  # type: ignore[method-assign]


def inflated(data: bytes) -> bytes:
    """Inflate what nobody has signed, up to a limit. Envelopes do not begin like this."""
    if not data.startswith(b"\x78"):
        return data
    inflater = zlib.decompressobj()
    try:
        found = inflater.decompress(data, MOST_UNSIGNED_BYTES + 1)
    except zlib.error:
        return data
    if len(found) > MOST_UNSIGNED_BYTES:
        raise AlteredError(
            f"it inflates to more than {MOST_UNSIGNED_BYTES >> 20} MiB", reason="too-large"
        )
    return found
