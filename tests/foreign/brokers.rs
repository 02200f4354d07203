//! Signed messages through real brokers, with the commands that docs/queues.md shows.

mod kafka;
mod mosquitto;
pub(crate) mod redis;
pub(crate) mod server;

use std::fs;
use std::process::Output;
use std::sync::LazyLock;

use serde_json::Value;

use crate::common::Person;
use crate::page::Page;

static PAGE: LazyLock<Page> = LazyLock::new(|| Page::read("docs/queues.md"));

#[track_caller]
fn snippet(section: &str, title: &str) -> &'static str {
    PAGE.snippet(section, title)
}

/// A shop that sends, a reader who trusts it, and a branch of the shop that the reader knows nothing of.
struct Market {
    shop: Person,
    branch: Person,
    reader: Person,
    /// The part of the page that is about this broker.
    section: &'static str,
    /// Where the broker is, as variables of the shell.
    address: Vec<(&'static str, String)>,
}

impl Market {
    fn new(section: &'static str, address: &[(&'static str, &str)]) -> Self {
        let address = address.iter().map(|&(name, value)| (name, value.to_owned())).collect();
        let (shop, branch) = (Person::with_key(), Person::with_key());
        let market = Self { shop, branch, reader: Person::new(), section, address };
        for (name, person) in [("shop.pub", &market.shop), ("branch.pub", &market.branch)] {
            market.reader.write(name, crate::run(person, "brinekey", "brinekey pub"));
        }
        market.succeed(&market.reader, snippet("Once", ""));
        market.shop.write("orders.txt", texts().join(&b'\n'));
        market.shop.write(
            "orders.len32",
            binaries().iter().flat_map(|one| framed(one)).collect::<Vec<_>>(),
        );
        market
    }

    /// Runs a script, which knows where the broker is, and all that it starts, for two minutes at most.
    fn shell(&self, person: &Person, script: &str) -> Output {
        // It kills a group of processes; what `Person` would stop is the shell alone.
        let mut command = person.shell("exec timeout --kill-after=1 120 bash -c \"$script\"");
        command.env("script", script).env("me", "reader-1").timeout(LIMIT);
        for (name, value) in &self.address {
            command.env(name, value);
        }
        command.output().unwrap()
    }

    #[track_caller]
    fn succeed(&self, person: &Person, script: &str) -> Vec<u8> {
        let output = self.shell(person, script);
        assert!(output.status.success(), "{script}: {output:?}");
        output.stdout
    }

    /// Sends the shop's orders, as the page says.
    #[track_caller]
    fn send_orders(&self) {
        let send = snippet(self.section, "Send");
        self.succeed(&self.shop, &format!("{send}\n{}", snippet("Sign", "")));
    }

    /// Sends records that are signed already, by whomever.
    #[track_caller]
    fn send_records(&self, records: &[String]) {
        self.branch.write("records", records.join("\n") + "\n");
        let send = snippet(self.section, "Send");
        self.succeed(&self.branch, &format!("{send}\nsend < records"));
    }

    /// Makes what must not get through: a record that was altered, one that was sent before, and one
    /// by a signer whom the reader does not know.
    fn bad_records(&self, sent: &[String]) -> Vec<String> {
        let line = "echo from the branch | brine sign --lines --context orders";
        let stranger = crate::run(&self.branch, "brine", line);
        let stranger = String::from_utf8(stranger).unwrap().trim_end().to_owned();
        let mut altered = sent[0].clone().into_bytes();
        let place = altered.len() - 10;
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        vec![String::from_utf8(altered).unwrap(), sent[1].clone(), stranger]
    }

    /// Takes what is there, as the page says.
    fn receive(&self) -> Output {
        self.shell(&self.reader, snippet(self.section, "Receive"))
    }

    /// All payloads that the reader has got, in all its files.
    fn inbox(&self) -> Vec<Vec<u8>> {
        let files = fs::read_dir(self.reader.path("inbox")).unwrap();
        let mut payloads = Vec::new();
        for file in files {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            let mut rest = bytes.as_slice();
            while let Some((length, after)) = rest.split_first_chunk() {
                let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
                let (payload, after) = after.split_at(length);
                payloads.push(payload.to_vec());
                rest = after;
            }
            assert!(rest.is_empty(), "{rest:?}");
        }
        payloads
    }

    /// The reasons and the messages that are kept in a file, in their order.
    fn refused(&self, file: &str) -> Vec<(String, Option<String>)> {
        let text = String::from_utf8(self.reader.read(file)).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let text = |value: &Value| value.as_str().map(str::to_owned);
        lines.map(|line| (text(&line["reason"]).unwrap(), text(&line["record"]))).collect()
    }

    /// Demands that every order is there once, to the byte, and nothing else.
    #[track_caller]
    fn assert_orders(&self) {
        assert_same(self.inbox(), orders());
    }

    /// Demands that of the bad records each was refused for its own reason and kept as it came; then
    /// tells the reader of the branch, and demands that its order, and no other, comes out.
    #[track_caller]
    fn assert_refused_and_tried_again(&self, bad: &[String]) {
        let [altered, again, stranger] = bad else { panic!("{bad:?}") };
        let refused = || {
            let mut refused = self.refused("refused");
            // Brokers may send more than once what nobody repeated.
            refused.retain(|(reason, record)| {
                reason != "replayed" || record.as_deref() == Some(again.as_str())
            });
            refused.sort();
            refused.dedup();
            refused
        };
        let kept = |reason: &str, record: &String| (reason.to_owned(), Some(record.clone()));
        let for_good = [kept("replayed", again), kept("signature-bad", altered)];
        let for_now = kept("unknown-signer", stranger);
        assert_eq!(refused(), [for_good.as_slice(), &[for_now]].concat());
        self.succeed(&self.reader, snippet("What was refused", ""));
        assert_same(self.inbox(), [orders(), vec![b"from the branch".to_vec()]].concat());
        assert_eq!(refused(), for_good);
    }
}

