//! One attempt: resolve, check every address, connect to the checked one, post, read a little.

use super::TargetUrl;
use super::address_rules::AddressRules;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use ringwall_event::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

/// Posts to receivers that nobody has reason to trust.
///
/// A name is resolved once an attempt, every address it has is checked, and the connection goes to one
/// of those: a name that leads elsewhere a moment later (DNS rebinding) leads nowhere. Redirects are
/// not followed. An answer is read up to [`ANSWER_BYTES_MAX`].
pub(super) struct Poster {
    addresses: AddressRules,
    extra_roots: Vec<u8>,
    /// Read at the first use: an installation without webhooks does without.
    tls: OnceCell<Arc<ClientConfig>>,
}

/// What the receiver said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// How long it wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// The beginning of the body.
    pub(super) text: String,
}

/// Why there was no answer. Nothing of the address but its host is repeated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(super) enum PostError {
    /// The name leads nowhere.
    #[error("cannot resolve `{host}`: {why}")]
    Resolve { host: String, why: String },
    /// The name leads where nothing is sent.
    #[error("`{host}` leads to {address}, which is {kind}: not allowed by webhooks.allow_networks")]
    Refused { host: String, address: IpAddr, kind: &'static str },
    /// Nobody listens there.
    #[error("cannot connect to {address}: {why}")]
    Connect { address: SocketAddr, why: String },
    /// The receiver could not prove who it is.
    #[error("TLS with `{host}`: {why}")]
    Tls { host: String, why: String },
    /// The exchange broke off.
    #[error("no answer: {0}")]
    Exchange(String),
    /// It took too long.
    #[error("no answer within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// The request cannot be made.
    #[error("cannot make the request: {0}")]
    Request(String),
}

/// How much of an answer is read and kept.
pub(super) const ANSWER_BYTES_MAX: usize = 1024;
/// The answer counts when its status is there; its body may not hold anybody up.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(1);
/// A name with more addresses than this is not asked at all of them.
const ADDRESSES_MAX: usize = 64;
const ADDRESSES_TRIED_MAX: usize = 3;
const HEADERS_BYTES_MAX: usize = 16 << 10;

impl Poster {
    pub(super) fn new(addresses: AddressRules, extra_roots: Vec<u8>) -> Self {
        Self { addresses, extra_roots, tls: OnceCell::new() }
    }

    /// Posts once; takes no longer than `timeout` until the receiver's status is known.
    ///
    /// # Errors
    /// Where there is no answer.
    pub(super) async fn post(
        &self,
        url: &TargetUrl,
        headers: HeaderMap,
        body: Vec<u8>,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<Answer, PostError> {
        let exchange = self.exchange(url, headers, body, timeout);
        let response = match tokio::time::timeout(timeout, exchange).await {
            Ok(response) => response?,
            Err(_) => return Err(PostError::Timeout(timeout)),
        };
        // The parts hold what keeps the connection going.
        let (parts, body) = response.into_parts();
        let status = parts.status.as_u16();
        let retry_after = retry_after(&parts.headers, now);
        let text = beginning(body).await;
        Ok(Answer { status, retry_after, text })
    }

    async fn exchange(
        &self,
        url: &TargetUrl,
        headers: HeaderMap,
        body: Vec<u8>,
        timeout: Duration,
    ) -> Result<http::Response<Incoming>, PostError> {
        let request = request(url, headers, body)?;
        let addresses = self.resolve(url).await?;
        let stream = connect(&addresses, timeout).await?;
        if !url.is_tls() {
            return send(stream, request).await;
        }
        let failed = |why: String| PostError::Tls { host: url.host().to_owned(), why };
        let name = ServerName::try_from(url.host().to_owned())
            .map_err(|error| failed(error.to_string()))?;
        let tls = self.tls().await.map_err(failed)?;
        let stream = TlsConnector::from(tls)
            .connect(name, stream)
            .await
            .map_err(|error| failed(error.to_string()))?;
        send(stream, request).await
    }

    /// The addresses behind the host, none of them one that may not be spoken to.
    async fn resolve(&self, url: &TargetUrl) -> Result<Vec<SocketAddr>, PostError> {
        let unresolved = |why: String| PostError::Resolve { host: url.host().to_owned(), why };
        let found: Vec<SocketAddr> = match url.address() {
            Some(address) => vec![SocketAddr::new(address, url.port())],
            None => tokio::net::lookup_host((url.host(), url.port()))
                .await
                .map_err(|error| unresolved(error.to_string()))?
                .take(ADDRESSES_MAX + 1)
                .collect(),
        };
        if found.is_empty() {
            return Err(unresolved("it has no address".to_owned()));
        }
        if found.len() > ADDRESSES_MAX {
            return Err(unresolved(format!("it has more than {ADDRESSES_MAX} addresses")));
        }
        // One bad address spoils all: a name that mixes them is up to something.
        for address in &found {
            if let Some(kind) = self.addresses.refusal(address.ip()) {
                let host = url.host().to_owned();
                return Err(PostError::Refused { host, address: address.ip(), kind });
            }
        }
        Ok(found)
    }

    async fn tls(&self) -> Result<Arc<ClientConfig>, String> {
        self.tls
            .get_or_try_init(|| async {
                let extra = self.extra_roots.clone();
                tokio::task::spawn_blocking(move || tls_config(&extra))
                    .await
                    .map_err(|error| error.to_string())?
                    .map(Arc::new)
            })
            .await
            .cloned()
    }
}

/// Certificates as PEM, for a look at the start whether they can be read.
///
/// # Errors
/// Where there are none, or one cannot be read.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    if certificates.is_empty() {
        return Err("no certificate in it".to_owned());
    }
    Ok(certificates)
}

