//! `brinekey export`.

use std::path::Path;

use brine_keys::openssh_private;

use super::key_line::KeyLine;
use super::key_store;
use crate::args::brinekey::{Export, PrivateForm};
use crate::report::{Failure, Outcome};
use crate::world::named_key;
use crate::world::output::{Output, becomes_a_file};
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::passphrase::Source;
use crate::world::whole_file::Access;

pub(super) fn run(args: &Export) -> Result<Outcome, Failure> {
    let path = named_key::private_path(&args.key)?;
    let output = output(args, &path)?;
    output.refuse_terminal("a private key")?;
    let bytes = named_key::read_private(&path, args.permissions)?;
    let (key, passphrase) = named_key::opened(&path, &bytes, &Source::find(&args.passphrase))?;
    let passphrase = passphrase.filter(|_| !args.no_passphrase);
    let text = match args.form {
        PrivateForm::Openssh => {
            let comment = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
            let passphrase = passphrase.as_ref().map(|passphrase| passphrase.as_str());
            openssh_private(&key, &comment, passphrase)?
        }
        PrivateForm::Pkcs8 => key_store::write_pkcs8(&key, passphrase.as_deref())?,
    };
    output.write(Access::Secret, |file| file.write_all(text.as_bytes()))?;
    let file = args.output.as_deref().unwrap_or(Path::new("-"));
    let made = KeyLine::private(&args.key, file, key.verifying_key(), passphrase.is_some());
    Ok(Outcome::Described(made.line()))
}

fn output(args: &Export, key_file: &Path) -> Result<Output, Failure> {
    let mut guard = OverwriteGuard::default().and(Some(key_file));
    match args.output.as_deref() {
        // A private key goes over no other file, even if one appears while a passphrase is typed.
        Some(target) if target != Path::new("-") && becomes_a_file(target) => {
            Output::new_file("output", target.to_owned(), &mut guard)
        }
        target => Output::plan("output", target, &mut guard),
    }
}
