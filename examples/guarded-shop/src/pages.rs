//! The shop itself, which knows nothing of its guard.

use crate::catalogue::{ARTICLES, article, search};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// No cart has more lines.
const CART_LINES_MAX: usize = 50;

pub(crate) fn router() -> Router {
    Router::new()
        .route("/", get(front_page))
        .route("/articles", get(all_articles))
        .route("/articles/{id}", get(one_article))
        .route("/search", get(found_articles))
        .route("/cart", post(total_of_cart))
        .route("/login", post(sign_in))
        .route("/health", get(|| async { "well" }))
}

async fn front_page() -> Html<String> {
    let rows: String = ARTICLES
        .iter()
        .map(|article| {
            let (whole, cents) = (article.price_cents / 100, article.price_cents % 100);
            format!(
                "<li><a href=\"/articles/{}\">{}</a> {whole}.{cents:02}</li>",
                article.id, article.name
            )
        })
        .collect();
    Html(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>The gatehouse shop</title>\
         <h1>The gatehouse shop</h1><ul>{rows}</ul>\
         <form action=/search><label>Search <input name=q></label></form></html>"
    ))
}

async fn all_articles() -> Response {
    json_of(&ARTICLES)
}

async fn one_article(Path(id): Path<u32>) -> Response {
    match article(id) {
        Some(article) => json_of(&article),
        None => (StatusCode::NOT_FOUND, "no such article").into_response(),
    }
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

async fn found_articles(Query(Search { q }): Query<Search>) -> Response {
    json_of(&search(&q))
}

#[derive(Deserialize)]
struct CartLine {
    id: u32,
    count: u32,
}

async fn total_of_cart(body: Bytes) -> Response {
    let Ok(lines) = serde_json::from_slice::<Vec<CartLine>>(&body) else {
        return (StatusCode::BAD_REQUEST, "a cart is a list of `id` and `count`").into_response();
    };
    if lines.len() > CART_LINES_MAX {
        return (StatusCode::BAD_REQUEST, "too many lines").into_response();
    }
    let total = lines.iter().try_fold(0u64, |total, line| {
        let article = article(line.id)?;
        Some(total + u64::from(article.price_cents) * u64::from(line.count))
    });
    match total {
        Some(total_cents) => json_of(&json!({ "total_cents": total_cents })),
        None => (StatusCode::NOT_FOUND, "no such article").into_response(),
    }
}

#[derive(Deserialize)]
struct Credentials {
    user: String,
    password: String,
}

/// Nobody has an account in a shop that is an example.
async fn sign_in(body: Bytes) -> Response {
    match serde_json::from_slice::<Credentials>(&body) {
        Ok(Credentials { user, password }) if !user.is_empty() && !password.is_empty() => {
            (StatusCode::UNAUTHORIZED, "wrong user or password").into_response()
        }
        _ => (StatusCode::BAD_REQUEST, "`user` and `password` are missing").into_response(),
    }
}

fn json_of(value: &impl Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
