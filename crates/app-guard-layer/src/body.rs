//! The request's body on its way to the application.

use crate::callbacks::Told;
use crate::carrier::{Carrier, now};
use crate::held::Held;
use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;
use ringwall_app_guard::{Answer, BodyFlow, Exchange};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

/// A request's body behind the guard: first what was held back and found harmless, then what streams on, which
/// is searched as it passes.
///
/// Where an attack shows in what streams, the body ends with [`GuardBodyError::Refused`], and the guard answers
/// in the application's place if that has not begun to.
pub struct GuardBody<B: Body> {
    held: Held,
    trailers: Option<HeaderMap>,
    failed: Option<B::Error>,
    rest: Option<B>,
    watched: Option<Arc<Watched>>,
}

/// Why a body ends early.
#[derive(Debug)]
#[non_exhaustive]
pub enum GuardBodyError<E> {
    /// The guard found an attack in it, or it is larger than allowed.
    Refused,
    /// The body itself failed.
    Body(E),
}

impl<B: Body> GuardBody<B> {
    pub(crate) fn new(
        held: Held,
        trailers: Option<HeaderMap>,
        failed: Option<B::Error>,
        rest: Option<B>,
        watched: Option<Arc<Watched>>,
    ) -> Self {
        Self { held, trailers, failed, rest, watched }
    }
}

// Nothing in it is pinned in place: the body that streams is `Unpin`, and polled where it is.
impl<B: Body + Unpin> Unpin for GuardBody<B> {}

impl<B: Body<Data = Bytes> + Unpin> Body for GuardBody<B> {
    type Data = Bytes;
    type Error = GuardBodyError<B::Error>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Some(piece) = this.held.pop() {
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if let Some(error) = this.failed.take() {
            this.rest = None;
            return Poll::Ready(Some(Err(GuardBodyError::Body(error))));
        }
        let Some(rest) = &mut this.rest else {
            return Poll::Ready(this.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        };
        let frame = ready!(Pin::new(rest).poll_frame(context));
        let Some(watched) = &this.watched else {
            return Poll::Ready(frame.map(|frame| frame.map_err(GuardBodyError::Body)));
        };
        let flow = match &frame {
            Some(Ok(frame)) => {
                frame.data_ref().map_or(BodyFlow::More, |data| watched.body_chunk(data))
            }
            Some(Err(_)) => BodyFlow::More,
            None => watched.body_end(),
        };
        if flow == BodyFlow::Stop {
            // Nothing that follows is read, let alone handed on.
            this.rest = None;
            this.watched = None;
            return Poll::Ready(Some(Err(GuardBodyError::Refused)));
        }
        if frame.is_none() {
            this.rest = None;
            this.watched = None;
        }
        Poll::Ready(frame.map(|frame| frame.map_err(GuardBodyError::Body)))
    }

    fn is_end_stream(&self) -> bool {
        let nothing_left = self.rest.as_ref().is_none_or(|rest| {
            // What is watched has an end to be told of.
            self.watched.is_none() && rest.is_end_stream()
        });
        self.held.bytes() == 0 && self.failed.is_none() && self.trailers.is_none() && nothing_left
    }

    fn size_hint(&self) -> SizeHint {
        let held = u64::try_from(self.held.bytes()).unwrap_or(u64::MAX);
        let rest =
            self.rest.as_ref().map(Body::size_hint).unwrap_or_else(|| SizeHint::with_exact(0));
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(held));
        }
        hint.set_lower(rest.lower().saturating_add(held));
        hint
    }
}

impl<B: Body> fmt::Debug for GuardBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardBody")
            .field("held_bytes", &self.held.bytes())
            .field("is_watched", &self.watched.is_some())
            .finish_non_exhaustive()
    }
}

