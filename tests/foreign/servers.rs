//! Queues on servers, with the commands that docs/servers.md shows.

use std::sync::LazyLock;

use tempfile::TempDir;

use crate::brokers::server::{Server, ask, on_free_port};
use crate::common::{Person, project_text};
use crate::page::Page;
use crate::{brokers, rabbitmq};

static PAGE: LazyLock<Page> = LazyLock::new(|| Page::read("docs/servers.md"));

/// Somebody who has a key, and a server on a port of this machine.
struct Site {
    person: Person,
    port: String,
}

impl Site {
    fn new(port: String) -> Self {
        Self { person: Person::with_key(), port }
    }

    /// Runs what stands on the page below a heading.
    #[track_caller]
    fn run(&self, section: &str) {
        let script = format!("set -eu; {}", PAGE.snippet(section, ""));
        let mut command = self.person.shell(&script);
        for (name, value) in [
            ("host", "127.0.0.1"),
            ("port", &self.port),
            ("user", "guest"),
            ("BRINE_QUEUE_PASSWORD", if section == "RabbitMQ" { "guest" } else { "" }),
        ] {
            if !value.is_empty() {
                command.env(name, value);
            }
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{section}: {output:?}");
    }

    #[track_caller]
    fn carries_an_order(&self, section: &str) {
        self.run(section);
        assert_eq!(self.person.read("received"), b"seq 3\n");
    }
}

fn nats() -> (Server, String) {
    on_free_port(|port| {
        let (directory, port) = (TempDir::new().unwrap(), port.to_string());
        let store = directory.path().join("store").to_str().unwrap().to_owned();
        let arguments = ["-a", "127.0.0.1", "-p", &port, "-js", "-sd", &store];
        let mut server = Server::start(directory, "nats-server", &arguments);
        server.is_ready(|server| server.log().contains("Server is ready")).then_some(server)
    })
}

#[test]
fn redis_carries_an_order_as_the_page_says() {
    let (_server, port) = brokers::redis::start();
    Site::new(port).carries_an_order("Redis");
}

#[test]
fn nats_carries_an_order_and_jobs_as_the_page_says() {
    let (_server, port) = nats();
    let site = Site::new(port);
    site.carries_an_order("NATS");
    site.run("Jobs");
    assert_eq!(site.person.read("result"), b"1\n2\n3\n");
    let readme = project_text("README.md");
    let (_, rest) = readme.split_once("**The same between machines**").unwrap();
    let (example, _) = rest.split_once("**Any other broker**").unwrap();
    let lines = example.lines().filter_map(|line| line.strip_prefix("    "));
    let lines = lines.collect::<Vec<_>>().join("\n");
    let lines = lines.replace("//broker?", &format!("//127.0.0.1:{}?", site.port));
    let line = format!("{lines} > again; status=$?; kill $!; exit $status");
    let output = site.person.shell(&line).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(site.person.read("again"), b"1\n2\n3\n");
}

#[test]
fn rabbitmq_carries_an_order_as_the_page_says() {
    let port = rabbitmq::shared().expect("rabbitmq-server is missing: run ./scripts/test");
    Site::new(port.to_string()).carries_an_order("RabbitMQ");
}

/// What waits when the first consumer of a host comes may be what one handled whose ledger is lost.
#[test]
fn what_waits_on_rabbitmq_is_taken_if_somebody_says_that_it_is_new() {
    const STAYS: &str = "stays queued, and is looked at again later: record was issued at";
    let port = rabbitmq::shared().expect("rabbitmq-server is missing: run ./scripts/test");
    let person = Person::with_key();
    person.write("policy", "[[allow]]\nsigners = [\"default\"]\n");
    let shell = |line: &str| {
        let output = person.shell(line).env("BRINE_QUEUE_PASSWORD", "guest").output().unwrap();
        (output.status.code(), String::from_utf8([output.stderr, output.stdout].concat()).unwrap())
    };
    for (name, send, take, taken) in [
        ("data", "brine send --expires 1h", "brine recv --null --wait 1s", "true\n\0"),
        (
            "job",
            "brine send --job --expires 1h",
            "brine work --wait 1s --policy policy",
            "ended well",
        ),
    ] {
        let url = format!("amqp://guest@127.0.0.1:{port}?queue=waiting-{name}");
        let command = if name == "job" { "-- sh" } else { "" };
        let send = format!("rm -f once.db*; echo true | {send} '{url}'; sleep 2");
        let take = format!("{take} '{url}&once-per-host=once.db' {command}");
        let (_, said) = shell(&format!("{send}; {take}"));
        assert_eq!(said.matches(STAYS).count(), 1, "{name}: {said}");
        assert!(said.contains("docs/queues.md") && !said.contains(taken), "{name}: {said}");
        let init = "brine replay init --once-per-host --accept-older once.db";
        let (status, said) = shell(&format!("{send}; {init}; {take}"));
        assert_eq!(status, Some(0), "{name}: {said}");
        assert!(!said.contains(STAYS) && said.contains(taken), "{name}: {said}");
    }
    // One that has begun knows what was handled.
    let (status, said) = shell("brine replay init --once-per-host --accept-older once.db");
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("once.db") && said.contains("exists"), "{said}");
}

/// What no key signed is signed by the gateway, and does not pass the guard.
#[test]
fn a_relay_guards_and_signs_as_the_page_says() {
    let (_server, port) = brokers::redis::start();
    let site = Site::new(port);
    let (partner, port) = (Person::with_key(), &site.port);
    site.person.write("partner.pub", crate::run(&partner, "brinekey", "brinekey pub"));
    let url = |name: &str| format!("'redis://127.0.0.1:{port}?queue={name}'");
    let take = |name: &str| {
        let line = format!("brine recv --lines --wait 1s {}", url(name));
        site.person.shell(&line).output().unwrap();
    };
    ["outside", "raw"].into_iter().for_each(take);
    site.person.shell("brine recv --lines 'sqlite:inside.db?queue=outside'").output().unwrap();
    let send = format!("printf theirs | brine send {}", url("outside"));
    crate::run(&partner, "brine", &send);
    for name in ["outside", "raw"] {
        let key = format!("brine:{{{name}}}:messages");
        assert!(!ask("redis-cli", &["-p", port, "XADD", &key, "*", "c", "plain"]).is_empty());
    }
    site.run("Relay");
    let received = |line: &str| crate::run(&site.person, "brine", line);
    let theirs = "brine recv -p ./partner.pub --len32 'sqlite:inside.db?queue=outside'";
    assert_eq!(received(theirs), b"\0\0\0\x06theirs");
    assert_eq!(received("brine recv --len32 'sqlite:inside.db?queue=orders'"), b"\0\0\0\x05plain");
    let dead = received(&format!("brine dead list {}", url("outside")));
    assert!(String::from_utf8(dead).unwrap().contains("not-an-envelope"));
}
