//! `brinekey check`: what is wrong with keys and trust, and what to type.

mod finding;
mod own_keys;
mod signers;

use std::fs;
use std::path::Path;

use brine_core::Clock as _;

use self::finding::{Finding, Findings};
use crate::args::key_care::Check;
use crate::report::console::{json_line, note, typeable_path};
use crate::report::exit::Status;
use crate::report::{Failure, Outcome};
use crate::verbs::trust;
use crate::world::clock::Moment;
use crate::world::home::Home;
use crate::world::named_signer::path_of;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::permissions::PermissionRule;
use crate::world::statements::statements_path;

pub(super) fn run(args: &Check) -> Result<Outcome, Failure> {
    let home = Home::find()?;
    let trust_path = path_of(&args.file)?;
    let output = Output::stdout(&mut OverwriteGuard::default().and(Some(&trust_path)))?;
    let now = Moment::System.now()?;
    let mut findings = Findings::default();
    let is_believed = is_held(&trust_path, args, &mut findings);
    let is_believed = is_held(&statements_path(&trust_path), args, &mut findings) && is_believed;
    is_held(&home.policy_file(), args, &mut findings);
    let trust = trust::read_unchecked(&args.file);
    let trust =
        trust.map_err(|failure| findings.add(Finding::of(&trust_path, "unreadable", &failure)));
    // What cannot be read, or what others may have written, says nothing of any key: least of all which to remove.
    let trust = trust.ok().filter(|_| is_believed);
    if let Some(trust) = &trust {
        signers::check((trust, &args.file), (now, args.within), &mut findings);
    }
    let keys = own_keys::check(&home, trust.as_ref(), now, &mut findings)?;
    for directory in [home.keys(), home.directory().to_owned()] {
        leftovers(&directory, &mut findings);
    }
    let text = match args.json {
        true => findings.all().iter().map(json_line).collect(),
        false => findings.page(),
    };
    output.print(&text)?;
    if !args.json && !findings.is_wrong() {
        let signers = trust.map_or(0, |trust| trust.entries().len());
        note(&format!("nothing is wrong; keys: {keys}, signers: {signers}"));
    }
    Ok(Outcome::Told(if findings.is_wrong() { Status::Key } else { Status::Done }))
}

/// Finds out whether nobody else may write a file that decides.
fn is_held(path: &Path, args: &Check, findings: &mut Findings) -> bool {
    let rule = PermissionRule::from(args.file.permissions);
    match fs::symlink_metadata(path).map(|_| rule.refuse_exposed(path)) {
        Ok(Err(failure)) => {
            findings.add(Finding::of(path, "writable-by-others", &failure));
            false
        }
        Ok(Ok(_)) | Err(_) => true,
    }
}

/// Finds what an interrupted command has left in a directory.
fn leftovers(directory: &Path, findings: &mut Findings) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_removed = name.starts_with(".removed-");
        if is_removed || name.starts_with(".brine-") || name.starts_with(".tmp") {
            let what = match is_removed {
                true => "a key that was to be removed, and is still there",
                false => "the beginning of a file that an interrupted command left",
            };
            findings.add(Finding::wrong(
                &path,
                "leftover",
                what,
                &format!("rm {}", typeable_path(&path)),
            ));
        }
    }
}
