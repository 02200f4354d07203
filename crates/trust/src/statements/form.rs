//! What statements say, and how that is written.
//!
//! ```cddl
//! revocation = [1, number: uint, [* revoked-key]]
//! revoked-key = [key: bstr .size 32, lost: uint, reason: tstr]
//! rotation = [1, from: bstr .size 32, to: bstr .size 32]
//! ```

use brine_core::cbor::{Decoder, Encoder};
use brine_core::text::all_harmless;
use brine_core::{KeyId, Timestamp, VerifyingKey};

use super::StatementError;

/// The longest reason for which a key is revoked, in bytes.
pub const MAX_LOSS_REASON_BYTES: usize = 255;

/// The version of all statements that are written and read.
const VERSION: i64 = 1;

/// A list of keys that are believed no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationStatement {
    number: u64,
    /// In the order of their bytes, each once.
    keys: Vec<RevokedKey>,
}

/// A key that is believed no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedKey {
    point: [u8; 32],
    id: KeyId,
    /// When it was lost, as far as that is known. It is shown, and nothing is judged by it.
    pub lost: Option<Timestamp>,
    /// Why it is revoked: up to [`MAX_LOSS_REASON_BYTES`] of visible characters.
    pub reason: Option<String>,
}

impl RevokedKey {
    /// Revokes a key.
    #[must_use]
    pub fn new(key: &VerifyingKey, lost: Option<Timestamp>, reason: Option<String>) -> Self {
        let point = key.to_bytes();
        Self { point, id: key.id(), lost, reason }
    }

    /// Returns the id of the key.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the key, if it is one.
    #[must_use]
    pub fn key(&self) -> Option<VerifyingKey> {
        VerifyingKey::from_bytes(&self.point).ok()
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, StatementError> {
        decoder.array_of(3)?;
        let point = *decoder.sized()?;
        let lost = u64::try_from(decoder.int()?).ok().and_then(Timestamp::from_unix);
        let lost = lost.ok_or(StatementError::form("a time is out of range"))?;
        let reason = decoder.text()?;
        if reason.len() > MAX_LOSS_REASON_BYTES || !all_harmless(reason) {
            return Err(StatementError::form("a reason is too long, or cannot be shown"));
        }
        Ok(Self {
            point,
            id: KeyId::of(&point),
            lost: Some(lost).filter(|lost| lost.unix() > 0),
            reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()),
        })
    }
}

impl RevocationStatement {
    /// Makes a list. Of a key that is given twice, the last counts.
    #[must_use]
    pub fn new(number: u64, keys: impl IntoIterator<Item = RevokedKey>) -> Self {
        let keys = keys.into_iter().map(|key| (key.point, key));
        let keys: std::collections::BTreeMap<_, _> = keys.collect();
        Self { number, keys: keys.into_values().collect() }
    }

    /// Returns its number, which is higher than that of all lists of its signer before.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Returns the keys that it revokes, in the order of their bytes.
    #[must_use]
    pub fn keys(&self) -> &[RevokedKey] {
        &self.keys
    }

    /// Returns whether it revokes this key alone.
    pub(super) fn is_only(&self, id: KeyId) -> bool {
        matches!(self.keys.as_slice(), [only] if only.id == id)
    }

    /// Returns the key with this id, if it revokes that.
    pub(super) fn find(&self, id: KeyId) -> Option<&RevokedKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Writes it: the payload of an envelope of kind [`Revocation`](brine_core::Kind::Revocation).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut output = Encoder::new();
        let count = u64::try_from(self.keys.len()).unwrap_or(u64::MAX);
        output.array(3).int(VERSION).uint(self.number).array(count);
        for key in &self.keys {
            let lost = key.lost.map_or(0, Timestamp::unix);
            let reason = key.reason.as_deref().unwrap_or_default();
            output.array(3).bytes(&key.point).uint(lost).text(reason);
        }
        output.into_bytes()
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`StatementError::Form`], [`StatementError::Malformed`] and [`StatementError::Version`].
    pub fn decode(payload: &[u8]) -> Result<Self, StatementError> {
        let mut decoder = versioned(payload)?;
        let number = u64::try_from(decoder.int()?);
        let number = number.map_err(|_| StatementError::form("its number is out of range"))?;
        let mut keys: Vec<RevokedKey> = Vec::new();
        for _ in 0..decoder.array()? {
            let key = RevokedKey::decode(&mut decoder)?;
            if keys.last().is_some_and(|last| last.point >= key.point) {
                return Err(StatementError::form(
                    "its keys are not in order, or one is there twice",
                ));
            }
            keys.push(key);
        }
        decoder.finish()?;
        Ok(Self { number, keys })
    }
}

/// Which key comes after another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationStatement {
    /// The key before.
    pub from: VerifyingKey,
    /// The key that comes after it.
    pub to: VerifyingKey,
}

impl RotationStatement {
    /// Writes it: the payload of an envelope of kind [`Rotation`](brine_core::Kind::Rotation).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut output = Encoder::new();
        output.array(3).int(VERSION).bytes(&self.from.to_bytes()).bytes(&self.to.to_bytes());
        output.into_bytes()
    }

    /// Reads one.
    ///
    /// # Errors
    ///
    /// [`StatementError::Form`], [`StatementError::Malformed`] and [`StatementError::Version`].
    pub fn decode(payload: &[u8]) -> Result<Self, StatementError> {
        let mut decoder = versioned(payload)?;
        let [from, to] = [*decoder.sized()?, *decoder.sized()?].map(|point: [u8; 32]| {
            let key = VerifyingKey::from_bytes(&point);
            key.map_err(|_| StatementError::form("a key cannot be used"))
        });
        decoder.finish()?;
        let (from, to) = (from?, to?);
        if from == to {
            return Err(StatementError::form("a key comes after itself"));
        }
        Ok(Self { from, to })
    }
}

/// Begins to read an array of three, the first of which is the version.
fn versioned(payload: &[u8]) -> Result<Decoder<'_>, StatementError> {
    let mut decoder = Decoder::new(payload);
    decoder.array_of(3)?;
    match decoder.int()? {
        VERSION => Ok(decoder),
        found => Err(StatementError::Version { found }),
    }
}
