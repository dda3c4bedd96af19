//! The way to Redis: one connection that all requests share, given up when it fails, left alone when
//! Redis does not work.

use super::RedisStateError;
use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value};
use parking_lot::Mutex;
use ringwall_resilience::{Admission, BreakerSettings, BreakerState, CircuitBreaker};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A script, and what Redis calls it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub(super) number: usize,
    pub(super) text: &'static str,
}

pub(super) struct Link {
    client: Client,
    timeout: Duration,
    scripts: &'static [Script],
    /// Which connection it is, so that one which failed is given up once, not its successor too.
    open: tokio::sync::Mutex<Option<(u64, Connection)>>,
    connections: AtomicU64,
    breaker: Mutex<CircuitBreaker>,
}

#[derive(Clone)]
struct Connection {
    multiplexed: MultiplexedConnection,
    /// The names of the scripts, in their order.
    digests: std::sync::Arc<[String]>,
}

/// What goes out.
#[derive(Clone, Copy)]
enum Ask<'a> {
    Script { script: Script, keys: &'a [String], arguments: &'a [String] },
    Command(&'a Cmd),
}

impl Connection {
    async fn ask(&mut self, ask: Ask<'_>) -> Result<Value, RedisError> {
        let (script, keys, arguments) = match ask {
            Ask::Command(command) => return self.send(command).await,
            Ask::Script { script, keys, arguments } => (script, keys, arguments),
        };
        let digest = self.digests.get(script.number).map_or("", String::as_str);
        let by_name = command("EVALSHA", digest, keys, arguments);
        match self.send(&by_name).await {
            // Somebody flushed the scripts away.
            Err(error) if error.code() == Some("NOSCRIPT") => {
                self.send(&command("EVAL", script.text, keys, arguments)).await
            }
            answer => answer,
        }
    }

    async fn send(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        flat(self.multiplexed.send_packed_command(command).await)
    }
}

fn flat(answer: Result<Value, RedisError>) -> Result<Value, RedisError> {
    match answer? {
        Value::ServerError(error) => Err(error.into()),
        value => Ok(value),
    }
}

/// So many requests may wait for Redis at once; the others are refused here at once.
const CONCURRENCY_MAX: usize = 4096;

impl Link {
    pub(super) fn new(client: Client, timeout: Duration, scripts: &'static [Script]) -> Self {
        let breaker = BreakerSettings {
            failures_max: 3,
            open_for: Duration::from_millis(500),
            open_for_max: Duration::from_secs(5),
            probe_patience: timeout * 2,
            ..BreakerSettings::default()
        };
        Self {
            client,
            timeout,
            scripts,
            open: tokio::sync::Mutex::new(None),
            connections: AtomicU64::new(0),
            breaker: Mutex::new(CircuitBreaker::new(breaker)),
        }
    }

    /// Whether Redis is believed to work.
    pub(super) fn is_closed(&self) -> bool {
        self.breaker.lock().state(Instant::now()) == BreakerState::Closed
    }

    /// Runs a script.
    pub(super) async fn run(
        &self,
        script: Script,
        keys: &[String],
        arguments: &[String],
    ) -> Result<Value, RedisStateError> {
        self.guarded(Ask::Script { script, keys, arguments }).await
    }

    /// Sends one command.
    pub(super) async fn send(&self, command: &Cmd) -> Result<Value, RedisStateError> {
        self.guarded(Ask::Command(command)).await
    }

    /// Asks, within the time and where the breaker lets it.
    async fn guarded(&self, ask: Ask<'_>) -> Result<Value, RedisStateError> {
        let admission = self.breaker.lock().admit(Instant::now());
        let Admission::Admit(permit) = admission else { return Err(RedisStateError::Away) };
        match tokio::time::timeout(self.timeout, self.ask_twice(ask)).await {
            Ok(Ok(value)) => {
                self.breaker.lock().succeeded(permit);
                Ok(value)
            }
            // It works, but does not like the question: a key of another type, no more memory.
            Ok(Err(error)) if error.code().is_some_and(|code| code != "LOADING") => {
                self.breaker.lock().succeeded(permit);
                Err(RedisStateError::Refused(error.code().unwrap_or_default().to_owned()))
            }
            Ok(Err(error)) => {
                self.breaker.lock().failed(permit, Instant::now());
                Err(RedisStateError::Broken(error.category().to_owned()))
            }
            Err(_) => {
                // Its answers would come late, one after the other. Who holds the lock connects anew.
                if let Ok(mut open) = self.open.try_lock() {
                    *open = None;
                }
                self.breaker.lock().failed(permit, Instant::now());
                Err(RedisStateError::TooSlow)
            }
        }
    }

    /// A connection that broke, perhaps while it was idle, is made again once. Every script may come twice:
    /// what it adds has a name.
    async fn ask_twice(&self, ask: Ask<'_>) -> Result<Value, RedisError> {
        let (number, mut connection) = self.connection().await?;
        match connection.ask(ask).await {
            Err(error) if error.code().is_none() && !error.is_timeout() => {
                self.give_up(number).await;
                let (number, mut connection) = self.connection().await?;
                let answer = connection.ask(ask).await;
                if answer.as_ref().is_err_and(|error| error.code().is_none()) {
                    self.give_up(number).await;
                }
                answer
            }
            answer => answer,
        }
    }

    async fn connection(&self) -> Result<(u64, Connection), RedisError> {
        let mut open = self.open.lock().await;
        if let Some((number, connection)) = &*open {
            return Ok((*number, connection.clone()));
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout))
            .set_concurrency_limit(CONCURRENCY_MAX);
        let mut multiplexed =
            self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut digests = Vec::with_capacity(self.scripts.len());
        for script in self.scripts {
            let mut load = ::redis::cmd("SCRIPT");
            load.arg("LOAD").arg(script.text);
            match flat(multiplexed.send_packed_command(&load).await)? {
                Value::BulkString(digest) => digests.push(String::from_utf8_lossy(&digest).into()),
                Value::SimpleString(digest) => digests.push(digest),
                // Then the script goes out whole.
                _ => digests.push(String::new()),
            }
        }
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let connection = Connection { multiplexed, digests: digests.into() };
        *open = Some((number, connection.clone()));
        Ok((number, connection))
    }

    async fn give_up(&self, number: u64) {
        let mut open = self.open.lock().await;
        if open.as_ref().is_some_and(|(present, _)| *present == number) {
            *open = None;
        }
    }
}

fn command(name: &str, script: &str, keys: &[String], arguments: &[String]) -> Cmd {
    let mut command = ::redis::cmd(name);
    command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
    command
}
