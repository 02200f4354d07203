//! What a shared ledger knows about itself.

use std::time::Duration;

use brine_core::Timestamp;
use brine_core::time::LEEWAY;

use super::options::floor_after_another;
use super::value::{self, Token, ValueReader};
use crate::ledger::{LedgerMoments, ReplayError};

/// The value of the key `meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LedgerMeta {
    /// The name of this ledger. One that is made after the store lost this one has another.
    pub(super) ledger: Token,
    pub(super) born: Timestamp,
    /// Records issued before this are refused.
    pub(super) floor: Timestamp,
    /// The latest time that anybody has given, or up to [`STEP`] earlier.
    pub(super) latest: Timestamp,
    pub(super) max_age: Duration,
    /// Records issued before this may be as old as `narrow_age`, and others as old as `max_age`.
    pub(super) wide_from: Timestamp,
    pub(super) narrow_age: Duration,
}

impl LedgerMeta {
    /// Describes a ledger that begins at `now` and answers for records issued from `floor` on.
    pub(super) fn new(
        now: Timestamp,
        floor: Timestamp,
        max_age: Duration,
    ) -> Result<Self, ReplayError> {
        let wide_from = Timestamp::MAX.minus(Duration::MAX);
        let (ledger, latest, narrow_age) = (value::draw_token()?, now, max_age);
        Ok(Self { ledger, born: now, floor, latest, max_age, wide_from, narrow_age })
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, ReplayError> {
        let mut reader = ValueReader::new(value, "meta", 8)?;
        let ledger = reader.token()?;
        let [born, floor, latest] = [reader.moment()?, reader.moment()?, reader.moment()?];
        let max_age = reader.seconds()?;
        let (wide_from, narrow_age) = (reader.moment()?, reader.seconds()?);
        reader.finish()?;
        Ok(Self { ledger, born, floor, latest, max_age, wide_from, narrow_age })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut encoder = value::begin(8);
        encoder.bytes(&self.ledger);
        for moment in [self.born, self.floor, self.latest] {
            encoder.uint(moment.unix());
        }
        encoder.uint(self.max_age.as_secs());
        encoder.uint(self.wide_from.unix()).uint(self.narrow_age.as_secs());
        encoder.into_bytes()
    }

    /// Allows a larger age to records that are issued from a while after `now` on. Values that were written before are
    /// forgotten as the smaller age has it.
    pub(super) fn widen(&mut self, max_age: Duration, now: Timestamp) {
        if self.latest > self.wide_from.plus(self.narrow_age) {
            self.narrow_age = self.max_age;
        }
        self.wide_from = floor_after_another(now.max(self.latest));
        self.max_age = max_age;
    }

    /// Returns by which moments a record is judged that was issued then.
    pub(super) fn moments(&self, latest: Timestamp, issued: Option<Timestamp>) -> LedgerMoments {
        let is_narrow = issued.is_some_and(|issued| issued < self.wide_from);
        let max_age = if is_narrow { self.narrow_age } else { self.max_age };
        LedgerMoments { floor: self.floor, latest, max_age }
    }

    /// Returns the earliest `iat` that is young enough, for whoever judges from now on.
    pub(super) const fn cut(&self) -> Timestamp {
        self.latest.minus(self.max_age)
    }

    /// Returns how long nobody uses a ledger before its clock is gone. Whatever was handled until then is too old
    /// afterwards: it was issued no later than a leeway and a step after `latest`.
    pub(super) const fn idle(&self) -> Duration {
        self.max_age.saturating_add(STEP).saturating_add(STEP)
    }

    /// Returns until when a record is remembered that was issued then and is known by a number.
    pub(super) fn keep_number(&self, issued: Timestamp, held_until: Timestamp) -> Timestamp {
        self.keep(issued.plus(self.max_age), held_until)
    }

    /// Returns until when a record is remembered that was issued then and is known by a name.
    pub(super) fn keep_name(
        &self,
        issued: Timestamp,
        expires: Timestamp,
        held_until: Timestamp,
    ) -> Timestamp {
        self.keep(issued.plus(self.max_age).min(expires.plus(LEEWAY)), held_until)
    }

    /// Returns until when something is kept that is refused from `end` on, by clocks that are right.
    ///
    /// A clock that is behind is noticed by `latest`. Nobody raises that while nobody uses the ledger, for as long as
    /// its clock is there. So whatever is gone before the clock is refused by a `latest` of that long ago.
    fn keep(&self, end: Timestamp, held_until: Timestamp) -> Timestamp {
        end.plus(self.idle()).max(held_until).plus(STEP)
    }
}

/// The value of the key `clock`. The store forgets it if nobody used the ledger for [so long](LedgerMeta::idle), which
/// shows to everybody that this much time has passed, whatever their clocks say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LedgerClock {
    /// The latest time that anybody has given.
    pub(super) latest: Timestamp,
    /// When the value is forgotten.
    pub(super) until: Timestamp,
}

impl LedgerClock {
    /// Returns the clock that shows `latest`.
    pub(super) fn new(latest: Timestamp, meta: &LedgerMeta) -> Self {
        Self { latest, until: latest.plus(meta.idle()) }
    }

    pub(super) fn decode(value: &[u8]) -> Result<Self, ReplayError> {
        let mut reader = ValueReader::new(value, "clock", 3)?;
        let (latest, until) = (reader.moment()?, reader.moment()?);
        reader.finish()?;
        Ok(Self { latest, until })
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut encoder = value::begin(3);
        encoder.uint(self.latest.unix()).uint(self.until.unix());
        encoder.into_bytes()
    }
}

/// How far `latest` may be behind: so that not every call writes it.
pub(super) const STEP: Duration = Duration::from_secs(300);
