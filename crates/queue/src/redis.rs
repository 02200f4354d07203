//! A queue on a Redis server.
//!
//! Messages are the entries of a stream, in the order in which they were published. What is known of each is beside it,
//! and every call is one script, which the server runs in one piece. Consumer groups of Redis are not used: they count
//! every delivery, know no delays, and let whoever was late acknowledge what somebody else has. Time is that of the
//! server.
//!
//! What was published or settled is as durable as the server makes it: with `appendfsync always` it is on the disk.

mod connection;
mod dead;
mod scripts;
mod store;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brine_core::Clock;
use brine_core::key::random;
use brine_core::text::hex;
use brine_records::{DeadLetter, Ledger as _, Settled, SharedLease, SharedLedger};
use redis::{FromRedisValue, Script, ScriptInvocation, cmd};

use self::connection::{RedisConnection, RedisPlace};
use self::scripts::{
    ANSWER, BURY, Keys, LIFETIME, OPEN, PUBLISH, RECEIVE, REMOVE, SETTLE, WITHDRAW,
};
pub use self::store::RedisStore;
use crate::any::ServerSecrets;
use crate::error::QueueError;
use crate::options::{MAX_MESSAGE_BYTES, QueueBirth, QueueOptions};
use crate::queue::{
    Answered, Buried, Delivery, Queue, ReceiveBounds, RefusedMessage, Retry, Standing, refuse_large,
};
use crate::url::{QueueName, Server};

/// A queue on a Redis server.
pub struct RedisQueue {
    place: RedisPlace,
    keys: Keys,
    options: QueueOptions,
    clock: Arc<dyn Clock>,
    /// What tells it from another queue that had its name.
    birth: String,
    connection: RedisConnection,
    /// Waits for messages. What waits gets a connection of its own.
    waiting: RedisConnection,
    ledger: Option<SharedLedger<RedisStore>>,
}

/// The right to settle a message, until it runs out and the message is delivered again.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisLease {
    id: String,
    token: String,
}

/// A message that was published, for its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisSent {
    id: String,
    /// The birth of its queue.
    birth: String,
}

/// What is done with messages that are held.
#[derive(Clone, Copy, Debug)]
struct Act {
    name: &'static str,
    arguments: [u64; 2],
}

impl RedisQueue {
    /// Opens a queue, or makes one as the options say.
    ///
    /// # Errors
    ///
    /// [`QueueError::Missing`] for a queue that is to exist; [`QueueError::Unsuitable`] for a server that may drop what
    /// it was given; [`QueueError::Access`]; failures of the server.
    pub fn open(
        server: &Server,
        secrets: &ServerSecrets,
        name: &QueueName,
        options: QueueOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, QueueError> {
        let place = RedisPlace::new(server, secrets, name, options.busy_timeout)?;
        let mut connection = place.connection();
        connection.refuse_eviction()?;
        let mut queue = Self::of(&place, options, clock, connection);
        queue.birth = queue.found("")?;
        if options.lifetime.is_none() {
            // A ledger that was made later would not know what was sent before.
            drop(queue.open_ledger()?);
        }
        Ok(queue)
    }

    fn of(
        place: &RedisPlace,
        options: QueueOptions,
        clock: Arc<dyn Clock>,
        connection: RedisConnection,
    ) -> Self {
        let (keys, waiting) = (Keys::of(place.queue.as_str()), place.connection());
        let (place, birth) = (place.clone(), String::new());
        Self { place, keys, options, clock, birth, connection, waiting, ledger: None }
    }

    /// Finds the queue, or makes it. One that somebody deleted, who had it as `before`, is not made anew.
    fn found(&mut self, before: &str) -> Result<String, QueueError> {
        let birth = match self.options.birth {
            QueueBirth::Existing => String::new(),
            QueueBirth::AcceptOlder | QueueBirth::FromNow | QueueBirth::RefuseOlder => {
                hex(&random::<16>()?)
            }
        };
        let lifetime = self.options.lifetime.map(millis).map(|length| length.to_string());
        let mut script = OPEN.prepare_invoke();
        script.key(self.keys.queue()).key(self.keys.deleted(before));
        self.connection.run(script.arg(birth).arg(lifetime.unwrap_or_default()))
    }

    fn open_ledger(&self) -> Result<SharedLedger<RedisStore>, QueueError> {
        let (store, now) = (RedisStore::new(&self.place), self.clock.now()?);
        Ok(SharedLedger::open(store, &self.options.of_ledger(), now)?)
    }

    /// Runs a script of the queue. If the server has lost all that it had, the queue is made anew.
    fn call<T: FromRedisValue>(
        &mut self,
        script: &Script,
        fill: impl for<'i, 's> Fn(&'i mut ScriptInvocation<'s>) -> &'i mut ScriptInvocation<'s>,
    ) -> Result<T, QueueError> {
        let mut invocation = self.keys.invoke(script, &self.birth);
        fill(&mut invocation);
        match self.connection.run(&invocation) {
            Err(QueueError::Missing { name }) => {
                self.birth = self.found(&self.birth.clone())?;
                let mut invocation = self.keys.invoke(script, &self.birth);
                fill(&mut invocation);
                let again = self.connection.run(&invocation);
                again.map_err(|error| match error {
                    QueueError::Missing { .. } => QueueError::Missing { name },
                    error => error,
                })
            }
            done => done,
        }
    }

    /// Publishes messages, and returns their ids.
    fn publish_all(
        &mut self,
        messages: &[&[u8]],
        delay: Duration,
    ) -> Result<Vec<String>, QueueError> {
        refuse_large(messages, MAX_MESSAGE_BYTES)?;
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        self.call(&PUBLISH, |script| {
            messages.iter().fold(script.arg(millis(delay)), |script, message| script.arg(*message))
        })
    }

    fn settle(&mut self, act: Act, leases: &[&RedisLease]) -> Result<Vec<Settled>, QueueError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let Act { name, arguments: [first, second] } = act;
        let settled: Vec<u8> = self.call(&SETTLE, |script| {
            let script = script.arg(name).arg(first).arg(second);
            leases.iter().fold(script, |script, lease| script.arg(&lease.id).arg(&lease.token))
        })?;
        let settled = settled.into_iter();
        Ok(settled.map(|one| if one == 1 { Settled::Done } else { Settled::Lost }).collect())
    }

