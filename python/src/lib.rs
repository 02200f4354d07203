//! The extension module under the Python package `brine`.
//!
//! It hands what Python has to the front door of the libraries, and what they return to Python. It parses nothing,
//! trusts nobody and reads no clock by itself.

mod allow_list;
mod buffer;
mod calling;
mod failure;
mod foreign;
mod fork;
mod interpreter;
mod job_result;
mod judge;
mod key;
mod key_of_process;
mod lease;
mod ledger;
mod limit;
mod moment;
mod of_process;
mod open_queue;
mod patience;
mod plain_data;
mod power_message;
mod queue;
mod queued_message;
mod replay;
mod scalars;
mod signer;
mod signing_keys;
mod stream_reader;
mod stream_writer;
mod taking;
mod trust;
mod turns;
mod verified;
mod verified_file;
mod verifier;
mod waiting;

use pyo3::prelude::*;

#[pymodule]
mod _brine {
    #[pymodule_export]
    use super::allow_list::AllowList;
    #[pymodule_export]
    use super::fork::fork_handlers;
    #[pymodule_export]
    use super::job_result::JobResult;
    #[pymodule_export]
    use super::key::{Key, PublicKey};
    #[pymodule_export]
    use super::lease::Lease;
    #[pymodule_export]
    use super::limit::{size_in_bytes, time_limit_in_seconds};
    #[pymodule_export]
    use super::moment::length_in_seconds;
    #[pymodule_export]
    use super::plain_data::{cbor_decode, cbor_encode};
    #[pymodule_export]
    use super::power_message::{power_message_decode, power_message_encode};
    #[pymodule_export]
    use super::queue::{Queue, Sent};
    #[pymodule_export]
    use super::queued_message::QueuedMessage;
    #[pymodule_export]
    use super::replay::{replay_init, replay_status};
    #[pymodule_export]
    use super::signer::Signer;
    #[pymodule_export]
    use super::stream_reader::StreamReader;
    #[pymodule_export]
    use super::stream_writer::StreamWriter;
    #[pymodule_export]
    use super::trust::Trust;
    #[pymodule_export]
    use super::verified::Verified;
    #[pymodule_export]
    use super::verified_file::VerifiedFile;
    #[pymodule_export]
    use super::verifier::Verifier;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::interpreter::refuse_others(module.py())?;
        super::waiting::begin();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
