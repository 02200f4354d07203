//! What a job writes to standard error, shown line by line while it runs.

use std::io::{self, Write};
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use crate::report::console;

/// Shows lines as they come.
///
/// Standard error can be a pipe that nobody reads. A thread of its own waits for it, so that the time limit of the job
/// is kept. What waits is no more than the limit of errors.
pub(super) struct LiveErrors {
    lines: Sender<String>,
    printer: JoinHandle<()>,
    /// The line that has no end yet.
    rest: Vec<u8>,
}

impl LiveErrors {
    /// Shows what is written while something is done. Where the system grants no thread for that, nothing is shown.
    pub(super) fn during<T>(action: impl FnOnce(&mut dyn Write) -> T) -> T {
        let Ok(mut errors) = Self::start() else { return action(&mut io::sink()) };
        let done = action(&mut errors);
        errors.finish();
        done
    }

    fn start() -> io::Result<Self> {
        let (lines, shown) = mpsc::channel::<String>();
        let print = move || shown.iter().for_each(|line| show(&line));
        let printer = thread::Builder::new().name("errors".to_owned()).spawn(print)?;
        Ok(Self { lines, printer, rest: Vec::new() })
    }

    /// Shows the line that has no end, and waits until everything is shown.
    fn finish(mut self) {
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.send(&rest);
        }
        drop(self.lines);
        // A thread that panicked has shown what it could.
        let _ = self.printer.join();
    }

    fn send(&self, line: &[u8]) {
        // It fails if the thread has ended.
        let _ = self.lines.send(String::from_utf8_lossy(line).into_owned());
    }
}

impl Write for LiveErrors {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.rest.extend_from_slice(piece);
            if self.rest.pop_if(|last| *last == b'\n').is_some() {
                let line = std::mem::take(&mut self.rest);
                self.send(&line);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Shows a line that a job wrote.
pub(super) fn show(line: &str) {
    console::note(&format!("job: {line}"));
}
