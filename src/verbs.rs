//! The verbs of both programs. Each resolves what was typed, calls the library and reports.

mod ca;
mod call;
mod check;
mod command_sink;
mod completions;
mod cosign;
mod dead;
mod doctor;
pub(crate) mod expect;
mod export;
mod fingerprint_lines;
mod r#gen;
mod import;
mod inspect;
mod inspect_records;
mod issue;
mod key_line;
mod key_store;
mod list;
mod passwd;
mod policy;
mod public;
mod queue_watch;
mod receiver;
mod recv;
mod reject_file;
mod relay;
mod remove;
mod rename;
pub(crate) mod replay;
mod revoke;
mod rotate;
mod run;
pub(crate) mod scan;
mod send;
mod show;
mod sign;
mod sign_beside;
mod sign_records;
mod sign_stream;
mod signed_job;
mod signers;
pub(crate) mod stated;
mod statement_made;
mod trust;
mod trust_file;
mod verify;
mod verify_beside;
mod verify_command;
mod verify_records;
mod verify_result;
mod work;

use std::ffi::OsString;

use self::run::{JobGround, Refusals};
use crate::args::brine::{Brine, BrineVerb};
use crate::args::brinekey::{BrineKey, BrinekeyVerb};
use crate::args::judge::VerdictArgs;
use crate::args::queue::RecvArgs;
use crate::args::relay::RelayArgs;
use crate::args::run::Run;
use crate::args::verify::Verify;
use crate::report::exit::Status;
use crate::report::{Failure, JsonPlace, Outcome, console};
use crate::reporter::{Reporter, SayWho};
use crate::world::core_dumps;
use crate::world::output::Output;

/// Does what was typed to `brine`.
pub(crate) fn brine(parsed: Brine, json: Option<JsonPlace>) -> Status {
    if !runs_unconfined(&parsed.verb) {
        core_dumps::forbid_for_good();
    }
    if wants_only_failures(&parsed.verb) {
        console::set_quiet();
    }
    match parsed.verb {
        BrineVerb::Verify(args) => {
            let reporting = Reporting { json, verdict: &args.verdict, command: &args.command };
            reporting.reported(verify::outputs(&args), |outputs| verify::run(&args, outputs))
        }
        BrineVerb::Run(mut args) => {
            run::settle(&mut args);
            // Before the file for the verdict is opened: a job may have left a link in its place.
            let mut refusals = Refusals::of(&args);
            let planned = JobGround::survey(&args, &mut refusals).and_then(|ground| {
                let outputs = run::outputs(&args, &mut refusals);
                let (report, outputs) = outputs.map_err(|failure| refusals.first_or(failure))?;
                Ok((report, (outputs, ground, refusals)))
            });
            let reporting = Reporting { json, verdict: &args.verdict, command: &[] };
            reporting.reported(planned, |(outputs, ground, refusals)| {
                run::run(&args, outputs, &ground, refusals)
            })
        }
        BrineVerb::Sign(args) => Reporter::without_file(json).finish(sign::run(&args)),
        BrineVerb::Cosign(args) => Reporter::without_file(json).finish(cosign::run(&args)),
        BrineVerb::Send(args) => Reporter::without_file(json).finish(send::run(&args)),
        BrineVerb::Recv(args) => {
            let reporting = Reporting { json, verdict: &args.verdict, command: &[] };
            reporting.reported(recv::outputs(&args), |output| recv::run(&args, output))
        }
        BrineVerb::Relay(args) => {
            let reporting = Reporting { json, verdict: &args.verdict, command: &[] };
            reporting.reported(relay::outputs(&args), |numbers| relay::run(&args, numbers))
        }
        BrineVerb::Call(args) => Reporter::without_file(json).finish(call::run(&args)),
        BrineVerb::Work(args) => Reporter::without_file(json).finish(work::run(&args)),
        BrineVerb::Dead(verb) => Reporter::without_file(json).finish(dead::run(&verb)),
        BrineVerb::Inspect(args) => Reporter::without_file(json).finish(inspect::run(&args)),
        BrineVerb::Replay(verb) => silent(json, replay::run(&verb)),
        BrineVerb::Scan(args) => Reporter::without_file(json).finish(scan::run(&args)),
        BrineVerb::Policy(verb) => silent(json, policy::run(&verb)),
        BrineVerb::Doctor(args) => Reporter::without_file(json).finish(doctor::run(&args)),
        BrineVerb::Completions(args) => {
            Reporter::without_file(json).finish(completions::run(&args))
        }
    }
}

