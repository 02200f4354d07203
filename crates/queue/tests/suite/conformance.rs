//! What every queue does. A new kind of queue has a `QueueSite`, and passes `conforms!`.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use brine_core::{Classified as _, Timestamp};
use brine_queue::{
    Buried, DeadLetters, Delivery, Queue, QueueError, QueueName, ReceiveBounds, RefusedMessage,
    Retry, Standing,
};
use brine_records::{DeadLetter, Settled};

/// How long leases last at every site.
pub(crate) const LEASE: Duration = Duration::from_secs(2);

/// More than anybody has to wait for a message that is there.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A place that has queues by name, which are empty at first. Their leases last for [`LEASE`], and their ledgers take
/// records of any time.
pub(crate) trait QueueSite: Sync {
    type Queue: Queue + DeadLetters;

    /// Opens a queue once more, as another process would.
    fn open(&self, name: &str) -> Self::Queue;

    /// Opens a queue that is to be there.
    fn open_existing(&self, name: &str) -> Result<Self::Queue, QueueError>;

    /// Returns the name by which the place has a queue.
    fn queue_name(&self, name: &str) -> QueueName {
        QueueName::new(name).unwrap()
    }

    /// Returns what the clock of the queues says.
    fn now(&self) -> Timestamp;

    /// Lets time pass.
    fn let_pass(&self, length: Duration);

    /// Returns whether the queues can do this. A site whose queues cannot says why.
    fn can(&self, _: Ability) -> bool {
        true
    }
}

/// What not every kind of queue can do. A rule leaves out what depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ability {
    /// Knows how many messages were ever published.
    CountSent,
    /// Leaves a lease that ran out to its holder until somebody else is given the message.
    KeepStaleLeases,
    /// Remembers the place of a message that waits to be tried again, or is a dead letter.
    RememberPlaces,
    /// Gives messages back to their sender.
    TakeBack,
}

/// Lets so much time pass that leases run out which are not extended, and extends these.
pub(crate) fn outlast<S: QueueSite>(
    site: &S,
    queue: &mut S::Queue,
    leases: &[&<S::Queue as Queue>::Lease],
) {
    for _ in 0..5 {
        site.let_pass(LEASE / 4);
        assert!(queue.extend(leases).unwrap().iter().all(|one| *one == Settled::Done));
    }
}

