//! Each record once: a replay database between the verdict on a record and its release.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::verify_records::Verdict;
use crate::claims::Timestamp;
use crate::cli::clock;
use crate::cli::counts::Missing;
use crate::cli::failure::Failure;
use crate::cli::report::note;
use crate::cose::CHANNEL_BYTES;
use crate::error::{Class, Error};
use crate::key::KeyId;
use crate::record::replay::{
    Birth, Database, Lease, MAX_AGE, Options, ReplayError, Reservation, Settled, Subject,
};

/// How long a record that is being written is held, unless somebody says otherwise: a process that was
/// killed is waited for this long.
const LEASE: Duration = Duration::from_secs(60);

/// Lets each record through once.
pub(super) struct Once {
    database: Database,
    /// Channels that were met, to look for gaps in.
    channels: BTreeSet<(KeyId, [u8; CHANNEL_BYTES])>,
    waiting: Option<Waiting>,
}

/// Since when another process has been waited for.
struct Waiting {
    since: Instant,
    said: bool,
}

/// Which of the records, in their order, can be released now.
pub(super) struct Admitted {
    /// The first that cannot.
    pub(super) until: usize,
    /// One for each verified record before it.
    pub(super) leases: Vec<Lease>,
    pub(super) then: Then,
}

/// What follows when those are released.
pub(super) enum Then {
    GoOn,
    /// The next one is under another process's lease.
    Wait(Timestamp),
    /// The database cannot take the next one.
    Fail(Error),
}

/// What a reservation means for its record.
enum Step {
    Release(Lease),
    Refuse(Error),
    Halt(Then),
}

impl Step {
    fn of(reservation: Reservation) -> Self {
        match reservation {
            Reservation::Fresh(lease) => Self::Release(lease),
            Reservation::Busy { until } => Self::Halt(Then::Wait(until)),
            // It says nothing about the record, which is as good tomorrow.
            Reservation::Refused(error) if error.class() == Class::System => {
                Self::Halt(Then::Fail(error))
            }
            Reservation::Refused(error) => Self::Refuse(error),
            Reservation::Replayed | Reservation::Twin { .. } => {
                Self::Refuse(ReplayError::Replayed.into())
            }
        }
    }
}

impl Once {
    pub(super) fn open(
        path: &Path,
        max_age: Option<Duration>,
        lease: Option<Duration>,
    ) -> Result<Self, Failure> {
        let options = Options {
            // One that is not there was lost, or is named wrongly: a new one would know nothing.
            birth: Birth::Existing,
            busy_timeout: PATIENCE,
            lease: lease.unwrap_or(LEASE),
            max_age: max_age.unwrap_or(MAX_AGE),
        };
        let database = Database::open(path, &options, clock::read()?)?;
        Ok(Self { database, channels: BTreeSet::new(), waiting: None })
    }

    /// Reserves the verified records from the one at `from` on, as far as that goes without waiting for
    /// another process while something is held: two that did would wait for each other. Turns the
    /// verdicts on those that were seen before. With `stops`, ends behind the first of those.
    pub(super) fn admit(
        &mut self,
        verdicts: &mut [Verdict],
        from: usize,
        stops: bool,
    ) -> Result<Admitted, Failure> {
        let verified = verdicts.iter().enumerate().skip(from);
        let (indexes, subjects): (Vec<_>, Vec<_>) = verified
            .filter_map(|(index, verdict)| match verdict {
                Verdict::Verified { subject: Some(subject), .. } => Some((index, *subject)),
                Verdict::Verified { subject: None, .. } | Verdict::Refused(_) => None,
            })
            .unzip();
        let mut admitted = Admitted { until: verdicts.len(), leases: Vec::new(), then: Then::GoOn };
        if subjects.is_empty() {
            return Ok(admitted);
        }
        self.remember(&subjects);
        let now = clock::read()?;
        let mut ended = false;
        let mut not_now = Vec::new();
        let reservations = patiently(|| self.database.reserve_many(&subjects, now))?;
        for (index, reservation) in indexes.into_iter().zip(reservations) {
            match Step::of(reservation) {
                Step::Release(lease) if ended => not_now.push(lease),
                _ if ended => {}
                Step::Release(lease) => admitted.leases.push(lease),
                Step::Refuse(error) => {
                    if let Some(verdict) = verdicts.get_mut(index) {
                        *verdict = Verdict::Refused(error.into());
                    }
                    if stops {
                        admitted.until = index.saturating_add(1);
                        ended = true;
                    }
                }
                Step::Halt(then) => {
                    admitted.then = then;
                    admitted.until = index;
                    ended = true;
                }
            }
        }
        self.give_back(&not_now)?;
        Ok(admitted)
    }

    /// Says that the records were released. From here on every copy is refused.
    pub(super) fn commit(&mut self, leases: &[Lease]) -> Result<(), Failure> {
        if leases.is_empty() {
            return Ok(());
        }
        self.waiting = None;
        let now = clock::read()?;
        let settled = patiently(|| Ok(self.database.commit_many(leases, now)?))?;
        if settled.contains(&Settled::Lost) {
            return Err(ReplayError::LeaseLost.into());
        }
        Ok(())
    }

    /// Gives records back that were not released, so that another process can have them at once.
    pub(super) fn give_back(&mut self, leases: &[Lease]) -> Result<(), Failure> {
        if leases.is_empty() {
            return Ok(());
        }
        // Whoever took one over has it; that is no loss.
        let settled = self.database.release_many(leases, clock::read()?);
        Ok(settled.map(drop)?)
    }

    /// Waits a little for another process, and says so when it takes long.
    pub(super) fn wait(&mut self, until: Timestamp) {
        let waiting = self.waiting.get_or_insert(Waiting { since: Instant::now(), said: false });
        if !waiting.said && waiting.since.elapsed() > PATIENCE {
            waiting.said = true;
            note(&format!("waiting for a record that another process has until {until} at most"));
        }
        thread::sleep(PAUSE);
    }

    /// Counts the numbers that are missing from the channels that were met.
    pub(super) fn missing(&self) -> Result<Missing, Failure> {
        let mut missing = Missing::default();
        for (key, channel) in &self.channels {
            let gaps = self.database.view().gaps(*key, channel)?;
            let records = gaps.iter().map(|gap| gap.count()).fold(0, u64::saturating_add);
            missing.records = missing.records.saturating_add(records);
            missing.channels += u64::from(records > 0);
        }
        Ok(missing)
    }

    fn remember(&mut self, subjects: &[Subject]) {
        for channel in subjects.iter().filter_map(Subject::channel) {
            if self.channels.len() < MAX_CHANNELS {
                self.channels.insert(channel);
            }
        }
    }
}

/// Waits for another process that changes the database, and says so when it takes long.
fn patiently<T>(mut work: impl FnMut() -> Result<T, Error>) -> Result<T, Error> {
    let mut said = false;
    loop {
        match work() {
            // Nothing was changed.
            Err(Error::Replay(ReplayError::Locked)) if !said => {
                said = true;
                note("waiting for another process, which holds the replay database");
            }
            Err(Error::Replay(ReplayError::Locked)) => {}
            done => return done,
        }
    }
}

/// How long nothing is said about waiting.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long until another look.
const PAUSE: Duration = Duration::from_millis(50);

/// In how many channels gaps are looked for, at most.
const MAX_CHANNELS: usize = 4096;
