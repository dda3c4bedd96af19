//! Handshakes with clients of rustls, against listeners as the server has them.

use super::*;
use crate::secrets::Secrets;
use ringwall_server_client::{ClientError, HttpClient, Trust};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::net::TcpListener;

const DAY: i64 = 86_400;

/// A database and a master key in a folder of their own.
struct Fixture {
    folder: PathBuf,
    database: Arc<Database>,
    secrets: Secrets,
    now: Timestamp,
}

impl Fixture {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let folder = std::env::temp_dir().join(format!(
            "ringwall-tls-{}-{}",
            std::process::id(),
            NUMBER.fetch_add(1, Ordering::Relaxed)
        ));
        std::fs::create_dir_all(&folder).unwrap();
        let database = Arc::new(Database::open(&folder.join("ringwall.db")).unwrap());
        let secrets = Secrets::load(&folder.join("master.key")).unwrap();
        Self { folder, database, secrets, now: crate::engine::now() }
    }

    fn load(&self, section: &TlsSection, names: &Names) -> anyhow::Result<Tls> {
        Tls::load(section, names, &self.database, &self.secrets, self.now)
    }

    fn load_default(&self) -> Tls {
        self.load(&TlsSection::default(), &names(&[])).unwrap()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        ringwall_lifecycle::private_file::write(&path, text.as_bytes()).unwrap();
        path
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

fn names(configured: &[&str]) -> Names {
    let configured: Vec<String> = configured.iter().map(|name| (*name).to_owned()).collect();
    Names::of_server(&configured, "web-1", &["127.0.0.1:1".parse().unwrap()])
}

fn shown(tls: &Tls) -> Arc<CertifiedKey> {
    Arc::clone(&tls.shown.0.read())
}

/// A listener that says hello to whoever it trusts; where it is.
async fn listen(tls: &Tls) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let router = axum::Router::new().fallback(|| async { "hello" });
    let (stop, shutdown) = tokio::sync::watch::channel(false);
    let limits = crate::listen::ListenLimits {
        connections_max: 10,
        header_timeout: Duration::from_secs(60),
        drain_timeout: Duration::from_secs(1),
    };
    let acceptor = Some(tls.acceptor());
    tokio::spawn(async move {
        crate::listen::serve(listener, router, acceptor, limits, shutdown).await;
        drop(stop);
    });
    url
}

async fn get(url: &str, trust: &Trust) -> Result<String, String> {
    let http =
        HttpClient::trusting(url, Duration::from_secs(60), trust).map_err(|e| e.to_string())?;
    let sent = http.send(http::Method::GET, "/", http::HeaderMap::new(), bytes::Bytes::new()).await;
    match sent {
        Ok(answer) => Ok(String::from_utf8(answer.body.to_vec()).unwrap()),
        Err(ClientError::Untrusted { why, .. }) => Err(why),
        Err(other) => Err(format!("{other:?}")),
    }
}

#[tokio::test]
async fn only_the_pinned_authority_is_believed() {
    let (ours, theirs) = (Fixture::new(), Fixture::new());
    let (tls, other) = (ours.load_default(), theirs.load_default());
    let url = listen(&tls).await;
    let pem = tls.authority_pem().unwrap();
    let by_pem = Trust::authorities(pem.as_bytes()).unwrap();
    assert_eq!(get(&url, &by_pem).await, Ok("hello".to_owned()));
    let by_fingerprint = Trust::fingerprint(tls.authority_fingerprint().unwrap());
    assert_eq!(get(&url, &by_fingerprint).await, Ok("hello".to_owned()));

    let foreign = Trust::authorities(other.authority_pem().unwrap().as_bytes()).unwrap();
    let refused = get(&url, &foreign).await.unwrap_err();
    assert!(
        refused.contains("not from an authority") || refused.contains("signature"),
        "{refused}"
    );
    let foreign = Trust::fingerprint(other.authority_fingerprint().unwrap());
    let refused = get(&url, &foreign).await.unwrap_err();
    assert!(refused.starts_with("it shows no authority of the fingerprint"), "{refused}");
    // The fingerprint of the certificate itself is not that of an authority.
    let own = ringwall_server_client::Fingerprint::of(&shown(&tls).cert[0]);
    assert!(get(&url, &Trust::fingerprint(own)).await.is_err());
    let nobody = get(&url, &Trust::default()).await.unwrap_err();
    assert!(nobody.contains("authority to trust"), "{nobody}");

    let elsewhere = by_pem.clone().with_server_name("guard.example").unwrap();
    assert_eq!(get(&url, &elsewhere).await, Err("its certificate is for other names".to_owned()));
    let by_name = by_pem.with_server_name("web-1").unwrap();
    assert_eq!(get(&url, &by_name).await, Ok("hello".to_owned()));
}

