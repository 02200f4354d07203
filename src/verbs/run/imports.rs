//! What a payload may import, where the policy says that it is a pickle.

use std::io::Read as _;
use std::path::PathBuf;

use crate::cli::brine::scan;
use crate::cli::failure::Failure;
use crate::cli::input::MAX_WHOLE_BYTES;
use crate::cli::spool::{Spool, TEMPORARY_FILE};
use crate::error::Error;
use crate::job::policy::{ImportList, Policy, Question};
use crate::pickle::{self, Options};

/// Refuses a payload that would import what is on none of the policy's lists, before anything loads it.
pub(super) fn judge(
    policy: &Policy,
    question: &Question<'_>,
    payload: &Spool,
) -> Result<(), Failure> {
    let entry = policy.entry(question)?;
    let Some(lists) = entry.and_then(|entry| entry.terms().pickle_imports.as_deref()) else {
        return Ok(());
    };
    let named: Vec<_> = lists
        .iter()
        .map(|list| match list {
            ImportList::BuiltIn(name) => PathBuf::from(name),
            ImportList::File(path) => path.clone(),
        })
        .collect();
    let allow = scan::list(&named)?;
    if payload.length() > MAX_WHOLE_BYTES {
        return Err(Error::TooLarge { limit: MAX_WHOLE_BYTES }.into());
    }
    let mut bytes = Vec::new();
    let read = payload.reader().read_to_end(&mut bytes);
    read.map_err(|error| Failure::io(TEMPORARY_FILE, error))?;
    let options = Options { allow: &allow, many: false, persistent_ids: false };
    let report = pickle::scan(&bytes, &options);
    scan::failure("payload", &bytes, &report).map_or(Ok(()), Err)
}
