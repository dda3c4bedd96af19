use super::Asking;
use crate::discovery::Connect;
use crate::output::say;
use anyhow::Result;
use clap::Args;
use ringwall_lifecycle::Exit;
use ringwall_server_client::Fingerprint;
use serde_json::json;

/// The authority that vouches for the server over https
///
/// Prints its certificate as PEM, and its fingerprint (SHA-256) to stderr. Either tells clients on
/// other machines whom to trust: --ca, RINGWALL_CA, or a browser's list of authorities.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) connect: Connect,
}

const EXAMPLES: &str = "\
Examples:
  ringwall ca > ringwall-ca.pem
  RINGWALL_CA=ringwall-ca.pem RINGWALL_URL=https://guard.example:7400 ringwall hosts";

pub(super) async fn run(asking: &Asking) -> Result<Exit> {
    let pem = asking.client.ca().await?;
    let fingerprint = Fingerprint::of_pem(pem.as_bytes())?.to_string();
    let answer = json!({ "certificate": pem, "fingerprint": fingerprint });
    asking.out.one(&answer, |_| pem.clone())?;
    if !asking.out.json {
        say(&fingerprint);
    }
    Ok(Exit::Yes)
}