#[tokio::test]
async fn the_certificate_is_renewed_in_time_and_when_names_change() {
    let fixture = Fixture::new();
    let tls = fixture.load(
        &TlsSection { domains: vec!["example.com".into()], ..TlsSection::default() },
        &names(&[]),
    );
    let tls = tls.unwrap();
    let url = listen(&tls).await;
    let trust = Trust::authorities(tls.authority_pem().unwrap().as_bytes()).unwrap();
    let serial = |tls: &Tls| shown(tls).cert[0].to_vec();
    let first = serial(&tls);
    tls.look(&fixture.secrets, &names(&[]), fixture.now.plus_seconds(59 * DAY));
    assert_eq!(serial(&tls), first, "still good for more than 30 days");
    tls.look(&fixture.secrets, &names(&[]), fixture.now.plus_seconds(60 * DAY + 1));
    let second = serial(&tls);
    assert_ne!(second, first);
    // Another day, the same certificate: it is good for 90 days again.
    tls.look(&fixture.secrets, &names(&[]), fixture.now.plus_seconds(61 * DAY));
    assert_eq!(serial(&tls), second);

    let named = trust.clone().with_server_name("guard.example.com").unwrap();
    assert!(get(&url, &named).await.is_err());
    tls.look(&fixture.secrets, &names(&["guard.example.com"]), fixture.now);
    assert_eq!(get(&url, &named).await, Ok("hello".to_owned()));
    // A name outside the domains of the authority is left out, and spoils nothing.
    tls.look(&fixture.secrets, &names(&["guard.example.com", "elsewhere.net"]), fixture.now);
    assert_eq!(get(&url, &trust).await, Ok("hello".to_owned()));
    let outside = trust.clone().with_server_name("elsewhere.net").unwrap();
    assert!(get(&url, &outside).await.is_err());
}

