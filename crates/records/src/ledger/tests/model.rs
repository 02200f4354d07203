//! Several consumers at once, against a plain list of who was given what.

use proptest::prelude::*;

use super::*;

/// One of the records that there are.
type Record = u8;

/// What each consumer does next.
#[derive(Clone, Debug)]
enum Step {
    Commit(usize, Vec<prop::sample::Index>, Option<Trouble>),
    /// A consumer dies, and another takes its place. Its leases stay.
    Die(usize),
    GiveBack(usize, Vec<prop::sample::Index>),
    Pass(u64),
    Renew(usize, Vec<prop::sample::Index>),
    Reserve(usize, Vec<Record>, Option<Trouble>),
}

const CONSUMERS: usize = 3;

/// Two channels of 20 numbers, and 10 names.
const RECORDS: Record = 50;

fn subject(record: Record) -> Subject {
    match record {
        0..20 => numbered(1, u64::from(record), BIRTH),
        20..40 => numbered(2, u64::from(record) * 3, BIRTH),
        _ => named(record, BIRTH, BIRTH + DAY),
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = || 0..CONSUMERS;
    let some = || prop::collection::vec(any::<prop::sample::Index>(), 0..9);
    let trouble = || {
        let trouble = (0_u8..3, any::<bool>());
        let trouble = trouble.prop_map(|(after, is_done)| Trouble { after, is_done });
        prop_oneof![3 => Just(None), 1 => trouble.prop_map(Some)]
    };
    let scattered = prop::collection::vec(0..RECORDS, 1..12);
    let in_order = (0..RECORDS, 1_u8..12)
        .prop_map(|(first, count)| (first..RECORDS.min(first + count)).collect::<Vec<_>>());
    let records = prop_oneof![scattered, in_order];
    let step = prop_oneof![
        6 => (who(), records, trouble()).prop_map(|(who, what, trouble)| Step::Reserve(who, what, trouble)),
        6 => (who(), some(), trouble()).prop_map(|(who, what, trouble)| Step::Commit(who, what, trouble)),
        1 => (who(), some()).prop_map(|(who, what)| Step::GiveBack(who, what)),
        1 => (who(), some()).prop_map(|(who, what)| Step::Renew(who, what)),
        2 => (1..LEASE_SECONDS + 20).prop_map(Step::Pass),
        1 => who().prop_map(Step::Die),
    ];
    prop::collection::vec(step, 1..40)
}

/// What is known of a record.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    end: End,
    /// How often it was given out.
    given: u32,
    /// Until when its last lease holds in any case.
    held_until: u64,
    /// Until when it may be under a lease.
    busy_until: u64,
    /// Whether a call that failed may have taken it over since.
    is_doubtful: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    Done,
    /// A commit failed, and when it was tried again not all of it was held any more.
    Maybe,
    #[default]
    Open,
}

/// A lease, and which one of its record it is.
struct Held<L> {
    record: Record,
    given: u32,
    lease: L,
}

type Lease<P> = <<P as LedgerPlace>::Ledger as Ledger>::Lease;

struct World<P: LedgerPlace> {
    place: P,
    now: u64,
    ledgers: Vec<P::Ledger>,
    held: Vec<Vec<Held<Lease<P>>>>,
    known: Vec<Known>,
}

