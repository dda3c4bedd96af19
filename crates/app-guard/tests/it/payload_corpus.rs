//! The labelled corpus: how much is found, and how little is found that is none.

#[path = "../corpus/labelled.rs"]
mod labelled;

use ringwall_app_guard::payload::{Category, Detector, DetectorSettings};

const RECALL_MIN: f64 = 0.97;
const FALSE_POSITIVES_MAX: f64 = 0.01;

#[test]
fn attacks_of_every_category_are_found() {
    let detector = Detector::new(&DetectorSettings::default()).unwrap();
    let attacks = labelled::attacks();
    assert!(attacks.len() >= 400, "{} attacks", attacks.len());
    for category in Category::ALL.into_iter().filter(|category| *category != Category::Custom) {
        assert!(attacks.iter().any(|sample| sample.category == Some(category)), "{category}");
    }
    let missed: Vec<_> =
        attacks.iter().filter(|sample| labelled::look(&detector, sample).is_empty()).collect();
    let recall = 1.0 - missed.len() as f64 / attacks.len() as f64;
    let lines: Vec<_> = missed.iter().map(|sample| &sample.line).collect();
    assert!(recall >= RECALL_MIN, "recall {recall}, missed: {lines:#?}");
}

#[test]
fn what_honest_people_send_passes() {
    let detector = Detector::new(&DetectorSettings::default()).unwrap();
    let benign = labelled::benign();
    assert!(benign.len() >= 500, "{} values", benign.len());
    let flagged: Vec<_> = benign
        .iter()
        .filter_map(|sample| {
            let found = labelled::look(&detector, sample);
            found.first().map(|finding| (&sample.line, finding.pattern.clone()))
        })
        .collect();
    let share = flagged.len() as f64 / benign.len() as f64;
    assert!(share <= FALSE_POSITIVES_MAX, "false positives {share}: {flagged:#?}");
}

#[test]
fn a_category_that_is_switched_off_is_not_found() {
    for sample in labelled::attacks() {
        let Some(category) = sample.category else { continue };
        let settings = DetectorSettings {
            switched_off: [category].into_iter().collect(),
            ..DetectorSettings::default()
        };
        // Building a detector is slow: a few of each are enough.
        if !sample.line.contains("7*7")
            && !sample.line.contains("OR 1=1")
            && !sample.line.contains("/.env")
        {
            continue;
        }
        let detector = Detector::new(&settings).unwrap();
        let found = labelled::look(&detector, &sample);
        assert!(found.iter().all(|finding| finding.category != category), "{}", sample.line);
    }
}
