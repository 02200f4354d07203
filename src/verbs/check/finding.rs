//! What was found.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use crate::report::Failure;
use crate::report::console::printable;

/// Everything that was found.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

/// One thing that is wrong, or that somebody should know of. docs/json.md describes it.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    schema: &'static str,
    /// The key, signer or file that it is about.
    subject: String,
    problem: &'static str,
    /// Something that can be meant is not wrong.
    wrong: bool,
    message: String,
    /// What to type.
    hint: Option<String>,
}

impl Finding {
    pub(super) fn wrong(path: &Path, problem: &'static str, message: &str, hint: &str) -> Self {
        Self::about(&format!("{path:?}"), problem, message, hint)
    }

    /// Something that is wrong with a key or a signer.
    pub(super) fn about(subject: &str, problem: &'static str, message: &str, hint: &str) -> Self {
        let (message, hint) =
            (message.to_owned(), Some(hint.to_owned()).filter(|it| !it.is_empty()));
        let subject = subject.to_owned();
        Self { schema: SCHEMA, subject, problem, wrong: true, message, hint }
    }

    /// What another command would end with.
    pub(super) fn of(
        subject: &(impl AsRef<Path> + ?Sized),
        problem: &'static str,
        failure: &Failure,
    ) -> Self {
        let hint = failure.hint().unwrap_or_default();
        // It is no hint how to leave it as it is.
        let hint = hint.split("; \"--insecure-permissions\"").next().unwrap_or_default();
        Self::about(&format!("{:?}", subject.as_ref()), problem, &failure.to_string(), hint)
    }

    /// It can be meant.
    pub(super) fn noted(self) -> Self {
        Self { wrong: false, ..self }
    }
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        self.0.push(finding);
    }

    pub(super) fn all(&self) -> &[Finding] {
        &self.0
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.0.iter().any(|finding| finding.wrong)
    }

    /// Shows them to people: what is wrong first.
    pub(super) fn page(&self) -> String {
        let of = |wrong: bool| self.0.iter().filter(move |finding| finding.wrong == wrong);
        // One command may mend what several findings are about.
        let mut typed = BTreeSet::new();
        let mut line = |finding: &Finding| {
            let word = if finding.wrong { "wrong" } else { "note" };
            let Finding { subject, message, hint, .. } = finding;
            let hint = hint.as_ref().filter(|hint| typed.insert((*hint).clone()));
            let hint = hint.map(|hint| format!("       type: {}\n", printable(hint)));
            let about = if message.contains(subject.as_str()) { "" } else { subject.as_str() };
            let about = if about.is_empty() { String::new() } else { format!("{about}: ") };
            let text = printable(&format!("{about}{message}"));
            format!("{word:<5}  {text}\n{}", hint.unwrap_or_default())
        };
        of(true).chain(of(false)).map(&mut line).collect()
    }
}

const SCHEMA: &str = "brine.key-check/1";
