//! `brinekey trust`: whom to believe.

mod add;
mod change;
mod check;
mod list;
mod remove;
mod revoke;
mod signer_line;

use brine_trust::Trust;

use crate::args::trust::{TrustFile, TrustVerb};
use crate::report::Failure;
use crate::world::named_key;
use crate::world::small_files::SmallFiles;

pub(super) use self::signer_line::{SignerLine, limits};

pub(super) fn run(verb: TrustVerb) -> Result<(), Failure> {
    match verb {
        TrustVerb::Add(args) => add::run(args),
        TrustVerb::List(args) => list::run(&args),
        TrustVerb::Revoke(args) => revoke::run(&args),
        TrustVerb::Remove(args) => remove::run(&args),
        TrustVerb::Check(args) => check::run(&args),
    }
}

/// Reads the trust file that is named, or the default one, which may be missing.
pub(super) fn read(file: &TrustFile) -> Result<Trust, Failure> {
    let files = SmallFiles::new(file.permissions);
    match &file.trust {
        Some(path) => named_key::read_trust(path, &files),
        None => named_key::default_trust(&files),
    }
}
