//! Keeps secrets out of core files.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Forbids core dumps of this process, in a way that [`allow`] can take back for a command.
///
/// A limit of 1 byte and not of 0: Linux ignores the limit when cores are piped to a program, except
/// for this value, which it takes as a refusal (`core(5)`; `fs/coredump.c`). `PR_SET_DUMPABLE` would
/// do the same, and make `/dev/stdin` and `/dev/fd` unreadable to anyone but root.
pub(crate) fn forbid() {
    let found = *ORIGINAL.get_or_init(|| getrlimit(Resource::Core));
    set(Rlimit { current: Some(1), ..found });
}

/// Forbids core dumps for good, to this process and to all that it starts.
pub(crate) fn forbid_for_good() {
    set(Rlimit { current: Some(1), maximum: Some(1) });
}

/// Allows core dumps as they were allowed to this process, until the value is dropped: a command inherits that.
pub(crate) fn allow() -> Allowed {
    if let Some(original) = ORIGINAL.get() {
        set(*original);
    }
    Allowed
}

/// Core dumps are allowed.
#[must_use]
pub(crate) struct Allowed;

impl Drop for Allowed {
    fn drop(&mut self) {
        forbid();
    }
}

fn set(limit: Rlimit) {
    // A hard limit of 0 cannot be raised. Then no core is written to a file, and the program that cores are
    // piped to decides about those.
    let _ = setrlimit(Resource::Core, limit);
}

static ORIGINAL: OnceLock<Rlimit> = OnceLock::new();