impl<E: fmt::Display> fmt::Display for GuardBodyError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the guard refused the body"),
            Self::Body(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for GuardBodyError<E> {}

/// The answer to a question, on its way.
pub(crate) type WaitingAnswer = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// The engine of an exchange whose body streams on, shared by the body and the answer.
pub(crate) struct Watched {
    carrier: Arc<Carrier>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// There from the first moment on that anyone can ask.
    exchange: Option<Box<Exchange>>,
    is_stopped: bool,
    is_finished: bool,
    /// Whether a task waits for an answer, which goes on with all that is left.
    is_concluding: bool,
    waker: Option<Waker>,
}

impl Watched {
    pub(crate) fn empty(carrier: Arc<Carrier>) -> Self {
        let inner = Inner {
            exchange: None,
            is_stopped: false,
            is_finished: false,
            is_concluding: false,
            waker: None,
        };
        Self { carrier, inner: Mutex::new(inner) }
    }

    pub(crate) fn put(&self, exchange: Box<Exchange>) {
        self.inner.lock().exchange = Some(exchange);
    }

    pub(crate) fn with<T>(&self, call: impl FnOnce(&mut Exchange) -> T) -> T {
        let mut inner = self.inner.lock();
        let exchange = inner.exchange.as_mut();
        call(exchange.expect("it is put in before it is shared"))
    }

    pub(crate) fn poll_stopped(&self, context: &mut Context<'_>) -> bool {
        let mut inner = self.inner.lock();
        if !inner.is_stopped && !inner.waker.as_ref().is_some_and(|w| w.will_wake(context.waker()))
        {
            inner.waker = Some(context.waker().clone());
        }
        inner.is_stopped
    }

    pub(crate) fn finished(&self) {
        self.inner.lock().is_finished = true;
    }

    /// Brings to its end what is being counted about the client, though nobody waits for it any more: an
    /// attacker that hangs up does not get away with it. Then it is told.
    pub(crate) fn conclude(self: &Arc<Self>, waiting: Option<WaitingAnswer>) {
        let mut inner = self.inner.lock();
        self.conclude_with(&mut inner, waiting);
    }

    fn conclude_with(self: &Arc<Self>, inner: &mut Inner, waiting: Option<WaitingAnswer>) {
        let Some(exchange) = inner.exchange.as_mut().filter(|_| !inner.is_concluding) else {
            return;
        };
        let mut waiting = waiting;
        while waiting.is_none() && exchange.is_counting() {
            match self.carrier.run(exchange, None, now()) {
                Ok(_) => break,
                Err(Told::Now(answer)) => exchange.answer(answer),
                Err(Told::Later(answer)) => waiting = Some(answer),
            }
        }
        self.carrier.tell(exchange, now());
        let Some(waiting) = waiting else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::warn!("the runtime has ended before an attack was counted");
            return;
        };
        inner.is_concluding = true;
        let watched = Arc::clone(self);
        drop(runtime.spawn(async move {
            let answer = waiting.await;
            let mut inner = watched.inner.lock();
            inner.is_concluding = false;
            if let Some(exchange) = &mut inner.exchange {
                exchange.answer(answer);
            }
            watched.conclude_with(&mut inner, None);
        }));
    }

    fn body_chunk(self: &Arc<Self>, chunk: &[u8]) -> BodyFlow {
        self.judge(|exchange| exchange.body_chunk(chunk, now()))
    }

    fn body_end(self: &Arc<Self>) -> BodyFlow {
        self.judge(|exchange| exchange.body_end(now()))
    }

    fn judge(self: &Arc<Self>, judge: impl FnOnce(&mut Exchange) -> BodyFlow) -> BodyFlow {
        let mut inner = self.inner.lock();
        let Some(exchange) = &mut inner.exchange else { return BodyFlow::More };
        let flow = judge(exchange);
        if flow != BodyFlow::Stop {
            return flow;
        }
        if inner.is_finished {
            // The answer has gone out; what is left is to count it and to tell of it.
            self.conclude_with(&mut inner, None);
        }
        inner.is_stopped = true;
        if let Some(waker) = inner.waker.take() {
            waker.wake();
        }
        flow
    }
}
