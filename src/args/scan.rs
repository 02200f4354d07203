//! What can be typed about pickles.

use std::path::PathBuf;

use clap::Args;

use super::PermissionArgs;
use super::value::parse_size;

/// Show what a pickle would import, without loading it
///
/// Follows the opcodes of a pickle without importing or calling anything, and lists every import. Exits with
/// 0 only if every import is on the allow list and the whole file was understood. This means that the pickle
/// imports nothing else. It does not mean that the pickle is harmless, because listed names run.
///
/// Exits with 5 if an import is not on the list, or the pickle does something that no list allows; with 1 if it
/// is malformed, or loaders could disagree about it; with 3 if it is not a pickle. docs/scan.md has every reason.
///
/// ZIP archives (torch, .npz), .npy files, gzip and zlib are looked into, and all pickles in them are judged. Other
/// compressed files and archives are refused, with the command that unpacks them.
#[derive(Args, Debug)]
pub struct Scan {
    /// The pickles; "-" or nothing is standard input
    #[arg(value_name = "FILE")]
    pub inputs: Vec<PathBuf>,

    /// Allow the names on LIST: std, numpy, or a file with lines like "module:name" (can be repeated)
    ///
    /// Write ./std for a file called std. In a file, "#" begins a comment; there are no wildcards.
    #[arg(long, value_name = "LIST", default_value = "std")]
    pub allow: Vec<PathBuf>,

    /// Accept several pickles in a file, one after the other
    #[arg(long)]
    pub multi: bool,

    /// Accept persistent ids, which a loader passes to its persistent_load
    #[arg(long)]
    pub persistent_ids: bool,

    /// Refuse files from which more than SIZE would be inflated
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_size)]
    pub max_inflated: u64,

    /// Write a line of JSON for each file
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub permissions: PermissionArgs,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  See what a pickle would import, and whether it holds only plain values:
    $ brine scan model.pkl

  Allow NumPy's arrays and what the program itself pickles:
    $ brine scan --allow std --allow numpy --allow ./mine.list *.pkl

  See what a model imports, which torch saved as an archive of a pickle and weights:
    $ brine scan --persistent-ids --allow std --allow ./torch.list model.pt

  Begin a list with what a pickle imports now:
    $ brine scan --json model.pkl \\
        | jq -r '.imports[] | \"\\(.module):\\(.name)\"' > mine.list

  Unpickle only a pickle that a trusted key signed and that imports nothing else:
    $ brine verify --whole job.brine -o job.pkl && brine scan job.pkl \\
        && python3 work.py job.pkl";
