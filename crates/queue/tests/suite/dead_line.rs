//! A line to a server that can go dead: both ends stay open, and nothing comes through. It can be cut, too.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// What listens on a port, and carries what comes to another port.
pub(crate) struct Line {
    pub(crate) port: u16,
    is_dead: Arc<AtomicBool>,
    ends: Arc<Mutex<Vec<TcpStream>>>,
}

impl Line {
    pub(crate) fn to(server: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_dead = Arc::new(AtomicBool::new(false));
        let ends: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (flag, known) = (Arc::clone(&is_dead), Arc::clone(&ends));
        // The threads end with the process, or when both ends are closed.
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, server)) else { continue };
                let ends = [near.try_clone().unwrap(), far.try_clone().unwrap()];
                known.lock().unwrap().extend(ends.iter().map(|end| end.try_clone().unwrap()));
                carry(near, far, Arc::clone(&flag));
                let [near, far] = ends;
                carry(far, near, Arc::clone(&flag));
            }
        });
        Self { port, is_dead, ends }
    }

    /// From here on, nothing comes through, on no connection.
    pub(crate) fn die(&self) {
        self.is_dead.store(true, Ordering::SeqCst);
    }

    /// Closes all connections.
    pub(crate) fn cut(&self) {
        for end in self.ends.lock().unwrap().drain(..) {
            let _ = end.shutdown(std::net::Shutdown::Both);
        }
    }

    /// From here on, what is sent comes through.
    pub(crate) fn revive(&self) {
        self.is_dead.store(false, Ordering::SeqCst);
    }
}

/// Carries one way. What comes while the line is dead is lost, and the connection stays useless from then on.
fn carry(mut from: TcpStream, mut to: TcpStream, is_dead: Arc<AtomicBool>) {
    thread::spawn(move || {
        let mut buffer = [0; 0x1_0000];
        let mut is_lost = false;
        while let Ok(count) = from.read(&mut buffer) {
            is_lost |= is_dead.load(Ordering::SeqCst);
            if count == 0 || !is_lost && to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Both);
    });
}
