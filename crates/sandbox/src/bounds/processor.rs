//! The processor time of a job whose processes are looked at again and again.
//!
//! A process that nobody waits for, because its parent ignores the signal of its end, leaves no trace of what it used.
//! What was seen of it while it lived counts. Most processes that live only between two looks are never seen, so what a
//! look meets stands for them: of processes that are new and run, each is taken to have run as long as there was no
//! look. Looks come at moments that a job cannot know, so this comes out right on average.

use std::collections::HashMap;
use std::time::Duration;

use super::census::ProcessFacts;

/// The processor time that was seen so far.
#[derive(Debug, Default)]
pub(super) struct SeenTime {
    /// What each process counts for that was there at the last look, by its number and start.
    living: HashMap<(u32, u64), Share>,
    /// What those counted for that are gone.
    gone: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Share {
    /// What it had used.
    used: Duration,
    /// What it stands for, until it is met again.
    stands_for: Duration,
}

impl SeenTime {
    /// Takes a look into account. `since` is the time since the last one, `processors` how many can run at once.
    pub(super) fn look(&mut self, processes: &[ProcessFacts], since: Duration, processors: usize) {
        let mut living = HashMap::with_capacity(processes.len());
        let mut most_new = processors;
        for process in processes {
            let key = (process.id, process.started);
            let is_new = self.living.remove(&key).is_none();
            let stands = is_new && process.runs && most_new > 0;
            most_new = most_new.saturating_sub(usize::from(stands));
            let stands_for = if stands { since } else { Duration::ZERO };
            living.insert(key, Share { used: process.used, stands_for });
        }
        self.gone = self.total_of_living().saturating_add(self.gone);
        self.living = living;
    }

    pub(super) fn total(&self) -> Duration {
        self.gone.saturating_add(self.total_of_living())
    }

    fn total_of_living(&self) -> Duration {
        self.living.values().map(|share| share.used.max(share.stands_for)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(id: u32, used: u64, runs: bool) -> ProcessFacts {
        ProcessFacts { id, started: 1, used: Duration::from_millis(used), runs, held: 0, size: 0 }
    }

    const LOOK: Duration = Duration::from_millis(100);

    #[test]
    fn what_a_process_used_stays_when_it_is_gone() {
        let mut seen = SeenTime::default();
        seen.look(&[process(2, 500, false), process(3, 200, true)], LOOK, 2);
        assert_eq!(seen.total(), Duration::from_millis(700));
        seen.look(&[process(2, 900, true)], LOOK, 2);
        assert_eq!(seen.total(), Duration::from_millis(1100));
        seen.look(&[], LOOK, 2);
        assert_eq!(seen.total(), Duration::from_millis(1100));
        // The number was given again.
        let again = ProcessFacts { started: 9, ..process(2, 200, false) };
        seen.look(&[again], LOOK, 2);
        assert_eq!(seen.total(), Duration::from_millis(1300));
    }

    #[test]
    fn those_that_live_between_looks_are_counted_by_those_that_are_met() {
        let mut seen = SeenTime::default();
        for id in 2..12 {
            seen.look(&[process(id, 0, true)], LOOK, 2);
        }
        assert_eq!(seen.total(), LOOK * 10);
        // No more run at once than there are processors, and none that sleeps.
        let mut seen = SeenTime::default();
        let crowd: Vec<_> = (2..60).map(|id| process(id, 0, true)).collect();
        seen.look(&crowd, LOOK, 2);
        assert_eq!(seen.total(), LOOK * 2);
        seen.look(&[process(90, 0, false)], LOOK, 2);
        assert_eq!(seen.total(), LOOK * 2);
        // One that stays is counted by what it uses.
        let mut seen = SeenTime::default();
        seen.look(&[process(90, 10, true)], LOOK, 2);
        assert_eq!(seen.total(), LOOK);
        seen.look(&[process(90, 30, true)], LOOK, 2);
        assert_eq!(seen.total(), Duration::from_millis(30));
    }
}
