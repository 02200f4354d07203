//! Jobs: what a signer asks for, what an operator allows, and the plan that follows from both.
//!
//! [`Grants`] stand in the signed header of a job, a [`Policy`] in a file of the operator's, and
//! [`Policy::plan`] makes the [`Plan`] of the two: never more than either says.

pub mod describe;
pub mod format;
pub mod grants;
pub mod limits;
pub mod plan;
pub mod policy;

mod amount;
mod error;
mod names;

pub use self::error::JobError;
pub use self::format::Format;
pub use self::grants::{Grant, Grants, GrantsError};
pub use self::limits::{Bounds, Limit};
pub use self::names::{Alias, LogicalPath, NameError, VariableName};
pub use self::plan::Plan;
pub use self::policy::{Policy, PolicyError, PolicyFileError};
