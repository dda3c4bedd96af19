//! Processes in the order of who started whom.

use ringwall_server_api::HostProcess;
use std::collections::{BTreeMap, BTreeSet};

/// Each process with how deep it stands: parents first, children by pid. A process whose parent is
/// not there, or whose ancestors form a circle (reports may claim anything), stands at the top.
pub(super) fn in_tree_order(processes: &[HostProcess]) -> Vec<(usize, &HostProcess)> {
    let pids: BTreeSet<i64> = processes.iter().map(|process| process.pid).collect();
    let mut children = BTreeMap::<Option<i64>, Vec<&HostProcess>>::new();
    for process in processes {
        let parent =
            process.parent_pid.filter(|parent| pids.contains(parent) && *parent != process.pid);
        children.entry(parent).or_default().push(process);
    }
    for siblings in children.values_mut() {
        // Taken from the end, so the last comes first.
        siblings.sort_by_key(|process| std::cmp::Reverse(process.pid));
    }
    let mut ordered = Vec::with_capacity(processes.len());
    let mut waiting: Vec<(usize, &HostProcess)> =
        children.remove(&None).unwrap_or_default().into_iter().map(|top| (0, top)).collect();
    loop {
        while let Some((depth, process)) = waiting.pop() {
            ordered.push((depth, process));
            let below = children.remove(&Some(process.pid)).unwrap_or_default();
            waiting.extend(below.into_iter().map(|child| (depth + 1, child)));
        }
        // What is left hangs in circles: begin each anywhere.
        match children.pop_first() {
            Some((_, circle)) => waiting.extend(circle.into_iter().map(|process| (0, process))),
            None => return ordered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn children_stand_below_their_parents() {
        check(&[(1, 0), (7, 1), (3, 1), (9, 7)], &[(0, 1), (1, 3), (1, 7), (2, 9)]);
        check(&[(5, 4), (4, 5), (1, 0)], &[(0, 1), (0, 5), (1, 4)]);
        check(&[(2, 2)], &[(0, 2)]);
        check(&[], &[]);
    }

    #[track_caller]
    fn check(processes: &[(i64, i64)], expected: &[(usize, i64)]) {
        let processes: Vec<HostProcess> =
            processes.iter().map(|(pid, parent)| process(*pid, *parent)).collect();
        let ordered: Vec<(usize, i64)> = in_tree_order(&processes)
            .iter()
            .map(|(depth, process)| (*depth, process.pid))
            .collect();
        assert_eq!(ordered, expected);
    }

    fn process(pid: i64, parent: i64) -> HostProcess {
        HostProcess {
            pid,
            start_time: None,
            name: String::new(),
            parent_pid: Some(parent),
            user: None,
            executable: None,
            command_line: None,
            cpu_percent: None,
            memory_percent: None,
            first_seen: None,
            last_seen: None,
            risk_score: None,
            executable_sha256: None,
            container: None,
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_whatever_is_claimed(pairs in prop::collection::vec((0i64..20, 0i64..20), 0..40)) {
            let processes: Vec<HostProcess> =
                pairs.iter().map(|(pid, parent)| process(*pid, *parent)).collect();
            prop_assert_eq!(in_tree_order(&processes).len(), processes.len());
        }
    }
}
