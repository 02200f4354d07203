//! Lists of what is revoked are read without a panic, and one that is written from serial numbers, ranges, bitmaps and
//! key ids revokes these and no others.

#![no_main]

use std::sync::LazyLock;

use brine_core::{Algorithm, SigningBackend, SigningError, SigningKey, VerifyingKey};
use brine_keys::{CertificateDraft, OpensshCertificate, openssh_blob};
use brine_trust::RevocationList;
use libfuzzer_sys::fuzz_target;
use zeroize::Zeroizing;

static ISSUER: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_seed(&Zeroizing::new([7; 32])));

const MAGIC: &[u8] = b"SSHKRL\n\0\0\0\0\x01";

fuzz_target!(|input: &[u8]| {
    for bytes in [input, &[MAGIC, &[0; 32], input].concat()] {
        if let Ok(list) = RevocationList::parse(bytes) {
            let _ = list.revokes_key(ISSUER.verifying_key());
            let _ = list.revokes_certificate(&certificate(5, "x"));
        }
    }
    written(input);
});

/// What a list says, as a test would write it down.
#[derive(Default)]
struct Said {
    serials: Vec<(u64, u64)>,
    key_ids: Vec<String>,
}

impl Said {
    fn revokes(&self, serial: u64, key_id: &str) -> bool {
        let by_serial = self.serials.iter().any(|&(first, last)| first <= serial && serial <= last);
        (serial != 0 && by_serial) || self.key_ids.iter().any(|id| id == key_id)
    }
}

/// Writes a section for each few bytes of the input, and asks around its borders.
fn written(input: &[u8]) {
    let (mut said, mut sections, mut asked) = (Said::default(), Vec::new(), vec![0, 1, u64::MAX]);
    for piece in input.chunks(12).take(20) {
        let Some((&kind, rest)) = piece.split_first() else { continue };
        let mut first = [0; 8];
        let taken = rest.len().min(8);
        first[8 - taken..].copy_from_slice(&rest[..taken]);
        let (first, more) = (u64::from_be_bytes(first), u64::from(*rest.last().unwrap_or(&0)));
        match kind % 4 {
            0 => {
                said.serials.push((first, first));
                put_section(&mut sections, 0x20, &first.to_be_bytes());
            }
            1 => {
                let last = first.saturating_add(more);
                said.serials.push((first, last));
                put_section(&mut sections, 0x21, &[first.to_be_bytes(), last.to_be_bytes()].concat());
                asked.extend([last, last.saturating_add(1)]);
            }
            2 => {
                // The lowest bit is in the last byte.
                let bits: Vec<u8> = rest.iter().rev().copied().collect();
                for bit in 0..bits.len() * 8 {
                    let byte = rest[bit / 8];
                    let serial = first.checked_add(u64::try_from(bit).unwrap_or(0));
                    if byte & (1 << (bit % 8)) != 0
                        && let Some(serial) = serial
                    {
                        said.serials.push((serial, serial));
                        asked.push(serial);
                    }
                }
                let mut data = first.to_be_bytes().to_vec();
                put(&mut data, &bits);
                put_section(&mut sections, 0x22, &data);
                asked.push(first.saturating_add(rest.len() as u64 * 8));
            }
            _ => {
                let id: String = rest.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
                let mut data = Vec::new();
                put(&mut data, id.as_bytes());
                put_section(&mut sections, 0x23, &data);
                said.key_ids.push(id);
            }
        }
        asked.extend([first, first.saturating_add(1), first.saturating_sub(1)]);
    }
    let mut issued = Vec::new();
    put(&mut issued, &openssh_blob(ISSUER.verifying_key()));
    put(&mut issued, b"");
    issued.extend(sections);
    let mut list = [MAGIC, &[0; 32]].concat();
    put_section(&mut list, 1, &issued);
    let list = RevocationList::parse(&list).expect("it is in its form");
    let ids = said.key_ids.iter().map(String::as_str).take(2).chain(["other"]);
    let ids: Vec<_> = ids.collect();
    asked.truncate(16);
    for serial in asked {
        for id in &ids {
            let found = list.revokes_certificate(&certificate(serial, id));
            assert_eq!(found, said.revokes(serial, id), "{serial} {id:?}");
        }
    }
    assert!(!list.revokes_key(ISSUER.verifying_key()));
}

fn certificate(serial: u64, key_id: &str) -> OpensshCertificate {
    let draft = CertificateDraft {
        key: ISSUER.verifying_key(),
        nonce: [0; 32],
        serial,
        key_id,
        principals: &[],
        valid_after: 0,
        valid_before: u64::MAX,
        contexts: None,
        may_delegate: false,
    };
    let blob = draft.issue(&Unsigned).expect("it does not fail");
    OpensshCertificate::parse(&blob).expect("what is issued can be read")
}

/// Signs nothing: whether a list revokes a certificate has nothing to do with its signature, which takes time.
struct Unsigned;

impl SigningBackend for Unsigned {
    fn verifying_key(&self) -> &VerifyingKey {
        ISSUER.verifying_key()
    }

    fn sign(&self, _: Algorithm, _: &[&[u8]]) -> Result<Vec<u8>, SigningError> {
        Ok(vec![0; 64])
    }
}

fn put(output: &mut Vec<u8>, string: &[u8]) {
    output.extend(u32::try_from(string.len()).expect("short").to_be_bytes());
    output.extend_from_slice(string);
}

fn put_section(output: &mut Vec<u8>, kind: u8, data: &[u8]) {
    output.push(kind);
    put(output, data);
}
