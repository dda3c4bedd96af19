use super::Fixture;
use axum::http::Method;
use ringwall_access::Role;
use ringwall_server_api::paths;

#[tokio::test]
async fn what_the_store_holds_is_told_to_who_may_see_events() {
    let fixture = Fixture::new().await;
    let before = fixture.get(paths::STORE).await;
    assert_eq!(before["events"], 0);
    assert_eq!(before["oldest"], serde_json::Value::Null);
    assert_eq!(before["days"].as_array().unwrap().len(), 0);

    fixture.start_process(1, 4001, "sleep").await;
    fixture.start_process(2, 4002, "sleep").await;
    let after = fixture.get(paths::STORE).await;
    assert_eq!((&after["events"], &after["intake"]["events"]), (&2.into(), &2.into()));
    assert_eq!((&after["intake"]["batches"], &after["archive"]["files"]), (&2.into(), &0.into()));
    assert_eq!(after["archive"]["bytes_per_event"], serde_json::Value::Null);
    assert!(after["database_bytes"].as_u64().unwrap() > 0);
    assert_eq!(after["oldest"], after["intake"]["waiting_since"]);
    let days = after["days"].as_array().unwrap();
    // Two where midnight passed meanwhile.
    assert_eq!(days.iter().map(|day| day["events"].as_u64().unwrap()).sum::<u64>(), 2);
    assert!(days[0]["day"].as_str().unwrap().ends_with("T00:00:00Z"), "{days:?}");

    fixture.ask(Method::GET, paths::STORE).send().await.is_problem(401, "unauthenticated");
    let reader = fixture.token(Role::ReadOnly).await;
    let answer = fixture.ask(Method::GET, paths::STORE).token(&reader).send().await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
}
