//! The claims set of an envelope (RFC 8392, carried as RFC 9597 says).

use std::fmt;
use std::time::Duration;

use crate::cbor::{Decoder, Encoder, Flaw, IntOrText, ItemType, Malformed};
use crate::class::{Class, Classified};
use crate::text::{duration, quoted};
use crate::time::{LEEWAY, Timestamp};

/// What a claims set says (RFC 8392, Section 3.1).
///
/// ```cddl
/// claims = { ? 1 => tstr, ? 2 => tstr, ? 3 => tstr / [+ tstr], ? 4 => date, ? 5 => date,
///            ? 6 => date, ? 7 => bstr, * (int / tstr) => any }
/// date = uint / float
/// ```
///
/// Dates are read to the second: a fraction is left off, as it is of a clock. What stands in the place of a date
/// and is none is remembered, and [refused](Self::judge_time) when time is judged. Claims that brine does not know
/// are left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims<'a> {
    /// `aud` (3): what the signature is for.
    pub audience: Option<Audience<'a>>,
    /// `cti` (7): a unique name of this signature.
    pub cti: Option<&'a [u8]>,
    /// `exp` (4): when the signature stops being valid.
    pub expires: Option<Timestamp>,
    /// `iat` (6): when the signer says that it was made.
    pub issued_at: Option<Timestamp>,
    /// `iss` (1): who the signer says it is.
    pub issuer: Option<&'a str>,
    /// `nbf` (5): when the signature starts being valid.
    pub not_before: Option<Timestamp>,
    /// `sub` (2): what the signer says it is about.
    pub subject: Option<&'a str>,
    /// The name of a claim that should be a date and is none, so that time cannot be judged.
    pub undated: Option<&'static str>,
}

impl<'a> Claims<'a> {
    /// Reads a claims map whose form has been checked already.
    ///
    /// # Errors
    ///
    /// - [`ClaimsFlaw::Range`] for a value of the wrong type or outside its range;
    /// - [`ClaimsFlaw::Malformed`] if it is not a map or a key is neither an integer nor text.
    pub fn decode(map: &'a [u8]) -> Result<Self, ClaimsFlaw> {
        let mut claims = Self::default();
        let mut decoder = Decoder::new(map);
        for _ in 0..decoder.map()? {
            match decoder.int_or_text()? {
                IntOrText::Int(key) => claims.read(key, &mut decoder)?,
                IntOrText::Text(_) => drop(decoder.skip()?),
            }
        }
        Ok(claims)
    }

    /// Reads the value of a claim, which is the next item.
    fn read(&mut self, key: i64, value: &mut Decoder<'a>) -> Result<(), ClaimsFlaw> {
        match key {
            1 => self.issuer = Some(value.text().map_err(|_| range("iss"))?),
            2 => self.subject = Some(value.text().map_err(|_| range("sub"))?),
            3 => self.audience = Some(Audience::decode(value).map_err(|_| range("aud"))?),
            4 => self.expires = self.date(value, "exp")?,
            5 => self.not_before = self.date(value, "nbf")?,
            6 => self.issued_at = self.date(value, "iat")?,
            7 => self.cti = Some(value.bytes().map_err(|_| range("cti"))?),
            _ => drop(value.skip()?),
        }
        Ok(())
    }

    /// Reads a date (NumericDate, RFC 8392, Section 2), or remembers that it is none.
    ///
    /// The signer wrote it: that it cannot be judged is no reason to call the envelope altered.
    fn date(
        &mut self,
        value: &mut Decoder<'_>,
        claim: &'static str,
    ) -> Result<Option<Timestamp>, Malformed> {
        let date = match value.whole_number() {
            Ok(seconds) => seconds.and_then(Timestamp::from_unix),
            Err(_) => value.skip().map(|_| None)?,
        };
        if date.is_none() {
            self.undated = Some(claim);
        }
        Ok(date)
    }

