//! A job that was sent twice runs once.

use std::path::Path;

use brine_core::{Timestamp, Verified};
use brine_records::replay::{LEASE, MAX_AGE, ReplayDatabase, ReplayOptions};
use brine_records::{ReplayError, Settled, Subject};

use crate::args::run::Run;
use crate::report::Failure;
use crate::world::clock;

/// The replay database that remembers which jobs were run.
pub(super) struct RunJobs(ReplayDatabase);

impl RunJobs {
    /// Opens the database that was named, if one was.
    pub(super) fn open(args: &Run) -> Result<Option<Self>, Failure> {
        args.replay_db.as_deref().map(|path| Self::open_at(args, path)).transpose()
    }

    fn open_at(args: &Run, path: &Path) -> Result<Self, Failure> {
        let max_age = args.judge.max_age.unwrap_or(MAX_AGE);
        let options = ReplayOptions { lease: LEASE, max_age, ..ReplayOptions::default() };
        Ok(Self(ReplayDatabase::open(path, &options, clock::read()?)?))
    }

    /// Notes that a job is run, or refuses one that was run before. When it returns, the note is on the disk: whatever
    /// becomes of the job, it is not run again.
    pub(super) fn note(mut self, job: &Verified, name: &str) -> Result<(), Failure> {
        let noted = self.commit(job, clock::read()?);
        noted.map_err(|source| Failure::ReplayedJob { name: name.to_owned(), source })
    }

    fn commit(&mut self, job: &Verified, now: Timestamp) -> Result<(), ReplayError> {
        let subject = Subject::of(job)?;
        let lease = self.0.reserve(&subject, now)?.into_lease()?;
        match self.0.commit(&lease, now)? {
            Settled::Done => Ok(()),
            // Another process took the job when the lease had run out, and runs it.
            Settled::Lost => Err(ReplayError::Replayed),
        }
    }
}
