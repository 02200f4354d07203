//! MQTT, with mosquitto and its clients.

use std::net::TcpStream;

use tempfile::TempDir;

use super::server::{Server, on_free_port};
use super::{Market, lines, orders, snippet};

fn start() -> (Server, String) {
    on_free_port(|port| {
        let directory = TempDir::new().unwrap();
        // A process that changes its user is no longer killed with the test.
        let settings = format!(
            "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n\
             max_queued_messages 10000\n"
        );
        let file = directory.path().join("mosquitto.conf");
        std::fs::write(&file, settings).unwrap();
        let mut server = Server::start(directory, "mosquitto", &["-c", "mosquitto.conf"]);
        // It says so when it listens, which it does not where another has the port.
        server
            .is_ready(|server| {
                server.log().contains(" running") && TcpStream::connect(("127.0.0.1", port)).is_ok()
            })
            .then_some(server)
    })
}

#[test]
fn a_topic_carries_orders_and_nothing_else() {
    let (_server, port) = start();
    let market = Market::new("MQTT", &[("port", &port)]);
    market.succeed(&market.reader, snippet("MQTT", ""));
    // Whoever wants to can read along.
    let spy = "mosquitto_sub -p \"$port\" -i spy -c -q 1 -t orders";
    market.succeed(&market.branch, &format!("{spy} -E"));
    market.send_orders();
    let sent = lines(market.succeed(&market.branch, &format!("{spy} -C {}", orders().len())));
    // The reader goes away all of a sudden, and gets again what the broker had not heard of.
    let receive = snippet("MQTT", "Receive");
    let leaves = "mosquitto_sub() { command mosquitto_sub \"$@\" -C 50; }";
    market.succeed(&market.reader, &format!("{leaves}\n{receive}"));
    assert_eq!(market.inbox().len(), 50);
    // This comes while it is away.
    let bad = market.bad_records(&sent);
    market.send_records(&bad);

    let a_minute = receive.replace(" -W 60 ", " -W 1 ");
    assert_ne!(a_minute, receive);
    for _ in 0..ROUNDS {
        market.succeed(&market.reader, &a_minute);
        // The last record that was sent is one of those that are refused.
        if market.refused("refused").iter().any(|(_, record)| record.as_ref() == bad.last()) {
            break;
        }
    }
    market.assert_orders();
    market.assert_refused_and_tried_again(&bad);
}

/// In how many seconds everything has arrived, even on a slow machine.
const ROUNDS: usize = 60;
