use super::*;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_micros(1_768_471_200_000_000);

/// The ten calls of the contract's example, 37.0.
const MIX: &str = "ptrace setuid execve mount chmod fork open read write futex";

#[test]
fn the_risk_score_is_the_platforms() {
    check(MIX, 37.0);
    check("ptrace", 100.0);
    check("setuid", 80.0);
    check("execve", 50.0);
    check("read", 10.0);
    check("open", 10.0);
    check("openat", 20.0);
    check("anything", 20.0);
    check("ptrace read", 55.0);
}

#[track_caller]
fn check(calls: &str, expected: f64) {
    let state = observed(calls);
    let score = state.score(NOW).expect("calls in the window");
    assert_eq!(score.risk_score, expected, "calls {calls}");
    assert_eq!(state.current().expect("a score").risk_score, expected, "calls {calls}");
}

#[test]
fn only_the_last_five_minutes_of_event_time_count() {
    let mut state = ScoreState::default();
    state.observe("ptrace", NOW.plus_seconds(-301), None, NOW);
    assert_eq!(state.score(NOW), None);
    assert_eq!(state.current(), None);
    state.observe("ptrace", NOW.plus_seconds(-300), None, NOW);
    state.observe("read", NOW, None, NOW);
    assert_eq!(state.score(NOW).map(|score| score.risk_score), Some(55.0));
    assert_eq!(state.score(NOW.plus_seconds(1)).map(|score| score.risk_score), Some(10.0));
    assert_eq!(state.score(NOW.plus_seconds(301)), None);
}

#[test]
fn calls_from_the_future_count_but_not_for_ever() {
    let mut state = ScoreState::default();
    state.observe("ptrace", NOW.plus_seconds(86_400 * 365), Some(5.0), NOW);
    assert_eq!(state.score(NOW).map(|score| score.risk_score), Some(100.0));
    assert_eq!(state.score(NOW.plus_seconds(601)), None);
}

#[test]
fn flaw_12_padding_with_harmless_calls_does_not_hide_a_dangerous_one() {
    let mut state = observed("ptrace");
    let before = state.score(NOW).expect("a score");
    for _ in 0..100 {
        state.observe("read", NOW, None, NOW);
    }
    let after = state.score(NOW).expect("a score");
    assert!(after.risk_score < 11.0, "the mean is watered down: {}", after.risk_score);
    assert_eq!(after.evidence_score, before.evidence_score);
    assert_eq!(after.evidence_score, 25.0);
    assert_eq!(after.reasons[0], "ptrace called once");
}

#[test]
fn the_evidence_score_counts_each_call_up_to_eight_times() {
    check_evidence("read write execve", 0.0);
    check_evidence("ptrace", 25.0);
    check_evidence("setuid", 15.0);
    check_evidence("ptrace ptrace", 43.75);
    check_evidence("ptrace setuid", 36.25);
    let eight = ["ptrace"; 8].join(" ");
    let expected = 100.0 * (1.0 - 0.75f64.powi(8));
    check_evidence(&eight, expected);
    check_evidence(&format!("{eight} {eight}"), expected);
}

#[track_caller]
fn check_evidence(calls: &str, expected: f64) {
    let score = observed(calls).score(NOW).expect("a score").evidence_score;
    assert!((score - expected).abs() < 1e-9, "calls {calls}: {score}");
}

#[test]
fn evidence_leaves_the_window_too() {
    let mut state = ScoreState::default();
    state.observe("ptrace", NOW.plus_seconds(-200), None, NOW);
    state.observe("read", NOW, None, NOW);
    assert_eq!(state.score(NOW).expect("a score").evidence_score, 25.0);
    assert_eq!(state.score(NOW.plus_seconds(101)).expect("a score").evidence_score, 0.0);
}

