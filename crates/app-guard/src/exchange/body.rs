//! The body of a request, judged while it comes.

mod trap;

use super::{Exchange, Flow};
use crate::event::EventType;
use crate::payload::{BodyScan, Finding};
use ringwall_inspection::{BodySize, Moment, Reply};
use trap::Trap;

/// What to do with the body after a chunk of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum BodyFlow {
    /// Go on: hold back what is held back, pass on what streams.
    More,
    /// No more has to be held back; [`step`](Exchange::step), and then let it stream.
    Release,
    /// It must not reach the application, or no more of it: [`step`](Exchange::step) says what to answer.
    Stop,
}

/// What is known of the body so far.
#[derive(Debug, Default)]
pub(super) struct BodyWatch {
    pub(super) bytes: u64,
    begun: bool,
    scan: Option<BodyScan>,
    trap: Option<Trap>,
    found: Vec<Finding>,
    /// Whether the application may have it from now on.
    released: bool,
    ended: bool,
    stop: Option<Stop>,
    /// In passive mode: whether the size was told.
    told_size: bool,
}

#[derive(Clone, Debug)]
enum Stop {
    TooLarge(u64),
    Attack,
    Trapped(Box<str>),
}

impl BodyWatch {
    pub(super) const fn stopped(&self) -> bool {
        self.stop.is_some()
    }
}

impl Exchange {
    /// Whether chunks of the body have to be fed while it streams to the application.
    #[must_use]
    pub fn watches_body(&self) -> bool {
        let size = self.route.as_ref().is_some_and(|route| route.size_max.is_some());
        !self.body.ended && self.head.body != BodySize::Empty && (size || self.body.scan.is_some())
    }

    /// The next chunk of the request's body.
    pub fn body_chunk(&mut self, chunk: &[u8], now: Moment) -> BodyFlow {
        self.begin_body();
        self.body.bytes = self.body.bytes.saturating_add(chunk.len() as u64);
        let max = self.route.as_ref().and_then(|route| route.size_max);
        if let Some(max) = max.filter(|max| self.body.bytes > *max && self.judges_size()) {
            return self.stop(Stop::TooLarge(max), now);
        }
        if let Some(scan) = &mut self.body.scan {
            scan.feed(chunk, &mut self.body.found);
        }
        if let Some(trap) = &mut self.body.trap {
            trap.feed(chunk);
        }
        if let flow @ BodyFlow::Stop = self.judge_found(now) {
            return flow;
        }
        let held = self.active.hold_bytes as u64;
        if !self.body.released && self.body.bytes >= held {
            self.body.released = true;
            return match self.judge_trap(now) {
                BodyFlow::Stop => BodyFlow::Stop,
                BodyFlow::More | BodyFlow::Release => BodyFlow::Release,
            };
        }
        BodyFlow::More
    }

    /// The body is complete.
    pub fn body_end(&mut self, now: Moment) -> BodyFlow {
        self.begin_body();
        if self.body.ended {
            return BodyFlow::Release;
        }
        self.body.ended = true;
        if let Some(mut scan) = self.body.scan.take() {
            scan.finish(&mut self.body.found);
        }
        if let flow @ BodyFlow::Stop = self.judge_found(now) {
            return flow;
        }
        let already = std::mem::replace(&mut self.body.released, true);
        if already { BodyFlow::Release } else { self.judge_trap(now) }
    }

    /// The body takes too long to come: what came may go on, and the search goes on with what follows. Where
    /// trap fields have to be seen, it is still held back ([`BodyFlow::More`]).
    pub fn release_body(&mut self) -> BodyFlow {
        if self.body.trap.is_some() {
            return BodyFlow::More;
        }
        self.body.released = true;
        BodyFlow::Release
    }

    /// Whether the application may have the body, or what is to be answered.
    pub(super) fn body_is_fine(&mut self, now: Moment) -> Flow {
        if self.body.stopped() {
            return self.body_stopped(now);
        }
        let has_trap = self.route.as_ref().is_some_and(|route| !route.honeypots.is_empty());
        let wanted = (self.searches() && self.active.scan_bodies) || (has_trap && !self.excluded);
        if !wanted || self.head.body == BodySize::Empty || self.body.released || self.body.ended {
            return Flow::Next;
        }
        if !self.body.begun
            && let Some(coding) = self.unreadable_coding()
            && let flow @ Flow::Reply(_) = self.encoded(&coding, now)
        {
            return flow;
        }
        if self.active.hold_bytes == 0 && !has_trap {
            self.begin_body();
            self.body.released = true;
            return Flow::Next;
        }
        self.begin_body();
        Flow::NeedBody
    }

