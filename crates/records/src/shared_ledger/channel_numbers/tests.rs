//! The bounds of a value.

use super::ends::MAX_COMMITS;
use super::reserving::MAX_NUMBERS;
use super::*;
use crate::ledger::tests::{BIRTH, at};
use crate::shared_ledger::MAX_VALUE_BYTES;

/// As many ranges and leases as there may be, each as long as it can be.
#[test]
fn the_largest_channel_fits_a_value_and_is_read_again() {
    let mut channel = ChannelNumbers::new(at(BIRTH));
    let held = ChannelLimits::default().held;
    let distance = MAX_SEQ / u64::try_from(MAX_NUMBERS).unwrap();
    let mut spans = (0..).map(|index| {
        let first = index * distance;
        NumberSpan { first, last: first }
    });
    for span in spans.by_ref().take(MAX_NUMBERS - held) {
        channel.add_done(DoneNumbers { span, issued: at(0) });
    }
    for (span, number) in spans.take(held).zip(0_u128..) {
        let hold = NumberHold { token: number.to_be_bytes(), taken: at(BIRTH), until: at(BIRTH) };
        channel.add_held(HeldNumbers { span, issued: at(0), hold });
    }
    channel.commits = vec![[7; 16]; MAX_COMMITS];
    let value = channel.encode().unwrap();
    assert!(value.len() <= MAX_VALUE_BYTES, "{}", value.len());
    assert_eq!(ChannelNumbers::decode(&value).unwrap(), channel);
    // And once everything is handled.
    for held in std::mem::take(&mut channel.held) {
        channel.add_done(DoneNumbers { span: held.span, issued: held.issued });
    }
    let value = channel.encode().unwrap();
    assert!(value.len() <= MAX_VALUE_BYTES, "{}", value.len());
    assert_eq!(ChannelNumbers::decode(&value).unwrap(), channel);
}