/// Does what was typed to `brinekey`.
pub(crate) fn brinekey(parsed: BrineKey, json: Option<JsonPlace>) -> Status {
    core_dumps::forbid_for_good();
    let done = match parsed.verb {
        BrinekeyVerb::Pub(args) => return Reporter::without_file(json).finish(public::run(&args)),
        BrinekeyVerb::Export(args) => {
            return Reporter::without_file(json).finish(export::run(&args));
        }
        BrinekeyVerb::Ca(args) => ca::run(args),
        BrinekeyVerb::Gen(args) => r#gen::run(&args),
        BrinekeyVerb::Issue(args) => issue::run(&args),
        BrinekeyVerb::Revoke(args) => revoke::run(&args),
        BrinekeyVerb::Rotate(args) => rotate::run(&args),
        BrinekeyVerb::List(args) => list::run(&args),
        BrinekeyVerb::Show(args) => show::run(&args),
        BrinekeyVerb::Passwd(args) => passwd::run(&args),
        BrinekeyVerb::Import(args) => import::run(&args),
        BrinekeyVerb::Rename(args) => rename::run(&args),
        BrinekeyVerb::Remove(args) => remove::run(&args),
        BrinekeyVerb::Check(args) => {
            return Reporter::without_file(json).finish(check::run(&args));
        }
        BrinekeyVerb::Trust(args) => trust::run(args),
    };
    silent(json, done)
}

/// Returns whether a command will be started that is to have what brine was started with.
const fn runs_unconfined(verb: &BrineVerb) -> bool {
    match verb {
        BrineVerb::Recv(args) => !args.command.is_empty(),
        BrineVerb::Verify(args) => !args.command.is_empty(),
        _ => false,
    }
}

/// Returns whether nothing but what was asked for goes to standard error.
const fn wants_only_failures(verb: &BrineVerb) -> bool {
    match verb {
        BrineVerb::Recv(RecvArgs { verdict, .. })
        | BrineVerb::Relay(RelayArgs { verdict, .. })
        | BrineVerb::Run(Run { verdict, .. })
        | BrineVerb::Verify(Verify { verdict, .. }) => verdict.quiet || verdict.json,
        BrineVerb::Send(args) => args.quiet || args.json,
        BrineVerb::Work(args) => args.quiet || args.json,
        BrineVerb::Call(args) => args.quiet || args.json,
        BrineVerb::Cosign(args) => args.quiet || args.json,
        BrineVerb::Sign(args) => args.quiet || args.json,
        _ => false,
    }
}

/// How the outcome of a verb that verifies is reported.
struct Reporting<'a> {
    json: Option<JsonPlace>,
    verdict: &'a VerdictArgs,
    command: &'a [OsString],
}

impl Reporting<'_> {
    /// Opens what the verdict goes to before anything is done, and reports. That it cannot be opened is reported, too.
    fn reported<O>(
        &self,
        outputs: Result<(Option<Output>, O), Failure>,
        verb: impl FnOnce(O) -> Result<Outcome, Failure>,
    ) -> Status {
        let Self { json, verdict, command } = *self;
        let opened = outputs.and_then(|(report, outputs)| {
            Ok((Reporter::open(json, say_who(verdict), report)?, outputs))
        });
        match opened {
            Ok((reporter, outputs)) => reporter.of_command(command).finish(verb(outputs)),
            Err(failure) => Reporter::without_file(json).of_command(command).finish(Err(failure)),
        }
    }
}

/// Returns whether a person hears who signed.
const fn say_who(args: &VerdictArgs) -> SayWho {
    match (args.verbose, args.quiet) {
        (true, _) => SayWho::Always,
        (false, true) => SayWho::Never,
        (false, false) => SayWho::AtTerminal,
    }
}

fn silent(json: Option<JsonPlace>, result: Result<(), Failure>) -> Status {
    Reporter::without_file(json).finish(result.map(|()| Outcome::Silent))
}
