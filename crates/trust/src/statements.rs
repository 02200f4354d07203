//! Statements: what somebody says about keys to everybody who trusts them, signed.
//!
//! An [`UnverifiedStatement`] is read from an envelope. [`Trust::judge_statement`](crate::Trust::judge_statement) finds out
//! whether its signer may say that, and [`KeptStatements`] is what is remembered of all that was taken: the file beside a
//! trust file. [`Trust::with_statements`](crate::Trust::with_statements) has what they revoke count.

mod error;
mod form;
mod judging;
mod kept;
mod stated;
mod unverified;

pub use self::error::StatementError;
pub use self::form::{MAX_LOSS_REASON_BYTES, RevocationStatement, RevokedKey, RotationStatement};
pub use self::judging::{MAX_AHEAD, Successors, VerifiedStatement};
pub use self::kept::{KeptStatements, MAX_SIGNER_LIST_BYTES, MAX_STRANGERS_BYTES, Taken};
pub use self::stated::StatedList;
pub use self::unverified::{Said, UnverifiedStatement};
