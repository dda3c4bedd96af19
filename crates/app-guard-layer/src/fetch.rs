//! Reading a published list from an address: one GET, bounded in time and size.
//!
//! An application with an HTTP client of its own, or a proxy to go through, implements [`Fetch`] with it.

use bytes::Bytes;
use std::pin::Pin;
use std::time::Duration;

/// What [`Fetch::fetch`] returns.
pub type Fetching<'a> = Pin<Box<dyn Future<Output = Result<Bytes, FetchError>> + Send + 'a>>;

/// Gets a document.
pub trait Fetch: Send + Sync {
    /// Gets the document at `url`, of at most so many bytes.
    fn fetch<'a>(&'a self, url: &'a str, bytes_max: usize) -> Fetching<'a>;
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The address cannot be used.
    #[error("`{0}` is not an address of http or https")]
    BadUrl(String),
    /// Nobody is there, or the connection broke.
    #[error("no answer")]
    NoAnswer(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("no answer within {0:?}")]
    TooSlow(Duration),
    /// It is longer than allowed.
    #[error("longer than {0} bytes")]
    TooLarge(usize),
    /// The server answered with another status.
    #[error("answered with status {0}")]
    Status(u16),
}

#[cfg(feature = "fetch")]
pub use http_fetch::HttpFetch;

#[cfg(feature = "fetch")]
mod http_fetch {
    use super::{Fetch, FetchError, Fetching};
    use bytes::{Bytes, BytesMut};
    use http::header::{HOST, LOCATION, USER_AGENT};
    use http::{HeaderValue, Request, Response, StatusCode, Uri};
    use http_body_util::{BodyExt, Empty};
    use hyper::body::Incoming;
    use hyper_util::rt::TokioIo;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, RootCertStore};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::{AsyncRead, AsyncWrite};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;

    /// A publisher that moved its list says so once or twice.
    const REDIRECTS_MAX: usize = 3;

    /// Gets documents over http and https; for https the machine's own authorities are trusted.
    #[derive(Clone)]
    pub struct HttpFetch {
        timeout: Duration,
        tls: Arc<ClientConfig>,
    }

    impl HttpFetch {
        /// A document must be there within `timeout`, connecting included.
        ///
        /// # Errors
        /// Where TLS cannot be set up.
        pub fn new(timeout: Duration) -> Result<Self, FetchError> {
            let mut roots = RootCertStore::empty();
            // What cannot be read is not trusted; a store that is empty trusts nobody.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let tls = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| FetchError::NoAnswer(error.into()))?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok(Self { timeout, tls: Arc::new(tls) })
        }

        async fn follow(&self, url: &str, bytes_max: usize) -> Result<Bytes, FetchError> {
            let mut uri = parse(url)?;
            for _ in 0..=REDIRECTS_MAX {
                let response = self.get(&uri).await?;
                let status = response.status();
                if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                    let location = response.headers().get(LOCATION);
                    let next = location.and_then(|value| value.to_str().ok());
                    let next = next.ok_or(FetchError::Status(status.as_u16()))?;
                    uri = redirected(&uri, next)?;
                    continue;
                }
                if status != StatusCode::OK {
                    return Err(FetchError::Status(status.as_u16()));
                }
                return read(response, bytes_max).await;
            }
            Err(FetchError::Status(StatusCode::FOUND.as_u16()))
        }

        async fn get(&self, uri: &Uri) -> Result<Response<Incoming>, FetchError> {
            let authority = uri.authority().ok_or_else(|| bad(uri))?;
            let is_https = uri.scheme_str() == Some("https");
            let host = authority.host().trim_matches(['[', ']']).to_owned();
            let port = authority.port_u16().unwrap_or(if is_https { 443 } else { 80 });
            let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(broken)?;
            let path = uri.path_and_query().map_or("/", |path| path.as_str());
            let mut request = Request::get(path).body(Empty::new()).map_err(broken)?;
            let headers = request.headers_mut();
            // A user name in it is nobody's business.
            let named = authority.port().map_or_else(
                || authority.host().to_owned(),
                |port| format!("{}:{port}", authority.host()),
            );
            headers.insert(HOST, HeaderValue::try_from(named).map_err(broken)?);
            headers.insert(USER_AGENT, HeaderValue::from_static("ringwall-app-guard"));
            if !is_https {
                return exchange(tcp, request).await;
            }
            let name = ServerName::try_from(host).map_err(|_| bad(uri))?;
            let tls = TlsConnector::from(self.tls.clone()).connect(name, tcp).await;
            exchange(tls.map_err(broken)?, request).await
        }
    }

    impl Fetch for HttpFetch {
        fn fetch<'a>(&'a self, url: &'a str, bytes_max: usize) -> Fetching<'a> {
            Box::pin(async move {
                let followed = tokio::time::timeout(self.timeout, self.follow(url, bytes_max));
                followed.await.unwrap_or(Err(FetchError::TooSlow(self.timeout)))
            })
        }
    }

    impl std::fmt::Debug for HttpFetch {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("HttpFetch").field("timeout", &self.timeout).finish_non_exhaustive()
        }
    }

    async fn exchange(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        request: Request<Empty<Bytes>>,
    ) -> Result<Response<Incoming>, FetchError> {
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(broken)?;
        // It ends with the answer's body, or when that is dropped.
        drop(tokio::spawn(connection));
        sender.send_request(request).await.map_err(broken)
    }

    async fn read(response: Response<Incoming>, bytes_max: usize) -> Result<Bytes, FetchError> {
        let mut body = response.into_body();
        let mut document = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            if document.len().saturating_add(data.len()) > bytes_max {
                return Err(FetchError::TooLarge(bytes_max));
            }
            document.extend_from_slice(&data);
        }
        Ok(document.freeze())
    }

    fn parse(url: &str) -> Result<Uri, FetchError> {
        let uri: Uri = url.parse().map_err(|_| FetchError::BadUrl(url.to_owned()))?;
        match uri.scheme_str() {
            Some("http" | "https") if uri.authority().is_some() => Ok(uri),
            _ => Err(FetchError::BadUrl(url.to_owned())),
        }
    }

    /// From https there is no way back to http.
    fn redirected(from: &Uri, location: &str) -> Result<Uri, FetchError> {
        let is_https = from.scheme_str() == Some("https");
        let to = if location.starts_with('/') && !location.starts_with("//") {
            let scheme = if is_https { "https" } else { "http" };
            let authority = from.authority().map_or("", |authority| authority.as_str());
            parse(&format!("{scheme}://{authority}{location}"))?
        } else {
            parse(location)?
        };
        if is_https && to.scheme_str() != Some("https") { Err(bad(&to)) } else { Ok(to) }
    }

    fn bad(uri: &Uri) -> FetchError {
        FetchError::BadUrl(uri.to_string())
    }

    fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> FetchError {
        FetchError::NoAnswer(error.into())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_redirect_never_leaves_https() {
            check("https://a.test/x", "/y", Some("https://a.test/y"));
            check("https://a.test/x", "https://b.test/y", Some("https://b.test/y"));
            check("http://a.test:81/x", "/y?z", Some("http://a.test:81/y?z"));
            check("https://a.test/x", "http://a.test/y", None);
            check("https://a.test/x", "file:///etc/passwd", None);
            check("https://a.test/x", "//b.test", None);
        }

        #[track_caller]
        fn check(from: &str, location: &str, expected: Option<&str>) {
            let to = redirected(&parse(from).unwrap(), location).ok();
            assert_eq!(to.map(|to| to.to_string()).as_deref(), expected, "{from} to {location}");
        }
    }
}
