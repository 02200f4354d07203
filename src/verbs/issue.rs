//! `brinekey issue`.

use std::iter;
use std::path::{Path, PathBuf};

use brine_core::key::random;
use brine_core::text::{all_harmless, quoted};
use brine_core::{
    Certificates, Clock as _, ContextGlob, MAX_CERTIFICATE_BYTES, MAX_CERTIFICATES, Timestamp,
    VerifyingKey,
};
use brine_keys::{CertificateDraft, OpensshCertificate, certificate_line, ssh_fingerprint};
use serde::Serialize;

use crate::args::certify::Issue;
use crate::report::Failure;
use crate::report::byte_name::{exact, shown};
use crate::report::console::{json_line, note, printable, warn, write_to_stderr};
use crate::world::certificate_file::{CertificateFile, certificate_path, held_certificate};
use crate::world::clock::Moment;
use crate::world::home::Home;
use crate::world::key_place::KeyPlace;
use crate::world::local_time::TimePoint;
use crate::world::named_key::{self, Named};
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::passphrase::Source;
use crate::world::small_files::SmallFiles;
use crate::world::whole_file::{Access, Existing, write_whole};

pub(super) fn run(args: &Issue) -> Result<(), Failure> {
    let files = SmallFiles::new(args.permissions);
    let issuer = KeyPlace::find(&args.issuer)?;
    let issuer_file = issuer.file().map(Path::to_owned);
    let key = named_key::verifying_key(&args.key, &files)?;
    let contexts = contexts(args)?;
    refuse_names(args)?;
    let place = place(args)?;
    let stdout = Output::stdout(&mut OverwriteGuard::default().and(issuer_file.as_deref()))?;
    let opened =
        issuer.open_bare(&Source::find(&args.passphrase), args.permissions.into(), &mut warn)?;
    let (issuer, now) = (opened.key.signer(), Moment::System.now()?);
    let beside = |file: &PathBuf| CertificateFile::beside(file, issuer.verifying_key(), &files);
    let beside = issuer_file.as_ref().map(beside).transpose()?.flatten();
    let above = beside.map(|file| file.certificates().clone());
    let above = above.or_else(|| held_certificate(&opened.held, now, &mut warn));
    if let Some(why) = above.as_ref().and_then(|above| why_useless(above, now)) {
        warn(format!(
            "{why}: only whoever lets the issuer issue certificates by itself believes this one"
        ));
    }
    let above = above.iter().flat_map(Certificates::iter);
    if above.clone().count() >= MAX_CERTIFICATES {
        let usage = format!("no more than {MAX_CERTIFICATES} certificates follow each other");
        return Err(Failure::usage(usage));
    }

    let end = end(args, now)?;
    let draft = CertificateDraft {
        key: &key,
        nonce: random().map_err(brine_keys::KeyFileError::from)?,
        serial: serial(args)?,
        key_id: args.id.as_deref().or(args.names.first().map(String::as_str)).unwrap_or_default(),
        principals: &args.names,
        // A verifier's clock may be behind.
        valid_after: now.minus(brine_core::time::LEEWAY).unix(),
        valid_before: end.unix(),
        contexts: contexts.as_deref(),
        may_delegate: args.delegate,
    };
    let certificate = draft.issue(issuer.as_ref()).map_err(brine_core::Error::from)?;
    let chain: Vec<_> = iter::once(certificate).chain(above.map(<[u8]>::to_vec)).collect();
    if Certificates::new(&chain).is_err() {
        let usage = format!(
            "the certificate would have over {MAX_CERTIFICATE_BYTES} bytes, which no envelope brings"
        );
        return Err(Failure::usage(usage));
    }
    let comments = iter::once(draft.key_id).chain(iter::repeat(""));
    let lines = chain.iter().zip(comments);
    let text: String =
        lines.map(|(blob, comment)| certificate_line(blob, comment) + "\n").collect();
    match &place {
        None => stdout.print(&text)?,
        Some(path) => {
            let existing = if args.force { Existing::Replace } else { Existing::Keep };
            write_whole(path, Access::Ordinary, existing, |file| {
                std::io::Write::write_all(file, text.as_bytes())
            })?;
        }
    }
    tell(args, &draft, &key, place.as_deref());
    Ok(())
}

