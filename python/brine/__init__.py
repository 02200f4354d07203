"""Sign what you serialise, and get bytes back only where a trusted key signed them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from brine import _fork
from brine._brine import (
    AllowList,
    JobResult,
    Key,
    Lease,
    PublicKey,
    Signer,
    Trust,
    Verified,
    Verifier,
    __version__,
    replay_init,
    replay_status,
)
from brine._bytes import sign, verify
from brine._errors import (
    AlteredError,
    Error,
    InputOutputError,
    KeyFileError,
    ReplayedError,
    UnsupportedError,
    UntrustedError,
    UsageError,
)
from brine._files import open
from brine._objects import dump, dumps, load, loads
from brine._signed_reader import SignedReader, SignedTextReader
from brine._signed_writer import SignedTextWriter, SignedWriter
from brine._unsigned import Unsigned, UnsignedWarning

if TYPE_CHECKING:
    from brine._executor import Executor, JobFuture
    from brine._facet import Facet
    from brine._job_errors import (
        JobError,
        JobInterruptedError,
        JobMemoryError,
        JobRefusedError,
        JobTimeoutError,
        NoAnswerError,
        RemoteError,
    )
    from brine._managers import register_manager_serializer
    from brine._message_queue import Message, MessageQueue, queue
    from brine._paths import VerifiedPath, verified_path
    from brine._pipes import SignedConnection, signed_pipe
    from brine._power import Power
    from brine._power_server import PowerServer
    from brine._queues import SignedJoinableQueue, SignedQueue
    from brine._sandbox import Sandbox, safe_eval
    from brine._sandbox_errors import GuestError, RuleError
    from brine._simple_queue import SignedSimpleQueue

# What takes a while to import, and is imported when it is asked for.
_LATE = {
    "Executor": "brine._executor",
    "Facet": "brine._facet",
    "GuestError": "brine._sandbox_errors",
    "JobError": "brine._job_errors",
    "JobFuture": "brine._executor",
    "JobInterruptedError": "brine._job_errors",
    "JobMemoryError": "brine._job_errors",
    "JobRefusedError": "brine._job_errors",
    "JobTimeoutError": "brine._job_errors",
    "Message": "brine._message_queue",
    "MessageQueue": "brine._message_queue",
    "NoAnswerError": "brine._job_errors",
    "Power": "brine._power",
    "PowerServer": "brine._power_server",
    "RemoteError": "brine._job_errors",
    "RuleError": "brine._sandbox_errors",
    "Sandbox": "brine._sandbox",
    "SignedConnection": "brine._pipes",
    "SignedJoinableQueue": "brine._queues",
    "SignedQueue": "brine._queues",
    "SignedSimpleQueue": "brine._simple_queue",
    "VerifiedPath": "brine._paths",
    "queue": "brine._message_queue",
    "register_manager_serializer": "brine._managers",
    "safe_eval": "brine._sandbox",
    "signed_pipe": "brine._pipes",
    "verified_path": "brine._paths",
}


def __getattr__(name: str) -> object:
    """Import what is not imported yet."""
    if name not in _LATE:
        raise AttributeError(f"module 'brine' has no attribute {name!r}")
    found: object = getattr(import_module(_LATE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """List also what is not imported yet."""
    return sorted({*globals(), *__all__})


_fork.hold_back()

__all__ = [
    "AllowList",
    "AlteredError",
    "Error",
    "Executor",
    "Facet",
    "GuestError",
    "InputOutputError",
    "JobError",
    "JobFuture",
    "JobInterruptedError",
    "JobMemoryError",
    "JobRefusedError",
    "JobResult",
    "JobTimeoutError",
    "Key",
    "KeyFileError",
    "Lease",
    "Message",
    "MessageQueue",
    "NoAnswerError",
    "Power",
    "PowerServer",
    "PublicKey",
    "RemoteError",
    "ReplayedError",
    "RuleError",
    "Sandbox",
    "SignedConnection",
    "SignedJoinableQueue",
    "SignedQueue",
    "SignedReader",
    "SignedSimpleQueue",
    "SignedTextReader",
    "SignedTextWriter",
    "SignedWriter",
    "Signer",
    "Trust",
    "Unsigned",
    "UnsignedWarning",
    "UnsupportedError",
    "UntrustedError",
    "UsageError",
    "Verified",
    "VerifiedPath",
    "Verifier",
    "__version__",
    "dump",
    "dumps",
    "load",
    "loads",
    "open",
    "queue",
    "register_manager_serializer",
    "replay_init",
    "replay_status",
    "safe_eval",
    "sign",
    "signed_pipe",
    "verified_path",
    "verify",
]
