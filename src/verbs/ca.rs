//! `brinekey ca`.

use brine_keys::openssh_line;

use super::{fingerprint_lines, r#gen};
use crate::args::brinekey::Gen;
use crate::args::certify::Ca;
use crate::report::Failure;
use crate::report::console::note;

pub(super) fn run(args: Ca) -> Result<(), Failure> {
    let Ca { name, no_passphrase, json, passphrase, permissions } = args;
    let made =
        r#gen::make(&Gen { name, no_trust: true, no_passphrase, json, passphrase, permissions })?;
    let Some((place, public, output)) = made else { return Ok(()) };
    let line = openssh_line(&public, place.name.as_str());
    note(&format!("made {}; keep it secret, and away from what signs every day", place.shown()));
    note(&format!(
        "verifiers trust it with: brinekey trust add NAME \"{line}\" --authority PATTERN"
    ));
    note(
        "and compare its fingerprint with what you tell them by another way, such as the telephone:",
    );
    fingerprint_lines::tell(&public);
    output.print(&format!("{line}\n"))
}
