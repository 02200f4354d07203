//! What a queue is called on the server.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::url::QueueName;

/// The most characters of an encoded name. A stream's name, which is also that of a directory, has at most 255.
const MAX_ENCODED_CHARS: usize = 200;

/// So many characters of an encoded name are kept if it is too long.
const KEPT_CHARS: usize = 120;

/// The names of what a queue has on the server.
///
/// `NAME` is the queue's, in which ASCII letters, digits and `-` are themselves, and any other byte is `_` and two hex
/// digits. Of a name that is longer than 200 characters by then, the first 120 are kept, followed by `_h` and the
/// SHA-256 of the name in hex. So no two queues share a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerNames {
    encoded: String,
    /// `brine-q-NAME`: the stream of messages.
    pub(super) messages: String,
    /// `brine-s-NAME`: the stream of what is known about them.
    pub(super) states: String,
    /// `brine-l-NAME`: the stream of the ledger.
    pub(super) ledger: String,
}

impl ServerNames {
    pub(super) fn new(name: &QueueName) -> Self {
        let encoded = encode(name.as_str());
        Self {
            messages: format!("brine-q-{encoded}"),
            states: format!("brine-s-{encoded}"),
            ledger: format!("brine-l-{encoded}"),
            encoded,
        }
    }

    /// Returns the subject of messages: `brine.q.NAME.ID`. The id is drawn when the queue is made, so a queue of the
    /// same name that is made later has others.
    pub(super) fn message_subject(&self, id: &str) -> String {
        format!("brine.q.{}.{id}", self.encoded)
    }

    /// Returns the id that the subject of messages has, if it is one.
    pub(super) fn id_of<'s>(&self, subject: &'s str) -> Option<&'s str> {
        let id =
            subject.strip_prefix("brine.q.")?.strip_prefix(&self.encoded)?.strip_prefix('.')?;
        let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then_some(id)
    }

    /// Returns what the subjects of states begin with: `brine.s.NAME.ID`.
    pub(super) fn state_prefix(&self, id: &str) -> String {
        format!("brine.s.{}.{id}", self.encoded)
    }

    /// Returns what the subjects of the ledger begin with: `brine.l.NAME.ID`.
    pub(super) fn ledger_prefix(&self, id: &str) -> String {
        format!("brine.l.{}.{id}", self.encoded)
    }
}

fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            encoded.push(char::from(byte));
        } else {
            // A string takes everything.
            let _ = write!(encoded, "_{byte:02X}");
        }
    }
    if encoded.len() <= MAX_ENCODED_CHARS {
        return encoded;
    }
    encoded.truncate(KEPT_CHARS);
    encoded + "_h" + &HEXLOWER.encode(&Sha256::digest(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(name: &str) -> ServerNames {
        ServerNames::new(&QueueName::new(name).unwrap())
    }

    #[test]
    fn operators_recognise_a_queue_and_no_two_are_the_same() {
        let cases = [
            ("work", "work"),
            ("Work-high", "Work-high"),
            ("a.b", "a_2Eb"),
            ("a_2Eb", "a_5F2Eb"),
            ("a b*>/\\", "a_20b_2A_3E_2F_5C"),
            ("ü", "_C3_BC"),
        ];
        for (name, encoded) in cases {
            assert_eq!(names(name).messages, format!("brine-q-{encoded}"));
            assert_eq!(names(name).message_subject("1"), format!("brine.q.{encoded}.1"));
        }
    }

    #[test]
    fn long_names_fit_and_differ() {
        let [one, other] = ["1", "2"].map(|end| names(&("ü".repeat(127) + end)).ledger);
        assert!(one.len() <= 255 && one != other);
        assert!(one.starts_with("brine-l-_C3_BC_C3"));
        assert_eq!(names(&"n".repeat(200)).states, format!("brine-s-{}", "n".repeat(200)));
        assert_eq!(names(&"n".repeat(255)).states.len(), 8 + 120 + 2 + 64);
    }

    #[test]
    fn a_subject_has_the_id_of_its_queue_alone() {
        let id = "0123456789abcdef0123456789abcdef";
        let subject = names("a").message_subject(id);
        assert_eq!(names("a").id_of(&subject), Some(id));
        assert_eq!(names("b").id_of(&subject), None);
        for other in ["brine.q.a", "brine.q.a.>", "brine.q.a.1", "orders"] {
            assert_eq!(names("a").id_of(other), None);
        }
    }
}
