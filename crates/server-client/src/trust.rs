//! Whom an https connection is believed to reach.

use ringwall_signing::sha256;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore,
    SignatureScheme,
};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A file of authorities is at most so large, in bytes: that of a whole system has a third of it.
const PEM_BYTES_MAX: usize = 1 << 20;
/// So many authorities, at most.
const AUTHORITIES_MAX: usize = 2000;

/// Who vouches for the server at the other end of an https connection.
///
/// There is no way to trust everybody: without authorities, https is refused.
#[derive(Clone, Default)]
pub struct Trust {
    who: Trusted,
    /// The name that the certificate must be for, where it is not that of the address.
    name: Option<ServerName<'static>>,
}

#[derive(Clone, Default)]
enum Trusted {
    /// Nobody: only plain http can be spoken.
    #[default]
    Nobody,
    /// Whom these authorities vouch for.
    Authorities(Arc<RootCertStore>),
    /// Whom the authority of this fingerprint vouches for; the server shows its certificate.
    Fingerprint(Fingerprint),
}

impl Trust {
    /// Trusts the authorities whose certificates are in this PEM text, and no others.
    ///
    /// # Errors
    /// Where there is no certificate in it, or one that cannot be read.
    pub fn authorities(pem: &[u8]) -> Result<Self, TrustError> {
        if pem.len() > PEM_BYTES_MAX {
            return Err(TrustError::TooLarge);
        }
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| TrustError::Pem(error.to_string()))?;
            store.add(certificate).map_err(|error| TrustError::Certificate(error.to_string()))?;
            if store.len() > AUTHORITIES_MAX {
                return Err(TrustError::TooLarge);
            }
        }
        if store.is_empty() {
            return Err(TrustError::Empty);
        }
        Ok(Trusted::Authorities(Arc::new(store)).into())
    }

    /// Trusts the authorities that this machine trusts, as browsers and other programs on it do.
    ///
    /// # Errors
    /// Where it has none.
    pub fn system() -> Result<Self, TrustError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            return Err(TrustError::Empty);
        }
        Ok(Trusted::Authorities(Arc::new(store)).into())
    }

    /// Trusts the one authority whose certificate has this fingerprint.
    pub fn fingerprint(fingerprint: Fingerprint) -> Self {
        Trusted::Fingerprint(fingerprint).into()
    }

    /// The same, where the server is reached by another name than its certificate is for.
    ///
    /// # Errors
    /// Where this can be no name in a certificate.
    pub fn with_server_name(self, name: &str) -> Result<Self, TrustError> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|_| TrustError::ServerName(name.to_owned()))?;
        Ok(Self { name: Some(name), ..self })
    }

    pub(crate) fn server_name(&self) -> Option<ServerName<'static>> {
        self.name.clone()
    }

    /// What TLS needs; none where nobody is trusted.
    pub(crate) fn client_config(&self) -> Result<Option<Arc<ClientConfig>>, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let mut config = match &self.who {
            Trusted::Nobody => return Ok(None),
            Trusted::Authorities(store) => {
                builder.with_root_certificates(Arc::clone(store)).with_no_client_auth()
            }
            Trusted::Fingerprint(fingerprint) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(OfFingerprint {
                    fingerprint: *fingerprint,
                    provider,
                }))
                .with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Arc::new(config)))
    }
}

impl From<Trusted> for Trust {
    fn from(who: Trusted) -> Self {
        Self { who, name: None }
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.who {
            Trusted::Nobody => f.write_str("Trust(nobody)"),
            Trusted::Authorities(store) => write!(f, "Trust({} authorities)", store.len()),
            Trusted::Fingerprint(fingerprint) => write!(f, "Trust({fingerprint})"),
        }
    }
}

/// Why authorities cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The text is not PEM.
    #[error("certificates cannot be read: {0}")]
    Pem(String),
    /// One of them is no certificate of an authority.
    #[error("certificate cannot be used: {0}")]
    Certificate(String),
    /// There is none in it.
    #[error("there is no certificate in it")]
    Empty,
    /// Longer than any list of authorities.
    #[error("longer than {PEM_BYTES_MAX} bytes or {AUTHORITIES_MAX} certificates")]
    TooLarge,
    /// No certificate can be for this.
    #[error("`{0}` is not a name that a certificate can be for")]
    ServerName(String),
    /// The text is no fingerprint.
    #[error("not a fingerprint of the form `sha256:` and 64 hexadecimal digits")]
    Fingerprint,
}

