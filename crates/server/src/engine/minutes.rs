use ringwall_event::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// How many events and alerts came in each of the last sixty minutes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Minutes {
    /// `(minutes since 1970, events, alerts)`, oldest first.
    counts: VecDeque<(i64, u64, u64)>,
}

const KEPT: usize = 61;

impl Minutes {
    pub(super) fn add(&mut self, moment: Timestamp, events: u64, alerts: u64) {
        let minute = moment.as_seconds().div_euclid(60);
        match self.counts.back_mut() {
            Some((last, e, a)) if *last >= minute => {
                *e = e.saturating_add(events);
                *a = a.saturating_add(alerts);
            }
            _ => self.counts.push_back((minute, events, alerts)),
        }
        while self.counts.len() > KEPT {
            self.counts.pop_front();
        }
    }

    /// Puts counts of alerts in the place of those known; alerts have rows of their own, which the
    /// replay of batches does not make again.
    pub(super) fn set_alerts(&mut self, counts: &[(i64, u64)]) {
        for (minute, _, alerts) in &mut self.counts {
            *alerts = counts.iter().find(|(at, _)| at == minute).map_or(0, |(_, count)| *count);
        }
    }

    /// The sixty minutes that end with the one of `now`, oldest first, none left out.
    pub(crate) fn last_hour(&self, now: Timestamp) -> Vec<(Timestamp, u64, u64)> {
        let last = now.as_seconds().div_euclid(60);
        (last - 59..=last)
            .map(|minute| {
                let (events, alerts) = self
                    .counts
                    .iter()
                    .find(|(at, _, _)| *at == minute)
                    .map_or((0, 0), |(_, events, alerts)| (*events, *alerts));
                (Timestamp::from_millis(minute * 60_000), events, alerts)
            })
            .collect()
    }
}
