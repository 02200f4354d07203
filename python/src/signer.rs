//! Signing.

use std::sync::{Arc, Mutex, PoisonError};

use brine_cli::embed::{StatementText, Statements, content_type};
use brine_core::batch::BatchSigner;
use brine_core::hash::HashAlgorithm;
use brine_core::key::random;
use brine_core::text::hex;
use brine_core::{CHANNEL_BYTES, Content, Error, Sequence, Statement, Unique, armor, sign};
use brine_job::{Grant, Grants, JobId};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::buffer::{Frozen, bytes_filled};
use crate::failure::{Failure, Result};
use crate::fork::working;
use crate::key::Key;
use crate::moment::MomentText;
use crate::signing_keys::{KeyArguments, SigningKeys};
use crate::waiting::waiting;

/// Signs, and says the same with each signature.
///
/// One signer can be shared by threads. After a fork it numbers its records in a channel of its own.
#[pyclass(frozen, module = "brine")]
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) keys: SigningKeys,
    pub(crate) statements: Arc<Statements>,
    context: Option<String>,
    has_aad: bool,
    channel: Mutex<Channel>,
}

/// The records that this process has signed.
#[derive(Debug)]
struct Channel {
    process: u32,
    name: [u8; CHANNEL_BYTES],
    next: u64,
}

impl Channel {
    fn draw() -> Result<Self> {
        Ok(Self { process: std::process::id(), name: random()?, next: 0 })
    }

    /// Takes the next `count` numbers.
    fn take(&mut self, count: usize) -> Result<Numbers> {
        if self.process != std::process::id() {
            // The parent goes on with its numbers.
            *self = Self::draw()?;
        }
        let first = self.next;
        self.next = first.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(Numbers { channel: self.name, next: first })
    }
}

struct Numbers {
    channel: [u8; CHANNEL_BYTES],
    next: u64,
}

impl Numbers {
    fn unique(&mut self) -> Result<Unique> {
        let sequence = Sequence { channel: self.channel, seq: self.next };
        self.next = self.next.saturating_add(1);
        Ok(Unique { sequence: Some(sequence), ..Unique::draw()? })
    }
}

#[pymethods]
impl Signer {
    /// Say who signs, and what each signature says.
    ///
    /// - `key`: a `Key`, or what `Key.load` takes; by default the key called `default`, which `brinekey gen` makes. A list
    ///   of several signs together: `sign` then makes one envelope with a signature of each.
    /// - `context`: what the signatures are for. Who verifies must name the same.
    /// - `expires`, `not_before`: when they stop and begin to be valid: an aware `datetime`; or a `timedelta` or text
    ///   like `"7d"`, which count from each signature; or text like `"2026-12-31T00:00Z"`.
    /// - `content_type`: a media type like `"application/json"`, or the number of a CoAP Content-Format.
    /// - `aad`: bytes that are signed together with the data, and which who verifies must give, too.
    ///
    /// Raise `UsageError` for a value that makes no sense, and `KeyFileError` for a key that cannot be used.
    #[new]
    #[pyo3(signature = (key=None, *, context=None, expires=None, not_before=None, content_type=None, aad=None))]
    fn new(
        py: Python<'_>,
        key: Option<KeyArguments>,
        context: Option<String>,
        expires: Option<MomentText>,
        not_before: Option<MomentText>,
        content_type: Option<String>,
        aad: Option<Frozen>,
    ) -> PyResult<Self> {
        let keys = SigningKeys::open(py, key)?;
        let has_aad = aad.is_some();
        let text = StatementText {
            content_type,
            context: context.clone(),
            expires: expires.map(|text| text.0),
            not_before: not_before.map(|text| text.0),
            external_aad: aad.map(|aad| aad.to_vec()).unwrap_or_default(),
        };
        let statements = Arc::new(Statements::read(text).map_err(Failure::from)?);
        Ok(Self { keys, statements, context, has_aad, channel: Mutex::new(Channel::draw()?) })
    }

