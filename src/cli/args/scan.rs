//! What can be typed about pickles.

use std::path::PathBuf;

use clap::Args;

/// Show what a pickle would import, without loading it
///
/// Follows the opcodes of a pickle without importing or calling anything, lists every import, and ends with
/// 0 only if each is on the list of what may be imported, and all of the file was understood. That says that
/// it imports nothing else; it does not say that it is harmless, because what is on the list runs.
///
/// Ends with 5 if an import is not on the list, or the pickle does what no list allows; with 1 if it is
/// malformed, or loaders could disagree about it; with 3 if it is no pickle. docs/scan.md has every reason.
#[derive(Args, Debug)]
pub struct Scan {
    /// The pickles; "-" or nothing is standard input
    #[arg(value_name = "FILE")]
    pub inputs: Vec<PathBuf>,

    /// Allow what LIST names: std, numpy, or a file with lines like "module:name" (can be repeated)
    ///
    /// A file called std or numpy is ./std or ./numpy. In a file, "#" begins a comment, and there are no
    /// wildcards.
    #[arg(long, value_name = "LIST", default_value = "std")]
    pub allow: Vec<PathBuf>,

    /// Take several pickles one after the other in a file
    #[arg(long)]
    pub multi: bool,

    /// Let persistent ids through, which the loader gives to its persistent_load
    #[arg(long)]
    pub persistent_ids: bool,

    /// Write a line of JSON for each file
    #[arg(long)]
    pub json: bool,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  See what a pickle would import, and whether it keeps to Python's plain values:
    $ brine scan model.pkl

  Allow NumPy's arrays and what the program itself pickles:
    $ brine scan --allow std --allow numpy --allow ./mine.list *.pkl

  Begin a list with what a pickle imports now:
    $ brine scan --json model.pkl | jq -r '.imports[] | \"\\(.module):\\(.name)\"' > mine.list

  Unpickle only what a trusted key signed, and what imports nothing else:
    $ brine verify --whole job.brine -o job.pkl && brine scan job.pkl && python3 work.py job.pkl";
