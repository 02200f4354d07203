//! What pickles may import.

use brine_cli::embed::{allow_list, refusal_of_pickle};
use brine_pickle::{ScanOptions, scan};
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

    /// Return all pairs, sorted.
    fn pairs(&self) -> Vec<(String, String)> {
        let own = |(module, name): (&str, &str)| (module.to_owned(), name.to_owned());
        self.0.iter().map(own).collect()
    }

    fn __repr__(&self) -> String {
        format!("<brine.AllowList of {} names>", self.0.iter().count())
    }
}
