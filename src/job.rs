//! Jobs: what a signer asks for, what an operator allows, and the plan that follows from both.

pub mod format;
pub mod plan;
