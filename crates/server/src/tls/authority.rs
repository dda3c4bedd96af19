//! The server as its own authority: for those who have none, so that encryption needs no setting up.

use super::{Names, TlsSection};
use crate::secrets::{Secrets, random_bytes};
use anyhow::{Context, bail};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use ringwall_event::Timestamp;
use ringwall_server_client::Fingerprint;
use ringwall_store::{Database, StateStore};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The kind under which both documents are kept.
const KIND: &str = "tls";
const AUTHORITY: &str = "authority";
const SERVER: &str = "server";
/// What the sealed keys are sealed for.
const AUTHORITY_KEY: &str = "tls/authority";
const SERVER_KEY: &str = "tls/server";

const DAY_SECONDS: i64 = 86_400;
/// Ten years: pinned by every client, it must outlive the machines.
const AUTHORITY_DAYS: i64 = 3652;
/// As long as certificates of the web are good for.
const SERVER_DAYS: i64 = 90;
/// So long before its end a certificate is renewed: a server may be switched off for weeks.
const RENEW_DAYS: i64 = 30;
/// Clients whose clocks are a little behind shall not find it too young.
const BACKDATED_SECONDS: i64 = DAY_SECONDS;

#[derive(Serialize, Deserialize)]
struct AuthorityRecord {
    certificate: String,
    sealed_key: String,
    name: String,
    /// The domains that it may certify names of.
    domains: BTreeSet<String>,
    ends: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct ServerRecord {
    /// Who signed it.
    authority: String,
    certificate: String,
    sealed_key: String,
    names: Names,
    ends: Timestamp,
}

/// The authority, with its key, and what it last certified.
pub(super) struct Authority {
    database: Arc<Database>,
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    certificate: CertificateDer<'static>,
    domains: BTreeSet<String>,
    ends: Timestamp,
    certified: Names,
    certified_until: Timestamp,
    left_out: BTreeSet<String>,
}

impl Authority {
    /// Reads the authority and the server's certificate, or makes them.
    ///
    /// # Errors
    /// Where the database cannot be read or written, or the master key is another one.
    pub(super) fn load(
        database: Arc<Database>,
        secrets: &Secrets,
        names: &Names,
        section: &TlsSection,
        now: Timestamp,
    ) -> anyhow::Result<(Self, CertifiedKey)> {
        let found: Option<AuthorityRecord> =
            database.read(|session| session.document(KIND, AUTHORITY))?;
        let record = match found {
            // Whoever trusts it does so by its fingerprint: no setting but this one may change that.
            Some(record) if !is_to_be_replaced(&record, section)? => record,
            _ => make(&database, secrets, names, &section.domains, now)?,
        };
        for domain in outside(&section.domains, &record.domains) {
            tracing::warn!(
                %domain,
                fingerprint = %Fingerprint::of_pem(record.certificate.as_bytes())?,
                "the authority of this server may not certify names of this domain; one that may takes \
                 this fingerprint as `replace_authority` under [tls], and every client must be told"
            );
        }
        let key = secrets.open(AUTHORITY_KEY, &record.sealed_key)?;
        let key = KeyPair::try_from(key.expose()).context("the authority's key is damaged")?;
        let certificate = CertificateDer::from_pem_slice(record.certificate.as_bytes())
            .context("the authority's certificate is damaged")?;
        let mut authority = Self {
            issuer: Issuer::new(authority_params(&record.name, &record.domains), key),
            pem: record.certificate,
            certificate,
            domains: record.domains,
            ends: record.ends,
            certified: Names::default(),
            certified_until: Timestamp::from_micros(0),
            left_out: BTreeSet::new(),
            database,
        };
        let kept = authority.kept(secrets).context("the server's certificate is damaged")?;
        if authority.ends.micros_since(now) < 365 * DAY_SECONDS * 1_000_000 {
            tracing::warn!(
                "the authority of this server ends in less than a year: plan for another one"
            );
        }
        let first = match (authority.renew_if_due(secrets, names, now)?, kept) {
            (Some(fresh), _) => fresh,
            (None, Some(kept)) => kept,
            (None, None) => bail!("there is no certificate"),
        };
        Ok((authority, first))
    }

