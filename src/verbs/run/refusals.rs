//! What refuses a job: the first refusal ends a run, and an explanation goes through all of them.

use crate::args::run::Run;
use crate::report::Failure;

/// What refuses a job. The same functions refuse it for a run and for an explanation.
#[derive(Debug)]
pub(in crate::verbs) struct Refusals {
    found: Vec<Failure>,
    goes_on: bool,
}

impl Refusals {
    pub(in crate::verbs) const fn of(args: &Run) -> Self {
        Self { found: Vec::new(), goes_on: args.explain }
    }

    /// Returns what went well. What did not ends a run here, and is kept for an explanation.
    pub(super) fn pass<T>(&mut self, result: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(failure) => self.note(failure).map(|()| None),
        }
    }

    /// Ends a run with a failure; for an explanation, keeps it once.
    pub(super) fn note(&mut self, failure: Failure) -> Result<(), Failure> {
        if !self.goes_on {
            return Err(failure);
        }
        let text = failure.to_string();
        if self.found.iter().all(|known| known.to_string() != text) {
            self.found.push(failure);
        }
        Ok(())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Returns all that was kept, in order, and keeps nothing.
    pub(super) fn take(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.found)
    }

    /// Returns how a run ends where an explanation cannot go on after `failure`, either.
    pub(in crate::verbs) fn first_or(&mut self, failure: Failure) -> Failure {
        self.take().into_iter().next().unwrap_or(failure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_refusal_ends_a_run_and_no_explanation() {
        let usage = |text: &str| Err::<(), _>(Failure::usage(text));
        let mut run = Refusals { found: Vec::new(), goes_on: false };
        assert_eq!(run.pass(usage("one")).unwrap_err().to_string(), "one");
        assert_eq!(run.take().len(), 0);

        let mut explanation = Refusals { found: Vec::new(), goes_on: true };
        assert_eq!(explanation.pass(Ok(7)).unwrap(), Some(7));
        for text in ["one", "two", "one"] {
            assert_eq!(explanation.pass(usage(text)).unwrap(), None);
        }
        let all = explanation.take();
        let all: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(all, ["one", "two"]);
        explanation.note(Failure::usage("first")).unwrap();
        assert_eq!(explanation.first_or(Failure::usage("last")).to_string(), "first");
        assert_eq!(explanation.first_or(Failure::usage("last")).to_string(), "last");
    }
}
