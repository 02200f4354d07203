//! What signs, and what is signed: keys that fail, and headers that say what they were told.

use std::io;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use brine_core::batch::BatchSigner;
use brine_core::cbor::Encoder;
use brine_core::cose::{Label, Tagging, label};
use brine_core::hash::HashAlgorithm;
use brine_core::{
    Algorithm, Class, Classified as _, Content, Error, Expectations, Kind, Message, Sequence,
    SigningBackend, SigningError, SigningKey, Statement, StreamOptions, StreamWriter, Timestamp,
    Unique, UnverifiedEnvelope, VerifyingKey, open, sign,
};
use brine_testkit::{key, now, signers, statement, unique};
use proptest::option;
use proptest::prelude::*;

use crate::common::{KeptInMemory, length_of, release};

/// An agent that has so many signatures left, and cannot sign what does not fit memory.
struct Agent {
    key: SigningKey,
    left: AtomicUsize,
}

impl Agent {
    fn new(left: usize) -> Self {
        Self { key: key(1), left: AtomicUsize::new(left) }
    }
}

impl SigningBackend for Agent {
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }

    fn sign(&self, _: Algorithm, parts: &[&[u8]]) -> Result<Vec<u8>, SigningError> {
        let left =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map_err(|_| SigningError::Refused { why: "the agent is locked".to_owned() })?;
        Ok(self.key.sign(parts).to_vec())
    }
}

#[track_caller]
fn assert_refused<T>(result: Result<T, Error>) {
    let Err(error) = result else { panic!("signed by nobody") };
    assert_eq!(error.to_string(), "no signature: the agent is locked");
    assert_eq!((error.class(), error.reason()), (Class::Key, "signing-refused"));
}

#[test]
fn a_key_that_refuses_leaves_no_envelope() {
    let agent = Agent::new(1);
    sign(&statement(), &agent, b"payload").unwrap();
    assert_refused(sign(&statement(), &agent, b"payload"));
    let source = KeptInMemory(b"payload".to_vec());
    let error = sign(&statement(), &agent, Content::Copy(&source, 7)).unwrap_err();
    assert_eq!((error.class(), error.reason()), (Class::Unsupported, "signing-too-large"));
}

/// The batch is gone, alone or not, and the next one has nothing of it.
#[test]
fn a_batch_that_is_not_signed_is_gone() {
    for size in [1, 5] {
        let agent = Arc::new(Agent::new(0));
        let mut signer = BatchSigner::new(agent.clone());
        for number in 0..size {
            signer.add(b"lost", &Statement::at(now()), unique(number)).unwrap();
        }
        assert_refused(signer.finish_batch());
        assert!(signer.is_empty());
        agent.left.store(1, Ordering::SeqCst);
        signer.add(b"payload", &Statement::at(now()), unique(9)).unwrap();
        let batch = signer.finish_batch().unwrap();
        let alone = sign(&statement().unique(unique(9)), &key(1), b"payload").unwrap().to_bytes();
        assert_eq!(batch.bytes(), alone);
    }
}

/// A stream has no end, and no hole, where the key refused.
#[test]
fn a_stream_that_is_not_signed_has_no_end() {
    let content = [7; 100];
    for threads in [1, 3] {
        for left in 0..12 {
            let agent = Arc::new(Agent::new(left));
            let options = StreamOptions::new().segment_bytes(8).threads(threads);
            let output = Shared::default();
            let mut writer =
                StreamWriter::new(output.clone(), agent, statement(), options).unwrap();
            let written = writer.write_all(&content).map_err(|error| error.downcast().unwrap());
            assert_refused(written.and_then(|()| writer.finish()).map(drop));
            let stream = output.0.lock().unwrap().clone();
            let stream_bytes = stream.len();
            let (released, outcome) =
                release(open(stream), &Expectations::new(), &signers(&[1]), &now());
            // Of several threads, one can take what is left for a later segment, and another is refused segment 0.
            let is_empty = stream_bytes == 0;
            assert!(is_empty == (left == 0) || (is_empty && threads > 1), "{left} on {threads}");
            let reason = if is_empty { "not-an-envelope" } else { "stream-cut" };
            assert_eq!(outcome.unwrap_err().reason(), reason, "{left} on {threads}");
            assert!(content.starts_with(&released) && released.len() <= 8 * left, "{left}");
        }
    }
}