/// Makes a test of each rule.
#[macro_export]
macro_rules! conforms {
    ($site:expr) => {
        $crate::conforms! { @ $site;
            messages_come_in_the_order_in_which_they_were_published
            what_was_published_is_there_for_others
            a_message_that_is_too_large_publishes_none_of_its_companions
            a_leased_message_is_not_delivered_to_another
            a_lease_that_runs_out_delivers_the_message_again_in_its_old_place
            a_lease_that_ran_out_settles_what_nobody_else_was_given
            a_stale_lease_settles_nothing
            an_extended_lease_does_not_run_out
            an_acknowledged_message_is_never_delivered_again
            a_retried_message_comes_after_its_delay_in_its_old_place
            a_message_that_is_retried_at_once_comes_at_once
            a_message_that_is_handed_back_comes_after_its_delay_and_has_lost_no_attempt
            a_dead_letter_is_kept_with_its_reason_and_can_be_revived
            a_dead_letter_can_be_discarded
            empty_and_huge_messages_come_whole
            what_is_received_at_once_is_bounded
            a_consumer_that_waits_is_given_what_is_published_later
            consumers_share_the_messages
            another_value_of_a_queue_settles_what_the_first_received
            queues_are_apart
        }
        $crate::conforms! { @records $site;
            a_record_counts_once_however_often_it_is_sent
            a_record_that_was_committed_before_a_crash_is_known_afterwards
            a_job_that_was_begun_is_delivered_as_begun_and_never_fresh
            a_job_that_was_not_begun_is_fresh_again
            a_lost_message_commits_no_record
            a_lost_record_acknowledges_no_message
            ledgers_of_two_queues_know_nothing_of_each_other
        }
        $crate::conforms! { @answers $site;
            an_answer_is_published_with_the_acknowledgement_or_not_at_all
            a_deleted_queue_is_gone_for_those_who_have_it_open
            a_message_that_is_sent_with_a_delay_waits
            a_message_is_taken_back_until_it_is_begun
            what_is_settled_is_settled_once
        }
    };
    (@ $site:expr; $($rule:ident)*) => {
        $(#[test] fn $rule() { $crate::conformance::$rule(&$site); })*
    };
    (@answers $site:expr; $($rule:ident)*) => {
        $(#[test] fn $rule() { $crate::answers::$rule(&$site); })*
    };
    (@records $site:expr; $($rule:ident)*) => {
        $(#[test] fn $rule() { $crate::records::$rule(&$site); })*
    };
}

type Given<Q> = Delivery<<Q as Queue>::Lease>;

/// Receives a message that must be there.
pub(crate) fn one<Q: Queue>(queue: &mut Q) -> Given<Q> {
    let mut found = queue.receive(ReceiveBounds::ONE, LONG).unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

/// Receives everything that can be delivered.
pub(crate) fn all<Q: Queue>(queue: &mut Q) -> Vec<Given<Q>> {
    let most = ReceiveBounds { bytes: usize::MAX, messages: 1000 };
    queue.receive(most, Duration::ZERO).unwrap()
}

/// Acknowledges everything that can be delivered.
pub(crate) fn ack_all<Q: Queue>(queue: &mut Q) -> Vec<Settled> {
    let found = all(queue);
    queue.ack(&found.iter().map(|found| &found.lease).collect::<Vec<_>>()).unwrap()
}

fn contents<L>(found: &[Delivery<L>]) -> Vec<&[u8]> {
    found.iter().map(|delivery| delivery.content.as_slice()).collect()
}

const BY_STRANGER: RefusedMessage<'static> = RefusedMessage {
    reason: "unknown-signer",
    detail: "nobody knows the signer",
    standing: Standing::Unverified,
};

const BY_SIGNER: RefusedMessage<'static> =
    RefusedMessage { reason: "too-many-attempts", detail: "3", standing: Standing::Verified };

pub(crate) fn messages_come_in_the_order_in_which_they_were_published<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[b"1", b"2"]).unwrap();
    queue.publish(&[b"3"]).unwrap();
    queue.publish(&[]).unwrap();
    assert_eq!(contents(&all(&mut site.open("q"))), [b"1", b"2", b"3"]);
    let many: Vec<_> = (0..600).map(|number: u32| number.to_string().into_bytes()).collect();
    let mut queue = site.open("many");
    queue.publish(&many.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    assert!(contents(&all(&mut queue)).iter().eq(&many), "they came in another order");
}

pub(crate) fn what_was_published_is_there_for_others<S: QueueSite>(site: &S) {
    site.open("q").publish(&[b"1"]).unwrap();
    let found = one(&mut site.open("q"));
    assert_eq!((found.content.as_slice(), found.attempt, found.begun), (&b"1"[..], 1, false));
}

pub(crate) fn a_message_that_is_too_large_publishes_none_of_its_companions<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    let large = vec![0; 0x2000_0000];
    let error = queue.publish(&[b"1", &large]).unwrap_err();
    assert_eq!(error.reason(), "too-large");
    assert!(all(&mut queue).is_empty());
}

pub(crate) fn a_leased_message_is_not_delivered_to_another<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[b"1"]).unwrap();
    let _held = one(&mut queue);
    assert!(all(&mut site.open("q")).is_empty());
    assert!(all(&mut queue).is_empty());
}

pub(crate) fn a_lease_that_runs_out_delivers_the_message_again_in_its_old_place<S: QueueSite>(
    site: &S,
) {
    let mut queue = site.open("q");
    queue.publish(&[b"1", b"2"]).unwrap();
    assert_eq!(one(&mut queue).content, b"1");
    queue.publish(&[b"3"]).unwrap();
    site.let_pass(LEASE);
    let found = all(&mut site.open("q"));
    assert_eq!(contents(&found), [b"1", b"2", b"3"]);
    assert_eq!(found.iter().map(|found| found.attempt).collect::<Vec<_>>(), [2, 1, 1]);
}

