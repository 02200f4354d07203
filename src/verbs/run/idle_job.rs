//! A job that does nothing: it shows which layers this system can give.

use brine_job::{Grants, OperatorCommand, Plan, Policy, PolicyQuestion};

use super::{command, system_directories};
use crate::report::Failure;

/// Returns the plan of a job that does nothing.
pub(in crate::verbs) fn plan() -> Result<Plan, Failure> {
    let path = command::sought("true".as_ref())?;
    let command = OperatorCommand { path, arguments: Vec::new() };
    let system = system_directories();
    let question =
        PolicyQuestion { signer: "nobody", context: None, content_type: None, system: &system };
    Ok(Policy::none().plan(&question, &Grants::default(), Some(&command))?.plan)
}
