//! The memory of a job's locks of files, which the kernel counts for no control group.
//!
//! Before it lists locks, the kernel waits until every processor knows of it, often ten milliseconds. So they are
//! counted on a thread, and a job that ends at once is not asked about at all.
//!
//! Source: proc_locks(5).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

/// Counts the locks of a job again and again.
#[derive(Debug)]
pub(super) struct LockCount {
    /// A `/proc` of the job's process namespace.
    processes: Option<Arc<OwnedFd>>,
    counting: Option<JoinHandle<u64>>,
    /// What was counted last, in bytes.
    bytes: u64,
    next: Instant,
}

impl LockCount {
    /// Returns it for a job that starts now.
    pub(super) fn of_namespace(processes: Option<OwnedFd>, now: Instant) -> Self {
        Self { processes: processes.map(Arc::new), counting: None, bytes: 0, next: now + INTERVAL }
    }

    /// Returns the bytes that were counted last; more than any limit if there were too many locks to count. It waits
    /// for nothing.
    pub(super) fn look(&mut self, now: Instant) -> u64 {
        if let Some(counted) = self.counting.take_if(|counting| counting.is_finished()) {
            self.bytes = counted.join().unwrap_or(0);
            self.next = now + INTERVAL;
        }
        if let (None, Some(processes), true) = (&self.counting, &self.processes, now >= self.next) {
            let processes = Arc::clone(processes);
            // Without a thread now, there may be one at the next look.
            self.counting =
                thread::Builder::new().name("locks".into()).spawn(move || bytes(&processes)).ok();
        }
        self.bytes
    }

    /// Returns how long to wait for the next look, at most this long.
    pub(super) fn ready_in(&self, most: Duration) -> Duration {
        if self.counting.is_some() { most.min(COUNTING) } else { most }
    }
}

/// Returns the bytes of locks of files; more than any limit if there are too many to be counted.
///
/// To list them takes the square of their number, and nobody can lock anything meanwhile. No program that means well has
/// as many as are counted here.
fn bytes(processes: &OwnedFd) -> u64 {
    match count(processes).unwrap_or(0) {
        count if count > MOST_LOCKS => u64::MAX,
        count => count.saturating_mul(LOCK_BYTES),
    }
}

fn count(processes: &OwnedFd) -> io::Result<u64> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(processes, c"locks", flags, Mode::empty())?);
    let mut buffer = vec![0; 1 << 16];
    let mut count = 0_u64;
    loop {
        let read = file.read(&mut buffer)?;
        let lines = buffer.get(..read).unwrap_or_default().iter().filter(|byte| **byte == b'\n');
        count = count.saturating_add(u64::try_from(lines.count()).unwrap_or(u64::MAX));
        if read == 0 || count > MOST_LOCKS {
            return Ok(count);
        }
    }
}

/// How long after one count the next begins.
const INTERVAL: Duration = Duration::from_millis(100);

/// How often it is asked whether a count is finished.
const COUNTING: Duration = Duration::from_millis(10);

/// What a lock takes (`struct file_lock`), with what the allocator adds.
const LOCK_BYTES: u64 = 256;

/// More locks end a job. They take 4 MiB.
const MOST_LOCKS: u64 = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;

    /// Locks of other processes of this namespace are counted, too, so that only more of them can be asked for.
    #[test]
    fn locks_are_counted_without_waiting_for_them() {
        let directory = tempfile::tempdir().unwrap();
        let files: Vec<_> = (0..20)
            .map(|number| File::create(directory.path().join(number.to_string())).unwrap())
            .collect();
        for file in &files {
            file.lock().unwrap();
        }
        let processes: OwnedFd = File::open("/proc").unwrap().into();
        let start = Instant::now();
        let mut locks = LockCount::of_namespace(Some(processes), start);
        assert_eq!(locks.look(start), 0);
        assert!(locks.counting.is_none(), "a job that starts is not asked about");
        assert_eq!(locks.look(start + INTERVAL), 0);
        assert_eq!(locks.ready_in(Duration::from_secs(1)), COUNTING);
        while !locks.counting.as_ref().unwrap().is_finished() {
            thread::yield_now();
        }
        assert!(locks.look(start + INTERVAL) >= 20 * LOCK_BYTES);
        assert_eq!(locks.ready_in(Duration::from_secs(1)), Duration::from_secs(1));
    }
}
