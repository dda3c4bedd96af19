//! One exchange on its way through the layer: its engine, what it waits for, and that it is told of once.

use crate::body::{WaitingAnswer, Watched};
use crate::callbacks::Told;
use crate::carrier::{Carrier, now};
use http::request::Parts;
use ringwall_app_guard::{Exchange, Step};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tracing::Span;

pub(crate) struct Exchanging {
    carrier: Arc<Carrier>,
    holder: Holder,
    waiting: Option<WaitingAnswer>,
    is_finished: bool,
    span: Span,
}

/// Where the engine of the exchange is: here, or shared with a body that streams on.
enum Holder {
    Own(Box<Exchange>),
    Shared(Arc<Watched>),
}

impl Exchanging {
    pub(crate) fn new(carrier: Arc<Carrier>, exchange: Exchange, span: Span) -> Self {
        let holder = Holder::Own(Box::new(exchange));
        Self { carrier, holder, waiting: None, is_finished: false, span }
    }

    pub(crate) fn carrier(&self) -> &Arc<Carrier> {
        &self.carrier
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Calls with the engine. Where it is shared, nobody holds it for longer than a chunk takes.
    pub(crate) fn with<T>(&mut self, call: impl FnOnce(&mut Exchange) -> T) -> T {
        match &mut self.holder {
            Holder::Own(exchange) => call(exchange),
            Holder::Shared(watched) => watched.with(call),
        }
    }

    /// Shares the engine with the body that streams on.
    pub(crate) fn share(&mut self) -> Arc<Watched> {
        if let Holder::Shared(watched) = &self.holder {
            return watched.clone();
        }
        let watched = Arc::new(Watched::empty(self.carrier.clone()));
        let holder = std::mem::replace(&mut self.holder, Holder::Shared(watched.clone()));
        if let Holder::Own(exchange) = holder {
            watched.put(exchange);
        }
        watched
    }

    /// Whether the body that streams on was stopped; otherwise wakes this task when it is.
    pub(crate) fn poll_stopped(&self, context: &mut Context<'_>) -> bool {
        match &self.holder {
            Holder::Own(_) => false,
            Holder::Shared(watched) => watched.poll_stopped(context),
        }
    }

    /// Steps until there is something to do.
    pub(crate) fn poll_step(
        &mut self,
        head: Option<&Parts>,
        context: &mut Context<'_>,
    ) -> Poll<Step> {
        loop {
            if let Some(waiting) = &mut self.waiting {
                let answer = ready!(waiting.as_mut().poll(context));
                self.waiting = None;
                self.with(|exchange| exchange.answer(answer));
            }
            let carrier = self.carrier.clone();
            match self.with(|exchange| carrier.run(exchange, head, now())) {
                Ok(step) => return Poll::Ready(step),
                Err(Told::Later(answer)) => self.waiting = Some(answer),
                Err(Told::Now(answer)) => self.with(|exchange| exchange.answer(answer)),
            }
        }
    }

    /// Tells of the exchange; once.
    pub(crate) fn finish(&mut self) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        let carrier = self.carrier.clone();
        let refused = self.with(|exchange| carrier.finish(exchange, now()));
        let verdict = if refused { "refused" } else { "allowed" };
        self.span.record("guard.verdict", verdict);
        if refused {
            self.span.in_scope(|| tracing::debug!("request refused"));
        }
        if let Holder::Shared(watched) = &self.holder {
            watched.finished();
        }
    }
}

impl Drop for Exchanging {
    /// A client that went away is told of as well, and so is one whose answer nobody asked for to its end; what
    /// was being counted about it is counted.
    fn drop(&mut self) {
        if self.is_finished {
            return;
        }
        let carrier = self.carrier.clone();
        let is_counting = self.with(|exchange| {
            exchange.response_end();
            if !exchange.is_counting() {
                return false;
            }
            carrier.count_here(exchange);
            exchange.is_counting()
        });
        self.finish();
        if is_counting {
            let waiting = self.waiting.take();
            self.share().conclude(waiting);
        }
    }
}
