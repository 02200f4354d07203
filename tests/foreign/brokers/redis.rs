//! Redis streams, with redis-cli.

use tempfile::TempDir;

use super::server::{Server, ask, on_free_port};
use super::{Market, lines, orders, snippet};

/// Starts a server for one test, and returns its port.
pub(crate) fn start() -> (Server, String) {
    on_free_port(|port| {
        let port = port.to_string();
        let arguments =
            ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let mut server = Server::start(TempDir::new().unwrap(), "redis-server", &arguments);
        // Another test's server would answer as well.
        let own = format!("process_id:{}\r", server.id());
        server
            .is_ready(|_| ask("redis-cli", &["-p", &port, "INFO", "server"]).contains(&own))
            .then_some(server)
    })
}

/// A market whose orders were sent, and what stands in the stream.
fn with_orders(port: &str) -> (Market, Vec<String>) {
    let market = Market::new("Redis", &[("port", port)]);
    market.succeed(&market.reader, snippet("Redis", ""));
    market.send_orders();
    let stream = "redis-cli -p \"$port\" --raw XRANGE orders - + | awk 'NR % 3 == 0'";
    let sent = lines(market.succeed(&market.branch, stream));
    assert_eq!(sent.len(), orders().len());
    (market, sent)
}

/// How many messages the group was given and has not acknowledged.
fn pending(market: &Market) -> String {
    let count = "redis-cli -p \"$port\" --raw XPENDING orders workers | head -1";
    lines(market.succeed(&market.reader, count)).remove(0)
}

#[test]
fn a_stream_carries_orders_and_nothing_else() {
    let (_server, port) = start();
    let (market, sent) = with_orders(&port);
    let bad = market.bad_records(&sent);
    market.send_records(&bad);
    // A hundred at a time; the last time there is nothing.
    for _ in 0..3 {
        let output = market.receive();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(pending(&market), "0");
    }
    market.assert_orders();
    assert_eq!(market.refused("refused").len(), bad.len());
    market.assert_refused_and_tried_again(&bad);
}

#[test]
fn what_was_not_handed_on_is_not_acknowledged() {
    let (_server, port) = start();
    let (market, sent) = with_orders(&port);
    // No place for what was verified.
    std::fs::remove_dir(market.reader.path("inbox")).unwrap();
    let output = market.receive();
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(pending(&market), "100");
    // The disk is full, or what comes before `brine verify` breaks off.
    std::fs::create_dir(market.reader.path("inbox")).unwrap();
    for breaks in ["mktemp() { echo /dev/full; }", "sed() { command sed -e 5q; return 1; }"] {
        let script = format!("{breaks}\n{}", snippet("Redis", "Receive"));
        let output = market.shell(&market.reader, &script);
        assert!(!output.status.success(), "{output:?}");
        assert_eq!(pending(&market), sent.len().to_string());
    }
    assert!(market.inbox().is_empty());
    for left in [sent.len() - 100, 0] {
        let output = market.receive();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(pending(&market), left.to_string());
    }
    market.assert_orders();
}

#[test]
fn what_was_handed_on_and_not_acknowledged_comes_again_and_is_dropped() {
    let (_server, port) = start();
    let (market, sent) = with_orders(&port);
    // As if the reader died between the two.
    let dies = format!("xargs() {{ false; }}\n{}", snippet("Redis", "Receive"));
    let output = market.shell(&market.reader, &dies);
    assert!(!output.status.success(), "{output:?}");
    assert_eq!(pending(&market), "100");
    assert_eq!(market.inbox().len(), 100);
    for left in [sent.len() - 100, 0] {
        let output = market.receive();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(pending(&market), left.to_string());
    }
    market.assert_orders();
    let replayed = sent[..100].iter().map(|record| ("replayed".to_owned(), Some(record.clone())));
    assert_eq!(market.refused("refused"), replayed.collect::<Vec<_>>());
}

#[test]
fn no_message_can_have_another_one_acknowledged_or_hidden() {
    let (_server, port) = start();
    let (market, sent) = with_orders(&port);
    // The same orders, with ids that are known beforehand, and in front of them what looks like the words of
    // Redis itself. The last order is not among the first hundred that a reader works on.
    let target = format!("1-{}", FIRST_ORDER + sent.len() - 1);
    let noise = format!(
        "set -e; exec > /dev/null; redis-cli -p \"$port\" DEL orders; \
         redis-cli -p \"$port\" XGROUP CREATE orders workers 0 MKSTREAM; \
         printf 'x\\n{target}\\nm\\n' | redis-cli -p \"$port\" -x XADD orders 1-1 m; \
         redis-cli -p \"$port\" XADD orders 1-2 m {target} {target} m; \
         redis-cli -p \"$port\" XADD orders 1-3 {target} ''; \
         id={FIRST_ORDER}; while read -r record; do \
             redis-cli -p \"$port\" XADD orders 1-$id m \"$record\" < /dev/null; id=$((id + 1)); \
         done < sent"
    );
    market.branch.write("sent", sent.join("\n") + "\n");
    market.succeed(&market.branch, &noise);
    // The reader has all of them before it works on any.
    for count in [100, sent.len() + FIRST_ORDER - 1] {
        let fails = format!("mktemp() {{ echo /dev/full; }}\n{}", snippet("Redis", "Receive"));
        assert!(!market.shell(&market.reader, &fails).status.success());
        assert_eq!(pending(&market), count.to_string());
    }
    let refused = market.refused("refused").len();
    for left in [sent.len() + FIRST_ORDER - 1 - 100, 0] {
        let output = market.receive();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(pending(&market), left.to_string());
    }
    market.assert_orders();
    let reasons = market.refused("refused").split_off(refused);
    assert!(reasons.iter().all(|(reason, _)| reason == "framing-base64"), "{reasons:?}");
    // What was not a word of Redis was looked at.
    assert!(!reasons.is_empty());
}

/// After the noise, which has the ids 1-1 to 1-3.
const FIRST_ORDER: usize = 4;
