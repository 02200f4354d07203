//! What can be typed about replay databases.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::help::first_of;
use super::when::parse_duration;

/// Manage replay databases
///
/// A replay database remembers the records that "brine verify --replay-db" released, so that each is released
/// once.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ReplayVerb {
    /// Create a database
    #[command(after_long_help = INIT_EXAMPLES, after_help = first_of(INIT_EXAMPLES))]
    Init(InitArgs),
    /// Show how much a database holds, from when on, and which channels have gaps
    #[command(after_long_help = STATUS_EXAMPLES, after_help = first_of(STATUS_EXAMPLES))]
    Status(StatusArgs),
    /// Remove entries of records that are too old to be accepted; this also happens by itself
    #[command(after_long_help = PRUNE_EXAMPLES, after_help = first_of(PRUNE_EXAMPLES))]
    Prune(PruneArgs),
}

/// Create a database
///
/// A new database refuses records that were signed before it, or up to a minute after, because another database
/// may have released them. On the first day, when there was no other, give --accept-older.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// The database, which must not exist
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Accept records that were signed before: no other database has released any of them
    #[arg(long)]
    pub accept_older: bool,

    /// The maximum age of records; by default 24h
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub max_age: Option<Duration>,

    /// Make the ledger that the URL of a queue names with "once-per-host=FILE", and not a database
    #[arg(long, conflicts_with = "json")]
    pub once_per_host: bool,

    /// Write one line of JSON
    #[arg(long)]
    pub json: bool,
}

/// Show how much a database holds, from when on, and which channels have gaps
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// The database
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Write JSON: a line for the database, and one for each channel
    #[arg(long)]
    pub json: bool,
}

/// Remove entries of records that are too old to be accepted; this also happens by itself
#[derive(Args, Debug)]
pub struct PruneArgs {
    /// The database
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Write one line of JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) const REPLAY_EXAMPLES: &str = "\
Examples:
  On the first day, with a queue that nobody has read yet:
    $ brine replay init --accept-older seen
    $ set -o pipefail
    $ kcat -C -u -b host -t job | brine verify --lines --replay-db seen | ./work

  See whether messages are missing:
    $ brine replay status seen";

const INIT_EXAMPLES: &str = "\
Examples:
  Start with a queue that nobody has read yet:
    $ brine replay init --accept-older seen

  Replace a lost database, and accept nothing that it may have released:
    $ brine replay init seen

  Take what waits on RabbitMQ already, with the first consumer of this host:
    $ brine replay init --once-per-host --accept-older once.db
    $ brine recv 'amqp://host?queue=jobs&once-per-host=once.db'";

const STATUS_EXAMPLES: &str = "\
Examples:
  See how much it holds, and which channels have gaps:
    $ brine replay status seen

  Count the missing records, for a monitor:
    $ brine replay status --json seen | head -n 1 | jq .missing";

const PRUNE_EXAMPLES: &str = "\
Examples:
  Make it smaller after a busy day:
    $ brine replay prune seen";
