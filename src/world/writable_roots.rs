//! Where jobs may write, and what must not lie there.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use brine_core::text::quoted;

use super::program_file;
use super::trail::{LinkRule, Place, Trail};
use crate::report::Failure;

/// The roots that jobs may write, of all entries of a policy.
///
/// One job can leave a link, or a file, that waits for another job. So it does not matter which job runs now.
#[derive(Debug, Default)]
pub(crate) struct WritableRoots {
    roots: Vec<WritableRoot>,
}

#[derive(Debug)]
struct WritableRoot {
    path: PathBuf,
    /// Which directory it is, whatever its name.
    place: Option<Place>,
}

impl WritableRoots {
    pub(crate) fn new(roots: &BTreeSet<&Path>) -> Self {
        let root = |path: &&Path| WritableRoot {
            path: (*path).to_owned(),
            place: std::fs::metadata(path).ok().as_ref().map(Place::of),
        };
        Self { roots: roots.iter().map(root).collect() }
    }

    /// Returns the root that somebody passes who opens a path, if there is one.
    pub(crate) fn passed_by(&self, trail: &Trail) -> Option<&Path> {
        let passed = self.roots.iter().find(|root| {
            trail.steps.iter().any(|step| {
                step.path.starts_with(&root.path)
                    || (step.place.is_some() && step.place == root.place)
            })
        });
        passed.map(|root| root.path.as_path())
    }

    /// Refuses to write results where a job may leave a link, and through the link of somebody else.
    pub(crate) fn refuse_output(&self, path: &Path) -> Result<(), Failure> {
        let trail = Trail::of(path);
        if let Some(root) = self.passed_by(&trail) {
            return Err(Failure::usage(format!(
                "{} lies in {}, where the policy lets jobs write; give another place for the results",
                quoted(path),
                quoted(root)
            )));
        }
        trail.refuse_foreign_link(LinkRule::Own)
    }

    /// Refuses to rely on a file that a job may write or exchange.
    pub(crate) fn refuse_input(&self, path: &Path) -> Result<(), Failure> {
        if self.roots.is_empty() {
            return Ok(());
        }
        match self.passed_by(&Trail::of(path)) {
            Some(root) => Err(in_reach(path, root)),
            None => Ok(()),
        }
    }

    /// Refuses system directories in which a job may write, at any depth. Everything in them can be executed, so
    /// one job could leave there what another runs.
    pub(crate) fn refuse_system(&self, system: &BTreeSet<PathBuf>) -> Result<(), Failure> {
        for directory in system {
            self.refuse_input(directory)?;
            // The other way round: a root below the directory.
            let directories = Self::new(&BTreeSet::from([directory.as_path()]));
            let mut roots = self.roots.iter().map(|root| root.path.as_path());
            if let Some(root) = roots.find(|root| directories.passed_by(&Trail::of(root)).is_some())
            {
                return Err(in_reach(directory, root));
            }
        }
        Ok(())
    }

    /// Refuses a program that a job may write or exchange, and one that such a program would interpret.
    pub(crate) fn refuse_program(&self, program: &Path) -> Result<(), Failure> {
        if self.roots.is_empty() {
            return Ok(());
        }
        let interpreters = program_file::interpreters(program);
        let mut programs =
            std::iter::once(program).chain(interpreters.iter().map(PathBuf::as_path));
        programs.try_for_each(|program| self.refuse_input(program))
    }
}

fn in_reach(path: &Path, root: &Path) -> Failure {
    Failure::InJobsReach { path: path.to_owned(), root: root.to_owned() }
}
