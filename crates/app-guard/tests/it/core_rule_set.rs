//! The regression tests of the OWASP Core Rule Set, where they are: how much of what they call an attack is found.

#[path = "../corpus/core_rule_set.rs"]
mod suite;

use ringwall_app_guard::payload::{Detector, DetectorSettings};

/// For each folder: how many attacks are found at least, and how many of the other requests are taken for attacks at most.
const FLOORS: [(&str, usize, usize); 10] = [
    ("913", 5, 1),
    ("921", 25, 5),
    ("930", 36, 2),
    ("931", 6, 2),
    ("932", 250, 10),
    ("933", 50, 3),
    ("934", 13, 3),
    ("941", 41, 4),
    ("942", 180, 9),
    ("944", 295, 22),
];

#[test]
fn no_fewer_attacks_of_the_core_rule_set_are_found_than_were() {
    let Some(tests) = suite::tests_folder() else {
        println!("skipped: RINGWALL_SHARED is not set, and the suite lies there");
        return;
    };
    let detector = Detector::new(&DetectorSettings::default()).unwrap();
    let rows = suite::run(&detector, &tests).unwrap();
    println!("{}", suite::HEADING);
    for row in &rows {
        println!("{}", row.line());
    }
    for (folder, found_min, flagged_max) in FLOORS {
        let row = rows.iter().find(|row| row.folder == folder).unwrap();
        let ((found, of), (flagged, harmless)) = (row.found, row.flagged);
        assert!(found >= found_min, "{folder}: {found} of {of} found, {found_min} were");
        assert!(flagged <= flagged_max, "{folder}: {flagged} of {harmless} flagged");
    }
}
