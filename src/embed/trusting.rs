//! Who is believed, and what time it is.

use std::path::PathBuf;
use std::sync::Arc;

use brine_core::time::ClockBefore1970;
use brine_core::{Clock, KnownSigners, Signer, Timestamp, TrustSource, VerifyingKey};
use brine_trust::{ContextGlob, Scope, Trust, TrustEntry, TrustError};
use jiff::tz::TimeZone;

use super::Refused;
use super::stating::{when, wrong};
use crate::args::PermissionArgs;
use crate::args::judge::TrustArgs;
use crate::report::Failure;
use crate::world::clock::{self, Moment};
use crate::world::watched_trust::WatchedTrust;

/// Who is believed, as people name it. The default is the trust file at home.
#[derive(Clone, Debug, Default)]
pub struct TrustNames {
    /// Keys, as `-p` names them.
    pub public_keys: Vec<String>,
    /// A trust file, as `--trust` names it.
    pub file: Option<PathBuf>,
    /// A list of revoked keys, as `--revoked` names it.
    pub revoked: Option<PathBuf>,
    /// Whether files are accepted that others may write.
    pub insecure_permissions: bool,
}

/// Finds out who is believed. The files are read again when they change.
///
/// # Errors
///
/// What the programs say of such files.
pub fn trust(names: TrustNames) -> Result<Arc<dyn TrustSource>, Refused> {
    let TrustNames { public_keys, file, revoked, insecure_permissions } = names;
    let permissions = PermissionArgs { insecure_permissions };
    let args = TrustArgs { public_keys, trust: file, revoked, permissions };
    Ok(Arc::new(WatchedTrust::resolve(&args)?))
}

/// Reads the text of a trust file, of either form.
///
/// # Errors
///
/// What the programs say of such a file.
pub fn trust_in(text: &[u8]) -> Result<Arc<dyn TrustSource>, Refused> {
    let trust = Trust::parse(text, &TimeZone::system);
    let trust = trust.map_err(|source: TrustError| Failure::TrustFile {
        path: PathBuf::from(IN_MEMORY),
        source,
    })?;
    Ok(Arc::new(Arc::new(trust)))
}

/// Believes these keys, each under its name, at any time: for everything, or for the contexts that these patterns match.
///
/// # Errors
///
/// `usage` for a pattern that is none.
pub fn trust_of(
    keys: impl IntoIterator<Item = (String, VerifyingKey)>,
    contexts: Option<&[String]>,
) -> Result<Arc<dyn TrustSource>, Refused> {
    let signers = keys.into_iter().map(|(name, key)| Signer::new(name, key));
    let Some(contexts) = contexts else {
        return Ok(Arc::new(Arc::new(KnownSigners::new(signers))));
    };
    let globs: Result<Vec<_>, _> = contexts.iter().map(|text| ContextGlob::parse(text)).collect();
    let scope = Scope::Globs(globs.map_err(|error| wrong("contexts", &error.to_string()))?);
    let entries = signers.map(|signer| TrustEntry::new(signer).with_scope(scope.clone()));
    Ok(Arc::new(Arc::new(Trust::new(entries))))
}

/// The clock of the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        clock::read()
    }
}

/// The clock that envelopes are judged by: the system's, or a moment that somebody gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JudgingClock(Moment);

impl JudgingClock {
    /// The clock of the system.
    pub const SYSTEM: Self = Self(Moment::System);

    /// Judges as of a moment, as people write it. One that counts from now does so from this call.
    ///
    /// # Errors
    ///
    /// `usage`, with what is expected instead.
    pub fn given(text: &str) -> Result<Self, Refused> {
        Ok(Self(Moment::resolve(Some(&when("now", text)?))?))
    }

    /// Returns whether it is the clock of the system.
    #[must_use]
    pub fn is_system(self) -> bool {
        self == Self::SYSTEM
    }

    /// Returns what verdicts call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0.name()
    }
}

impl Clock for JudgingClock {
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        self.0.now()
    }
}

/// What verdicts call the clock of the system.
pub(super) const SYSTEM: &str = Moment::System.name();

/// What a trust file without a name is called.
const IN_MEMORY: &str = "trust";
