//! TLS for clients of servers.

/// Has `ring` do the cryptography of TLS in this process, unless something else was chosen.
pub(crate) fn install() {
    // Whoever chose before has chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
