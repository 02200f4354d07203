//! `brinekey ca`.

use super::r#gen;
use crate::args::brinekey::Gen;
use crate::args::certify::Ca;
use crate::report::Failure;

pub(super) fn run(args: Ca) -> Result<(), Failure> {
    let Ca { name, no_passphrase, json, passphrase, permissions } = args;
    let made =
        r#gen::make(&Gen { name, no_trust: true, no_passphrase, json, passphrase, permissions })?;
    let Some((place, public, output)) = made else { return Ok(()) };
    let trusting = |line: &str| {
        format!("verifiers trust it with: brinekey trust add NAME \"{line}\" --authority PATTERN")
    };
    let care = "keep it secret, and away from what signs every day";
    r#gen::announce(&place, &public, &output, (care, &trusting))
}