#[tokio::test]
async fn authority_and_certificate_outlive_a_start() {
    let fixture = Fixture::new();
    let first = fixture.load_default();
    let again = fixture.load_default();
    assert_eq!(first.authority_pem(), again.authority_pem());
    assert_eq!(shown(&first).cert, shown(&again).cert);
    let fingerprint = |tls: &Tls| tls.authority_fingerprint().unwrap().to_string();
    // A domain that it may not certify changes nothing for those who trust it: its names are left out,
    // the others are certified as before, and by the same authority.
    let domains = vec!["example.com".into()];
    let section = TlsSection { domains: domains.clone(), ..TlsSection::default() };
    let widened = fixture.load(&section, &names(&["guard.example.com"])).unwrap();
    assert_eq!(fingerprint(&widened), fingerprint(&first));
    let url = listen(&widened).await;
    let trust = Trust::authorities(first.authority_pem().unwrap().as_bytes()).unwrap();
    assert_eq!(get(&url, &trust).await, Ok("hello".to_owned()));
    let outside = trust.clone().with_server_name("guard.example.com").unwrap();
    assert!(get(&url, &outside).await.is_err());
    // A new name that it may certify is a new certificate of the same authority.
    let named = fixture.load(&TlsSection::default(), &names(&["x.web-1"])).unwrap();
    assert_eq!(fingerprint(&named), fingerprint(&first));
    assert_ne!(shown(&named).cert, shown(&first).cert);
    let by_name = trust.with_server_name("x.web-1").unwrap();
    assert_eq!(get(&listen(&named).await, &by_name).await, Ok("hello".to_owned()));

    // Only who names it has it replaced, and once.
    let of_another = format!("sha256:{}", "0".repeat(64));
    for (replace_authority, is_replaced) in
        [(None, false), (Some(of_another), false), (Some(fingerprint(&first)), true)]
    {
        let section =
            TlsSection { domains: domains.clone(), replace_authority, ..TlsSection::default() };
        let loaded = fixture.load(&section, &names(&["guard.example.com"])).unwrap();
        assert_eq!(fingerprint(&loaded) != fingerprint(&first), is_replaced, "{section:?}");
        let again = fixture.load(&section, &names(&["guard.example.com"])).unwrap();
        assert_eq!(fingerprint(&again), fingerprint(&loaded), "{section:?}");
    }
    let replace_authority = Some("nonsense".to_owned());
    let section = TlsSection { replace_authority, ..TlsSection::default() };
    assert!(fixture.load(&section, &names(&[])).is_err());
    let other = fixture.load(&TlsSection::default(), &names(&["guard.example.com"])).unwrap();
    let url = listen(&other).await;
    let trust = Trust::authorities(other.authority_pem().unwrap().as_bytes()).unwrap();
    assert_eq!(get(&url, &trust).await, Ok("hello".to_owned()));
    // Neither key lies about in the clear.
    let stored = std::fs::read(fixture.folder.join("ringwall.db")).unwrap();
    let stored = String::from_utf8_lossy(&stored).into_owned();
    assert!(!stored.contains("PRIVATE KEY"));
    // Under another master key nothing opens.
    let secrets = Secrets::load(&fixture.folder.join("other.key")).unwrap();
    let section = TlsSection::default();
    let error = Tls::load(&section, &names(&[]), &fixture.database, &secrets, fixture.now);
    let error = format!("{:#}", error.err().unwrap());
    assert!(error.contains("is this the right master key"), "{error}");
}

/// A certificate of its own, signed by itself, as PEM with its key.
fn self_signed(name: &str, days: i64) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    let moment = |days: i64| {
        std::time::UNIX_EPOCH
            + Duration::from_secs((crate::engine::now().as_seconds() + days * DAY) as u64)
    };
    params.not_before = moment(-10).into();
    params.not_after = moment(days).into();
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

