//! Signing records together.

use std::sync::Arc;

use super::proof::{Side, Steps};
use super::tree::{self, Hash};
use super::{MAX_BATCH_BYTES, MAX_BATCH_RECORDS};
use crate::cbor::Encoder;
use crate::cose::{Algorithm, HeaderWriter, TAG_SIGN1, ToBeSigned};
use crate::error::{BatchError, Result};
use crate::signing::SigningBackend;
use crate::statement::{HeaderOf, Role, Statement, Unique};

/// Collects records and signs them all at once.
///
/// Each becomes an envelope of its own, which verifies alone. A batch of one is signed as
/// [`sign`](crate::sign()) does it. Memory is used again from batch to batch.
///
/// ```
/// use std::sync::Arc;
///
/// use brine_core::batch::BatchSigner;
/// use brine_core::{SigningKey, Statement, Timestamp, Unique};
///
/// let key = SigningKey::generate()?;
/// let now = Timestamp::parse_rfc3339("2026-11-21T08:30:00Z").unwrap();
/// let statement = Statement::at(now);
/// let mut signer = BatchSigner::new(Arc::new(key));
/// for record in [b"one", b"two"] {
///     signer.add(record, &statement, Unique::draw()?)?;
/// }
/// assert_eq!(signer.finish_batch()?.len(), 2);
/// # Ok::<(), brine_core::Error>(())
/// ```
pub struct BatchSigner {
    key: Arc<dyn SigningBackend>,
    /// Of the first record, what it takes to sign it alone.
    alone: Alone,
    /// The envelopes, up to their signatures.
    bodies: Encoder,
    body_ends: Vec<usize>,
    /// The tree, level by level; the first has the leaves.
    levels: Vec<Vec<Hash>>,
    output: Encoder,
    output_ends: Vec<usize>,
    /// A protected header, or a proof.
    scratch: Encoder,
    headers: HeaderWriter,
}

#[derive(Debug, Default)]
struct Alone {
    header: Encoder,
    algorithm: Algorithm,
    external_aad: Vec<u8>,
    /// Where the payload begins, without its head.
    payload: usize,
}

impl BatchSigner {
    /// Starts with an empty batch.
    #[must_use]
    pub fn new(key: Arc<dyn SigningBackend>) -> Self {
        Self {
            key,
            alone: Alone::default(),
            bodies: Encoder::new(),
            body_ends: Vec::new(),
            levels: vec![Vec::new()],
            output: Encoder::new(),
            output_ends: Vec::new(),
            scratch: Encoder::new(),
            headers: HeaderWriter::default(),
        }
    }

