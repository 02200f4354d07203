//! Whoever holds three envelopes of one signer makes nothing of them that verifies, but the same
//! three again: payload, protected header and signature to the byte, each for its own context.
//!
//! The input is a list of edits, four bytes each. Most edit one part of an envelope, whose length is
//! then written anew, so that they reach the judge and not only the parser; some falsify the length,
//! or edit the bytes of the whole.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use brine::claims::Audience;
use brine::cose::Signature;
use brine::{
    ContentType, Request, Sign1, Signer, SigningKey, Statement, Tagging, Template, Timestamp,
    Trust, sign, verify,
};
use libfuzzer_sys::fuzz_target;
use zeroize::Zeroizing;

fuzz_target!(|input: &[u8]| {
    let Some((&first, edits)) = input.split_first() else { return };
    let mut parts = Parts::of(&SET.envelopes[usize::from(first) % 3]);
    parts.tagged = first & 0x80 == 0;
    let mut whole = None;
    for &[what, part, at, with] in edits.as_chunks().0 {
        if what < 0xe0 && whole.is_none() {
            parts.edit(what, usize::from(part) % 4, at.into(), with);
        } else {
            let bytes = whole.get_or_insert_with(|| parts.to_bytes());
            edit(bytes, what, u16::from_be_bytes([part, at]).into(), with);
        }
    }
    judge(&whole.unwrap_or_else(|| parts.to_bytes()));
});

fn judge(edited: &[u8]) {
    let Ok(sign1) = Sign1::parse(edited, Tagging::Optional) else { return };
    for context in [None, Some("jobs"), Some("orders")] {
        let request = Request { context, ..Request::at(now()) };
        let Ok(verified) = verify(&sign1, &request, &SET.trust) else { continue };
        let is_same = |original: &Vec<u8>| {
            let original = parse(original);
            Some(verified.payload()) == original.unverified_payload()
                && verified.header() == original.header()
                && sign1.signature() == original.signature()
                && original.header().claims.audience == context.map(Audience::One)
        };
        assert!(SET.envelopes.iter().any(is_same), "accepted: {edited:02x?}");
    }
}

/// An envelope in pieces: protected header, unprotected header, payload, signature.
struct Parts {
    tagged: bool,
    items: [Vec<u8>; 4],
    /// How much longer each is said to be than it is.
    lies: [i8; 4],
}

impl Parts {
    fn of(envelope: &[u8]) -> Self {
        let sign1 = parse(envelope);
        let payload = sign1.unverified_payload().expect("an embedded payload");
        let Signature::Plain(signature) = sign1.signature() else { panic!("not of a batch") };
        let items = [sign1.protected_bytes(), &[0xa0], payload, signature];
        Self { tagged: true, items: items.map(<[u8]>::to_vec), lies: [0; 4] }
    }

    fn edit(&mut self, what: u8, part: usize, at: usize, with: u8) {
        match what % 8 {
            // The rest of it is that of another envelope.
            5 => {
                let other = Self::of(&SET.envelopes[usize::from(with) % 3]);
                self.items[part].truncate(at);
                self.items[part].extend(other.items[part].iter().skip(at));
            }
            6 => self.lies[part] = with as i8,
            // One part in the place of another.
            7 => self.items[part] = self.items[usize::from(with) % 4].clone(),
            _ => edit(&mut self.items[part], what, at, with),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = if self.tagged { vec![0xd2, 0x84] } else { vec![0x84] };
        for (index, (item, lie)) in self.items.iter().zip(self.lies).enumerate() {
            // The unprotected header is a map with a head of its own.
            if index != 1 {
                let length = item.len().saturating_add_signed(lie.into());
                match length {
                    0..24 => bytes.push(0x40 | length as u8),
                    24..0x100 => bytes.extend([0x58, length as u8]),
                    _ => bytes.extend([0x59, (length >> 8) as u8, length as u8]),
                }
            }
            bytes.extend(item);
        }
        bytes
    }
}

fn edit(bytes: &mut Vec<u8>, what: u8, at: usize, with: u8) {
    let at = at % (bytes.len() + 1);
    match (what % 8, bytes.get_mut(at)) {
        (0, Some(byte)) => *byte ^= 1 << (with % 8),
        (1, Some(byte)) => *byte = with,
        (2, Some(_)) => drop(bytes.remove(at)),
        (3, _) => bytes.truncate(at),
        _ => bytes.insert(at, with),
    }
}

fn parse(envelope: &[u8]) -> Sign1<'_> {
    Sign1::parse(envelope, Tagging::Required).expect("an envelope of brine's own")
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000).expect("a time in range")
}

struct Set {
    envelopes: [Vec<u8>; 3],
    trust: Trust,
}

static SET: LazyLock<Set> = LazyLock::new(|| {
    let key = SigningKey::from_seed(&Zeroizing::new([7; 32]));
    let hour = Duration::from_secs(3600);
    let full = |context, expires, not_before| Statement::Full {
        context: Some(context),
        cti: [7; 16],
        expires,
        issued_at: now(),
        not_before,
    };
    let orders = Template {
        content_type: Some(ContentType::Media("application/json")),
        statement: full("orders", Some(now().plus(hour)), Some(now().minus(hour))),
        ..Template::default()
    };
    let jobs = Template { statement: full("jobs", None, None), ..Template::default() };
    Set {
        envelopes: [
            sign(&key, b"{\"amount\": 1000}", &orders).to_bytes(),
            sign(&key, b"", &jobs).to_bytes(),
            sign(&key, b"hello", &Template::default()).to_bytes(),
        ],
        trust: Trust::new(vec![Signer::new("alice", key.verifying_key().clone())]),
    }
});
