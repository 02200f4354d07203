//! Judges records again when they are released, which can be long after they arrived.

use std::ops::Range;
use std::sync::Arc;

use brine_core::{Expectations, Observer};

use super::error::StepError;
use super::judge::{Judgement, RecordVerdict};

/// Judges records again when they are released: a slow reader, a full pipe for rejects or another process can make
/// them wait.
#[derive(Debug)]
pub(super) struct Recheck {
    observer: Observer,
    expectations: Arc<Expectations>,
}

impl Recheck {
    pub(super) const fn new(observer: Observer, expectations: Arc<Expectations>) -> Self {
        Self { observer, expectations }
    }

    /// Judges the records of a run again, if trust or time has changed since their block was judged. Refuses what
    /// does not hold any more, and returns whether there is any.
    ///
    /// In most cases nothing has changed, and this costs a look at the clock.
    pub(super) fn refuses(
        &self,
        judgement: &mut Judgement,
        run: Range<usize>,
    ) -> Result<bool, StepError> {
        let verdicts = judgement.verdicts.get_mut(run).unwrap_or_default();
        if verdicts.iter().all(|verdict| verdict.payload().is_none()) {
            return Ok(false);
        }
        let circumstances = self.observer.observe()?;
        if circumstances.are_those_of(&judgement.circumstances) {
            return Ok(false);
        }
        let mut has_refused = false;
        for verdict in verdicts {
            let RecordVerdict::Verified { standing, .. } = verdict else { continue };
            if let Err(why) = standing.judge(&self.expectations, &circumstances) {
                *verdict = RecordVerdict::Refused(why.into());
                judgement.at = circumstances.now();
                has_refused = true;
            }
        }
        Ok(has_refused)
    }
}
