use std::os::unix::net::UnixListener;
use std::sync::mpsc::channel;

use brine_core::{Algorithm, SigningBackend as _};
use brine_keys::AgentError;
use brine_testkit::key;

use super::*;

/// What the agent answers, piece by piece, or nothing.
const SHORT: AgentTimes =
    AgentTimes { list: Duration::from_millis(200), sign: Duration::from_millis(300) };

fn socket(directory: &tempfile::TempDir) -> (UnixListener, AgentSocket) {
    let path = directory.path().join("agent");
    (UnixListener::bind(&path).unwrap(), AgentSocket { path, times: SHORT })
}

#[test]
fn an_agent_that_says_nothing_is_waited_for_no_longer_than_its_time() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, socket) = socket(&directory);
    let began = Instant::now();
    let error = held_keys(&socket).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "the agent did not list its keys in time: the limit is 0.2 s");
    assert!(began.elapsed() >= SHORT.list && began.elapsed() < SHORT.list * 10);
    // As many as fit wait already.
    let mut waiting = Vec::new();
    loop {
        match socket.connect(AgentExchange::List) {
            Ok(connection) => waiting.push(connection),
            Err(error) => break assert_eq!(error.kind(), ErrorKind::TimedOut),
        }
    }
    drop(listener);
    let error = held_keys(&socket).map(drop).unwrap_err();
    assert!(matches!(error, AgentError::Absent(_)), "{error}");
}

/// The time is that of the whole answer, and not of a piece of it.
#[test]
fn an_agent_that_answers_a_byte_at_a_time_is_late_too() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, socket) = socket(&directory);
    let (tell, is_done) = channel::<()>();
    let agent = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        for byte in [0, 0, 0, 200].into_iter().chain([12; 196]) {
            if connection.write_all(&[byte]).is_err() {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
        let _ = is_done.recv();
    });
    let error = held_keys(&socket).map(drop).unwrap_err();
    assert!(matches!(error, AgentError::Late { .. }), "{error}");
    drop(tell);
    agent.join().unwrap();
}

#[test]
fn a_signature_has_a_time_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let (listener, socket) = socket(&directory);
    let (tell, is_done) = channel::<()>();
    let agent = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        connection.read_exact(&mut [0; 5]).unwrap();
        let public = key(1).verifying_key().to_bytes();
        let blob = [b"\0\0\0\x0bssh-ed25519\0\0\0\x20".as_slice(), &public].concat();
        let list = [b"\x0c\0\0\0\x01\0\0\0\x33".as_slice(), &blob, &[0; 4]].concat();
        let length = u32::try_from(list.len()).unwrap().to_be_bytes();
        connection.write_all(&[length.as_slice(), &list].concat()).unwrap();
        let _ = is_done.recv();
    });
    let (held, connection) = held_keys(&socket).unwrap();
    let key = AgentKey::new(socket, connection, &held[0]).unwrap();
    // The time that passed before has no part in it.
    thread::sleep(SHORT.list);
    let began = Instant::now();
    let error = key.sign(Algorithm::EdDsa, &[b"message"]).unwrap_err();
    assert_eq!(error.to_string(), "the agent did not sign in time: the limit is 0.3 s");
    assert!(began.elapsed() >= SHORT.sign);
    drop(tell);
    agent.join().unwrap();
}