    /// Writes the claims that brine signs, sorted by key.
    pub(crate) fn encode<'e>(&self, encoder: &'e mut Encoder) -> &'e mut Encoder {
        let dates = [(4, self.expires), (5, self.not_before), (6, self.issued_at)];
        let audience = match self.audience {
            Some(Audience::One(context)) => Some(context),
            Some(Audience::Many(_)) | None => None,
        };
        let pairs = usize::from(audience.is_some())
            + dates.iter().filter(|(_, date)| date.is_some()).count()
            + usize::from(self.cti.is_some());
        encoder.map(u64::try_from(pairs).unwrap_or(u64::MAX));
        if let Some(context) = audience {
            encoder.int(3).text(context);
        }
        for (key, date) in dates {
            if let Some(date) = date {
                encoder.int(key).uint(date.unix());
            }
        }
        match self.cti {
            Some(cti) => encoder.int(7).bytes(cti),
            None => encoder,
        }
    }

    /// Judges `exp`, `nbf` and `iat` at `now`, with [`LEEWAY`], and `max_age` without.
    ///
    /// # Errors
    ///
    /// [`ClaimsError::Date`], [`ClaimsError::Expired`], [`ClaimsError::NotYetValid`],
    /// [`ClaimsError::IssuedInFuture`]; with a `max_age` also [`ClaimsError::TooOld`] and
    /// [`ClaimsError::IssuedAtMissing`].
    pub fn judge_time(&self, now: Timestamp, max_age: Option<Duration>) -> Result<(), ClaimsError> {
        if let Some(claim) = self.undated {
            return Err(ClaimsError::Date { claim });
        }
        if let Some(at) = self.expires
            && now >= at.plus(LEEWAY)
        {
            return Err(ClaimsError::Expired { at });
        }
        if let Some(at) = self.not_before
            && now.plus(LEEWAY) < at
        {
            return Err(ClaimsError::NotYetValid { at });
        }
        if let Some(at) = self.issued_at
            && now.plus(LEEWAY) < at
        {
            return Err(ClaimsError::IssuedInFuture { at });
        }
        let Some(max_age) = max_age else { return Ok(()) };
        let at = self.issued_at.ok_or(ClaimsError::IssuedAtMissing)?;
        if now > at.plus(max_age) {
            return Err(ClaimsError::TooOld { at, max_seconds: max_age.as_secs() });
        }
        Ok(())
    }

    /// Judges the context that the verifier names against the one that was signed.
    ///
    /// If either names one, both must, and equal to the byte; an `aud` array must contain it.
    /// Returns the context that both agree on.
    ///
    /// # Errors
    ///
    /// [`ClaimsError::ContextMissing`], [`ClaimsError::ContextUnexpected`], [`ClaimsError::ContextMismatch`].
    pub(crate) fn judge_context<'c>(
        &self,
        wanted: Option<&'c str>,
    ) -> Result<Option<&'c str>, ClaimsError> {
        match (self.audience, wanted) {
            (None, None) => Ok(None),
            (None, Some(wanted)) => {
                Err(ClaimsError::ContextMissing { expected: wanted.to_owned() })
            }
            (Some(found), None) => Err(ClaimsError::ContextUnexpected { found: found.to_string() }),
            (Some(found), Some(wanted)) if found.contains(wanted) => Ok(Some(wanted)),
            (Some(found), Some(wanted)) => Err(ClaimsError::ContextMismatch {
                expected: wanted.to_owned(),
                found: found.to_string(),
            }),
        }
    }
}

/// The `aud` claim (RFC 8392, Section 3.1.3): one name or several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience<'a> {
    /// Several names, as the CBOR array that holds them.
    Many(&'a [u8]),
    /// One name: a context.
    One(&'a str),
}

impl<'a> Audience<'a> {
    fn decode(value: &mut Decoder<'a>) -> Result<Self, Malformed> {
        if value.peek()? == ItemType::Text {
            return value.text().map(Self::One);
        }
        let mut items = *value;
        let count = items.array()?;
        if count == 0 {
            return Err(Malformed::new(0, Flaw::ArrayLength { expected: 1, found: 0 }));
        }
        for _ in 0..count {
            items.text()?;
        }
        value.skip().map(Self::Many)
    }

    /// Returns the names, in the order they were signed.
    pub fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let (one, many) = match *self {
            Self::One(name) => (Some(name), None),
            Self::Many(array) => (None, Some(Decoder::new(array))),
        };
        let many = many.and_then(|mut items| items.array().ok().map(|count| (items, count)));
        let many = many
            .into_iter()
            .flat_map(|(mut items, count)| (0..count).map_while(move |_| items.text().ok()));
        one.into_iter().chain(many)
    }

    /// Returns whether `name` is among the names, equal to the byte.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.names().any(|one| one == name)
    }
}