#[track_caller]
fn assert_same(mut found: Vec<Vec<u8>>, mut expected: Vec<Vec<u8>>) {
    found.sort();
    expected.sort();
    let lengths = |all: &[Vec<u8>]| all.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(lengths(&found), lengths(&expected));
    assert!(found == expected, "a payload was altered");
}

/// Orders that are lines of text. Some would mean something to a shell, or to what splits lines.
fn texts() -> Vec<Vec<u8>> {
    let odd = ["", " two  blanks ", "$(id) `id` 'quoted\" \\n %s", "cr\r", "42", "1-0", "m", "ünï"];
    let plain = (0..20).map(|number| format!("order {number}").into_bytes());
    odd.iter().map(|text| text.as_bytes().to_vec()).chain(plain).chain([vec![b'x'; 5000]]).collect()
}

/// Orders that are any bytes.
fn binaries() -> Vec<Vec<u8>> {
    let all: Vec<u8> = (0..=255).collect();
    let odd = [b"".as_slice(), b"\n", b"\0", b"a\nb\0c", b"\xff\xfe", b"1-0\nm\n", &all];
    let long = all.iter().copied().cycle().take(60_000).collect();
    // More than Redis's reader takes at once.
    let many = (0_u8..100).map(|number| vec![number, b'\n', 0, 0xff, number]);
    odd.iter().map(|bytes| bytes.to_vec()).chain([long]).chain(many).collect()
}

fn orders() -> Vec<Vec<u8>> {
    [texts(), binaries()].concat()
}

/// Behind its length.
fn framed(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap();
    [&length.to_be_bytes(), payload].concat()
}

/// Lines of text, as records.
fn lines(bytes: Vec<u8>) -> Vec<String> {
    String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
}

/// Longer than what is run takes to be stopped by itself.
const LIMIT: std::time::Duration = std::time::Duration::from_secs(130);

#[test]
fn every_command_of_the_page_is_run() {
    let mut titles = PAGE.titles();
    titles.sort_unstable();
    assert_eq!(
        titles,
        [
            // Those of a file need no broker: tests/suite/cli has them.
            ("A file", ""),
            ("A file", "Jobs"),
            ("Kafka", "Envelopes in binary"),
            ("Kafka", "Receive"),
            ("Kafka", "Send"),
            ("MQTT", ""),
            ("MQTT", "Receive"),
            ("MQTT", "Send"),
            ("Once", ""),
            ("Redis", ""),
            ("Redis", "Receive"),
            ("Redis", "Send"),
            ("Sign", ""),
            ("What was refused", ""),
        ]
    );
}
