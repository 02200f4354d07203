//! A ledger that consumers on several hosts share.

mod backoff;
mod channel_numbers;
mod foundation;
mod keys;
mod lease_changes;
mod meta;
mod name_record;
mod options;
mod places;
mod reserve_call;
mod store;
#[cfg(test)]
pub(crate) mod tests;
mod value;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use brine_core::time::LEEWAY;
use brine_core::{CHANNEL_BYTES, KeyId, Timestamp};

use self::backoff::Backoff;
use self::channel_numbers::{ChannelLimits, ChannelNumbers, LeaseChange, LeaseTerm};
use self::foundation::Foundation;
use self::keys::{CLOCK, META};
use self::lease_changes::LeaseChanges;
use self::meta::LedgerMeta;
use self::places::{by_place, place_of};
use self::reserve_call::{ReserveCall, ReservePlan};
use self::value::{Token, draw_token};
use crate::ledger::{Ledger, ReplayError, Reservation, Settled, Subject};

pub use self::options::{MAX_CHANNEL_RANGES, MAX_VALUE_BYTES, SharedBirth, SharedOptions};
pub use self::places::SharedLease;
pub use self::store::{SharedStore, Stored};

/// A [`Ledger`] that consumers share whose hosts share no file, in a store that a broker keeps for them.
///
/// It makes the promises of the [replay database](crate::replay): two phases, leases that run out, a token that keeps
/// whoever was replaced from committing, and a memory that forgets only what is refused anyway. SPEC.md has the values
/// and the rules. It differs where a store does:
///
/// - A commit is as durable as the store makes a value.
/// - A call over several channels and names is several swaps, not one transaction. If it fails in between, some may
///   have been done. Calling it again does the rest: a lease that was committed is committed once more, with
///   [`Settled::Done`]. For a channel that holds for the same leases together, until 32 other commits.
/// - A store that lost everything, or whose values were restored from a copy, is noticed by the ledgers that are in
///   use, and by none that is opened later: they refuse what was issued up to two minutes after that moment.
/// - The clocks of the hosts are compared when a lease runs out. If they differ by more than half a lease, two hosts can
///   handle a record at once. The token keeps one of them from committing.
/// - Nobody counts what one signer takes of the store: only a channel is bounded. The broker bounds the whole, and must
///   then refuse new values, and not drop others.
/// - A larger [age](SharedOptions::max_age) is for records issued after it was set.
///
/// A block of numbered records in order takes one `get` and one `swap` to reserve, and as much to commit. Each record
/// without a number takes a `swap` of its own.
#[derive(Debug)]
pub struct SharedLedger<S> {
    store: Mutex<S>,
    options: SharedOptions,
    limits: ChannelLimits,
    memory: LedgerMemory,
}

/// What one ledger remembers between its calls.
#[derive(Debug)]
struct LedgerMemory {
    meta: LedgerMeta,
    /// When records were reserved last.
    reserved: Timestamp,
    /// Records issued before this may have been handled in a ledger that the store lost.
    least_floor: Timestamp,
    /// Whether the store had no ledger when it was looked at last, or an earlier state of this one.
    is_in_doubt: bool,
    /// The tokens of calls that failed, under which nobody works.
    unused: Vec<Token>,
}

impl<S: SharedStore> SharedLedger<S> {
    /// Opens the ledger of a store, or makes one as `options` say.
    ///
    /// # Errors
    ///
    /// [`ReplayError::Missing`] with [`SharedBirth::Existing`]; [`ReplayError::Version`], [`ReplayError::Damaged`];
    /// [`ReplayError::Locked`] if others changed the ledger all the time; and those of the store.
    pub fn open(
        mut store: S,
        options: &SharedOptions,
        now: Timestamp,
    ) -> Result<Self, ReplayError> {
        let most = Duration::from_secs(Timestamp::MAX.unix());
        let max_age = options.max_age.min(most);
        let mut backoff = Backoff::new(options.busy_timeout);
        loop {
            let found = store.get(&[META, CLOCK])?;
            let [meta, clock] =
                [found.first(), found.get(1)].map(|one| one.and_then(Option::as_ref));
            if let Some(foundation) = Foundation::read(meta, clock)? {
                if foundation.allow_age(&mut store, max_age, now)? {
                    return Ok(Self::new(store, options, foundation.meta));
                }
            } else {
                let floor = options.birth.floor(now).ok_or_else(missing)?;
                let meta = LedgerMeta::new(now, floor, max_age)?;
                if Foundation::make(&mut store, &meta, clock)? {
                    return Ok(Self::new(store, options, meta));
                }
            }
            backoff.pause()?;
        }
    }

