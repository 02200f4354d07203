//! One thing that was looked at.

use serde::Serialize;

use crate::report::Failure;
use crate::report::exit::Status;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) state: State,
    /// What it means for the person.
    pub(super) message: String,
    /// What to type.
    pub(super) hint: Option<String>,
    /// How a command ends that needs it.
    #[serde(skip)]
    pub(super) status: Status,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// All is there.
    Ok,
    /// It works in part.
    Limited,
    /// It does not work.
    Missing,
}

impl State {
    /// The length of the longest name.
    pub(super) const WIDTH: usize = 7;

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Limited => "limited",
            Self::Missing => "missing",
        }
    }
}

impl Check {
    pub(super) fn ok(name: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { name, state: State::Ok, message, hint: None, status: Status::Done }
    }

    pub(super) fn limited(name: &'static str, message: impl Into<String>) -> Self {
        Self { state: State::Limited, ..Self::ok(name, message) }
    }

    pub(super) fn missing(name: &'static str, status: Status, message: impl Into<String>) -> Self {
        Self { state: State::Missing, status, ..Self::ok(name, message) }
    }

    /// Says what a command would say that fails for want of it.
    pub(super) fn failed(name: &'static str, failure: &Failure) -> Self {
        let hint = failure.hint();
        Self { hint, ..Self::missing(name, failure.status(), failure.to_string()) }
    }

    /// Says what to type.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}
