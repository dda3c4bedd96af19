//! Patterns that workers share.

use crate::server::Redis;
use std::collections::BTreeSet;

/// Flaw 25 of the original: joined by commas, `ab{2,3}c` comes back as two broken patterns.
#[tokio::test]
async fn a_pattern_with_a_comma_comes_back_whole() {
    let Some(redis) = Redis::start() else { return };
    let (one, other) = (redis.state(), redis.state());
    let patterns = BTreeSet::from(["ab{2,3}c".to_owned(), "evil".to_owned()]);
    one.store_patterns(&patterns).await.unwrap();
    assert_eq!(other.patterns().await.unwrap(), patterns);

    // A Python worker finds what it can read whole, and its own are found by us.
    let theirs: String = redis.say(&["GET", "guard_core:patterns:custom"]);
    assert_eq!(theirs, "evil");
    redis.say::<()>(&["SET", "guard_core:patterns:custom", "evil,theirs"]);
    let all = other.patterns().await.unwrap();
    assert_eq!(all, patterns.into_iter().chain(["theirs".to_owned()]).collect());
}
