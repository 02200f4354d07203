//! What can be typed about replay databases.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::parse_duration;

/// Look after a replay database
///
/// It remembers which records "brine verify --replay-db" released, so that each is released once.
#[derive(Args, Debug)]
pub struct Replay {
    /// What to do.
    #[command(subcommand)]
    pub verb: ReplayVerb,
}

/// What to do with a replay database.
#[derive(Debug, Subcommand)]
pub enum ReplayVerb {
    #[command(after_long_help = INIT_EXAMPLES)]
    Init(ReplayInit),
    #[command(after_long_help = STATUS_EXAMPLES)]
    Status(ReplayStatus),
    #[command(after_long_help = PRUNE_EXAMPLES)]
    Prune(ReplayPrune),
}

/// Make a new one
///
/// It refuses records that were signed up to a minute after it was made, because an older database,
/// lost or elsewhere, may have released them.
#[derive(Args, Debug)]
pub struct ReplayInit {
    /// The database, which must not exist
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Take records that were signed before, too: no other database ever released any of them
    #[arg(long)]
    pub accept_older: bool,

    /// How old a record may be, by default 24h
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub max_age: Option<Duration>,
}

/// Show what it knows: how much, from when on, and which channels have gaps
#[derive(Args, Debug)]
pub struct ReplayStatus {
    /// The database
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Write JSON, a line for the database and one for each channel
    #[arg(long)]
    pub json: bool,
}

/// Forget what is refused for its age in any case; it happens by itself now and then
#[derive(Args, Debug)]
pub struct ReplayPrune {
    /// The database
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

pub(super) const REPLAY_EXAMPLES: &str = "\
Examples:
  On the first day, when the queue holds messages that nobody has read yet:
    $ brine replay init --accept-older seen
    $ kcat -C -u -b host -t events | brine verify --lines --replay-db seen | ./work

  See whether messages are missing:
    $ brine replay status seen";

const INIT_EXAMPLES: &str = "\
Examples:
  Start with a queue that nobody has read yet:
    $ brine replay init --accept-older seen

  Replace a database that was lost, and take nothing that it may have known:
    $ brine replay init seen";

const STATUS_EXAMPLES: &str = "\
Examples:
  See how much it knows, and which channels have gaps:
    $ brine replay status seen

  Count what is missing, for a monitor:
    $ brine replay status --json seen | head -n 1 | jq .missing";

const PRUNE_EXAMPLES: &str = "\
Examples:
  Make it small after a busy day:
    $ brine replay prune seen";
