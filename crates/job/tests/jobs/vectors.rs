//! Verifies those of `fixtures/vectors` that are jobs, and plans them, and those that are results: one file a rule.

use std::collections::BTreeSet;
use std::path::Path;

use brine_core::{Classified, Kind, open};
use brine_job::{
    Grants, JobError, JobId, JobResult, OperatorCommand, Plan, Policy, PolicyQuestion,
};
use brine_testkit::{Vector, vectors};

/// Verifies a job and plans it, as `brine run` does.
fn plan(vector: &Vector) -> Result<Plan, Box<dyn Classified>> {
    let expectations = vector.expectations().kind(Kind::Job);
    let verified = open(vector.envelope.as_slice())
        .and_then(|opening| opening.verify(&expectations, &vector.trust(), &vector.now()));
    let verified = verified.map_err(boxed)?;
    let grants = Grants::of(&verified).map_err(boxed)?;
    if vector.expect == "ok" {
        let shown: Vec<_> = grants.iter().map(|grant| grant.to_string()).collect();
        assert_eq!(shown, vector.grants, "{}", vector.name);
    }
    let policy = vector.bytes("policy").map(|policy| Policy::parse(&policy));
    let policy = policy.transpose().map_err(|error| boxed(JobError::from(error)))?;
    let content_type = verified.header().content_type().map(|found| found.to_string());
    let question = PolicyQuestion {
        signer: verified.signer().name(),
        context: vector.option("context"),
        content_type: content_type.as_deref(),
        system: &BTreeSet::new(),
    };
    let command = vector
        .option("command")
        .map(|name| OperatorCommand { path: Path::new("/bin").join(name), arguments: Vec::new() });
    let policy = policy.unwrap_or(Policy::none());
    let permit = policy.plan(&question, &grants, command.as_ref());
    Ok(permit.map_err(|error| boxed(JobError::from(error)))?.plan)
}

fn boxed(error: impl Classified + 'static) -> Box<dyn Classified> {
    Box::new(error)
}

#[test]
fn every_vector_of_a_job_is_planned_or_refused_for_its_reason() {
    let mut judged = 0;
    for vector in vectors().iter().filter(|vector| vector.is_job()) {
        let found = plan(vector).map_or_else(|error| error.reason(), |_| "ok");
        // The library releases nothing of a job: it only plans it.
        vector.judge(b"", found);
        judged += 1;
    }
    assert!(judged >= 118, "{judged}");
}

/// Verifies a result, and holds it to its job, as `brine verify --result-of` does.
fn output(vector: &Vector, job: &[u8]) -> Result<Vec<u8>, Box<dyn Classified>> {
    let id = JobId::of_envelope(job, &[]).map_err(boxed)?;
    let expectations = vector.expectations().kind(Kind::Result);
    let verified = open(vector.envelope.as_slice())
        .and_then(|opening| opening.verify(&expectations, &vector.trust(), &vector.now()));
    let verified = verified.map_err(boxed)?;
    let result = JobResult::of(&verified).map_err(boxed)?;
    result.judge_job(&id).map_err(boxed)?;
    verified.into_bytes().map_err(boxed)
}

#[test]
fn every_vector_of_a_result_is_believed_or_refused_for_its_reason() {
    let mut judged = 0;
    for vector in vectors() {
        let Some(job) = vector.result_of() else { continue };
        match output(&vector, &job) {
            Ok(released) => vector.judge(&released, "ok"),
            Err(error) => vector.judge(b"", error.reason()),
        }
        judged += 1;
    }
    assert!(judged >= 49, "{judged}");
}
