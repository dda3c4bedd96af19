//! What the shop sells.

use serde::Serialize;

/// One thing on the shelf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Article {
    /// As in `/articles/3`.
    pub(crate) id: u32,
    pub(crate) name: &'static str,
    pub(crate) price_cents: u32,
}

pub(crate) const ARTICLES: [Article; 6] = [
    Article { id: 1, name: "Brass bell", price_cents: 1250 },
    Article { id: 2, name: "Oak gate latch", price_cents: 890 },
    Article { id: 3, name: "Iron hinge", price_cents: 640 },
    Article { id: 4, name: "Storm lantern", price_cents: 3400 },
    Article { id: 5, name: "Rope, ten metres", price_cents: 1575 },
    Article { id: 6, name: "Watchman's whistle", price_cents: 450 },
];

/// The article of this number.
pub(crate) fn article(id: u32) -> Option<Article> {
    ARTICLES.into_iter().find(|article| article.id == id)
}

/// Articles whose names hold all of these words.
pub(crate) fn search(words: &str) -> Vec<Article> {
    let words = words.to_lowercase();
    let holds = |article: &Article| {
        let name = article.name.to_lowercase();
        words.split_whitespace().all(|word| name.contains(word))
    };
    ARTICLES.into_iter().filter(holds).collect()
}