impl fmt::Display for Audience<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            write!(f, "{}{name}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

const fn range(claim: &'static str) -> ClaimsFlaw {
    ClaimsFlaw::Range { claim }
}

/// What is wrong with the form of a claims set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsFlaw {
    /// It is not a map, or has a key that is neither an integer nor text.
    #[error("claims are malformed: {0}")]
    Malformed(#[from] Malformed),
    /// A claim is of the wrong type or outside its range (RFC 8392, Section 3.1).
    #[error("claim {claim} is out of range or of the wrong type")]
    Range {
        /// The claim's name, as in RFC 8392.
        claim: &'static str,
    },
}

impl ClaimsFlaw {
    /// Returns the short name that stands in JSON verdicts.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(malformed) => malformed.reason(),
            Self::Range { .. } => "claim-range",
        }
    }
}

/// Why context or time of a signature does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimsError {
    /// The signature is for another context.
    #[error("signature is for context {}, not {}", quoted(.found), quoted(.expected))]
    ContextMismatch {
        /// The context that the verifier named.
        expected: String,
        /// The context that was signed.
        found: String,
    },
    /// The verifier names a context and the signature has none.
    #[error("signature has no context, {} is required", quoted(.expected))]
    ContextMissing {
        /// The context that the verifier named.
        expected: String,
    },
    /// The signature names a context and the verifier none.
    #[error("signature is for context {}, which was not asked for", quoted(.found))]
    ContextUnexpected {
        /// The context that was signed.
        found: String,
    },
    /// A claim is no date that can be judged: not a number, before 1970 or after the year 9999, infinite, or inside
    /// a tag (RFC 8392, Section 2).
    #[error(
        "claim {claim} is not a date: it must be a number of seconds from 1970 to 9999, without a tag"
    )]
    Date {
        /// The claim's name, as in RFC 8392.
        claim: &'static str,
    },
    /// `exp` has passed (RFC 8392, Section 3.1.4).
    #[error("signature expired at {at}")]
    Expired {
        /// The `exp` claim.
        at: Timestamp,
    },
    /// A maximum age was set and the signature has no `iat`.
    #[error("signature has no issue time, and a maximum age is required")]
    IssuedAtMissing,
    /// `iat` lies in the future.
    #[error("signature was issued at {at}, which is in the future")]
    IssuedInFuture {
        /// The `iat` claim.
        at: Timestamp,
    },
    /// `nbf` has not come yet (RFC 8392, Section 3.1.5).
    #[error("signature is not valid before {at}")]
    NotYetValid {
        /// The `nbf` claim.
        at: Timestamp,
    },
    /// `iat` is further back than the maximum age.
    #[error("signature was issued at {at}, more than {} ago", duration(*.max_seconds))]
    TooOld {
        /// The `iat` claim.
        at: Timestamp,
        /// The maximum age, in seconds.
        max_seconds: u64,
    },
}

impl Classified for ClaimsError {
    fn class(&self) -> Class {
        Class::Untrusted
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::ContextMismatch { .. } => "context-mismatch",
            Self::ContextMissing { .. } => "context-missing",
            Self::ContextUnexpected { .. } => "context-unexpected",
            Self::Date { .. } => "claim-date",
            Self::Expired { .. } => "expired",
            Self::IssuedAtMissing => "issued-at-missing",
            Self::IssuedInFuture { .. } => "issued-in-future",
            Self::NotYetValid { .. } => "not-yet-valid",
            Self::TooOld { .. } => "too-old",
        }
    }
}

#[cfg(test)]
mod tests;
