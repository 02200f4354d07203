//! The first phase: records are reserved.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use brine_core::{CHANNEL_BYTES, KeyId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::bookkeeping::{Bookkeeping, moment};
use super::channel::ChannelRow;
use super::number_rows::{self, HeldNumbers};
use super::signer_share::SignerShares;
use super::{DatabaseLimits, RecordPlace, ReplayLease, prune};
use crate::ledger::{Identity, NumberSpan, ReplayError, Reservation, Subject, is_live};

/// What leases are taken by in one transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeaseTerm {
    pub(super) limits: DatabaseLimits,
    pub(super) now: Timestamp,
    pub(super) until: Timestamp,
}

impl LeaseTerm {
    /// Reserves what can be reserved, and returns the outcome for each record, in order.
    pub(super) fn reserve(
        self,
        connection: &Connection,
        state: &mut Bookkeeping,
        subjects: &[Subject],
    ) -> Result<Vec<Reservation<ReplayLease>>, ReplayError> {
        let Self { limits, now, until } = self;
        state.see(now);
        if prune::is_due(state) {
            prune::prune(connection, state, now)?;
        }
        let shares = SignerShares::default();
        ReserveRecords { connection, state, shares, limits, now, until }.all(subjects)
    }
}

/// One call, in one transaction.
#[derive(Debug)]
pub(super) struct ReserveRecords<'t> {
    pub(super) connection: &'t Connection,
    pub(super) state: &'t mut Bookkeeping,
    pub(super) shares: SignerShares,
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
            let issued = match self.state.moments().judge(subject, self.now) {
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
                Identity::Named(key, name) => {
                    outcomes.push((index, self.named(key, &name, subject, issued)?));
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
        self.shares.save(self.connection)?;
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
        if self.make_room(key, found.as_ref())? {
            found = ChannelRow::find(self.connection, key, &name)?;
        }
        let channel = match (found, self.bound(key, None)?) {
            (Some(channel), _) => channel,
            (None, None) => {
                let channel = ChannelRow::insert(self.connection, key, name, issued)?;
                self.grow(key, 1)?;
                channel
            }
            (None, Some(bound)) => {
                outcomes.extend(items.iter().map(|item| (item.index, bound.refusal())));
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
        let done = number_rows::done(self.connection, channel.id, &span.widened())?;
        let leases = number_rows::leases(self.connection, channel.id, &span)?;
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
            let bound = if joins { None } else { self.bound(channel.key, Some(channel))? };
            if let Some(bound) = bound {
                outcomes.extend(items.iter().map(|item| (item.index, bound.refusal())));
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
        for held in number_rows::leases(self.connection, channel.id, span)? {
            let growth = number_rows::carve(self.connection, channel.id, &held, span)?;
            self.grow(channel.key, growth)?;
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
        number_rows::add_lease(self.connection, channel.id, &held)?;
        self.grow(channel.key, 1)
    }

    /// Reserves a record that is known by its name.
    fn named(
        &mut self,
        key: KeyId,
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
            None => {
                self.make_room(key, None)?;
                if let Some(bound) = self.bound(key, None)? {
                    return Ok(bound.refusal());
                }
                self.grow(key, 1)?;
            }
        }
        let signer = self.shares.id(self.connection, key)?;
        let token = self.state.token;
        let sql = "INSERT OR REPLACE INTO named VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let mut statement = self.connection.prepare_cached(sql)?;
        let times = [issued, expires, self.now, self.until].map(Timestamp::unix);
        let [issued_at, expires, taken, until] = times;
        statement.execute(params![name, signer, issued_at, expires, taken, until, token])?;
        Ok(Reservation::Fresh(ReplayLease { place: RecordPlace::Named(*name), issued, token }))
    }

    /// Returns the bound that leaves no room for another row of this key and channel, if there is one.
    fn bound(
        &mut self,
        key: KeyId,
        channel: Option<&ChannelRow>,
    ) -> Result<Option<Bound>, ReplayError> {
        let DatabaseLimits { entries: most, ranges } = self.limits;
        let free = most.saturating_sub(self.state.entries);
        if free == 0 {
            return Ok(Some(Bound::Database(most)));
        }
        if channel.is_some_and(|channel| channel.ranges >= ranges) {
            return Ok(Some(Bound::Channel(ranges)));
        }
        // However much one signer sends, half of what it leaves stays free for every other.
        let own = self.shares.entries(self.connection, key)?;
        Ok((own >= free).then_some(Bound::Key(own)))
    }

    /// Prunes if a bound has been reached. Returns whether it has.
    fn make_room(&mut self, key: KeyId, channel: Option<&ChannelRow>) -> Result<bool, ReplayError> {
        let rest = match self.bound(key, channel)? {
            None => return Ok(false),
            // Once a second is enough: time is counted in seconds.
            Some(Bound::Database(_)) => Duration::from_secs(1),
            // One signer must not keep the database busy.
            Some(Bound::Channel(_) | Bound::Key(_)) => prune::SHORTEST_REST,
        };
        let is_due = self.state.pruned.plus(rest) <= self.state.latest;
        if is_due {
            self.shares.save(self.connection)?;
            prune::prune(self.connection, self.state, self.now)?;
        }
        Ok(is_due)
    }

    fn grow(&mut self, key: KeyId, growth: i64) -> Result<(), ReplayError> {
        self.shares.grow(self.connection, self.state, key, growth)
    }
}

/// What can be full.
#[derive(Clone, Copy, Debug)]
enum Bound {
    /// The channel has so many ranges.
    Channel(u64),
    /// The database has so many entries.
    Database(u64),
    /// The key has so many entries, and no more are free.
    Key(u64),
}

impl Bound {
    const fn refusal(self) -> Reservation<ReplayLease> {
        Reservation::Refused(match self {
            Self::Channel(limit) => ReplayError::ChannelFull { limit },
            Self::Database(limit) => ReplayError::Full { limit },
            Self::Key(entries) => ReplayError::KeyFull { entries },
        })
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