#[test]
fn reasons_name_the_calls_the_heaviest_first() {
    let calls = format!("setuid unshare {} ptrace", ["bpf"; 9].join(" "));
    let mut state = observed(&calls);
    state.observe("read", NOW, Some(61.5), NOW);
    assert_eq!(
        state.score(NOW).expect("a score").reasons,
        [
            "ptrace called once",
            "bpf called 8 times or more",
            "setuid called once",
            "unshare called once",
            "mean risk 30.0 of 13 calls",
            "the agent reports an anomaly of 61.5",
        ]
    );
}

#[test]
fn the_anomaly_score_is_the_latest_that_was_sent() {
    let mut state = ScoreState::default();
    let anomaly = |state: &ScoreState| state.score(NOW).expect("a score").anomaly_score;
    state.observe("read", NOW, None, NOW);
    assert_eq!(anomaly(&state), None);
    state.observe("read", NOW, Some(12.0), NOW);
    state.observe("read", NOW.plus_seconds(-5), Some(99.0), NOW);
    state.observe("read", NOW, None, NOW);
    state.observe("read", NOW, Some(f64::NAN), NOW);
    assert_eq!(anomaly(&state), Some(12.0));
    state.observe("read", NOW, Some(1e9), NOW);
    assert_eq!(anomaly(&state), Some(100.0));
}

#[test]
fn flaw_11_a_reused_pid_is_another_process() {
    let mut state = observed("ptrace exit_group");
    // Another thread's last words bear the same moment.
    state.observe("read", NOW, None, NOW);
    assert_eq!(state.incarnation(), 0);
    let later = NOW.plus_micros(1);
    state.observe("read", later, None, later);
    assert_eq!(state.incarnation(), 1);
    let score = state.score(later).expect("a score");
    assert_eq!((score.risk_score, score.evidence_score), (10.0, 0.0));
    assert_eq!(state.history().count(), 2);
}

#[test]
fn flaw_11_another_start_time_is_another_process() {
    let mut state = ScoreState::default();
    state.started(NOW.plus_seconds(-9));
    state.observe("ptrace", NOW, None, NOW);
    state.started(NOW.plus_seconds(-9));
    assert_eq!(state.incarnation(), 0);
    state.started(NOW.plus_seconds(-1));
    assert_eq!((state.incarnation(), state.score(NOW)), (1, None));
}

#[test]
fn flaw_10_the_history_is_bounded_and_holds_changes_only() {
    let mut state = ScoreState::default();
    for second in 0..1000 {
        let now = NOW.plus_seconds(second);
        state.observe("read", now, None, now);
    }
    assert_eq!(state.history().count(), 1);
    assert_eq!(state.current().map(|past| past.calculated_at), Some(NOW.plus_seconds(999)));
    for second in 1000..2000 {
        let now = NOW.plus_seconds(second);
        state.observe(if second % 2 == 0 { "ptrace" } else { "read" }, now, None, now);
    }
    assert_eq!(state.history().count(), HISTORY_MAX);
    assert!(state.history().is_sorted_by(|a, b| a.calculated_at > b.calculated_at));
}

#[test]
fn a_score_is_recalculated_as_of_now() {
    let mut state = ScoreState::default();
    state.observe("ptrace", NOW.plus_seconds(-200), None, NOW);
    state.observe("read", NOW, None, NOW);
    let later = NOW.plus_seconds(150);
    assert_eq!(state.recalculate(later).map(|past| past.risk_score), Some(10.0));
    assert_eq!(state.current().map(|past| past.calculated_at), Some(later));
    assert_eq!(state.history().count(), 2);
    assert_eq!(state.recalculate(NOW.plus_seconds(400)), None);
    assert_eq!(state.history().count(), 2);
}

