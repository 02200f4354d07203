//! The command line of `brinekey rename`, `remove` and `check`.

use std::time::Duration;

use clap::Args;

use super::trust::TrustFile;
use super::when::parse_duration;

/// Rename a key of the key store
///
/// Renames both halves, and the name in the comment of the public one. Never overwrites a key. The trust file stays as
/// it is: until it is changed, verdicts give the old name.
#[derive(Args, Debug)]
pub struct Rename {
    /// The name of the key
    #[arg(value_name = "OLD")]
    pub old: String,

    /// Its new name
    #[arg(value_name = "NEW")]
    pub new: String,

    /// Write one line of JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) const RENAME_EXAMPLES: &str = "\
Examples:
  Call the default key by a name that others know:
    $ brinekey rename default alice";

/// Remove a key from the key store
///
/// Removes both halves of a key, or neither. Asks at a terminal; elsewhere it takes --force. What the key has signed
/// stays valid, and the trust file stays as it is: "brinekey trust revoke" has a key refused.
#[derive(Args, Debug)]
pub struct Remove {
    /// The name of the key
    #[arg(value_name = "NAME")]
    pub name: String,

    /// Remove it without asking
    #[arg(short, long)]
    pub force: bool,

    /// Write one line of JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) const REMOVE_EXAMPLES: &str = "\
Examples:
  Retire a key: nobody here believes it any more, and nobody signs with it:
    $ brinekey trust revoke old --reason retired
    $ brinekey remove old";

/// Check keys and trust for what is wrong, and say what to type
///
/// Finds keys that others may read or write, halves that do not fit each other or are missing, keys that are revoked
/// and still here, signers whose time is over, and leftovers of what was interrupted. Also notes signers whose time
/// ends soon, keys that are not encrypted, and keys that the trust file does not have: all of it can be meant.
///
/// Exits with 0 if nothing is wrong, whatever it notes, and with 6 if something is.
#[derive(Args, Debug)]
pub struct Check {
    /// Say which signers expire within this time
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "30d")]
    pub within: Duration,

    /// Write one line of JSON for each finding
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub file: TrustFile,
}

pub(super) const CHECK_EXAMPLES: &str = "\
Examples:
  From cron, which mails what is written:
    $ brinekey check --within 14d";
