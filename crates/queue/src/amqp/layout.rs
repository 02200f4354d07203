//! The queues that one queue is made of, on the server.

use std::time::Duration;

use brine_core::hash::HashAlgorithm;
use brine_core::text::hex;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::options::{DeadLetterBounds, QueueOptions};
use crate::url::{MAX_NAME_BYTES, QueueName};

/// The names of the queues, and how they are made.
///
/// The queue itself has its own name. Beside it are its dead letters, a sample of those that never verified, and one
/// queue for each length of time that messages wait.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) main: ShortString,
    /// What the names of the others begin with.
    stem: String,
    bounds: DeadLetterBounds,
    lifetime: Option<Duration>,
}

/// A queue beside the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Beside {
    /// Dead letters of trusted signers. As a quorum queue, it can take one more than it should, and takes none again
    /// until a fifth of it has left.
    Dead,
    /// What waits for so many seconds.
    Delayed(u32),
    /// Whoever made it looks through dead letters.
    Lock,
    /// Dead letters of anybody.
    Sample,
}

/// What the names of the queues beside a queue contain, and no others.
pub(super) const RESERVED: &str = ":brine.";

/// How long messages can wait, in seconds. A message waits in a queue with others that wait as long, because only the
/// first of a queue runs out.
const DELAYS: [u32; 27] = [
    1, 2, 3, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300, 450, 600, 900, 1800, 3600, 7200,
    21_600, 43_200, 86_400, 604_800, 2_592_000,
];

/// What a dead letter takes beside what it holds.
pub(super) const LETTER_BYTES: u64 = 256;

/// So often can a message be delivered. Beyond a limit, the server drops it or makes it a dead letter of its own, without which
/// it puts a message that was handed back behind all others.
const MOST_DELIVERIES: i64 = 0x7fff_ffff;

/// How long a message can be held before the server ends the channel, if it takes that from a queue (RabbitMQ 3.12).
const HOLD_MILLIS: i64 = 30 * 24 * 3600 * 1000;

impl Layout {
    pub(super) fn new(name: &QueueName, options: &QueueOptions) -> Self {
        let longest = ":brine.delay-".len().saturating_add(10);
        let name = name.as_str();
        let stem = match name.len().saturating_add(longest) {
            bytes if bytes <= MAX_NAME_BYTES => name.to_owned(),
            _ => format!("{}…", hex(HashAlgorithm::Sha256.digest(name.as_bytes()).as_ref())),
        };
        Self { main: short(name), stem, bounds: options.dead_letters, lifetime: options.lifetime }
    }

    pub(super) fn beside(&self, queue: Beside) -> ShortString {
        let stem = &self.stem;
        short(&match queue {
            Beside::Dead => format!("{stem}:brine.dead"),
            Beside::Delayed(seconds) => format!("{stem}:brine.delay-{seconds}"),
            Beside::Lock => format!("{stem}:brine.dead-lock"),
            Beside::Sample => format!("{stem}:brine.dead-sample"),
        })
    }

    /// Returns all queues beside the queue in which messages are.
    pub(super) fn all_beside() -> impl Iterator<Item = Beside> {
        [Beside::Dead, Beside::Sample].into_iter().chain(Self::all_delays())
    }

    pub(super) fn all_delays() -> impl Iterator<Item = Beside> {
        DELAYS.into_iter().map(Beside::Delayed)
    }

    /// Returns how the queue itself is made.
    ///
    /// The server counts the deliveries of a message in a quorum queue alone. One that is to last for a time only is a
    /// classic queue: whoever makes such a queue again has it last longer.
    pub(super) fn main_arguments(&self) -> FieldTable {
        let mut table = FieldTable::default();
        match self.lifetime {
            Some(lifetime) => {
                text(&mut table, "x-queue-type", "classic");
                number(&mut table, "x-expires", millis(lifetime).max(1));
            }
            None => quorum(&mut table),
        }
        number(&mut table, "x-consumer-timeout", HOLD_MILLIS);
        table
    }

