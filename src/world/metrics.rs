//! Numbers for a program that watches others: served to whoever asks, or kept in a file.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::output::Output;
use super::whole_file::Access;
use crate::report::Failure;
use crate::report::console::{note, remark};

/// What makes the text anew each time.
pub(crate) type Numbers = Box<dyn FnMut() -> String + Send>;

/// Answers requests at an address, a few at once, for as long as this process lives.
pub(crate) fn serve(address: SocketAddr, numbers: Numbers) -> Result<(), Failure> {
    let failed = |source| Failure::Listening { address, source };
    let listener = TcpListener::bind(address).map_err(failed)?;
    // With port 0, the system has chosen one.
    if address.port() == 0 {
        note(&format!("numbers are at http://{}/metrics", listener.local_addr().map_err(failed)?));
    }
    let server = Arc::new(Server { listener, numbers: Mutex::new(numbers) });
    for _ in 0..AT_ONCE {
        let server = Arc::clone(&server);
        let answer_all = move || server.answer_all();
        thread::Builder::new().name("metrics".to_owned()).spawn(answer_all).map_err(failed)?;
    }
    Ok(())
}

/// What the threads share that answer.
struct Server {
    listener: TcpListener,
    numbers: Mutex<Numbers>,
}

impl Server {
    /// Answers one request after the other.
    fn answer_all(&self) {
        for stream in self.listener.incoming() {
            match stream {
                // Who asks may hang up at any time.
                Ok(stream) => drop(answer(stream, &self.numbers)),
                // As when there are no more descriptors.
                Err(_) => thread::sleep(PAUSE),
            }
        }
    }
}

/// Answers one request.
fn answer(mut stream: TcpStream, numbers: &Mutex<Numbers>) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = read_request(&mut stream)?;
    let (status, text) = match request.split(' ').collect::<Vec<_>>().as_slice() {
        ["GET", "/metrics" | "/", ..] => {
            ("200 OK", numbers.lock().unwrap_or_else(PoisonError::into_inner)())
        }
        ["GET", ..] => ("404 Not Found", "GET /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "GET /metrics\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {CONTENT_TYPE}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        text.len(),
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(text.as_bytes())
}

/// Reads the head of a request, and returns its first line. It is short, and comes in time.
fn read_request(stream: &mut TcpStream) -> io::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    let (mut head, mut room) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > MAX_HEAD_BYTES {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut room)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => head.extend_from_slice(room.get(..count).unwrap_or_default()),
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    Ok(String::from_utf8_lossy(line).into_owned())
}

/// A file that is replaced now and then, and once more at the end.
pub(crate) struct NumberFile {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl NumberFile {
    /// Writes the file, so that it is known that this can be done, and then goes on.
    pub(crate) fn keep(output: Output, mut numbers: Numbers) -> Result<Self, Failure> {
        write(&output, &mut numbers)?;
        let (stop, stopped) = channel();
        let keep = move || {
            let mut is_told = false;
            loop {
                let waited = stopped.recv_timeout(BETWEEN_WRITES);
                // The work is worth more than its numbers.
                if let (Err(failure), false) = (write(&output, &mut numbers), is_told) {
                    remark(&failure.to_string());
                    is_told = true;
                }
                if waited != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(keep);
        let thread = thread.map_err(|error| Failure::io("metrics", error))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for NumberFile {
    fn drop(&mut self) {
        drop(self.stop.take());
        // What it had to say, it has said.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn write(output: &Output, numbers: &mut Numbers) -> Result<(), Failure> {
    let text = numbers();
    output.write(Access::Ordinary, |file| file.write_all(text.as_bytes()))
}

/// The text format of Prometheus.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long a client has for its request, and for each piece of the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many requests are answered at once. Whoever connects and says nothing holds up one of them.
const AT_ONCE: usize = 8;

const PAUSE: Duration = Duration::from_secs(1);

const BETWEEN_WRITES: Duration = Duration::from_secs(15);

/// Far more than a client that asks for numbers sends.
const MAX_HEAD_BYTES: usize = 16 * 1024;
