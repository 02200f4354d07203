//! What a consumer shows of its work: numbers for Prometheus, and a line for each message.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use brine_queue::Queue as _;
use serde_json::Value;

use super::queue_kit::{URL, done, opened, run, start, wait_for};
use crate::common::{Person, assert_refused};

/// The samples in a text for Prometheus, without the queue that they are all about.
fn samples(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.replace("{queue=\"work\"}", "").replace("queue=\"work\",", "")).collect()
}

#[track_caller]
fn has(text: &str, expected: &[&str]) {
    let found = samples(text);
    for sample in expected {
        assert!(found.iter().any(|line| line == sample), "{sample} is not in {found:#?}");
    }
}

#[test]
fn numbers_are_kept_in_a_file_and_each_message_has_a_line() {
    let person = Person::with_key();
    done(&person, "seq 5 | brine send --lines URL");
    opened(&person, "work").publish(&[b"junk"]).unwrap();
    done(&person, "brine recv --lines --metrics numbers --log log URL");
    let text = String::from_utf8(person.read("numbers")).unwrap();
    has(
        &text,
        &[
            "brine_received_total 6",
            "brine_redelivered_total 0",
            "brine_verified_total 5",
            "brine_refused_total{reason=\"not-an-envelope\"} 1",
            "brine_in_flight 0",
            "brine_settled_total 6",
            "brine_queue_ready 0",
            "brine_queue_dead 1",
        ],
    );
    let log = String::from_utf8(person.read("log")).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6, "{log}");
    let released = lines.iter().filter(|line| line["outcome"] == "released");
    let numbers: Vec<_> = released.map(|line| line["sequence"]["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
    assert!(lines[..5].iter().all(|line| line["signer"] == "default"), "{log}");
    assert_eq!(
        (&lines[5]["outcome"], &lines[5]["reason"]),
        (&"refused".into(), &"not-an-envelope".into())
    );
}

/// A consumer whose numbers are served.
struct Served {
    consumer: Child,
    address: String,
}

impl Served {
    fn start(person: &Person, command: &str) -> Self {
        let words =
            ["recv", URL, "--follow", "--metrics", "127.0.0.1:0", "--", "sh", "-c", command];
        let mut consumer = start(person, &words, Stdio::piped());
        let mut said = String::new();
        BufReader::new(consumer.stderr.as_mut().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim().strip_prefix("brine: numbers are at http://").unwrap();
        let address = address.strip_suffix("/metrics").unwrap().to_owned();
        Self { consumer, address }
    }

    fn ask(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.consumer.kill();
        let _ = self.consumer.wait();
    }
}

#[test]
fn numbers_are_served_while_the_work_goes_on() {
    let person = Person::with_key();
    done(&person, "echo work | brine send URL");
    let served = Served::start(&person, "exit 3");
    wait_for("a failure is counted", || {
        served.ask(b"GET /metrics HTTP/1.1\r\n\r\n").contains("reason=\"command-failed\"} 1")
    });
    let answer = served.ask(b"GET /metrics HTTP/1.0\r\nHost: x\r\n\r\n");
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", text.len())), "{head}");
    has(text, &["brine_verified_total 0", "brine_queue_held 1"]);
    assert!(served.ask(b"GET /else HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
    assert!(served.ask(b"POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
}

/// Whoever reaches the address can ask, and can do nothing else.
#[test]
fn a_client_that_asks_for_nothing_is_hung_up_on() {
    let person = Person::with_key();
    let served = Served::start(&person, "true");
    let mut endless = TcpStream::connect(&served.address).unwrap();
    wait_for("a request without an end is hung up on", || {
        endless.write_all(&[b'x'; 1024]).is_err()
    });
    // Some that say nothing, and one that is gone, are not waited for.
    let silent = [(); 6].map(|()| TcpStream::connect(&served.address).unwrap());
    drop(TcpStream::connect(&served.address).unwrap());
    let answer = served.ask(b"GET / HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(silent);
}

/// A log that cannot be written ends the work: what is done next would not be in it.
#[test]
fn a_log_that_cannot_be_written_ends_the_work() {
    let person = Person::with_key();
    done(&person, "seq 3 | brine send --lines URL");
    let output = run(&person, "brine recv --log /dev/full URL -- sh -c 'cat >> handled'");
    assert_refused(&output, 4, "cannot write \"/dev/full\": ");
    assert_eq!(person.read("handled"), b"1");
    assert_eq!(done(&person, "brine recv --lines URL"), "2\n3\n");
}

#[test]
fn numbers_and_lines_go_where_nothing_else_is() {
    let person = Person::with_key();
    done(&person, "echo work | brine send URL");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (options, status, why) in [
        ("--metrics q".to_owned(), 2, "queue and metrics are the same file"),
        ("--log q-wal".to_owned(), 2, "queue and log are the same file"),
        ("--metrics x --log x".to_owned(), 2, "metrics and log are the same file"),
        (format!("--metrics {address}"), 4, "cannot listen at 127.0.0.1:"),
        ("--metrics none/x".to_owned(), 4, "none"),
    ] {
        let output = run(&person, &format!("brine recv {options} URL"));
        assert_eq!(output.status.code(), Some(status), "{options}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(why), "{options}: {output:?}");
        assert!(output.stdout.is_empty(), "{options}: {output:?}");
    }
    assert_eq!(done(&person, "brine recv URL"), "work\n");
}