/// The SHA-256 of a certificate (its DER form): `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of a certificate in DER form.
    pub fn of(certificate: &[u8]) -> Self {
        Self(sha256(certificate))
    }

    /// That of the first certificate in a PEM text.
    ///
    /// # Errors
    /// Where there is none.
    pub fn of_pem(pem: &[u8]) -> Result<Self, TrustError> {
        match CertificateDer::pem_slice_iter(pem).next() {
            Some(Ok(certificate)) => Ok(Self::of(&certificate)),
            Some(Err(error)) => Err(TrustError::Pem(error.to_string())),
            None => Err(TrustError::Empty),
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads `sha256:` and 64 digits, in any case, with or without colons between the bytes as openssl
/// prints them.
impl FromStr for Fingerprint {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        let text = text.trim();
        let digits = match text.get(..7) {
            Some(prefix) if prefix.eq_ignore_ascii_case("sha256:") => text.get(7..),
            _ => None,
        };
        let digits = digits.ok_or(TrustError::Fingerprint)?;
        let mut bytes = [0_u8; 32];
        let mut rest = digits.as_bytes();
        for (position, byte) in bytes.iter_mut().enumerate() {
            if let (true, Some((b':', after))) = (position > 0, rest.split_first()) {
                rest = after;
            }
            let (pair, after) = rest.split_first_chunk::<2>().ok_or(TrustError::Fingerprint)?;
            let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
            let value = high.zip(low).map(|(high, low)| high << 4 | low);
            *byte = value.and_then(|value| value.try_into().ok()).ok_or(TrustError::Fingerprint)?;
            rest = after;
        }
        if rest.is_empty() { Ok(Self(bytes)) } else { Err(TrustError::Fingerprint) }
    }
}

/// Finds the authority of the fingerprint among what the server shows, and lets it alone vouch for
/// the server, by the same rules as any other: names, time and signatures.
#[derive(Debug)]
struct OfFingerprint {
    fingerprint: Fingerprint,
    provider: Arc<CryptoProvider>,
}

#[derive(Debug, thiserror::Error)]
#[error("it shows no authority of the fingerprint {0}")]
struct NotShown(Fingerprint);

impl ServerCertVerifier for OfFingerprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let authority = intermediates
            .iter()
            .find(|certificate| Fingerprint::of(certificate) == self.fingerprint)
            .ok_or_else(|| {
                let why = OtherError(Arc::new(NotShown(self.fingerprint)));
                Error::InvalidCertificate(CertificateError::Other(why))
            })?;
        let mut store = RootCertStore::empty();
        store.add(authority.clone().into_owned())?;
        let provider = Arc::clone(&self.provider);
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
            .build()
            .map_err(|error| Error::General(error.to_string()))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fingerprints_are_read_as_people_paste_them() {
        let digits = "ab".repeat(32);
        check(&format!("sha256:{digits}"), true);
        check(&format!(" SHA256:{} ", digits.to_uppercase()), true);
        check(&format!("sha256:{}", ["AB"; 32].join(":")), true);
        check(&digits, false);
        check("sha256:", false);
        check(&format!("sha256:{digits}a"), false);
        check(&format!("sha256:{digits}:"), false);
        check(&format!("sha256::{digits}"), false);
        check(&format!("sha256:{}", "xy".repeat(32)), false);
        check("", false);
    }

    #[track_caller]
    fn check(text: &str, expected: bool) {
        let expected = expected.then_some(Fingerprint([0xab; 32])).ok_or(TrustError::Fingerprint);
        assert_eq!(text.parse(), expected, "text {text:?}");
    }

    #[test]
    fn what_holds_no_authority_is_refused() {
        assert_eq!(Trust::authorities(b"").unwrap_err(), TrustError::Empty);
        assert_eq!(Trust::authorities(b"hello").unwrap_err(), TrustError::Empty);
        let empty = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let error = Trust::authorities(empty).unwrap_err();
        assert!(matches!(error, TrustError::Certificate(_)), "{error}");
        let large = vec![b' '; PEM_BYTES_MAX + 1];
        assert_eq!(Trust::authorities(&large).unwrap_err(), TrustError::TooLarge);
    }

    proptest! {
        #[test]
        fn a_fingerprint_is_read_back(bytes in prop::array::uniform32(any::<u8>())) {
            let fingerprint = Fingerprint(bytes);
            prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        }

        #[test]
        fn no_text_panics(text in ".{0,100}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drop(text.parse::<Fingerprint>());
            drop(Trust::authorities(&bytes));
        }
    }
}
