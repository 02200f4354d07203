//! Everything that is not a value: files, clock, environment, terminal.

pub(crate) mod agent;
pub(crate) mod beside;
pub(crate) mod certificate_file;
mod certified_key;
pub(crate) mod clock;
#[cfg(all(feature = "sandbox", target_os = "linux"))]
pub(crate) mod collected;
pub(crate) mod core_dumps;
pub(crate) mod descriptor;
pub(crate) mod end_signals;
pub(crate) mod home;
pub(crate) mod input;
pub(crate) mod key_place;
pub(crate) mod line_file;
pub(crate) mod local_time;
pub(crate) mod looking;
pub(crate) mod machine;
pub(crate) mod metrics;
pub(crate) mod named_key;
pub(crate) mod named_signer;
pub(crate) mod output;
pub(crate) mod overwrite_guard;
pub(crate) mod parent;
mod passed_signals;
pub(crate) mod passphrase;
pub(crate) mod patient_file;
pub(crate) mod payload_command;
pub(crate) mod permissions;
pub(crate) mod program_file;
pub(crate) mod progress;
pub(crate) mod queue;
mod readiness;
pub(crate) mod record_output;
pub(crate) mod release;
pub(crate) mod server_secrets;
pub(crate) mod signature_name;
pub(crate) mod slow_signatures;
pub(crate) mod small_files;
pub(crate) mod spool;
pub(crate) mod statements;
pub(crate) mod store;
pub(crate) mod trail;
pub(crate) mod watched;
pub(crate) mod watched_trust;
pub(crate) mod whole_file;
pub(crate) mod whole_records;
pub(crate) mod writable_roots;

use std::num::NonZero;

use brine_core::stream::MAX_THREADS;

/// Returns how many threads to work with: as many as were asked for, else one for each processor.
pub(crate) fn threads(asked: Option<NonZero<usize>>) -> usize {
    let available = || std::thread::available_parallelism().map_or(1, NonZero::get);
    asked.map_or_else(available, NonZero::get).min(MAX_THREADS)
}
