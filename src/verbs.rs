//! The verbs of both programs. Each resolves what was typed, calls the library and reports.

mod completions;
mod expect;
mod export;
mod r#gen;
mod import;
mod inspect;
mod inspect_records;
mod key_store;
mod list;
mod passwd;
mod policy;
mod public;
mod reject_file;
mod replay;
mod run;
mod scan;
mod show;
mod sign;
mod sign_records;
mod sign_stream;
mod stated;
mod trust;
mod trust_file;
mod verify;
mod verify_records;

use std::path::Path;

use self::run::JobGround;
use crate::args::brine::{Brine, BrineVerb};
use crate::args::brinekey::{BrineKey, BrinekeyVerb};
use crate::args::judge::VerdictArgs;
use crate::report::exit::Status;
use crate::report::{Failure, Outcome};
use crate::reporter::{Reporter, SayWho, VerdictFile};
use crate::world::overwrite_guard::OverwriteGuard;

/// Does what was typed to `brine`.
pub(crate) fn brine(parsed: Brine) -> Status {
    match parsed.verb {
        BrineVerb::Verify(args) => {
            let guard = verify::guard(&args);
            reported(&args.verdict, &[args.output.as_deref()], &guard, || {
                verify::run(&args, &guard)
            })
        }
        BrineVerb::Run(args) => {
            let guard = run::guard(&args);
            let outputs = [args.output.as_deref(), args.partial_output.as_deref()];
            // Before the file for the verdict is opened: a job may have left a link in its place.
            match JobGround::survey(&args) {
                Ok(ground) => {
                    reported(&args.verdict, &outputs, &guard, || run::run(&args, &guard, &ground))
                }
                Err(failure) => Reporter::without_file(args.verdict.json).finish(Err(failure)),
            }
        }
        BrineVerb::Sign(args) => Reporter::default().finish(sign::run(&args)),
        BrineVerb::Inspect(args) => silent(inspect::run(&args)),
        BrineVerb::Replay(verb) => silent(replay::run(&verb)),
        BrineVerb::Scan(args) => Reporter::default().finish(scan::run(&args)),
        BrineVerb::Policy(verb) => silent(policy::run(&verb)),
        BrineVerb::Completions(args) => silent(completions::run(&args)),
    }
}

/// Does what was typed to `brinekey`.
pub(crate) fn brinekey(parsed: BrineKey) -> Status {
    silent(match parsed.verb {
        BrinekeyVerb::Gen(args) => r#gen::run(&args),
        BrinekeyVerb::Pub(args) => public::run(&args),
        BrinekeyVerb::List(args) => list::run(&args),
        BrinekeyVerb::Show(args) => show::run(&args),
        BrinekeyVerb::Passwd(args) => passwd::run(&args),
        BrinekeyVerb::Import(args) => import::run(&args),
        BrinekeyVerb::Export(args) => export::run(&args),
        BrinekeyVerb::Trust(args) => trust::run(args),
    })
}

/// Opens what the verdict goes to before anything is done, and reports. That it cannot be opened is reported, too.
fn reported(
    args: &VerdictArgs,
    outputs: &[Option<&Path>],
    guard: &OverwriteGuard,
    verb: impl FnOnce() -> Result<Outcome, Failure>,
) -> Status {
    let say_who = match (args.verbose, args.quiet) {
        (true, _) => SayWho::Always,
        (false, true) => SayWho::Never,
        (false, false) => SayWho::AtTerminal,
    };
    let options = VerdictFile { json: args.json, file: args.report.clone(), say_who };
    match Reporter::open(options, outputs, guard) {
        Ok(reporter) => reporter.finish(verb()),
        Err(failure) => Reporter::without_file(args.json).finish(Err(failure)),
    }
}

fn silent(result: Result<(), Failure>) -> Status {
    Reporter::default().finish(result.map(|()| Outcome::Silent))
}
