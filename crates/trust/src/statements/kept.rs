//! The statements that are kept beside a trust file.

use std::collections::HashSet;

use brine_core::KeyId;
use brine_core::cbor::{Extent, extent};

use super::{
    RevocationStatement, RevokedKey, RotationStatement, Said, StatementError, UnverifiedStatement,
    VerifiedStatement,
};
use crate::MAX_TRUST_FILE_BYTES;

/// The statements that were taken: of each signer the list with the highest number, and all rotations that were followed.
///
/// ```cddl
/// kept = envelope .cborseq   ; one after the other (RFC 8742)
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeptStatements(Vec<UnverifiedStatement>);

/// What became of a statement.
#[derive(Clone, Debug)]
pub enum Taken {
    /// It was known already.
    Known,
    /// It is kept now, and is the first of its signer.
    First,
    /// It is kept now, in the place of this list.
    Replaced(RevocationStatement),
}

impl KeptStatements {
    /// Reads what was kept. Nothing in it is verified.
    ///
    /// # Errors
    ///
    /// [`StatementError::TooLarge`], and those of [`UnverifiedStatement::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        judge_size(bytes.len())?;
        let (mut kept, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let length = match extent(rest) {
                Extent::Complete(length) => length,
                Extent::Malformed(error) => return Err(error.into()),
                Extent::NeedMore(_) => return Err(StatementError::form("it is cut short")),
            };
            let (envelope, after) = rest.split_at(length);
            kept.push(UnverifiedStatement::parse(envelope.to_vec())?);
            rest = after;
        }
        Ok(Self(kept))
    }

    /// Writes them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|kept| kept.envelope().iter().copied()).collect()
    }

    /// Returns all of them.
    pub fn iter(&self) -> impl Iterator<Item = &UnverifiedStatement> {
        self.0.iter()
    }

    /// Keeps a statement.
    ///
    /// # Errors
    ///
    /// [`StatementError::Older`], [`StatementError::Conflict`], and [`StatementError::TooLarge`] for all of them together.
    pub fn take(&mut self, statement: VerifiedStatement) -> Result<Taken, StatementError> {
        let statement = statement.into_unverified();
        let mut kept = self.0.clone();
        let taken = match statement.said() {
            Said::Revocation(list) => take_list(&mut kept, &statement, list)?,
            Said::Rotation(rotation) => take_rotation(&mut kept, &statement, rotation)?,
        };
        judge_size(kept.iter().map(|kept| kept.envelope().len()).sum())?;
        self.0 = kept;
        Ok(taken)
    }

    /// Returns the rotation of a key that was followed.
    fn rotation_of(&self, from: KeyId) -> Option<&RotationStatement> {
        rotations(&self.0).find(|rotation| rotation.from.id() == from)
    }

    /// Returns whether this rotation was followed before.
    #[must_use]
    pub fn has_followed(&self, rotation: &RotationStatement) -> bool {
        self.rotation_of(rotation.from.id()) == Some(rotation)
    }
}

fn take_list(
    kept: &mut Vec<UnverifiedStatement>,
    statement: &UnverifiedStatement,
    list: &RevocationStatement,
) -> Result<Taken, StatementError> {
    let before = kept.iter_mut().find_map(|kept| match kept.said() {
        Said::Revocation(before) if kept.signer() == statement.signer() => {
            let before = before.clone();
            Some((kept, before))
        }
        _ => None,
    });
    let Some((place, before)) = before else {
        kept.push(statement.clone());
        return Ok(Taken::First);
    };
    if place.envelope() == statement.envelope() {
        return Ok(Taken::Known);
    }
    if list.number() < before.number() {
        return Err(StatementError::Older { found: list.number(), kept: before.number() });
    }
    if list.number() == before.number() {
        return Err(StatementError::Conflict { what: "two lists of one signer have one number" });
    }
    let ids: HashSet<_> = list.keys().iter().map(RevokedKey::id).collect();
    if let Some(lacking) = before.keys().iter().find(|key| !ids.contains(&key.id())) {
        let key_id = lacking.id().to_string();
        return Err(StatementError::TakesBack { kept: before.number(), key_id });
    }
    *place = statement.clone();
    Ok(Taken::Replaced(before))
}

fn take_rotation(
    kept: &mut Vec<UnverifiedStatement>,
    statement: &UnverifiedStatement,
    rotation: &RotationStatement,
) -> Result<Taken, StatementError> {
    let before = rotations(kept).find(|before| before.from == rotation.from);
    match before.map(|before| before.to == rotation.to) {
        Some(true) => Ok(Taken::Known),
        Some(false) => Err(StatementError::Conflict { what: "one key has two successors" }),
        None => {
            kept.push(statement.clone());
            Ok(Taken::First)
        }
    }
}

fn rotations(kept: &[UnverifiedStatement]) -> impl Iterator<Item = &RotationStatement> {
    kept.iter().filter_map(|kept| match kept.said() {
        Said::Rotation(rotation) => Some(rotation.as_ref()),
        Said::Revocation(_) => None,
    })
}

fn judge_size(found: usize) -> Result<(), StatementError> {
    if found <= MAX_TRUST_FILE_BYTES { Ok(()) } else { Err(StatementError::TooLarge { found }) }
}
