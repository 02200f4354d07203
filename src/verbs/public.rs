//! `brinekey pub`.

use brine_keys::{openssh_line, spki_pem};

use crate::args::brinekey::{Pub, PublicForm};
use crate::report::Failure;
use crate::world::named_key::{self, Named};
use crate::world::output::Output;
use crate::world::whole_file::Access;

pub(super) fn run(args: &Pub) -> Result<(), Failure> {
    let key = named_key::verifying_key(&args.key)?;
    let text = match args.form {
        PublicForm::Openssh => {
            let comment = match Named::parse(&args.key)? {
                Named::Name(name) => name.as_str().to_owned(),
                Named::File(_) | Named::OpenSsh(_) => String::new(),
            };
            format!("{}\n", openssh_line(&key, &comment))
        }
        PublicForm::Spki => spki_pem(&key),
    };
    Output::stdout().write(Access::Ordinary, |output| output.write_all(text.as_bytes()))
}
