//! What the agent of a host lost, counted once.

use ringwall_event::{Activity, EventsLost};
use serde::{Deserialize, Serialize};

/// What a sender says that it lost, with its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossCount {
    /// Names the spool that it counts.
    pub spool_id: Box<str>,
    /// How many events were lost since that spool was made.
    pub total: u64,
    /// The host whose events they were.
    pub host: Box<str>,
}

/// The losses of one host: folded from the stored events, like all derived state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Losses {
    /// Of all spools together.
    pub(crate) events: u64,
    /// What is known of each spool, the latest last.
    spools: Vec<(Box<str>, u64)>,
}

/// A host has one spool; there are more where an agent cannot write to its disk and begins anew each
/// time. Of those that are this far back, nothing comes any more.
const SPOOLS_MAX: usize = 16;

impl Losses {
    /// What is new in a count; none where nothing is. A count that falls is of a spool that was put
    /// back to an earlier state: what it lost before stays lost.
    pub(crate) fn new_in(&self, count: &LossCount) -> Option<EventsLost> {
        let known = self.spools.iter().find(|(id, _)| *id == count.spool_id);
        let new = count.total.saturating_sub(known.map_or(0, |(_, total)| *total));
        (new > 0).then(|| EventsLost {
            spool_id: count.spool_id.clone(),
            count: new,
            total: count.total,
        })
    }

    /// Takes in a stored event.
    pub(super) fn absorb(&mut self, activity: &Activity) {
        let Activity::EventsLost(lost) = activity else { return };
        self.events = self.events.saturating_add(lost.count);
        self.spools.retain(|(id, _)| *id != lost.spool_id);
        if self.spools.len() >= SPOOLS_MAX {
            self.spools.remove(0);
        }
        self.spools.push((lost.spool_id.clone(), lost.total));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loss_counts_once() {
        let mut losses = Losses::default();
        for (spool, total, new) in [
            ("a", 0, 0),
            ("a", 3, 3),
            ("a", 3, 0),
            ("b", 2, 2),
            ("a", 10, 7),
            ("a", 4, 0),
            ("a", 11, 1),
        ] {
            let count = LossCount { spool_id: spool.into(), total, host: "web-1".into() };
            let lost = losses.new_in(&count);
            assert_eq!(lost.as_ref().map_or(0, |lost| lost.count), new, "{spool} {total}");
            if let Some(lost) = lost {
                losses.absorb(&Activity::EventsLost(Box::new(lost)));
            }
        }
        assert_eq!(losses.events, 13);
        for number in 0..100 {
            let spool_id = number.to_string().into();
            losses.absorb(&Activity::EventsLost(Box::new(EventsLost {
                spool_id,
                count: 1,
                total: 1,
            })));
        }
        assert_eq!((losses.events, losses.spools.len()), (113, SPOOLS_MAX));
    }
}
