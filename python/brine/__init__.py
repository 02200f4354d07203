"""Sign what you serialise, and get bytes back only where a trusted key signed them."""

from __future__ import annotations

import os

from brine import _brine
from brine._brine import (
    AllowList,
    Key,
    Lease,
    PublicKey,
    Signer,
    Trust,
    Verified,
    Verifier,
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

os.register_at_fork(
    before=_brine.before_fork,
    after_in_parent=_brine.after_fork,
    after_in_child=_brine.after_fork,
)

__all__ = [
    "AllowList",
    "AlteredError",
    "Error",
    "InputOutputError",
    "Key",
    "KeyFileError",
    "Lease",
    "PublicKey",
    "ReplayedError",
    "Signer",
    "Trust",
    "UnsupportedError",
    "UntrustedError",
    "UsageError",
    "Verified",
    "Verifier",
    "replay_init",
    "replay_status",
    "sign",
    "verify",
]
