//! What can be typed about records.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{parse_lease, parse_pause};
use crate::record::Framing;

/// How records are told apart.
#[derive(Args, Clone, Copy, Debug, Default)]
#[group(multiple = false)]
pub struct FramingArgs {
    /// Work record by record: a line each; envelopes are base64url text
    #[arg(long)]
    pub lines: bool,

    /// Work record by record, each ended by a NUL byte; envelopes are base64url text
    #[arg(long)]
    pub null: bool,

    /// Work record by record, each after its length, 4 bytes, the most significant first
    ///
    /// kcat writes this with -f '%R%s'.
    #[arg(long)]
    pub len32: bool,

    /// Work record by record, one CBOR item each (RFC 8742)
    #[arg(long)]
    pub cbor: bool,
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

    /// How records are told apart in the input, where it is not as in the output
    #[arg(long = "in", value_enum, value_name = "FRAMING")]
    pub framing_in: Option<FramingName>,

    /// How records are told apart in the output, where it is not as in the input
    #[arg(long = "out", value_enum, value_name = "FRAMING")]
    pub framing_out: Option<FramingName>,
}

impl RecordArgs {
    /// Returns the framings of input and output; `None` where no records were asked for.
    ///
    /// # Errors
    ///
    /// What to type, if one of them is missing.
    pub fn framings(&self) -> Result<Option<(Framing, Framing)>, &'static str> {
        let both = self.framing.name();
        match (self.framing_in.or(both), self.framing_out.or(both)) {
            (None, None) => Ok(None),
            (Some(input), Some(output)) => Ok(Some((input.into(), output.into()))),
            (None, Some(_)) => {
                Err("--out needs --in, or one of --lines, --null, --len32 and --cbor")
            }
            (Some(_), None) => {
                Err("--in needs --out, or one of --lines, --null, --len32 and --cbor")
            }
        }
    }
}

impl RecordArgs {
    /// Returns the framing of the output.
    ///
    /// # Errors
    ///
    /// What to type, if it is missing.
    pub fn framed(&self) -> Result<Framing, &'static str> {
        let framed = self.framing_out.or(self.framing.name());
        framed
            .map(Framing::from)
            .ok_or("--retry needs --out, or one of --lines, --null, --len32 and --cbor")
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
    /// Sign up to N records with one signature (a Merkle tree); each remains verifiable alone
    ///
    /// Many times faster, for about 34 bytes more for each doubling of N. Verified by brine only.
    #[arg(long, value_name = "N", conflicts_with = "plain",
        value_parser = clap::value_parser!(u16).range(2..=4096))]
    pub batch: Option<u16>,

    /// How long the first record waits for others, full batches too, by default 5ms
    #[arg(long, value_name = "TIME", value_parser = parse_pause, requires = "batch")]
    pub linger: Option<Duration>,
}

/// What happens to a record that is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnBad {
    /// End, with the status of the reason
    #[default]
    Stop,
    /// Go on with the next, and end with 1
    Skip,
}

/// How records are verified.
#[derive(Args, Clone, Debug, Default)]
pub struct JudgeArgs {
    /// What happens when a record is refused
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_bad: Option<OnBad>,

    /// Keep every refused record in FILE, whole, with the reason, and go on
    ///
    /// FILE is added to, a line of JSON for each. A record that is kept counts as handled: the status
    /// is 0. With --on-bad stop the first one ends the work, kept too.
    #[arg(long, value_name = "FILE")]
    pub reject_to: Option<PathBuf>,

    /// Verify the records that --reject-to kept in FILE once more
    #[arg(long, value_name = "FILE", conflicts_with = "inputs")]
    pub retry: Option<PathBuf>,

    /// Release each record once: FILE remembers which were released
    ///
    /// "brine replay init" makes FILE, which several processes can share, on one machine. Without
    /// --max-age, records older than a day are refused.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["check", "now"])]
    pub replay_db: Option<PathBuf>,

    /// How long a record that is being written is held, should this process die; by default 1m
    #[arg(long, value_name = "TIME", value_parser = parse_lease, requires = "replay_db")]
    pub lease: Option<Duration>,
}
