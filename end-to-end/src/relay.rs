//! A fixed port before a server whose port changes, and a network that fails when told to.

use anyhow::{Context, Result};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Nothing answers.
    Down,
    /// All goes through to this server.
    Through(SocketAddr),
    /// Requests go through, their answers are lost.
    AnswersLost(SocketAddr),
}

/// The relay; it ends when dropped.
#[derive(Debug)]
pub struct Relay {
    url: String,
    network: Arc<Mutex<Network>>,
    task: JoinHandle<()>,
}

impl Relay {
    /// Listens on a port of its own.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start(network: Network) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let network = Arc::new(Mutex::new(network));
        let task = tokio::spawn(accept(listener, Arc::clone(&network)));
        Ok(Self { url, network, task })
    }

    /// Where clients connect.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on.
    pub fn set(&self, network: Network) {
        *self.network.lock().unwrap_or_else(PoisonError::into_inner) = network;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The address in a URL such as `http://127.0.0.1:8000`.
///
/// # Errors
///
/// When there is none, or a path follows it.
pub fn address(url: &str) -> Result<SocketAddr> {
    let address = url.strip_prefix("http://").context("not an http URL")?;
    address.parse().with_context(|| format!("`{url}` is more than an address and a port"))
}

async fn accept(listener: TcpListener, network: Arc<Mutex<Network>>) {
    while let Ok((client, _)) = listener.accept().await {
        let now = *network.lock().unwrap_or_else(PoisonError::into_inner);
        // What becomes of one connection is the client's to find out.
        tokio::spawn(async move { carry(client, now).await.ok() });
    }
}

async fn carry(mut client: TcpStream, network: Network) -> std::io::Result<()> {
    match network {
        Network::Down => Ok(()),
        Network::Through(address) => {
            let mut server = TcpStream::connect(address).await?;
            copy_bidirectional(&mut client, &mut server).await.map(drop)
        }
        Network::AnswersLost(address) => {
            let server = TcpStream::connect(address).await?;
            let (mut answers, mut requests) = server.into_split();
            let (mut from_client, to_client) = client.into_split();
            let sending = tokio::spawn(async move {
                tokio::io::copy(&mut from_client, &mut requests).await?;
                requests.shutdown().await
            });
            // The server has done its work when it begins to answer.
            let answered = answers.read_u8().await.map(drop);
            sending.abort();
            drop(to_client);
            answered
        }
    }
}