    /// What the body is encoded with, where that keeps it from being searched.
    fn unreadable_coding(&self) -> Option<String> {
        if self.active.allow_encoded_bodies {
            return None;
        }
        let lines = self.head.headers();
        let lines = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
        let mut codings = lines.flat_map(|(_, value)| value.split(|byte| *byte == b','));
        let is_coding = |text: &&[u8]| !text.is_empty() && !text.eq_ignore_ascii_case(b"identity");
        let coding = codings.by_ref().map(<[u8]>::trim_ascii).find(is_coding)?;
        Some(String::from_utf8_lossy(coding).into_owned())
    }

    fn encoded(&mut self, coding: &str, now: Moment) -> Flow {
        let coding = crate::event::kept(coding);
        let reason = format!("the body is encoded with `{coding}` and cannot be searched");
        let event = self
            .event(EventType::ContentFiltered, "request_blocked", reason, now)
            .with("violation_type", "content_encoding")
            .with("content_encoding", coding);
        // RFC 7694 §3: what would be taken instead.
        let reply =
            Reply::new(415, "Unsupported content encoding").header("accept-encoding", "identity");
        self.refuse(reply, event)
    }

    /// The answer to a body that was stopped.
    pub(super) fn body_stopped(&mut self, now: Moment) -> Flow {
        match self.body.stop.take() {
            Some(Stop::TooLarge(max)) => self.too_large(max, now),
            Some(Stop::Attack) => {
                let found = std::mem::take(&mut self.body.found);
                self.attack(found, now)
            }
            Some(Stop::Trapped(field)) => self.trapped(&field, now),
            None => Flow::Next,
        }
    }

    fn begin_body(&mut self) {
        if std::mem::replace(&mut self.body.begun, true) {
            return;
        }
        let content_type = self.head.header_text("content-type");
        if self.searches() && self.active.scan_bodies {
            self.body.scan = Some(self.active.detector.body(content_type));
        }
        let route = self.route.as_ref().filter(|_| !self.excluded);
        if route.is_some_and(|route| !route.honeypots.is_empty()) {
            self.body.trap = Some(Trap::new(content_type));
        }
    }

    /// Excluded paths and routes without checks are not judged by size either.
    fn judges_size(&self) -> bool {
        !self.excluded && !self.bypasses(crate::Bypass::All)
    }

    fn judge_found(&mut self, now: Moment) -> BodyFlow {
        if self.body.found.is_empty() {
            return BodyFlow::More;
        }
        let mut found = std::mem::take(&mut self.body.found);
        self.keep_relevant(&mut found);
        if found.is_empty() {
            return BodyFlow::More;
        }
        self.body.found = found;
        self.stop(Stop::Attack, now)
    }

    fn judge_trap(&mut self, now: Moment) -> BodyFlow {
        let Some(trap) = self.body.trap.take() else { return BodyFlow::Release };
        let fields = self.route.as_ref().map(|route| route.honeypots.as_slice());
        match trap.filled(fields.unwrap_or_default()) {
            Some(field) => match self.stop(Stop::Trapped(field), now) {
                BodyFlow::Stop => BodyFlow::Stop,
                BodyFlow::More | BodyFlow::Release => BodyFlow::Release,
            },
            None => BodyFlow::Release,
        }
    }

    /// Stops the body; in passive mode it is only told.
    fn stop(&mut self, stop: Stop, now: Moment) -> BodyFlow {
        if !self.active.passive {
            self.body.stop = Some(stop);
            self.body.scan = None;
            return BodyFlow::Stop;
        }
        match stop {
            Stop::TooLarge(max) => {
                // Told once; the following chunks are larger still.
                if self.body.bytes > max && !std::mem::replace(&mut self.body.told_size, true) {
                    self.too_large(max, now);
                }
            }
            Stop::Attack => {
                let found = std::mem::take(&mut self.body.found);
                self.attack(found, now);
                self.conclude_in_passing();
                // Told once; nothing would come of finding more.
                self.body.scan = None;
            }
            Stop::Trapped(field) => {
                self.trapped(&field, now);
            }
        }
        BodyFlow::More
    }

    fn trapped(&mut self, field: &str, now: Moment) -> Flow {
        let reason = format!("the trap field `{}` is filled", crate::event::kept(field));
        let event = self
            .route_event(
                EventType::DecoratorViolation,
                "request_blocked",
                reason,
                ("advanced", "honeypot"),
                now,
            )
            .with("field", crate::event::kept(field));
        self.refuse(Reply::new(403, "Forbidden"), event)
    }
}
