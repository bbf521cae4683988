//! From an endpoint to a stream: resolve, connect, TLS.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use halcyon_core::address::Reach;
use halcyon_core::endpoint::Endpoint;
use halcyon_core::text::{Seen, printable};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long an address has before the next one is tried beside it. The usual 250 ms would leave little
/// of a readiness deadline of 400 ms.
const STAGGER: Duration = Duration::from_millis(100);

/// What a probe is doing, so that a timeout can say where the time went.
pub(crate) struct Stage(Mutex<&'static str>);

impl Default for Stage {
    fn default() -> Self {
        Self(Mutex::new("starting"))
    }
}

impl Stage {
    pub(crate) fn enter(&self, name: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    pub(crate) fn name(&self) -> &'static str {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) struct Unreached {
    /// As one line.
    pub(crate) why: String,
    /// This machine lacks what it takes, such as a file: that says nothing of the other one.
    pub(crate) local: bool,
}

impl Unreached {
    fn of(why: &io::Error, what: String) -> Self {
        use rustix::io::Errno;
        let lacks = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
        let number = why.raw_os_error();
        Self {
            why: what,
            local: lacks.iter().any(|lack| number == Some(lack.raw_os_error())),
        }
    }
}

impl From<String> for Unreached {
    fn from(why: String) -> Self {
        Self { why, local: false }
    }
}

impl From<Unreached> for String {
    fn from(unreached: Unreached) -> Self {
        unreached.why
    }
}

/// Connects to `at`, whatever address it has.
pub(crate) async fn tcp(at: &Endpoint, stage: &Stage) -> Result<TcpStream, Unreached> {
    tcp_within(&Reach::Any, at, stage).await
}

/// Connects to `at` if each of its addresses is one that may be dialled.
pub(crate) async fn tcp_within(
    reach: &Reach,
    at: &Endpoint,
    stage: &Stage,
) -> Result<TcpStream, Unreached> {
    let resolve = async |host: &str, port| lookup_host((host, port)).await.map(Vec::from_iter);
    dial(reach, at, stage, resolve).await
}

/// The name is resolved once: what has been judged is what is dialled, whatever the name says a moment later.
async fn dial(
    reach: &Reach,
    at: &Endpoint,
    stage: &Stage,
    resolve: impl AsyncFnOnce(&str, u16) -> io::Result<Vec<SocketAddr>>,
) -> Result<TcpStream, Unreached> {
    stage.enter("resolving the name");
    let addresses = resolve(at.host(), at.port()).await.map_err(|why| {
        let what = format!("cannot resolve {}: {}", Seen(at.host()), reason(&why));
        Unreached::of(&why, what)
    })?;
    reach.check(at.host(), addresses.iter().map(SocketAddr::ip))?;
    stage.enter("connecting");
    let failure = format!("cannot resolve {}: it has no address", Seen(at.host()));
    first_to_connect(by_turns(addresses), failure.into()).await
}

/// The addresses with the families by turns, as a machine may have a way to one of them only.
fn by_turns(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v4 = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (same, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv4() == first_is_v4);
    let (mut same, mut other) = (same.into_iter(), other.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = [same.next(), other.next()];
        if pair == [None, None] {
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

/// Tries one address after the other without waiting long for each (RFC 8305), and keeps the first
/// connection there is.
async fn first_to_connect(
    addresses: Vec<SocketAddr>,
    mut failure: Unreached,
) -> Result<TcpStream, Unreached> {
    let mut addresses = addresses.into_iter();
    let mut attempts = JoinSet::new();
    loop {
        if let Some(address) = addresses.next() {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        let finished = match addresses.len() {
            0 => attempts.join_next().await,
            _ => match timeout(STAGGER, attempts.join_next()).await {
                Ok(finished) => finished,
                Err(_) => continue,
            },
        };
        match finished {
            None => return Err(failure),
            Some(Ok((_, Ok(stream)))) => {
                // A probe is one small write; if the option fails the probe is only slower.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Some(Ok((address, Err(why)))) => {
                let what = format!("cannot connect to {address}: {}", reason(&why));
                failure = Unreached::of(&why, what);
            }
            Some(Err(_)) => failure = String::from("the attempt to connect ended early").into(),
        }
    }
}

pub(crate) async fn tls(
    config: Arc<rustls::ClientConfig>,
    at: &Endpoint,
    stream: TcpStream,
    stage: &Stage,
) -> Result<TlsStream<TcpStream>, String> {
    stage.enter("agreeing on TLS");
    let name = ServerName::try_from(at.host().to_string()).map_err(|_| {
        format!(
            "TLS: {} is no name that a certificate can be for",
            Seen(at.host())
        )
    })?;
    TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|why| format!("TLS: {}", reason(&why)))
}

/// TLS 1.2 and 1.3 by ring, so that neither a C library nor a system's CA store has to be there.
pub(crate) fn tls_config(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, String> {
    let mut roots = rustls::RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = ca_file {
        let shown = path.to_string_lossy();
        let wrong = |why: String| {
            format!(
                "CA file {}: {why}; allowed: certificates in PEM form",
                Seen(&shown)
            )
        };
        let certificates = CertificateDer::pem_file_iter(path)
            .map_err(|why| wrong(printable(&why.to_string())))?;
        let mut found = 0_usize;
        for certificate in certificates {
            let certificate = certificate.map_err(|why| wrong(printable(&why.to_string())))?;
            roots
                .add(certificate)
                .map_err(|why| wrong(printable(&why.to_string())))?;
            found += 1;
        }
        if found == 0 {
            return Err(wrong("holds no certificate".into()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|why| format!("TLS: {why}"))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// An I/O error without its number, bounded and safe to print.
pub(crate) fn reason(why: &io::Error) -> String {
    let text = match why.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_string(),
        io::ErrorKind::ConnectionReset => "connection reset".to_string(),
        io::ErrorKind::UnexpectedEof => "closed before the answer was complete".to_string(),
        _ => why.to_string(),
    };
    let text = text.split(" (os error").next().unwrap_or_default();
    printable(&text.chars().take(160).collect::<String>())
}

#[cfg(test)]
mod tests;
