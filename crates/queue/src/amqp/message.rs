//! Messages as they are on the server.
//!
//! Whoever can write to the server can put anything in the properties of a message. So they decide nothing: they say
//! how often it was tried, and what people are shown of a dead letter.

use brine_core::Timestamp;
use brine_core::hash::{HashAlgorithm, Hasher};
use brine_core::key::random;
use brine_core::text::hex;
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};

use super::layout::short;
use crate::error::QueueError;
use crate::ledger_place::MessageKey;
use crate::queue::{RefusedMessage, kept};

/// How often a message was delivered before it was published again.
const ATTEMPTS: &str = "brine-attempts";

/// Why a message waits to be tried again.
const FAILURE: &str = "brine-failure";

/// How often a message was delivered since it was published, as the server counts in quorum queues.
const DELIVERIES: &str = "x-delivery-count";

// Of dead letters.
const NUMBER: &str = "brine-number";
const REASON: &str = "brine-reason";
const DETAIL: &str = "brine-detail";
const DIED: &str = "brine-died";
const BEGUN: &str = "brine-begun";

/// On the disk.
const PERSISTENT: u8 = 2;

/// What stays of a message when it is published again.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    /// What tells it from a message with the same content.
    name: String,
    /// When it was published.
    pub(super) sent: Option<Timestamp>,
}

/// What is known of a message that was delivered.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) stamp: Stamp,
    /// How often it was delivered, with this time.
    pub(super) attempt: u64,
    /// Whether it was delivered before, as far as it says.
    pub(super) is_again: bool,
}

/// What a dead letter says of itself.
#[derive(Clone, Debug)]
pub(super) struct Epitaph {
    pub(super) number: u64,
    pub(super) died: Option<Timestamp>,
    pub(super) attempts: u64,
    pub(super) begun: bool,
    pub(super) reason: String,
    pub(super) detail: String,
}

impl Stamp {
    /// Makes one for a new message.
    pub(super) fn new(now: Timestamp) -> Result<Self, QueueError> {
        Ok(Self { name: hex(&random::<16>()?).to_string(), sent: Some(now) })
    }

    pub(super) fn of(properties: &BasicProperties) -> Self {
        let name = properties.message_id().as_ref().map(|name| name.as_str().to_owned());
        let sent = properties.timestamp().and_then(Timestamp::from_unix);
        Self { name: name.unwrap_or_default(), sent }
    }

    /// Returns what tells the message from others.
    pub(super) fn key(&self, content: &[u8]) -> MessageKey {
        let mut hasher = Hasher::new(HashAlgorithm::Sha256);
        // A name has at most 255 bytes, so no two pairs give the same bytes.
        hasher.update(&[u8::try_from(self.name.len()).unwrap_or(u8::MAX)]);
        hasher.update(self.name.as_bytes());
        hasher.update(content);
        let digest = hasher.finish();
        let bytes = digest.as_ref();
        MessageKey(std::array::from_fn(|index| bytes.get(index).copied().unwrap_or_default()))
    }

    /// Returns the properties of a new message.
    pub(super) fn first(&self) -> BasicProperties {
        let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
        let properties = match self.name.as_str() {
            "" => properties,
            name => properties.with_message_id(short(name)),
        };
        match self.sent {
            Some(sent) => properties.with_timestamp(sent.unix()),
            None => properties,
        }
    }

    /// Returns the properties of a message that was delivered so often, and is published again.
    pub(super) fn again(&self, attempts: u64, failure: &str) -> BasicProperties {
        let mut headers = FieldTable::default();
        headers.insert(short(ATTEMPTS), number(attempts));
        if !failure.is_empty() {
            headers.insert(short(FAILURE), text(failure));
        }
        self.first().with_headers(headers)
    }

    /// Returns the properties of a dead letter.
    pub(super) fn dead(&self, epitaph: &Epitaph) -> BasicProperties {
        let Epitaph { number: letter, died, attempts, begun, reason, detail } = epitaph;
        let mut headers = FieldTable::default();
        headers.insert(short(NUMBER), number(*letter));
        headers.insert(short(DIED), number(died.map_or(0, Timestamp::unix)));
        headers.insert(short(ATTEMPTS), number(*attempts));
        headers.insert(short(BEGUN), AMQPValue::Boolean(*begun));
        headers.insert(short(REASON), text(reason));
        headers.insert(short(DETAIL), text(detail));
        self.first().with_headers(headers)
    }
}

