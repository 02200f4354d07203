//! A queue with nothing signed: what `scripts/bench-queue-file` and `scripts/bench-queue-servers` hold the signed one to.
//!
//! `bare_queue send URL` publishes each line of standard input, and `bare_queue recv URL` writes all messages that are
//! there, and acknowledges them. Both do it in blocks, as the programs do.

use std::error::Error;
use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use brine_core::Timestamp;
use brine_core::time::{Clock, ClockBefore1970};
use brine_queue::{AnyQueue, Queue as _, QueueBirth, QueueOptions, ReceiveBounds, ServerSecrets};

/// As many as the programs take at once.
const BLOCK: ReceiveBounds = ReceiveBounds { bytes: 1024 * 1024, messages: 1024 };

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "whoever times it has no other clock")]
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        Timestamp::from_system(SystemTime::now())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [verb, url] = arguments.as_slice() else { return Err("send|recv URL".into()) };
    let options = QueueOptions { birth: QueueBirth::FromNow, ..QueueOptions::default() };
    let (secrets, clock) = (ServerSecrets::default(), Arc::new(SystemClock));
    let mut queue = AnyQueue::open(&url.parse()?, &secrets, options, clock)?;
    match verb.as_str() {
        "send" => {
            let lines: Vec<_> = stdin().lock().split(b'\n').collect::<Result<_, _>>()?;
            for block in lines.chunks(BLOCK.messages) {
                queue.publish(&block.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
            }
        }
        _ => {
            let mut output = stdout().lock();
            loop {
                let found = queue.receive(BLOCK, Duration::ZERO)?;
                if found.is_empty() {
                    break;
                }
                let (mut lines, mut leases) = (Vec::new(), Vec::new());
                for delivery in &found {
                    lines.extend_from_slice(&delivery.content);
                    lines.push(b'\n');
                    leases.push(&delivery.lease);
                }
                output.write_all(&lines)?;
                let _ = queue.ack(&leases)?;
            }
        }
    }
    Ok(())
}
