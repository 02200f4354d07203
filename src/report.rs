//! How it went: lines for people, verdicts for programs, exit statuses.
//!
//! This is the only module that knows the errors of all crates.

pub mod exit;

pub(crate) mod byte_name;
pub(crate) mod columns;
pub(crate) mod command;
pub(crate) mod console;
pub(crate) mod explained;
pub(crate) mod exposure;
pub(crate) mod mistyped;
pub(crate) mod queue_account;
pub(crate) mod retyped;
pub(crate) mod similar;
pub(crate) mod statement_facts;
pub(crate) mod typed;
pub(crate) mod verdict;

mod agent_failure;
mod authority_facts;
mod beside_failure;
mod failure;
mod hint;
mod json_place;
mod keeping_failure;
mod older_records;
mod outcome;
mod queue_failure;
mod result_facts;
mod signed_line;
mod signer_failure;
mod window_failure;

pub(crate) use self::agent_failure::{AgentFailure, kind as kind_in_agent};
pub(crate) use self::beside_failure::BesideFailure;
pub(crate) use self::failure::Failure;
pub(crate) use self::json_place::JsonPlace;
pub(crate) use self::keeping_failure::KeepingFailure;
pub(crate) use self::older_records::OlderRecords;
pub(crate) use self::outcome::{FileOutcome, FileWork, Outcome, Signed, SignedParts, status_of};
pub(crate) use self::queue_failure::QueueFailure;
pub(crate) use self::result_facts::ResultFacts;
pub(crate) use self::signed_line::{SignatureFacts, SignedInput, SignedRecords};
pub(crate) use self::signer_failure::SignerFailure;
pub(crate) use self::window_failure::WindowFailure;
