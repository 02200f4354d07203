//! Signed jobs: what a signer requests, what an operator allows, and the plan that follows from both.
//!
//! A job is an envelope of kind [`Job`](brine_core::Kind::Job). Its [`Grants`] are in the signed header, and
//! say what the signer requests. A [`Policy`] is a file of the operator. [`Policy::plan`] makes a [`Plan`] of
//! the two, which gives a job nothing that is not in both.
//!
//! ```
//! use std::collections::BTreeSet;
//!
//! use brine_core::{Expectations, Kind, KnownSigners, Signer, SigningKey, Statement, Timestamp, open, sign};
//! use brine_job::{Grants, Policy, PolicyQuestion};
//!
//! let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
//! let key = SigningKey::generate()?;
//! let trust = KnownSigners::new([Signer::new("alice", key.verifying_key().clone())]);
//!
//! // The signer requests to be run by Python, as in `python3 -I -`.
//! let grants = Grants::collect(["run=python3".parse()?, "arg=-I".parse()?, "arg=-".parse()?])?;
//! let job = sign(&grants.statement(Statement::at(now)), &key, b"print('hello')")?.to_bytes();
//!
//! // The operator verifies the job, and asks the policy.
//! let verified = open(job)?.verify(&Expectations::new().kind(Kind::Job), &trust, &now)?;
//! let policy = Policy::parse(br#"
//!     [[allow]]
//!     signers = ["alice"]
//!     interpreters.python3 = { path = "/usr/bin/python3", arguments = [["-I", "-"]] }
//! "#)?;
//! let question = PolicyQuestion {
//!     signer: verified.signer().name(),
//!     context: None,
//!     content_type: None,
//!     system: &BTreeSet::from(["/usr".into()]),
//! };
//! let permit = policy.plan(&question, &Grants::of(&verified)?, None)?;
//! assert_eq!(permit.plan.parts().program.path.to_str(), Some("/usr/bin/python3"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing is run here: the crate brine-sandbox carries a plan out. [`PlanParts::check_output`] judges what a job
//! wrote.

#![forbid(unsafe_code)]

mod amount;
#[cfg(feature = "columnar")]
mod columnar;
mod envelope;
mod error;
mod format;
mod grants;
mod json_schema;
mod limits;
mod members;
mod names;
mod plan;
mod policy;
mod result;

#[cfg(feature = "columnar")]
pub use self::columnar::{
    ColumnarError, MAX_CONTENT_PER_BYTE, MAX_SMALL_CONTENT_BYTES, check_columnar,
};
pub use self::error::JobError;
pub use self::format::{
    FormatError, MAX_CBOR_KEYS, MAX_JSON_DEPTH, MAX_JSON_NAMES, OutputFormat, ReaderEnd,
};
pub use self::grants::{
    Grant, GrantSyntaxError, Grants, GrantsError, MAX_ARGUMENT_BYTES, MAX_GRANTS_BYTES,
    MAX_GRANTS_OF_A_KIND, MAX_POWERS,
};
pub use self::json_schema::{
    JsonSchema, JsonSchemaError, MAX_JSON_SCHEMA_BYTES, MAX_SCHEMA_OUTPUT_BYTES,
};
pub use self::limits::{JobLimits, Limit, LimitValues};
pub use self::names::{
    InterpreterAlias, LogicalPath, NameError, PowerName, ReplyQueue, VariableName,
};
pub use self::plan::{
    GrantedPath, JobProgram, Layer, PAYLOAD_ARGUMENT, PAYLOAD_PATH, PayloadDelivery, Plan,
    PlanParts, SCRATCH_PATH,
};
pub use self::policy::{
    Appraisal, FILES_PATH, ImportList, MAX_POLICY_BYTES, MAX_POLICY_ENTRIES, OperatorCommand,
    Permit, Policy, PolicyEntry, PolicyError, PolicyFileError, PolicyInterpreter, PolicyQuestion,
};
pub use self::result::{JobId, JobResult, MAX_RESULT_ERRORS, ResultError, ResultUsage};
