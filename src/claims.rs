//! The claims set of an envelope (RFC 8392, carried as RFC 9597 says), and time.

use std::fmt;
use std::time::{Duration, SystemTime};

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::fmt::temporal::{Pieces, PiecesOffset};

use crate::cbor::{Decoder, Encoder, Flaw, Kind, Malformed};
use crate::error::{Error, Result};

/// How far two clocks may disagree when `exp`, `nbf` and `iat` are judged.
pub const LEEWAY: Duration = Duration::from_secs(60);

/// A moment in whole seconds since 1970-01-01T00:00:00Z, up to [`MAX`](Self::MAX) (NumericDate, RFC
/// 8392, Section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// 9999-12-31T23:59:59Z.
    pub const MAX: Self = Self(253_402_300_799);

    /// Returns the moment `seconds` after 1970, or `None` beyond [`MAX`](Self::MAX).
    #[must_use]
    pub const fn from_unix(seconds: u64) -> Option<Self> {
        if seconds <= Self::MAX.0 { Some(Self(seconds)) } else { None }
    }

    /// Returns the reading of a clock, rounded down to the second.
    ///
    /// # Errors
    ///
    /// [`Error::ClockBefore1970`].
    pub fn from_system(clock: SystemTime) -> Result<Self> {
        let since = clock.duration_since(SystemTime::UNIX_EPOCH);
        let seconds = since.map_err(|_| Error::ClockBefore1970)?.as_secs();
        Ok(Self(seconds.min(Self::MAX.0)))
    }

    /// Reads an RFC 3339 date and time, as in `2026-11-21T08:30:00Z`.
    ///
    /// Counted by hand, because [`jiff::Timestamp`] ends a day before the year 9999 does.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let pieces =
            Pieces::parse(text).ok().filter(|pieces| pieces.time_zone_annotation().is_none());
        let pieces = pieces?;
        let offset = match pieces.offset()? {
            PiecesOffset::Numeric(numeric) => i64::from(numeric.offset().seconds()),
            PiecesOffset::Zulu => 0,
            _ => return None,
        };
        let local = pieces.date().to_datetime(pieces.time()?).duration_since(EPOCH);
        Self::from_unix(u64::try_from(local.as_secs().checked_sub(offset)?).ok()?)
    }

    /// Returns the seconds since 1970.
    #[must_use]
    pub const fn unix(self) -> u64 {
        self.0
    }

    /// Returns the moment `duration` later, at most [`MAX`](Self::MAX).
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration.as_secs()).min(Self::MAX.0))
    }

    /// Returns the moment `duration` earlier, at least 1970.
    #[must_use]
    pub const fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration.as_secs()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = SignedDuration::from_secs(i64::try_from(self.0).unwrap_or(i64::MAX));
        match EPOCH.checked_add(since) {
            Ok(moment) => write!(f, "{moment}Z"),
            Err(_) => write!(f, "{} s", self.0),
        }
    }
}

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// What a claims set says (RFC 8392, Section 3.1).
///
/// ```cddl
/// claims = { ? 1 => tstr, ? 2 => tstr, ? 3 => tstr / [+ tstr], ? 4 => uint, ? 5 => uint,
///            ? 6 => uint, ? 7 => bstr, * (int / tstr) => any }
/// ```
///
/// Dates are whole seconds: floats and tags are refused, as everywhere in a header that brine acts
/// on. Claims that brine does not know are left alone.
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
}

impl<'a> Claims<'a> {
    /// Reads a claims map whose form has been checked already.
    ///
    /// # Errors
    ///
    /// [`Error::ClaimRange`] for a value of the wrong type or outside its range;
    /// [`Error::Malformed`] if it is not a map or a key is neither an integer nor text.
    pub(crate) fn decode(map: &'a [u8]) -> Result<Self> {
        let mut claims = Self::default();
        let mut decoder = Decoder::new(map);
        for _ in 0..decoder.map()? {
            if decoder.peek()? == Kind::Text {
                decoder.text()?;
                decoder.skip()?;
                continue;
            }
            let key = decoder.int()?;
            claims.set(key, Decoder::new(decoder.skip()?))?;
        }
        Ok(claims)
    }

