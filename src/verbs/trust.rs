//! `brinekey trust`: whom to believe.

mod add;
mod authority_line;
mod change;
mod check;
mod list;
mod remove;
mod revoke;
mod signer_line;
mod update;

use brine_trust::Trust;

use crate::args::trust::{TrustFile, TrustVerb};
use crate::report::Failure;
use crate::report::typed::{TypedTrust, set_trust};
use crate::world::named_key;
use crate::world::permissions::PermissionRule;
use crate::world::small_files::SmallFiles;

pub(super) use self::signer_line::{SignerLine, limits};

pub(super) fn run(verb: TrustVerb) -> Result<(), Failure> {
    match verb {
        TrustVerb::Add(args) => add::run(args),
        TrustVerb::List(args) => list::run(&args),
        TrustVerb::Revoke(args) => revoke::run(&args),
        TrustVerb::Remove(args) => remove::run(&args),
        TrustVerb::Check(args) => check::run(&args),
        TrustVerb::Update(args) => update::run(&args),
    }
}

/// Reads the trust file that is named, or the default one, which may be missing.
pub(super) fn read(file: &TrustFile) -> Result<Trust, Failure> {
    read_from(file, &SmallFiles::new(file.permissions))
}

/// Does the same to say what is wrong with it: nothing is decided by it, and others may write it.
pub(super) fn read_unchecked(file: &TrustFile) -> Result<Trust, Failure> {
    read_from(file, &SmallFiles::new(PermissionRule::Waived))
}

fn read_from(file: &TrustFile, files: &SmallFiles) -> Result<Trust, Failure> {
    match &file.trust {
        Some(path) => {
            set_trust(TypedTrust::File(path.clone()));
            named_key::read_trust(path, files)
        }
        None => named_key::default_trust(files),
    }
}
