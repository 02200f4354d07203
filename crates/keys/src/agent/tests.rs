//! An agent that answers as it is told, once for each connection or for several.

use std::collections::VecDeque;
use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::sync::{Arc, Mutex};

use brine_core::{
    Algorithm, Class, Classified as _, Content, SigningBackend as _, SigningError, SigningKey,
    Statement, Timestamp, Unique, sign,
};
use proptest::collection::vec;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;
use crate::Fingerprint;
use crate::openssh::blob;

/// What the agent answers to one request: bytes, after which it hangs up or goes on, or a failure of the system.
#[derive(Clone)]
enum Reply {
    Bytes(Vec<u8>),
    LastBytes(Vec<u8>),
    Failure(ErrorKind),
    /// It signs what it is asked to, with this key.
    Signature(Arc<SigningKey>),
}

/// The replies on each connection, and what was asked on it.
#[derive(Clone, Default)]
struct FakeAgent {
    connections: Arc<Mutex<VecDeque<Vec<Reply>>>>,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

struct FakeConnection {
    agent: FakeAgent,
    replies: VecDeque<Reply>,
    answer: Cursor<Vec<u8>>,
    is_open: bool,
    failure: Option<ErrorKind>,
}

impl FakeAgent {
    fn with(connections: Vec<Vec<Reply>>) -> Self {
        Self { connections: Arc::new(Mutex::new(connections.into())), ..Self::default() }
    }
}

impl AgentLink for FakeAgent {
    type Connection = FakeConnection;

    fn connect(&self, _: AgentExchange) -> io::Result<FakeConnection> {
        let replies = self.connections.lock().unwrap().pop_front();
        let replies = replies.ok_or(ErrorKind::ConnectionRefused)?;
        Ok(FakeConnection {
            agent: self.clone(),
            replies: replies.into(),
            answer: Cursor::default(),
            is_open: true,
            failure: None,
        })
    }

