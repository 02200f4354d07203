//! Every bit flipped, every byte dropped, doubled or added: all refused.

use brine::{
    ContentType, Error, Request, Sequence, Sign1, Signer, Statement, Template, Trust, Verified,
    sign, verify,
};

use crate::common::{Person, key, now, template};

fn trust() -> Trust {
    Trust::new(vec![Signer::new("alice", key(1).verifying_key().clone())])
}

/// Judges an envelope as `brine verify` would and returns its payload.
fn judge(envelope: &[u8], trust: &Trust) -> Result<Vec<u8>, Error> {
    let request = Request { context: Some("orders"), ..Request::at(now()) };
    let sign1 = Sign1::parse(envelope, Default::default())?;
    verify(&sign1, &request, trust).map(|verified: Verified<'_, '_>| verified.payload().to_vec())
}

/// An envelope with every field that brine writes, numbered as records are.
fn envelope() -> Vec<u8> {
    let Statement::Full { cti, issued_at, .. } = template().statement else { unreachable!() };
    let statement = Statement::Full {
        context: Some("orders"),
        cti,
        expires: Some(now().plus(std::time::Duration::from_secs(600))),
        issued_at,
        not_before: Some(issued_at),
    };
    let content_type = Some(ContentType::Media("application/json"));
    let sequence = Some(Sequence { channel: [9; 16], seq: 70_000 });
    let template = Template { content_type, sequence, statement, ..template() };
    sign(&key(1), b"{\"amount\": 1000}", &template).to_bytes()
}

/// Each mutation of `original`, with a name.
pub(crate) fn mutations(original: &[u8]) -> impl Iterator<Item = (String, Vec<u8>)> + '_ {
    let flips = (0..original.len() * 8).map(|bit| {
        let mut altered = original.to_vec();
        altered[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {bit} flipped"), altered)
    });
    let drops = (0..original.len()).map(|index| {
        let mut altered = original.to_vec();
        altered.remove(index);
        (format!("byte {index} dropped"), altered)
    });
    let doubles = (0..original.len()).map(|index| {
        let mut altered = original.to_vec();
        altered.insert(index, original[index]);
        (format!("byte {index} doubled"), altered)
    });
    let cuts = (0..original.len())
        .map(|length| (format!("cut to {length} bytes"), original[..length].to_vec()));
    let additions = (0..=original.len()).flat_map(|index| {
        [0x00, 0x0a, 0x40, 0xa0, 0xd2, 0xf6, 0xff].map(|byte| {
            let mut altered = original.to_vec();
            altered.insert(index, byte);
            (format!("{byte:#04x} added at {index}"), altered)
        })
    });
    flips.chain(drops).chain(doubles).chain(cuts).chain(additions)
}

#[test]
fn every_mutation_is_refused_by_the_library() {
    let original = envelope();
    let trust = trust();
    assert_eq!(judge(&original, &trust).unwrap(), b"{\"amount\": 1000}");
    let mut judged = 0;
    for (name, altered) in mutations(&original).filter(|(_, altered)| *altered != original) {
        if judge(&altered, &trust).is_ok() {
            panic!("{name} is accepted");
        }
        judged += 1;
    }
    assert!(judged > original.len() * 17, "{judged} mutations of {} bytes", original.len());
}

/// A sample of the same through the program: a process each, so not all of them.
#[test]
fn mutations_leave_nothing_on_stdout_and_no_file_behind() {
    let original = envelope();
    let person = Person::new();
    let public = key(1).verifying_key().to_openssh("");
    for (name, altered) in mutations(&original).step_by(41) {
        if altered == original {
            continue;
        }
        let arguments =
            ["verify", "-p", &public, "--context", "orders", "--now", "1790000000", "-o", "out"];
        let output = person.brine(arguments).write_stdin(altered).output().unwrap();
        let status = output.status.code();
        assert!(matches!(status, Some(1 | 3 | 5)), "{name}: {output:?}");
        assert!(output.stdout.is_empty() && person.files().is_empty(), "{name}: {output:?}");
    }
}

#[test]
fn every_mutation_of_a_plain_envelope_is_refused() {
    let original = sign(&key(1), b"hello", &Template::default()).to_bytes();
    let trust = trust();
    for (name, altered) in mutations(&original).filter(|(_, altered)| *altered != original) {
        let outcome = Sign1::parse(&altered, Default::default())
            .and_then(|sign1| verify(&sign1, &Request::at(now()), &trust).map(|_| ()));
        if outcome.is_ok() {
            panic!("{name} is accepted");
        }
    }
}
