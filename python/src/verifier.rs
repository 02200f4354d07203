//! Verifying.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brine_cli::embed::{
    ExpectationText, Facts, Refused, SystemClock, expectations, payload_store, replay_database,
};
use brine_core::{
    Clock as _, EnvelopeVerifier, Error, Expectations, TrustAnchors, TrustSource as _, is_single,
    open,
};
use brine_records::replay::ReplayDatabase;
use brine_records::{ReplayError, Settled, Subject};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::buffer::Frozen;
use crate::failure::{Failure, Result};
use crate::fork::detached;
use crate::moment::LengthText;
use crate::trust::{Source, Trust};
use crate::verified::Verified;

/// Verifies envelopes by one trust and one set of expectations.
///
/// One verifier can be shared by threads, and used after a fork.
#[pyclass(frozen, module = "brine")]
pub(crate) struct Verifier {
    expectations: Arc<Expectations>,
    context: Option<Arc<str>>,
    trust: Source,
    /// Those that are not at work.
    idle: Mutex<Vec<Worker>>,
    ledger: Option<Mutex<Ledger>>,
}

/// Verifies single envelopes by the trust of one moment.
struct Worker {
    trust: Arc<dyn TrustAnchors>,
    verifier: EnvelopeVerifier,
}

/// A replay database, open in one process.
struct Ledger {
    path: PathBuf,
    max_age: Option<String>,
    process: u32,
    database: Option<ReplayDatabase>,
}

#[pymethods]
impl Verifier {
    /// Believe `trust`, by default the trust file at home.
    ///
    /// With `replay_db`, each envelope is given out once. `brine replay init` makes the database.
    #[new]
    #[pyo3(signature = (trust=None, *, context=None, signer=None, max_age=None, aad=None, replay_db=None))]
    fn new(
        py: Python<'_>,
        trust: Option<Py<Trust>>,
        context: Option<String>,
        signer: Option<String>,
        max_age: Option<LengthText>,
        aad: Option<Frozen>,
        replay_db: Option<PathBuf>,
    ) -> Result<Self> {
        let trust = match trust {
            Some(trust) => trust.get().0.clone(),
            None => detached(py, Source::at_home)?,
        };
        let max_age = max_age.map(|text| text.0);
        let asked = context.as_deref().map(Arc::from);
        let external_aad = aad.map(|aad| aad.to_vec()).unwrap_or_default();
        let text = ExpectationText { context, signer, max_age: max_age.clone(), external_aad };
        let expectations = Arc::new(expectations(text)?);
        let ledger = replay_db.map(|path| Ledger { path, max_age, process: 0, database: None });
        let ledger = match ledger {
            Some(mut ledger) => {
                detached(py, || ledger.database().map(drop))?;
                Some(Mutex::new(ledger))
            }
            None => None,
        };
        Ok(Self { expectations, context: asked, trust, idle: Mutex::default(), ledger })
    }

    /// Verify an envelope, or a detached signature over `payload`, and return what has verified.
    ///
    /// Raise if it has not, and say why: nothing of it is returned then.
    #[pyo3(signature = (envelope, payload=None))]
    fn verify(
        &self,
        py: Python<'_>,
        envelope: Frozen,
        payload: Option<Frozen>,
    ) -> PyResult<Verified> {
        let (facts, bytes) = detached(py, || match &payload {
            Some(payload) => self.beside(&envelope, payload).map(|facts| (facts, None)),
            None if is_single(&envelope) => self.single(&envelope).map(own),
            None => self.any(&envelope).map(own),
        })?;
        let bytes = bytes.as_deref().or(payload.as_deref()).unwrap_or_default();
        Ok(Verified {
            payload: PyBytes::new(py, bytes).unbind(),
            facts,
            context: self.context.clone(),
            detached: payload.is_some(),
        })
    }

    fn __repr__(&self) -> String {
        match &self.context {
            Some(context) => format!("<brine.Verifier for {context:?}>"),
            None => "<brine.Verifier>".to_owned(),
        }
    }
}

fn own((facts, bytes): (Facts, Vec<u8>)) -> (Facts, Option<Vec<u8>>) {
    (facts, Some(bytes))
}

impl Verifier {
    /// Verifies one envelope in memory.
    fn single(&self, envelope: &[u8]) -> Result<(Facts, Vec<u8>)> {
        let trust = self
            .trust
            .current()
            .map_err(|error| Error::from(brine_core::SystemError::from(error)))?;
        let now = SystemClock.now().map_err(Error::from)?;
        let mut worker = lock(&self.idle).pop().unwrap_or_else(|| Worker {
            trust: Arc::clone(&trust),
            verifier: EnvelopeVerifier::new(Arc::clone(&self.expectations), Arc::clone(&trust)),
        });
        if !Arc::ptr_eq(&worker.trust, &trust) {
            worker.verifier.set_trust(Arc::clone(&trust));
            worker.trust = trust;
        }
        let judged = worker.verifier.verify(envelope, now).map_err(Failure::from);
        let judged = judged.and_then(|verified| {
            self.once(verified)?;
            Ok((Facts::of(verified), verified.in_memory().unwrap_or_default().to_vec()))
        });
        worker.verifier.shrink(KEPT_BYTES);
        lock(&self.idle).push(worker);
        judged
    }

    /// Verifies whatever else can be verified: armored text and streams.
    fn any(&self, envelope: &[u8]) -> Result<(Facts, Vec<u8>)> {
        let opening = open(envelope.to_vec())?;
        if opening.lies_beside(&self.expectations) {
            return Err(Failure::usage(BESIDE));
        }
        let opening = opening.store(payload_store());
        let mut verified = opening.verify(&self.expectations, &self.trust, &SystemClock)?;
        let mut payload = Vec::new();
        while let Some(piece) = verified.next_piece()? {
            payload.extend_from_slice(piece);
        }
        self.once(&verified)?;
        Ok((Facts::of(&verified), payload))
    }

    /// Verifies a signature over `content`, which lies beside it.
    fn beside(&self, signature: &[u8], content: &[u8]) -> Result<Facts> {
        let opening = open(signature.to_vec())?;
        let (mut content, clock) = (content, SystemClock);
        let verified =
            opening.verify_beside(&mut content, &self.expectations, &self.trust, &clock)?;
        self.once(&verified)?;
        Ok(Facts::of(&verified))
    }

    /// Notes that an envelope is given out, if there is a replay database, and refuses one that was before.
    fn once(&self, verified: &brine_core::Verified) -> Result<()> {
        let Some(ledger) = &self.ledger else { return Ok(()) };
        let subject = Subject::of(verified)?;
        let mut ledger = lock(ledger);
        let database = ledger.database()?;
        let now = SystemClock.now().map_err(Error::from)?;
        let lease = database.reserve(&subject, now)?.into_lease()?;
        match database.commit(&lease, now)? {
            Settled::Done => Ok(()),
            Settled::Lost => Err(ReplayError::Replayed.into()),
        }
    }
}

impl Ledger {
    /// Returns the database, opened by this process.
    fn database(&mut self) -> Result<&mut ReplayDatabase, Refused> {
        let process = std::process::id();
        if self.process != process {
            // A connection belongs to the process that opened it: not even closing it is safe elsewhere.
            std::mem::forget(self.database.take());
            self.process = process;
        }
        let database = match self.database.take() {
            Some(database) => database,
            None => replay_database(&self.path, self.max_age.as_deref())?,
        };
        Ok(self.database.insert(database))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A payload over this size is given back by whoever verified it.
const KEPT_BYTES: u64 = 1 << 20;

const BESIDE: &str = "this signature lies beside its payload: give the payload, too";
