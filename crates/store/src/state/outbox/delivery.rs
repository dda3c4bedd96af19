//! What waits for somebody who is told, and how often that was tried.

use ringwall_event::Timestamp;

/// A delivery to be written.
#[derive(Clone, Copy, Debug)]
pub struct NewDelivery<'a> {
    /// Its id, which sorts by time; the receiver sees it and knows a repetition by it.
    pub id: &'a str,
    /// The webhook's id.
    pub webhook: &'a str,
    /// What happened: `alert.raised`.
    pub event_type: &'a str,
    /// To what: the id of an alert.
    pub subject: &'a str,
    /// When.
    pub created: Timestamp,
    /// The body as it will be sent.
    pub payload: &'a [u8],
}

/// A message to one receiver, and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: String,
    /// The webhook's id.
    pub webhook: String,
    /// What happened.
    pub event_type: String,
    /// To what.
    pub subject: String,
    /// How far it is.
    pub state: DeliveryState,
    /// When it was written.
    pub created: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// How often it was tried since it was written or last replayed.
    pub strikes: u32,
    /// When it is tried next; none where it came to its end.
    pub next_attempt: Option<Timestamp>,
    /// When it came to its end.
    pub finished: Option<Timestamp>,
    /// Why the latest attempt failed, or why it was given up.
    pub last_error: Option<String>,
}

/// How far a delivery is (SysScore contract, section 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// Not tried yet.
    Pending,
    /// Tried in vain; it will be tried again.
    Failed,
    /// Arrived.
    Success,
    /// Given up; it can be replayed.
    DeadLetter,
}

impl DeliveryState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Failed, Self::Success, Self::DeadLetter];

    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Failed => "failed",
            Self::Success => "success",
            Self::DeadLetter => "dead_letter",
        }
    }

    /// The state of this lower-case name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// One try to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The status of the answer, where there was one.
    pub status: Option<u16>,
    /// Why it failed.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub answer: String,
}

/// What an attempt means for its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// It arrived.
    Arrived,
    /// It is tried again then.
    Again(Timestamp),
    /// It is given up.
    GivenUp,
}

/// Which deliveries; every field that is set must fit.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Of this webhook.
    pub webhook: Option<String>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// About this.
    pub subject: Option<String>,
}

/// How many deliveries are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Not tried yet.
    pub pending: u64,
    /// To be tried again.
    pub failed: u64,
    /// Arrived.
    pub success: u64,
    /// Given up.
    pub dead_letter: u64,
}

impl DeliveryCounts {
    /// How many will be tried.
    pub const fn waiting(self) -> u64 {
        self.pending.saturating_add(self.failed)
    }

    pub(super) fn add(&mut self, state: &str, count: u64) {
        match DeliveryState::from_name(state) {
            Some(DeliveryState::Pending) => self.pending += count,
            Some(DeliveryState::Failed) => self.failed += count,
            Some(DeliveryState::Success) => self.success += count,
            Some(DeliveryState::DeadLetter) => self.dead_letter += count,
            None => {}
        }
    }
}

/// What became of the wish to have a delivery sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replay {
    /// It is sent again; of this webhook.
    Done(String),
    /// It waits for its next attempt anyway.
    Waits,
    /// There is no such delivery.
    Missing,
}
