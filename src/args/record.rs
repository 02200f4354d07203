//! What can be typed about records.

use std::path::PathBuf;
use std::time::Duration;

use brine_records::{Framing, OnBadRecord};
use clap::{ArgGroup, Args, ValueEnum};

use super::value::parse_batch;
use super::when::{parse_duration, parse_pause};

/// How records are framed.
#[derive(Args, Clone, Copy, Debug, Default)]
#[group(multiple = false)]
pub struct FramingArgs {
    /// Process records: one on each line; envelopes are base64url text
    #[arg(long, groups = ["records", "frames", "framed"])]
    pub lines: bool,

    /// Process records: each ends with a NUL byte; envelopes are base64url text
    #[arg(long, groups = ["records", "frames", "framed"])]
    pub null: bool,

    /// Process records: each follows its length, a 4-byte big-endian number
    ///
    /// kcat writes this form with -f '%R%s'.
    #[arg(long, groups = ["records", "frames", "framed"])]
    pub len32: bool,

    /// Process records: each is a CBOR item (RFC 8742)
    #[arg(long, groups = ["records", "frames", "framed"])]
    pub cbor: bool,
}

/// Returns the groups that the options of records belong to: all of them, those that say the framing of the input,
/// and those that say the framing of the output.
pub(super) fn record_groups() -> [ArgGroup; 3] {
    ["records", "frames", "framed"].map(|name| ArgGroup::new(name).multiple(true))
}

/// Returns these options, and those that ask for records. In a conflict with a group, clap would list all options of
/// the group.
pub(super) fn and_records<const N: usize>(
    others: [&'static str; N],
) -> impl Iterator<Item = &'static str> {
    ["lines", "null", "len32", "cbor", "framing_in", "framing_out"].into_iter().chain(others)
}

/// The name of a framing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FramingName {
    /// As --lines
    Lines,
    /// As --null
    Null,
    /// As --len32
    Len32,
    /// As --cbor
    Cbor,
}

/// Both sides of a stream of records.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct RecordArgs {
    #[command(flatten)]
    pub framing: FramingArgs,

    /// The framing of the input, if it is not that of the output
    #[arg(long = "in", value_enum, value_name = "FRAMING", requires = "framed",
        groups = ["records", "frames"])]
    pub framing_in: Option<FramingName>,

    /// The framing of the output, if it is not that of the input
    #[arg(long = "out", value_enum, value_name = "FRAMING", requires = "frames",
        groups = ["records", "framed"])]
    pub framing_out: Option<FramingName>,
}

impl RecordArgs {
    /// Returns the framings of input and output; `None` where no records were asked for.
    #[must_use]
    pub fn framings(&self) -> Option<(Framing, Framing)> {
        let both = self.framing.name();
        let input = self.framing_in.or(both)?;
        Some((input.into(), self.framed()?))
    }

    /// Returns whether records were asked for.
    #[must_use]
    pub const fn is_any(&self) -> bool {
        self.framing.name().is_some() || self.framing_in.is_some() || self.framing_out.is_some()
    }

    /// Returns the framing of the output.
    #[must_use]
    pub fn framed(&self) -> Option<Framing> {
        self.framing_out.or(self.framing.name()).map(Framing::from)
    }
}

impl From<FramingName> for Framing {
    fn from(name: FramingName) -> Self {
        match name {
            FramingName::Cbor => Self::Cbor,
            FramingName::Len32 => Self::Len32,
            FramingName::Lines => Self::Lines,
            FramingName::Null => Self::Null,
        }
    }
}

impl From<Framing> for FramingName {
    fn from(framing: Framing) -> Self {
        match framing {
            Framing::Cbor => Self::Cbor,
            Framing::Len32 => Self::Len32,
            Framing::Lines => Self::Lines,
            Framing::Null => Self::Null,
        }
    }
}

impl FramingName {
    /// Returns what is typed for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cbor => "cbor",
            Self::Len32 => "len32",
            Self::Lines => "lines",
            Self::Null => "null",
        }
    }
}

impl FramingArgs {
    /// Returns the one that was typed.
    #[must_use]
    pub const fn name(self) -> Option<FramingName> {
        match self {
            Self { lines: true, .. } => Some(FramingName::Lines),
            Self { null: true, .. } => Some(FramingName::Null),
            Self { len32: true, .. } => Some(FramingName::Len32),
            Self { cbor: true, .. } => Some(FramingName::Cbor),
            _ => None,
        }
    }
}

/// How records are signed.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct BatchArgs {
    /// Sign up to N records with one signature (a Merkle tree); each can still be verified alone
    ///
    /// Much faster. Each doubling of N costs about 34 bytes a record. Only brine verifies such records.
    #[arg(long, value_name = "N", requires = "records", value_parser = parse_batch)]
    pub batch: Option<u16>,

    /// How long the first record of a batch waits for others; by default 5ms
    #[arg(long, value_name = "DURATION", value_parser = parse_pause, requires = "batch")]
    pub linger: Option<Duration>,
}

/// What happens after a record was refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnBad {
    /// Stop, with the exit status of the reason
    #[default]
    Stop,
    /// Continue with the next record, and exit with 1 at the end
    Skip,
}

/// What becomes of records that are refused.
#[derive(Args, Clone, Debug, Default)]
pub struct RefusalArgs {
    /// What to do when a record is refused
    #[arg(long, value_enum, value_name = "WHAT", requires = "records")]
    pub on_bad: Option<OnBad>,

    /// Append each refused record to FILE, whole and with the reason, and continue
    ///
    /// Each becomes a line of JSON. A kept record counts as handled: the exit status is 0. With
    /// --on-bad stop, the first refused record is kept and ends the work. If a new replay database refuses every
    /// record because it was signed before, the exit status is 5.
    #[arg(long, value_name = "FILE", requires = "records")]
    pub reject_to: Option<PathBuf>,
}

impl RefusalArgs {
    /// Stops at a refused record, unless that is kept somewhere or something else was asked for.
    #[must_use]
    pub const fn on_bad(&self) -> OnBadRecord {
        match (self.on_bad, &self.reject_to) {
            (Some(OnBad::Stop), _) | (None, None) => OnBadRecord::Stop,
            (Some(OnBad::Skip), _) | (None, Some(_)) => OnBadRecord::Skip,
        }
    }
}

/// What becomes of records that are refused or were released before.
#[derive(Args, Clone, Debug, Default)]
pub struct RejectArgs {
    #[command(flatten)]
    pub refusals: RefusalArgs,

    /// Verify the records again that --reject-to kept in FILE
    #[arg(long, value_name = "FILE", conflicts_with = "inputs", requires = "framed",
        groups = ["records", "frames"])]
    pub retry: Option<PathBuf>,

    /// Release each record once; the replay database FILE remembers the released ones
    ///
    /// "brine replay init" creates FILE. Several processes on one machine can share it. Records that are older
    /// than --max-age, or than the database's own maximum age of at least a day, are refused.
    #[arg(long, value_name = "FILE", requires = "records", conflicts_with_all = ["check", "now"])]
    pub replay_db: Option<PathBuf>,

    /// How long other processes leave a record to this one if it dies; by default 1m
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, requires = "replay_db")]
    pub lease: Option<Duration>,
}
