//! What the certificates of an envelope claim.

use brine_core::text::quoted;
use brine_core::{Certificates, ContextGlob, Timestamp, Untrusted};
use brine_keys::{OpensshCertificate, ssh_fingerprint};
use serde::Serialize;

use crate::report::verdict::RefusalFacts;

/// A certificate as far as it can be read, of which nothing is verified. docs/json.md describes it.
#[derive(Default, Serialize)]
pub(super) struct ShownCertificate {
    certificate: Option<String>,
    serial: Option<u64>,
    principals: Option<Vec<String>>,
    ssh_fingerprint: Option<String>,
    issuer: Option<String>,
    not_before: Option<String>,
    expires: Option<String>,
    contexts: Option<Vec<String>>,
    critical_options: Option<Vec<String>>,
    host: Option<bool>,
    may_delegate: Option<bool>,
    /// Why it cannot be read.
    refusal: Option<RefusalFacts>,
}

impl ShownCertificate {
    /// Reads all that an envelope brings.
    pub(super) fn all(certificates: Option<&Certificates>) -> Vec<Self> {
        certificates.into_iter().flat_map(Certificates::iter).map(Self::read).collect()
    }

    fn read(blob: &[u8]) -> Self {
        let found = match OpensshCertificate::parse(blob) {
            Ok(found) => found,
            Err(flaw) => {
                let error = Untrusted::Certificate { certificate: None, flaw };
                return Self { refusal: Some(RefusalFacts::new(&error)), ..Self::default() };
            }
        };
        let patterns = |globs: &Vec<ContextGlob>| {
            globs.iter().map(|glob| glob.as_str().to_owned()).collect::<Vec<_>>()
        };
        let begins = (found.valid_after > 0).then_some(found.valid_after);
        Self {
            serial: Some(found.serial),
            ssh_fingerprint: Some(ssh_fingerprint(found.key())),
            issuer: Some(ssh_fingerprint(found.issuer())),
            not_before: begins
                .map(|at| Timestamp::from_unix(at).unwrap_or(Timestamp::MAX).to_string()),
            expires: found.expires().map(|at| at.to_string()),
            contexts: found.contexts.as_ref().map(patterns),
            host: Some(found.is_for_host()),
            may_delegate: Some(found.may_delegate),
            certificate: Some(found.key_id),
            principals: Some(found.principals),
            critical_options: Some(found.critical_options),
            refusal: None,
        }
    }

    /// Says it for a person.
    pub(super) fn line(&self) -> String {
        if let Some(refusal) = &self.refusal {
            return format!("cannot be read: {}", refusal.message);
        }
        let list = |names: &[String]| {
            names.iter().map(|name| quoted(name).to_string()).collect::<Vec<_>>().join(", ")
        };
        let names = match self.principals.as_deref() {
            None | Some([]) => "nobody".to_owned(),
            Some(names) => list(names),
        };
        let host = if self.host == Some(true) { "the host " } else { "" };
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut parts = vec![
            format!("{}, serial {}", quoted(&said(&self.certificate)), self.serial.unwrap_or(0)),
            format!("says that {} is {host}{names}", said(&self.ssh_fingerprint)),
            format!("issued by {}", said(&self.issuer)),
        ];
        parts.extend(self.not_before.as_ref().map(|at| format!("from {at}")));
        parts.extend(self.expires.as_ref().map(|at| format!("until {at}")));
        parts.extend(self.contexts.as_ref().map(|globs| match globs.as_slice() {
            [] => "for no context".to_owned(),
            globs => format!("only {}", list(globs)),
        }));
        let options = self.critical_options.as_deref().filter(|options| !options.is_empty());
        parts.extend(options.map(|options| format!("critical {}", list(options))));
        parts
            .extend((self.may_delegate == Some(true)).then(|| "may issue certificates".to_owned()));
        parts.join("; ")
    }
}
