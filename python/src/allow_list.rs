//! What pickles may import.

use brine_cli::embed::{allow_list, refusal_of_bare_pickle, refusal_of_pickle};
use brine_pickle::{PickleImport, ScanOptions, scan};
use pyo3::prelude::*;

use crate::buffer::Frozen;
use crate::failure::{Failure, Result};
use crate::fork::detached;

/// The names that pickles may import: exact pairs of a module and a name in it.
#[pyclass(frozen, module = "brine")]
#[derive(Debug)]
pub(crate) struct AllowList(brine_pickle::AllowList);

#[pymethods]
impl AllowList {
    /// Put a list together. Each text is `std`, `numpy`, or lines such as `collections:OrderedDict`.
    #[new]
    #[pyo3(signature = (*texts))]
    fn new(texts: Vec<String>) -> Result<Self> {
        Ok(Self(allow_list(&texts)?))
    }

    /// Return whether a pair is on the list.
    fn allows(&self, module: &str, name: &str) -> bool {
        self.0.allows(module, name)
    }

    /// Return whether a pair is on the list, and brine's own rule for it is lifted.
    fn allows_anything(&self, module: &str, name: &str) -> bool {
        self.0.allows_anything(module, name)
    }

    /// Follow a pickle without loading it. Raise if it imports, calls or builds what the list does not allow.
    ///
    /// Return the imports, each as `module:name`.
    #[pyo3(signature = (pickle, *, name="pickle"))]
    fn scan(&self, py: Python<'_>, pickle: Frozen, name: &str) -> Result<Vec<String>> {
        let report = detached(py, || scan(&pickle, &ScanOptions::new(&self.0)));
        match refusal_of_pickle(name, &report) {
            Some(refused) => Err(Failure::from(refused)),
            None => Ok(report.imports.iter().map(ToString::to_string).collect()),
        }
    }

    /// Follow bytes that a loader of pickles is to read. Raise as `scan` does, and if they are an archive or compressed.
    ///
    /// Return what a loader of Python 3 imports, as pairs of a module and a name.
    #[pyo3(signature = (pickle, *, name="pickle"))]
    fn scan_bare(
        &self,
        py: Python<'_>,
        pickle: Frozen,
        name: &str,
    ) -> Result<Vec<(String, String)>> {
        let report = detached(py, || scan(&pickle, &ScanOptions::new(&self.0)));
        match refusal_of_bare_pickle(name, &report) {
            Some(refused) => Err(Failure::from(refused)),
            None => Ok(report.imports.into_iter().map(loaded).collect()),
        }
    }

    /// Return the pair that a loader of Python 3 imports for a name in a pickle of this protocol.
    ///
    /// It is `None` if one of the two names is not on the list.
    fn resolve(&self, module: &str, name: &str, protocol: u8) -> Option<(String, String)> {
        self.0.resolve(module, name, protocol)
    }

    /// Return the pairs through which a pickle can reach what is not on the list, as far as they are known.
    fn gadgets(&self) -> Vec<(String, String)> {
        self.0.gadgets().map(own).collect()
    }

    /// Return the lines that make the same list again.
    fn lines(&self) -> String {
        let line = |(module, name): (&str, &str)| {
            let any = if self.0.allows_anything(module, name) { " any" } else { "" };
            format!("{module}:{name}{any}\n")
        };
        self.0.iter().map(line).collect()
    }

    /// Return all pairs, sorted.
    fn pairs(&self) -> Vec<(String, String)> {
        self.0.iter().map(own).collect()
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> (Py<PyAny>, (String,)) {
        (slf.get_type().into_any().unbind(), (slf.get().lines(),))
    }

    fn __repr__(&self) -> String {
        format!("<brine.AllowList of {} names>", self.0.iter().count())
    }
}

fn loaded(import: PickleImport) -> (String, String) {
    match import.mapped {
        Some(mapped) => (mapped.module.to_owned(), mapped.name),
        None => (import.module, import.name),
    }
}

fn own((module, name): (&str, &str)) -> (String, String) {
    (module.to_owned(), name.to_owned())
}
