//! The segments of a stream, verified by foreign COSE libraries and a hash.

use sha2::{Digest as _, Sha256};

use crate::common::{Person, hex};
use crate::cose::{client, public_hex};

/// Takes a stream apart with another CBOR library: each envelope, and the bytes it is the digest of.
fn pairs(stream: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut input = std::io::Cursor::new(stream);
    let mut items = Vec::new();
    while usize::try_from(input.position()).unwrap() < stream.len() {
        let start = usize::try_from(input.position()).unwrap();
        let item: ciborium::Value = ciborium::from_reader(&mut input).unwrap();
        let end = usize::try_from(input.position()).unwrap();
        items.push((stream[start..end].to_vec(), item));
    }
    let content = |item: &ciborium::Value| item.as_bytes().unwrap().clone();
    items.chunks(2).map(|pair| (pair[0].0.clone(), content(&pair[1].1))).collect()
}

#[test]
fn each_segment_is_a_cose_sign1_over_the_digest_of_its_content() {
    let person = Person::with_key();
    let public = public_hex(&person);
    person.write("in", (0..=255).cycle().take(5000).collect::<Vec<u8>>());
    for (hash, library) in [("sha256", "pycose"), ("sha256", "cwt"), ("blake3", "cwt")] {
        let arguments = ["sign", "--segment-size", "2000", "--hash", hash, "in", "-o", "stream"];
        person.brine(arguments).assert().success();
        let pairs = pairs(&person.read("stream"));
        assert_eq!(pairs.len(), 3);
        let mut joined = Vec::new();
        for (envelope, content) in pairs {
            person.write("segment", envelope);
            let output = client(&person, &[library, "verify", "--key", &public, "segment"]);
            assert!(output.status.success(), "{hash} {library}: {output:?}");
            // The client prints the SHA-256 of the payload, and the payload is a digest.
            let digest = match hash {
                "sha256" => Sha256::digest(&content).to_vec(),
                _ => blake3::hash(&content).as_bytes().to_vec(),
            };
            let found = String::from_utf8(output.stdout).unwrap();
            assert_eq!(found.trim(), hex(&Sha256::digest(&digest)), "{hash} {library}");
            joined.extend(content);
        }
        assert_eq!(joined, person.read("in"));
    }
}
