//! Whoever holds three envelopes of one signer makes nothing of them that verifies, but the same
//! three again: payload, protected header and signature to the byte, each for its own context.
//!
//! The input is a list of edits, four bytes each. Most edit one part of an envelope, whose length is
//! then written anew, so that they reach the judge and not only the parser; some falsify the length,
//! or edit the bytes of the whole.

#![no_main]

use std::sync::LazyLock;
use std::time::Duration;

use brine_core::batch::Signature;
use brine_core::claims::Audience;
use brine_core::cose::Tagging;
use brine_core::{
    Expectations, KnownSigners, Signer, SigningKey, Statement, Timestamp, Unique,
    UnverifiedEnvelope, open, sign,
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
    let Ok(envelope) = UnverifiedEnvelope::parse(edited, Tagging::Optional) else { return };
    for context in [None, Some("jobs"), Some("orders")] {
        let expectations = Expectations::new().untagged().untyped();
        let expectations = match context {
            Some(context) => expectations.context(context),
            None => expectations,
        };
        let opening = open(edited).expect("an envelope is opened");
        let Ok(verified) = opening.verify(&expectations, &SET.trust, &now()) else { continue };
        let protected = verified.header().as_bytes().to_vec();
        let payload = verified.into_bytes().expect("it is in memory");
        let is_same = |original: &Vec<u8>| {
            let original = parse(original);
            Some(payload.as_slice()) == original.sign1().unverified_payload()
                && protected == original.sign1().protected_bytes()
                && envelope.signature() == original.signature()
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
        let envelope = parse(envelope);
        let payload = envelope.sign1().unverified_payload().expect("an embedded payload");
        let Signature::Plain(signature) = envelope.signature() else { panic!("not of a batch") };
        let items = [envelope.sign1().protected_bytes(), &[0xa0], payload, signature];
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

fn parse(envelope: &[u8]) -> UnverifiedEnvelope<'_> {
    UnverifiedEnvelope::parse(envelope, Tagging::Required).expect("an envelope of brine's own")
}

fn now() -> Timestamp {
    Timestamp::from_unix(1_790_000_000).expect("a time in range")
}

struct Set {
    envelopes: [Vec<u8>; 3],
    trust: KnownSigners,
}

static SET: LazyLock<Set> = LazyLock::new(|| {
    let key = SigningKey::from_seed(&Zeroizing::new([7; 32]));
    let hour = Duration::from_secs(3600);
    let full = |context| {
        Statement::at(now()).context(context).unique(Unique { cti: [7; 16], sequence: None })
    };
    let orders = full("orders")
        .content_type("application/json")
        .expires(now().plus(hour))
        .not_before(now().minus(hour));
    let signed = |statement, payload: &[u8]| {
        sign(&statement, &key, payload).expect("a key in memory signs").to_bytes()
    };
    Set {
        envelopes: [
            signed(orders, b"{\"amount\": 1000}"),
            signed(full("jobs"), b""),
            signed(Statement::plain(), b"hello"),
        ],
        trust: KnownSigners::new([Signer::new("alice", key.verifying_key().clone())]),
    }
});