    /// Its certificate.
    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// A new certificate of the server, where the last one ends soon or is for other names.
    ///
    /// # Errors
    /// Where it cannot be made or kept; the last one stays in force.
    pub(super) fn renew_if_due(
        &mut self,
        secrets: &Secrets,
        names: &Names,
        now: Timestamp,
    ) -> anyhow::Result<Option<CertifiedKey>> {
        let names = self.what_may_be_certified(names);
        let left = self.certified_until.micros_since(now) / 1_000_000;
        // An authority near its own end gives certificates that end with it: those are not renewed
        // over and over.
        let due = left < RENEW_DAYS * DAY_SECONDS && self.certified_until < self.ends;
        if !due && names == self.certified {
            return Ok(None);
        }
        let key = KeyPair::generate().context("no new key")?;
        let ends = now.plus_seconds(SERVER_DAYS * DAY_SECONDS).min(self.ends);
        let mut params = CertificateParams::default();
        params.not_before = system_time(now.plus_seconds(-BACKDATED_SECONDS)).into();
        params.not_after = system_time(ends).into();
        params.distinguished_name = common_name("Ringwall server");
        params.subject_alt_names = subject_names(&names)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).context("no new certificate")?;
        let record = ServerRecord {
            authority: self.pem.clone(),
            certificate: certificate.pem(),
            sealed_key: secrets.seal(SERVER_KEY, key.serialized_der())?,
            names: names.clone(),
            ends,
        };
        self.database.write_now(|session| session.put_document(KIND, SERVER, &record))?;
        let fresh = self.certified_key(certificate.der().clone(), key.serialized_der())?;
        self.certified = names;
        self.certified_until = ends;
        Ok(Some(fresh))
    }

    /// The server's certificate as it was kept; none where it was never made.
    fn kept(&mut self, secrets: &Secrets) -> anyhow::Result<Option<CertifiedKey>> {
        let found: Option<ServerRecord> =
            self.database.read(|session| session.document(KIND, SERVER))?;
        // That of an earlier authority is of no use under this one.
        let Some(record) = found.filter(|record| record.authority == self.pem) else {
            return Ok(None);
        };
        let key = secrets.open(SERVER_KEY, &record.sealed_key)?;
        let certificate = CertificateDer::from_pem_slice(record.certificate.as_bytes())?;
        let kept = self.certified_key(certificate, key.expose())?;
        self.certified = record.names;
        self.certified_until = record.ends;
        Ok(Some(kept))
    }

    /// With the authority's certificate behind it: whoever knows only its fingerprint finds it there.
    fn certified_key(
        &self,
        certificate: CertificateDer<'static>,
        key: &[u8],
    ) -> anyhow::Result<CertifiedKey> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
        let provider = rustls::crypto::ring::default_provider();
        Ok(CertifiedKey::from_der(vec![certificate, self.certificate.clone()], key, &provider)?)
    }

    /// Names outside the domains of the authority would make the whole certificate void.
    fn what_may_be_certified(&mut self, names: &Names) -> Names {
        let (dns, outside): (BTreeSet<String>, BTreeSet<String>) = names
            .dns
            .iter()
            .cloned()
            .partition(|name| self.domains.iter().any(|domain| is_within(name, domain)));
        if outside != self.left_out {
            for name in &outside {
                tracing::warn!(
                    %name,
                    "the authority of this server may not certify this name, which is in none of \
                     its domains: clients cannot use it; see docs/access.md"
                );
            }
            self.left_out = outside;
        }
        Names { dns, addresses: names.addresses.clone() }
    }
}

