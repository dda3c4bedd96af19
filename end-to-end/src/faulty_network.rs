//! A network between clients and a server that does what is asked of it, also to connections that are
//! open already.

use anyhow::Result;
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to all connections from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is wrong.
    None,
    /// Connections are accepted, and nothing goes through any of them.
    Stall,
    /// Connections are reset, those that are open and those that come.
    Reset,
    /// Requests go through; of the answers so many bytes, then the connection ends.
    CutAnswers(usize),
}

/// The network; it ends when dropped.
#[derive(Debug)]
pub struct FaultyNetwork {
    url: String,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    server: SocketAddr,
    fault: Fault,
}

impl FaultyNetwork {
    /// Listens on a port of its own before this server.
    ///
    /// # Errors
    ///
    /// When no port is free.
    pub async fn start(server: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (state, seen) = watch::channel(State { server, fault: Fault::None });
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // What becomes of one connection is the client's to find out.
                let seen = seen.clone();
                tokio::spawn(async move { carry(client, seen).await.ok() });
            }
        });
        Ok(Self { url, state, task })
    }

    /// Where clients connect.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the server is now.
    pub fn set_server(&self, server: SocketAddr) {
        self.state.send_modify(|state| state.server = server);
    }

    /// What happens from now on.
    pub fn set_fault(&self, fault: Fault) {
        self.state.send_modify(|state| state.fault = fault);
    }
}

impl Drop for FaultyNetwork {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, mut seen: watch::Receiver<State>) -> std::io::Result<()> {
    let is_over = |state: &State| state.fault == Fault::Reset;
    if is_over(&seen.borrow()) {
        return reset(client);
    }
    let server = seen.borrow().server;
    let server = TcpStream::connect(server).await?;
    // Closing with a linger of zero is what sends a reset.
    client.set_zero_linger()?;
    let (from_server, to_server) = server.into_split();
    let (from_client, to_client) = client.into_split();
    let requests = copy(from_client, to_server, seen.clone(), false);
    let answers = copy(from_server, to_client, seen.clone(), true);
    tokio::select! {
        ended = requests => ended,
        ended = answers => ended,
        _ = seen.wait_for(is_over) => Ok(()),
    }
}

fn reset(client: TcpStream) -> std::io::Result<()> {
    client.set_zero_linger()
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut seen: watch::Receiver<State>,
    are_answers: bool,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        // An error means that the network is gone, and the connection with it.
        drop(seen.wait_for(|state| state.fault != Fault::Stall).await);
        let part = match seen.borrow().fault {
            Fault::CutAnswers(bytes) if are_answers => bytes.min(length),
            _ => length,
        };
        to.write_all(buffer.get(..part).unwrap_or_default()).await?;
        if part < length {
            return Ok(());
        }
    }
}
