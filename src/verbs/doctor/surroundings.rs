//! What every command needs: the clock, keys and trust, a directory for temporary files, `/proc`, a terminal.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use brine_core::Timestamp;
use brine_core::text::quoted;

use super::about;
use super::check::Check;
use crate::args::PassphraseArgs;
use crate::report::KeepingFailure;
use crate::report::exit::Status;
use crate::verbs::policy;
use crate::world::home::{Home, temporary_directory};
use crate::world::passphrase::{self, Source};
use crate::world::permissions::PermissionRule;
use crate::world::small_files::SmallFiles;
use crate::world::spool::{Spool, temporary};
use crate::world::{clock, named_key};

/// Looks at all of it.
pub(super) fn checks() -> Vec<Check> {
    let home = Home::find();
    let mut checks = vec![of_clock(home.as_ref().ok())];
    match &home {
        Ok(home) => checks.extend([of_home(home), of_trust(home), of_policy(home)]),
        Err(failure) => checks.push(Check::failed("home", failure)),
    }
    checks.extend([of_temporary_directory(), of_proc(), of_terminal()]);
    checks
}

/// Expiry and age are judged by the clock.
fn of_clock(home: Option<&Home>) -> Check {
    let now = match clock::read() {
        Ok(now) => now,
        Err(error) => return Check::failed("clock", &error.into()).hint(SET_CLOCK),
    };
    let newest = home.and_then(newest_file);
    judge_clock(now, newest, is_synchronised())
}

fn judge_clock(now: Timestamp, newest: Option<Timestamp>, synchronised: Option<bool>) -> Check {
    let (released, latest) = (moment(RELEASED), moment(LATEST));
    let wrong = |what: &str| {
        Check::missing("clock", Status::Io, format!("it is {now} by this machine, {what}"))
            .hint(SET_CLOCK)
    };
    if now < released {
        return wrong("which is before this brine was made: what has expired would be accepted");
    }
    if now > latest {
        return wrong("which is not plausible: everything that expires would be refused");
    }
    if let Some(newest) = newest.filter(|newest| *newest > now.plus(LEEWAY)) {
        let text = format!("it is {now} by this machine, and trust was last changed at {newest}");
        return Check::limited("clock", text).hint(SET_CLOCK);
    }
    match synchronised {
        Some(true) => Check::ok("clock", format!("{now}, synchronised")),
        Some(false) => {
            let text = format!("{now}, and nothing keeps it right, as far as the kernel knows");
            Check::limited("clock", text).hint(SET_CLOCK)
        }
        None => {
            Check::ok("clock", format!("{now}; this system does not say if it is synchronised"))
        }
    }
}

#[cfg(all(feature = "sandbox", target_os = "linux"))]
fn is_synchronised() -> Option<bool> {
    brine_sandbox::clock_is_synchronised().ok()
}

#[cfg(not(all(feature = "sandbox", target_os = "linux")))]
const fn is_synchronised() -> Option<bool> {
    None
}

/// When trust or policy was changed last: no clock that is right says less.
fn newest_file(home: &Home) -> Option<Timestamp> {
    let changed =
        |path: &Path| Timestamp::from_system(fs::metadata(path).ok()?.modified().ok()?).ok();
    [home.trust_file(), home.policy_file()].iter().filter_map(|path| changed(path)).max()
}

fn of_home(home: &Home) -> Check {
    let directory = home.directory();
    match named_key::names_in_store(home) {
        Err(failure) => Check::failed("home", &failure),
        Ok(names) if names.is_empty() => {
            let text = format!("{directory:?} has no keys: nothing can be signed here");
            Check::limited("home", text).hint("\"brinekey gen\" makes a key")
        }
        Ok(names) => Check::ok("home", format!("{directory:?} has {}", count(names.len(), "key"))),
    }
}

fn of_trust(home: &Home) -> Check {
    match named_key::default_trust(&SmallFiles::default()) {
        Err(failure) => Check::failed("trust", &failure),
        Ok(trust) if trust.is_empty() => Check::limited(
            "trust",
            format!("{:?} names nobody: everything is refused", home.trust_file()),
        )
        .hint("\"brinekey trust add NAME KEY\" trusts a signer"),
        Ok(trust) => {
            let signers = count(trust.entries().len(), "signer");
            let authorities = match trust.authorities().len() {
                0 => String::new(),
                1 => ", 1 authority".to_owned(),
                several => format!(", {several} authorities"),
            };
            Check::ok("trust", format!("{:?} has {signers}{authorities}", home.trust_file()))
        }
    }
}

