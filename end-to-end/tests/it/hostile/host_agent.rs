//! The door of our own host agents.

use super::{deep, is_problem, is_unharmed};
use anyhow::Result;
use http::Method;
use ringwall_end_to_end::host_agent::{COMMANDS, HostAgent, REPORTS, Stamp};
use ringwall_end_to_end::http_client::Http;
use ringwall_end_to_end::pages;
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_event::{Activity, Process, Timestamp};
use serde_json::{Value, json};

async fn start() -> Result<(Server, Http, HostAgent)> {
    let server = Setup::new()?.start().await?;
    let agent = HostAgent::enrol(&server, "web-1").await?;
    let http = Http::new(&server.ready().main);
    // What is signed in the second in which the server started is refused.
    while agent.send(&http, Method::GET, COMMANDS, b"").await?.status != 200 {}
    Ok((server, http, agent))
}

fn report(sequence: u64, pids: &[i64]) -> Vec<u8> {
    let events: Vec<Value> = pids
        .iter()
        .map(|pid| {
            let process = Process { pid: *pid, name: "worker".into(), ..Process::default() };
            let time = Timestamp::from_micros(1_780_000_000_000_000 + pid);
            json!({"time": time, "activity": Activity::ProcessStarted(process)})
        })
        .collect();
    let report = json!({
        "spool_id": "boot-1", "sequence": sequence, "hostname": "web-1", "dropped_total": 0,
        "events": events,
    });
    report.to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_signature_gets_the_same_answer() -> Result<()> {
    let (server, http, agent) = start().await?;
    let body = report(1, &[10]);
    let stranger = HostAgent { name: "nobody".into(), ..agent.clone() };
    let liar = HostAgent::new("web-1")?;
    let now = Stamp::now()?;
    let early = Stamp::in_seconds(-301)?;
    let late = Stamp::in_seconds(302)?;
    let short = Stamp { nonce: "short".into(), ..Stamp::now()? };
    let mut answers = Vec::new();
    for (agent, stamp) in [
        (&stranger, Stamp::now()?),
        (&liar, Stamp::now()?),
        (&agent, early),
        (&agent, late),
        (&agent, short),
    ] {
        answers.push(agent.send_stamped(&http, Method::POST, REPORTS, &stamp, &body).await?);
    }
    // A good request, and then the very same bytes again.
    let taken = agent.send_stamped(&http, Method::POST, REPORTS, &now, &body).await?;
    assert_eq!(taken.expect(200)?.json()?["accepted"], 1);
    answers.push(agent.send_stamped(&http, Method::POST, REPORTS, &now, &body).await?);
    // Signed for another path, and with another body than was signed.
    let signed = agent.headers(&Method::POST, "/api/v1/agent/commands", &Stamp::now()?, &body)?;
    answers.push(http.send(Method::POST, REPORTS, &as_text(&signed), body.clone()).await?);
    let signed = agent.headers(&Method::POST, REPORTS, &Stamp::now()?, &body)?;
    answers.push(http.send(Method::POST, REPORTS, &as_text(&signed), report(2, &[11])).await?);
    answers.push(http.send(Method::POST, REPORTS, &[], body).await?);

    let mut bodies = Vec::new();
    for answer in &answers {
        is_problem(answer, 401);
        let mut body = answer.json()?;
        body["correlation_id"] = Value::Null;
        bodies.push(body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the answers tell what was wrong: {bodies:?}");
    is_unharmed(&server).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_sent_again_is_counted_once() -> Result<()> {
    let (server, http, agent) = start().await?;
    let body = report(1, &[10, 11, 12]);
    let first = agent.send(&http, Method::POST, REPORTS, &body).await?.expect(200)?.json()?;
    assert_eq!((&first["accepted"], &first["duplicates"]), (&json!(3), &json!(0)));
    let server = server.kill().await?.start().await?;
    let http = Http::new(&server.ready().main);
    let again = agent.send(&http, Method::POST, REPORTS, &body).await?.expect(200)?.json()?;
    assert_eq!((&again["accepted"], &again["duplicates"]), (&json!(0), &json!(3)));
    let rows = pages::of_api(&server.api(), "/api/v1/events?host=host-agent:web-1").await?;
    assert_eq!(rows.len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_nonsense_is_a_problem() -> Result<()> {
    let (server, http, agent) = start().await?;
    for body in ["{", "", "[]", "{}", r#"{"spool_id": 1}"#, &deep(100_000)] {
        let answer = agent.send(&http, Method::POST, REPORTS, body.as_bytes()).await?;
        assert!([400, 422].contains(&answer.status), "{body:.40}: {}", answer.text());
        is_problem(&answer, answer.status);
    }
    let result = "/api/v1/agent/commands/cmd_00000000000000000000000000000000/result";
    let body = br#"{"state": "succeeded", "result": "did it"}"#;
    is_problem(&agent.send(&http, Method::POST, result, body).await?, 404);
    is_unharmed(&server).await
}

fn as_text<'a>(headers: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    headers.iter().map(|(name, value)| (*name, value.as_str())).collect()
}
