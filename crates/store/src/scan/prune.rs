//! What is known of a row group before its rows are unpacked.
//!
//! Three steps, each dearer than the one before and taken only for tests that are still open:
//! statistics from the footer, bloom filters, and the dictionary of a column, which holds every text
//! of the row group once.

use super::evaluate::Prepared;
use super::predicate::{Place, Predicate, Test};
use crate::StoreError;
use crate::archive::columns::{Column, ColumnKind};
use crate::archive::file::{ArchiveFile, parquet_error};
use parquet::basic::{Encoding, PageType};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageReader};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::file::statistics::Statistics;
use std::sync::Arc;

/// What is left to ask of the rows of a row group: [`Predicate::False`] where none fits,
/// [`Predicate::True`] where all do.
///
/// # Errors
/// Where the file cannot be read or is damaged.
pub(crate) fn prune(
    file: &ArchiveFile,
    row_group: usize,
    predicate: &Predicate,
) -> Result<Predicate, StoreError> {
    let left = predicate.simplify(&mut |column, test, negated| {
        by_statistics(file, row_group, column, test, negated)
    });
    if matches!(left, Predicate::True | Predicate::False) {
        return Ok(left);
    }
    let mut failed = None;
    let mut keep = |outcome: Result<Option<bool>, StoreError>| match outcome {
        Ok(known) => known,
        Err(error) => {
            failed.get_or_insert(error);
            None
        }
    };
    let left = left.simplify(&mut |column, test, negated| {
        if negated { None } else { keep(by_bloom_filter(file, row_group, column, test)) }
    });
    let left = left.simplify(&mut |column, test, negated| {
        if negated { None } else { keep(by_dictionary(file, row_group, column, test)) }
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(left),
    }
}

fn chunk(file: &ArchiveFile, row_group: usize, column: Column) -> Option<&ColumnChunkMetaData> {
    let leaf = file.leaf(column)?;
    Some(file.metadata.metadata().row_groups().get(row_group)?.column(leaf))
}

fn by_statistics(
    file: &ArchiveFile,
    row_group: usize,
    column: Column,
    test: &Test,
    negated: bool,
) -> Option<bool> {
    let Some(chunk) = chunk(file, row_group, column) else {
        return Some(matches!(test, Test::Missing) && !negated);
    };
    let statistics = chunk.statistics()?;
    let rows = chunk.num_values().unsigned_abs();
    let nulls = statistics.null_count_opt();
    let (all_null, none_null) = (nulls == Some(rows), nulls == Some(0));
    if all_null {
        return Some(matches!(test, Test::Missing) && !negated);
    }
    // Whether all values are known to pass, or none.
    let passed = match test {
        Test::Present => Some(true),
        Test::Missing => return none_null.then_some(false),
        Test::Within { min, max } => {
            let (low, high) = number_bounds(statistics)?;
            if high < *min || low > *max {
                Some(false)
            } else {
                (low >= *min && high <= *max).then_some(true)
            }
        }
        Test::OneOfNumbers(numbers) => {
            let (low, high) = number_bounds(statistics)?;
            match numbers.range(low..=high).next() {
                None => Some(false),
                Some(only) => (low == high && low == *only).then_some(true),
            }
        }
        Test::OneOf(texts) => {
            let (low, high) = text_bounds(statistics)?;
            let outside =
                |text: &String| text.as_bytes() < low || is_beyond(text, high, statistics);
            texts.iter().all(outside).then_some(false)
        }
        Test::Text(pattern) if pattern.place == Place::Start && !pattern.ignore_ascii_case => {
            let (low, high) = text_bounds(statistics)?;
            let words = pattern.words.as_bytes();
            let before = low.get(..words.len().min(low.len()))? > words;
            (before || is_beyond(&pattern.words, high, statistics)).then_some(false)
        }
        _ => None,
    }?;
    if negated {
        // A value that does not pass is what is wanted; rows without one never fit.
        return if passed { Some(false) } else { none_null.then_some(true) };
    }
    if passed { none_null.then_some(true) } else { Some(false) }
}

fn number_bounds(statistics: &Statistics) -> Option<(i64, i64)> {
    match statistics {
        Statistics::Int64(values) => Some((*values.min_opt()?, *values.max_opt()?)),
        _ => None,
    }
}

fn text_bounds(statistics: &Statistics) -> Option<(&[u8], &[u8])> {
    match statistics {
        Statistics::ByteArray(values) => Some((values.min_opt()?.data(), values.max_opt()?.data())),
        _ => None,
    }
}

/// Whether a text is greater than every value. A greatest value that was cut to fit is raised by the
/// writer, or else no bound at all; so it holds either way.
fn is_beyond(text: &str, high: &[u8], statistics: &Statistics) -> bool {
    statistics.max_bytes_opt().is_some() && text.as_bytes() > high
}

fn by_bloom_filter(
    file: &ArchiveFile,
    row_group: usize,
    column: Column,
    test: &Test,
) -> Result<Option<bool>, StoreError> {
    if !matches!(test, Test::OneOf(_) | Test::OneOfUids(_)) {
        return Ok(None);
    }
    let Some(chunk) = chunk(file, row_group, column) else { return Ok(None) };
    if chunk.bloom_filter_offset().is_none() {
        return Ok(None);
    }
    let filter = Sbbf::read_from_column_chunk(chunk, &file.bytes)
        .map_err(|error| parquet_error(&file.name, error))?;
    let Some(filter) = filter.filter(|filter| filter.num_blocks() > 0) else { return Ok(None) };
    let may_be_there = match test {
        Test::OneOf(texts) => texts.iter().any(|text| filter.check(text.as_str())),
        Test::OneOfUids(uids) => uids.iter().any(|uid| filter.check(uid.to_be_bytes().as_slice())),
        _ => true,
    };
    Ok(if may_be_there { None } else { Some(false) })
}

fn by_dictionary(
    file: &ArchiveFile,
    row_group: usize,
    column: Column,
    test: &Test,
) -> Result<Option<bool>, StoreError> {
    if column.kind() != ColumnKind::Text || !matches!(test, Test::OneOf(_) | Test::Text(_)) {
        return Ok(None);
    }
    let Some(chunk) = chunk(file, row_group, column) else { return Ok(None) };
    if !is_all_dictionary(chunk) {
        return Ok(None);
    }
    let Some(page) = dictionary_page(file, row_group, chunk)? else { return Ok(None) };
    let Page::DictionaryPage { buf, num_values, .. } = page else { return Ok(None) };
    let prepared = Prepared::new(test);
    if let Prepared::Text(matcher) = &prepared
        && !matcher.is_in(&buf)
    {
        return Ok(Some(false));
    }
    let mut fitting: u32 = 0;
    let mut rest: &[u8] = &buf;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some((text, after)) = after.split_at_checked(length) else { return Ok(None) };
        rest = after;
        let fits = match &prepared {
            Prepared::Text(matcher) => matcher.fits(text),
            test => std::str::from_utf8(text).is_ok_and(|text| test.fits_text(text)),
        };
        fitting += u32::from(fits);
    }
    let nulls = chunk.statistics().and_then(Statistics::null_count_opt);
    Ok(match fitting {
        0 => Some(false),
        all if all == num_values && nulls == Some(0) => Some(true),
        _ => None,
    })
}

/// Whether every value of the chunk is in its dictionary.
fn is_all_dictionary(chunk: &ColumnChunkMetaData) -> bool {
    let is_dictionary = |encoding: Encoding| {
        matches!(encoding, Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY)
    };
    if let Some(mask) = chunk.page_encoding_stats_mask() {
        return mask.encodings().all(is_dictionary);
    }
    match chunk.page_encoding_stats() {
        Some(pages) => pages
            .iter()
            .filter(|pages| matches!(pages.page_type, PageType::DATA_PAGE | PageType::DATA_PAGE_V2))
            .all(|pages| is_dictionary(pages.encoding)),
        None => false,
    }
}

fn dictionary_page(
    file: &ArchiveFile,
    row_group: usize,
    chunk: &ColumnChunkMetaData,
) -> Result<Option<Page>, StoreError> {
    let rows = file
        .metadata
        .metadata()
        .row_groups()
        .get(row_group)
        .and_then(|group| usize::try_from(group.num_rows()).ok())
        .unwrap_or_default();
    let bytes = Arc::new(file.bytes.clone());
    SerializedPageReader::new(bytes, chunk, rows, None)
        .and_then(|mut pages| pages.get_next_page())
        .map_err(|error| parquet_error(&file.name, error))
}
