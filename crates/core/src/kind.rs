//! What an envelope is for.
//!
//! Kinds are kept apart by the `typ` header parameter (RFC 9596): what was signed as one kind is
//! never taken as another. SPEC.md has the table, with the kinds that are only reserved so far.

use std::fmt;

use crate::cose::{ContentType, HeaderMap, Profile, label};

/// What an envelope is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A Merkle root over a batch of records.
    BatchRoot,
    /// Bytes that mean what their content type says; the default.
    #[default]
    Data,
    /// The digest of a file that lies beside it (RFC 9995).
    Digest,
    /// A foreign type that the caller asked for by name.
    Foreign,
    /// Work to be run, with the powers that it requests.
    Job,
    /// A list of files and their digests.
    Manifest,
    /// A Merkle tree receipt (RFC 9942).
    Receipt,
    /// The result of a job.
    Result,
    /// A list of keys that are believed no more.
    Revocation,
    /// Which key comes after another one.
    Rotation,
    /// One part of a stream.
    Segment,
    /// Bytes of which the signature does not say what they are for. It is data only where the caller says so.
    Untyped,
}

/// The header parameters of all kinds that are not from the standards.
///
/// They are brine's under a type of brine's alone: everybody may use these numbers for something else.
pub(crate) const PROFILE: Profile = Profile {
    private: &[
        label::POSITION,
        label::SEQUENCE,
        label::GRANTS,
        label::RESULT,
        label::CERTIFICATES,
        label::SIGNERS,
    ],
    is_own: |typ| Kind::from_typ(typ).is_some(),
};

/// How a kind is written in its places.
struct Row {
    kind: Kind,
    /// The media type that stands in `typ`, without `application/vnd.brine.` and `+cose`; also its name.
    name: &'static str,
    typ: Option<&'static str>,
    /// For people.
    phrase: &'static str,
    may_be_batched: bool,
}

/// All kinds. A segment may not be batched, because its stream holds its algorithm to that of the first, and
/// what is not of brine's types, because the algorithm of batches is brine's own. The others that may not have
/// no writer yet; each is to be thought through first.
const TABLE: [Row; 12] = [
    row(
        Kind::BatchRoot,
        "batch-root",
        Some("application/vnd.brine.batch-root+cose"),
        "a batch root",
    ),
    batched(Kind::Data, "data", Some("application/vnd.brine.data+cose"), "a data envelope"),
    batched(
        Kind::Digest,
        "digest",
        Some("application/vnd.brine.digest+cose"),
        "the detached digest of a file",
    ),
    row(Kind::Foreign, "foreign", None, "an envelope of a foreign type"),
    row(Kind::Job, "job", Some("application/vnd.brine.job+cose"), "a job"),
    row(Kind::Manifest, "manifest", Some("application/vnd.brine.manifest+cose"), "a manifest"),
    row(Kind::Receipt, "receipt", None, "a receipt"),
    row(Kind::Result, "result", Some("application/vnd.brine.result+cose"), "the result of a job"),
    row(
        Kind::Revocation,
        "revocation",
        Some("application/vnd.brine.revocation+cose"),
        "a list of revoked keys",
    ),
    row(
        Kind::Rotation,
        "rotation",
        Some("application/vnd.brine.rotation+cose"),
        "the rotation of a key",
    ),
    row(
        Kind::Segment,
        "segment",
        Some("application/vnd.brine.segment+cose"),
        "a segment of a stream",
    ),
    row(Kind::Untyped, "untyped", None, "an envelope without a type"),
];

const fn row(
    kind: Kind,
    name: &'static str,
    typ: Option<&'static str>,
    phrase: &'static str,
) -> Row {
    Row { kind, name, typ, phrase, may_be_batched: false }
}

const fn batched(
    kind: Kind,
    name: &'static str,
    typ: Option<&'static str>,
    phrase: &'static str,
) -> Row {
    Row { may_be_batched: true, ..row(kind, name, typ, phrase) }
}

