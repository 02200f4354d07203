//! From the options that judge an envelope to what the library takes.

use std::path::Path;

use brine_core::{Expectations, Verified};
use brine_trust::TrustEntry;

use crate::args::judge::{JudgeArgs, VerdictArgs};
use crate::report::Failure;
use crate::report::similar::closest;
use crate::report::typed::{TypedTrust, set_trust};
use crate::world::clock::Moment;
use crate::world::descriptor::Descriptor;
use crate::world::input::{InputFile, MAX_WHOLE_BYTES};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::watched_trust::WatchedTrust;

/// What an envelope is held to: expectations, trust and clock.
pub(super) struct Judge {
    pub(super) expectations: Expectations,
    pub(super) trust: WatchedTrust,
    pub(super) moment: Moment,
}

impl Judge {
    /// Reads what the options name.
    pub(super) fn resolve(args: &JudgeArgs) -> Result<Self, Failure> {
        let aad = args.aad.as_deref().map(InputFile::open_file).transpose()?;
        match &args.trust.trust {
            _ if !args.trust.public_keys.is_empty() => set_trust(TypedTrust::Keys),
            Some(path) => set_trust(TypedTrust::File(path.clone())),
            None => {}
        }
        let trust = WatchedTrust::resolve(&args.trust)?;
        let aad = aad.map_or(Ok(Vec::new()), |aad| aad.read(MAX_WHOLE_BYTES))?;
        let expectations = expectations(args, aad);
        Ok(Self { expectations, trust, moment: Moment::resolve(args.now.as_ref())? })
    }

    /// Judges trust and time again, right before what has verified is used: that can be long after.
    pub(super) fn again(&self, verified: &mut Verified, name: &str) -> Result<(), Failure> {
        let Self { expectations, trust, moment } = self;
        let judged = verified.judge_again(expectations, trust, moment);
        judged.map_err(|error| Failure::reading(name, error))
    }
}

/// Refuses to take messages where none could verify: nobody is trusted, or nobody of the name that was typed. Who takes
/// messages from a queue loses those that do not verify.
pub(super) fn refuse_nobody(judge: &Judge, args: &JudgeArgs) -> Result<(), Failure> {
    let trust = judge.trust.read()?;
    let names = || trust.entries().iter().map(TrustEntry::name);
    let unknown =
        |name: &&String| !names().any(|known| known == *name) && !trust.may_be_vouched_for(name);
    let name = args.signers.iter().find(unknown).cloned();
    let is_known = match &name {
        Some(_) => false,
        None => !trust.is_empty(),
    };
    match is_known {
        true => Ok(()),
        false => {
            let similar = name.as_deref().and_then(|name| closest(name, names()));
            Err(Failure::NobodyTrusted { name, similar })
        }
    }
}

/// Returns what the options ask of an envelope that is signed together with `aad`.
pub(crate) fn expectations(args: &JudgeArgs, aad: Vec<u8>) -> Expectations {
    let mut expectations = Expectations::new().external_aad(aad);
    if let Some(context) = &args.context {
        expectations = expectations.context(context);
    }
    if let Some(max_age) = args.max_age {
        expectations = expectations.max_age(max_age);
    }
    for signer in &args.signers {
        expectations = expectations.signer(signer);
    }
    if let Some(persons) = args.require {
        expectations = expectations.required(persons.get());
    }
    if args.untagged {
        expectations = expectations.untagged();
    }
    if args.outer_tags {
        expectations = expectations.outer_tags();
    }
    if let Some(most) = args.try_keys {
        expectations = expectations.tried_keys(most.get());
    }
    expectations
}

/// Adds the files that the options name to those that are not written over.
pub(super) fn guarded(guard: OverwriteGuard, args: &JudgeArgs) -> OverwriteGuard {
    let files = [&args.aad, &args.trust.trust, &args.trust.revoked];
    let guard = files.iter().fold(guard, |guard, file| guard.and(file.as_deref()));
    args.trust.public_keys.iter().fold(guard, |guard, key| guard.and_key(key))
}

/// Says where the verdict goes, if it is written to a file.
pub(super) fn report(
    args: &VerdictArgs,
    guard: &mut OverwriteGuard,
) -> Result<Option<Output>, Failure> {
    args.report.as_deref().map(|path| Output::plan("report", Some(path), guard)).transpose()
}

/// Returns whether a path stands for standard input.
pub(super) fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-") || Descriptor::named_by(path) == Some(Descriptor::STDIN)
}