impl Arrival {
    /// Reads what a message says. `is_again` is what the server says of it.
    pub(super) fn of(properties: &BasicProperties, is_again: bool) -> Self {
        let headers = properties.headers().clone().unwrap_or_default();
        let before = number_of(&headers, ATTEMPTS);
        // A classic queue counts nothing, and knows a message that was delivered before.
        let deliveries = number_of(&headers, DELIVERIES).unwrap_or(u64::from(is_again));
        let attempt = before.unwrap_or(0).saturating_add(deliveries).saturating_add(1);
        let is_again = is_again || before.is_some() || deliveries > 0;
        Self { stamp: Stamp::of(properties), attempt, is_again }
    }
}

impl Epitaph {
    pub(super) fn new(
        letter: u64,
        died: Timestamp,
        attempts: u64,
        begun: bool,
        why: &RefusedMessage<'_>,
    ) -> Self {
        let (reason, detail) = (kept(why.reason), why.kept_detail());
        Self { number: letter, died: Some(died), attempts, begun, reason, detail }
    }

    /// Reads what a dead letter says. One that says nothing has a number by what it holds.
    pub(super) fn of(properties: &BasicProperties, key: &MessageKey) -> Self {
        let headers = properties.headers().clone().unwrap_or_default();
        let MessageKey([a, b, c, d, e, f, g, ..]) = *key;
        let other = u64::from_be_bytes([0, a, b, c, d, e, f, g]).max(1);
        Self {
            number: number_of(&headers, NUMBER).filter(|letter| *letter > 0).unwrap_or(other),
            died: number_of(&headers, DIED).and_then(Timestamp::from_unix),
            attempts: number_of(&headers, ATTEMPTS).unwrap_or_default(),
            begun: headers.inner().get(BEGUN) == Some(&AMQPValue::Boolean(true)),
            reason: text_of(&headers, REASON),
            detail: text_of(&headers, DETAIL),
        }
    }
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(kept(value).into())
}

fn number(value: u64) -> AMQPValue {
    AMQPValue::LongLongInt(i64::try_from(value).unwrap_or(i64::MAX))
}

fn text_of(headers: &FieldTable, name: &str) -> String {
    match headers.inner().get(name) {
        Some(AMQPValue::LongString(text)) => kept(&String::from_utf8_lossy(text.as_bytes())),
        _ => String::new(),
    }
}

/// Clients of other languages write small numbers in other types.
fn number_of(headers: &FieldTable, name: &str) -> Option<u64> {
    let found: i64 = match *headers.inner().get(name)? {
        AMQPValue::LongLongInt(number) => number,
        AMQPValue::LongInt(number) => number.into(),
        AMQPValue::LongUInt(number) => number.into(),
        AMQPValue::ShortInt(number) => number.into(),
        AMQPValue::ShortUInt(number) => number.into(),
        AMQPValue::ShortShortInt(number) => number.into(),
        AMQPValue::ShortShortUInt(number) => number.into(),
        _ => return None,
    };
    u64::try_from(found).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_published_again_keeps_its_name_and_its_attempts() {
        let now = brine_testkit::now();
        let stamp = Stamp::new(now).unwrap();
        let fresh = Arrival::of(&stamp.first(), false);
        assert_eq!((fresh.attempt, fresh.is_again), (1, false));
        let again = Arrival::of(&stamp.again(4, "busy"), false);
        assert_eq!((again.attempt, again.is_again), (5, true));
        assert_eq!(Arrival::of(&stamp.again(4, ""), true).attempt, 6);
        assert_eq!(again.stamp.sent, Some(now));
        assert_eq!(again.stamp.key(b"x"), stamp.key(b"x"));
        assert_ne!(again.stamp.key(b"y"), stamp.key(b"x"));
        assert_ne!(Stamp::new(now).unwrap().key(b"x"), stamp.key(b"x"));
    }

    #[test]
    fn what_strangers_write_in_headers_is_bounded() {
        let mut headers = FieldTable::default();
        headers.insert(short(ATTEMPTS), AMQPValue::LongLongInt(-1));
        headers.insert(short(NUMBER), AMQPValue::Boolean(true));
        headers.insert(short(DIED), AMQPValue::LongLongInt(i64::MAX));
        headers.insert(short(REASON), AMQPValue::LongString("ü".repeat(5000).into()));
        headers.insert(short(DETAIL), AMQPValue::LongString(vec![0xff, b'a'].into()));
        let properties = BasicProperties::default().with_headers(headers).with_timestamp(u64::MAX);
        let arrival = Arrival::of(&properties, false);
        assert_eq!((arrival.attempt, arrival.stamp.sent), (1, None));
        let key = arrival.stamp.key(b"");
        let epitaph = Epitaph::of(&properties, &key);
        assert_eq!((epitaph.died, epitaph.attempts, epitaph.begun), (None, 0, false));
        assert_eq!(epitaph.reason, "ü".repeat(1024));
        assert_eq!(epitaph.detail, "\u{fffd}a");
        assert_eq!(epitaph.number, Epitaph::of(&BasicProperties::default(), &key).number);
    }
}