    fn begin(&self, _: &mut FakeConnection, _: AgentExchange) {}
}

impl Write for FakeConnection {
    fn write(&mut self, request: &[u8]) -> io::Result<usize> {
        if !self.is_open {
            return Err(ErrorKind::BrokenPipe.into());
        }
        self.agent.asked.lock().unwrap().push(request.to_vec());
        let (answer, goes_on) = match self.replies.pop_front() {
            Some(Reply::Bytes(bytes)) => (bytes, true),
            Some(Reply::LastBytes(bytes)) => (bytes, false),
            Some(Reply::Failure(kind)) => {
                self.failure = Some(kind);
                (Vec::new(), false)
            }
            Some(Reply::Signature(key)) => {
                // Length and type, the key, the message, the flags.
                let message = &request[4 + 1 + 4 + 51 + 4..request.len() - 4];
                (signature(b"ssh-ed25519", &key.sign(&[message])), true)
            }
            None => (Vec::new(), false),
        };
        (self.answer, self.is_open) = (Cursor::new(answer), goes_on);
        Ok(request.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for FakeConnection {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.failure {
            Some(kind) => Err(kind.into()),
            // One byte at a time, as a socket may.
            None => self.answer.read(&mut room[..1]),
        }
    }
}

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new([number; 32]))
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

fn message(kind: u8, rest: &[u8]) -> Vec<u8> {
    string(&[&[kind], rest].concat())
}

fn blob_of(key: &SigningKey) -> Vec<u8> {
    blob(&key.verifying_key().to_bytes())
}

fn list(keys: &[(Vec<u8>, &[u8])]) -> Vec<u8> {
    let count = u32::try_from(keys.len()).unwrap().to_be_bytes().to_vec();
    let keys = keys.iter().flat_map(|(blob, comment)| [string(blob), string(comment)]);
    message(IDENTITIES_ANSWER, &std::iter::once(count).chain(keys).collect::<Vec<_>>().concat())
}

fn signature(name: &[u8], bytes: &[u8]) -> Vec<u8> {
    message(SIGN_RESPONSE, &string(&[string(name), string(bytes)].concat()))
}

fn one_key() -> Reply {
    Reply::Bytes(list(&[(blob_of(&key(1)), b"laptop")]))
}

/// The key that the agent lists first, for signing.
fn agent_key(agent: &FakeAgent) -> AgentKey<FakeAgent> {
    let (held, connection) = held_keys(agent).unwrap();
    AgentKey::new(agent.clone(), connection, &held[0]).unwrap()
}

/// The class and the reason of an agent that gives this list.
fn refused_list(reply: Reply) -> (Class, &'static str) {
    let error = held_keys(&FakeAgent::with(vec![vec![reply]])).map(drop).unwrap_err();
    (error.class(), error.reason())
}

/// The class and the reason of an agent that lists a key and then answers so.
fn refused_signature(reply: Reply) -> (Class, &'static str) {
    let agent = FakeAgent::with(vec![vec![one_key(), reply.clone()], vec![reply]]);
    let error = agent_key(&agent).sign(Algorithm::EdDsa, &[b"message"]).unwrap_err();
    (error.class(), error.reason())
}

const MALFORMED: (Class, &str) = (Class::Key, "agent-malformed");
const HUNG_UP: (Class, &str) = (Class::System, "agent-hung-up");
const REFUSED: (Class, &str) = (Class::Key, "agent-refused");

#[test]
fn keys_of_all_types_are_listed_as_what_they_are() {
    let certificate = [
        string(b"ssh-ed25519-cert-v01@openssh.com"),
        string(b"nonce"),
        string(&key(1).verifying_key().to_bytes()),
    ];
    let fido = [string(b"sk-ssh-ed25519@openssh.com"), string(&[9; 32]), string(b"ssh:")].concat();
    let weak = [string(b"ssh-ed25519"), string(&[0; 32])].concat();
    let reply = list(&[
        (blob_of(&key(1)), b"me@host"),
        (certificate.concat(), b"me@host"),
        (fido, b"\x1b[2Jtoken"),
        (string(b"ssh-rsa"), b"\xff"),
        (weak, b""),
    ]);
    let agent = FakeAgent::with(vec![vec![Reply::Bytes(reply)]]);
    let (held, _connection) = held_keys(&agent).unwrap();
    let forms: Vec<_> = held.iter().map(HeldKey::form).collect();
    let public = key(1).verifying_key().clone();
    assert_eq!(forms[0], &HeldForm::Ed25519(public.clone()));
    assert_eq!(forms[1], &HeldForm::Certificate(public.clone()));
    assert_eq!((forms[2], forms[3]), (&HeldForm::Fido, &HeldForm::Other("ssh-rsa".to_owned())));
    assert!(matches!(forms[4], HeldForm::Unusable(_)));
    let comments: Vec<_> = held.iter().map(HeldKey::comment).collect();
    assert_eq!(comments, ["me@host", "me@host", "\x1b[2Jtoken", "\u{fffd}", ""]);
    assert_eq!(held[0].fingerprint(), Fingerprint::ssh(&public));
    assert_eq!(held[1].fingerprint(), held[0].fingerprint());
    assert_ne!(held[2].fingerprint(), held[3].fingerprint());
    let signing: Vec<_> = held.iter().map(|held| held.signing().is_some()).collect();
    assert_eq!(signing, [true, false, false, false, false]);
    assert_eq!(*agent.asked.lock().unwrap(), [[0, 0, 0, 1, 11]]);
}

#[test]
fn a_list_that_breaks_a_rule_is_refused() {
    let whole = list(&[(blob_of(&key(1)), b"laptop")]);
    let inside = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = whole[4..].to_vec();
        change(&mut changed);
        Reply::Bytes(string(&changed))
    };
    let malformed = [
        Reply::Bytes(string(b"")),
        Reply::Bytes(signature(b"ssh-ed25519", &[0; 64])),
        // The type and no count; a count that is too high, and one that is too low.
        Reply::Bytes(message(IDENTITIES_ANSWER, b"")),
        inside(&|list| list[4] = 2),
        inside(&|list| list[4] = 0),
        inside(&|list| list[1..5].copy_from_slice(&2049_u32.to_be_bytes())),
        inside(&|list| list[1..5].copy_from_slice(&[0xff; 4])),
        inside(&|list| list.push(0)),
        inside(&|list| list.truncate(list.len() - 1)),
        // A refusal has nothing more to say.
        Reply::Bytes(message(FAILURE, b"no")),
        Reply::Bytes(list(&[(string(b"ssh-ed25519"), b"")])),
        Reply::Bytes(list(&[([string(b"ssh-ed25519"), string(&[1; 31])].concat(), b"")])),
        Reply::Bytes(list(&[([blob_of(&key(1)), vec![0]].concat(), b"")])),
        Reply::Bytes(list(&[(string(b"ssh-ed25519-cert-v01@openssh.com"), b"")])),
        Reply::Bytes(list(&[(b"\0\0".to_vec(), b"")])),
        // Longer than any message, whether or not it comes.
        Reply::Bytes([0, 4, 0, 1].to_vec()),
        Reply::Bytes([0xff; 4].to_vec()),
    ];
    for (number, reply) in malformed.into_iter().enumerate() {
        assert_eq!(refused_list(reply), MALFORMED, "{number}");
    }
    assert_eq!(refused_list(Reply::Bytes(message(FAILURE, b""))), REFUSED);
}

#[test]
fn a_list_that_is_cut_anywhere_says_that_the_agent_hung_up() {
    let whole = list(&[(blob_of(&key(1)), b"laptop")]);
    for length in 0..whole.len() {
        assert_eq!(refused_list(Reply::LastBytes(whole[..length].to_vec())), HUNG_UP, "{length}");
    }
}

#[test]
fn what_the_system_reports_is_told_apart() {
    let late = (Class::System, "agent-late");
    assert_eq!(refused_list(Reply::Failure(ErrorKind::TimedOut)), late);
    assert_eq!(refused_signature(Reply::Failure(ErrorKind::TimedOut)), late);
    assert_eq!(refused_list(Reply::Failure(ErrorKind::ConnectionReset)), HUNG_UP);
    assert_eq!(refused_list(Reply::Failure(ErrorKind::OutOfMemory)), (Class::System, "agent-io"));
    let nobody = held_keys(&FakeAgent::default()).map(drop).unwrap_err();
    assert_eq!((nobody.class(), nobody.reason()), (Class::System, "agent-absent"));
}

#[test]
fn what_is_signed_is_what_the_key_itself_signs() {
    let agent = FakeAgent::with(vec![vec![
        one_key(),
        Reply::Signature(key(1).into()),
        Reply::Signature(key(1).into()),
        Reply::Signature(key(1).into()),
    ]]);
    let held = agent_key(&agent);
    let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
    let statement = Statement::at(now).unique(Unique { cti: [7; 16], sequence: None });
    let by = |key: &dyn brine_core::SigningBackend| {
        sign(&statement, key, Content::Bytes(b"payload")).unwrap().to_bytes()
    };
    assert_eq!(by(&held), by(&key(1)));
    let pieces = |give: &mut dyn FnMut(&[u8])| {
        [b"a".as_slice(), b"", b"b"].into_iter().for_each(give);
        Ok(())
    };
    let signed = held.sign_pieces(Algorithm::EdDsa, &pieces).unwrap();
    assert_eq!(signed, key(1).sign(&[b"ab"]));
    held.sign(Algorithm::EdDsa, &[b"a", b"", b"b"]).unwrap();
    let asked = agent.asked.lock().unwrap().pop().unwrap();
    let expected = [string(&blob_of(&key(1))), string(b"ab"), vec![0; 4]].concat();
    assert_eq!(asked, message(SIGN_REQUEST, &expected));
}

#[test]
fn a_signature_that_breaks_a_rule_is_refused() {
    let good = key(1).sign(&[b"message"]);
    let malformed = [
        Reply::Bytes(string(b"")),
        Reply::Bytes(list(&[])),
        Reply::Bytes(message(SIGN_RESPONSE, b"")),
        Reply::Bytes(message(SIGN_RESPONSE, &string(b""))),
        Reply::Bytes(message(SIGN_RESPONSE, &string(&string(b"ssh-ed25519")))),
        Reply::Bytes(signature(b"ssh-rsa", &good)),
        Reply::Bytes(message(
            SIGN_RESPONSE,
            &[string(&[string(b"ssh-ed25519"), string(&good)].concat()), vec![0]].concat(),
        )),
        Reply::Bytes(message(
            SIGN_RESPONSE,
            &string(&[string(b"ssh-ed25519"), string(&good), vec![0]].concat()),
        )),
    ];
    for (number, reply) in malformed.into_iter().enumerate() {
        assert_eq!(refused_signature(reply), MALFORMED, "{number}");
    }
    let other = (Class::Key, "agent-signature");
    for bytes in [&key(2).sign(&[b"message"])[..], &key(1).sign(&[b"another"]), &good[..63], b""] {
        assert_eq!(refused_signature(Reply::Bytes(signature(b"ssh-ed25519", bytes))), other);
    }
    assert_eq!(refused_signature(Reply::Signature(key(2).into())), other);
    assert_eq!(refused_signature(Reply::Bytes(message(FAILURE, b""))), REFUSED);
    let whole = signature(b"ssh-ed25519", &good);
    for length in 0..whole.len() {
        let cut = Reply::LastBytes(whole[..length].to_vec());
        assert_eq!(refused_signature(cut), HUNG_UP, "{length}");
    }
}

#[test]
fn a_connection_that_died_is_opened_anew_once() {
    let signature = || Reply::Signature(key(1).into());
    let last = Reply::LastBytes(list(&[(blob_of(&key(1)), b"")]));
    let agent = FakeAgent::with(vec![vec![last.clone()], vec![signature(), signature()]]);
    let held = agent_key(&agent);
    held.sign(Algorithm::EdDsa, &[b"message"]).unwrap();
    held.sign(Algorithm::EdDsa, &[b"message"]).unwrap();
    // The agent is gone: its socket is no other's.
    let error = held.sign(Algorithm::EdDsa, &[b"message"]).unwrap_err();
    assert_eq!((error.class(), error.reason()), (Class::System, "agent-absent"));
    // It hangs up whenever it is asked, and is not asked for ever.
    let agent = FakeAgent::with(vec![vec![last], vec![], vec![signature()]]);
    let error = agent_key(&agent).sign(Algorithm::EdDsa, &[b"message"]).unwrap_err();
    assert_eq!((error.class(), error.reason()), HUNG_UP);
    assert_eq!(agent.connections.lock().unwrap().len(), 1);
}

/// A child that was forked has the connection of its parent, and no use of it.
#[test]
fn a_key_that_is_made_anew_signs_over_a_connection_of_its_own() {
    let signature = || Reply::Signature(key(1).into());
    let agent = FakeAgent::with(vec![vec![one_key(), signature(), signature()], vec![signature()]]);
    let held = agent_key(&agent);
    let anew = held.anew();
    assert_eq!(anew.verifying_key(), held.verifying_key());
    for (key, connections_left) in [(&held, 1), (&anew, 0), (&held, 0)] {
        key.sign(Algorithm::EdDsa, &[b"message"]).unwrap();
        assert_eq!(agent.connections.lock().unwrap().len(), connections_left);
    }
}

/// What it answers later to what it was asked before is an answer to nothing else.
#[test]
fn a_connection_that_was_late_is_not_used_again() {
    let agent = FakeAgent::with(vec![
        vec![one_key(), Reply::Failure(ErrorKind::TimedOut)],
        vec![Reply::Signature(key(1).into())],
    ]);
    let held = agent_key(&agent);
    assert_eq!(held.sign(Algorithm::EdDsa, &[b"one"]).unwrap_err().reason(), "agent-late");
    held.sign(Algorithm::EdDsa, &[b"two"]).unwrap();
}

#[test]
fn what_does_not_fit_a_message_is_not_sent() {
    let agent = FakeAgent::with(vec![vec![one_key(), Reply::Signature(key(1).into())]]);
    let held = agent_key(&agent);
    let limit = held.message_limit().unwrap();
    let long = vec![7; limit + 1];
    for parts in [&[long.as_slice()][..], &[&long[1..], b"a"]] {
        let error = held.sign(Algorithm::EdDsa, parts).unwrap_err();
        assert!(matches!(error, SigningError::TooLarge));
        assert_eq!((error.class(), error.reason()), (Class::Unsupported, "signing-too-large"));
    }
    let pieces = |give: &mut dyn FnMut(&[u8])| {
        long.chunks(1000).for_each(give);
        Ok(())
    };
    assert!(matches!(held.sign_pieces(Algorithm::EdDsa, &pieces), Err(SigningError::TooLarge)));
    assert_eq!(agent.asked.lock().unwrap().len(), 1);
    held.sign(Algorithm::EdDsa, &[&long[1..]]).unwrap();
    let asked = agent.asked.lock().unwrap().pop().unwrap();
    assert_eq!(asked.len(), 4 + MAX_AGENT_MESSAGE_BYTES);
}

proptest! {
    /// Whatever an agent says is a list or an error, and no signature but that of the key.
    #[test]
    fn no_answer_is_taken_for_what_it_is_not(kind in 0_u8..16, rest in vec(any::<u8>(), 0..200)) {
        let answer = Reply::LastBytes(message(kind, &rest));
        let agent = FakeAgent::with(vec![vec![answer.clone()], vec![one_key(), answer]]);
        if let Ok((held, _)) = held_keys(&agent) {
            prop_assert_eq!(kind, IDENTITIES_ANSWER);
            prop_assert!(held.len() * 8 <= rest.len());
        }
        prop_assert!(agent_key(&agent).sign(Algorithm::EdDsa, &[b"message"]).is_err());
    }
}

#[test]
fn only_plain_ed25519_keys_sign() {
    let fido = string(b"sk-ssh-ed25519@openssh.com");
    let agent = FakeAgent::with(vec![vec![Reply::Bytes(list(&[(fido, b"token")]))]]);
    let (held, connection) = held_keys(&agent).unwrap();
    assert!(AgentKey::new(agent, connection, &held[0]).is_none());
}
