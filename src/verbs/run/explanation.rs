//! `brine run --explain`: the plan, everything that refuses the job, and what it would not have.

use brine_job::{Layer, Limit, LimitValues};

use super::refusals::Refusals;
use super::{PlannedJob, VerifiedJob, explain, input, shortfall};
use crate::args::run::Run;
use crate::report::console::remark;
use crate::report::explained::{CutFacts, Explained, LossFacts};
use crate::report::verdict::PlanFacts;
use crate::report::{Failure, Outcome};
use crate::world::output::Output;

/// Shows the plan if the policy and the command line allow it, and says what else stands in the way.
pub(super) fn explained(
    args: &Run,
    job: &VerifiedJob,
    planned: Option<&PlannedJob>,
    output: &Output,
    refusals: &mut Refusals,
) -> Result<Outcome, Failure> {
    refusals.pass(input::look(args))?;
    let allowed = planned.filter(|_| refusals.is_empty());
    let plan = planned.map(|planned| &planned.plan);
    let bytes = job.payload.length();
    let missing = shortfall::look(plan, &args.without, bytes, refusals)?;
    if let Some(PlannedJob { plan, .. }) = allowed {
        output.print(&match args.verdict.json {
            true => explain::line(plan),
            false => explain::page(plan, job.verified.signer().name()),
        })?;
    }
    let cuts = planned.map(|planned| cuts(job.grants.limits(), planned)).unwrap_or_default();
    let losses = losses(&args.without, &missing);
    cuts.iter().for_each(|cut| remark(&format!("warning: {}", cut.line)));
    losses.iter().for_each(|loss| remark(&format!("warning: {}", lost(loss))));
    Ok(Outcome::Explained {
        signed: Box::new(job.signed()),
        plan: allowed.map(PlanFacts::of),
        explained: Box::new(Explained::new(refusals.take(), cuts, losses)),
    })
}

/// Returns the limits of which the job gets less than its signer asks for.
fn cuts(requested: &LimitValues, planned: &PlannedJob) -> Vec<CutFacts> {
    let (allowed, granted) = (&planned.allowed, planned.plan.parts().limits.values());
    let value = |values: &LimitValues, limit| values.get(limit).copied().unwrap_or_default();
    let found = requested.iter().map(|(limit, requested)| {
        (*limit, *requested, value(allowed, limit), value(&granted, limit))
    });
    let cut = found.filter(|(_, requested, _, granted)| granted < requested);
    cut.map(|(limit, requested, allowed, granted)| {
        let by = if granted < allowed { CutBy::CommandLine } else { CutBy::Policy };
        let line = by.line(limit, requested, granted);
        CutFacts { limit: limit.name(), requested, granted, by: by.name(), line }
    })
    .collect()
}

/// Who gives a job less than its signer asks for.
#[derive(Clone, Copy)]
enum CutBy {
    CommandLine,
    Policy,
}

impl CutBy {
    const fn name(self) -> &'static str {
        match self {
            Self::CommandLine => "command-line",
            Self::Policy => "policy",
        }
    }

    fn line(self, limit: Limit, requested: u64, granted: u64) -> String {
        let (name, granted, requested) = (limit.name(), limit.show(granted), limit.show(requested));
        let gets = format!("{name}: the job asks for {requested}, and gets {granted}");
        match self {
            Self::CommandLine => format!("{gets} by --limit"),
            Self::Policy => format!(
                "{gets}, the most that the policy allows; limits = {{ {name} = {requested:?} }} in its entry allows it"
            ),
        }
    }
}

/// Returns what a job could do without the layers that are left out, and without those that this system cannot give.
fn losses(waived: &[Layer], missing: &[Layer]) -> Vec<LossFacts> {
    let loss = |layer: Layer, waived| LossFacts { layer: layer.name(), waived, loss: loss(layer) };
    let all = Layer::ALL.into_iter();
    all.filter_map(|layer| match (waived.contains(&layer), missing.contains(&layer)) {
        (true, _) => Some(loss(layer, true)),
        (false, true) => Some(loss(layer, false)),
        (false, false) => None,
    })
    .collect()
}

fn lost(LossFacts { layer, waived, loss }: &LossFacts) -> String {
    match waived {
        true => format!("without {layer}, {loss}"),
        false => format!(
            "this system cannot give {layer}; \"--without {layer}\" runs the job all the same, but then {loss}"
        ),
    }
}

const fn loss(layer: Layer) -> &'static str {
    match layer {
        Layer::Namespaces => {
            "the job sees the file system and the processes of this system, and processes of it can outlive it"
        }
        Layer::Network => "only seccomp keeps the job from connections, also to this machine",
        Layer::Limits => {
            "nothing holds the job to its limits of memory, processor time, processes and files"
        }
        Layer::Privileges => {
            "the job keeps the privileges of brine, and set-user-ID programs give it more"
        }
        Layer::Landlock => {
            "the job is kept from files by its root directory alone, and connects to any port if one is granted"
        }
        Layer::Seccomp => "the job can make every system call that the kernel has",
    }
}
