//! `brinekey show`.

use brine_keys::{openssh_line, ssh_fingerprint};
use serde::Serialize;

use super::list::KEY_SCHEMA;
use crate::args::brinekey::Show;
use crate::report::Failure;
use crate::report::console::{json_line, printable};
use crate::world::named_key;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::small_files::SmallFiles;

pub(super) fn run(args: &Show) -> Result<(), Failure> {
    let output = Output::stdout(&mut OverwriteGuard::default().and_key(&args.key))?;
    let key = named_key::verifying_key(&args.key, &SmallFiles::default())?;
    let shown = ShownKey {
        schema: KEY_SCHEMA,
        name: &args.key,
        key_id: key.id().to_string(),
        ssh_fingerprint: ssh_fingerprint(&key),
        public_key: openssh_line(&key, ""),
    };
    if args.json {
        return output.print(&json_line(&shown));
    }
    let fingerprint = &shown.ssh_fingerprint;
    output.print(&format!(
        "key         {}\nkey id      {}\n  aloud     {}\nfingerprint {fingerprint}\n  aloud     {}\n",
        printable(&args.key),
        shown.key_id,
        key.id().grouped(),
        grouped(fingerprint.trim_start_matches("SHA256:")),
    ))
}

/// A key, as it is shown to programs.
#[derive(Serialize)]
struct ShownKey<'a> {
    schema: &'static str,
    name: &'a str,
    key_id: String,
    ssh_fingerprint: String,
    public_key: String,
}

/// Puts a blank after every four characters.
fn grouped(text: &str) -> String {
    let mut groups = String::new();
    for (index, character) in text.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            groups.push(' ');
        }
        groups.push(character);
    }
    groups
}