    fn new(store: S, options: &SharedOptions, meta: LedgerMeta) -> Self {
        let none = meta.born.minus(Duration::MAX);
        let memory = LedgerMemory {
            meta,
            reserved: none,
            least_floor: none,
            is_in_doubt: false,
            unused: Vec::new(),
        };
        let limits = ChannelLimits::default();
        Self { store: Mutex::new(store), options: *options, limits, memory }
    }

    /// Returns from when on records are accepted, as the ledger was read last: older ones may have been handled.
    #[must_use]
    pub fn answers_from(&self) -> Timestamp {
        self.memory.meta.floor.max(self.memory.least_floor)
    }

    fn reserve_under(
        &mut self,
        token: Token,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation<SharedLease>>, ReplayError> {
        let store = self.store.get_mut().unwrap_or_else(PoisonError::into_inner);
        let places = by_place(subjects.iter().map(|subject| place_of(subject).0));
        let mut keys: Vec<_> = places.keys().map(|place| place.key()).collect();
        // After the records: if the store lost them, it had lost these by then.
        keys.extend([META, CLOCK].map(str::to_owned));
        let keys: Vec<_> = keys.iter().map(String::as_str).collect();
        let mut backoff = Backoff::new(self.options.busy_timeout);
        loop {
            let values = get(store, &keys)?;
            let (values, [meta, clock]) = split(&values, places.len());
            let Some(mut foundation) = Foundation::read(meta, clock)? else {
                self.memory.doubt(&mut backoff)?;
                let meta = self.memory.meta_after_loss(now)?;
                if !Foundation::make(store, &meta, clock)? {
                    backoff.pause()?;
                }
                continue;
            };
            self.memory.meet(&foundation.meta, &mut backoff)?;
            let LedgerMemory { least_floor, unused, .. } = &self.memory;
            let until = now.plus(self.options.lease);
            let term = LeaseTerm { now, until, token, unused, limits: self.limits };
            let call =
                ReserveCall { subjects, foundation: &foundation, least_floor: *least_floor, term };
            let values = places.iter().zip(values);
            let plan =
                call.plan(values.map(|((place, items), stored)| (place, &**items, stored)))?;
            if !plan.gives_leases {
                return Ok(plan.into_outcomes());
            }
            let least_floor = *least_floor;
            self.memory.reserved = self.memory.reserved.max(now);
            if foundation.bring_up(store, now, least_floor)? && write(store, &plan)? {
                return Ok(plan.into_outcomes());
            }
            backoff.pause()?;
        }
    }

    fn change(
        &mut self,
        leases: &[SharedLease],
        change: LeaseChange,
    ) -> Result<Vec<Settled>, ReplayError> {
        let store = self.store.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut changes = LeaseChanges::new(leases, change);
        let mut backoff = Backoff::new(self.options.busy_timeout);
        while !leases.is_empty() {
            let mut keys = changes.keys();
            let places = keys.len();
            keys.push(META.to_owned());
            let keys: Vec<_> = keys.iter().map(String::as_str).collect();
            let values = get(store, &keys)?;
            let (values, [meta, _]) = split(&values, places);
            let meta = meta.map(|meta| LedgerMeta::decode(&meta.value)).transpose()?;
            if changes.attempt(store, meta.as_ref(), values)? {
                break;
            }
            backoff.pause()?;
        }
        Ok(changes.into_outcomes())
    }
}

impl LedgerMemory {
    /// Compares the ledger with the one that was met last. Another one, or one that fell back, does not know all that
    /// was handled in it.
    fn meet(&mut self, meta: &LedgerMeta, backoff: &mut Backoff) -> Result<(), ReplayError> {
        let fell_back = meta.latest < self.meta.latest;
        if fell_back {
            self.doubt(backoff)?;
        }
        self.is_in_doubt = false;
        if self.meta.ledger != meta.ledger || fell_back {
            let last = self.meta.latest.max(self.reserved);
            let floor = last.plus(LEEWAY).plus(Duration::from_secs(1));
            self.least_floor = self.least_floor.max(floor);
        }
        self.meta = *meta;
        Ok(())
    }