fn tls_config(extra_roots: &[u8]) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "some of the system's certificates cannot be read");
    }
    roots.add_parsable_certificates(native.certs);
    if !extra_roots.is_empty() {
        for certificate in certificates(extra_roots)? {
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn request(
    url: &TargetUrl,
    headers: HeaderMap,
    body: Vec<u8>,
) -> Result<Request<Full<Bytes>>, PostError> {
    let failed = |error: http::Error| PostError::Request(error.to_string());
    let path = Uri::try_from(url.path_and_query().expose())
        .map_err(|error| PostError::Request(error.to_string()))?;
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, url.host_header())
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(body)))
        .map_err(failed)?;
    request.headers_mut().extend(headers);
    Ok(request)
}

async fn connect(addresses: &[SocketAddr], timeout: Duration) -> Result<TcpStream, PostError> {
    let mut last = None;
    let tried = addresses.len().clamp(1, ADDRESSES_TRIED_MAX);
    // One address that swallows everything must leave time for the next.
    let each = timeout / u32::try_from(tried).unwrap_or(1);
    for address in addresses.iter().take(tried) {
        let why = match tokio::time::timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer".to_owned(),
        };
        last = Some(PostError::Connect { address: *address, why });
    }
    Err(last.unwrap_or_else(|| PostError::Request("no address".to_owned())))
}

async fn send<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<http::Response<Incoming>, PostError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| PostError::Exchange(reason(&error));
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEADERS_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // The connection ends with the response's body, which is dropped with the attempt.
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection to a receiver ended");
        }
    });
    let stops = StopsWithMe(driver.abort_handle());
    let mut response = sender.send_request(request).await.map_err(failed)?;
    response.extensions_mut().insert(Arc::new(stops));
    Ok(response)
}

/// Ends the task that drives a connection once nobody wants its answer any more.
struct StopsWithMe(tokio::task::AbortHandle);

impl Drop for StopsWithMe {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The cause, not only the layer that tells of it.
fn reason(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

async fn beginning(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    let read = async {
        while bytes.len() < ANSWER_BYTES_MAX {
            // Whatever ends it, its status was an answer.
            let Some(Ok(frame)) = body.frame().await else { break };
            if let Some(data) = frame.data_ref() {
                let room = ANSWER_BYTES_MAX - bytes.len();
                bytes.extend_from_slice(data.get(..room).unwrap_or(data));
            }
        }
    };
    // Too slow: what came so far is what is kept.
    drop(tokio::time::timeout(ANSWER_TIME_MAX, read).await);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `Retry-After` in seconds or as a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let seconds = date.as_second().saturating_sub(now.as_seconds());
    u32::try_from(seconds).ok().map(|seconds| Duration::from_secs(seconds.into()))
}

/// Reads certificates from a file.
///
/// # Errors
/// Where it cannot be read or holds none.
pub(super) fn read_roots(path: &std::path::Path) -> io::Result<Vec<u8>> {
    let pem = std::fs::read(path)?;
    certificates(&pem).map_err(io::Error::other)?;
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_asked_for_in_seconds_or_by_date() {
        let now = Timestamp::parse("1994-11-06T08:49:30Z").unwrap();
        for (text, expected) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", None),
            ("soon", None),
            ("-1", None),
            ("99999999999999", None),
        ] {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
            let expected = expected.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), expected, "{text}");
        }
    }
}
