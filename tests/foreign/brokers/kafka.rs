//! Kafka, with kcat, against the broker that its library brings along for tests.

use tempfile::TempDir;

use super::server::Server;
use super::{Market, assert_same, binaries, lines, orders, snippet};

/// It chooses a port by itself, and tells.
fn start() -> (Server, String) {
    let arguments = ["-P", "-t", "none", "-X", "test.mock.num.brokers=1", "-b", "ignored:1"];
    let mut server = Server::start(TempDir::new().unwrap(), "kcat", &arguments);
    let address = |server: &Server| {
        let log = server.log();
        let (_, after) = log.split_once("replaced with ")?;
        after.split_once('\n').map(|(address, _)| address.to_owned())
    };
    assert!(server.is_ready(|server| address(server).is_some()), "{}", server.log());
    let address = address(&server).unwrap();
    (server, address)
}

/// A market whose orders were sent, and what stands in the topic.
fn with_orders(brokers: &str) -> (Market, Vec<String>) {
    let market = Market::new("Kafka", &[("brokers", brokers)]);
    market.send_orders();
    let topic = "kcat -C -b \"$brokers\" -t orders -o beginning -e -q";
    let sent = lines(market.succeed(&market.branch, topic));
    assert_eq!(sent.len(), orders().len());
    (market, sent)
}

/// Reads each partition once, after some definitions, and returns in how many there was something.
fn receive(market: &Market, definitions: &str) -> usize {
    let read = |partition: &usize| {
        let receive = snippet("Kafka", "Receive");
        let script = format!("partition={partition}\n{definitions}\n{receive}");
        let output = market.shell(&market.reader, &script);
        let something = !market.reader.read("batch").is_empty();
        assert_eq!(output.status.success(), something && definitions.is_empty(), "{output:?}");
        something
    };
    (0..PARTITIONS).filter(read).count()
}

#[test]
fn a_topic_carries_orders_and_nothing_else() {
    let (_server, brokers) = start();
    let (market, sent) = with_orders(&brokers);
    assert!(receive(&market, "") > 0);
    market.assert_orders();
    assert_eq!(receive(&market, ""), 0);
    let bad = market.bad_records(&sent);
    market.send_records(&bad);
    assert!(receive(&market, "") > 0);
    market.assert_orders();
    assert_eq!(market.refused("refused").len(), bad.len());
    market.assert_refused_and_tried_again(&bad);
}

#[test]
fn a_reader_goes_on_where_it_had_handed_everything_on() {
    let (_server, brokers) = start();
    let (market, _) = with_orders(&brokers);
    // As if it died before it could take note of its place.
    let read = receive(&market, "mv() { false; }");
    market.assert_orders();
    // A message in the form of what kcat says cannot move it.
    let noise = "printf '999999999\\n' | kcat -P -b \"$brokers\" -t orders";
    market.succeed(&market.branch, noise);
    assert!(receive(&market, "") >= read);
    assert_eq!(receive(&market, ""), 0);
    market.assert_orders();
    let refused = market.refused("refused");
    assert!(refused.iter().all(|(reason, _)| reason == "replayed"), "{refused:?}");
    assert_eq!(refused.len(), orders().len());
    market.send_orders();
    receive(&market, "");
    assert_same(market.inbox(), [orders(), orders()].concat());
}

#[test]
fn envelopes_in_binary_go_through_as_they_are() {
    let (_server, brokers) = start();
    let market = Market::new("Kafka", &[("brokers", &brokers)]);
    let page = snippet("Kafka", "Envelopes in binary");
    let (send, receive) = page.split_once("kcat -C").unwrap();
    let receive = format!("kcat -C{receive}");
    let payloads = binaries()[..10].to_vec();
    for (number, payload) in payloads.iter().enumerate() {
        market.shop.write(&format!("{number}.order"), payload);
    }
    market.succeed(&market.shop, send);
    let mut altered = market.shop.read("7.order.brine");
    let last = altered.len() - 1;
    altered[last] ^= 1;
    market.branch.write("altered", altered);
    market.branch.write("again", market.shop.read("8.order.brine"));
    market.branch.write("order", "from the branch");
    let send = "brine sign --context orders --expires 1d order -o stranger && \
        kcat -P -b \"$brokers\" -t files altered again stranger";
    market.succeed(&market.branch, send);

    market.succeed(&market.reader, &receive);
    assert_same(market.inbox(), payloads.clone());
    let mut reasons: Vec<_> =
        market.refused("refused").into_iter().map(|(reason, _)| reason).collect();
    reasons.sort();
    assert_eq!(reasons, ["replayed", "signature-bad", "unknown-signer"]);
    // All of it again, as the page says: nothing comes out.
    market.succeed(&market.reader, &receive);
    assert_same(market.inbox(), payloads.clone());
    market.succeed(&market.reader, snippet("What was refused", ""));
    assert_same(market.inbox(), [payloads, vec![b"from the branch".to_vec()]].concat());
}

/// What a topic has in that broker.
const PARTITIONS: usize = 4;
