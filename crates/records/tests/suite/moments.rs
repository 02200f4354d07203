//! The moment at which records are judged: when they have arrived, and again when they are released.

use std::convert::Infallible;
use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use brine_core::time::ClockBefore1970;
use brine_core::{
    Class, Classified as _, Clock, Expectations, KnownSigners, Signer, Timestamp, TrustAnchors,
    TrustSource, TrustUnavailable,
};
use brine_records::{
    BlockBounds, FrameReader, FrameSide, FrameSource, Framing, OnBadRecord, PipelineError,
    RecordJudge, RecordPipeline, RejectedRecord, Rejects,
};

use crate::common::{key, now, signed, statement};

/// A clock that says one thing when a block is judged, and another when it is released.
struct Late(AtomicUsize, [Timestamp; 2]);

impl Late {
    fn new(seconds: u64) -> Self {
        Self(AtomicUsize::new(0), [now(), now().plus(Duration::from_secs(seconds))])
    }
}

impl Clock for Late {
    fn now(&self) -> Result<Timestamp, ClockBefore1970> {
        let [judged, released] = self.1;
        Ok(if self.0.fetch_add(1, Ordering::SeqCst) == 0 { judged } else { released })
    }
}

/// Trust that is something else each time it is asked for; at the end, it is lost.
struct Fickle(AtomicUsize, Vec<KnownSigners>);

impl Fickle {
    fn new(signers: &[u8]) -> Self {
        let trust =
            |byte: &u8| KnownSigners::new([Signer::new("k", key(*byte).verifying_key().clone())]);
        Self(AtomicUsize::new(0), signers.iter().map(trust).collect())
    }
}

impl TrustSource for Fickle {
    fn current(&self) -> Result<Arc<dyn TrustAnchors>, TrustUnavailable> {
        match self.1.get(self.0.fetch_add(1, Ordering::SeqCst)) {
            Some(trust) => trust.current(),
            None => Err(TrustUnavailable::new(Class::Key, "trust-lost", "trust is lost")),
        }
    }
}

/// Remembers when and why records were refused.
#[derive(Default)]
struct Refusals(Vec<(u64, Timestamp, &'static str)>);

impl Rejects for Refusals {
    type Error = Infallible;

    fn keep(&mut self, rejected: &[RejectedRecord<'_>]) -> Result<(), Infallible> {
        let told = rejected.iter().map(|rejected| {
            let RejectedRecord { number, at, why, .. } = rejected;
            (*number, *at, why.reason())
        });
        self.0.extend(told);
        Ok(())
    }
}

fn source(envelopes: &[Vec<u8>], bounds: BlockBounds) -> FrameSource<Cursor<Vec<u8>>> {
    let mut input = Vec::new();
    for envelope in envelopes {
        Framing::Lines.write_envelope(&mut input, envelope).unwrap();
    }
    let reader = FrameReader::new(Cursor::new(input), Framing::Lines, FrameSide::Envelope);
    FrameSource::new(reader).with_bounds(bounds)
}

fn expiring(seconds: u64) -> Vec<u8> {
    signed(&statement().expires(now().plus(Duration::from_secs(seconds))), 1)
}

#[test]
fn what_has_expired_when_it_is_released_is_refused_and_kept() {
    let later = now().plus(Duration::from_secs(60));
    let records = [expiring(1), expiring(0), expiring(60)];
    let judge = |expectations: Expectations| {
        RecordJudge::new(expectations, Fickle::new(&[1; 9]), Late::new(60), Framing::Lines)
    };
    let young = Expectations::new().max_age(Duration::from_secs(59));
    for (expectations, on_bad, released, refused) in [
        (Expectations::new(), OnBadRecord::Skip, 2, &[(2, "expired")][..]),
        (Expectations::new(), OnBadRecord::Stop, 1, &[(2, "expired")]),
        (young, OnBadRecord::Skip, 0, &[(1, "too-old"), (2, "expired"), (3, "too-old")]),
    ] {
        let (mut output, mut refusals) = (Vec::new(), Refusals::default());
        let run = RecordPipeline::new(judge(expectations), &mut output)
            .rejects(&mut refusals)
            .on_bad(on_bad)
            .run(source(&records, BlockBounds::default()));
        assert_eq!(output, b"payload\n".repeat(released));
        let end = run.end.err().map(|error| error.to_string().starts_with("record 2: "));
        assert_eq!(end, (on_bad == OnBadRecord::Stop).then_some(true));
        let refused = refused.iter().map(|(number, why)| (*number, later, *why));
        assert!(refusals.0.into_iter().eq(refused));
    }
}

#[test]
fn trust_is_asked_for_each_block_and_again_at_its_release() {
    let records = [expiring(60), expiring(60)];
    let one = BlockBounds { records: 1, ..BlockBounds::default() };
    for (trust, released, end) in [
        // Judged, released, judged, released.
        (&[1, 1, 1, 1][..], 2, None),
        (&[1, 1, 1, 2], 1, Some("unknown-signer")),
        (&[1, 1, 2, 2], 1, Some("unknown-signer")),
        (&[1, 2, 1, 1], 0, Some("unknown-signer")),
        // Nobody is refused for what the source of trust lacks.
        (&[1, 1, 1], 1, Some("trust-lost")),
        (&[1, 1], 1, Some("trust-lost")),
        (&[1], 0, Some("trust-lost")),
        (&[], 0, Some("trust-lost")),
    ] {
        let judge =
            RecordJudge::new(Expectations::new(), Fickle::new(trust), now(), Framing::Lines);
        let run = RecordPipeline::new(judge, Vec::new()).run(source(&records, one));
        let refused = u64::from(end == Some("unknown-signer"));
        assert_eq!((run.counts.verified, run.counts.refused), (released, refused), "{trust:?}");
        let found = run.end.err().map(|error| match error {
            PipelineError::Record { why, .. } => why.reason(),
            PipelineError::Trust(error) => error.reason(),
            other => panic!("{other:?}"),
        });
        assert_eq!(found, end, "{trust:?}");
    }
}
