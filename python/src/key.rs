//! Keys.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use brine_cli::embed::{
    FoundKey, PrivateKey, no_secret_of_agent, not_utf8_passphrase, private_key, private_key_in,
    public_key,
};
use brine_core::{SigningBackend, SigningKey, VerifyingKey};
use brine_keys::{Fingerprint, KeyFileError, openssh_line, pkcs8_pem, read_public, spki_pem};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use zeroize::Zeroizing;

use crate::buffer::Frozen;
use crate::failure::{Failure, Result, warn};
use crate::fork::detached;
use crate::key_of_process::KeyOfProcess;
use crate::waiting::waiting;

/// A private key, which signs: in memory, or in an agent, which gives it to nobody.
///
/// It is not pickled: whoever has it can sign.
#[pyclass(frozen, module = "brine")]
#[derive(Clone)]
pub(crate) struct Key {
    key: PrivateKey,
    signer: Arc<dyn SigningBackend>,
}

/// A passphrase, which no exception shows.
pub(crate) struct Passphrase(Zeroizing<String>);

impl<'a, 'py> FromPyObject<'a, 'py> for Passphrase {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let Ok(text) = object.cast::<PyString>() else {
            return Err(wrong_type("a passphrase as str", object));
        };
        // Python's own error has the whole text.
        let text = text.to_str().map_err(|_| Failure::from(not_utf8_passphrase()))?;
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

/// What names a key: a name in the key store or in the agent, or a file.
pub(crate) struct KeyName(String);

impl KeyName {
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

impl Default for KeyName {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for KeyName {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(text) = object.cast::<PyString>() {
            let text = text.to_str().map_err(|_| Failure::usage(NOT_UTF8))?;
            return Ok(Self(text.to_owned()));
        }
        // A path is a file, even where it would be a name as text.
        let path = object.call_method0("__fspath__").and_then(|path| path.extract::<String>());
        let path = path.map_err(|_| wrong_type("the name of a key or a path", object))?;
        Ok(Self(if path.contains('/') { path } else { format!("./{path}") }))
    }
}

impl Key {
    /// Takes a key that was found, and warns of what there is to warn of.
    fn found(py: Python<'_>, found: FoundKey) -> PyResult<Self> {
        for warning in found.warnings {
            warn(py, &warning)?;
        }
        Ok(found.key.into())
    }

    /// Returns what signs.
    pub(crate) const fn signer(&self) -> &Arc<dyn SigningBackend> {
        &self.signer
    }

    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }
}

impl From<PrivateKey> for Key {
    fn from(key: PrivateKey) -> Self {
        let signer = match key.in_memory() {
            Some(_) => key.signer(),
            None => Arc::new(KeyOfProcess::new(key.clone())),
        };
        Self { key, signer }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(self.verifying_key()).finish()
    }
}

#[pymethods]
impl Key {
    /// Make a new key, which is in memory alone.
    #[staticmethod]
    fn generate() -> Result<Self> {
        Ok(PrivateKey::from(SigningKey::generate()?).into())
    }

    /// Find a key as `brine sign -k` does: a name in the key store, a file, or `"agent:NAME"`, a key in the agent that
    /// `SSH_AUTH_SOCK` names.
    ///
    /// Text with a slash in it, or that ends in `.key`, `.pub` or `.pem`, names a file, as every `os.PathLike` does. A
    /// public key signs if the agent holds its private half. Nobody is asked for a passphrase. Without one,
    /// `BRINE_PASSPHRASE_FILE` names the file that has it.
    ///
    /// The certificate beside the file, `NAME-cert.pub`, or that of the agent is brought along in whatever the key signs.
    ///
    /// Raise `KeyFileError` if there is no such key, if it is encrypted and the passphrase is missing or wrong, or if it
    /// is no Ed25519 key; `InputOutputError` if there is no agent, or it does not answer. Warn if others may read its file,
    /// unless `insecure_permissions` accepts that, and if a certificate is left out because nobody would believe it.
    #[staticmethod]
    #[pyo3(signature = (name=KeyName::default(), *, passphrase=None, insecure_permissions=false))]
    #[pyo3(text_signature = "(name='default', *, passphrase=None, insecure_permissions=False)")]
    pub(crate) fn load(
        py: Python<'_>,
        name: KeyName,
        passphrase: Option<Passphrase>,
        insecure_permissions: bool,
    ) -> PyResult<Self> {
        let passphrase = passphrase.map(|passphrase| passphrase.0);
        // Opening an encrypted key takes a second on purpose.
        let found = waiting(py, || Ok(private_key(&name.0, passphrase, insecure_permissions)?))?;
        Self::found(py, found)
    }

