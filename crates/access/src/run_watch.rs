/// How many earlier runs are remembered: as many copies of one host are told apart.
const RUNS_REMEMBERED: usize = 4;
/// A run's name is compared up to this length.
const RUN_BYTES_MAX: usize = 64;

/// Notices that one identity is used by more than one running agent.
///
/// An agent draws a name for each of its runs. When it is started again, a new run takes over and the
/// earlier one is never heard of again. Where one is (A, B, then A), two agents run with the same key: a
/// cloned machine, a copied folder, or a machine that was set back to an earlier snapshot.
#[derive(Clone, Debug, Default)]
pub struct RunWatch {
    current: Option<Box<str>>,
    /// The latest last.
    earlier: Vec<Box<str>>,
}

impl RunWatch {
    /// Takes note of a request of this run. Whether it shows that there is more than one agent.
    pub fn note(&mut self, run: &str) -> bool {
        let run = run.get(..run.floor_char_boundary(RUN_BYTES_MAX)).unwrap_or_default();
        if self.current.as_deref() == Some(run) {
            return false;
        }
        let is_back = self.earlier.iter().position(|earlier| **earlier == *run);
        if let Some(position) = is_back {
            self.earlier.remove(position);
        }
        if let Some(current) = self.current.replace(run.into()) {
            if self.earlier.len() >= RUNS_REMEMBERED {
                self.earlier.remove(0);
            }
            self.earlier.push(current);
        }
        is_back.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_comes_back_is_a_copy() {
        check("A", &[]);
        check("AAAA", &[]);
        check("ABCDEFGH", &[]);
        check("AABB", &[]);
        check("ABA", &[2]);
        // A snapshot taken back: once, and then the older run goes on alone.
        check("AABBAAAA", &[4]);
        check("ABAB", &[2, 3]);
        check("ABCABC", &[3, 4, 5]);
        // Started again while its copy runs on.
        check("ABACB", &[2, 4]);
        check("ABCDEFA", &[]);
    }

    #[track_caller]
    fn check(runs: &str, expected: &[usize]) {
        let mut watch = RunWatch::default();
        let found: Vec<usize> = runs
            .char_indices()
            .filter(|(_, run)| watch.note(&run.to_string()))
            .map(|(position, _)| position)
            .collect();
        assert_eq!(found, expected, "{runs}");
    }
}