impl Kind {
    /// Returns the media type that stands in `typ`; `None` for kinds that others define.
    #[must_use]
    pub fn typ(self) -> Option<&'static str> {
        self.row()?.typ
    }

    /// Returns the kind whose media type this is. Media types have no case (RFC 2045, Section 5.1).
    #[must_use]
    pub fn from_typ(typ: &str) -> Option<Self> {
        let is_its = |own: &str| own.eq_ignore_ascii_case(typ);
        // Nearly all are written as they stand here, which is found out sooner.
        let row = TABLE.iter().find(|row| row.typ == Some(typ));
        let row = row.or_else(|| TABLE.iter().find(|row| row.typ.is_some_and(is_its)));
        row.map(|row| row.kind)
    }

    /// Returns the kind that a `typ` (16) states; `None` where that is not one of brine's, or is absent.
    #[must_use]
    pub fn stated_by(typ: Option<ContentType<'_>>) -> Option<Self> {
        match typ? {
            ContentType::Format(_) => None,
            ContentType::Media(media) => Self::from_typ(media),
        }
    }

    /// Returns whether a media type is one of brine's own, of a kind that is known or not. Nobody else's envelope
    /// has one, so that asking for it by name does not make it foreign.
    #[must_use]
    pub fn is_reserved_typ(typ: &str) -> bool {
        let start = typ.trim_start().get(..OWN_TYPES.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(OWN_TYPES))
    }

    /// Returns all kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.kind)
    }

    /// Returns whether envelopes of this kind may be signed in batches.
    #[must_use]
    pub fn may_be_batched(self) -> bool {
        self.row().is_some_and(|row| row.may_be_batched)
    }

    /// Returns whether envelopes of this kind may have several signers. A segment is held to the key of its stream, and
    /// the result of a job is one worker's word.
    #[must_use]
    pub const fn may_have_several(self) -> bool {
        matches!(
            self,
            Self::Data | Self::Digest | Self::Job | Self::Rotation | Self::Foreign | Self::Untyped
        )
    }

    /// Returns the short name used on the command line and in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().map_or("", |row| row.name)
    }

    /// Refuses the header of an envelope of a kind of brine's own by which software could take it for one of another kind:
    /// for a digest or a receipt, or for data, if it does not know the type.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn require_own_header(header: &HeaderMap<'_>) -> Result<(), &'static str> {
        // Software that does not know the kind must refuse it.
        if !header.crit_lists(label::TYP) {
            return Err("crit does not list its type");
        }
        if LABELS_OF_OTHERS.iter().any(|label| header.get(*label).is_some()) {
            return Err("it has a header parameter of another kind");
        }
        Ok(())
    }

    fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.kind == self)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().map_or("", |row| row.phrase))
    }
}

/// The header parameters with which software could take an envelope for a digest or a receipt. Those of brine's other kinds are
/// refused already.
const LABELS_OF_OTHERS: [i64; 5] = [
    label::PAYLOAD_HASH_ALG,
    label::PREIMAGE_CONTENT_TYPE,
    label::PAYLOAD_LOCATION,
    label::VDS,
    label::VDP,
];

/// How all media types of brine begin.
const OWN_TYPES: &str = "application/vnd.brine.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_row_and_no_two_share_a_type() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(TABLE.iter().position(|other| other.kind == row.kind), Some(place));
            assert_eq!(TABLE.iter().position(|other| other.name == row.name), Some(place));
            if let Some(typ) = row.typ {
                assert_eq!(typ, format!("application/vnd.brine.{}+cose", row.name));
                assert_eq!(Kind::from_typ(typ), Some(row.kind));
                assert_eq!(Kind::from_typ(&typ.to_uppercase()), Some(row.kind));
                assert!(Kind::is_reserved_typ(&typ.to_uppercase()));
                assert_eq!(Kind::from_typ(&format!("{typ};v=1")), None);
                assert!(Kind::is_reserved_typ(&format!(" {typ};v=1")));
            }
        }
    }
}