    /// Returns how many records the batch has so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.body_ends.len()
    }

    /// Returns whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.body_ends.is_empty()
    }

    /// Returns whether it has to be closed before another record is added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.len() >= MAX_BATCH_RECORDS || self.bodies.as_bytes().len() >= MAX_BATCH_BYTES
    }

    /// Adds a record. Its payload is copied.
    ///
    /// The algorithm of `statement` holds for a batch of one alone.
    ///
    /// # Errors
    ///
    /// - [`BatchError::Plain`] if the statement has no claims. Each proof shows the hash of a record
    ///   beside it; whoever holds one and guesses the other could confirm the guess, if that record had
    ///   nothing random in it.
    /// - [`BatchError::Kind`] if the statement is of a kind that is not signed in batches;
    /// - [`BatchError::Full`] if [`is_full`](Self::is_full).
    pub fn add(&mut self, payload: &[u8], statement: &Statement, unique: Unique) -> Result<()> {
        if statement.is_plain() {
            return Err(BatchError::Plain.into());
        }
        let kind = statement.stated_kind();
        if !kind.may_be_batched() {
            return Err(BatchError::Kind { kind }.into());
        }
        if self.is_full() {
            return Err(BatchError::Full.into());
        }
        let Self { key, scratch, bodies, headers, .. } = self;
        let header = HeaderOf {
            key_id: Some(key.verifying_key().id()),
            certificates: key.certificates(),
            statement,
            algorithm: Algorithm::Batch,
            unique: Some(unique),
            role: Role::Content,
        };
        header.write(headers, scratch.clear());
        bodies.tag(TAG_SIGN1).array(4).bytes(scratch.as_bytes()).map(0).bytes_head(payload.len());
        let start = bodies.as_bytes().len();
        bodies.raw(payload);
        let payload = bodies.as_bytes().get(start..).unwrap_or_default();
        let signed = ToBeSigned::new(scratch.as_bytes(), statement.aad(), payload);
        if let Some(leaves) = self.levels.first_mut() {
            leaves.push(tree::leaf(&signed));
        }
        if self.body_ends.is_empty() {
            let algorithm = statement.alg().alone();
            HeaderOf { algorithm, ..header }.write(headers, self.alone.header.clear());
            self.alone.algorithm = algorithm;
            statement.aad().clone_into(&mut self.alone.external_aad);
            self.alone.payload = start;
        }
        self.body_ends.push(self.bodies.as_bytes().len());
        Ok(())
    }

    /// Signs the records that were added, and returns their envelopes in the same order.
    ///
    /// The next record begins another batch.
    ///
    /// # Errors
    ///
    /// [`SigningError`](crate::SigningError). Then the batch is gone.
    pub fn finish_batch(&mut self) -> Result<Batch<'_>> {
        self.output.clear();
        self.output_ends.clear();
        let signed = match self.len() {
            0 => Ok(()),
            1 => self.sign_alone(),
            _ => self.sign_together(),
        };
        self.bodies.clear();
        self.body_ends.clear();
        self.levels.iter_mut().for_each(Vec::clear);
        signed.map(|()| Batch { bytes: self.output.as_bytes(), ends: &self.output_ends })
    }

    fn sign_alone(&mut self) -> Result<()> {
        let Alone { header, algorithm, external_aad, payload } = &self.alone;
        let payload = self.bodies.as_bytes().get(*payload..).unwrap_or_default();
        let signed = ToBeSigned::new(header.as_bytes(), external_aad, payload);
        let signature = self.key.sign(*algorithm, &signed.parts())?;
        self.output.tag(TAG_SIGN1).array(4).bytes(header.as_bytes()).map(0).bytes(payload);
        self.output.bytes(&signature);
        self.output_ends.push(self.output.as_bytes().len());
        Ok(())
    }

    fn sign_together(&mut self) -> Result<()> {
        let root = self.plant();
        let signature = tree::sign_root(self.key.as_ref(), &root)?;
        let size = self.body_ends.len();
        let Self { bodies, body_ends, levels, output, output_ends, scratch, .. } = self;
        let mut start = 0;
        for (index, &end) in body_ends.iter().enumerate() {
            let body = bodies.as_bytes().get(start..end).unwrap_or_default();
            start = end;
            encode_proof(scratch.clear(), levels, size, index, &signature);
            output.raw(body).bytes(scratch.as_bytes());
            output_ends.push(output.as_bytes().len());
        }
        Ok(())
    }

    /// Builds the tree above the leaves, and returns its root.
    ///
    /// Two by two from the left, and what is left over goes up as it is: the tree of RFC 9162, Section
    /// 2.1.1, whose left half has as many leaves as the largest power of two below its size.
    fn plant(&mut self) -> Hash {
        let mut next = 1;
        loop {
            if self.levels.len() == next {
                self.levels.push(Vec::new());
            }
            let (below, above) = self.levels.split_at_mut(next);
            let (Some(below), Some(above)) = (below.last(), above.first_mut()) else {
                return Hash::default();
            };
            if let [root] = below.as_slice() {
                return *root;
            }
            let (pairs, rest) = below.as_chunks();
            above.extend(pairs.iter().map(|[left, right]| tree::node(left, right)));
            above.extend(rest);
            next += 1;
        }
    }
}

/// Writes what stands in the signature field of the record at `index`.
fn encode_proof(
    proof: &mut Encoder,
    levels: &[Vec<Hash>],
    size: usize,
    index: usize,
    signature: &[u8],
) {
    let [size, index] = [size, index].map(|number| u64::try_from(number).unwrap_or(u64::MAX));
    let steps = Steps::new(size, index);
    proof.array(4).uint(size).uint(index);
    proof.array(u64::try_from(steps.count()).unwrap_or(u64::MAX));
    for step in steps {
        let right = u64::from(step.sibling == Side::Right);
        let beside = usize::try_from(step.above * 2 + right).ok();
        let node = levels.get(step.level).zip(beside).and_then(|(level, at)| level.get(at));
        // Each step has a node beside it, or it would not be one.
        proof.bytes(node.unwrap_or(&Hash::default()));
    }
    proof.bytes(signature);
}

/// Envelopes that were signed together, until the next record is added.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    bytes: &'a [u8],
    ends: &'a [usize],
}

impl<'a> Batch<'a> {
    /// Returns how many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns all of them as one CBOR sequence (RFC 8742).
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns one after the other, in the order in which the records were added.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let Self { bytes, ends } = *self;
        let starts = std::iter::once(0).chain(ends.iter().copied());
        starts.zip(ends).map(|(start, &end)| bytes.get(start..end).unwrap_or_default())
    }
}

impl std::fmt::Debug for BatchSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchSigner").field("records", &self.len()).finish_non_exhaustive()
    }
}
