//! Orders from the tool through a real server to a real host agent and back; and hosts that change.

use crate::identity::{Host, identity, token};
use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::server::{Server, Setup};
use ringwall_end_to_end::{machine, pages, tour};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

const NAME: &str = "db-1";
const MACHINE: &str = "0123456789abcdef0123456789abcdef";

/// A host that is enrolled under [`NAME`].
async fn enrolled(server: &Server) -> Result<Host> {
    let host = Host::new(MACHINE)?;
    let token = token(server, &["--name", NAME]).await?;
    host.enrolled(&server.ready().main, &token, &[]).await?;
    Ok(host)
}

async fn host_row(server: &Server) -> Result<Value> {
    server.api().get(&format!("/api/v1/hosts/host-agent:{NAME}")).await?.expect(200)?.json()
}

/// Leave to enrol ends by itself: once it has, the token opens nothing, and says so to who has it.
#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_that_has_expired_enrols_nobody() -> Result<()> {
    let server = Setup::new()?.start().await?;
    let token = token(&server, &["--name", NAME]).await?;
    // No shorter one than a minute is given, and no test waits for one.
    let stopped = server.stop().await?;
    let script = "import json, sqlite3, sys\n\
                  c = sqlite3.connect(sys.argv[1])\n\
                  where = \"WHERE kind = 'enrolment'\"\n\
                  (text,) = c.execute('SELECT body FROM document ' + where).fetchone()\n\
                  body = json.loads(text)\n\
                  body['expires'] = body['created']\n\
                  c.execute('UPDATE document SET body = ? ' + where, (json.dumps(body),))\n\
                  c.commit()";
    let database = stopped.data().join("ringwall.db");
    let done = Command::new("python3").args(["-c", script]).arg(&database).output().await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let server = stopped.start().await?;

    let host = Host::new(MACHINE)?;
    let refused = host.enrol(&server.ready().main, &token, &[]).await?;
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && words.contains("this enrolment expired at"), "{words}");
    ensure!(words.contains("ringwall hosts enrol") && !words.contains("rwe_"), "{words}");
    ensure!(!host.state_dir().join("identity.json").exists(), "it has an identity");
    let identities = server.api().get_json("/api/v1/identities").await?;
    ensure!(identities["data"] == json!([]), "{identities}");
    let audit = pages::of_api(&server.api(), "/api/v1/audit").await?;
    let entry = audit.iter().find(|entry| entry["action"] == "enrol").context("no entry")?;
    ensure!(entry["outcome"] == "refused", "{entry}");
    Ok(())
}

/// What a host is called is not who it is: under another hostname the same agent goes on, and nobody takes it
/// for another one.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_hostname_keeps_the_identity() -> Result<()> {
    let _machine = machine::alone().await?;
    let possible = Command::new("unshare").args(["--uts", "true"]).output().await;
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no hostname of its own can be given here (unshare --uts)");
        return Ok(());
    }
    let server = Setup::new()?.start().await?;
    let host = enrolled(&server).await?;
    let mut runs = Vec::new();
    for hostname in ["before", "after"] {
        let script = "echo \"$0\" > /proc/sys/kernel/hostname && exec \"$@\"";
        let mut inside = Command::new("unshare");
        inside.args(["--uts", "sh", "-c", script, hostname]).arg(&host.program);
        inside.args(["host-agent", "--state-dir"]).arg(host.state_dir());
        inside.arg("--machine-id-file").arg(host.folder.path().join("machine-id"));
        inside.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let mut agent = inside.spawn().context("cannot start")?;
        tour::until(tour::SOON, async || {
            let row = host_row(&server).await?;
            ensure!(row["hostname"] == hostname, "{}", row["hostname"]);
            ensure!(row["identity"]["state"] == "active", "{row}");
            Ok(())
        })
        .await?;
        agent.kill().await?;
        agent.wait().await?;
        runs.push(identity(&server, NAME).await?["key_id"].clone());
    }
    ensure!(runs[0] == runs[1] && runs[0].is_string(), "{runs:?}");
    let hosts = pages::of_api(&server.api(), "/api/v1/hosts").await?;
    ensure!(hosts.len() == 1, "{hosts:?}");
    ensure!(identity(&server, NAME).await?["warning"].is_null());
    Ok(())
}

