//! `brinekey rotate`.

use brine_core::{Clock as _, Kind, Needed, Statement, sign_together};
use brine_keys::ssh_fingerprint;
use brine_trust::{RotationStatement, UnverifiedStatement};

use super::fingerprint_lines;
use super::statement_made::{StatementOutput, describe};
use crate::args::statement::Rotate;
use crate::report::Failure;
use crate::report::console::{note, typeable_path};
use crate::report::statement_facts::{StatementLine, until};
use crate::world::clock::Moment;
use crate::world::key_place::KeyPlace;
use crate::world::passphrase::Source;
use crate::world::whole_file::Existing;

pub(super) fn run(args: &Rotate) -> Result<(), Failure> {
    let (from, to) = (KeyPlace::find(&args.key)?, KeyPlace::find(&args.successor)?);
    let output = StatementOutput::plan(args.output.as_deref(), &from, "rotation")?;
    let source = Source::find(&args.passphrase);
    let (from, to) = (from.open(&source, args.permissions)?, to.open(&source, args.permissions)?);
    let rotation = RotationStatement::new(from.verifying_key().clone(), to.verifying_key().clone())
        .map_err(|_| {
            Failure::usage("these are one key, and not an old and a new one".to_owned())
        })?;
    let now = Moment::System.now()?;
    let expires = now.plus(args.valid_for);
    let statement = Statement::at(now).kind(Kind::Rotation).expires(expires);
    let keys = [from.as_ref(), to.as_ref()];
    let payload = rotation.encode();
    let envelope = sign_together(&statement, &keys, payload.as_slice().into(), Needed::All)?;
    let wrong = |source| Failure::Statement { name: output.name(), source };
    let made = UnverifiedStatement::parse(envelope.clone()).map_err(wrong)?;
    output.write(if args.force { Existing::Replace } else { Existing::Keep }, &envelope)?;
    if args.json {
        describe(&StatementLine::new("made", Some(&made), Some(&args.key), output.path()));
        return Ok(());
    }
    note(&format!(
        "{} comes after {}; others can take this{}{}",
        ssh_fingerprint(rotation.to()),
        ssh_fingerprint(rotation.from()),
        until(Some(expires)),
        output.phrase()
    ));
    if let Some(path) = output.path() {
        note(&format!("they do so with: brinekey trust update {}", typeable_path(path)));
    }
    note("and compare the fingerprint of the new key with what you tell them by another way:");
    fingerprint_lines::tell(rotation.to());
    Ok(())
}
