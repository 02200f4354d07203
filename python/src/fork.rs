//! What a process that forks must leave in order.

use std::cell::RefCell;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pyo3::prelude::*;

use crate::ledger;

/// Held for reading by whoever works without the interpreter, and for writing while the process forks: no lock is then
/// held by a thread that the child does not have.
static WORK: RwLock<()> = RwLock::new(());

thread_local! {
    static FORKING: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
}

/// Works without the interpreter. The work **must not** call Python back.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    py.detach(|| {
        let _working = working();
        work()
    })
}

/// Keeps the process from forking. The thread that forks can work on the way, as other hooks may.
pub(crate) fn working() -> Option<RwLockReadGuard<'static, ()>> {
    let is_forking = FORKING.with_borrow(Option::is_some);
    (!is_forking).then(|| WORK.read().unwrap_or_else(PoisonError::into_inner))
}

/// Waits until nobody works without the interpreter, and closes what must not be open while the process forks.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) {
    py.detach(|| {
        // A package that was imported again has registered its hooks again.
        if FORKING.with_borrow(Option::is_some) {
            return;
        }
        let held = WORK.write().unwrap_or_else(PoisonError::into_inner);
        ledger::close_all();
        FORKING.with_borrow_mut(|forking| *forking = Some(held));
    });
}

/// Lets others work again, in the parent and in the child.
#[pyfunction]
pub(crate) fn after_fork() {
    FORKING.with_borrow_mut(|forking| *forking = None);
}