/// Says why the issuer's own certificate lets it hand on nothing.
fn why_useless(above: &Certificates, now: Timestamp) -> Option<String> {
    let own = OpensshCertificate::parse(above.iter().next()?);
    match own.and_then(|own| own.judge(now).map(|()| own)) {
        Err(flaw) => Some(format!("the certificate of the issuer is of no use ({flaw})")),
        Ok(own) if own.may_delegate => None,
        Ok(_) => Some("the certificate of the issuer was made without --delegate".to_owned()),
    }
}

fn tell(args: &Issue, draft: &CertificateDraft<'_>, key: &VerifyingKey, place: Option<&Path>) {
    let until = Timestamp::from_unix(draft.valid_before).unwrap_or(Timestamp::MAX);
    if args.json {
        let line = json_line(&CertificateLine {
            schema: "brine.certificate/1",
            certificate: draft.key_id,
            serial: draft.serial,
            principals: draft.principals,
            contexts: draft.contexts.map(|globs| globs.iter().map(ContextGlob::as_str).collect()),
            expires: until.to_string(),
            may_delegate: draft.may_delegate,
            key_id: key.id().to_string(),
            file: place.map(shown),
            file_hex: place.and_then(exact),
        });
        // Whoever closed it does not want to hear it.
        let _ = write_to_stderr(line.as_bytes());
        return;
    }
    let names = printable(&draft.principals.join(", "));
    let place = place.map(|path| format!(", in {}", quoted(path))).unwrap_or_default();
    note(&format!("{} is certified as {names} until {until}{place}", ssh_fingerprint(key)));
}

/// A certificate that was issued, as it is shown to programs. docs/json.md describes it.
#[derive(Serialize)]
struct CertificateLine<'a> {
    schema: &'static str,
    certificate: &'a str,
    serial: u64,
    principals: &'a [String],
    contexts: Option<Vec<&'a str>>,
    expires: String,
    may_delegate: bool,
    key_id: String,
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_hex: Option<String>,
}

fn contexts(args: &Issue) -> Result<Option<Vec<ContextGlob>>, Failure> {
    if args.contexts.is_empty() {
        return Ok(None);
    }
    if args.contexts.iter().any(|text| text.contains(',')) {
        return Err(Failure::usage("a context of a certificate has no comma".to_owned()));
    }
    let globs = args.contexts.iter().map(|text| ContextGlob::parse(text));
    let globs: Result<Vec<_>, _> = globs.collect();
    globs.map(Some).map_err(|error| Failure::usage(error.to_string()))
}

fn refuse_names(args: &Issue) -> Result<(), Failure> {
    // Names are listed with commas between them, also by OpenSSH, and may be taken for patterns. Between slashes are the
    // names of whoever hands on.
    let is_wrong = |name: &&String| {
        name.contains([',', '*', '?', '!'])
            || name.split('/').any(str::is_empty)
            || !all_harmless(name)
    };
    match args.names.iter().find(is_wrong) {
        None => Ok(()),
        Some(name) => Err(Failure::usage(format!("--name {name:?} is not one name"))),
    }
}

/// Returns the file that the certificate goes to; `None` for standard output.
fn place(args: &Issue) -> Result<Option<PathBuf>, Failure> {
    if let Some(path) = &args.output {
        return Ok((path.as_os_str() != "-").then(|| path.clone()));
    }
    Ok(match Named::parse(&args.key)? {
        Named::Agent(_) | Named::OpenSsh(_) => None,
        Named::File(path) => Some(certificate_path(&path)),
        Named::Name(name) => Some(certificate_path(&Home::find()?.public_key(&name))),
    })
}

fn end(args: &Issue, now: Timestamp) -> Result<Timestamp, Failure> {
    let end = match (&args.until, args.valid_for) {
        (Some(when), _) => TimePoint::resolve(when)?.from(now),
        (None, length) => now.plus(length.unwrap_or_default()),
    };
    match end > now {
        true => Ok(end),
        false => {
            Err(Failure::usage(format!("the certificate would end at {end}, which has passed")))
        }
    }
}

fn serial(args: &Issue) -> Result<u64, Failure> {
    match args.serial {
        Some(serial) => Ok(serial),
        // 0 is none.
        None => {
            let drawn = u64::from_be_bytes(random().map_err(brine_keys::KeyFileError::from)?);
            Ok((drawn >> 1).max(1))
        }
    }
}
