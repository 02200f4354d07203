//! The database as the ledger of a pipeline.

use std::time::Duration;

use brine_core::{CHANNEL_BYTES, KeyId, Timestamp};

use super::{ReplayDatabase, ReplayLease};
use crate::ledger::{Ledger, NumberSpan, ReplayError, Reservation, Settled, Subject};

impl Ledger for ReplayDatabase {
    type Lease = ReplayLease;

    fn lease_length(&self) -> Duration {
        self.lease
    }

    fn reserve_many(
        &mut self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation<ReplayLease>>, ReplayError> {
        self.reserve_many(subjects, now)
    }

    fn renew_many(
        &mut self,
        leases: &[ReplayLease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.renew_many(leases, now)
    }

    fn commit_many(
        &mut self,
        leases: &[ReplayLease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.commit_many(leases, now)
    }

    fn give_back_many(
        &mut self,
        leases: &[ReplayLease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.give_back_many(leases, now)
    }

    fn missing_from(&self, key: KeyId, channel: &[u8; CHANNEL_BYTES]) -> Result<u64, ReplayError> {
        let known = self.scope.as_ref().map_or(*channel, |scope| scope.channel(channel));
        let gaps = self.view.gaps(key, &known)?;
        Ok(gaps.iter().map(NumberSpan::count).fold(0, u64::saturating_add))
    }
}
