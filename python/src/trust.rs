//! Who is believed.

use std::path::PathBuf;
use std::sync::Arc;

use brine_cli::embed::{TrustNames, trust, trust_in};
use brine_core::{KnownSigners, Signer, TrustAnchors, TrustSource, TrustUnavailable};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::failure::Result;
use crate::fork::detached;
use crate::key::PublicKey;

/// Who is believed, for which contexts and until when.
#[pyclass(frozen, module = "brine")]
pub(crate) struct Trust(pub(crate) Source);

/// A source of trust that others share.
#[derive(Clone)]
pub(crate) struct Source(Arc<dyn TrustSource>);

impl TrustSource for Source {
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        self.0.current()
    }
}

impl Source {
    /// Returns who is believed by the trust file at home.
    pub(crate) fn at_home() -> Result<Self> {
        Ok(Self(trust(TrustNames::default())?))
    }
}

#[pymethods]
impl Trust {
    /// Read a trust file, or an `allowed_signers` file; by default the trust file at home.
    ///
    /// `keys` are what `-p` takes: with them, only these keys are believed. `revoked` names a list of keys that are not
    /// believed. The files are read again when they change.
    #[staticmethod]
    #[pyo3(signature = (path=None, *, keys=Vec::new(), revoked=None, insecure_permissions=false))]
    fn load(
        py: Python<'_>,
        path: Option<PathBuf>,
        keys: Vec<String>,
        revoked: Option<PathBuf>,
        insecure_permissions: bool,
    ) -> Result<Self> {
        let names = TrustNames { public_keys: keys, file: path, revoked, insecure_permissions };
        Ok(Self(Source(detached(py, || trust(names))?)))
    }

    /// Read the text of a trust file.
    #[staticmethod]
    fn parse(text: &str) -> Result<Self> {
        Ok(Self(Source(trust_in(text.as_bytes())?)))
    }

    /// Believe these keys, each under its name, for everything and at any time.
    ///
    /// They are tried in the order of the dictionary where an envelope names none of them.
    #[staticmethod]
    fn of(keys: &Bound<'_, PyDict>) -> PyResult<Self> {
        let signer = |(name, key): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            let key = key.cast_into::<PublicKey>()?;
            Ok(Signer::new(name.extract::<String>()?, key.get().0.clone()))
        };
        let signers: Vec<_> = keys.iter().map(signer).collect::<PyResult<_>>()?;
        Ok(Self(Source(Arc::new(Arc::new(KnownSigners::new(signers))))))
    }

    fn __repr__(&self) -> String {
        let count = self.0.current().map_or(0, |trust| trust.key_count());
        format!("<brine.Trust in {count} key{}>", if count == 1 { "" } else { "s" })
    }
}