fn of_policy(home: &Home) -> Check {
    let path = home.policy_file();
    match policy::watch(None, PermissionRule::Strict).and_then(|policy| policy.current()) {
        Err(failure) => Check::failed("policy", &failure),
        Ok(policy) if policy.entries().is_empty() => Check::ok(
            "policy",
            format!("there is no {path:?}: jobs that request anything are refused"),
        ),
        Ok(policy) => {
            let found = policy.entries().len();
            let entries =
                if found == 1 { "1 entry".to_owned() } else { format!("{found} entries") };
            Check::ok("policy", format!("{path:?} has {entries}"))
        }
    }
}

/// What is too large for memory waits there until all of it has verified.
fn of_temporary_directory() -> Check {
    let name = "temporary";
    let directory = temporary_directory();
    let written = Spool::on_disk().and_then(|mut spool| spool.write_all(&[0; 4096]));
    if let Err(error) = written {
        return Check::failed(name, &temporary(error));
    }
    let free = rustix::fs::statvfs(&directory)
        .map(|found| found.f_bavail.saturating_mul(found.f_frsize))
        .unwrap_or(0);
    let text = format!("{} has {} left", quoted(&directory), about(free));
    if free < FEW_BYTES {
        let text = format!("{text}, which larger payloads do not fit");
        return Check::limited(name, text).hint("set TMPDIR to a directory that has more");
    }
    Check::ok(name, text)
}

/// Descriptors are opened again there, and jobs start from there.
fn of_proc() -> Check {
    match fs::read_link("/proc/self/exe").and_then(|_| fs::read_dir("/proc/self/fd")) {
        Ok(_) => Check::ok("proc", "/proc is there"),
        Err(error) => Check::missing(
            "proc",
            Status::Io,
            format!("/proc: {error}: no job can be run, and /dev/stdin and the like do not work"),
        )
        .hint("mount -t proc proc /proc; a container has it unless it was told otherwise"),
    }
}

fn of_terminal() -> Check {
    let source = Source::find(&PassphraseArgs::default());
    match &source {
        Source::File(path) => match source.tries("a key").passphrase() {
            Ok(_) => Check::ok("terminal", format!("passphrases are read from {path:?}")),
            Err(failure) => Check::failed("terminal", &failure),
        },
        Source::Terminal if passphrase::has_terminal() => {
            Check::ok("terminal", "passphrases can be asked for")
        }
        Source::Given(_) | Source::Terminal => {
            let needed = KeepingFailure::PassphraseNeeded { key: "a key".to_owned() };
            Check::limited("terminal", "there is none, so no passphrase can be asked for")
                .hint(needed.hint().unwrap_or_default())
        }
    }
}

fn count(found: usize, noun: &str) -> String {
    if found == 1 { format!("1 {noun}") } else { format!("{found} {noun}s") }
}

fn moment(seconds: u64) -> Timestamp {
    Timestamp::from_unix(seconds).unwrap_or(Timestamp::MAX)
}

const SET_CLOCK: &str = "sudo timedatectl set-ntp true";

/// 2026-11-21, raised with each release: no clock that is right says less.
const RELEASED: u64 = 1_795_219_200;

/// 2100-01-01.
const LATEST: u64 = 4_102_444_800;

/// How far two clocks may be apart that are both right.
const LEEWAY: std::time::Duration = std::time::Duration::from_secs(60);

/// Less room than this is worth a warning, in bytes.
const FEW_BYTES: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn a_clock_is_judged_by_what_can_be_known() {
        let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
        let good = "2027-03-01T12:00:00Z";
        for (now, newest, synchronised, state, said) in [
            (good, None, Some(true), State::Ok, "synchronised"),
            (good, None, None, State::Ok, "does not say"),
            (good, None, Some(false), State::Limited, "nothing keeps it right"),
            (good, Some("2027-03-01T12:01:00Z"), Some(true), State::Ok, "synchronised"),
            (
                good,
                Some("2027-03-01T12:01:01Z"),
                Some(true),
                State::Limited,
                "last changed at 2027",
            ),
            (
                "1970-01-01T00:10:00Z",
                None,
                Some(true),
                State::Missing,
                "before this brine was made",
            ),
            (
                "2026-11-20T23:59:59Z",
                None,
                Some(true),
                State::Missing,
                "before this brine was made",
            ),
            ("2100-01-01T00:00:01Z", None, Some(true), State::Missing, "not plausible"),
        ] {
            let check = judge_clock(at(now), newest.map(at), synchronised);
            assert!(check.state == state && check.message.contains(said), "{now}: {check:?}");
            assert_eq!(check.hint.is_some(), state != State::Ok, "{check:?}");
        }
    }
}
