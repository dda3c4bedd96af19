use crate::evidence_weight;
use serde::{Deserialize, Serialize};

/// How often one call counts at most: the eighth repetition says little that the seventh did not.
const REPEATS_MAX: usize = 8;

/// The dangerous calls of a process, each with the seconds of its latest few.
///
/// Memory is bounded by the number of dangerous calls there are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    calls: Vec<Call>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Call {
    name: Box<str>,
    /// Sorted; the latest [`REPEATS_MAX`].
    seconds: Vec<i64>,
}

impl Evidence {
    /// Keeps a call, if it is evidence.
    pub(crate) fn add(&mut self, name: &str, second: i64) {
        if evidence_weight(name).is_none() {
            return;
        }
        let at = match self.calls.iter().position(|call| *call.name == *name) {
            Some(at) => at,
            None => {
                self.calls.push(Call { name: name.into(), seconds: Vec::new() });
                self.calls.len() - 1
            }
        };
        let Some(call) = self.calls.get_mut(at) else { return };
        let place = call.seconds.partition_point(|known| *known <= second);
        call.seconds.insert(place, second);
        if call.seconds.len() > REPEATS_MAX {
            call.seconds.remove(0);
        }
    }

    /// The score, 0 to 100: 100 × (1 − Π (1 − (w − 5) / 20)) over all calls that count.
    pub(crate) fn score(&self, begin: i64) -> f64 {
        let innocence: f64 = self
            .counted(begin)
            .map(|(_, weight, times)| {
                let doubt = 1.0 - (f64::from(weight) - 5.0) / 20.0;
                (0..times).map(|_| doubt).product::<f64>()
            })
            .product();
        100.0 * (1.0 - innocence)
    }

    /// One sentence for each call that counts, the heaviest first.
    pub(crate) fn reasons(&self, begin: i64) -> Vec<String> {
        let mut counted: Vec<_> = self.counted(begin).collect();
        counted.sort_by(|a, b| (b.1, b.2, a.0).cmp(&(a.1, a.2, b.0)));
        counted
            .into_iter()
            .map(|(name, _, times)| match times {
                1 => format!("{name} called once"),
                REPEATS_MAX => format!("{name} called {times} times or more"),
                _ => format!("{name} called {times} times"),
            })
            .collect()
    }

    fn counted(&self, begin: i64) -> impl Iterator<Item = (&str, u8, usize)> {
        self.calls.iter().filter_map(move |call| {
            let times = call.seconds.iter().filter(|second| **second >= begin).count();
            let weight = evidence_weight(&call.name)?;
            (times > 0).then_some((&*call.name, weight, times))
        })
    }
}