    /// Sign bytes, and return the envelope, which has them and the signature.
    ///
    /// With `detached`, the bytes are not in it: it is a signature beside them, as `brine sign -d` makes. With `armor`,
    /// it is ASCII text between lines of dashes, for mail and for configuration files.
    ///
    /// `content_type` says what these bytes are, whatever the signer says of others.
    ///
    /// Raise `UsageError` if the time at which it expires has passed, `KeyFileError` if an agent refuses to sign,
    /// `InputOutputError` if it does not answer, and `UnsupportedError` for what is too large for it: `detached` signs a
    /// digest.
    #[pyo3(signature = (data, *, detached=false, armor=false, content_type=None))]
    fn sign<'py>(
        &self,
        py: Python<'py>,
        data: Frozen,
        detached: bool,
        armor: bool,
        content_type: Option<&str>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if armor {
            let text = waiting(py, || self.armored(&data, detached, content_type))?;
            return Ok(PyBytes::new(py, &text));
        }
        if detached {
            let signature = waiting(py, || self.beside(&data, content_type))?;
            return Ok(PyBytes::new(py, &signature));
        }
        self.attached(py, &data, None, content_type)
    }

    /// Sign a record: an envelope with a number, which counts up from 0 in the channel of this process.
    ///
    /// Who keeps a replay database takes each once, needs no expiry for that, and sees which numbers are missing.
    fn sign_record<'py>(&self, py: Python<'py>, data: Frozen) -> PyResult<Bound<'py, PyBytes>> {
        self.keys.only("a record")?;
        let unique = self.numbers(1)?.unique()?;
        self.attached(py, &data, Some(unique), None)
    }

    /// Sign a job: bytes to be run by a worker, and what they need for that, as `brine sign --grant` takes it.
    ///
    /// Return the envelope, and what tells the job from all others: `Verifier.verify_result` takes it.
    #[pyo3(signature = (data, *, grants=Vec::new(), content_type=None))]
    fn sign_job<'py>(
        &self,
        py: Python<'py>,
        data: Frozen,
        grants: Vec<String>,
        content_type: Option<&str>,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        if self.has_aad {
            return Err(Failure::usage(JOB_WITH_AAD).into());
        }
        let key = self.keys.only("a job")?;
        let (job, id) = waiting(py, || {
            let wanted = grants.iter().map(|grant| grant.parse::<Grant>());
            let wanted = wanted.collect::<std::result::Result<Vec<_>, _>>();
            let wanted = wanted.map_err(|error| Failure::usage(&error.to_string()))?;
            let grants = Grants::collect(wanted);
            let grants = grants.map_err(|error| Failure::usage(&error.to_string()))?;
            let statement = grants.statement(self.statement(content_type)?);
            let job = sign(&statement, key.as_ref(), &*data)?.to_bytes();
            let id = JobId::of_envelope(&job, &[])?;
            Ok((job, id))
        })?;
        Ok((PyBytes::new(py, &job), PyBytes::new(py, &id.0)))
    }

    /// Sign records together, up to 4096 with one signature. Each becomes an envelope that verifies alone.
    ///
    /// Return the envelopes in the order of the records. Signing many costs a fraction of signing each.
    fn sign_batch<'py>(
        &self,
        py: Python<'py>,
        records: Vec<Frozen>,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let envelopes = waiting(py, || self.batch(&records))?;
        Ok(envelopes.iter().map(|envelope| PyBytes::new(py, envelope)).collect())
    }

    /// The name under which this process numbers its records, in hexadecimal.
    #[getter]
    fn channel(&self) -> Result<String> {
        Ok(hex(&self.numbers(0)?.channel))
    }

    /// What the signatures are for.
    #[getter]
    fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// The key that signs; of several, the first.
    #[getter]
    fn key(&self) -> Key {
        self.keys.first().clone()
    }

    /// All keys that sign.
    #[getter]
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.keys.all().cloned().collect::<Vec<_>>())
    }

    fn __repr__(&self) -> String {
        let short = |key: &Key| key.signer().verifying_key().id().short().to_string();
        let ids: Vec<_> = self.keys.all().map(short).collect();
        let noun = if self.keys.are_several() { "keys" } else { "key" };
        format!("<brine.Signer with {noun} {}>", ids.join(", "))
    }
}

impl Signer {
    fn numbers(&self, count: usize) -> Result<Numbers> {
        let _working = working();
        self.channel.lock().unwrap_or_else(PoisonError::into_inner).take(count)
    }

    /// Signs data under a name, and writes the envelope once, where Python will have it.
    fn attached<'py>(
        &self,
        py: Python<'py>,
        data: &[u8],
        unique: Option<Unique>,
        content_type: Option<&str>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if self.keys.are_several() {
            let content = Content::Bytes(data);
            let envelope = waiting(py, || self.keys.seal(&self.statement(content_type)?, content))?;
            return bytes_filled(py, envelope.len(), |room| room.copy_from_slice(&envelope));
        }
        let (head, tail) = waiting(py, || {
            let statement = self.statement(content_type)?;
            let statement = match unique {
                Some(unique) => statement.unique(unique),
                None => statement,
            };
            let envelope = sign(&statement, self.keys.first().signer().as_ref(), data)?;
            Ok((envelope.head(), envelope.tail()))
        })?;
        let length = head.len().saturating_add(data.len()).saturating_add(tail.len());
        bytes_filled(py, length, |room| {
            let (room_of_head, room) = room.split_at_mut(head.len());
            let (room_of_data, room_of_tail) = room.split_at_mut(data.len());
            room_of_head.copy_from_slice(&head);
            room_of_data.copy_from_slice(data);
            room_of_tail.copy_from_slice(&tail);
        })
    }

    /// Returns what a signature says that is made now.
    fn statement(&self, text: Option<&str>) -> Result<Statement> {
        let _working = working();
        let statement = self.statements.now()?;
        Ok(match text {
            Some(text) => statement.content_type(content_type(text)?),
            None => statement,
        })
    }

    /// Signs the digest of data, which stays beside the signature.
    fn beside(&self, data: &[u8], content_type: Option<&str>) -> Result<Vec<u8>> {
        let digest = HashAlgorithm::Blake3.digest(data);
        let content = Content::Digest(HashAlgorithm::Blake3, &digest);
        self.keys.seal(&self.statement(content_type)?, content)
    }

    fn armored(
        &self,
        data: &[u8],
        is_detached: bool,
        content_type: Option<&str>,
    ) -> Result<Vec<u8>> {
        let envelope = if is_detached {
            self.beside(data, content_type)?
        } else {
            self.keys.seal(&self.statement(content_type)?, Content::Bytes(data))?
        };
        Ok(armor::encode(&envelope).map_err(Error::from)?.into_bytes())
    }

    fn batch(&self, records: &[Frozen]) -> Result<Vec<Vec<u8>>> {
        let mut signer = BatchSigner::new(Arc::clone(self.keys.only("a record")?));
        let (statement, mut numbers) = (self.statement(None)?, self.numbers(records.len())?);
        let mut envelopes = Vec::with_capacity(records.len());
        for record in records {
            if signer.is_full() {
                envelopes.extend(signer.finish_batch()?.iter().map(<[u8]>::to_vec));
            }
            signer.add(record, &statement, numbers.unique()?)?;
        }
        if !signer.is_empty() {
            envelopes.extend(signer.finish_batch()?.iter().map(<[u8]>::to_vec));
        }
        Ok(envelopes)
    }
}

const JOB_WITH_AAD: &str = "aad does not go with jobs, whose results nobody could tell apart";