pub(crate) fn a_lease_that_ran_out_settles_what_nobody_else_was_given<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[b"1"]).unwrap();
    let held = one(&mut queue);
    site.let_pass(LEASE);
    if !site.can(Ability::KeepStaleLeases) {
        assert_eq!(queue.extend(&[&held.lease]).unwrap(), [Settled::Lost]);
        assert_eq!(all(&mut queue).len(), 1);
        return;
    }
    assert_eq!(queue.extend(&[&held.lease]).unwrap(), [Settled::Done]);
    assert!(all(&mut queue).is_empty());
    site.let_pass(LEASE);
    assert_eq!(queue.ack(&[&held.lease]).unwrap(), [Settled::Done]);
    assert!(all(&mut queue).is_empty());
}

pub(crate) fn a_stale_lease_settles_nothing<S: QueueSite>(site: &S) {
    type Act<Q> = fn(&mut Q, <Q as Queue>::Lease) -> bool;
    let acts: [Act<S::Queue>; 5] = [
        |queue, lease| queue.ack(&[&lease]).unwrap() == [Settled::Lost],
        |queue, lease| queue.extend(&[&lease]).unwrap() == [Settled::Lost],
        |queue, lease| {
            queue.retry(&[&lease], Retry::tried(Duration::ZERO, "")).unwrap() == [Settled::Lost]
        },
        |queue, lease| {
            queue.retry(&[&lease], Retry::untried(Duration::ZERO, "")).unwrap() == [Settled::Lost]
        },
        |queue, lease| queue.dead_letter(&lease, &BY_SIGNER).unwrap() == Buried::Lost,
    ];
    for (index, act) in acts.into_iter().enumerate() {
        let name = index.to_string();
        let mut queue = site.open(&name);
        queue.publish(&[b"1"]).unwrap();
        let stale = one(&mut queue);
        site.let_pass(LEASE);
        let mut other = site.open(&name);
        let held = one(&mut other);
        assert!(act(&mut queue, stale.lease), "{index}");
        // The other still has the message.
        assert!(all(&mut queue).is_empty(), "{index}");
        assert_eq!(other.ack(&[&held.lease]).unwrap(), [Settled::Done], "{index}");
        assert!(other.dead_letters(0, 10).unwrap().is_empty(), "{index}");
    }
}

pub(crate) fn an_extended_lease_does_not_run_out<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    assert_eq!(queue.lease_length(), LEASE);
    queue.publish(&[b"1"]).unwrap();
    let held = one(&mut queue);
    for _ in 0..4 {
        site.let_pass(LEASE / 4);
        assert_eq!(queue.extend(&[&held.lease]).unwrap(), [Settled::Done]);
    }
    assert!(all(&mut site.open("q")).is_empty());
    assert_eq!(queue.ack(&[&held.lease]).unwrap(), [Settled::Done]);
}

pub(crate) fn an_acknowledged_message_is_never_delivered_again<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[b"1", b"2"]).unwrap();
    assert_eq!(ack_all(&mut queue), [Settled::Done; 2]);
    site.let_pass(LEASE);
    assert!(all(&mut queue).is_empty());
    let status = queue.status().unwrap();
    assert_eq!((status.ready, status.held, status.acknowledged), (0, 0, 2));
    let sent = if site.can(Ability::CountSent) { 2 } else { 0 };
    assert_eq!(status.sent, sent);
}

pub(crate) fn a_retried_message_comes_after_its_delay_in_its_old_place<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[b"1", b"2"]).unwrap();
    let found = one(&mut queue);
    let delay = LEASE * 3;
    assert_eq!(queue.retry(&[&found.lease], Retry::tried(delay, "busy")).unwrap(), [Settled::Done]);
    let next = one(&mut queue);
    assert_eq!(next.content, b"2");
    assert_eq!(
        queue.retry(&[&next.lease], Retry::tried(Duration::ZERO, "busy")).unwrap(),
        [Settled::Done]
    );
    site.let_pass(LEASE);
    let status = queue.status().unwrap();
    assert_eq!((status.ready, status.held), (1, 1));
    site.let_pass(delay);
    let found = all(&mut queue);
    let order = if site.can(Ability::RememberPlaces) { [b"1", b"2"] } else { [b"2", b"1"] };
    assert_eq!(contents(&found), order);
    assert_eq!(found.iter().map(|found| found.attempt).collect::<Vec<_>>(), [2, 2]);
}

/// Whoever has not tried a message leaves it all its attempts.
pub(crate) fn a_message_that_is_handed_back_comes_after_its_delay_and_has_lost_no_attempt<
    S: QueueSite,
