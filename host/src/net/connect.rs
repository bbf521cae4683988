//! From an endpoint to a stream: resolve, connect, TLS.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use halcyon_core::endpoint::Endpoint;
use halcyon_core::text::{Seen, printable};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What a probe is doing, so that a timeout can say where the time went.
pub(super) struct Stage(Mutex<&'static str>);

impl Default for Stage {
    fn default() -> Self {
        Self(Mutex::new("starting"))
    }
}

impl Stage {
    pub(super) fn enter(&self, name: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    pub(super) fn name(&self) -> &'static str {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) async fn tcp(at: &Endpoint, stage: &Stage) -> Result<TcpStream, String> {
    stage.enter("resolving the name");
    let addresses = lookup_host((at.host(), at.port()))
        .await
        .map_err(|why| format!("cannot resolve {}: {}", Seen(at.host()), reason(&why)))?;
    stage.enter("connecting");
    let mut failure = format!("cannot resolve {}: it has no address", Seen(at.host()));
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A probe is one small write; if the option fails the probe is only slower.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(why) => failure = format!("cannot connect to {address}: {}", reason(&why)),
        }
    }
    Err(failure)
}

pub(super) async fn tls(
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
pub(super) fn tls_config(ca_file: Option<&Path>) -> Result<rustls::ClientConfig, String> {
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
pub(super) fn reason(why: &io::Error) -> String {
    let text = match why.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_string(),
        io::ErrorKind::ConnectionReset => "connection reset".to_string(),
        io::ErrorKind::UnexpectedEof => "closed before the answer was complete".to_string(),
        _ => why.to_string(),
    };
    let text = text.split(" (os error").next().unwrap_or_default();
    printable(&text.chars().take(160).collect::<String>())
}
