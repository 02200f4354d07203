//! What signatures say, from what people write.

use std::time::Duration;

use brine_core::{Algorithm, Error, Statement, Timestamp, Unique};

use super::Refused;
use crate::args::value::{parse_content_type, parse_context};
use crate::args::when::{Meaning, When, parse_duration};
use crate::verbs::stated::{Stated, StatedText, called_back};
use crate::world::clock;

/// What signatures say, as people write it.
#[derive(Clone, Debug, Default)]
pub struct StatementText {
    /// A media type, or the number of a CoAP Content-Format.
    pub content_type: Option<String>,
    /// What the signature is for.
    pub context: Option<String>,
    /// When it stops being valid: a time, or a length of time that counts from the signature.
    pub expires: Option<String>,
    /// From when on it is valid.
    pub not_before: Option<String>,
    /// Bytes that are signed together with the payload.
    pub external_aad: Vec<u8>,
}

/// What signatures say. Times that count from the moment of signing are not known yet.
pub struct Statements(Stated);

impl Statements {
    /// Reads what was written, and refuses a signature that nobody can ever accept.
    ///
    /// # Errors
    ///
    /// `usage`, with what is expected instead.
    pub fn read(text: StatementText) -> Result<Self, Refused> {
        let StatementText { content_type, context, expires, not_before, external_aad } = text;
        let content_type = content_type.as_deref().map(self::content_type).transpose()?;
        let context = context.as_deref().map(parse_context).transpose();
        let stated = Stated::of(StatedText {
            algorithm: Algorithm::default(),
            content_type,
            context: context.map_err(|expected| wrong("context", &expected))?,
            expires: expires.map(|text| when("expires", &text)).transpose()?,
            is_plain: false,
            not_before: not_before.map(|text| when("not_before", &text)).transpose()?,
        })?;
        Ok(Self(stated.external_aad(external_aad)))
    }

    /// Returns what a signature says that is made at this moment, under a name of its own. What is signed **must** have
    /// arrived.
    ///
    /// # Errors
    ///
    /// `usage` for a signature that would have expired, and what the system reports.
    pub fn now(&self) -> Result<Statement, Refused> {
        let now = clock::read().map_err(Error::from)?;
        let unique = Unique::draw()?;
        Ok(self.at(now)?.unique(unique))
    }

    /// Returns what a signature says that is made `now`.
    ///
    /// # Errors
    ///
    /// `usage` for a signature that would have expired.
    pub fn at(&self, now: Timestamp) -> Result<Statement, Refused> {
        Ok(self.0.at(now)?)
    }

    /// Does what [`now`](Self::now) does, for the library to call. An error of it becomes the same [`Refused`] again.
    ///
    /// # Errors
    ///
    /// Those of [`now`](Self::now).
    pub fn called_back(&self) -> Result<Statement, Error> {
        let now = clock::read().map_err(Error::from)?;
        Ok(called_back(self.0.at(now))?.unique(Unique::draw()?))
    }
}

impl std::fmt::Debug for Statements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Statements")
    }
}

/// Reads a content type: a media type, or the number of a CoAP Content-Format.
///
/// # Errors
///
/// `usage`, with what is expected instead.
pub fn content_type(text: &str) -> Result<String, Refused> {
    parse_content_type(text).map_err(|expected| wrong("content_type", &expected))
}

/// Reads a length of time, like `90s` or `7d`.
///
/// # Errors
///
/// `usage`, with what is expected instead.
pub fn length(text: &str) -> Result<Duration, Refused> {
    parse_duration(text).map_err(|expected| wrong("length", &expected))
}

/// Reads a moment. A local time has no place in a program that runs on many machines.
pub(super) fn when(name: &str, text: &str) -> Result<When, Refused> {
    let when = When::parse(text).map_err(|expected| wrong(name, &expected))?;
    match when.meaning() {
        Meaning::Local(_) => Err(wrong(name, &format!("{text:?} has no time zone: end it in Z"))),
        _ => Ok(when),
    }
}

/// Says which argument is wrong.
pub(super) fn wrong(name: &str, why: &str) -> Refused {
    Refused::usage(format!("{name}: {why}"))
}
