use crate::{guarding, pages};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use std::net::SocketAddr;
use tower::ServiceExt;

fn shop() -> Router {
    pages::router().layer(guarding::guard(None).expect("the settings are right"))
}

async fn ask(shop: &Router, client: &str, agent: &str, path: &str) -> StatusCode {
    let proxy: SocketAddr = ([127, 0, 0, 1], 4000).into();
    let request = Request::builder()
        .uri(path)
        .header("host", "shop.example")
        .header("x-forwarded-for", client)
        .header("user-agent", agent)
        .extension(ConnectInfo(proxy))
        .body(Body::empty())
        .expect("a request");
    shop.clone().oneshot(request).await.expect("an answer").status()
}

#[tokio::test]
async fn customers_are_served() {
    let shop = shop();
    for path in ["/", "/articles", "/articles/3", "/search?q=storm+lantern", "/health"] {
        assert_eq!(ask(&shop, "198.51.100.7", "Mozilla/5.0", path).await, StatusCode::OK, "{path}");
    }
    assert_eq!(ask(&shop, "198.51.100.7", "x", "/articles/99").await, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn scanners_and_attacks_are_refused_and_ten_attacks_ban() {
    let shop = shop();
    assert_eq!(ask(&shop, "203.0.113.7", "sqlmap/1.8", "/").await, StatusCode::FORBIDDEN);
    let attack = "/search?q=%27%20OR%20%271%27%3D%271%27%20--%20";
    for _ in 0..9 {
        let status = ask(&shop, "203.0.113.66", "Mozilla/5.0", attack).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    for path in [attack, "/"] {
        let status = ask(&shop, "203.0.113.66", "Mozilla/5.0", path).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(ask(&shop, "198.51.100.7", "Mozilla/5.0", "/").await, StatusCode::OK);
}

#[tokio::test]
async fn a_burst_is_slowed_down() {
    let shop = shop();
    for _ in 0..60 {
        assert_eq!(ask(&shop, "192.0.2.44", "Mozilla/5.0", "/").await, StatusCode::OK);
    }
    let refused = ask(&shop, "192.0.2.44", "Mozilla/5.0", "/").await;
    assert_eq!(refused, StatusCode::TOO_MANY_REQUESTS);
}