>(
    site: &S,
) {
    let mut queue = site.open("q");
    queue.publish(&[b"1"]).unwrap();
    let found = one(&mut queue);
    assert_eq!(
        queue.retry(&[&found.lease], Retry::tried(Duration::ZERO, "")).unwrap(),
        [Settled::Done]
    );
    for _ in 0..3 {
        let found = one(&mut queue);
        assert_eq!((found.attempt, found.content.as_slice()), (2, &b"1"[..]));
        assert_eq!(
            queue.retry(&[&found.lease], Retry::untried(LEASE, "not mine")).unwrap(),
            [Settled::Done]
        );
        assert!(all(&mut queue).is_empty());
        site.let_pass(LEASE * 2);
    }
}

pub(crate) fn a_message_that_is_retried_at_once_comes_at_once<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[b"1"]).unwrap();
    for attempt in 1..5 {
        let found = one(&mut queue);
        assert_eq!(found.attempt, attempt);
        assert_eq!(
            queue.retry(&[&found.lease], Retry::tried(Duration::ZERO, "")).unwrap(),
            [Settled::Done]
        );
    }
}

pub(crate) fn a_dead_letter_is_kept_with_its_reason_and_can_be_revived<S: QueueSite>(site: &S) {
    let begun = site.now();
    let mut queue = site.open("q");
    queue.publish(&[b"1", b"2", b"3"]).unwrap();
    for why in [BY_SIGNER, BY_STRANGER] {
        let lease = one(&mut queue).lease;
        assert_eq!(queue.dead_letter(&lease, &why).unwrap(), Buried::Done(DeadLetter::Kept));
    }
    let mut other = site.open("q");
    let dead = other.dead_letters(0, 10).unwrap();
    let seen: Vec<_> = dead.iter().map(|dead| (dead.bytes, dead.attempts, dead.standing)).collect();
    assert_eq!(seen, [(1, 1, Standing::Verified), (1, 1, Standing::Unverified)]);
    assert_eq!((dead[0].reason.as_str(), dead[0].detail.as_str()), ("too-many-attempts", "3"));
    let moments = [begun, dead[0].sent, dead[0].died, site.now()];
    assert!(moments.is_sorted(), "{moments:?}");
    assert_eq!(other.dead_letters(dead[0].number, 10).unwrap(), dead[1..]);
    assert_eq!(other.dead_letters(0, 1).unwrap(), dead[..1]);
    assert_eq!(other.dead_content(dead[0].number).unwrap().unwrap(), b"1");
    let status = other.status().unwrap();
    assert_eq!((status.dead, status.ready), (2, 1));
    let counts = [("too-many-attempts".to_owned(), 1), ("unknown-signer".to_owned(), 1)];
    assert_eq!(status.refused, counts);

    assert!(other.revive(dead[0].number).unwrap());
    assert!(!other.revive(dead[0].number).unwrap());
    assert_eq!(other.dead_content(dead[0].number).unwrap(), None);
    let found = all(&mut queue);
    let order = if site.can(Ability::RememberPlaces) { [b"1", b"3"] } else { [b"3", b"1"] };
    assert_eq!(contents(&found), order);
    assert!(found.iter().all(|found| found.attempt == 1));
}

pub(crate) fn a_dead_letter_can_be_discarded<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[b"1"]).unwrap();
    let lease = one(&mut queue).lease;
    assert_eq!(queue.dead_letter(&lease, &BY_SIGNER).unwrap(), Buried::Done(DeadLetter::Kept));
    let number = queue.dead_letters(0, 1).unwrap()[0].number;
    assert!(queue.discard(number).unwrap());
    assert!(!queue.discard(number).unwrap());
    assert!(!queue.revive(number).unwrap());
    assert!(queue.dead_letters(0, 10).unwrap().is_empty());
    site.let_pass(LEASE);
    assert!(all(&mut queue).is_empty());
}

pub(crate) fn empty_and_huge_messages_come_whole<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    let huge: Vec<u8> = (0..0x0100_0000_u32).map(|index| (index >> 7).to_le_bytes()[0]).collect();
    queue.publish(&[b"", &huge]).unwrap();
    for content in [&b""[..], &huge] {
        let found = one(&mut queue);
        assert_eq!(found.content.len(), content.len());
        assert!(found.content == content);
        assert_eq!(queue.extend(&[&found.lease]).unwrap(), [Settled::Done]);
        assert_eq!(queue.ack(&[&found.lease]).unwrap(), [Settled::Done]);
    }
}