    /// Returns how a queue beside the queue is made.
    pub(super) fn arguments(&self, queue: Beside) -> FieldTable {
        let mut table = FieldTable::default();
        match (self.lifetime, queue) {
            // It has exactly as much as it may have, and is written to as often as strangers like.
            (_, Beside::Sample) | (Some(_), _) => text(&mut table, "x-queue-type", "classic"),
            (None, _) => quorum(&mut table),
        }
        text(&mut table, "x-overflow", "reject-publish");
        let mut wait = Duration::ZERO;
        match queue {
            Beside::Dead => bound(&mut table, self.bounds.verified),
            Beside::Sample => bound(&mut table, self.bounds.unverified),
            Beside::Lock => {}
            Beside::Delayed(seconds) => {
                wait = Duration::from_secs(seconds.into());
                number(&mut table, "x-message-ttl", millis(wait));
                text(&mut table, "x-dead-letter-exchange", "");
                text(&mut table, "x-dead-letter-routing-key", self.main.as_str());
                if self.lifetime.is_none() {
                    // So that no message is lost on its way back.
                    text(&mut table, "x-dead-letter-strategy", "at-least-once");
                }
            }
        }
        if let Some(lifetime) = self.lifetime {
            number(&mut table, "x-expires", millis(lifetime.saturating_add(wait)).max(1));
        }
        table
    }
}

/// Returns where a message waits for so long, or a little longer; `None` if it does not wait.
pub(super) fn delayed(delay: Duration) -> Option<Beside> {
    let seconds = delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0));
    let longest = DELAYS.last().copied();
    let found = DELAYS.into_iter().find(|wait| u64::from(*wait) >= seconds).or(longest);
    found.filter(|_| seconds > 0).map(Beside::Delayed)
}

pub(super) fn short(text: &str) -> ShortString {
    // No name is longer than that has room for.
    ShortString::try_new(text).unwrap_or_default()
}

fn quorum(table: &mut FieldTable) {
    text(table, "x-queue-type", "quorum");
    number(table, "x-delivery-limit", MOST_DELIVERIES);
}

fn bound(table: &mut FieldTable, bytes: u64) {
    let most = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    number(table, "x-max-length-bytes", most(bytes));
    number(table, "x-max-length", most(bytes.checked_div(LETTER_BYTES).unwrap_or_default()));
}

/// The server takes no longer time than fits 32 bits.
fn millis(time: Duration) -> i64 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX).into()
}

fn text(table: &mut FieldTable, name: &str, value: &str) {
    table.insert(short(name), AMQPValue::LongString(value.into()));
}

fn number(table: &mut FieldTable, name: &str, value: i64) {
    table.insert(short(name), AMQPValue::LongLongInt(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_waits_at_least_as_long_as_it_is_to() {
        let cases = [
            (0, None),
            (1, Some(1)),
            (1000, Some(1)),
            (1001, Some(2)),
            (3_001, Some(5)),
            (86_400_000, Some(86_400)),
            (u64::MAX, Some(2_592_000)),
        ];
        for (delay, seconds) in cases {
            let found = delayed(Duration::from_millis(delay));
            assert_eq!(found, seconds.map(Beside::Delayed), "{delay}");
        }
        assert!(DELAYS.is_sorted());
    }

    #[test]
    fn every_name_of_a_queue_fits() {
        let names = ["q".to_owned(), "ü".repeat(110), "n".repeat(MAX_NAME_BYTES)];
        let mut seen = std::collections::BTreeSet::new();
        for name in names {
            let name = QueueName::new(name).unwrap();
            let layout = Layout::new(&name, &QueueOptions::default());
            assert_eq!(layout.main.as_str(), name.as_str());
            for queue in Layout::all_beside().chain([Beside::Lock]) {
                let beside = layout.beside(queue);
                assert!(!beside.as_str().is_empty(), "{name} {queue:?}");
                assert!(seen.insert(beside.as_str().to_owned()), "{name} {queue:?}");
            }
        }
    }
}
