//! Messages are taken from a queue: verified, and admitted by its ledger, or refused.

use std::time::Duration;

use brine_cli::embed::{Facts, Refused};
use brine_core::{Classified as _, Error, SystemError, TrustSource as _};
use brine_queue::{
    Admission, AnyLease, AnyRecord, Buried, Delivery, Queue as _, ReceiveBounds, RefusedMessage,
    Retry, Standing,
};
use brine_records::{ReplayError, Settled, Subject};

use crate::judge::Judge;
use crate::open_queue::{OpenedQueue, now};
use crate::patience::{is_away, patiently};

/// What became of a look into a queue.
pub(crate) enum Taken {
    /// A message is to be handled.
    Message(Box<TakenMessage>),
    /// There is none.
    Nothing,
    /// A message was a copy, or another consumer has it.
    PassedOver,
    /// A message became a dead letter.
    Refused(Refused, Vec<u8>),
    /// A message stays queued for this reason, which is told, and is looked at again later.
    Stays(&'static str, String),
}

/// A message that is to be handled.
pub(crate) struct TakenMessage {
    pub(crate) content: Vec<u8>,
    pub(crate) attempt: u64,
    /// What is known of it and its payload, if it was verified.
    pub(crate) verified: Option<(Facts, Vec<u8>)>,
    pub(crate) lease: AnyLease,
    /// The right to handle it by the ledger, if it was asked.
    pub(crate) record: Option<AnyRecord>,
}

/// Takes a message, if there is one. Without a judge it is taken as it is.
pub(crate) fn take(
    opened: &mut OpenedQueue,
    judge: Option<&Judge>,
    wait: Duration,
    attempts: u64,
) -> Result<Taken, Refused> {
    if let Some(judge) = judge {
        let trust = judge.trust.current().map_err(|error| Error::from(SystemError::from(error)))?;
        if trust.key_count() == 0 {
            return Err(Refused::nobody_trusted());
        }
        // Where there is none, nothing is taken.
        patiently(|| opened.ledger().map(drop))?;
    }
    let delivery = match opened.unjudged.take() {
        Some(delivery) => Some(delivery),
        None => opened.queue.receive(ReceiveBounds::ONE, wait)?.into_iter().next(),
    };
    let Some(delivery) = delivery else { return Ok(Taken::Nothing) };
    let Some(judge) = judge else {
        let Delivery { content, attempt, lease, .. } = delivery;
        let message = TakenMessage { content, attempt, verified: None, lease, record: None };
        return Ok(Taken::Message(Box::new(message)));
    };
    let judgement = Consumer { opened, judge, attempts }.judgement(&delivery);
    let judgement = match judgement {
        Err(refused) if is_away(&refused) => {
            // It is judged when the server is there again.
            opened.unjudged = Some(delivery);
            return Err(refused);
        }
        judgement => judgement?,
    };
    let Delivery { content, attempt, lease, .. } = delivery;
    Ok(match judgement {
        Judgement::Good(facts, payload, record) => {
            let (verified, record) = (Some((facts, payload)), Some(record));
            Taken::Message(Box::new(TakenMessage { content, attempt, verified, lease, record }))
        }
        Judgement::PassedOver => Taken::PassedOver,
        Judgement::Refused(refused) => Taken::Refused(refused, content),
        Judgement::Stays(reason, why) => Taken::Stays(reason, why),
    })
}

/// What becomes of a message.
enum Judgement {
    /// It is to be handled, by this right.
    Good(Facts, Vec<u8>, AnyRecord),
    /// It was a copy, or another consumer has it.
    PassedOver,
    /// It became a dead letter.
    Refused(Refused),
    /// It stays queued for this reason, which is told.
    Stays(&'static str, String),
}

/// Judges messages as they come.
struct Consumer<'q> {
    opened: &'q mut OpenedQueue,
    judge: &'q Judge,
    attempts: u64,
}

impl Consumer<'_> {
    fn judgement(&mut self, delivery: &Delivery<AnyLease>) -> Result<Judgement, Refused> {
        let Delivery { content, attempt, lease, .. } = delivery;
        let judged = self.judge.single(content, |verified| Ok(Subject::of(verified)?));
        let (facts, payload, subject) = match judged {
            Ok((facts, payload, subject)) => (facts, payload.into_owned(), subject),
            Err(refused) if says_nothing_of_messages(&refused) => {
                let _ = self.hand_back(lease, Duration::ZERO, &refused.message);
                return Err(refused);
            }
            Err(refused) => match brine_queue::valid_later(refused.reason) {
                Some(delay) => {
                    let _ = self.hand_back(lease, delay, &refused.message)?;
                    return Ok(Judgement::Stays(refused.reason, refused.message));
                }
                None => return self.bury(lease, Standing::Unverified, refused),
            },
        };
        let reserved = patiently(|| {
            let now = now()?;
            Ok::<_, Refused>(self.opened.ledger()?.reserve(&subject, now)?)
        })?;
        match Admission::of(reserved)? {
            Admission::Handle(record) if *attempt > self.attempts => {
                // Whoever revives it need not wait.
                let _ = self.opened.ledger()?.give_back(&record, now()?);
                let refused = Refused::exhausted(attempt.saturating_sub(1));
                self.bury(lease, Standing::Verified, refused)
            }
            Admission::Handle(record) => Ok(Judgement::Good(facts, payload, record)),
            Admission::Later(delay, why) => {
                let told = why.to_string();
                let _ = self.hand_back(lease, delay, &told)?;
                Ok(match why {
                    ReplayError::Busy { .. } => Judgement::PassedOver,
                    why => Judgement::Stays(why.reason(), told),
                })
            }
            Admission::Refused(error) => self.bury(lease, Standing::Unverified, error.into()),
            Admission::Repeated => {
                let _ = patiently(|| self.opened.queue.ack(&[lease]))?;
                Ok(Judgement::PassedOver)
            }
        }
    }

    fn hand_back(
        &mut self,
        lease: &AnyLease,
        delay: Duration,
        why: &str,
    ) -> Result<Vec<Settled>, Refused> {
        patiently(|| self.opened.queue.retry(&[lease], Retry::untried(delay, why)))
    }

    fn bury(
        &mut self,
        lease: &AnyLease,
        standing: Standing,
        refused: Refused,
    ) -> Result<Judgement, Refused> {
        let why = RefusedMessage { reason: refused.reason, detail: &refused.message, standing };
        match patiently(|| self.opened.queue.dead_letter(lease, &why))? {
            Buried::Done(_) => Ok(Judgement::Refused(refused)),
            // Somebody else has it.
            Buried::Lost => Ok(Judgement::PassedOver),
        }
    }
}

/// Returns whether it is this process that cannot judge: by a trust file that cannot be read, for one.
const fn says_nothing_of_messages(refused: &Refused) -> bool {
    matches!(refused.status, 2 | 4 | 6)
}
