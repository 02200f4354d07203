//! What `brine inspect` takes.

use std::path::PathBuf;

use clap::Args;

use super::record::FramingArgs;

/// Show what an envelope claims, without verifying anything
///
/// Shows foreign and broken envelopes too, as far as they can be read.
#[derive(Args, Debug)]
pub struct Inspect {
    /// The envelope; "-" or nothing is standard input
    #[arg(value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// Show it in CBOR diagnostic notation (RFC 8949, Section 8)
    #[arg(long, conflicts_with = "json")]
    pub diag: bool,

    /// Write one line of JSON; of records, one for each
    #[arg(long)]
    pub json: bool,

    #[command(flatten, next_help_heading = "Records")]
    pub framing: FramingArgs,
}

pub(super) const INSPECT_EXAMPLES: &str = "\
Examples:
  See who may have signed a message, and for what:
    $ brine inspect message

  See every byte of a foreign envelope:
    $ brine inspect --diag foreign.cose

  Count the signed messages of a topic by who seems to have signed them:
    $ kcat -C -e -u -b host -t events | brine inspect --lines --json \\
        | jq -r .key_id | sort | uniq -c";
