//! One connection to Redis, held to a time and to so many bytes an answer.

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, RedisError, Value};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// Connects when it is asked, and again after whatever went wrong.
pub(super) struct Connection {
    info: ConnectionInfo,
    timeout: Duration,
    open: Option<(MultiplexedConnection, Allowance)>,
}

/// How many bytes may still be read.
type Allowance = Arc<AtomicU64>;

/// What greeting and logging in may answer.
const GREETING_BYTES_MAX: u64 = 64 << 10;

impl Connection {
    pub(super) fn new(info: ConnectionInfo, timeout: Duration) -> Self {
        Self { info, timeout, open: None }
    }

    /// Asks, and once more over a new connection where the present one breaks: it may be an old one,
    /// and the scripts know a call that comes again.
    pub(super) async fn ask(&mut self, command: &Cmd, bytes_max: u64) -> Result<Value, RedisError> {
        match self.ask_once(command, bytes_max).await {
            Err(error) if error.is_io_error() || error.is_timeout() => {
                self.ask_once(command, bytes_max).await
            }
            answer => answer,
        }
    }

    async fn ask_once(&mut self, command: &Cmd, bytes_max: u64) -> Result<Value, RedisError> {
        // Taken out, so that a call that is given up takes its connection along: the answer would come
        // before that of the next call.
        let open = self.open.take();
        let asked = async {
            let (mut connection, allowance) = match open {
                Some(open) => open,
                None => self.connect().await?,
            };
            allowance.store(bytes_max, Ordering::Relaxed);
            let answer = connection.send_packed_command(command).await;
            Ok::<_, RedisError>((answer, connection, allowance))
        };
        let asked = tokio::time::timeout(self.timeout, asked).await;
        let late = |_| RedisError::from(io::Error::from(io::ErrorKind::TimedOut));
        let (answer, connection, allowance) = asked.map_err(late)??;
        let is_usable = match &answer {
            Ok(_) => true,
            // Redis answered, if only with an error.
            Err(error) => error.code().is_some(),
        };
        if is_usable {
            self.open = Some((connection, allowance));
        }
        match answer? {
            Value::ServerError(error) => Err(error.into()),
            value => Ok(value),
        }
    }

    async fn connect(&self) -> Result<(MultiplexedConnection, Allowance), RedisError> {
        let stream: Box<dyn Stream> = match self.info.addr() {
            ConnectionAddr::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            ConnectionAddr::Unix(path) => Box::new(UnixStream::connect(path).await?),
            _ => return Err(io::Error::from(io::ErrorKind::Unsupported).into()),
        };
        let allowance = Arc::new(AtomicU64::new(GREETING_BYTES_MAX));
        let bounded = Bounded { stream, allowance: allowance.clone() };
        // The time is kept here, over all of a call.
        let config =
            AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        let settings = self.info.redis_settings();
        let made = MultiplexedConnection::new_with_config(settings, bounded, config).await?;
        let (connection, driver) = made;
        // It ends with the connection.
        drop(tokio::spawn(driver));
        Ok((connection, allowance))
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Reads no more than it is allowed: an answer is held in memory, and its length is the server's word.
struct Bounded {
    stream: Box<dyn Stream>,
    allowance: Allowance,
}

impl AsyncRead for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        let read = u64::try_from(buffer.filled().len() - before).unwrap_or(u64::MAX);
        let left = self.allowance.load(Ordering::Relaxed);
        match left.checked_sub(read) {
            Some(left) => self.allowance.store(left, Ordering::Relaxed),
            None => return Poll::Ready(Err(io::Error::from(io::ErrorKind::FileTooLarge))),
        }
        polled
    }
}

impl AsyncWrite for Bounded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
