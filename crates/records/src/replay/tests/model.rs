//! Ranges, against a plain set.

use proptest::prelude::*;

use super::*;

/// What the database should say, as plainly as can be.
#[derive(Default)]
struct Model {
    done: BTreeSet<(u8, u64)>,
    held: Vec<((u8, u64), ReplayLease)>,
}

#[derive(Clone, Debug)]
enum Step {
    Commit(Vec<prop::sample::Index>),
    GiveBack(Vec<prop::sample::Index>),
    Reserve(Vec<(u8, u64)>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let some = || prop::collection::vec(any::<prop::sample::Index>(), 0..12);
    let numbers = prop::collection::vec((1_u8..3, 0_u64..40), 1..20);
    let step = prop_oneof![
        3 => numbers.prop_map(Step::Reserve),
        3 => some().prop_map(Step::Commit),
        1 => some().prop_map(Step::GiveBack),
    ];
    prop::collection::vec(step, 1..16)
}

fn take(
    held: &mut Vec<((u8, u64), ReplayLease)>,
    which: &[prop::sample::Index],
) -> Vec<((u8, u64), ReplayLease)> {
    let mut taken = Vec::new();
    for index in which {
        if !held.is_empty() {
            taken.push(held.swap_remove(index.index(held.len())));
        }
    }
    taken
}

fn split(taken: Vec<((u8, u64), ReplayLease)>) -> (Vec<(u8, u64)>, Vec<ReplayLease>) {
    taken.into_iter().unzip()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Ranges say what a set of all numbers says.
    #[test]
    fn ranges_are_a_set(steps in steps()) {
        let place = Place::new();
        let mut database = place.open(DatabaseBirth::AcceptOlder, BIRTH);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Reserve(numbers) => {
                    let subjects: Vec<_> =
                        numbers.iter().map(|(channel, seq)| numbered(*channel, *seq, BIRTH)).collect();
                    let found = database.reserve_many(&subjects, at(BIRTH)).unwrap();
                    prop_assert_eq!(found.len(), numbers.len());
                    let before: BTreeSet<_> = model.held.iter().map(|(number, _)| *number).collect();
                    for (index, (number, found)) in numbers.iter().zip(found).enumerate() {
                        let first = numbers.iter().position(|other| other == number).unwrap();
                        match found {
                            Reservation::Twin { of } => prop_assert!(of == first && of < index),
                            Reservation::Replayed => prop_assert!(model.done.contains(number)),
                            Reservation::Busy { .. } => prop_assert!(before.contains(number)),
                            Reservation::Refused(error) => prop_assert!(false, "{}", error),
                            Reservation::Fresh(lease) => {
                                let new = !model.done.contains(number) && !before.contains(number);
                                prop_assert!(new && first == index);
                                model.held.push((*number, lease));
                            }
                        }
                    }
                }
                Step::Commit(which) => {
                    let (numbers, leases) = split(take(&mut model.held, &which));
                    let settled = database.commit_many(&leases, at(BIRTH)).unwrap();
                    prop_assert!(settled.iter().all(|settled| *settled == Settled::Done));
                    model.done.extend(numbers);
                }
                Step::GiveBack(which) => {
                    let (_, leases) = split(take(&mut model.held, &which));
                    let settled = database.give_back_many(&leases, at(BIRTH)).unwrap();
                    prop_assert!(settled.iter().all(|settled| *settled == Settled::Done));
                }
            }
        }
        let status = database.status();
        prop_assert_eq!(status.entries, database.count_rows());
        database.assert_counted();
        prop_assert_eq!(status.leases, u64::try_from(model.held.len()).unwrap());
        prop_assert_eq!(status.seen, u64::try_from(model.done.len()).unwrap());
        let mut ranges = 0;
        for channel in 1..3 {
            let numbers: Vec<_> =
                model.done.iter().filter(|(of, _)| *of == channel).map(|(_, seq)| *seq).collect();
            ranges += numbers.chunk_by(|one, next| *next == one + 1).count();
            let highest = numbers.last().copied().unwrap_or(0);
            let missing: Vec<_> = (0..highest).filter(|seq| !numbers.contains(seq)).collect();
            let gaps = database.view().gaps(key(1), &[channel; 16]).unwrap();
            let listed: Vec<_> = gaps.iter().flat_map(|gap| gap.first..=gap.last).collect();
            prop_assert_eq!(listed, missing);
            prop_assert!(gaps.windows(2).all(|two| two[0].last + 1 < two[1].first));
        }
        prop_assert_eq!(status.ranges, u64::try_from(ranges).unwrap());
    }
}
