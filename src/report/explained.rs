//! What an explanation of a job has to say: everything that refuses it, and what it would not have.

use serde::Serialize;

use super::Failure;

/// Everything that was found of a job, in the order in which a run would find it.
#[derive(Debug)]
pub(crate) struct Explained {
    /// The first of them is how a run would end.
    pub(crate) failures: Vec<Failure>,
    pub(crate) facts: ExplainedFacts,
}

impl Explained {
    pub(crate) fn new(failures: Vec<Failure>, cuts: Vec<CutFacts>, losses: Vec<LossFacts>) -> Self {
        let refusals = failures.iter().map(ExplainedRefusal::of).collect();
        Self { failures, facts: ExplainedFacts { refusals, cuts, losses } }
    }
}

/// The same, as it stands in a verdict.
#[derive(Debug, Serialize)]
pub(crate) struct ExplainedFacts {
    refusals: Vec<ExplainedRefusal>,
    pub(crate) cuts: Vec<CutFacts>,
    pub(crate) losses: Vec<LossFacts>,
}

/// One thing that would refuse the job.
#[derive(Debug, Serialize)]
struct ExplainedRefusal {
    status: u8,
    reason: &'static str,
    message: String,
    hint: Option<String>,
}

impl ExplainedRefusal {
    fn of(failure: &Failure) -> Self {
        Self {
            status: failure.status().code(),
            reason: failure.reason(),
            message: failure.to_string(),
            hint: failure.hint(),
        }
    }
}

/// A limit of which the job gets less than its signer asks for.
#[derive(Debug, Serialize)]
pub(crate) struct CutFacts {
    pub(crate) limit: &'static str,
    pub(crate) requested: u64,
    pub(crate) granted: u64,
    pub(crate) by: &'static str,
    /// For people.
    #[serde(skip)]
    pub(crate) line: String,
}

/// A layer without which the job would run.
#[derive(Debug, Serialize)]
pub(crate) struct LossFacts {
    pub(crate) layer: &'static str,
    /// Whether the operator left it out; else this system cannot give it.
    pub(crate) waived: bool,
    /// What the job could do then.
    pub(crate) loss: &'static str,
}
