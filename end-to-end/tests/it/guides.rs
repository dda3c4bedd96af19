//! The guides' own code runs: blocks marked ` ```bash test` and ` ```python test`, in their order.
//!
//! A block sees `RINGWALL_DATA_DIR`, `RINGWALL_URL`, `RINGWALL_TOKEN`, `SYSSCORE_URL` and
//! `WATCHER_URL`, finds `ringwall` and our Python in `PATH`, and stands in one folder for the whole
//! guide. The well-known ports (7400, 8000, 9000) in its text are replaced by those of the test's
//! server, and variables set by a bash block are there for the blocks after it.

use anyhow::{Context, Result, bail, ensure};
use ringwall_end_to_end::environment;
use ringwall_end_to_end::markdown::{Block, tested_blocks};
use ringwall_end_to_end::server::{Server, Setup};
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn connect_sysscore() -> Result<()> {
    check("docs/connect-sysscore.md").await
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_watcher() -> Result<()> {
    check("docs/connect-watcher.md").await
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_guard() -> Result<()> {
    check("docs/connect-guard.md").await
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks() -> Result<()> {
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let setup = Setup::new()?.config("[webhooks]\nallow_networks = [\"127.0.0.1\"]\n")?;
    check_with("docs/webhooks.md", setup, &[("PORT", port.to_string())]).await
}

async fn check(guide: &str) -> Result<()> {
    check_with(guide, Setup::new()?, &[]).await
}

async fn check_with(guide: &str, setup: Setup, variables: &[(&str, String)]) -> Result<()> {
    let path = environment::root().join(guide);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let blocks = tested_blocks(&text);
    ensure!(!blocks.is_empty(), "{guide} has no block that a test runs");
    let server = setup.start().await?;
    let folder = server.folder().join("guide");
    std::fs::create_dir_all(&folder)?;
    for block in blocks {
        run(&server, &folder, &block, variables)
            .await
            .with_context(|| format!("{guide}:{}: {} block", block.line, block.language))?;
    }
    server.stop().await?;
    Ok(())
}

async fn run(
    server: &Server,
    folder: &Path,
    block: &Block,
    variables: &[(&str, String)],
) -> Result<()> {
    let code = with_our_ports(server, &block.code)?;
    let (file, script) = match block.language.as_str() {
        "bash" => (
            "block.sh",
            "set -euo pipefail; [ ! -f .vars ] || . ./.vars; set -a; . ./block.sh; set +a; \
             export -p > .vars",
        ),
        "python" => {
            ("block.py", "set -e; [ ! -f .vars ] || . ./.vars; exec python3 -W ignore block.py")
        }
        other => bail!("cannot run a block of {other}"),
    };
    std::fs::write(folder.join(file), code)?;
    let program = environment::ringwall()?;
    let python = environment::python();
    let mut path = vec![];
    path.extend([&program, &python].iter().filter_map(|p| p.parent()).map(Path::to_path_buf));
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let ready = server.ready();
    let output = Command::new("bash")
        .args(["-c", script])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(path)?)
        .env("RINGWALL_DATA_DIR", &ready.data_dir)
        .env("RINGWALL_URL", &ready.main)
        .env("RINGWALL_TOKEN", &ready.admin_token)
        .env("SYSSCORE_URL", server.dialect("sysscore")?)
        .env("WATCHER_URL", server.dialect("watcher")?)
        .envs(variables.iter().map(|(name, value)| (*name, value)))
        .stdin(Stdio::null())
        .output()
        .await?;
    let shown = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(output.status.success(), "{}: {shown}", output.status);
    Ok(())
}

fn with_our_ports(server: &Server, code: &str) -> Result<String> {
    let ready = server.ready();
    let mut code = code.to_owned();
    let known = [
        (7400, ready.main.as_str()),
        (8000, server.dialect("sysscore")?),
        (9000, server.dialect("watcher")?),
    ];
    for (port, url) in known {
        for host in ["localhost", "127.0.0.1"] {
            code = code.replace(&format!("http://{host}:{port}"), url);
        }
    }
    Ok(code)
}
