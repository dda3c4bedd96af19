use ringwall_event::Timestamp;
use std::net::IpAddr;

/// So many failed attempts of a minute are written down one by one.
const SINGLE_MAX: u32 = 20;
/// One minute.
const WINDOW_SECONDS: i64 = 60;

/// Bounds what guessing of passwords writes into the audit entries: of each minute the first 20
/// failures stand there one by one, the further ones as one entry with their number.
#[derive(Clone, Debug, Default)]
pub struct FailedSignIns {
    window_began: Option<Timestamp>,
    single: u32,
    folded: Option<FoldedFailures>,
}

/// Attempts that are told together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldedFailures {
    /// How many.
    pub count: u64,
    /// From where the last one came.
    pub last_address: IpAddr,
}

impl FailedSignIns {
    /// Notes an attempt that failed. Whether it is to be written down by itself.
    pub fn note(&mut self, address: IpAddr, now: Timestamp) -> bool {
        if self.window_began.is_none() {
            self.window_began = Some(now);
        }
        if self.single < SINGLE_MAX {
            self.single += 1;
            return true;
        }
        let folded = self.folded.get_or_insert(FoldedFailures { count: 0, last_address: address });
        folded.count += 1;
        folded.last_address = address;
        false
    }

    /// What of the last minute was not written down, once it is over: to be written down now.
    pub fn due(&mut self, now: Timestamp) -> Option<FoldedFailures> {
        let passed = now.micros_since(self.window_began?) / 1_000_000;
        // A clock that was set back ends the minute, too.
        if (0..WINDOW_SECONDS).contains(&passed) {
            return None;
        }
        std::mem::take(self).folded
    }

    /// What was not written down, whether the minute is over or not: as when the server stops.
    pub fn rest(&mut self) -> Option<FoldedFailures> {
        std::mem::take(self).folded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn a_burst_is_told_in_one_entry() {
        let mut failed = FailedSignIns::default();
        let written = (0..1000).filter(|_| failed.note(HERE, NOW)).count();
        assert_eq!(written, 20);
        assert_eq!(failed.due(NOW.plus_seconds(59)), None);
        let folded = FoldedFailures { count: 980, last_address: HERE };
        assert_eq!(failed.due(NOW.plus_seconds(60)), Some(folded));
        assert_eq!(failed.due(NOW.plus_seconds(600)), None);
        // The next minute begins with the next failure.
        assert!(failed.note(HERE, NOW.plus_seconds(601)));
        assert_eq!(failed.due(NOW.plus_seconds(661)), None);
        assert_eq!(failed.rest(), None);
    }

    #[test]
    fn nothing_is_lost_at_an_end_or_a_clock_set_back() {
        let mut failed = FailedSignIns::default();
        for _ in 0..21 {
            failed.note(HERE, NOW);
        }
        let one = FoldedFailures { count: 1, last_address: HERE };
        assert_eq!(failed.clone().rest(), Some(one.clone()));
        assert_eq!(failed.due(NOW.plus_seconds(-10)), Some(one));
    }
}
