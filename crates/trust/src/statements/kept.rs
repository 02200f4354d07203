//! The statements that are kept beside a trust file.

use std::collections::HashSet;

use brine_core::cbor::{Extent, extent};
use brine_core::{KeyId, Timestamp, VerifyingKey};

use super::{
    RevocationStatement, RevokedKey, RotationStatement, Said, StatementError, UnverifiedStatement,
    VerifiedStatement,
};
use crate::MAX_TRUST_FILE_BYTES;
use crate::anchors::Trust;

/// The statements that were taken: of each signer the list with the highest number, and its word about itself; and all
/// rotations that were followed.
///
/// ```cddl
/// kept = envelope .cborseq   ; one after the other (RFC 8742)
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeptStatements(Vec<UnverifiedStatement>);

/// The most that statements take of keys that the trust file does not name, in bytes.
pub const MAX_STRANGERS_BYTES: usize = 1 << 19;

/// The largest list of revoked keys by a signer who is no authority, in bytes.
pub const MAX_SIGNER_LIST_BYTES: usize = 1 << 18;

/// Whose room a statement takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guest {
    /// That of the trust file: an authority's, or that of one of its keys about itself.
    No,
    /// A signer's who may issue certificates.
    Issuer,
    /// A key's that only certificates know.
    Stranger,
}

impl Guest {
    fn of(statement: &UnverifiedStatement, trust: &Trust) -> Self {
        let signer = statement.signer();
        let mut authorities = trust.authorities().iter();
        if authorities.any(|authority| authority.key().id() == signer) {
            return Self::No;
        }
        match (trust.entries_of(signer).next(), place(statement).1) {
            (None, _) => Self::Stranger,
            (Some(_), Sort::List) => Self::Issuer,
            (Some(_), Sort::Itself | Sort::Rotation) => Self::No,
        }
    }
}

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
    /// [`StatementError::TooLarge`], [`StatementError::Conflict`] for two in one place, and those of
    /// [`UnverifiedStatement::parse`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        judge_size(bytes.len(), MAX_TRUST_FILE_BYTES)?;
        let (mut kept, mut places, mut rest) = (Vec::new(), HashSet::new(), bytes);
        while !rest.is_empty() {
            let length = match extent(rest) {
                Extent::Complete(length) => length,
                Extent::Malformed(error) => return Err(error.into()),
                Extent::NeedMore(_) => return Err(StatementError::form("it is cut short")),
            };
            let (envelope, after) = rest.split_at(length);
            let statement = UnverifiedStatement::parse(envelope.to_vec())?;
            if !places.insert(place(&statement)) {
                return Err(StatementError::Conflict { what: "two of one signer are kept" });
            }
            kept.push(statement);
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

    /// Returns whether this very statement was taken before.
    #[must_use]
    pub fn contains(&self, statement: &UnverifiedStatement) -> bool {
        self.0.iter().any(|kept| kept.envelope() == statement.envelope())
    }

    /// Keeps a statement. What keys say of themselves that the trust file does not name takes at most [`MAX_STRANGERS_BYTES`]
    /// together, and a list by a signer at most [`MAX_SIGNER_LIST_BYTES`], so that there is room for what authorities revoke.
    ///
    /// # Errors
    ///
    /// [`StatementError::Older`], [`StatementError::Conflict`], [`StatementError::TakesBack`], and
    /// [`StatementError::TooLarge`] for all of them together.
    pub fn take(
        &mut self,
        statement: VerifiedStatement,
        trust: &Trust,
        now: Timestamp,
    ) -> Result<Taken, StatementError> {
        let statement = statement.into_unverified();
        let wanted = place(&statement);
        let index = self.0.iter().position(|kept| place(kept) == wanted);
        let before = index.and_then(|index| self.0.get(index));
        let taken = match before {
            None => Taken::First,
            // A successor that was revoked is none.
            Some(before) if is_revoked_successor(before, trust, now) => Taken::First,
            Some(before) => succeed(before, &statement)?,
        };
        if matches!(taken, Taken::Known) {
            return Ok(taken);
        }
        let others = self.0.iter().enumerate().filter(|(place, _)| Some(*place) != index);
        let after: Vec<_> = others.map(|(_, kept)| kept).chain([&statement]).collect();
        let size = |of: &dyn Fn(&UnverifiedStatement) -> bool| {
            after.iter().filter(|one| of(one)).map(|one| one.envelope().len()).sum::<usize>()
        };
        judge_size(size(&|_| true), MAX_TRUST_FILE_BYTES)?;
        match Guest::of(&statement, trust) {
            Guest::No => {}
            Guest::Issuer => judge_size(statement.envelope().len(), MAX_SIGNER_LIST_BYTES)?,
            Guest::Stranger => {
                let is_strangers =
                    |one: &UnverifiedStatement| Guest::of(one, trust) == Guest::Stranger;
                judge_size(size(&is_strangers), MAX_STRANGERS_BYTES)?;
            }
        }
        match index.and_then(|index| self.0.get_mut(index)) {
            Some(place) => *place = statement,
            None => self.0.push(statement),
        }
        Ok(taken)
    }

    /// Returns whether this rotation was followed before.
    #[must_use]
    pub fn has_followed(&self, rotation: &RotationStatement) -> bool {
        self.0.iter().any(|kept| matches!(kept.said(), Said::Rotation(one) if **one == *rotation))
    }

    /// Forgets the lists of a key, which count for nothing any more. What it said of itself stays.
    pub fn forget_lists_of(&mut self, signer: KeyId) {
        self.0.retain(|kept| place(kept) != (signer, Sort::List));
    }

    /// Forgets the rotations to a key, so that the key before can have another successor.
    pub fn forget_rotations_to(&mut self, key: &VerifyingKey) {
        self.0.retain(|kept| !matches!(kept.said(), Said::Rotation(one) if one.to() == key));
    }
}

