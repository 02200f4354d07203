//! `brine run --power`: what programs of the operator do for a job, over a socket each.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::thread;

use crate::common::{Person, assert_refused};
/// Listens, and answers one connection after the other: each line with the name of the power before it.
fn serve(person: &Person, name: &'static str) {
    let listener = UnixListener::bind(person.path(&format!("{name}.sock"))).unwrap();
    thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            for line in BufReader::new(connection.try_clone().unwrap()).lines() {
                writeln!(connection, "{name} heard {}", line.unwrap()).unwrap();
            }
        }
    });
}

/// Somebody whose job does this, asks for these powers, and may have two.
fn person(script: &str, grants: &str) -> Person {
    let person = Person::with_key();
    person
        .write("policy", "[[allow]]\nsigners = [\"default\"]\npowers = [\"orders\", \"users\"]\n");
    person.write("script", script);
    let sign = format!("brine sign --job {grants} script -o job");
    assert!(person.shell(&sign).output().unwrap().status.success());
    person
}

const RUN: &str =
    "brine run job --policy policy --power users=users.sock --power orders=orders.sock";

#[test]
fn each_power_is_a_descriptor_in_the_order_of_their_names() {
    let ask = "echo one >&3; head -n 1 <&3; echo two >&4; head -n 1 <&4; ls /proc/self/fd";
    let person = person(ask, "--grant power=users --grant power=orders");
    serve(&person, "orders");
    serve(&person, "users");
    let output = person.shell(&format!("{RUN} -- sh 5< policy")).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    // The last is that of the directory itself.
    let expected = "orders heard one\nusers heard two\n0\n1\n2\n3\n4\n5\n";
    assert_eq!(said, expected);
    let explained = person.shell(&format!("{RUN} --explain -- sh")).output().unwrap();
    let page = String::from_utf8(explained.stdout).unwrap();
    for line in ["power        orders as descriptor 3", "power        users as descriptor 4"] {
        assert!(page.contains(line), "{page}");
    }
}

#[test]
fn nobody_has_a_power_that_is_not_asked_for() {
    let person = person("ls /proc/self/fd", "");
    serve(&person, "orders");
    serve(&person, "users");
    let output = person.shell(&format!("{RUN} -- sh")).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0\n1\n2\n3\n");
}

#[test]
fn a_power_takes_a_policy_a_program_and_somebody_who_listens() {
    let person = person("true", "--grant power=orders");
    let refused = |line: &str, status, message: &str, hint: &str| {
        let output = person.shell(line).output().unwrap();
        assert_refused(&output, status, message);
        assert!(String::from_utf8_lossy(&output.stderr).contains(hint), "{output:?}");
    };
    person.write("shut", "[[allow]]\nsigners = [\"default\"]\npowers = [\"users\"]\n");
    refused(
        "brine run job --policy shut --power orders=orders.sock -- sh",
        5,
        "power=orders",
        "powers = [\"orders\"] in the entry of the policy",
    );
    refused(
        "brine run job --policy policy --power users=users.sock -- sh",
        127,
        "the job has the power orders, and nobody gives it",
        "\"--power orders=SOCKET\" names the program",
    );
    let listen = "the program that does must listen there";
    let run = &format!("{RUN} -- sh");
    let message = |why: &str| format!("nobody gives the power orders: \"orders.sock\": {why}");
    refused(run, 127, &message("No such file"), listen);
    // It is what a program leaves behind that was killed.
    drop(UnixListener::bind(person.path("orders.sock")).unwrap());
    refused(run, 127, &message("Connection refused"), listen);
    refused(&format!("{RUN} --explain -- sh"), 127, &message("Connection refused"), listen);
    std::fs::remove_file(person.path("orders.sock")).unwrap();
    // It is no stream socket.
    let _other = UnixDatagram::bind(person.path("orders.sock")).unwrap();
    refused(run, 127, &message("Protocol wrong type"), listen);
}