impl<P: LedgerPlace> World<P> {
    fn new() -> Self {
        let place = P::new();
        let ledgers = (0..CONSUMERS).map(|_| place.open(BIRTH)).collect();
        let held = (0..CONSUMERS).map(|_| Vec::new()).collect();
        let known = vec![Known::default(); usize::from(RECORDS)];
        Self { place, now: BIRTH, ledgers, held, known }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Commit(who, which, trouble) => self.commit(who, &which, trouble),
            Step::Die(who) => {
                self.held[who].clear();
                self.ledgers[who] = self.place.reopen(self.now);
            }
            Step::GiveBack(who, which) => self.give_back(who, &which),
            Step::Pass(seconds) => self.now += seconds,
            Step::Renew(who, which) => self.renew(who, &which),
            Step::Reserve(who, records, trouble) => self.reserve(who, &records, trouble),
        }
    }

    fn reserve(&mut self, who: usize, records: &[Record], trouble: Option<Trouble>) {
        let subjects: Vec<_> = records.iter().map(|record| subject(*record)).collect();
        self.place.plan(trouble);
        let found = self.ledgers[who].reserve_many(&subjects, at(self.now));
        self.place.plan(None);
        let (now, end) = (self.now, self.now + LEASE_SECONDS);
        let found = found.unwrap_or_else(|error| {
            assert!(trouble.is_some(), "{error}");
            for record in records {
                let known = &mut self.known[usize::from(*record)];
                if known.held_until <= now {
                    (known.is_doubtful, known.busy_until) = (true, end);
                }
            }
            Vec::new()
        });
        for (index, (record, found)) in records.iter().zip(found).enumerate() {
            let first = records.iter().position(|other| other == record).unwrap();
            let known = &mut self.known[usize::from(*record)];
            match found {
                Reservation::Twin { of } => assert!(of == first && of < index),
                Reservation::Replayed => {
                    assert_ne!(known.end, End::Open, "{record} was never handled");
                    known.end = End::Done;
                }
                Reservation::Busy { until } => {
                    assert_ne!(known.end, End::Done, "{record}");
                    assert!(now < until.unix() && until.unix() <= known.busy_until, "{record}");
                }
                Reservation::Refused(error) => panic!("{record}: {error}"),
                Reservation::Fresh(lease) => {
                    assert_ne!(known.end, End::Done, "{record} was handled before");
                    assert!(known.held_until <= now, "{record} is with somebody else");
                    assert_eq!(first, index);
                    let given = known.given + 1;
                    let [held_until, busy_until] = [end; 2];
                    let (end, is_doubtful) = (End::Open, false);
                    *known = Known { end, given, held_until, busy_until, is_doubtful };
                    self.held[who].push(Held { record: *record, given, lease });
                }
            }
        }
    }

    fn commit(&mut self, who: usize, which: &[prop::sample::Index], trouble: Option<Trouble>) {
        let (held, leases) = split(self.pick(who, which));
        self.place.plan(trouble);
        let settled = self.ledgers[who].commit_many(&leases, at(self.now));
        self.place.plan(None);
        let is_repeated = settled.is_err();
        let settled = settled.unwrap_or_else(|error| {
            assert!(trouble.is_some(), "{error}");
            self.ledgers[who].commit_many(&leases, at(self.now)).unwrap()
        });
        let are_held = held.iter().all(|held| self.is_held(held));
        for (held, settled) in held.into_iter().zip(settled) {
            if is_repeated && settled == Settled::Lost && !are_held {
                if self.is_current(&held) {
                    self.known(&held).end = End::Maybe;
                }
            } else if self.expect(&held, settled) {
                self.known(&held).end = End::Done;
            }
        }
    }

    fn give_back(&mut self, who: usize, which: &[prop::sample::Index]) {
        let (held, leases) = split(self.pick(who, which));
        let settled = self.ledgers[who].give_back_many(&leases, at(self.now)).unwrap();
        for (held, settled) in held.into_iter().zip(settled) {
            if self.expect(&held, settled) {
                let known = self.known(&held);
                *known = Known { given: known.given, ..Known::default() };
            }
        }
    }

    fn renew(&mut self, who: usize, which: &[prop::sample::Index]) {
        let end = self.now + LEASE_SECONDS;
        let (held, leases) = split(self.pick(who, which));
        let settled = self.ledgers[who].renew_many(&leases, at(self.now)).unwrap();
        if settled.contains(&Settled::Done) {
            // Numbers that were taken in one range are renewed together, also those that nobody asks for.
            for known in &mut self.known {
                known.busy_until = known.busy_until.max(end);
            }
        }
        for ((held, settled), lease) in held.into_iter().zip(settled).zip(leases) {
            if self.expect(&held, settled) {
                self.known(&held).held_until = end;
                self.held[who].push(Held { lease, record: held.record, given: held.given });
            }
        }
    }

    /// Holds an outcome to what is known. Returns whether the lease was still held.
    fn expect(&self, held: &Held<()>, settled: Settled) -> bool {
        match settled {
            Settled::Done => assert!(self.is_current(held), "{} is with others", held.record),
            Settled::Lost => assert!(!self.is_held(held), "{} is with nobody else", held.record),
        }
        settled == Settled::Done
    }

    /// Returns whether nobody was given the record since.
    fn is_current(&self, held: &Held<()>) -> bool {
        let known = self.known[usize::from(held.record)];
        known.given == held.given && known.end != End::Done
    }

    /// Returns whether nobody can have taken the record since.
    fn is_held(&self, held: &Held<()>) -> bool {
        let known = self.known[usize::from(held.record)];
        self.is_current(held) && !known.is_doubtful && known.end == End::Open
    }

    fn known(&mut self, held: &Held<()>) -> &mut Known {
        &mut self.known[usize::from(held.record)]
    }

    fn pick(&mut self, who: usize, which: &[prop::sample::Index]) -> Vec<Held<Lease<P>>> {
        let held = &mut self.held[who];
        let mut picked = Vec::new();
        for index in which {
            if !held.is_empty() {
                picked.push(held.swap_remove(index.index(held.len())));
            }
        }
        picked
    }

    /// Everything is handled in the end, once.
    fn finish(mut self) {
        self.now += 10 * LEASE_SECONDS;
        for record in 0..RECORDS {
            let found = self.ledgers[0].ask(&subject(record), self.now);
            let expected = match self.known[usize::from(record)].end {
                End::Done => &["replayed"][..],
                End::Maybe => &["replayed", "fresh"],
                End::Open => &["fresh"],
            };
            assert!(expected.contains(&&*found), "{record}: {found}");
        }
        let missing = |channel| self.ledgers[1].missing_from(key(1), &[channel; 16]).unwrap();
        let known = &self.known;
        let done = |records: std::ops::Range<usize>| {
            known[records].iter().map(|known| known.end == End::Done).collect::<Vec<_>>()
        };
        if known.iter().all(|known| known.end != End::Maybe) {
            let numbers = done(0..20);
            let highest = numbers.iter().rposition(|done| *done).unwrap_or(0);
            let gaps = numbers[..highest].iter().filter(|done| !**done).count();
            assert_eq!(missing(1), u64::try_from(gaps).unwrap());
        }
    }
}

fn split<L>(held: Vec<Held<L>>) -> (Vec<Held<()>>, Vec<L>) {
    let apart = |Held { record, given, lease }| (Held { record, given, lease: () }, lease);
    held.into_iter().map(apart).unzip()
}

fn run<P: LedgerPlace>(steps: Vec<Step>) {
    let mut world = World::<P>::new();
    for step in steps {
        world.step(step);
    }
    world.finish();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[cfg(feature = "replay")]
    #[test]
    fn consumers_of_a_file_share_what_there_is(steps in steps()) {
        run::<SqlitePlace>(steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn consumers_of_a_store_share_what_there_is(steps in steps()) {
        run::<SharedPlace>(steps);
    }
}
