//! Lines on standard error, and text that is safe to show.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use brine_core::text::{is_harmless, push_escaped};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{FileType, SeekFrom};
use rustix::io::Errno;
use rustix::stdio::{stderr, stdout};
use serde::Serialize;

use super::{Failure, JsonPlace};

/// Says why there is no result, and what to type next.
pub(crate) fn complain(failure: &Failure) {
    complain_again(failure);
    if failure.is_quiet() {
        return;
    }
    if let Some(hint) = failure.hint() {
        note(&format!("hint: {hint}"));
    }
}

/// Says why there is no result, where what to type next was said of another like it.
pub(crate) fn complain_again(failure: &Failure) {
    if !failure.is_quiet() {
        note(&format!("error: {failure}"));
    }
}

/// Tells a person something that changes nothing, unless they want to hear only of failures.
pub(crate) fn remark(text: &str) {
    if !QUIET.load(Ordering::Relaxed) {
        note(text);
    }
}

/// Warns a person of something that changes nothing, unless they want to hear only of failures.
pub(crate) fn warn(text: String) {
    remark(&format!("warning: {text}"));
}

/// Leaves out all [remarks](remark) from now on.
pub(crate) fn set_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

static QUIET: AtomicBool = AtomicBool::new(false);

/// Leaves standard error to lines of JSON from now on.
pub(crate) fn set_json_only() {
    JSON_ONLY.store(true, Ordering::Relaxed);
}

static JSON_ONLY: AtomicBool = AtomicBool::new(false);

/// Draws a line that stands for nothing but now, in place of the one that was drawn before.
pub(crate) fn draw(line: &str) {
    IS_DRAWN.store(true, Ordering::SeqCst);
    // In one piece, so that nothing of somebody else comes between.
    let _ = write_to_stderr(format!("\r{line}{ERASE_REST}").as_bytes());
}

/// Takes away the line that was drawn, if there is one.
pub(crate) fn erase() {
    if IS_DRAWN.swap(false, Ordering::SeqCst) {
        let _ = write_to_stderr(format!("\r{ERASE_REST}").as_bytes());
    }
}

static IS_DRAWN: AtomicBool = AtomicBool::new(false);

/// Erases from the cursor to the end of the line (ECMA-48, EL).
const ERASE_REST: &str = "\x1b[K";

/// Tells a person something that is not an error.
pub(crate) fn note(text: &str) {
    if JSON_ONLY.load(Ordering::Relaxed) {
        return;
    }
    erase();
    // Nothing can be said about a standard error that is closed.
    let _ = write_to_stderr(format!("{}: {}\n", program(), printable(text)).as_bytes());
}

/// Writes lines of JSON. Of one that a full disk leaves no room for, nothing is left.
pub(crate) fn write_json(place: JsonPlace, lines: &str) -> io::Result<()> {
    let stream = match place {
        JsonPlace::Stderr => stderr(),
        JsonPlace::Stdout => stdout(),
    };
    for line in lines.split_inclusive('\n') {
        let mut rest = line.as_bytes();
        write_rest(stream, &mut rest).inspect_err(|_| {
            // Where this fails, too, nothing else can be done about it.
            let _ = cut_off(stream, line.len().saturating_sub(rest.len()));
        })?;
    }
    Ok(())
}

/// Cuts off what was written last to a regular file, if nobody has written after it.
fn cut_off(stream: BorrowedFd<'_>, count: usize) -> io::Result<()> {
    let (found, end) = (rustix::fs::fstat(stream)?, rustix::fs::tell(stream)?);
    let is_last = FileType::from_raw_mode(found.st_mode).is_file()
        && u64::try_from(found.st_size).is_ok_and(|size| size == end);
    let start = u64::try_from(count).ok().and_then(|count| end.checked_sub(count));
    match start.filter(|_| is_last && count > 0) {
        None => Ok(()),
        Some(start) => {
            rustix::fs::ftruncate(stream, start)?;
            rustix::fs::seek(stream, SeekFrom::Start(start))?;
            Ok(())
        }
    }
}

/// Writes to standard error.
pub(crate) fn write_to_stderr(text: &[u8]) -> io::Result<()> {
    write_to(stderr(), text)
}

/// Writes all of a text, and waits where somebody has set the stream to non-blocking mode.
fn write_to(stream: BorrowedFd<'_>, text: &[u8]) -> io::Result<()> {
    write_rest(stream, &mut &*text)
}

/// Does the same, and says what is left of it.
fn write_rest(stream: BorrowedFd<'_>, rest: &mut &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match rustix::io::write(stream, rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => *rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::AGAIN) => {
                // What goes wrong here goes wrong in writing, too.
                let _ = poll(&mut [PollFd::new(&stream, PollFlags::OUT)], None);
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Sets the name of the program. Every line on standard error begins with it.
pub(crate) fn set_program(name: &'static str) {
    PROGRAM.get_or_init(|| name);
}

pub(super) fn program() -> &'static str {
    PROGRAM.get().copied().unwrap_or("brine")
}

static PROGRAM: OnceLock<&str> = OnceLock::new();

/// Escapes control characters, so that nobody else's text acts on the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        if is_harmless(character) {
            safe.push(character);
        } else {
            safe.extend(character.escape_unicode());
        }
        safe
    })
}

/// Quotes a text, if need be, for a command line that a person may copy into a shell.
pub(crate) fn typeable(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", printable(text).replace('\'', r"'\''")),
    }
}

/// Does the same for a path. One that no line of text can hold is called FILE.
pub(crate) fn typeable_path(path: &Path) -> String {
    match path.to_str() {
        // Hints are put together and taken apart at these.
        Some(text) if text.chars().all(is_harmless) && !text.contains(['"', ';']) => {
            let is_option = text.starts_with('-') && text != "-";
            typeable(&format!("{}{text}", if is_option { "./" } else { "" }))
        }
        _ => "FILE".to_owned(),
    }
}

/// Writes a value on one line of JSON, with escapes for everything that a terminal could act on.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    // Maps have text for keys, and no number is a NaN: writing to memory does not fail.
    let text = serde_json::to_string(value).unwrap_or_default();
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        // A character that is not harmless stands inside a string, where an escape means the same.
        if is_harmless(character) {
            line.push(character);
        } else {
            push_escaped(&mut line, character);
        }
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    #[test]
    fn what_is_typed_again_is_one_word_to_a_shell() {
        for (text, typed) in [
            ("alice@example.org", "alice@example.org"),
            ("./my-keys/a.pub", "./my-keys/a.pub"),
            ("", "''"),
            ("Alice Smith", "'Alice Smith'"),
            ("$HOME;`ls`", "'$HOME;`ls`'"),
            ("it's", r"'it'\''s'"),
            ("~root", "'~root'"),
            ("a\u{1b}[2J", r"'a\u{1b}[2J'"),
        ] {
            assert_eq!(typeable(text), typed);
        }
        for (path, typed) in [
            ("a/b.sig", "a/b.sig"),
            ("-", "-"),
            ("-x", "./-x"),
            ("rel $(touch it).tar", "'rel $(touch it).tar'"),
            ("it's `that`", r"'it'\''s `that`'"),
            ("a\nb", "FILE"),
            ("a; rm --force \"b\"", "FILE"),
        ] {
            assert_eq!(typeable_path(Path::new(path)), typed);
        }
        assert_eq!(typeable_path(Path::new(OsStr::from_bytes(b"a\xff"))), "FILE");
    }
}
