//! The keys of values.

use brine_core::{CHANNEL_BYTES, KeyId};
use data_encoding::HEXLOWER;

/// The key of what the ledger knows about itself.
pub(super) const META: &str = "meta";

/// The key of the value that shows by its absence that the ledger was not used for long.
pub(super) const CLOCK: &str = "clock";

/// Returns the key of a channel: 99 characters.
pub(super) fn of_channel(key: KeyId, channel: &[u8; CHANNEL_BYTES]) -> String {
    format!("c.{key}.{}", HEXLOWER.encode(channel))
}

/// Returns the key of a record that is known by its name: 66 characters.
pub(super) fn of_name(name: &[u8; 32]) -> String {
    format!("n.{}", HEXLOWER.encode(name))
}
