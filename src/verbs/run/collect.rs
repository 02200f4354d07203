//! Which files of a job are collected, and what they are called outside.

use std::path::{Path, PathBuf};

use brine_job::{Layer, LogicalPath};

use super::refusals::Refusals;
use crate::args::run::Run;
use crate::report::Failure;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::whole_file::Existing;

/// Files and directories that are collected when a job has ended well.
#[derive(Debug)]
#[cfg_attr(
    not(all(feature = "sandbox", target_os = "linux")),
    expect(dead_code, reason = "only a program that runs jobs uses it")
)]
pub(in crate::verbs) struct Collecting {
    /// Below the scratch directory of the job; none lies in another.
    pub(super) paths: Vec<LogicalPath>,
    /// Where their last names appear.
    pub(super) directory: PathBuf,
    pub(super) existing: Existing,
}

impl Collecting {
    /// Takes what was typed, and claims every place; `None` if nothing is collected.
    pub(super) fn plan(
        args: &Run,
        guard: &mut OverwriteGuard,
        refusals: &mut Refusals,
    ) -> Result<Option<Self>, Failure> {
        if args.collect.is_empty() {
            return Ok(None);
        }
        if args.without.contains(&Layer::Namespaces) {
            let text = "--collect needs the namespaces of the job: without them others can reach its files";
            refusals.note(Failure::usage(text))?;
        }
        let paths = args.collect.clone();
        for (number, path) in paths.iter().enumerate() {
            let mut others = paths.iter().enumerate().filter(|(other, _)| *other != number);
            if let Some((_, other)) = others.find(|(_, other)| path.is_within(other)) {
                let text = format!("--collect {other} collects {path}, too");
                refusals.note(Failure::usage(text))?;
            }
        }
        let existing = if args.force { Existing::Replace } else { Existing::Keep };
        for place in places(args) {
            refusals.pass(Output::derived("collected file", place, existing, guard))?;
        }
        Ok(Some(Self { paths, directory: directory(args), existing }))
    }
}

/// Returns where everything that is collected will be.
pub(super) fn places(args: &Run) -> impl Iterator<Item = PathBuf> {
    args.collect.iter().map(|path| directory(args).join(outer_name(path)))
}

/// Returns what it is called outside: its last name.
pub(super) fn outer_name(path: &LogicalPath) -> &str {
    path.as_str().rsplit_once('/').map_or(path.as_str(), |(_, name)| name)
}

fn directory(args: &Run) -> PathBuf {
    args.collect_to.clone().unwrap_or_else(|| Path::new(".").to_owned())
}