    fn set(&mut self, key: i64, mut value: Decoder<'a>) -> Result<()> {
        match key {
            1 => self.issuer = Some(value.text().map_err(|_| range("iss"))?),
            2 => self.subject = Some(value.text().map_err(|_| range("sub"))?),
            3 => self.audience = Some(Audience::decode(value).map_err(|_| range("aud"))?),
            4 => self.expires = Some(date(value, "exp")?),
            5 => self.not_before = Some(date(value, "nbf")?),
            6 => self.issued_at = Some(date(value, "iat")?),
            7 => self.cti = Some(value.bytes().map_err(|_| range("cti"))?),
            _ => {}
        }
        Ok(())
    }

    /// Writes the claims that brine signs, sorted by key.
    pub(crate) fn encode(&self, encoder: &mut Encoder) {
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
            if let Some(Timestamp(seconds)) = date {
                encoder.int(key).int(i64::try_from(seconds).unwrap_or(i64::MAX));
            }
        }
        if let Some(cti) = self.cti {
            encoder.int(7).bytes(cti);
        }
    }

    /// Judges `exp`, `nbf` and `iat` at `now`, with [`LEEWAY`].
    ///
    /// # Errors
    ///
    /// [`Error::Expired`], [`Error::NotYetValid`], [`Error::IssuedInFuture`]; with a `max_age` also
    /// [`Error::TooOld`] and [`Error::IssuedAtMissing`].
    pub(crate) fn judge_time(&self, now: Timestamp, max_age: Option<Duration>) -> Result<()> {
        if let Some(at) = self.expires
            && now >= at.plus(LEEWAY)
        {
            return Err(Error::Expired { at });
        }
        if let Some(at) = self.not_before
            && now.plus(LEEWAY) < at
        {
            return Err(Error::NotYetValid { at });
        }
        if let Some(at) = self.issued_at
            && now.plus(LEEWAY) < at
        {
            return Err(Error::IssuedInFuture { at });
        }
        let Some(max_age) = max_age else { return Ok(()) };
        let at = self.issued_at.ok_or(Error::IssuedAtMissing)?;
        if now.minus(LEEWAY) > at.plus(max_age) {
            return Err(Error::TooOld { at, max_seconds: max_age.as_secs() });
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
    /// [`Error::ContextMissing`], [`Error::ContextUnexpected`], [`Error::ContextMismatch`].
    pub(crate) fn judge_context<'c>(&self, wanted: Option<&'c str>) -> Result<Option<&'c str>> {
        match (self.audience, wanted) {
            (None, None) => Ok(None),
            (None, Some(wanted)) => Err(Error::ContextMissing { expected: wanted.to_owned() }),
            (Some(found), None) => Err(Error::ContextUnexpected { found: found.to_string() }),
            (Some(found), Some(wanted)) if found.contains(wanted) => Ok(Some(wanted)),
            (Some(found), Some(wanted)) => Err(Error::ContextMismatch {
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
    fn decode(mut value: Decoder<'a>) -> Result<Self, Malformed> {
        if value.peek()? == Kind::Text {
            return value.text().map(Self::One);
        }
        let mut items = value;
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

fn date(mut value: Decoder<'_>, claim: &'static str) -> Result<Timestamp> {
    let seconds = value.int().ok().and_then(|seconds| u64::try_from(seconds).ok());
    seconds.and_then(Timestamp::from_unix).ok_or_else(|| range(claim))
}

const fn range(claim: &'static str) -> Error {
    Error::ClaimRange { claim }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix(seconds).unwrap()
    }

    #[test]
    fn dates_are_whole_seconds_of_four_digit_years() {
        let cases: &[(&[u8], Option<u64>)] = &[
            (b"\xa1\x06\x00", Some(0)),
            (b"\xa1\x06\x1b\x00\x00\x00\x3a\xff\xf4\x41\x7f", Some(253_402_300_799)),
            (b"\xa1\x06\x1b\x00\x00\x00\x3a\xff\xf4\x41\x80", None),
            (b"\xa1\x06\x20", None),                 // -1
            (b"\xa1\x06\xf9\x7e\x00", None),         // NaN
            (b"\xa1\x06\xf9\x7c\x00", None),         // Infinity
            (b"\xa1\x06\xfa\x4f\x00\x00\x00", None), // a float that is whole
            (b"\xa1\x06\xc1\x00", None),             // tag 1
            (b"\xa1\x06\xc2\x41\x01", None),         // a bignum
            (b"\xa1\x06\x6a2026-11-21", None),
            (b"\xa1\x06\xf6", None),
        ];
        for (map, expected) in cases {
            match (Claims::decode(map), expected) {
                (Ok(claims), Some(seconds)) => assert_eq!(claims.issued_at, Some(at(*seconds))),
                (Err(Error::ClaimRange { claim: "iat" }), None) => {}
                (other, _) => panic!("{map:02x?}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let claims = Claims {
            audience: Some(Audience::One("reports/daily")),
            cti: Some(&[7; 16]),
            expires: Some(at(3)),
            issued_at: Some(at(1)),
            not_before: Some(at(2)),
            ..Claims::default()
        };
        let mut encoder = Encoder::new();
        claims.encode(&mut encoder);
        let bytes = encoder.into_bytes();
        assert_eq!(bytes.first(), Some(&0xa5));
        assert_eq!(Claims::decode(&bytes).unwrap(), claims);
    }

    #[test]
    fn an_array_of_audiences_must_contain_the_context() {
        let claims = Claims::decode(b"\xa1\x03\x82\x61a\x61b").unwrap();
        assert_eq!(claims.judge_context(Some("b")).unwrap(), Some("b"));
        assert_eq!(claims.judge_context(Some("c")).unwrap_err().reason(), "context-mismatch");
        assert_eq!(claims.judge_context(Some("a, b")).unwrap_err().reason(), "context-mismatch");
        assert_eq!(claims.judge_context(None).unwrap_err().reason(), "context-unexpected");
        let mixed = Claims::decode(b"\xa1\x03\x82\x61a\x01").unwrap_err();
        assert_eq!(mixed.reason(), "claim-range");
    }

    #[test]
    fn times_are_judged_with_a_minute_of_leeway_and_no_more() {
        let leeway = LEEWAY.as_secs();
        let now = at(10_000);
        let judge = |claims: Claims<'_>, age: Option<u64>| {
            claims.judge_time(now, age.map(Duration::from_secs)).map_err(|e| e.reason())
        };
        let none = Claims::default();
        let expires = |s| Claims { expires: Some(at(s)), ..none };
        let starts = |s| Claims { not_before: Some(at(s)), ..none };
        let issued = |s| Claims { issued_at: Some(at(s)), ..none };
        assert_eq!(judge(expires(10_000 - leeway + 1), None), Ok(()));
        assert_eq!(judge(expires(10_000 - leeway), None), Err("expired"));
        assert_eq!(judge(starts(10_000 + leeway), None), Ok(()));
        assert_eq!(judge(starts(10_000 + leeway + 1), None), Err("not-yet-valid"));
        assert_eq!(judge(issued(10_000 + leeway), None), Ok(()));
        assert_eq!(judge(issued(10_000 + leeway + 1), None), Err("issued-in-future"));
        assert_eq!(judge(issued(9_000 - leeway), Some(1_000)), Ok(()));
        assert_eq!(judge(issued(9_000 - leeway - 1), Some(1_000)), Err("too-old"));
        assert_eq!(judge(none, Some(1_000)), Err("issued-at-missing"));
    }

    #[test]
    fn a_clock_before_1970_is_an_error() {
        let clock = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from_system(clock).unwrap_err().reason(), "clock-before-1970");
    }

    #[test]
    fn timestamps_print_and_read_as_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_790_000_000, "2026-09-21T14:13:20Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(at(seconds).to_string(), text);
            assert_eq!(Timestamp::parse_rfc3339(text), Some(at(seconds)));
        }
        let offset = Timestamp::parse_rfc3339("2026-09-21T16:13:20.9+02:00");
        assert_eq!(offset, Some(at(1_790_000_000)));
        for text in ["1969-12-31T23:59:59Z", "2026-11-21", "2026-11-21T00:00:00", "now", ""] {
            assert_eq!(Timestamp::parse_rfc3339(text), None, "{text}");
        }
    }
}
