//! Who is trusted, as the files say now.

use std::path::PathBuf;
use std::sync::Arc;

use brine_core::{Class, TrustAnchors, TrustSource, TrustUnavailable};
use brine_trust::Trust;

use super::home::Home;
use super::named_key::{self, Named};
use super::statements::statements_path;
use super::watched::Watched;
use crate::args::judge::TrustArgs;
use crate::report::Failure;

/// Whom to believe: what `-p`, `--trust` and `--revoked` name, else the default trust file. The files are read
/// again when they change.
#[derive(Clone)]
pub(crate) struct WatchedTrust(Arc<Watched<Trust>>);

impl WatchedTrust {
    /// Reads what the options name.
    pub(crate) fn resolve(args: &TrustArgs) -> Result<Self, Failure> {
        let (files, args) = (files(args), args.clone());
        let rule = args.permissions;
        let trust = Watched::new(files, rule, move |files| named_key::trust(&args, files))?;
        Ok(Self(Arc::new(trust)))
    }

    /// Returns what the files say now.
    pub(crate) fn read(&self) -> Result<Arc<Trust>, Failure> {
        self.0.current()
    }
}

impl TrustSource for WatchedTrust {
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        match self.read() {
            Ok(trust) => Ok(trust),
            Err(failure) => Err(TrustUnavailable::new(Class::Key, failure.reason(), failure)),
        }
    }
}

/// Returns all files that say who is trusted, there or not. Whatever is wrong with a name is said where it is read.
fn files(args: &TrustArgs) -> Vec<PathBuf> {
    let home = Home::find().ok();
    let default = home.as_ref().map(Home::trust_file);
    let named = args.public_keys.iter().filter_map(|text| match Named::parse(text).ok()? {
        Named::File(path) => Some(path),
        Named::Name(name) => home.as_ref().map(|home| home.public_key(&name)),
        Named::Agent(_) | Named::OpenSsh(_) => None,
    });
    let trust = args.trust.clone().or(default);
    // All of them from the beginning, or what is read would be read again.
    let kept = trust.as_deref().map(statements_path);
    named.chain(trust).chain(kept).chain(args.revoked.clone()).collect()
}