    /// Notes in the ledger that records were handled whose messages are held.
    fn commit(
        &mut self,
        handled: &[(&RedisLease, &SharedLease)],
        settled: &mut [Settled],
    ) -> Result<(), QueueError> {
        let held = handled.iter().zip(&*settled).filter(|(_, one)| **one == Settled::Done);
        let records: Vec<_> = held.map(|((_, record), _)| (*record).clone()).collect();
        let now = self.clock.now()?;
        let ledger = match self.ledger.take() {
            Some(ledger) => ledger,
            None => self.open_ledger()?,
        };
        let committed = self.ledger.insert(ledger).commit_many(&records, now)?;
        let held = settled.iter_mut().filter(|one| **one == Settled::Done);
        held.zip(committed).for_each(|(one, committed)| *one = committed);
        Ok(())
    }

    /// Waits until something was published since the last wake-up, and not for long.
    fn wait(&mut self, woken: &str, most: Duration) -> Result<(), QueueError> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(1).arg("BLOCK").arg(millis(most).max(1));
        command.arg("STREAMS").arg(self.keys.wake()).arg(woken);
        self.waiting.query::<redis::Value>(&command, most).map(drop)
    }
}

impl Queue for RedisQueue {
    type Ledger = SharedLedger<RedisStore>;
    type Lease = RedisLease;
    type Sent = RedisSent;

    fn publish(&mut self, messages: &[&[u8]]) -> Result<(), QueueError> {
        self.publish_all(messages, Duration::ZERO).map(drop)
    }

    fn send(&mut self, content: Vec<u8>, delay: Duration) -> Result<RedisSent, QueueError> {
        let ids = self.publish_all(&[&content], delay)?;
        let id = ids.into_iter().next();
        let id = id.ok_or_else(|| QueueError::damaged("a message has no id"))?;
        Ok(RedisSent { id, birth: self.birth.clone() })
    }

    fn withdraw(&mut self, message: &RedisSent) -> Result<bool, QueueError> {
        if message.birth != self.birth {
            return Ok(false);
        }
        self.call(&WITHDRAW, |script| script.arg(&message.id))
    }

    fn receive(
        &mut self,
        most: ReceiveBounds,
        wait: Duration,
    ) -> Result<Vec<Delivery<RedisLease>>, QueueError> {
        type Found = (String, i64, Vec<(String, Vec<u8>, u64, u8)>);
        let begun = Instant::now();
        let token = hex(&random::<16>()?);
        let lease = millis(self.options.lease);
        loop {
            let received = self.call::<Found>(&RECEIVE, |script| {
                script.arg(&token).arg(lease).arg(most.messages.max(1)).arg(most.bytes)
            });
            let (woken, next, found) = match received {
                // One that was deleted is empty.
                Err(QueueError::Missing { .. }) => Default::default(),
                received => received?,
            };
            let left = wait.saturating_sub(begun.elapsed());
            if !found.is_empty() || left.is_zero() {
                let delivery = |(id, content, attempt, begun)| {
                    let lease = RedisLease { id, token: token.clone() };
                    Delivery { content, attempt, begun: begun == 1, lease }
                };
                return Ok(found.into_iter().map(delivery).collect());
            }
            let next = u64::try_from(next).map_or(LOOK, Duration::from_millis);
            self.wait(&woken, left.min(LOOK).min(next))?;
        }
    }

    fn lease_length(&self) -> Duration {
        self.options.lease
    }