/// An output that can be looked into afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<std::sync::Mutex<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A message that changes between its two readings gives the key away, so what fails in one is an error.
#[test]
fn a_message_that_fails_is_not_signed() {
    let failing = |at: usize| {
        let calls = AtomicUsize::new(0);
        let message = move |give: &mut dyn FnMut(&[u8])| -> io::Result<()> {
            give(b"message");
            if calls.fetch_add(1, Ordering::SeqCst) == at {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Ok(())
        };
        let message: &Message<'_> = &message;
        SigningBackend::sign_pieces(&key(1), Algorithm::EdDsa, message)
    };
    for at in [0, 1] {
        let error = failing(at).unwrap_err();
        assert!(
            matches!(&error, SigningError::Message(error) if error.kind() == io::ErrorKind::TimedOut)
        );
        assert_eq!((error.class(), error.reason()), (Class::System, "io"));
    }
    assert_eq!(failing(2).unwrap(), key(1).sign(&[b"message"]));
}

/// Records of a kind that verifiers take alone only would be refused by all of them.
#[test]
fn what_may_not_be_batched_is_not_added() {
    let mut signer = BatchSigner::new(Arc::new(key(1)));
    for kind in Kind::all() {
        let statement = Statement::at(now()).kind(kind);
        match signer.add(b"payload", &statement, unique(1)) {
            Ok(()) => assert!(kind.may_be_batched(), "{kind}"),
            Err(error) => {
                assert!(!kind.may_be_batched(), "{kind}");
                assert_eq!((error.class(), error.reason()), (Class::Unsupported, "batch-kind"));
            }
        }
    }
}

#[test]
fn signatures_are_named_apart_unless_they_are_named() {
    let ctis = || {
        let envelope = sign(&Statement::at(now()), &key(1), b"payload").unwrap().to_bytes();
        let parsed = UnverifiedEnvelope::parse(&envelope, Tagging::Required).unwrap();
        parsed.header().claims.cti.unwrap().to_vec()
    };
    assert_ne!(ctis(), ctis());
    let plain = || sign(&Statement::plain(), &key(1), b"payload").unwrap().to_bytes();
    assert_eq!(plain(), plain());
    // A plain statement has no place for a name.
    let named = Statement::plain().unique(Unique { cti: [1; 16], sequence: None });
    assert_eq!(sign(&named, &key(1), b"payload").unwrap().to_bytes(), plain());
}

/// A header with more parameters than the reader has places for at hand, in any order.
#[test]
fn a_header_of_many_parameters_is_read_as_any_other() {
    for more in [0, 7, 8, 9, 10, 11, 12, 13, 100, 995] {
        for critical in [false, true] {
            let mut header = Encoder::new();
            let own = if critical { 5 } else { 4 };
            header.map(own + more).int(1).int(-8);
            if critical {
                header.int(2).array(2).int(16).int(4);
            }
            header.int(4).bytes(key(1).verifying_key().id().as_bytes());
            for extra in 0..more {
                header.int(1000 + i64::try_from(extra).unwrap()).int(7);
            }
            header.int(15).map(1).int(3).text("orders");
            header.int(16).text("application/vnd.brine.data+cose");
            let header = header.into_bytes();
            let signed = brine_core::cose::ToBeSigned::new(&header, &[], b"payload");
            let signature = key(1).sign(&signed.parts());
            let mut envelope = Encoder::new();
            envelope.tag(18).array(4).bytes(&header).map(0).bytes(b"payload").bytes(&signature);
            let expectations = Expectations::new().context("orders");
            let opening = open(envelope.into_bytes()).unwrap();
            let verified = opening.verify(&expectations, &signers(&[1]), &now()).unwrap();
            assert_eq!(verified.kind(), Kind::Data);
            assert_eq!(
                verified.header().map().iter().count(),
                usize::try_from(own + more).unwrap()
            );
            assert_eq!(verified.header().algorithm(), Algorithm::EdDsa);
            assert_eq!(verified.header().get(label::CRIT).is_some(), critical);
            assert!(verified.claims().audience.unwrap().contains("orders"));
        }
    }
}

/// What a statement can say.
#[derive(Clone, Debug)]
struct Said {
    algorithm: Algorithm,
    content_type: Option<String>,
    context: Option<String>,
    expires: Option<u64>,
    kind: Kind,
    not_before: Option<u64>,
    parameters: Vec<i64>,
    plain: bool,
    sequence: Option<u64>,
}

impl Said {
    fn statement(&self) -> Statement {
        let sequence = self.sequence.map(|seq| Sequence { channel: [3; 16], seq });
        let mut statement = if self.plain { Statement::plain() } else { Statement::at(now()) };
        statement = statement
            .algorithm(self.algorithm)
            .kind(self.kind)
            .unique(Unique { sequence, ..unique(5) });
        if let Some(content_type) = &self.content_type {
            statement = statement.content_type(content_type);
        }
        if let Some(context) = &self.context {
            statement = statement.context(context);
        }
        if let Some(seconds) = self.expires {
            statement = statement.expires(moment(seconds));
        }
        if let Some(seconds) = self.not_before {
            statement = statement.not_before(moment(seconds));
        }
        self.parameters.iter().fold(statement, |statement, label| {
            statement.critical_parameter(*label, b"\xf5".to_vec())
        })
    }
}

fn moment(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap()
}

fn said() -> impl Strategy<Value = Said> {
    let kinds = [Kind::Data, Kind::Job, Kind::Manifest, Kind::Result, Kind::Revocation];
    let algorithms = [Algorithm::Batch, Algorithm::EdDsa, Algorithm::Ed25519];
    let moments = || option::of(0..253_402_300_800_u64);
    (
        proptest::sample::select(algorithms.to_vec()),
        option::of(prop_oneof![Just("text/plain".to_owned()), Just("42".to_owned())]),
        option::of(".{0,30}"),
        moments(),
        proptest::sample::select(kinds.to_vec()),
        moments(),
        proptest::collection::btree_set(-80_000..-70_010_i64, 0..4),
        any::<bool>(),
        option::of(0..=u64::MAX >> 1),
    )
        .prop_map(
            |(
                algorithm,
                content_type,
                context,
                expires,
                kind,
                not_before,
                parameters,
                plain,
                sequence,
            )| {
                let parameters = parameters.into_iter().collect();
                Said {
                    algorithm,
                    content_type,
                    context,
                    expires,
                    kind,
                    not_before,
                    parameters,
                    plain,
                    sequence,
                }
            },
        )
}

proptest! {
    /// Each thing that is said stands in the header, once, in deterministic order, and nothing else.
    #[test]
    fn a_header_says_what_the_statement_says(said in said()) {
        let envelope = sign(&said.statement(), &key(1), b"payload").unwrap().to_bytes();
        let outline = brine_core::cose::Outline::parse(&envelope, Tagging::Required).unwrap();
        let labels: Vec<_> = outline.protected.iter().map(|(label, _)| label).collect();
        let encoded: Vec<_> = labels.iter().map(|label| {
            let Label::Int(label) = label else { panic!("text") };
            let mut encoder = Encoder::new();
            encoder.int(*label);
            encoder.into_bytes()
        }).collect();
        prop_assert!(encoded.is_sorted() && encoded.windows(2).all(|pair| pair[0] != pair[1]));
        let typed = said.kind != Kind::Data || !said.plain;
        let has = |label: i64| outline.protected.get(label).is_some();
        prop_assert_eq!(has(label::CWT_CLAIMS), !said.plain);
        prop_assert_eq!(has(label::TYP), typed);
        prop_assert_eq!(has(label::CONTENT_TYPE), said.content_type.is_some());
        // Only records are numbered, and whoever does not count must not take them.
        let is_numbered = said.kind == Kind::Data && !said.plain && said.sequence.is_some();
        prop_assert_eq!(has(label::SEQUENCE), is_numbered);
        let mut critical = said.parameters.clone();
        critical.extend(is_numbered.then_some(label::SEQUENCE));
        critical.extend((said.kind != Kind::Data).then_some(label::TYP));
        prop_assert_eq!(has(label::CRIT), !critical.is_empty());
        prop_assert!(outline.protected.crit_is(&critical));
        let others = [label::CWT_CLAIMS, label::TYP, label::CONTENT_TYPE, label::SEQUENCE, label::CRIT];
        let expected = 2 + said.parameters.len() + others.iter().filter(|label| has(**label)).count();
        prop_assert_eq!(labels.len(), expected);
        if !said.parameters.is_empty() {
            let error = UnverifiedEnvelope::parse(&envelope, Tagging::Required).unwrap_err();
            prop_assert_eq!(error.reason(), "crit-unknown");
            return Ok(());
        }
        let parsed = UnverifiedEnvelope::parse(&envelope, Tagging::Required).unwrap();
        prop_assert_eq!(parsed.kind(None).unwrap(), if typed { said.kind } else { Kind::Untyped });
        prop_assert_eq!(parsed.header().algorithm, said.algorithm.alone());
        let claims = parsed.header().claims;
        if said.plain {
            prop_assert_eq!(claims, Default::default());
        } else {
            prop_assert_eq!(claims.audience.map(|audience| audience.to_string()), said.context);
            prop_assert_eq!(claims.expires, said.expires.map(moment));
            prop_assert_eq!(claims.not_before, said.not_before.map(moment));
            prop_assert_eq!(claims.issued_at, Some(now()));
            prop_assert_eq!(claims.cti, Some(&[5; 16][..]));
        }
        let content_type = parsed.header().content_type.map(|found| found.to_string());
        prop_assert_eq!(content_type, said.content_type);
    }

    /// The same envelope whether the payload is in memory, is read from elsewhere, or is left out.
    #[test]
    fn a_payload_is_signed_alike_wherever_it_is(said in said(), payload in proptest::collection::vec(any::<u8>(), 0..600)) {
        let (statement, key) = (said.statement().external_aad(b"aad"), key(1));
        let whole = sign(&statement, &key, payload.as_slice()).unwrap();
        let source = KeptInMemory(payload.clone());
        let copy = sign(&statement, &key, Content::Copy(&source, length_of(&payload))).unwrap();
        let mut written = Vec::new();
        copy.write_to(&mut written).unwrap();
        prop_assert_eq!(&written, &whole.to_bytes());
        prop_assert_eq!(copy.detached(), whole.detached());
        written.clear();
        whole.write_to(&mut written).unwrap();
        prop_assert_eq!(written, whole.to_bytes());
    }
}

/// A hash envelope says so whatever kind the statement has, and has its type in the place for it.
#[test]
fn a_digest_is_signed_as_one() {
    let digest = HashAlgorithm::Sha256.digest(b"content");
    for statement in [statement(), Statement::plain()] {
        let statement =
            statement.content_type("text/plain").expires(now().plus(Duration::from_secs(5)));
        let content = Content::Digest(HashAlgorithm::Sha256, &digest);
        let envelope = sign(&statement, &key(1), content).unwrap().to_bytes();
        let parsed = UnverifiedEnvelope::parse(&envelope, Tagging::Required).unwrap();
        assert_eq!(parsed.kind(None).unwrap(), Kind::Digest);
        assert_eq!(parsed.header().hash, Some(HashAlgorithm::Sha256));
        assert_eq!(parsed.header().content_type, None);
        assert_eq!(parsed.header().preimage_content_type.unwrap().to_string(), "text/plain");
        assert!(parsed.header().map().crit_is(&[label::TYP, label::PAYLOAD_HASH_ALG]));
    }
}

/// Keys are tried in the order in which they were given, because not all may be tried.
#[test]
fn keys_come_in_the_order_in_which_they_are_trusted() {
    use brine_core::TrustAnchors as _;
    for order in [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [3, 1, 5, 2, 4]] {
        let trust = signers(&order);
        let expected: Vec<_> = order.iter().map(|byte| key(*byte).verifying_key().id()).collect();
        for most in 0..=6 {
            let found: Vec<_> = trust.keys(most).iter().map(|key| key.id()).collect();
            assert_eq!(found, expected[..most.min(5)]);
        }
    }
    let twice = signers(&[2, 1, 2]);
    assert_eq!((twice.keys(9).len(), twice.key_count()), (2, 2));
}