#[test]
fn a_threshold_is_crossed_upwards_once_until_the_score_falls_clearly() {
    let mut state = observed("read");
    assert_eq!(state.crossed(50.0), None);
    // (10 + 1) / 2 × 10 = 55.
    state.observe("ptrace", NOW, None, NOW);
    let crossing = state.crossed(50.0).expect("a crossing");
    assert_eq!(crossing.score, 55.0);
    assert_eq!(crossing.reasons[0], "ptrace called once");
    assert_eq!(state.crossed(50.0), None);
    // 14 / 3 = 46.7: below, but not clearly; then above again: the same crossing.
    state.observe("fork", NOW, None, NOW);
    assert_eq!(state.crossed(50.0), None);
    state.observe("ptrace", NOW, None, NOW);
    assert_eq!(state.crossed(50.0), None);
    let later = NOW.plus_seconds(400);
    state.observe("read", later, None, later);
    assert_eq!(state.crossed(50.0), None);
    state.observe("ptrace", later, None, later);
    assert!(state.crossed(50.0).is_some());
}

#[test]
fn flaw_12_evidence_crosses_where_the_mean_does_not() {
    let mut state = observed(&["read"; 90].join(" "));
    for _ in 0..3 {
        state.observe("ptrace", NOW, None, NOW);
    }
    let crossing = state.crossed(50.0).expect("a crossing");
    assert!(crossing.score > 57.0 && crossing.score < 58.0, "{}", crossing.score);
}

#[test]
fn a_new_incarnation_can_cross_again() {
    let mut state = observed("ptrace");
    assert!(state.crossed(50.0).is_some());
    state.observe("exit_group", NOW, None, NOW);
    let later = NOW.plus_seconds(1);
    state.observe("ptrace", later, None, later);
    assert!(state.crossed(50.0).is_some());
}

fn observed(calls: &str) -> ScoreState {
    let mut state = ScoreState::default();
    for call in calls.split(' ') {
        state.observe(call, NOW, None, NOW);
    }
    state
}

fn call() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "ptrace",
        "setuid",
        "execve",
        "read",
        "futex",
        "bpf",
        "unshare",
        "exit_group",
    ])
}

proptest! {
    #[test]
    fn scores_stay_within_bounds_and_repeat(
        calls in prop::collection::vec((call(), -400i64..400, prop::option::of(-1e3..1e3f64)), 1..80),
    ) {
        let run = || {
            let mut state = ScoreState::default();
            for (step, (call, offset, anomaly)) in (0i64..).zip(&calls) {
                let now = NOW.plus_seconds(step);
                state.observe(call, now.plus_seconds(*offset), *anomaly, now);
                if let Some(score) = state.score(now) {
                    assert!((10.0..=100.0).contains(&score.risk_score));
                    assert!((0.0..=100.0).contains(&score.evidence_score));
                    assert!(score.anomaly_score.is_none_or(|a| (0.0..=100.0).contains(&a)));
                }
            }
            state
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn harmless_calls_never_lower_the_evidence(
        calls in prop::collection::vec(call(), 1..20), padding in 0usize..200,
    ) {
        let mut state = ScoreState::default();
        for call in calls.iter().filter(|call| **call != "exit_group") {
            state.observe(call, NOW, None, NOW);
        }
        let before = state.score(NOW).map_or(0.0, |score| score.evidence_score);
        for _ in 0..padding {
            state.observe("read", NOW, None, NOW);
        }
        let after = state.score(NOW).map_or(0.0, |score| score.evidence_score);
        prop_assert_eq!(before, after);
    }

    #[test]
    fn what_is_written_down_is_read_back(
        calls in prop::collection::vec((call(), -400i64..400, prop::option::of(0.0..100.0f64)), 0..60),
    ) {
        let mut state = ScoreState::default();
        for (call, offset, anomaly) in calls {
            state.observe(call, NOW.plus_seconds(offset), anomaly, NOW);
        }
        let bytes = postcard::to_allocvec(&state).expect("it can be written");
        prop_assert_eq!(postcard::from_bytes::<ScoreState>(&bytes).expect("it can be read"), state);
    }
}