/// A file of several parts, brought over and read back; what must not be read is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_collected_from_a_host() -> Result<()> {
    let _machine = machine::alone().await?;
    let server = Setup::new()?.start().await?;
    let host = enrolled(&server).await?;
    let _agent = host.start(&host.folder.path().join("agent.log"))?;
    tour::until(tour::SOON, async || host_row(&server).await.map(|_| ())).await?;

    let folder = host.folder.path().canonicalize()?;
    let (sample, copy) = (folder.join("sample.bin"), folder.join("copy.bin"));
    let content: Vec<u8> = (0..3_500_001u32).map(|number| (number % 251) as u8).collect();
    std::fs::write(&sample, &content)?;
    let text = |path: &Path| path.to_str().map(str::to_owned).context("not a path");
    let order = async |path: &Path| {
        let (path, copy) = (text(path)?, text(&copy)?);
        let why = ["--reason", "to look at it", "-o", &copy];
        server.ringwall(&[["commands", "collect", NAME, &path].as_slice(), &why].concat()).await
    };
    order(&sample).await?;
    ensure!(std::fs::read(&copy)? == content, "what came is not what was there");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&copy)?.permissions());
    ensure!(mode & 0o777 == 0o600, "{mode:o}");
    let commands = pages::of_api(&server.api(), "/api/v1/commands").await?;
    ensure!(commands.len() == 1 && commands[0]["state"] == "succeeded", "{commands:?}");
    ensure!(commands[0]["file"]["bytes"] == content.len(), "{commands:?}");
    let audit = pages::of_api(&server.api(), "/api/v1/audit").await?;
    let actions: Vec<&str> = audit.iter().filter_map(|entry| entry["action"].as_str()).collect();
    ensure!(actions.iter().filter(|action| action.contains("file")).count() >= 2, "{actions:?}");

    std::fs::remove_file(&copy)?;
    let link = folder.join("link");
    std::os::unix::fs::symlink(&sample, &link)?;
    for path in [link, folder.join("nothing"), host.state_dir().join("identity.json")] {
        let refused = order(&path).await;
        ensure!(refused.is_err() && !copy.exists(), "{}: {refused:?}", path.display());
    }
    Ok(())
}

/// The packet filter is the whole machine's: so in a network of its own.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_blocked_on_a_host() -> Result<()> {
    let inside = ["-n", "ip", "link", "set", "lo", "up"];
    let possible = Command::new("unshare").args(inside).output().await;
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no network of its own can be made here, which takes root");
        return Ok(());
    }
    let possible = Command::new("unshare").args(["-n", "nft", "list", "ruleset"]).output().await;
    if !possible.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: nft is not there, or may not be used");
        return Ok(());
    }
    let mut inside = Command::new("unshare");
    inside.arg("-n").arg(std::env::current_exe()?);
    inside.args(["--ignored", "--exact", INSIDE, "--test-threads=1", "--nocapture"]);
    let output = inside.output().await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && text.contains("1 passed"), "{text}{complaint}");
    Ok(())
}

const INSIDE: &str = "commanding::inside_a_network_of_its_own";
/// For documentation only (RFC 5737): nobody is there.
const ADDRESS: &str = "203.0.113.9";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "started by the test above, inside the network"]
async fn inside_a_network_of_its_own() -> Result<()> {
    let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().await?;
    ensure!(up.success(), "no loopback");
    let _machine = machine::alone().await?;
    let server = Setup::new()?.start().await?;
    let host = enrolled(&server).await?;
    let _agent = host.start(&host.folder.path().join("agent.log"))?;
    tour::until(tour::SOON, async || host_row(&server).await.map(|_| ())).await?;

    let filter = async || -> Result<String> {
        let listed = Command::new("nft").args(["list", "ruleset"]).output().await?;
        Ok(String::from_utf8_lossy(&listed.stdout).into_owned())
    };
    ensure!(!filter().await?.contains(ADDRESS));
    let why = ["--reason", "scans us"];
    let block = ["commands", "block", NAME, ADDRESS, "--for", "600"];
    server.ringwall(&[block.as_slice(), &why].concat()).await?;
    let found = filter().await?;
    ensure!(found.contains("table inet ringwall") && found.contains(ADDRESS), "{found}");
    ensure!(found.contains("timeout"), "it ends by itself: {found}");
    // The way to the server itself is never cut.
    let own = ["commands", "block", NAME, "127.0.0.1", "--for", "600"];
    ensure!(server.ringwall(&[own.as_slice(), &why].concat()).await.is_err());
    let unblock = ["commands", "unblock", NAME, ADDRESS];
    server.ringwall(&[unblock.as_slice(), &why].concat()).await?;
    let found = filter().await?;
    ensure!(!found.contains(ADDRESS), "{found}");
    Ok(())
}
