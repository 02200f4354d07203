//! What became of the messages of a queue since this process began, in numbers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use brine_core::{Classified as _, Timestamp};
use brine_queue::{QueueStatus, SourceFigures};
use brine_records::{RecordFate, SettledRecord};

/// What became of messages, and of jobs.
#[derive(Debug, Default)]
pub(crate) struct QueueAccount {
    pub(crate) verified: u64,
    pub(crate) repeated: u64,
    pub(crate) refused: BTreeMap<String, u64>,
    pub(crate) retried: BTreeMap<String, u64>,
    pub(crate) jobs: JobAccount,
}

/// What became of jobs that were run.
#[derive(Debug, Default)]
pub(crate) struct JobAccount {
    /// How many ended so.
    pub(crate) outcomes: BTreeMap<String, u64>,
    pub(crate) processor: Duration,
    /// The most that one of them used.
    pub(crate) peak_memory: u64,
}

impl JobAccount {
    /// Counts a job that ended so.
    pub(crate) fn end(&mut self, outcome: &str) {
        *self.outcomes.entry(outcome.to_owned()).or_default() += 1;
    }
}

impl QueueAccount {
    /// Counts a message.
    pub(crate) fn count(&mut self, record: &SettledRecord<'_>) {
        match record.fate {
            RecordFate::Released(_) => self.verified += 1,
            RecordFate::Repeated => self.repeated += 1,
            RecordFate::Refused(why) => self.refuse(why.reason()),
            RecordFate::Retried(_, why) => self.retry(why.reason()),
        }
    }

    /// Counts a message that was refused.
    pub(crate) fn refuse(&mut self, reason: &str) {
        *self.refused.entry(reason.to_owned()).or_default() += 1;
    }

    /// Counts a message that is to be delivered again.
    pub(crate) fn retry(&mut self, reason: &str) {
        *self.retried.entry(reason.to_owned()).or_default() += 1;
    }

    /// Returns it as a line for a person.
    pub(crate) fn line(&self, in_flight: u64) -> String {
        let mut line = format!("{} verified, {} refused", self.verified, sum(&self.refused));
        for (count, name) in [
            (self.repeated, "repeated"),
            (sum(&self.retried), "to be retried"),
            (in_flight, "at work"),
        ] {
            if count > 0 {
                let _ = write!(line, ", {count} {name}");
            }
        }
        line
    }

    /// Returns it in the text format of Prometheus (exposition format 0.0.4), with what the queue says of itself.
    pub(crate) fn exposition(
        &self,
        queue: &str,
        figures: &SourceFigures,
        status: Option<(QueueStatus, Timestamp)>,
    ) -> String {
        let mut text = Exposition { queue, text: String::new() };
        text.one(
            "received_total",
            "Messages that were delivered to this process.",
            figures.received(),
        );
        text.one(
            "redelivered_total",
            "Messages among them that had been delivered before.",
            figures.redelivered(),
        );
        text.one("verified_total", "Messages that verified and were handled.", self.verified);
        text.one("repeated_total", "Copies of messages that were dropped.", self.repeated);
        text.many("refused_total", "Messages that were refused.", "reason", &self.refused);
        text.many(
            "retried_total",
            "Messages that went back to be delivered again.",
            "reason",
            &self.retried,
        );
        text.one("in_flight", "Messages that this process holds.", figures.in_flight());
        text.one("settled_total", "Messages that this process holds no more.", figures.settled());
        text.seconds("held_seconds_total", "How long it held those.", figures.held());
        if !self.jobs.outcomes.is_empty() {
            let JobAccount { outcomes, processor, peak_memory } = &self.jobs;
            text.many("jobs_total", "Jobs that were begun.", "outcome", outcomes);
            text.seconds("job_cpu_seconds_total", "Processor time of jobs.", *processor);
            text.one("job_peak_memory_bytes", "The most memory that a job used.", *peak_memory);
        }
        if let Some((status, now)) = status {
            let waited = |sent: Timestamp| now.unix().saturating_sub(sent.unix());
            text.one("queue_ready", "Messages that can be delivered.", status.ready);
            text.one("queue_held", "Messages that are held, or wait to be retried.", status.held);
            text.one("queue_dead", "Dead letters that are kept.", status.dead);
            text.one(
                "queue_lag_seconds",
                "How long ago the next message was sent.",
                status.next_sent.map_or(0, waited),
            );
        }
        text.text
    }
}

/// Metrics, one after the other, all about one queue.
struct Exposition<'a> {
    queue: &'a str,
    text: String,
}

impl Exposition<'_> {
    fn one(&mut self, name: &str, help: &str, value: u64) {
        self.head(name, help);
        self.sample(name, "", &value.to_string());
    }

    fn seconds(&mut self, name: &str, help: &str, value: Duration) {
        self.head(name, help);
        let seconds = format!("{}.{:06}", value.as_secs(), value.subsec_micros());
        self.sample(name, "", &seconds);
    }

    fn many(&mut self, name: &str, help: &str, label: &str, values: &BTreeMap<String, u64>) {
        self.head(name, help);
        for (key, value) in values {
            self.sample(name, &format!(",{label}=\"{}\"", escaped(key)), &value.to_string());
        }
    }

    fn head(&mut self, name: &str, help: &str) {
        let kind = if name.ends_with("_total") { "counter" } else { "gauge" };
        let _ = writeln!(self.text, "# HELP brine_{name} {help}\n# TYPE brine_{name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &str, value: &str) {
        let queue = escaped(self.queue);
        let _ = writeln!(self.text, "brine_{name}{{queue=\"{queue}\"{labels}}} {value}");
    }
}

/// Escapes the value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn sum(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_prometheus_reads_them() {
        let mut account = QueueAccount { verified: 2, ..QueueAccount::default() };
        account.refuse("expired");
        account.refuse("expired");
        account.retry("command-failed");
        account.jobs.outcomes.insert("ok".to_owned(), 2);
        account.jobs.processor = Duration::from_micros(1_000_007);
        let figures = SourceFigures::default();
        figures.receive(1);
        figures.receive(2);
        figures.settle(Duration::from_millis(1500));
        let now = Timestamp::from_unix(1000).unwrap();
        let status = QueueStatus {
            ready: 7,
            next_sent: Timestamp::from_unix(990),
            ..QueueStatus::default()
        };
        let text = account.exposition("a\"b", &figures, Some((status, now)));
        for line in [
            "# TYPE brine_received_total counter",
            "brine_received_total{queue=\"a\\\"b\"} 2",
            "brine_redelivered_total{queue=\"a\\\"b\"} 1",
            "# TYPE brine_in_flight gauge",
            "brine_in_flight{queue=\"a\\\"b\"} 1",
            "brine_held_seconds_total{queue=\"a\\\"b\"} 1.500000",
            "brine_verified_total{queue=\"a\\\"b\"} 2",
            "brine_refused_total{queue=\"a\\\"b\",reason=\"expired\"} 2",
            "brine_retried_total{queue=\"a\\\"b\",reason=\"command-failed\"} 1",
            "brine_jobs_total{queue=\"a\\\"b\",outcome=\"ok\"} 2",
            "brine_job_cpu_seconds_total{queue=\"a\\\"b\"} 1.000007",
            "brine_queue_ready{queue=\"a\\\"b\"} 7",
            "brine_queue_lag_seconds{queue=\"a\\\"b\"} 10",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in:\n{text}");
        }
        assert_eq!(account.line(1), "2 verified, 2 refused, 1 to be retried, 1 at work");
    }
}