#[tokio::test]
async fn own_files_are_read_again_and_mistakes_keep_the_old() {
    let fixture = Fixture::new();
    let (one, one_key) = self_signed("one.example", 10);
    let (two, two_key) = self_signed("two.example", 10);
    let section = TlsSection {
        certificate: Some(fixture.file("cert.pem", &one)),
        key: Some(fixture.file("key.pem", &one_key)),
        authority: Some(fixture.file("ca.pem", &one)),
        ..TlsSection::default()
    };
    let tls = fixture.load(&section, &names(&[])).unwrap();
    assert!(!tls.is_built_in());
    assert_eq!(tls.authority_pem().as_deref(), Some(&*one));
    let look = || tls.look(&fixture.secrets, &names(&[]), fixture.now);
    let first = shown(&tls).cert.clone();
    look();
    assert_eq!(shown(&tls).cert, first);
    // The certificate is there already, its key not yet: they do not fit, and the old one stays.
    fixture.file("cert.pem", &two);
    look();
    assert_eq!(shown(&tls).cert, first);
    fixture.file("key.pem", &two_key);
    look();
    let second = shown(&tls).cert.clone();
    assert_ne!(second, first);
    for rubbish in ["", "no PEM", &two_key] {
        fixture.file("cert.pem", rubbish);
        look();
        assert_eq!(shown(&tls).cert, second, "{rubbish:?}");
    }
    std::fs::remove_file(fixture.folder.join("cert.pem")).unwrap();
    look();
    assert_eq!(shown(&tls).cert, second);
    fixture.file("cert.pem", &one);
    fixture.file("key.pem", &one_key);
    look();
    assert_eq!(shown(&tls).cert, first);
    // At the start a mistake is an error: there is no old one.
    fixture.file("key.pem", &two_key);
    let error = format!("{:#}", fixture.load(&section, &names(&[])).err().unwrap());
    assert!(error.contains("does not fit"), "{error}");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(fixture.folder.join("key.pem"), mode).unwrap();
    let error = format!("{:#}", fixture.load(&section, &names(&[])).err().unwrap());
    assert!(error.contains("lets others read"), "{error}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let fixture = Fixture::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let server_key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let moment = |days: i64| {
        std::time::UNIX_EPOCH + Duration::from_secs((fixture.now.as_seconds() + days * DAY) as u64)
    };
    let trust = Trust::authorities(authority.pem().as_bytes()).unwrap();
    for (from, to, expected) in [
        (-10, 10, Ok("hello".to_owned())),
        (-10, -1, Err("its certificate has expired".to_owned())),
        (1, 10, Err("its certificate is not valid yet; is the clock right?".to_owned())),
    ] {
        params.not_before = moment(from).into();
        params.not_after = moment(to).into();
        let certificate = params.signed_by(&server_key, &issuer).unwrap();
        let section = TlsSection {
            certificate: Some(fixture.file("cert.pem", &certificate.pem())),
            key: Some(fixture.file("key.pem", &server_key.serialize_pem())),
            ..TlsSection::default()
        };
        let tls = fixture.load(&section, &names(&[])).unwrap();
        let url = listen(&tls).await;
        assert_eq!(get(&url, &trust).await, expected, "from day {from} to {to}");
    }
}

#[tokio::test]
async fn plain_http_is_told_to_speak_tls_and_rubbish_is_let_go() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let fixture = Fixture::new();
    let tls = fixture.load_default();
    let url = listen(&tls).await;
    let address = url.strip_prefix("https://").unwrap();
    let exchange = async |bytes: &[u8]| {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset is an end, too.
        drop(stream.read_to_end(&mut answer).await);
        answer
    };
    let answer = exchange(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", body.len())), "{answer}");
    assert!(body.contains("https://"), "{answer}");
    for rubbish in [&b"\x16\x03\x01\xff\xff"[..], b"\x16\x03\x01\x00\x05hello", b"\0\0\0\0"] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(rubbish).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        assert!(!answer.starts_with(b"HTTP"), "{rubbish:?}");
    }
    // It is still there for others.
    let trust = Trust::fingerprint(tls.authority_fingerprint().unwrap());
    assert_eq!(get(&url, &trust).await, Ok("hello".to_owned()));
}

#[test]
fn listeners_choose_by_who_reaches_them() {
    let check = |tls: TlsUse, address: &str, plaintext: bool, expected: bool| {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(tls.is_for(address, plaintext), expected, "{tls:?} {address} {plaintext}");
    };
    check(TlsUse::Auto, "127.0.0.1", false, false);
    check(TlsUse::Auto, "::ffff:127.0.0.1", false, false);
    check(TlsUse::Auto, "0.0.0.0", false, true);
    check(TlsUse::Auto, "192.0.2.1", false, true);
    check(TlsUse::Auto, "0.0.0.0", true, false);
    check(TlsUse::Always, "127.0.0.1", false, true);
    check(TlsUse::Always, "0.0.0.0", true, true);
    check(TlsUse::Never, "0.0.0.0", true, false);
}
