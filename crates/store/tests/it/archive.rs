//! Files of the archive: what goes in comes out.

use crate::sample;
use proptest::prelude::*;
use ringwall_store::{ArchiveFile, BatchBuilder, Column, FileLayout, FileWriter, events_of};

const SMALL: FileLayout = FileLayout { level: 1, row_group_rows: 64, page_rows: 16 };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn events_come_back_as_they_were(mut events in prop::collection::vec(sample::event(), 1..200)) {
        events.sort_by_key(|event| (event.time, event.id));
        let folder = sample::folder();
        let mut writer = FileWriter::create(folder.path(), 20_000, &SMALL).unwrap();
        for part in events.chunks(50) {
            let mut builder = BatchBuilder::default();
            for event in part {
                builder.push(event).unwrap();
            }
            writer.write(&builder.finish().unwrap()).unwrap();
        }
        let new = writer.finish().unwrap();
        prop_assert_eq!(new.events, events.len() as u64);
        prop_assert_eq!(new.time_min, events.first().unwrap().time);
        prop_assert_eq!(new.time_max, events.last().unwrap().time);
        let length = std::fs::metadata(folder.path().join(&new.name)).unwrap().len();
        prop_assert_eq!(new.bytes, length);

        let file = ArchiveFile::open(folder.path(), &new.name).unwrap();
        let all = (0..file.row_groups()).collect();
        let mut back = Vec::new();
        for batch in file.read(all, Column::ALL, None).unwrap() {
            back.extend(events_of(&batch.unwrap()).unwrap());
        }
        prop_assert_eq!(back, events);
    }
}

#[test]
fn a_file_that_is_not_finished_leaves_nothing_behind() {
    let folder = sample::folder();
    drop(FileWriter::create(folder.path(), 20_000, &SMALL).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_damaged_file_is_an_error_that_names_it() {
    let folder = sample::folder();
    std::fs::write(folder.path().join("x.parquet"), b"PAR1 this is none PAR1").unwrap();
    let Err(error) = ArchiveFile::open(folder.path(), "x.parquet") else { panic!("opened") };
    assert!(error.to_string().contains("x.parquet"), "{error}");
}
