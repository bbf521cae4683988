//! Asks other processes whether they are well: regions, dependencies, this machine's own server.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::header::{ACCEPT, CONNECTION, HOST, LOCATION, USER_AGENT};
use axum::http::{Request, Response, StatusCode};
use halcyon_core::address::{Network, Reach};
use halcyon_core::endpoint::{Endpoint, Scheme};
use halcyon_core::text::Seen;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;

use super::body;
use super::connect::{self, Stage};
use super::verdict;

/// The most bytes of an answer that are read: 64 KiB.
const BODY_MAX: usize = 64 * 1024;

/// Asks whether something is well, once per call and over a fresh connection.
///
/// It never follows a redirect, never sends credentials and never reads more than 64 KiB. Failures
/// are one short line that is safe to print: what was seen, and what was expected.
#[derive(Clone)]
pub struct Client {
    tls: Arc<rustls::ClientConfig>,
    /// Where a probe may go.
    reach: Reach,
}

impl Client {
    /// A client that trusts the public web's certificate authorities, and those in `ca_file` (PEM)
    /// besides.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        Ok(Self {
            tls: Arc::new(connect::tls_config(ca_file)?),
            reach: Reach::Typed,
        })
    }

    /// Whom it trusts.
    pub(crate) fn tls(&self) -> Arc<rustls::ClientConfig> {
        self.tls.clone()
    }

    /// The same client for somebody whom nobody watches: its probes go to loopback and private addresses only
    /// where the configuration names them, by the endpoint itself or by these networks.
    pub fn guarded(self, networks: Vec<Network>) -> Self {
        Self {
            reach: Reach::Named(networks),
            ..self
        }
    }

    /// Asks the health server at `base` for `/ready` and returns how long the answer took.
    ///
    /// Good is status 200, a body of at most 64 KiB that is JSON with `"status":"ready"`, and, with
    /// an `expected_region`, an `x-halcyon-region` header that is absent, `unknown` or equal to it.
    /// `timeout` covers everything from the name's resolution to the last byte. A metadata service and a
    /// link-local address are never asked, whoever names them.
    ///
    /// # Errors
    /// Why it is not ready, in one line; of a Halcyon server also which checks fail.
    pub async fn probe_ready(
        &self,
        base: &Endpoint,
        expected_region: Option<&str>,
        timeout: Duration,
    ) -> Result<Duration, String> {
        let begin = Instant::now();
        let stage = Stage::default();
        let probe = async {
            let at = base.join("/ready");
            let (mut answer, _connection) = self.get(&self.reach, &at, &stage).await?;
            let status = answer.status();
            if !matches!(status, StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE) {
                return Err(unexpected_status(&answer, "200"));
            }
            if let Some(expected) = expected_region {
                verdict::same_region(&answer, expected)?;
            }
            stage.enter("reading the answer");
            let body = body::read(answer.body_mut(), BODY_MAX).await?;
            verdict::judge(status, &body)
        };
        match tokio::time::timeout(timeout, probe).await {
            Ok(verdict) => verdict.map(|()| begin.elapsed()),
            Err(_) => Err(format!(
                "timeout: {} ms passed while {}",
                timeout.as_millis(),
                stage.name()
            )),
        }
    }

    /// Checks a dependency: `tcp` connects, `http(s)` answers GET with 2xx. The body is not read.
    ///
    /// Dependencies are where the configuration says, on private networks as a rule: any address will do.
    ///
    /// There is no timeout here; the caller has one deadline over all its checks.
    ///
    /// # Errors
    /// What went wrong, in one line.
    pub async fn check(&self, endpoint: &Endpoint) -> Result<(), String> {
        let stage = Stage::default();
        if endpoint.scheme() == Scheme::Tcp {
            return Ok(connect::tcp(endpoint, &stage).await.map(drop)?);
        }
        let (answer, _connection) = self.get(&Reach::Any, endpoint, &stage).await?;
        if answer.status().is_success() {
            Ok(())
        } else {
            Err(unexpected_status(&answer, "2xx"))
        }
    }

    /// The head of the answer to a GET. The connection lives as long as the second value.
    async fn get(
        &self,
        reach: &Reach,
        at: &Endpoint,
        stage: &Stage,
    ) -> Result<(Response<Incoming>, JoinSet<()>), String> {
        let stream = connect::tcp_within(reach, at, stage).await?;
        match at.scheme() {
            Scheme::Https => {
                let stream = connect::tls(self.tls.clone(), at, stream, stage).await?;
                request(stream, at, stage).await
            }
            Scheme::Http | Scheme::Tcp => request(stream, at, stage).await,
        }
    }
}

async fn request<S>(
    stream: S,
    at: &Endpoint,
    stage: &Stage,
) -> Result<(Response<Incoming>, JoinSet<()>), String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    stage.enter("waiting for the answer");
    let request = Request::get(at.path())
        .header(HOST, at.authority())
        .header(USER_AGENT, concat!("halcyon/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| format!("{} is no path that can be requested", Seen(at.path())))?;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(BODY_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|why| body::explain(&why))?;
    // In a set, so that it ends with this probe instead of outliving a timeout.
    let mut connections = JoinSet::new();
    connections.spawn(async move {
        let _ = connection.await;
    });
    let answer = sender
        .send_request(request)
        .await
        .map_err(|why| body::explain(&why))?;
    Ok((answer, connections))
}

fn unexpected_status(answer: &Response<Incoming>, expected: &str) -> String {
    let status = answer.status().as_u16();
    if !answer.status().is_redirection() {
        return format!("status {status}; expected {expected}");
    }
    let target = answer
        .headers()
        .get(LOCATION)
        .map(|target| String::from_utf8_lossy(target.as_bytes()));
    match target {
        Some(target) => format!(
            "status {status}, a redirect to {} (never followed); expected {expected}",
            Seen(&where_to(&target))
        ),
        None => format!("status {status}, a redirect (never followed); expected {expected}"),
    }
}

/// Where a redirect leads, without what may be a secret in it: user information and query.
fn where_to(location: &str) -> String {
    let (scheme, rest) = match location.split_once("//") {
        Some((scheme, rest))
            if scheme.is_empty()
                || (scheme.ends_with(':') && !scheme.contains(['?', '#', '/'])) =>
        {
            (scheme, Some(rest))
        }
        _ => ("", None),
    };
    let path_of = |text: &str| {
        let end = text.find(['?', '#']).unwrap_or(text.len());
        text[..end].to_string()
    };
    let Some(rest) = rest else {
        return path_of(location);
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    // An @ further on may end a password with a slash in it, of which the host shows the beginning.
    let plain = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte));
    if path.contains('@') || !plain {
        return format!("{scheme}//***");
    }
    format!("{scheme}//{host}{}", path_of(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_shown_without_what_may_be_secret() {
        for (location, shown) in [
            ("http://u:secret@h/latest?token=secret", "http://h/latest"),
            ("https://h:8443/a/b#secret", "https://h:8443/a/b"),
            ("//u:secret@h", "//h"),
            ("/login?next=secret", "/login"),
            ("http://u:sec/ret@h/x", "http://***"),
            ("http://u:sec?ret@h/x", "http://***"),
            ("http://h?token=secret", "http://h"),
            ("http://[::1]:80/", "http://[::1]:80/"),
            ("elsewhere?u=http://u:secret@h", "elsewhere"),
            ("", ""),
        ] {
            assert_eq!(where_to(location), shown);
        }
    }
}
