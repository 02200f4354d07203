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
    lost: Option<Timestamp>,
    reason: Option<String>,
}

impl RevokedKey {
    /// Revokes a key. `lost` is when it was lost, as far as that is known, and `reason` up to [`MAX_LOSS_REASON_BYTES`] of
    /// visible characters. Nothing is judged by either.
    ///
    /// # Errors
    ///
    /// [`StatementError::Form`] for any other reason.
    pub fn new(
        key: &VerifyingKey,
        lost: Option<Timestamp>,
        reason: Option<String>,
    ) -> Result<Self, StatementError> {
        judge_reason(reason.as_deref().unwrap_or_default())?;
        Ok(Self { point: key.to_bytes(), id: key.id(), lost, reason })
    }

    /// Returns the same, with what was said of the key before where nothing is said now.
    #[must_use]
    pub fn or_as(self, before: &Self) -> Self {
        Self {
            lost: self.lost.or(before.lost),
            reason: self.reason.or_else(|| before.reason.clone()),
            ..self
        }
    }

    /// Returns when it was lost, as far as that was said.
    #[must_use]
    pub const fn lost(&self) -> Option<Timestamp> {
        self.lost
    }

    /// Returns why it is revoked, if that was said.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
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
        judge_reason(reason)?;
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

fn judge_reason(reason: &str) -> Result<(), StatementError> {
    match reason.len() <= MAX_LOSS_REASON_BYTES && all_harmless(reason) {
        true => Ok(()),
        false => Err(StatementError::form("a reason is too long, or cannot be shown")),
    }
}

/// Which key comes after another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationStatement {
    from: VerifyingKey,
    to: VerifyingKey,
}

impl RotationStatement {
    /// Says that `to` comes after `from`.
    ///
    /// # Errors
    ///
    /// [`StatementError::Form`] if they are one key.
    pub fn new(from: VerifyingKey, to: VerifyingKey) -> Result<Self, StatementError> {
        match from == to {
            true => Err(StatementError::form("a key comes after itself")),
            false => Ok(Self { from, to }),
        }
    }

    /// Returns the old key.
    #[must_use]
    pub const fn from(&self) -> &VerifyingKey {
        &self.from
    }

    /// Returns the new key.
    #[must_use]
    pub const fn to(&self) -> &VerifyingKey {
        &self.to
    }

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
        Self::new(from?, to?)
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
