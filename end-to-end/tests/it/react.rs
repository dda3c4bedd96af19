//! The whole loop on this machine: our host agent sees, the server concludes, the agent acts.

use anyhow::Result;
use ringwall_end_to_end::server::Setup;
use ringwall_end_to_end::suspect::Suspect;
use ringwall_end_to_end::{machine, pages, tour};

#[tokio::test(flavor = "multi_thread")]
async fn a_known_bad_process_is_found_and_ended() -> Result<()> {
    let _machine = machine::alone().await?;
    let server = Setup::new()?.with_host_agent().start().await?;
    let host = tour::this_machine_is_seen(&server).await?;
    let mut stream = server.api().stream("/api/v1/stream?topics=alerts,commands").await?;

    let suspect = tour::listed_suspect(&server, &server.folder().join("suspect")).await?;
    let (_, alert) = tour::suspect_found_and_ended(&mut stream, &suspect).await?;
    assert_eq!(alert["process"]["name"], suspect.name(), "{alert}");
    assert_eq!(alert["source"], host.as_str(), "{alert}");
    let pid = &alert["process"]["pid"];

    let id = pages::text(&alert, "/id")?;
    let alert = server.api().get_json(&format!("/api/v1/alerts/{id}")).await?;
    let command = pages::text(&alert, "/commands/0/id")?;
    let command = tour::command_ends(&server, command, "succeeded").await?;
    assert_eq!(&command["target"]["pid"], pid, "{command}");
    assert!(command["target"]["start_time"].is_string(), "{command}");

    // Permitted, and written down (DESIGN §6).
    let audit = server.api().get_json("/api/v1/audit?limit=50").await?;
    let actions = audit["data"].as_array().unwrap();
    let ordered = actions.iter().filter(|entry| entry["outcome"] == "permitted");
    assert!(ordered.count() >= 1, "{audit}");
    server.stop().await?;
    Ok(())
}

/// What ends before anybody looks is seen as well: processes are reported as they start.
#[tokio::test(flavor = "multi_thread")]
async fn the_process_table_follows_as_things_happen() -> Result<()> {
    let _machine = machine::alone().await?;
    let server = Setup::new()?.with_host_agent().start().await?;
    let host = tour::this_machine_is_seen(&server).await?;
    let name = format!("calm-{:06x}", server.pid());
    let mut process = Suspect::new(server.folder(), &name)?.start()?;
    let pid = process.pid();
    let path = format!("/api/v1/hosts/{}/processes", pages::percent_encoded(&host));
    let api = server.api();
    let listed = async |wanted: bool| {
        tour::until(tour::SOON, async || {
            let processes = api.get_json(&path).await?;
            let all = processes["data"].as_array().unwrap();
            let found = all.iter().find(|process| process["pid"] == pid);
            anyhow::ensure!(found.is_some() == wanted, "{found:?}");
            Ok(found.cloned())
        })
        .await
    };
    let found = listed(true).await?.unwrap();
    assert_eq!(found["name"], name.get(..15).unwrap_or(&name), "{found}");
    assert_eq!(found["parent_pid"], std::process::id(), "{found}");
    assert!(process.runs()?, "nobody ordered to end it");
    drop(process);
    listed(false).await?;
    Ok(())
}