    fn message_limit(&self) -> usize {
        MAX_MESSAGE_BYTES
    }

    fn extend(&mut self, leases: &[&RedisLease]) -> Result<Vec<Settled>, QueueError> {
        let arguments = [millis(self.options.lease), 0];
        self.settle(Act { name: "extend", arguments }, leases)
    }

    /// The mark comes before the note: a job that was noted and is not marked would be taken for a copy, and nobody
    /// would hear of it.
    fn begin(&mut self, lease: &RedisLease, record: &SharedLease) -> Result<Settled, QueueError> {
        let mark = |begun| Act { name: "mark", arguments: [begun, 0] };
        let mut settled = self.settle(mark(1), &[lease])?;
        if settled == [Settled::Done] {
            self.commit(&[(lease, record)], &mut settled)?;
            if settled != [Settled::Done] {
                let _ = self.settle(mark(0), &[lease])?;
            }
        }
        Ok(settled.into_iter().next().unwrap_or(Settled::Lost))
    }

    fn commit_and_ack(
        &mut self,
        handled: &[(&RedisLease, &SharedLease)],
    ) -> Result<Vec<Settled>, QueueError> {
        let leases: Vec<_> = handled.iter().map(|(lease, _)| *lease).collect();
        let mut settled = self.settle(Act { name: "look", arguments: [0; 2] }, &leases)?;
        self.commit(handled, &mut settled)?;
        let done = leases.iter().zip(&settled).filter(|(_, one)| **one == Settled::Done);
        let done: Vec<_> = done.map(|(lease, _)| *lease).collect();
        // One that is lost by now is known to the ledger.
        let _ = self.ack(&done)?;
        Ok(settled)
    }

    fn ack(&mut self, leases: &[&RedisLease]) -> Result<Vec<Settled>, QueueError> {
        self.settle(Act { name: "ack", arguments: [0; 2] }, leases)
    }

    fn retry(
        &mut self,
        leases: &[&RedisLease],
        retry: Retry<'_>,
    ) -> Result<Vec<Settled>, QueueError> {
        let arguments = [millis(retry.delay), u64::from(!retry.was_tried)];
        self.settle(Act { name: "retry", arguments }, leases)
    }

    fn dead_letter(
        &mut self,
        lease: &RedisLease,
        why: &RefusedMessage<'_>,
    ) -> Result<Buried, QueueError> {
        let (is_verified, limit) = match why.standing {
            Standing::Unverified => (0, self.options.dead_letters.unverified),
            Standing::Verified => (1, self.options.dead_letters.verified),
        };
        let (detail, seed) = (why.kept_detail(), u32::from_le_bytes(random()?));
        let (was_held, is_kept): (bool, bool) = self.call(&BURY, |script| {
            let script = script.arg(&lease.id).arg(&lease.token).arg(is_verified);
            script.arg(why.reason).arg(&detail).arg(limit).arg(seed)
        })?;
        Ok(match (was_held, is_kept) {
            (false, _) => Buried::Lost,
            (true, true) => Buried::Done(DeadLetter::Kept),
            (true, false) => Buried::Done(DeadLetter::Dropped),
        })
    }

    fn answer(
        &mut self,
        lease: &RedisLease,
        to: &QueueName,
        answer: &[u8],
    ) -> Result<Answered, QueueError> {
        refuse_large(&[answer], MAX_MESSAGE_BYTES)?;
        let to = Keys::of(to.as_str());
        let answered: u8 = self.call(&ANSWER, |script| {
            let script = script.key(to.queue()).key(to.messages()).key(to.wake());
            script.arg(&lease.id).arg(&lease.token).arg(answer)
        })?;
        Ok(match answered {
            0 => Answered::Lost,
            1 => Answered::Done,
            _ => Answered::NoQueue,
        })
    }

    fn keep_for(&mut self, lifetime: Duration) -> Result<bool, QueueError> {
        self.call(&LIFETIME, |script| script.arg(millis(lifetime)))
    }

    fn remove(mut self) -> Result<(), QueueError> {
        let deleted = self.keys.deleted(&self.birth);
        self.call::<u8>(&REMOVE, |script| script.key(&deleted)).map(drop)
    }

    fn another(&self) -> Result<Self, QueueError> {
        let connection = self.place.connection();
        let another = Self::of(&self.place, self.options, Arc::clone(&self.clock), connection);
        Ok(Self { birth: self.birth.clone(), ..another })
    }

    fn ledger(&self) -> Result<SharedLedger<RedisStore>, QueueError> {
        self.open_ledger()
    }
}

fn millis(length: Duration) -> u64 {
    // So that all of them are exact in the numbers of Lua.
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX).min(u64::from(u32::MAX) * 1000)
}

impl fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisQueue").field("name", &self.place.queue).finish_non_exhaustive()
    }
}

impl fmt::Debug for RedisLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLease").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How long messages are waited for at most before they are looked for.
const LOOK: Duration = Duration::from_secs(1);
