//! The first phase: records are reserved.

use std::collections::{BTreeMap, HashMap};

use brine_core::{CHANNEL_BYTES, KeyId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::bookkeeping::{Bookkeeping, is_live, moment};
use super::channel::ChannelRow;
use super::number_span::{self, HeldNumbers, NumberSpan};
use super::{DatabaseLimits, RecordPlace, ReplayLease, prune};
use crate::ledger::{Identity, ReplayError, Reservation, Subject};

/// One call, in one transaction.
#[derive(Debug)]
pub(super) struct ReserveRecords<'t> {
    pub(super) connection: &'t Connection,
    pub(super) state: &'t mut Bookkeeping,
    pub(super) limits: DatabaseLimits,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
}

/// A record of a channel, with its index in the call.
#[derive(Clone, Copy, Debug)]
struct NumberToReserve {
    seq: u64,
    index: usize,
    issued: Timestamp,
}

/// The outcome for each record, by its index in the call.
type Outcomes = Vec<(usize, Reservation<ReplayLease>)>;

impl ReserveRecords<'_> {
    /// Reserves what can be reserved, and returns the outcome for each subject, in order.
    pub(super) fn all(
        mut self,
        subjects: &[Subject],
    ) -> Result<Vec<Reservation<ReplayLease>>, ReplayError> {
        let mut outcomes = Outcomes::with_capacity(subjects.len());
        let mut met = HashMap::with_capacity(subjects.len());
        let mut channels: BTreeMap<(KeyId, [u8; CHANNEL_BYTES]), Vec<NumberToReserve>> =
            BTreeMap::new();
        // One token for the whole call. Every later lease has a larger one.
        self.state.token = self.state.token.saturating_add(1);
        for (index, subject) in subjects.iter().enumerate() {
            let issued = match self.state.judge(subject, self.now) {
                Err(error @ ReplayError::ClockBehind { .. }) => return Err(error),
                Err(error) => {
                    outcomes.push((index, Reservation::Refused(error)));
                    continue;
                }
                Ok(issued) => issued,
            };
            if let Some(of) = met.insert(subject.identity, index) {
                met.insert(subject.identity, of);
                outcomes.push((index, Reservation::Twin { of }));
                continue;
            }
            match subject.identity {
                Identity::Named(name) => {
                    outcomes.push((index, self.named(&name, subject, issued)?));
                }
                Identity::Sequenced(key, sequence) => {
                    let items = channels.entry((key, sequence.channel)).or_default();
                    items.push(NumberToReserve { seq: sequence.seq, index, issued });
                }
            }
        }
        for ((key, name), mut items) in channels {
            items.sort_unstable_by_key(|item| item.seq);
            self.channel(key, name, &items, &mut outcomes)?;
        }
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    fn channel(
        &mut self,
        key: KeyId,
        name: [u8; CHANNEL_BYTES],
        items: &[NumberToReserve],
        outcomes: &mut Outcomes,
    ) -> Result<(), ReplayError> {
        let issued = items.iter().map(|item| item.issued).max().unwrap_or(self.now);
        let mut found = ChannelRow::find(self.connection, key, &name)?;
        if !self.fits(found.as_ref()) {
            self.make_room()?;
            found = ChannelRow::find(self.connection, key, &name)?;
        }
        let channel = match found {
            Some(channel) => channel,
            None if self.fits(None) => {
                ChannelRow::insert(self.connection, self.state, key, name, issued)?
            }
            None => {
                outcomes.extend(items.iter().map(|item| (item.index, self.full())));
                return Ok(());
            }
        };
        for run in items.chunk_by(|one, next| next.seq == one.seq.saturating_add(1)) {
            self.run(&channel, run, outcomes)?;
        }
        Ok(())
    }

    /// Reserves consecutive numbers, except those that are done or being handled.
    fn run(
        &mut self,
        channel: &ChannelRow,
        run: &[NumberToReserve],
        outcomes: &mut Outcomes,
    ) -> Result<(), ReplayError> {
        let Some(span) = span_of(run) else { return Ok(()) };
        let done = number_span::done(self.connection, channel.id, &span.widened())?;
        let leases = number_span::leases(self.connection, channel.id, &span)?;
        let mut fresh = Vec::with_capacity(run.len());
        for item in run {
            let held = leases.iter().find(|held| held.span.contains(item.seq));
            let held = held.filter(|held| is_live(held.taken, held.until, self.now));
            if done.iter().any(|(span, _)| span.contains(item.seq)) {
                outcomes.push((item.index, Reservation::Replayed));
            } else if let Some(held) = held {
                outcomes.push((item.index, Reservation::Busy { until: held.until }));
            } else {
                fresh.push(*item);
            }
        }
        for items in fresh.chunk_by(|one, next| next.seq == one.seq.saturating_add(1)) {
            let Some(span) = span_of(items) else { continue };
            // Numbers that touch a range take no room of their own: in a channel that is full of gaps, the
            // next number is as welcome as one that closes a gap.
            let joins = done.iter().any(|(done, _)| done.touches(&span));
            if !joins && !self.fits(Some(channel)) {
                outcomes.extend(items.iter().map(|item| (item.index, self.full())));
                continue;
            }
            if !leases.is_empty() {
                self.take_over(channel, &span)?;
            }
            self.take(channel, &span, items)?;
            let token = self.state.token;
            outcomes.extend(items.iter().map(|item| {
                let place = RecordPlace::Numbered { channel: channel.id, seq: item.seq };
                (item.index, Reservation::Fresh(ReplayLease { place, issued: item.issued, token }))
            }));
        }
        Ok(())
    }

    /// Ends leases on these numbers that ran out.
    fn take_over(&mut self, channel: &ChannelRow, span: &NumberSpan) -> Result<(), ReplayError> {
        for held in number_span::leases(self.connection, channel.id, span)? {
            self.state.grow(number_span::carve(self.connection, channel.id, &held, span)?);
        }
        Ok(())
    }

    /// Writes a lease on these numbers.
    fn take(
        &mut self,
        channel: &ChannelRow,
        span: &NumberSpan,
        items: &[NumberToReserve],
    ) -> Result<(), ReplayError> {
        let issued = items.iter().map(|item| item.issued).max().unwrap_or(self.now);
        let (taken, until, token) = (self.now, self.until, self.state.token);
        let held = HeldNumbers { span: *span, issued, taken, until, token };
        number_span::add_lease(self.connection, channel.id, &held)?;
        self.state.grow(1);
        Ok(())
    }

    /// Reserves a record that is known by its name.
    fn named(
        &mut self,
        name: &[u8; 32],
        subject: &Subject,
        issued: Timestamp,
    ) -> Result<Reservation<ReplayLease>, ReplayError> {
        let Some(expires) = subject.expires else {
            return Ok(Reservation::Refused(ReplayError::ExpiryMissing));
        };
        let known = find_named(self.connection, name)?;
        match known {
            Some(None) => return Ok(Reservation::Replayed),
            Some(Some((taken, until))) if is_live(taken, until, self.now) => {
                return Ok(Reservation::Busy { until });
            }
            Some(Some(_)) => {}
            None if !self.fits(None) && !self.make_room()? => return Ok(self.full()),
            None => self.state.grow(1),
        }
        let token = self.state.token;
        let sql = "INSERT OR REPLACE INTO named VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let times = [issued, expires, self.now, self.until].map(Timestamp::unix);
        let [issued_at, expires, taken, until] = times;
        statement.execute(params![name, issued_at, expires, taken, until, token])?;
        Ok(Reservation::Fresh(ReplayLease { place: RecordPlace::Named(*name), issued, token }))
    }

    /// Returns whether there is room for another row.
    fn fits(&self, channel: Option<&ChannelRow>) -> bool {
        let ranges = channel.map_or(0, |channel| channel.ranges);
        ranges < self.limits.ranges && self.state.entries < self.limits.entries
    }

    /// Prunes. Returns whether there is room now, as far as the database as a whole is concerned.
    fn make_room(&mut self) -> Result<bool, ReplayError> {
        // Once a second is enough: time is counted in seconds.
        if self.state.pruned < self.state.latest {
            prune::prune(self.connection, self.state, self.now)?;
        }
        Ok(self.fits(None))
    }

    fn full(&self) -> Reservation<ReplayLease> {
        let (limit, what) = if self.state.entries < self.limits.entries {
            (self.limits.ranges, "ranges in one channel")
        } else {
            (self.limits.entries, "entries in all")
        };
        Reservation::Refused(ReplayError::Full { limit, what })
    }
}

/// What is known about a name: nothing; that it was handled; or that it is being handled, from when until
/// when.
pub(super) type KnownName = Option<Option<(Timestamp, Timestamp)>>;

pub(super) fn find_named(
    connection: &Connection,
    name: &[u8; 32],
) -> Result<KnownName, ReplayError> {
    let sql = "SELECT taken, until FROM named WHERE name = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let times = statement.query_row([name], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some(times) = times else { return Ok(None) };
    match times {
        (Some(taken), Some(until)) => Ok(Some(Some((moment(taken)?, moment(until)?)))),
        (None, None) => Ok(Some(None)),
        _ => Err(ReplayError::damaged("a name has half a lease")),
    }
}

fn span_of(items: &[NumberToReserve]) -> Option<NumberSpan> {
    Some(NumberSpan { first: items.first()?.seq, last: items.last()?.seq })
}
