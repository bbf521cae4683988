//! Asks a control plane: one request, one answer, over a fresh connection.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::http::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{HeaderValue, Method, Request};
use halcyon_core::endpoint::{Endpoint, Scheme};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::connect::{self, Stage};
use super::{Client, body};

/// The most bytes of an answer: a thousand records of plans with a thousand regions.
const LONGEST: usize = 256 << 20;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A control plane, and who asks it.
#[derive(Clone)]
pub(crate) struct Api {
    at: Endpoint,
    tls: Arc<rustls::ClientConfig>,
    bearer: Option<HeaderValue>,
}

/// What is asked.
pub(crate) struct Ask<'a> {
    /// The method.
    pub(crate) method: Method,
    /// The path, behind that of the control plane; empty for that itself.
    pub(crate) path: &'a str,
    /// Under which the command takes effect once.
    pub(crate) key: Option<&'a str>,
    /// What is sent, as JSON.
    pub(crate) body: Option<String>,
}

/// What is answered.
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Api {
    /// One at this address, with a token's secret if there is one.
    ///
    /// # Errors
    /// What is wrong with the certificate authorities or the secret, of which nothing is shown.
    pub(crate) fn new(
        at: Endpoint,
        secret: Option<&str>,
        ca_file: Option<&Path>,
    ) -> Result<Self, String> {
        Self::trusting(Arc::new(connect::tls_config(ca_file)?), at, secret)
    }

    /// The same, with certificate authorities that are known already.
    ///
    /// # Errors
    /// What is wrong with the secret, of which nothing is shown.
    pub(crate) fn trusting(
        tls: Arc<rustls::ClientConfig>,
        at: Endpoint,
        secret: Option<&str>,
    ) -> Result<Self, String> {
        let bearer = secret.map(|secret| HeaderValue::from_str(&format!("Bearer {secret}")));
        let bearer = bearer.transpose();
        let mut bearer = bearer.map_err(|_| "holds no token; allowed: visible ASCII".to_owned())?;
        if let Some(bearer) = &mut bearer {
            bearer.set_sensitive(true);
        }
        Ok(Self { at, tls, bearer })
    }

    /// One that is asked as this client asks, and without a token.
    pub(crate) fn over(client: &Client, at: Endpoint) -> Self {
        Self {
            tls: client.tls(),
            bearer: None,
            at,
        }
    }

    /// Where it is.
    pub(crate) fn at(&self) -> &Endpoint {
        &self.at
    }

    /// Asks, once.
    ///
    /// # Errors
    /// Why there is no answer, in one line. Whether the control plane has heard it is not known then.
    pub(crate) async fn ask(&self, ask: &Ask<'_>) -> Result<Reply, String> {
        self.ask_within(PATIENCE, ask).await
    }

    /// The same, with another patience.
    ///
    /// # Errors
    /// As [`Api::ask`].
    pub(crate) async fn ask_within(
        &self,
        patience: Duration,
        ask: &Ask<'_>,
    ) -> Result<Reply, String> {
        self.ask_for(patience, LONGEST, ask).await
    }

    /// The same, for an answer of so many bytes at most.
    ///
    /// # Errors
    /// As [`Api::ask`].
    pub(crate) async fn ask_for(
        &self,
        patience: Duration,
        most: usize,
        ask: &Ask<'_>,
    ) -> Result<Reply, String> {
        let stage = Stage::default();
        let asked = timeout(patience, self.converse(ask, most, &stage)).await;
        asked.unwrap_or_else(|_| {
            let ms = patience.as_millis();
            Err(format!("timeout: {ms} ms passed while {}", stage.name()))
        })
    }

    async fn converse(&self, ask: &Ask<'_>, most: usize, stage: &Stage) -> Result<Reply, String> {
        let stream = connect::tcp(&self.at, stage).await?;
        match self.at.scheme() {
            Scheme::Https => {
                let stream = connect::tls(self.tls.clone(), &self.at, stream, stage).await?;
                self.exchange(stream, ask, most, stage).await
            }
            Scheme::Http | Scheme::Tcp => self.exchange(stream, ask, most, stage).await,
        }
    }

    async fn exchange<S>(
        &self,
        stream: S,
        ask: &Ask<'_>,
        most: usize,
        stage: &Stage,
    ) -> Result<Reply, String>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        stage.enter("waiting for the answer");
        let path = match ask.path {
            "" => self.at.path().to_owned(),
            path => format!("{}{path}", self.at.path().trim_end_matches('/')),
        };
        let mut request = Request::builder()
            .method(&ask.method)
            .uri(path)
            .header(HOST, self.at.authority())
            .header(USER_AGENT, concat!("halcyon/", env!("CARGO_PKG_VERSION")))
            .header(ACCEPT, "application/json")
            .header(CONNECTION, "close");
        if let Some(bearer) = &self.bearer {
            request = request.header(AUTHORIZATION, bearer);
        }
        if let Some(key) = ask.key {
            request = request.header("idempotency-key", key);
        }
        if ask.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(Bytes::from(ask.body.clone().unwrap_or_default()));
        let request = request.body(body);
        let request = request.map_err(|_| "its path cannot be requested".to_owned())?;
        let (mut sender, connection) = Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|why| body::explain(&why))?;
        // In a set, so that it ends with this attempt.
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let _ = connection.await;
        });
        let answer = sender.send_request(request).await;
        let (head, mut content) = answer.map_err(|why| body::explain(&why))?.into_parts();
        stage.enter("reading the answer");
        Ok(Reply {
            status: head.status.as_u16(),
            body: body::read(&mut content, most).await?,
        })
    }
}
