//! Who is believed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brine_cli::embed::{TrustNames, trust, trust_for, trust_in, trust_of};
use brine_core::{TrustAnchors, TrustSource, TrustUnavailable};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::failure::{Failure, Result};
use crate::fork::{detached, working};
use crate::key::{KeyName, PublicKey, wrong_type};

/// Who is believed, for which contexts and until when.
#[pyclass(frozen, module = "brine")]
pub(crate) struct Trust(pub(crate) Source, Origin);

/// Where trust comes from, for a process that finds it again.
enum Origin {
    Files(TrustNames),
    Keys(Vec<(String, PublicKey)>, Option<Vec<String>>),
    Text(String),
}

/// A source of trust that others share.
#[derive(Clone)]
pub(crate) struct Source(Arc<dyn TrustSource>);

impl TrustSource for Source {
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        self.0.current()
    }
}

/// Trust for work during which the process may fork: nobody forks while its locks are held.
#[derive(Clone)]
pub(crate) struct ForkingSource(pub(crate) Source);

impl TrustSource for ForkingSource {
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        let _working = working();
        self.0.current()
    }
}

impl Source {
    /// Returns who is believed by the trust file at home.
    pub(crate) fn at_home() -> Result<Self> {
        Ok(Self(trust(TrustNames::default())?))
    }

    /// Returns who is believed for a context.
    pub(crate) fn for_context(self, context: Option<&str>) -> Self {
        Self(trust_for(context, self.0))
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
        keys: Vec<KeyName>,
        revoked: Option<PathBuf>,
        insecure_permissions: bool,
    ) -> Result<Self> {
        let public_keys = keys.into_iter().map(KeyName::into_text).collect();
        let names = TrustNames { public_keys, file: path, revoked, insecure_permissions };
        let origin = Origin::Files(TrustNames {
            file: absolute(names.file.as_deref())?,
            revoked: absolute(names.revoked.as_deref())?,
            ..names.clone()
        });
        Ok(Self(Source(detached(py, || trust(names))?), origin))
    }

    /// Read the text of a trust file.
    #[staticmethod]
    fn parse(text: &str) -> Result<Self> {
        Ok(Self(Source(trust_in(text.as_bytes())?), Origin::Text(text.to_owned())))
    }

    /// Believe these keys, each under its name, at any time: for everything but code, or for the contexts that one of
    /// the patterns in `contexts` matches.
    ///
    /// They are tried in the order of the dictionary where an envelope names none of them.
    #[staticmethod]
    #[pyo3(signature = (keys, *, contexts=None))]
    fn of(keys: &Bound<'_, PyDict>, contexts: Option<Vec<String>>) -> PyResult<Self> {
        let named = |(name, key): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            let Ok(name) = name.extract::<String>() else {
                return Err(wrong_type("the name of a signer as str", name.as_borrowed()));
            };
            let Ok(key) = key.cast::<PublicKey>() else {
                return Err(wrong_type("a PublicKey, such as key.public", key.as_borrowed()));
            };
            Ok((name, key.get().clone()))
        };
        let keys: Vec<_> = keys.iter().map(named).collect::<PyResult<_>>()?;
        let named = keys.iter().map(|(name, key)| (name.clone(), key.0.clone()));
        let trust = trust_of(named, contexts.as_deref()).map_err(Failure::from)?;
        Ok(Self(Source(trust), Origin::Keys(keys, contexts)))
    }

    /// Files are read again where the pickle is loaded, by absolute paths. Others go along as they are.
    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
        let make = |name| slf.get_type().getattr(name);
        match &slf.get().1 {
            Origin::Keys(keys, contexts) => {
                let dict = PyDict::new(py);
                for (name, key) in keys {
                    dict.set_item(name, key.clone())?;
                }
                let given = PyDict::new(py);
                given.set_item("contexts", contexts)?;
                let partial = py.import("functools")?.getattr("partial")?;
                let of = partial.call((make("of")?,), Some(&given))?;
                Ok((of, (dict,).into_pyobject(py)?.into_any()))
            }
            Origin::Text(text) => Ok((make("parse")?, (text,).into_pyobject(py)?.into_any())),
            Origin::Files(names) => {
                let given = PyDict::new(py);
                given.set_item("path", &names.file)?;
                given.set_item("keys", &names.public_keys)?;
                given.set_item("revoked", &names.revoked)?;
                given.set_item("insecure_permissions", names.insecure_permissions)?;
                let partial = py.import("functools")?.getattr("partial")?;
                let load = partial.call((make("load")?,), Some(&given))?;
                Ok((load, ().into_pyobject(py)?.into_any()))
            }
        }
    }

    fn __repr__(&self) -> String {
        let count = self.0.current().map_or(0, |trust| trust.key_count());
        format!("<brine.Trust in {count} key{}>", if count == 1 { "" } else { "s" })
    }
}

/// Makes a path mean the same in a process that runs elsewhere.
fn absolute(path: Option<&Path>) -> Result<Option<PathBuf>> {
    path.map(std::path::absolute).transpose().map_err(|error| Failure::usage(&error.to_string()))
}
