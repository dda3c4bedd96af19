//! Databases and lists on the disk, read again when they change.

use crate::application::{Application, settings};
use crate::country_file::country_file;
use ringwall_app_guard::{CloudProvider, GuardSettings};
use ringwall_app_guard_layer::cloud::ListSource;
#[cfg(feature = "fetch")]
use ringwall_app_guard_layer::fetch::HttpFetch;
use ringwall_app_guard_layer::fetch::{Fetch, FetchError, Fetching};
use ringwall_app_guard_layer::{CloudLists, CountryFile, GuardLayer};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const CLIENT: &str = "203.0.113.9";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("ringwall-guard-files-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// As whoever updates such a file does it: written beside, then put in place.
    fn put(&self, name: &str, content: &[u8]) -> PathBuf {
        let (path, beside) = (self.0.join(name), self.0.join("beside"));
        std::fs::write(&beside, content).unwrap();
        std::fs::rename(&beside, &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

async fn until_status(application: &Application, client: &str, status: u16) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = application.get(client, "/").await;
        if answer.status == status {
            return;
        }
        assert!(Instant::now() < deadline, "still {answer:?}, not {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_country_database_is_read_again_when_it_changes() {
    let folder = Folder::new("countries");
    let path = folder.put("countries.mmdb", &country_file(&[("203.0.113.0/24", "DE")]));
    let file = CountryFile { check_every: Duration::from_millis(50), ..CountryFile::new(path) };
    let blocked_countries = vec!["FR".to_owned()];
    let builder = GuardLayer::builder(GuardSettings { blocked_countries, ..settings() });
    let application = Application::with(builder.country_file(file)).await;
    until_status(&application, CLIENT, 200).await;
    folder.put("countries.mmdb", &country_file(&[("203.0.113.0/24", "FR")]));
    until_status(&application, CLIENT, 403).await;
    // What is no database leaves what was read before.
    folder.put("countries.mmdb", b"half a download");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(application.get(CLIENT, "/").await.status, 403);
    folder.put("countries.mmdb", &country_file(&[("203.0.113.0/24", "DE")]));
    until_status(&application, CLIENT, 200).await;
}

#[tokio::test]
async fn without_its_database_a_rule_about_countries_does_what_is_set() {
    for (geo_fail_open, status) in [(false, 500), (true, 200)] {
        let blocked_countries = vec!["FR".to_owned()];
        let settings = GuardSettings { blocked_countries, geo_fail_open, ..settings() };
        let file = CountryFile::new("/nowhere/countries.mmdb");
        let builder = GuardLayer::builder(settings).country_file(file);
        let application = Application::with(builder).await;
        let answer = application.get(CLIENT, "/").await;
        assert!(answer.status == status || (status == 500 && answer.status == 403), "{answer:?}");
    }
}

/// Flaw 30 of the original: AWS over IPv6 is never blocked. Flaw 28: a route's own clouds are never fetched.
#[tokio::test]
async fn lists_of_clouds_are_read_from_files() {
    let folder = Folder::new("clouds");
    let list = r#"{"prefixes": [{"ip_prefix": "203.0.113.0/24", "region": "eu-west-1", "service": "AMAZON"}],
        "ipv6_prefixes": [{"ipv6_prefix": "2001:db8::/32", "region": "us-west-2", "service": "AMAZON"}]}"#;
    let path = folder.put("aws.json", list.as_bytes());
    let block_cloud_providers = vec!["AWS:!us-west-2".to_owned()];
    let builder = GuardLayer::builder(GuardSettings { block_cloud_providers, ..settings() });
    let lists = CloudLists {
        refresh_every: Duration::from_millis(50),
        ..CloudLists::new([(CloudProvider::Aws, ListSource::File(path))])
    };
    let application = Application::with(builder.cloud_lists(lists)).await;
    until_status(&application, CLIENT, 403).await;
    assert_eq!(application.get("2001:db8::1", "/").await.status, 200, "a region that stays open");
    assert_eq!(application.get("192.0.2.1", "/").await.status, 200);
    folder.put("aws.json", list.replace("us-west-2", "us-east-1").as_bytes());
    until_status(&application, "2001:db8::1", 403).await;
    folder.put("aws.json", b"{}");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(application.get(CLIENT, "/").await.status, 403, "a failed refresh keeps the old");
}

/// Answers with the lists in their order, then with failures.
struct Lists(Vec<&'static str>, AtomicUsize);

impl Fetch for Lists {
    fn fetch<'a>(&'a self, _url: &'a str, _bytes_max: usize) -> Fetching<'a> {
        let number = self.1.fetch_add(1, Ordering::Relaxed);
        let list = self.0.get(number).copied();
        Box::pin(async move { list.map(Into::into).ok_or(FetchError::Status(503)) })
    }
}

#[tokio::test]
async fn lists_behind_an_address_are_refreshed_and_survive_failures() {
    let fetch = Arc::new(Lists(vec!["192.0.2.0/24,US", "203.0.113.0/24,US"], AtomicUsize::new(0)));
    let lists = CloudLists {
        refresh_every: Duration::from_millis(50),
        fetch: Some(fetch.clone()),
        ..CloudLists::new([(CloudProvider::Vultr, ListSource::Url("http://x/".to_owned()))])
    };
    let block_cloud_providers = vec!["Vultr".to_owned()];
    let builder = GuardLayer::builder(GuardSettings { block_cloud_providers, ..settings() });
    let application = Application::with(builder.cloud_lists(lists)).await;
    until_status(&application, CLIENT, 403).await;
    until_status(&application, "192.0.2.1", 200).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while fetch.1.load(Ordering::Relaxed) < 3 {
        assert!(Instant::now() < deadline, "it is not tried again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(application.get(CLIENT, "/").await.status, 403);
}

#[cfg(feature = "fetch")]
#[tokio::test]
async fn the_client_for_lists_is_bounded() {
    let router = axum::Router::new()
        .route("/list", axum::routing::get(|| async { "192.0.2.0/24,US" }))
        .route("/moved", axum::routing::get(|| async { axum::response::Redirect::to("/list") }))
        .route("/round", axum::routing::get(|| async { axum::response::Redirect::to("/round") }))
        .route("/slow", axum::routing::get(std::future::pending::<&'static str>));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let fetch = HttpFetch::new(Duration::from_secs(60)).unwrap();
    let get = async |path: &str, max| fetch.fetch(&format!("{base}{path}"), max).await;
    assert_eq!(get("/list", 100).await.unwrap(), "192.0.2.0/24,US");
    assert_eq!(get("/moved", 100).await.unwrap(), "192.0.2.0/24,US");
    assert!(matches!(get("/list", 5).await, Err(FetchError::TooLarge(5))));
    assert!(matches!(get("/round", 100).await, Err(FetchError::Status(302))));
    assert!(matches!(get("/nothing", 100).await, Err(FetchError::Status(404))));
    let hasty = HttpFetch::new(Duration::from_millis(200)).unwrap();
    let slow = hasty.fetch(&format!("{base}/slow"), 100).await;
    assert!(matches!(slow, Err(FetchError::TooSlow(_))));
    assert!(matches!(fetch.fetch("ftp://x/", 5).await, Err(FetchError::BadUrl(_))));
    server.abort();
}
