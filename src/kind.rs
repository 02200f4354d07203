//! What an envelope is for.
//!
//! Kinds are kept apart by the `typ` header parameter (RFC 9596): what was signed as one kind is
//! never taken as another. SPEC.md has the table, with the kinds that are only reserved so far.

use std::fmt;

/// What an envelope is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A Merkle root over a batch of records.
    BatchRoot,
    /// Bytes that mean what their content type says; the default.
    Data,
    /// The digest of a file that lies beside it (RFC 9995).
    Digest,
    /// A foreign type that the caller asked for by name.
    Foreign,
    /// Work to be run, with the powers it asks for.
    Job,
    /// A list of files and their digests.
    Manifest,
    /// A Merkle tree receipt (RFC 9942).
    Receipt,
    /// What a job returned.
    Result,
    /// A statement that a key is not to be believed any more.
    Revocation,
    /// One part of a stream.
    Segment,
}

impl Kind {
    /// The kinds that have a `typ` of brine's own.
    pub const ALL: [Self; 8] = [
        Self::BatchRoot,
        Self::Data,
        Self::Digest,
        Self::Job,
        Self::Manifest,
        Self::Result,
        Self::Revocation,
        Self::Segment,
    ];

    /// Returns the media type that stands in `typ`; `None` for what others define.
    #[must_use]
    pub const fn typ(self) -> Option<&'static str> {
        Some(match self {
            Self::BatchRoot => "application/vnd.brine.batch-root+cose",
            Self::Data => "application/vnd.brine.data+cose",
            Self::Digest => "application/vnd.brine.digest+cose",
            Self::Job => "application/vnd.brine.job+cose",
            Self::Manifest => "application/vnd.brine.manifest+cose",
            Self::Result => "application/vnd.brine.result+cose",
            Self::Revocation => "application/vnd.brine.revocation+cose",
            Self::Segment => "application/vnd.brine.segment+cose",
            Self::Foreign | Self::Receipt => return None,
        })
    }

    /// Returns the kind whose media type this is, letter for letter.
    #[must_use]
    pub fn from_typ(typ: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.typ() == Some(typ))
    }

    /// Returns whether envelopes of this kind may be signed in batches.
    ///
    /// A segment may not: its stream holds its algorithm to that of the first. The others that may
    /// not have no writer yet; each is to be thought through first.
    #[must_use]
    pub const fn may_be_batched(self) -> bool {
        match self {
            Self::Data | Self::Digest | Self::Foreign => true,
            Self::BatchRoot
            | Self::Job
            | Self::Manifest
            | Self::Receipt
            | Self::Result
            | Self::Revocation
            | Self::Segment => false,
        }
    }

    /// Returns the short name used on the command line and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BatchRoot => "batch-root",
            Self::Data => "data",
            Self::Digest => "digest",
            Self::Foreign => "foreign",
            Self::Job => "job",
            Self::Manifest => "manifest",
            Self::Receipt => "receipt",
            Self::Result => "result",
            Self::Revocation => "revocation",
            Self::Segment => "segment",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BatchRoot => "a batch root",
            Self::Data => "a data envelope",
            Self::Digest => "the detached digest of a file",
            Self::Foreign => "an envelope of a foreign type",
            Self::Job => "a job",
            Self::Manifest => "a manifest",
            Self::Receipt => "a receipt",
            Self::Result => "the result of a job",
            Self::Revocation => "a revocation",
            Self::Segment => "a segment of a stream",
        })
    }
}
