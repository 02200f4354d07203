//! What a signature says, as it was typed.

use std::io;

use brine_core::{Algorithm, Error, Statement, SystemError, Timestamp};

use crate::args::sign::Sign;
use crate::args::when::When;
use crate::report::Failure;
use crate::world::clock;
use crate::world::local_time::TimePoint;

/// Says what a signature says that is made at the moment of the call. It is called when what is signed has arrived.
pub(super) type State<'a> = &'a dyn Fn() -> Result<Statement, Failure>;

/// What signatures say. Times that are counted from the moment of signing are not known yet.
pub(super) struct Stated {
    algorithm: Algorithm,
    content_type: Option<String>,
    context: Option<String>,
    expires: Option<TimePoint>,
    external_aad: Vec<u8>,
    is_plain: bool,
    not_before: Option<TimePoint>,
}

impl Stated {
    /// Takes what was typed, and refuses a signature that nobody can ever accept, before anything is waited for.
    pub(super) fn resolve(args: &Sign) -> Result<Self, Failure> {
        let resolve = |when: &Option<When>| when.as_ref().map(TimePoint::resolve).transpose();
        let stated = Self {
            algorithm: args.alg.into(),
            content_type: args.content_type.clone(),
            context: args.context.clone(),
            expires: resolve(&args.expires)?,
            external_aad: Vec::new(),
            is_plain: args.plain,
            not_before: resolve(&args.not_before)?,
        };
        stated.refuse_empty_window(clock::read()?)?;
        Ok(stated)
    }

    /// Signs these bytes as well.
    pub(super) fn external_aad(self, external_aad: Vec<u8>) -> Self {
        Self { external_aad, ..self }
    }

    /// Returns what a signature says that is made at this moment. What is signed **must** have arrived, and the key
    /// be open.
    pub(super) fn now(&self) -> Result<Statement, Failure> {
        self.at(clock::read()?)
    }

    /// Does the same for the library, which calls back. `Failure::reading` finds the failure again.
    pub(super) fn now_called_back(&self) -> Result<Statement, Error> {
        called_back(self.now())
    }

    /// Returns for the library what a signature says that is made `now`.
    pub(super) fn at_called_back(&self, now: Timestamp) -> Result<Statement, Error> {
        called_back(self.at(now))
    }

    fn at(&self, now: Timestamp) -> Result<Statement, Failure> {
        // The input may have been waited for until then.
        self.refuse_empty_window(now)?;
        let mut statement = if self.is_plain { Statement::plain() } else { Statement::at(now) };
        if let Some(content_type) = &self.content_type {
            statement = statement.content_type(content_type);
        }
        if let Some(context) = &self.context {
            statement = statement.context(context);
        }
        if let Some(expires) = self.expires {
            statement = statement.expires(expires.from(now));
        }
        if let Some(not_before) = self.not_before {
            statement = statement.not_before(not_before.from(now));
        }
        Ok(statement.algorithm(self.algorithm).external_aad(self.external_aad.as_slice()))
    }

    fn refuse_empty_window(&self, now: Timestamp) -> Result<(), Failure> {
        let at = |point: Option<TimePoint>| point.map(|point| point.from(now));
        match (at(self.not_before), at(self.expires)) {
            (_, Some(expires)) if expires <= now => {
                Err(Failure::usage(format!("--expires {expires} has passed already")))
            }
            (Some(start), Some(end)) if end <= start => {
                Err(Failure::usage(format!("--expires {end} is not after --not-before {start}")))
            }
            _ => Ok(()),
        }
    }
}

fn called_back(stated: Result<Statement, Failure>) -> Result<Statement, Error> {
    stated.map_err(|failure| SystemError::Input(io::Error::other(failure)).into())
}
