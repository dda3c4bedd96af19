use super::exits::{Folder, printed, ringwall, said};
use serde_json::Value;

#[test]
fn events_are_generated_into_a_data_directory_once() {
    let folder = Folder::new("generate");
    let data_dir = folder.path("data");
    let generate = |more: &[&str]| {
        let first = ["generate", "--data-dir", data_dir.to_str().unwrap()];
        let same = ["--events", "3k", "--hosts", "5", "--end", "2026-01-31T00:00:00Z"];
        ringwall(&[&first[..], &same, more].concat())
    };
    let output = generate(&["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(said(&output), "", "a bar is for terminals");
    let summary: Value = serde_json::from_str(&printed(&output)).unwrap();
    assert_eq!((&summary["events"], &summary["hosts"]), (&3000.into(), &5.into()));
    assert_eq!(summary["until"], "2026-01-31T00:00:00Z");
    assert!(summary["files"].as_u64().unwrap() >= 1, "{summary}");
    let needles = summary["needles"].as_array().unwrap();
    assert!(needles.iter().all(|needle| needle["events"].as_u64().unwrap() >= 1), "{summary}");

    let output = generate(&[]);
    let refused = "error: these events, or some of them, are there already\n\
                   hint: another --seed or --end gives others\n";
    assert_eq!((said(&output).as_str(), output.status.code()), (refused, Some(2)));

    let output = generate(&["--seed", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(printed(&output).starts_with("events  "), "{}", printed(&output));

    let lock = std::fs::File::open(data_dir.join("lock")).unwrap();
    lock.lock().unwrap();
    let output = generate(&["--seed", "3"]);
    let refused = format!(
        "error: {}: a server is running on it\nhint: stop it first, or send through it: --send\n",
        data_dir.display()
    );
    assert_eq!((said(&output), output.status.code()), (refused, Some(2)));
}

#[test]
fn what_cannot_be_generated_is_refused() {
    let folder = Folder::new("generate-refused");
    let data_dir = folder.path("data");
    for (words, expected) in [
        (&["--hosts", "0"][..], "hosts must be 1 to 50000"),
        (&["--host-prefix", "a b"], "not the beginning of a host's name: `a b`"),
        (&["--end", "soon"], "not a moment: `soon`"),
        (&["--days", "9000"], "the end must be after the start, by at most 3660 days"),
        (&["--events", "many"], "a number, as in 50000, 200k or 10M"),
        (&["--rate", "5"], "--send"),
    ] {
        let first = ["generate", "--data-dir", data_dir.to_str().unwrap()];
        let output = ringwall(&[&first[..], words].concat());
        assert!(said(&output).contains(expected), "{words:?}: {}", said(&output));
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
    assert!(!data_dir.exists());
}
