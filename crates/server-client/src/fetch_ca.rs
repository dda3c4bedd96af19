use crate::trust::{Fingerprint, Trust};
use crate::{ClientError, HttpClient};
use bytes::Bytes;
use http::{HeaderMap, Method};
use ringwall_server_api::paths;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(15);
/// An answer with one certificate is far below.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Asks the server at `url` (https) for the certificate of its authority, and answers it as PEM,
/// to be kept and given to [`Trust::authorities`] from then on.
///
/// Already this first connection is refused unless the authority of the fingerprint vouches for the
/// server; nothing is believed because it was the first.
///
/// # Errors
/// Where there is no answer, or nobody there has to do with that authority.
pub async fn fetch_ca(url: &str, fingerprint: Fingerprint) -> Result<String, ClientError> {
    let http = HttpClient::trusting(url, TIMEOUT, &Trust::fingerprint(fingerprint))?
        .with_answer_bytes_max(ANSWER_BYTES_MAX);
    if !http.url().starts_with("https:") {
        let why = "a fingerprint says nothing about a plain http address";
        return Err(ClientError::BadUrl { url: url.to_owned(), why });
    }
    let answer = http.send(Method::GET, paths::CA, HeaderMap::new(), Bytes::new()).await?;
    let body = answer.success_body()?;
    let other = || ClientError::Untrusted {
        url: http.url().to_owned(),
        why: format!("the authority that it names has not the fingerprint {fingerprint}"),
    };
    let certificate = CertificateDer::pem_slice_iter(&body)
        .filter_map(Result::ok)
        .find(|certificate| Fingerprint::of(certificate) == fingerprint)
        .ok_or_else(other)?;
    Ok(to_pem(&certificate))
}

/// A certificate as PEM (RFC 7468).
fn to_pem(certificate: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for length in [0, 1, 47, 48, 49, 500] {
            let certificate = vec![7; length];
            let read = CertificateDer::from_pem_slice(to_pem(&certificate).as_bytes()).unwrap();
            assert_eq!(&*read, certificate.as_slice(), "length {length}");
        }
    }

    #[tokio::test]
    async fn a_plain_address_is_refused_before_anything_is_sent() {
        let error = fetch_ca("http://127.0.0.1:1", Fingerprint::of(b"")).await.unwrap_err();
        assert!(matches!(error, ClientError::BadUrl { .. }), "{error}");
    }
}
