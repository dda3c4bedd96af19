//! A server that other machines reach, asked by the clients that people have: curl, openssl, python and
//! our own tool. It is bound to all addresses and asked on loopback only.

use anyhow::{Context, Result, ensure};
use ringwall_end_to_end::server::{Server, Setup};
use std::path::PathBuf;
use std::process::Output;
use tokio::process::Command;

const BEYOND_LOOPBACK: &str = "\
[server]
listen = \"0.0.0.0:0\"
host_names = [\"guard.example\"]

[dialects.sysscore]
listen = \"0.0.0.0:0\"

[dialects.watcher]
listen = \"0.0.0.0:0\"
tls = \"never\"
";

async fn start() -> Result<Server> {
    Setup::new()?.config(BEYOND_LOOPBACK)?.on_configured_ports().start().await
}

fn ca(server: &Server) -> PathBuf {
    server.ready().data_dir.join("ca.pem")
}

fn port(url: &str) -> Result<&str> {
    url.rsplit_once(':').map(|(_, port)| port).context("no port")
}

async fn run(program: &str, arguments: &[&str]) -> Result<Output> {
    let output = Command::new(program).args(arguments).stdin(std::process::Stdio::null()).output();
    output.await.with_context(|| format!("cannot run {program}"))
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_python_and_openssl_reach_it_over_tls_only() -> Result<()> {
    let server = start().await?;
    let url = server.ready().main.clone();
    ensure!(url.starts_with("https://127.0.0.1:"), "{url}");
    let ca = ca(&server);
    let ca = ca.to_str().context("path")?;
    let health = format!("{url}/api/v1/health");

    let output = run("curl", &["-sS", "--cacert", ca, &health]).await?;
    ensure!(printed(&output).contains("\"status\":\"ok\""), "{}", said(&output));
    // Unknown authorities are refused, and so is a name that the certificate is not for.
    let output = run("curl", &["-sS", &health]).await?;
    ensure!(output.status.code() == Some(60), "{}", said(&output));
    let port = port(&url)?;
    for (name, expected) in [("guard.example", 0), ("localhost", 0), ("other.example", 60)] {
        let resolve = format!("{name}:{port}:127.0.0.1");
        let url = format!("https://{name}:{port}/api/v1/health");
        let output = run("curl", &["-sS", "--cacert", ca, "--resolve", &resolve, &url]).await?;
        ensure!(output.status.code() == Some(expected), "{name}: {}", said(&output));
    }
    let plain = format!("http://127.0.0.1:{port}/api/v1/health");
    let output = run("curl", &["-sS", "-w", "%{http_code}", &plain]).await?;
    ensure!(printed(&output).ends_with("400"), "{}", printed(&output));
    ensure!(printed(&output).contains("https://"), "{}", printed(&output));

    let script = "import ssl, sys, urllib.request as u; c = ssl.create_default_context(cafile=sys.argv[1]); \
                  print(u.urlopen(sys.argv[2], context=c).status)";
    let output = run("python3", &["-c", script, ca, &health]).await?;
    ensure!(printed(&output).trim() == "200", "{}", said(&output));

    let address = format!("127.0.0.1:{port}");
    for (version, expected) in [("-tls1_3", true), ("-tls1_2", true), ("-tls1_1", false)] {
        let arguments = [
            "s_client",
            "-connect",
            &address,
            "-CAfile",
            ca,
            "-verify_return_error",
            "-alpn",
            "h2,http/1.1",
            version,
        ];
        let output = run("openssl", &arguments).await?;
        let words = printed(&output);
        ensure!(words.contains("ALPN protocol: http/1.1") == expected, "{version}: {words}");
        // Without a connection there is nothing to verify, and openssl calls that ok.
        ensure!(words.contains("Verify return code: 0 (ok)"), "{version}: {words}");
    }
    let output = run("openssl", &["x509", "-in", ca, "-noout", "-text"]).await?;
    let words = printed(&output);
    for part in ["CA:TRUE, pathlen:0", "DNS:guard.example", "prime256v1", "Certificate Sign"] {
        ensure!(words.contains(part), "{part}: {words}");
    }

    // Each dialect as it was told: this one like the main listener, that one in the clear.
    let sysscore = server.dialect("sysscore")?.to_owned();
    ensure!(sysscore.starts_with("https://"), "{sysscore}");
    let output = run("curl", &["-sS", "--cacert", ca, &format!("{sysscore}/health")]).await?;
    ensure!(output.status.success(), "{}", said(&output));
    let watcher = server.dialect("watcher")?.to_owned();
    ensure!(watcher.starts_with("http://"), "{watcher}");
    let output = run("curl", &["-sS", &format!("{watcher}/health")]).await?;
    ensure!(output.status.success(), "{}", said(&output));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tool_trusts_whom_it_is_told_to() -> Result<()> {
    let server = start().await?;
    // On the machine of the server it finds the authority by itself.
    let pem = server.ringwall(&["ca"]).await?;
    ensure!(pem == std::fs::read_to_string(ca(&server))?, "{pem}");
    let fingerprint = server.ringwall_json(&["ca"]).await?;
    let fingerprint = fingerprint["fingerprint"].as_str().context("fingerprint")?.to_owned();
    let by_openssl = run(
        "openssl",
        &[
            "x509",
            "-in",
            ca(&server).to_str().context("path")?,
            "-noout",
            "-fingerprint",
            "-sha256",
        ],
    )
    .await?;
    let digits = printed(&by_openssl).trim().replace(':', "").to_lowercase();
    ensure!(digits.ends_with(fingerprint.trim_start_matches("sha256:")), "{digits} {fingerprint}");
    server.ringwall(&["hosts"]).await?;

    let elsewhere = async |ca: Option<&str>| {
        let mut command = Command::from(server.tool());
        command.env("RINGWALL_URL", &server.ready().main);
        command.env("RINGWALL_TOKEN", &server.ready().admin_token).arg("hosts");
        if let Some(ca) = ca {
            command.env("RINGWALL_CA", ca);
        }
        command.output().await
    };
    for ca in [fingerprint.as_str(), ca(&server).to_str().context("path")?] {
        let output = elsewhere(Some(ca)).await?;
        ensure!(output.status.success(), "{ca}: {}", said(&output));
    }
    let output = elsewhere(None).await?;
    ensure!(output.status.code() == Some(2), "{}", said(&output));
    ensure!(said(&output).contains("RINGWALL_CA"), "{}", said(&output));
    let other = format!("sha256:{}", "0".repeat(64));
    let output = elsewhere(Some(&other)).await?;
    ensure!(output.status.code() == Some(2), "{}", said(&output));
    ensure!(said(&output).contains("cannot be trusted"), "{}", said(&output));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn cookies_over_tls_are_for_tls_only() -> Result<()> {
    let server = start().await?;
    let url = format!("{}/api/v1/session", server.ready().main);
    let body = format!(r#"{{"user":"admin","password":"{}"}}"#, server.ready().admin_password);
    let ca = ca(&server);
    let arguments = [
        "-sS",
        "-i",
        "--cacert",
        ca.to_str().context("path")?,
        "-H",
        "content-type: application/json",
        "-d",
        &body,
        &url,
    ];
    let output = run("curl", &arguments).await?;
    let words = printed(&output).to_lowercase();
    let cookie =
        words.lines().find(|line| line.starts_with("set-cookie:")).context(words.clone())?;
    ensure!(cookie.contains("__host-ringwall_session=") && cookie.contains("; secure"), "{cookie}");
    ensure!(!words.contains("strict-transport-security"), "{words}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_outlives_a_restart() -> Result<()> {
    let server = start().await?;
    let before = std::fs::read_to_string(ca(&server))?;
    let server = server.stop().await?.start().await?;
    ensure!(std::fs::read_to_string(ca(&server))? == before);
    server.ringwall(&["hosts"]).await?;
    Ok(())
}
