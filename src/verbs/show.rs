//! `brinekey show`.

use brine_core::{Clock as _, Timestamp, VerifyingKey};
use brine_keys::Fingerprint;
use brine_trust::{Trust, TrustEntry};

use super::fingerprint_lines;
use super::key_line::KeyLine;
use super::trust::{self, SignerLine, limits};
use crate::args::brinekey::Show;
use crate::report::Failure;
use crate::report::console::{json_line, note, printable};
use crate::report::similar::closest;
use crate::world::clock::Moment;
use crate::world::named_key;
use crate::world::output::Output;
use crate::world::overwrite_guard::OverwriteGuard;
use crate::world::small_files::SmallFiles;

pub(super) fn run(args: &Show) -> Result<(), Failure> {
    let guard = OverwriteGuard::default().and(args.file.trust.as_deref());
    let output = Output::stdout(&mut guard.and_key(&args.key))?;
    let now = Moment::System.now()?;
    let own = own_key(args)?;
    let trust = match (trust::read(&args.file), &own) {
        // A key of one's own is shown all the same.
        (Err(failure), Ok(_)) => {
            note(&format!("warning: {failure}"));
            Trust::default()
        }
        (trust, _) => trust?,
    };
    let named = trust.named(&args.key);
    let (own, others) = match own {
        Ok(key) => {
            let others = named.into_iter().filter(|entry| *entry.key() != key).collect();
            (Some(key), others)
        }
        Err(missing) if named.is_empty() => return Err(missing_of_both(missing, &trust)),
        Err(_) => (None, named),
    };
    let shown = Shown { name: &args.key, own: own.as_ref(), others, trust: &trust, now };
    output.print(&if args.json { shown.lines() } else { shown.page() })
}

/// Finds the key that a text names without the trust file. The inner failure is that there is none.
fn own_key(args: &Show) -> Result<Result<VerifyingKey, Failure>, Failure> {
    let key = match Fingerprint::parse(&args.key) {
        // It may have slashes, and names no file.
        Ok(_) => Err(Failure::NoSuchSigner { name: args.key.clone(), similar: None }),
        Err(_) => named_key::verifying_key(&args.key, &SmallFiles::new(args.file.permissions)),
    };
    match key {
        Err(
            missing @ (Failure::NoSuchKey { .. }
            | Failure::NoSuchSigner { .. }
            | Failure::BadName(_)),
        ) => Ok(Err(missing)),
        key => key.map(Ok),
    }
}

/// Says who is meant instead, if a trusted signer has a similar name.
fn missing_of_both(missing: Failure, trust: &Trust) -> Failure {
    let Failure::NoSuchKey { name, similar: None, .. } = &missing else { return missing };
    match closest(name, trust.entries().iter().map(TrustEntry::name)) {
        None => missing,
        similar => Failure::NoSuchSigner { name: name.clone(), similar },
    }
}

/// What a name stands for: a key of one's own, signers of the trust file, or both.
struct Shown<'a> {
    name: &'a str,
    own: Option<&'a VerifyingKey>,
    /// The signers with this name, and with another key.
    others: Vec<&'a TrustEntry>,
    trust: &'a Trust,
    now: Timestamp,
}

impl Shown<'_> {
    /// Shows it to programs.
    fn lines(&self) -> String {
        let own = self.own.map(|key| KeyLine::named(self.name, key).line());
        let others = self.others.iter();
        let others = others.map(|entry| json_line(&SignerLine::of(entry, self.trust, self.now)));
        own.into_iter().chain(others).collect()
    }

    /// Shows it to people.
    fn page(&self) -> String {
        let mut pages = Vec::new();
        if let Some(key) = self.own {
            let name = printable(self.name);
            pages.push(format!(
                "key         {name}\n{}trust       {}\n",
                fingerprint_lines::page(key),
                self.trust_of(key)
            ));
        }
        let why = match self.own {
            Some(_) => "a trusted signer with another key",
            None => "a trusted signer, and no key of yours",
        };
        for entry in &self.others {
            let name = printable(entry.name());
            pages.push(format!(
                "signer      {name} ({why})\n{}trust       {}\n",
                fingerprint_lines::page(entry.key()),
                self.standing(entry)
            ));
        }
        pages.join("\n")
    }

    /// Says as whom a key is trusted.
    fn trust_of(&self, key: &VerifyingKey) -> String {
        let entries = self.trust.entries_of(key.id());
        let standings = entries
            .map(|entry| format!("as {}: {}", printable(entry.name()), self.standing(entry)));
        let standings: Vec<_> = standings.collect();
        if standings.is_empty() { "not in the trust file".to_owned() } else { standings.join("; ") }
    }

    fn standing(&self, entry: &TrustEntry) -> String {
        let (state, limits) = (self.trust.state(entry, self.now), limits(entry, self.now));
        format!("{state}  {limits}").trim_end().to_owned()
    }
}
