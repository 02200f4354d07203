//! A stranger who can speak to a NATS server, by its protocol.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

/// A connection to a server, outside of the library.
pub(crate) struct Stranger {
    lines: BufReader<TcpStream>,
    questions: u32,
}

impl Stranger {
    pub(crate) fn at(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let mut stranger = Self { lines: BufReader::new(stream), questions: 0 };
        stranger.send(b"CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB inbox.* 1\r\n");
        stranger
    }

    fn send(&mut self, bytes: &[u8]) {
        self.lines.get_mut().write_all(bytes).unwrap();
    }

    /// Publishes to a stream, and returns its answer.
    pub(crate) fn publish(&mut self, subject: &str, headers: &str, content: &[u8]) -> String {
        self.questions += 1;
        let headers = format!("NATS/1.0\r\n{headers}\r\n");
        let total = headers.len() + content.len();
        let reply = format!("inbox.{}", self.questions);
        let command = format!("HPUB {subject} {reply} {} {total}\r\n{headers}", headers.len());
        self.send(&[command.as_bytes(), content, b"\r\n"].concat());
        self.answer(&reply)
    }

    /// Asks JetStream, and returns its answer.
    pub(crate) fn ask(&mut self, subject: &str, question: &str) -> serde_json::Value {
        let answer = self.publish(&format!("$JS.API.{subject}"), "", question.as_bytes());
        serde_json::from_str(&answer).unwrap()
    }

    /// Hears everything that is published from now on.
    pub(crate) fn hear(&mut self) {
        self.send(b"SUB > 2\r\n");
        self.heard();
    }

    /// Returns the subjects and texts that it heard since.
    pub(crate) fn heard(&mut self) -> Vec<(String, String)> {
        self.send(b"PUB that.is.all 0\r\n\r\n");
        let mut heard = Vec::new();
        loop {
            match self.message() {
                (subject, "2", _) if subject == "that.is.all" => return heard,
                (subject, "2", text) => heard.push((subject, text)),
                _ => {}
            }
        }
    }

    fn answer(&mut self, reply: &str) -> String {
        loop {
            if let (subject, "1", text) = self.message()
                && subject == reply
            {
                return text;
            }
        }
    }

    /// Returns the subject of the next message, by which subscription it came, and its text.
    fn message(&mut self) -> (String, &'static str, String) {
        loop {
            let mut line = String::new();
            assert_ne!(self.lines.read_line(&mut line).unwrap(), 0, "the server hung up");
            let words: Vec<_> = line.split_whitespace().collect();
            match words.as_slice() {
                ["PING"] => self.send(b"PONG\r\n"),
                ["MSG" | "HMSG", subject, subscription, .., bytes] => {
                    let mut content = vec![0; bytes.parse::<usize>().unwrap() + 2];
                    self.lines.read_exact(&mut content).unwrap();
                    content.truncate(content.len() - 2);
                    let by = if *subscription == "1" { "1" } else { "2" };
                    let text = String::from_utf8_lossy(&content).into_owned();
                    return ((*subject).to_owned(), by, text);
                }
                _ => {}
            }
        }
    }
}
