use super::{Outcome, Taken};
use ringwall_event::EventId;
use ringwall_store::StoreError;
use serde::{Deserialize, Serialize};

/// What a batch was answered, small enough to keep: ids of new events count on from `base`.
pub(super) struct Answer {
    pub(super) base: EventId,
    pub(super) outcomes: Vec<Outcome>,
}

#[derive(Serialize, Deserialize)]
struct Compact {
    base: EventId,
    events: u32,
    /// Position and id of each event that was there before.
    duplicates: Vec<(u32, EventId)>,
}

impl Answer {
    pub(super) fn write(&self) -> Vec<u8> {
        let compact = Compact {
            base: self.base,
            events: u32::try_from(self.outcomes.len()).unwrap_or(u32::MAX),
            duplicates: (0u32..)
                .zip(&self.outcomes)
                .filter(|(_, outcome)| outcome.duplicate)
                .map(|(position, outcome)| (position, outcome.id))
                .collect(),
        };
        // Writing to memory fails only for types that postcard cannot hold; these it can.
        postcard::to_allocvec(&compact).unwrap_or_default()
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, StoreError> {
        let compact: Compact = postcard::from_bytes(bytes)
            .map_err(|error| StoreError::Unreadable { what: "mark", why: error.to_string() })?;
        let mut duplicates = compact.duplicates.into_iter().peekable();
        let mut new = 0u16;
        let outcomes = (0..compact.events)
            .map(|position| match duplicates.next_if(|(at, _)| *at == position) {
                Some((_, id)) => Outcome { id, duplicate: true },
                None => {
                    let id = compact.base.at(new);
                    new = new.wrapping_add(1);
                    Outcome { id, duplicate: false }
                }
            })
            .collect();
        Ok(Self { base: compact.base, outcomes })
    }

    pub(super) fn first_time(self) -> Taken {
        Taken { outcomes: self.outcomes, replayed: false, measured_before: false }
    }

    /// The same ids, every one now a duplicate.
    pub(super) fn replayed(self) -> Taken {
        let outcomes = self
            .outcomes
            .into_iter()
            .map(|outcome| Outcome { duplicate: true, ..outcome })
            .collect();
        Taken { outcomes, replayed: true, measured_before: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_back(flags in proptest::collection::vec(proptest::bool::ANY, 0..200)) {
            let base = EventId::from_parts(1_700_000_000_000, 77, 0);
            let mut new = 0;
            let outcomes: Vec<_> = flags.iter().map(|&duplicate| {
                if duplicate {
                    Outcome { id: EventId::from_u128(99), duplicate }
                } else {
                    new += 1;
                    Outcome { id: base.at(new - 1), duplicate }
                }
            }).collect();
            let answer = Answer { base, outcomes: outcomes.clone() };
            proptest::prop_assert_eq!(Answer::read(&answer.write()).unwrap().outcomes, outcomes);
        }
    }
}
