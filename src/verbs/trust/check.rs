//! `brinekey trust check`.

use brine_core::{Clock as _, Evidence, Question};
use serde::Serialize;

use super::signer_line::limits;
use crate::args::trust::TrustCheck;
use crate::report::Failure;
use crate::report::console::{json_line, printable};
use crate::world::clock::Moment;
use crate::world::named_key::read_revoked;
use crate::world::named_signer::{NamedSigner, path_of};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::small_files::SmallFiles;

pub(super) fn run(args: &TrustCheck) -> Result<(), Failure> {
    let path = path_of(&args.file)?;
    let guard = OverwriteGuard::default().and(Some(&path));
    let mut guard = guard.and(args.revoked.as_deref()).and_key(&args.key);
    let output = Output::stdout(&mut guard)?;
    let mut trust = super::read(&args.file)?;
    let moment = Moment::resolve(args.now.as_ref())?;
    let now = moment.now()?;
    let named = NamedSigner::new("brinekey trust check", &args.key, None, (&args.file, &path));
    if let Some(path) = &args.revoked {
        trust.revoke(read_revoked(path, &SmallFiles::new(args.file.permissions))?);
    }
    let signer = named.signer(&trust, now)?;
    let context = args.context.as_deref();
    let question = Question { context, signer: None, now };
    let entry = trust.judge_entry(&Evidence::Key(signer.key().id()), &question)?;
    if args.json {
        return output.print(&json_line(&Believed {
            schema: SCHEMA,
            status: 0,
            verdict: "believed",
            signer: entry.name(),
            key_id: entry.key().id().to_string(),
            context: context.map(|context| [context]),
            judged_at: now.to_string(),
            clock: moment.name(),
        }));
    }
    let about = match context {
        Some(context) => format!("for context {context:?}"),
        None => "for signatures without a context".to_owned(),
    };
    let limits = limits(entry, now);
    let limits = if limits.is_empty() { limits } else { format!("  {limits}") };
    let name = printable(entry.name());
    output.print(&format!("believed: {name} {about} at {now}{limits}\n"))
}

/// That a key is believed, as it is shown to programs. docs/json.md describes it.
#[derive(Serialize)]
struct Believed<'a> {
    schema: &'static str,
    status: u8,
    verdict: &'static str,
    signer: &'a str,
    key_id: String,
    context: Option<[&'a str; 1]>,
    judged_at: String,
    clock: &'static str,
}

const SCHEMA: &str = "brine.trust-check/1";
