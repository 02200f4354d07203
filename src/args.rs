//! What can be typed.

pub mod brine;
pub mod brinekey;
pub mod certify;
pub mod completions;
pub mod cosign;
pub mod doctor;
mod help;
pub mod inspect;
pub mod judge;
pub mod key_care;
pub mod metrics;
pub mod queue;
pub mod record;
pub mod relay;
pub mod replay;
pub mod run;
pub mod scan;
pub mod sign;
pub mod statement;
pub mod trust;
pub mod value;
pub mod verify;
pub mod when;
pub mod work;

use std::path::PathBuf;

use clap::Args;

/// Where passphrases come from, if not from the terminal.
#[derive(Args, Clone, Debug, Default)]
pub struct PassphraseArgs {
    /// Read the passphrase from FILE instead of the terminal
    ///
    /// A line end at the end of FILE is ignored. BRINE_PASSPHRASE_FILE names a file for all commands. A file that
    /// cannot be read is an error, never an empty passphrase.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_fd")]
    pub passphrase_file: Option<PathBuf>,

    /// Read the passphrase from the pipe or file that is open as descriptor N
    #[arg(long, value_name = "N", value_parser = value::parse_descriptor)]
    pub passphrase_fd: Option<u32>,
}

/// Whether files are accepted that others can change or read.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct PermissionArgs {
    /// Accept files that others may write, and private keys that others may read
    ///
    /// The trust file, the policy and every other file that decides is refused if another user than root may write
    /// it, or replace it in one of the directories on the way to it. A private key that others may read is warned of.
    #[arg(long)]
    pub insecure_permissions: bool,
}
