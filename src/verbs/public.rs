//! `brinekey pub`.

use brine_keys::{openssh_line, spki_pem};

use super::key_line::KeyLine;
use crate::args::brinekey::{Pub, PublicForm};
use crate::report::{Failure, Outcome};
use crate::world::key_place;
use crate::world::named_key::{self, Named};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::small_files::SmallFiles;

pub(super) fn run(args: &Pub) -> Result<Outcome, Failure> {
    let output = Output::stdout(&mut OverwriteGuard::default().and_key(&args.key))?;
    let files = SmallFiles::new(args.permissions);
    let key = match Named::parse(&args.key)? {
        Named::Agent(name) => key_place::public_in_agent(&name, &files)?,
        _ => named_key::verifying_key(&args.key, &files)?,
    };
    let text = match args.form {
        PublicForm::Openssh => {
            let comment = match Named::parse(&args.key)? {
                Named::Name(name) => name.as_str().to_owned(),
                Named::Agent(_) | Named::File(_) | Named::OpenSsh(_) => String::new(),
            };
            format!("{}\n", openssh_line(&key, &comment))
        }
        PublicForm::Spki => spki_pem(&key),
    };
    output.print(&text)?;
    Ok(Outcome::Described(KeyLine::named(&args.key, &key).line()))
}