    /// Fails the first time that something is seen that says that the store lost its values. The caller comes back with a
    /// time that is later than the loss.
    fn doubt(&mut self, backoff: &mut Backoff) -> Result<(), ReplayError> {
        if std::mem::replace(&mut self.is_in_doubt, true) {
            return Ok(());
        }
        backoff.pause()?;
        Err(ReplayError::Locked)
    }

    /// Describes a new ledger after the store lost the one that was in use, at some moment before `now`.
    fn meta_after_loss(&self, now: Timestamp) -> Result<LedgerMeta, ReplayError> {
        let latest = now.max(self.meta.latest).max(self.reserved);
        let floor = options::floor_after_another(latest);
        LedgerMeta::new(latest, floor, self.meta.max_age)
    }

    /// Notes that nobody has a lease with this token.
    fn give_up(&mut self, token: Token) {
        let surplus = (self.unused.len() + 1).saturating_sub(MAX_UNUSED);
        self.unused.drain(..surplus.min(self.unused.len()));
        self.unused.push(token);
    }
}

impl<S: SharedStore> Ledger for SharedLedger<S> {
    type Lease = SharedLease;

    fn lease_length(&self) -> Duration {
        self.options.lease
    }

    /// If it fails, other consumers may find records of the call busy for the length of a lease.
    fn reserve_many(
        &mut self,
        subjects: &[Subject],
        now: Timestamp,
    ) -> Result<Vec<Reservation<SharedLease>>, ReplayError> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let token = draw_token()?;
        let outcomes = self.reserve_under(token, subjects, now);
        if outcomes.is_err() {
            self.memory.give_up(token);
        }
        outcomes
    }

    fn renew_many(
        &mut self,
        leases: &[SharedLease],
        now: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        let until = now.plus(self.options.lease);
        self.change(leases, LeaseChange::Renewed { taken: now, until })
    }

    fn commit_many(
        &mut self,
        leases: &[SharedLease],
        _: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.change(leases, LeaseChange::Done)
    }

    fn give_back_many(
        &mut self,
        leases: &[SharedLease],
        _: Timestamp,
    ) -> Result<Vec<Settled>, ReplayError> {
        self.change(leases, LeaseChange::GivenBack)
    }

    fn missing_from(&self, key: KeyId, channel: &[u8; CHANNEL_BYTES]) -> Result<u64, ReplayError> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let found = store.get(&[&keys::of_channel(key, channel)])?;
        let Some(stored) = found.first().and_then(Option::as_ref) else { return Ok(0) };
        Ok(ChannelNumbers::decode(&stored.value)?.missing())
    }
}

/// Writes what gives leases. Returns whether nobody else changed any of it meanwhile.
fn write(store: &mut impl SharedStore, plan: &ReservePlan) -> Result<bool, ReplayError> {
    for write in &plan.writes {
        if !store.swap(&write.key, write.from, &write.value, write.keep_until)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns what the store has for each key.
fn get(store: &mut impl SharedStore, keys: &[&str]) -> Result<Vec<Option<Stored>>, ReplayError> {
    let values = store.get(keys)?;
    if values.len() == keys.len() {
        Ok(values)
    } else {
        Err(ReplayError::damaged("the store has not as many answers as there are keys"))
    }
}

/// Returns the values of so many places, and what stands behind them.
fn split(values: &[Option<Stored>], places: usize) -> (&[Option<Stored>], [Option<&Stored>; 2]) {
    let behind = |index: usize| values.get(index).and_then(Option::as_ref);
    let last = [behind(places), behind(places.saturating_add(1))];
    (values.get(..places).unwrap_or_default(), last)
}

fn missing() -> ReplayError {
    ReplayError::Missing { path: "the shared ledger".into() }
}

/// How many tokens of failed calls are remembered.
const MAX_UNUSED: usize = 64;
