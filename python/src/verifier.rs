//! Verifying.

use std::path::PathBuf;
use std::sync::Arc;

use brine_cli::embed::{ExpectationText, JudgingClock, Refused, ReplayText, expectations};
use brine_core::{Kind, Verified as CoreVerified, is_single};
use brine_job::JobId;
use brine_records::Subject;
use pyo3::exceptions::PyOverflowError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::buffer::{Frozen, bytes_filled};
use crate::failure::{Failure, Result};
use crate::fork::detached;
use crate::job_result::JobResult;
use crate::judge::Judge;
use crate::lease::Lease;
use crate::ledger::Ledger;
use crate::moment::{LengthText, MomentText};
use crate::trust::{Source, Trust};
use crate::verified::Verified;

/// Verifies envelopes by one trust and one set of expectations.
///
/// One verifier can be shared by threads, and used after a fork. It costs little to call, and more to make.
#[pyclass(frozen, module = "brine")]
pub(crate) struct Verifier {
    pub(crate) judge: Judge,
    /// The same for results of jobs.
    results: Judge,
    pub(crate) context: Option<Arc<str>>,
    ledger: Option<Arc<Ledger>>,
}

#[pymethods]
impl Verifier {
    /// Say what envelopes are held to.
    ///
    /// - `trust`: who is believed; by default the trust file at home, which is read again when it changes.
    /// - `context`: what the signature must be for. Without it, only signatures without a context are accepted. Those
    ///   that begin with `python-code/` are for code: nobody is believed for them but by an entry of the trust file
    ///   that spells this out.
    /// - `signer`: the name that the signer must have in the trust file. Of several names in a list, each must have a
    ///   signature of its own.
    /// - `require`: how many persons must have signed, as `brine verify --require` counts them. The trust file can ask for
    ///   more.
    /// - `max_age`: a `timedelta`, or text like `"7d"` or `"90s"`. Older signatures are refused, without leeway.
    /// - `aad`: bytes that were signed together with the payload.
    /// - `replay_db`: the path of a replay database, which `brine.replay_init` makes. Each envelope is then given out
    ///   once, by all processes of this machine that share it.
    /// - `lease`: how long a lease lasts that is neither settled nor renewed, by default a minute.
    /// - `now`: judge as of another time: an aware `datetime`, or text like `"2026-12-31T00:00Z"` or `"30d"`. The
    ///   verdict says so. It cannot be given with `replay_db`.
    /// - `typ`: a foreign type (RFC 9596) that is taken as data; `untyped`: take envelopes without one, too.
    /// - `untagged`, `outer_tags`: take envelopes without a CBOR tag, or inside the tags 61 and 55799, too.
    /// - `try_keys`: how many trusted keys are tried, instead of 16, if an envelope names none of them.
    ///
    /// Raise `UsageError` for a value that makes no sense, `KeyFileError` for a trust file that cannot be used, and
    /// `InputOutputError` for a replay database that cannot.
    #[new]
    #[pyo3(signature = (trust=None, *, context=None, signer=None, max_age=None, aad=None, replay_db=None, lease=None,
        now=None, typ=None, untyped=false, untagged=false, outer_tags=false, try_keys=None, require=None))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords, each of its own")]
    fn new(
        py: Python<'_>,
        trust: Option<Py<Trust>>,
        context: Option<String>,
        signer: Option<Names>,
        max_age: Option<LengthText>,
        aad: Option<Frozen>,
        replay_db: Option<PathBuf>,
        lease: Option<LengthText>,
        now: Option<MomentText>,
        typ: Option<String>,
        untyped: bool,
        untagged: bool,
        outer_tags: bool,
        try_keys: Option<Count>,
        require: Option<Count>,
    ) -> Result<Self> {
        let asked = context.as_deref().map(Arc::from);
        let max_age = max_age.map(|text| text.0);
        let replay = ReplayText { lease: lease.map(|text| text.0), max_age: max_age.clone() };
        let external_aad = aad.map(|aad| aad.to_vec()).unwrap_or_default();
        let expectations = expectations(ExpectationText {
            context,
            external_aad,
            max_age,
            outer_tags,
            require: require.map(|count| count.0),
            signers: signer.map(|names| names.0),
            try_keys: try_keys.map(|count| count.0),
            typ,
            untagged,
            untyped,
        })?;
        let clock = now.map(|text| JudgingClock::given(&text.0)).transpose()?;
        let clock = clock.unwrap_or(JudgingClock::SYSTEM);
        let ledger = match replay_db {
            Some(_) if !clock.is_system() => return Err(Failure::usage(NOW_AND_REPLAY)),
            Some(path) => Some(detached(py, || Ledger::open(&path, replay))?),
            None if replay.lease.is_some() => return Err(Failure::usage(LEASE_OF_NOTHING)),
            None => None,
        };
        let trust = match trust {
            Some(trust) => trust.get().0.clone(),
            None => detached(py, Source::at_home)?,
        };
        let trust = trust.for_context(asked.as_deref());
        let results = expectations.clone().kind(Kind::Result);
        let results = Judge::new(results, trust.clone(), clock);
        Ok(Self { judge: Judge::new(expectations, trust, clock), results, context: asked, ledger })
    }

    /// Verify an envelope, or a detached signature over `payload`, and return what has verified.
    ///
    /// An envelope is what `sign` returns, or `brine sign` writes: armored text and streams, too. Nothing of it is
    /// returned unless all of it has verified.
    ///
    /// Raise `AlteredError` if it was changed, cut or wrongly signed, `UnsupportedError` if it is no envelope, and
    /// `UntrustedError` for an unknown or revoked signer, another context, or outside of its time; `ReplayedError` if it
    /// was given out before. `KeyFileError` and `InputOutputError` say that nothing could be judged.
    #[pyo3(signature = (envelope, payload=None))]
    fn verify(
        &self,
        py: Python<'_>,
        envelope: Frozen,
        payload: Option<Frozen>,
    ) -> PyResult<Verified> {
        let note = |verified: &CoreVerified| match &self.ledger {
            Some(ledger) => ledger.once(&Subject::of(verified)?),
            None => Ok(()),
        };
        Ok(self.verify_and(py, envelope, payload, note)?.0)
    }

    /// Verify an envelope as `verify` does, and keep it from all others until it has been handled.
    ///
    /// The lease that is returned gives what has verified in a `with` statement. It is committed at the end, and given
    /// back if an exception leaves the block. While it lasts, others that verify the same envelope get an
    /// `InputOutputError` with the reason `replay-busy`. It lasts as long as the verifier's `lease`: renew it for work
    /// that takes longer.
    #[pyo3(signature = (envelope, payload=None))]
    fn lease(&self, py: Python<'_>, envelope: Frozen, payload: Option<Frozen>) -> PyResult<Lease> {
        let Some(ledger) = &self.ledger else {
            return Err(Failure::usage(LEASE_OF_NOTHING).into());
        };
        let note = |verified: &CoreVerified| ledger.reserve(&Subject::of(verified)?);
        let (verified, lease) = self.verify_and(py, envelope, payload, note)?;
        Ok(Lease::new(Py::new(py, verified)?, Arc::clone(ledger), lease))
    }

    /// Verify the signed result of a job, and return what it says.
    ///
    /// `job` says which job it must be of, as `Signer.sign_job` returns it. Raise `UntrustedError` with the reason
    /// `result-other-job` if it is of another one. Without it, look at `JobResult.job`.
    #[pyo3(signature = (envelope, job=None))]
    fn verify_result(
        &self,
        py: Python<'_>,
        envelope: Frozen,
        job: Option<[u8; 32]>,
    ) -> PyResult<JobResult> {
        let judged = detached(py, || {
            self.results.single(&envelope, |verified| {
                let result = brine_job::JobResult::of(verified)?;
                job.map_or(Ok(()), |job| result.judge_job(&JobId(job)))?;
                Ok(result)
            })
        });
        let (facts, payload, result) = judged.map_err(Failure::from)?;
        let payload = PyBytes::new(py, &payload).unbind();
        let verified = Verified::new(Some(payload), facts, self.context.clone(), false);
        Ok(JobResult { verified: Py::new(py, verified)?, result })
    }

    /// What signatures must be for.
    #[getter]
    fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    fn __repr__(&self) -> String {
        match &self.context {
            Some(context) => format!("<brine.Verifier for {context:?}>"),
            None => "<brine.Verifier>".to_owned(),
        }
    }
}

