//! `brinekey rotate`.

use brine_core::{Clock as _, Kind, Needed, Statement, sign_together};
use brine_keys::ssh_fingerprint;
use brine_trust::{RotationStatement, UnverifiedStatement};

use super::fingerprint_lines;
use super::statement_made::{Place, write};
use crate::args::statement::Rotate;
use crate::report::Failure;
use crate::report::console::{note, typeable_path};
use crate::report::statement_facts::{StatementLine, until};
use crate::world::clock::Moment;
use crate::world::key_place::KeyPlace;
use crate::world::passphrase::Source;
use crate::world::statement_file::target;
use crate::world::whole_file::Existing;

pub(super) fn run(args: &Rotate) -> Result<(), Failure> {
    let (from, to) = (KeyPlace::find(&args.key)?, KeyPlace::find(&args.successor)?);
    let target = target(args.output.as_deref(), &from, "rotation")?;
    let place = Place::plan(target, from.file())?;
    let source = Source::find(&args.passphrase);
    let (from, to) = (from.open(&source, args.permissions)?, to.open(&source, args.permissions)?);
    let rotation =
        RotationStatement { from: from.verifying_key().clone(), to: to.verifying_key().clone() };
    if rotation.from == rotation.to {
        return Err(Failure::usage("a key does not come after itself".to_owned()));
    }
    let now = Moment::System.now()?;
    let expires = now.plus(args.valid_for);
    let statement = Statement::at(now).kind(Kind::Rotation).expires(expires);
    let keys = [from.as_ref(), to.as_ref()];
    let payload = rotation.encode();
    let envelope = sign_together(&statement, &keys, payload.as_slice().into(), Needed::All)?;
    let wrong = |source| Failure::Statement { name: place.name(), source };
    let made = UnverifiedStatement::parse(envelope.clone()).map_err(wrong)?;
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    write(&place, existing, &envelope)?;
    if args.json {
        return place.tell(&StatementLine::new("made", Some(&made), Some(&args.key), place.path()));
    }
    note(&format!(
        "{} comes after {}; it can be taken{}{}",
        ssh_fingerprint(&rotation.to),
        ssh_fingerprint(&rotation.from),
        until(Some(expires)),
        place.phrase()
    ));
    if let Some(path) = place.path() {
        note(&format!("others follow it with: brinekey trust update {}", typeable_path(path)));
    }
    note("and compare the fingerprint of the new key with what you tell them by another way:");
    fingerprint_lines::tell(&rotation.to);
    Ok(())
}