/// What there is one of: by each key, of each sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sort {
    List,
    Itself,
    Rotation,
}

fn place(statement: &UnverifiedStatement) -> (KeyId, Sort) {
    let sort = match statement.said() {
        Said::Rotation(_) => Sort::Rotation,
        Said::Revocation(_) if statement.is_about_itself() => Sort::Itself,
        Said::Revocation(_) => Sort::List,
    };
    (statement.signer(), sort)
}

/// Judges whether a statement can take the place of another one.
fn succeed(
    before: &UnverifiedStatement,
    statement: &UnverifiedStatement,
) -> Result<Taken, StatementError> {
    match (before.said(), statement.said()) {
        _ if before.envelope() == statement.envelope() => Ok(Taken::Known),
        // What a key has said about itself stands, whatever it says later.
        _ if statement.is_about_itself() => Ok(Taken::Known),
        (Said::Revocation(before), Said::Revocation(list)) => newer(before, list),
        (Said::Rotation(before), Said::Rotation(rotation)) if before == rotation => {
            Ok(Taken::Known)
        }
        _ => Err(StatementError::Conflict { what: "one key has two successors" }),
    }
}

/// Judges whether a list goes on where the one before it ended.
fn newer(
    before: &RevocationStatement,
    list: &RevocationStatement,
) -> Result<Taken, StatementError> {
    let (found, kept) = (list.number(), before.number());
    if found < kept {
        return Err(StatementError::Older { found, kept });
    }
    if found == kept {
        return Err(StatementError::Conflict { what: "two lists of one signer have one number" });
    }
    let ids: HashSet<_> = list.keys().iter().map(RevokedKey::id).collect();
    match before.keys().iter().find(|key| !ids.contains(&key.id())) {
        Some(lacking) => Err(StatementError::TakesBack { kept, key_id: lacking.id().to_string() }),
        None => Ok(Taken::Replaced(before.clone())),
    }
}

fn is_revoked_successor(before: &UnverifiedStatement, trust: &Trust, now: Timestamp) -> bool {
    matches!(before.said(), Said::Rotation(one) if trust.revocation_of(one.to(), now).is_some())
}

const fn judge_size(found: usize, limit: usize) -> Result<(), StatementError> {
    if found <= limit { Ok(()) } else { Err(StatementError::TooLarge { found, limit }) }
}