/// A number of things: of no sense below nothing, and no less than any other above what there can be.
struct Count(usize);

impl<'a, 'py> FromPyObject<'a, 'py> for Count {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<usize>() {
            Err(error) if error.is_instance_of::<PyOverflowError>(object.py()) => {
                Ok(Self(if object.lt(0)? { 0 } else { usize::MAX }))
            }
            count => count.map(Self),
        }
    }
}

/// One name, or a sequence of names.
struct Names(Vec<String>);

impl<'a, 'py> FromPyObject<'a, 'py> for Names {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        match object.cast::<PyString>() {
            Ok(name) => Ok(Self(vec![name.to_str()?.to_owned()])),
            Err(_) => Ok(Self(object.extract()?)),
        }
    }
}

impl Verifier {
    fn verify_and<T: Send>(
        &self,
        py: Python<'_>,
        envelope: Frozen,
        payload: Option<Frozen>,
        note: impl Fn(&CoreVerified) -> Result<T, Refused> + Sync,
    ) -> PyResult<(Verified, T)> {
        if let Some(payload) = payload {
            let judged = detached(py, || self.judge.beside(&envelope, &payload, &note));
            let (facts, _, noted) = judged.map_err(Failure::from)?;
            let payload = payload.into_object(py)?;
            return Ok((Verified::new(Some(payload), facts, self.context.clone(), true), noted));
        }
        // Nearly all are single. What is not never verifies as one, so nothing is noted twice.
        let found = match detached(py, || self.judge.single(&envelope, &note)) {
            Err(_) if !is_single(&envelope) => {
                let envelope = envelope.clone_ref(py);
                detached(py, || self.judge.any(envelope, &note))
            }
            found => found,
        };
        let (facts, payload, noted) = found.map_err(Failure::from)?;
        let payload = bytes_filled(py, payload.len(), |room| room.copy_from_slice(&payload))?;
        let payload = payload.unbind();
        Ok((Verified::new(Some(payload), facts, self.context.clone(), false), noted))
    }
}

const NOW_AND_REPLAY: &str =
    "now cannot be given with replay_db: what was handled is judged by the clock of the system";

const LEASE_OF_NOTHING: &str = "a lease takes a replay database: give replay_db, too";
