//! Where a consumer of a queue shows its numbers.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Numbers for a program that watches others.
#[derive(Args, Clone, Debug, Default)]
pub struct MetricsArgs {
    /// Serve what is counted to Prometheus at ADDR, as in 127.0.0.1:9090, or keep it in FILE
    ///
    /// ADDR answers everybody who reaches it: counts, the name of the queue and reasons, and nothing that was sent. FILE
    /// is replaced every 15 seconds and at the end, for the textfile collector of node_exporter.
    #[arg(long, value_name = "ADDR|FILE", value_parser = MetricsPlace::parse)]
    pub metrics: Option<MetricsPlace>,
}

/// Where the numbers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsPlace {
    /// Whoever connects is told.
    Address(SocketAddr),
    /// A file has them.
    File(PathBuf),
}

impl MetricsPlace {
    /// An address has a port at its end. A file that looks so is typed with its directory.
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let port = text.rsplit_once(':').map(|(_, port)| port);
        let has_port = port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
        match text {
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) || text == "-" => {
                Err("expected an address like 127.0.0.1:9090, or a file".to_owned())
            }
            _ if has_port && !text.contains('/') => Err(format!(
                "expected an address in numbers like 127.0.0.1:9090 or [::1]:9090; \"./{text}\" is a file"
            )),
            _ => Ok(Self::File(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_from_a_file() {
        for text in ["127.0.0.1:9090", "[::1]:9090", "0.0.0.0:0"] {
            assert!(matches!(MetricsPlace::parse(text), Ok(MetricsPlace::Address(_))), "{text}");
        }
        for text in ["brine.prom", "./a:9090", "/run/brine.prom", "a:b"] {
            assert_eq!(MetricsPlace::parse(text), Ok(MetricsPlace::File(text.into())));
        }
        for text in ["localhost:9090", ":9090", "1.2.3:9090"] {
            let error = MetricsPlace::parse(text).unwrap_err();
            assert!(error.contains("an address in numbers"), "{error}");
        }
        for text in ["-", "", "9090"] {
            assert!(MetricsPlace::parse(text).unwrap_err().contains("or a file"), "{text}");
        }
    }
}