/// Makes an authority for the domains of the names that the server has now.
fn make(
    database: &Database,
    secrets: &Secrets,
    names: &Names,
    configured: &[String],
    now: Timestamp,
) -> anyhow::Result<AuthorityRecord> {
    let key = KeyPair::generate().context("no key for the authority")?;
    let serial: String = random_bytes::<4>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    // Of a name of its own: programs that know several find the right one by it.
    let name = format!("Ringwall authority {serial}");
    let mut domains: BTreeSet<String> = names.dns.iter().map(|name| domain_of(name)).collect();
    domains.extend(configured.iter().map(|domain| plain(domain)));
    let ends = now.plus_seconds(AUTHORITY_DAYS * DAY_SECONDS);
    let mut params = authority_params(&name, &domains);
    params.not_before = system_time(now.plus_seconds(-BACKDATED_SECONDS)).into();
    params.not_after = system_time(ends).into();
    let certificate = params.self_signed(&key).context("no certificate for the authority")?;
    let record = AuthorityRecord {
        certificate: certificate.pem(),
        sealed_key: secrets.seal(AUTHORITY_KEY, key.serialized_der())?,
        name,
        domains,
        ends,
    };
    database.write_now(|session| session.put_document(KIND, AUTHORITY, &record))?;
    tracing::info!(name = %record.name, "this server is its own authority from now on");
    Ok(record)
}

/// It signs servers only, and only of these domains: whoever steals its key cannot pass for the rest
/// of the web to those who took it into their browser.
fn authority_params(name: &str, domains: &BTreeSet<String>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: domains.iter().cloned().map(GeneralSubtree::DnsName).collect(),
        excluded_subtrees: Vec::new(),
    });
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn subject_names(names: &Names) -> anyhow::Result<Vec<SanType>> {
    let mut all = Vec::with_capacity(names.dns.len() + names.addresses.len());
    for name in &names.dns {
        let name = name.as_str().try_into().with_context(|| format!("not a name: `{name}`"))?;
        all.push(SanType::DnsName(name));
    }
    all.extend(names.addresses.iter().copied().map(SanType::IpAddress));
    Ok(all)
}

/// The domain that a name and its siblings lie in, where that is certainly not shared with strangers:
/// `sec.example.com` for `guard.sec.example.com`, but `guard.example` for itself.
fn domain_of(name: &str) -> String {
    match name.split_once('.') {
        Some((_, parent)) if parent.split('.').count() >= 3 => parent.to_owned(),
        _ => name.to_owned(),
    }
}

/// Whether the configuration names this very authority as the one that shall go.
fn is_to_be_replaced(record: &AuthorityRecord, section: &TlsSection) -> anyhow::Result<bool> {
    let Some(wanted) = &section.replace_authority else { return Ok(false) };
    let wanted: Fingerprint = wanted.parse().context("`replace_authority` under [tls]")?;
    Ok(Fingerprint::of_pem(record.certificate.as_bytes())? == wanted)
}

/// Those domains of the configuration that an authority of these may not certify names of.
fn outside<'a>(
    configured: &'a [String],
    domains: &BTreeSet<String>,
) -> impl Iterator<Item = &'a String> {
    let covered = |wanted: &String| domains.iter().any(|domain| is_within(&plain(wanted), domain));
    configured.iter().filter(move |wanted| !covered(wanted))
}

fn plain(domain: &str) -> String {
    domain.trim().trim_matches('.').to_ascii_lowercase()
}

/// RFC 5280 §4.2.1.10: the domain itself, and whatever has labels before it.
fn is_within(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn system_time(moment: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(u64::try_from(moment.as_seconds()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_hold_what_is_ours() {
        assert_eq!(domain_of("localhost"), "localhost");
        assert_eq!(domain_of("guard.example"), "guard.example");
        assert_eq!(domain_of("guard.example.com"), "guard.example.com");
        assert_eq!(domain_of("guard.sec.example.com"), "sec.example.com");
        assert!(is_within("a.guard.example", "guard.example"));
        assert!(is_within("guard.example", "guard.example"));
        assert!(!is_within("myguard.example", "guard.example"));
        assert!(!is_within("example", "guard.example"));
    }
}