pub(crate) fn what_is_received_at_once_is_bounded<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[&[1; 60], &[2; 40], &[3; 101], &[4; 1]]).unwrap();
    let mut lengths = |bytes, messages| -> Vec<usize> {
        let found = queue.receive(ReceiveBounds { bytes, messages }, Duration::ZERO).unwrap();
        found.iter().map(|found| found.content.len()).collect()
    };
    assert_eq!(lengths(100, 10), [60, 40]);
    // One that is larger comes alone.
    assert_eq!(lengths(100, 10), [101]);
    assert_eq!(lengths(0, 0), [1]);
    assert!(lengths(100, 10).is_empty());
}

pub(crate) fn a_consumer_that_waits_is_given_what_is_published_later<S: QueueSite>(site: &S) {
    thread::scope(|scope| {
        let waiting = scope.spawn(|| one(&mut site.open("q")).content);
        thread::sleep(Duration::from_millis(100));
        site.open("q").publish(&[b"1"]).unwrap();
        assert_eq!(waiting.join().unwrap(), b"1");
    });
}

pub(crate) fn consumers_share_the_messages<S: QueueSite>(site: &S) {
    const MESSAGES: usize = 200;
    let seen = Mutex::new(Vec::new());
    let messages: Vec<_> = (0..MESSAGES).map(|number| number.to_string().into_bytes()).collect();
    let is_over = AtomicBool::new(false);
    let published = thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut queue = site.open("q");
                while seen.lock().unwrap().len() < MESSAGES && !is_over.load(Ordering::SeqCst) {
                    let most = ReceiveBounds { bytes: usize::MAX, messages: 7 };
                    let found = queue.receive(most, Duration::from_millis(10)).unwrap();
                    let leases: Vec<_> = found.iter().map(|found| &found.lease).collect();
                    assert!(queue.ack(&leases).unwrap().iter().all(|one| *one == Settled::Done));
                    seen.lock().unwrap().extend(found.into_iter().map(|found| found.content));
                }
            });
        }
        let published = messages.chunks(10).try_for_each(|some| {
            let some: Vec<&[u8]> = some.iter().map(Vec::as_slice).collect();
            site.open("q").publish(&some)
        });
        // Nobody waits for what does not come.
        is_over.store(published.is_err(), Ordering::SeqCst);
        published
    });
    published.unwrap();
    let seen = seen.into_inner().unwrap();
    assert_eq!(seen.len(), MESSAGES);
    assert_eq!(BTreeSet::from_iter(seen), BTreeSet::from_iter(messages));
}

pub(crate) fn another_value_of_a_queue_settles_what_the_first_received<S: QueueSite>(site: &S) {
    let mut queue = site.open("q");
    queue.publish(&[b"1", b"2"]).unwrap();
    let mut other = queue.another().unwrap();
    let found = one(&mut queue);
    assert_eq!(other.extend(&[&found.lease]).unwrap(), [Settled::Done]);
    assert_eq!(other.ack(&[&found.lease]).unwrap(), [Settled::Done]);
    assert_eq!(queue.ack(&[&one(&mut other).lease]).unwrap(), [Settled::Done]);
    assert_eq!(queue.status().unwrap().acknowledged, 2);
}

pub(crate) fn queues_are_apart<S: QueueSite>(site: &S) {
    let [mut one_queue, mut other] = ["one", "other"].map(|name| site.open(name));
    one_queue.publish(&[b"1"]).unwrap();
    assert!(all(&mut other).is_empty());
    let lease = one(&mut one_queue).lease;
    assert_eq!(one_queue.dead_letter(&lease, &BY_SIGNER).unwrap(), Buried::Done(DeadLetter::Kept));
    let number = one_queue.dead_letters(0, 1).unwrap()[0].number;
    assert!(other.dead_letters(0, 10).unwrap().is_empty());
    assert_eq!(other.dead_content(number).unwrap(), None);
    assert!(!other.revive(number).unwrap());
    assert!(!other.discard(number).unwrap());
    assert_eq!(other.status().unwrap().refused, []);
}
