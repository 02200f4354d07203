//! What a process that forks must leave in order.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak};

use pyo3::prelude::*;

/// What must not be open while the process forks, and is opened again when it is needed.
pub(crate) trait ClosedForForks: Send + Sync {
    /// Closes it. Nobody **may** be at work with it.
    fn close(&self);
}

/// Has something closed before each fork, for as long as it is there.
pub(crate) fn register<T: ClosedForForks + 'static>(one: &Arc<T>) {
    let one: Weak<dyn ClosedForForks> = Arc::<T>::downgrade(one);
    let mut all = CLOSED_FOR_FORKS.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|other| other.strong_count() > 0);
    all.push(one);
}

static CLOSED_FOR_FORKS: Mutex<Vec<Weak<dyn ClosedForForks>>> = Mutex::new(Vec::new());

/// Held for reading by whoever works without the interpreter, and for writing while the process forks: no lock is then
/// held by a thread that the child does not have.
static WORK: RwLock<()> = RwLock::new(());

thread_local! {
    static FORKING: RefCell<Option<RwLockWriteGuard<'static, ()>>> = const { RefCell::new(None) };
    /// How many guards of this thread there are. Only the first has the lock: a second would wait for a fork that waits
    /// for the first.
    static WORKING: Cell<usize> = const { Cell::new(0) };
}

/// Works without the interpreter. The work **must not** call Python back: a fork waits for it with the interpreter.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    py.detach(|| {
        let _working = working();
        work()
    })
}

/// Keeps the process from forking while the thread is at work.
pub(crate) struct Working {
    _lock: Option<RwLockReadGuard<'static, ()>>,
}

/// Keeps the process from forking. The thread that forks can work on the way.
pub(crate) fn working() -> Working {
    let is_free = WORKING.get() == 0 && FORKING.with_borrow(Option::is_none);
    let lock = is_free.then(|| WORK.read().unwrap_or_else(PoisonError::into_inner));
    WORKING.set(WORKING.get().saturating_add(1));
    Working { _lock: lock }
}

impl Drop for Working {
    fn drop(&mut self) {
        WORKING.set(WORKING.get().saturating_sub(1));
    }
}

/// Return the addresses of two functions without arguments, for `pthread_atfork`: one for right before a fork, and one
/// for right after it, in the parent and in the child.
#[pyfunction]
#[expect(clippy::as_conversions, reason = "a function has an address in no other way")]
pub(crate) fn fork_handlers() -> (usize, usize) {
    (before_fork as extern "C" fn() as usize, after_fork as extern "C" fn() as usize)
}

/// Waits until nobody works without the interpreter, and closes what must not be open while the process forks.
///
/// It runs inside of `fork`, after all hooks of Python: a hook can wait for a lock whose owner is waiting to work here,
/// and so none may come after this. It waits with the interpreter, which nobody who is at work needs.
extern "C" fn before_fork() {
    if WORKING.get() > 0 || FORKING.with_borrow(Option::is_some) {
        return;
    }
    let held = WORK.write().unwrap_or_else(PoisonError::into_inner);
    for one in CLOSED_FOR_FORKS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if let Some(one) = one.upgrade() {
            one.close();
        }
    }
    FORKING.with_borrow_mut(|forking| *forking = Some(held));
}

/// Lets others work again.
extern "C" fn after_fork() {
    FORKING.with_borrow_mut(|forking| *forking = None);
}
