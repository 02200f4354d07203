//! The imports of a payload, where the policy says that it is a pickle.

use std::io::Read as _;

use brine_core::FormError;
use brine_job::ImportList;
use brine_pickle::ScanOptions;

use crate::report::Failure;
use crate::verbs::scan;
use crate::world::input::MAX_WHOLE_BYTES;
use crate::world::permissions::PermissionRule;
use crate::world::spool::{Spool, temporary};

/// Refuses a payload that would import names that are on none of the lists, before anything loads it.
pub(super) fn judge(
    lists: &[ImportList],
    payload: &Spool,
    rule: PermissionRule,
) -> Result<(), Failure> {
    let allow = scan::list_of_policy(lists, rule)?;
    if payload.length() > MAX_WHOLE_BYTES {
        return Err(FormError::TooLarge { limit: MAX_WHOLE_BYTES }.into());
    }
    let mut bytes = Vec::new();
    let read = payload.reader().read_to_end(&mut bytes);
    read.map_err(temporary)?;
    let report = brine_pickle::scan(&bytes, &ScanOptions::new(&allow));
    scan::failure("payload", &report).map_or(Ok(()), Err)
}