    /// Read a key from the text of a key file: PKCS#8 or OpenSSH, as `str` or bytes. `certificate` is the text of its
    /// `NAME-cert.pub`.
    ///
    /// Raise `KeyFileError`, and warn, as `load` does.
    #[staticmethod]
    #[pyo3(signature = (text, *, passphrase=None, certificate=None))]
    fn from_pem(
        py: Python<'_>,
        text: &Bound<'_, PyAny>,
        passphrase: Option<Passphrase>,
        certificate: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let text = Zeroizing::new(text_of(text)?);
        let passphrase = passphrase.map(|passphrase| passphrase.0);
        let certificate = certificate.map(text_of).transpose()?;
        let found = py.detach(|| private_key_in(&text, passphrase, certificate.as_deref()));
        Self::found(py, found.map_err(Failure::from)?)
    }

    /// Return the key as PKCS#8 in PEM, without a passphrase. Whoever has the text can sign.
    ///
    /// Raise `UsageError` if it is in an agent.
    fn to_pem(&self) -> Result<String> {
        match self.key.in_memory() {
            Some(key) => Ok(pkcs8_pem(key)?.to_string()),
            None => Err(no_secret_of_agent().into()),
        }
    }

    /// Whether the key is in an agent.
    #[getter]
    pub(crate) fn is_in_agent(&self) -> bool {
        self.key.in_memory().is_none()
    }

    /// The certificate that is brought along in whatever the key signs, as the text of its file, or `None`.
    #[getter]
    fn certificate(&self) -> Option<String> {
        self.key.certificate_text()
    }

    /// The public half.
    #[getter]
    fn public(&self) -> PublicKey {
        PublicKey(self.verifying_key().clone())
    }

    /// The id of the key in hexadecimal: its SHA-256 thumbprint (RFC 9679).
    #[getter]
    fn id(&self) -> String {
        self.verifying_key().id().to_string()
    }

    /// The fingerprint as OpenSSH writes it, to compare by eye or over the phone.
    #[getter]
    fn fingerprint(&self) -> String {
        Fingerprint::ssh(self.verifying_key()).to_string()
    }

    fn __repr__(&self) -> String {
        format!("<brine.Key {}>", self.fingerprint())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a private key is not pickled: whoever has the pickle could sign. Key.load() reads it again \
             elsewhere",
        ))
    }
}

/// A public key, which verifies.
#[pyclass(frozen, eq, hash, module = "brine")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey(pub(crate) VerifyingKey);

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bytes().hash(state);
    }
}

#[pymethods]
impl PublicKey {
    /// Read a key: the text of an OpenSSH key (`"ssh-ed25519 AAAA…"`), a file of either half, or a name in the key store.
    ///
    /// Raise `KeyFileError` if there is no such key, or others may write its file and `insecure_permissions` does not
    /// accept that.
    #[staticmethod]
    #[pyo3(signature = (text, *, insecure_permissions=false))]
    fn load(py: Python<'_>, text: KeyName, insecure_permissions: bool) -> Result<Self> {
        let key = detached(py, || public_key(&text.0, insecure_permissions));
        Ok(Self(key?))
    }

    /// Read a key from the text of a key file of either half, as `str` or bytes.
    #[staticmethod]
    fn from_pem(text: &Bound<'_, PyAny>) -> PyResult<Self> {
        let key = read_public(&text_of(text)?).map_err(Failure::from)?;
        Ok(Self(key))
    }

    /// Return the key as PEM (RFC 8410).
    fn to_pem(&self) -> String {
        spki_pem(&self.0)
    }

    /// The id of the key in hexadecimal: its SHA-256 thumbprint (RFC 9679).
    #[getter]
    fn id(&self) -> String {
        self.0.id().to_string()
    }

    /// The fingerprint as OpenSSH writes it, to compare by eye or over the phone.
    #[getter]
    fn fingerprint(&self) -> String {
        Fingerprint::ssh(&self.0).to_string()
    }

    /// Return the 32 bytes of the key (RFC 8032).
    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.to_bytes())
    }

    /// Return the line of OpenSSH.
    fn __str__(&self) -> String {
        openssh_line(&self.0, "")
    }

    fn __repr__(&self) -> String {
        format!("<brine.PublicKey {}>", self.fingerprint())
    }

    fn __reduce__(slf: &Bound<'_, Self>) -> PyResult<(Py<PyAny>, (String,))> {
        let load = slf.get_type().getattr("from_pem")?.unbind();
        Ok((load, (slf.get().to_pem(),)))
    }
}

/// Says which type an argument must have.
pub(crate) fn wrong_type(expected: &str, object: Borrowed<'_, '_, PyAny>) -> PyErr {
    let found = object.get_type();
    let found = found.name().map_or_else(|_| "something else".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("expected {expected}, not {found}"))
}

/// Returns the bytes of a text file, whether they were decoded or not.
fn text_of(text: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    match text.cast::<PyString>() {
        // Python's own error has the whole text.
        Ok(text) => match text.to_str() {
            Ok(text) => Ok(text.as_bytes().to_vec()),
            Err(_) => Err(Failure::from(KeyFileError::Unrecognised).into()),
        },
        Err(_) => Ok(text.extract::<Frozen>()?.to_vec()),
    }
}

const NOT_UTF8: &str = "the name of a key is text that is UTF-8";
