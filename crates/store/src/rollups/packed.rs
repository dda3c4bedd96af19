//! The cells of a row as bytes.
//!
//! `[form]` and then, plain (form 1) or behind its length as zstd (form 2): how many cells; where the
//! level has sources, the length of the steps from one source id to the next, and these; where it
//! has kinds, a byte for each cell's kind and severity; the counts. Numbers are LEB128.

use super::kinds::is_code;
use super::level::Level;

/// How many events of one sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cell {
    /// `source.id`; 0 at levels without sources, and for sources beyond what a row holds.
    pub(super) source: u64,
    /// Kind and severity; 0 at levels without kinds.
    pub(super) code: u8,
    pub(super) count: u64,
}

const PLAIN: u8 = 1;
const ZSTD: u8 = 2;
const LEVEL: i32 = 3;
const COMPRESSED_FROM_BYTES: usize = 128;
/// More than a full row has; a damaged length allocates no more than this.
const PLAIN_BYTES_MAX: usize = 64 << 20;

/// Packs cells, ordered by source and code, each of them once.
pub(super) fn pack(level: Level, cells: &[Cell]) -> Result<Vec<u8>, String> {
    let mut plain = vec![PLAIN];
    put(&mut plain, cells.len() as u64);
    if level.has_sources() {
        let mut steps = Vec::with_capacity(cells.len() * 2);
        let mut before = 0;
        for cell in cells {
            put(&mut steps, cell.source.wrapping_sub(before));
            before = cell.source;
        }
        put(&mut plain, steps.len() as u64);
        plain.append(&mut steps);
    }
    if level.has_kinds() {
        plain.extend(cells.iter().map(|cell| cell.code));
    }
    for cell in cells {
        put(&mut plain, cell.count);
    }
    let body = plain.get(1..).unwrap_or_default();
    if body.len() > PLAIN_BYTES_MAX {
        return Err(format!("{} bytes are too many", body.len()));
    }
    if body.len() >= COMPRESSED_FROM_BYTES {
        let mut packed = vec![ZSTD];
        put(&mut packed, body.len() as u64);
        packed.extend(zstd::bulk::compress(body, LEVEL).map_err(|error| error.to_string())?);
        if packed.len() < plain.len() {
            return Ok(packed);
        }
    }
    Ok(plain)
}

/// Calls `each` with the cells, in order, and makes sure that they are what [`pack`] wrote.
pub(super) fn unpack(level: Level, bytes: &[u8], mut each: impl FnMut(Cell)) -> Result<(), String> {
    let (form, rest) = bytes.split_first().ok_or("it is empty")?;
    let inflated;
    let body = match *form {
        PLAIN => rest,
        ZSTD => {
            let mut rest = rest;
            let length = take(&mut rest)?;
            let length = usize::try_from(length)
                .ok()
                .filter(|length| *length <= PLAIN_BYTES_MAX)
                .ok_or_else(|| format!("it claims {length} bytes"))?;
            inflated = zstd::bulk::decompress(rest, length).map_err(|error| error.to_string())?;
            if inflated.len() != length {
                return Err("it is shorter than it claims".into());
            }
            &inflated[..]
        }
        other => return Err(format!("unknown form {other}")),
    };
    cells(level, body, &mut each)
}

fn cells(level: Level, mut body: &[u8], each: &mut impl FnMut(Cell)) -> Result<(), String> {
    let cells = length(&mut body)?;
    let mut steps: &[u8] = &[];
    if level.has_sources() {
        let bytes = length(&mut body)?;
        steps = cut(&mut body, bytes)?;
    }
    let codes = if level.has_kinds() { cut(&mut body, cells)? } else { &[] };
    let mut codes = codes.iter();
    let mut before: Option<(u64, u8)> = None;
    for _ in 0..cells {
        let step = if level.has_sources() { take(&mut steps)? } else { 0 };
        let source = before
            .map_or(0, |(source, _)| source)
            .checked_add(step)
            .ok_or("a source is beyond all numbers")?;
        let code = codes.next().copied().unwrap_or(0);
        if !is_code(code) {
            return Err(format!("unknown kind or severity {code}"));
        }
        if before.is_some_and(|before| before >= (source, code)) {
            return Err("cells are not in order".into());
        }
        before = Some((source, code));
        let count = take(&mut body)?;
        if count == 0 {
            return Err("a cell is empty".into());
        }
        each(Cell { source, code, count });
    }
    if body.is_empty() && steps.is_empty() { Ok(()) } else { Err("bytes are left over".into()) }
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u64, String> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or("it ends early")?;
        *bytes = rest;
        let part = u64::from(byte & 0x7f);
        number |= part << shift;
        if byte & 0x80 == 0 {
            // The tenth byte has one bit only, and no number two spellings.
            let is_shortest = part != 0 || shift == 0;
            let fits = shift < 63 || part <= 1;
            return if is_shortest && fits { Ok(number) } else { Err("a number is odd".into()) };
        }
    }
    Err("a number is too long".into())
}

/// A length that can be true: nothing is shorter than a byte.
fn length(bytes: &mut &[u8]) -> Result<usize, String> {
    let claimed = take(bytes)?;
    usize::try_from(claimed)
        .ok()
        .filter(|length| *length <= bytes.len())
        .ok_or_else(|| "it ends early".to_owned())
}

fn cut<'a>(bytes: &mut &'a [u8], length: usize) -> Result<&'a [u8], String> {
    let (first, rest) = bytes.split_at_checked(length).ok_or("it ends early")?;
    *bytes = rest;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::super::kinds::CODES;
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn sorted(level: Level, cells: &BTreeMap<(u64, u8), u64>) -> Vec<Cell> {
        let mut kept = BTreeMap::new();
        for ((source, code), count) in cells {
            let source = if level.has_sources() { *source } else { 0 };
            let code = if level.has_kinds() && is_code(*code) { *code } else { 0 };
            kept.insert((source, code), *count);
        }
        kept.into_iter().map(|((source, code), count)| Cell { source, code, count }).collect()
    }

    fn unpacked(level: Level, bytes: &[u8]) -> Result<Vec<Cell>, String> {
        let mut cells = Vec::new();
        unpack(level, bytes, |cell| cells.push(cell)).map(|()| cells)
    }

    proptest! {
        #[test]
        fn what_is_packed_is_unpacked(
            cells in prop::collection::btree_map(
                (prop_oneof![0u64..500, any::<u64>()], 0u8..CODES as u8), 1u64.., 0..300),
        ) {
            for level in Level::ALL {
                let cells = sorted(level, &cells);
                let bytes = pack(level, &cells).unwrap();
                prop_assert_eq!(unpacked(level, &bytes).unwrap(), cells);
            }
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, form in 0u8..4) {
            for level in Level::ALL {
                let _ = unpacked(level, &[&[form], bytes.as_slice()].concat());
            }
        }

        #[test]
        fn one_set_of_cells_has_one_plain_form(bytes in prop::collection::vec(0u8..16, 0..40)) {
            let bytes = [&[PLAIN], bytes.as_slice()].concat();
            for level in Level::ALL {
                if let Ok(cells) = unpacked(level, &bytes) {
                    prop_assert_eq!(&pack(level, &cells).unwrap(), &bytes);
                }
            }
        }
    }

    #[test]
    fn damage_is_named() {
        let cells: Vec<Cell> =
            (1..100).map(|source| Cell { source: source * 3, code: 0, count: source }).collect();
        let bytes = pack(Level::HourSources, &cells).unwrap();
        assert_eq!(bytes[0], ZSTD);
        assert!(bytes.len() < 190, "{}", bytes.len());
        check(Level::HourSources, &[], "it is empty");
        check(Level::HourSources, &[9, 0], "unknown form 9");
        check(Level::HourKinds, &[PLAIN, 1, 5, 1], "unknown kind or severity 5");
        check(Level::HourKinds, &[PLAIN, 1, 0, 0], "a cell is empty");
        check(Level::HourKinds, &[PLAIN, 2, 1, 0, 1, 1], "cells are not in order");
        check(Level::HourKinds, &[PLAIN, 1, 0, 1, 7], "bytes are left over");
        check(Level::HourKinds, &[PLAIN, 90, 0, 1], "it ends early");
        check(Level::HourKinds, &[PLAIN, 0x81, 0, 0, 1], "a number is odd");
        check(
            Level::HourKinds,
            &[ZSTD, 0xff, 0xff, 0xff, 0xff, 0x0f],
            "it claims 4294967295 bytes",
        );
        for cut in 0..bytes.len() {
            assert!(unpacked(Level::HourSources, &bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[track_caller]
    fn check(level: Level, bytes: &[u8], expected: &str) {
        assert_eq!(unpacked(level, bytes), Err(expected.to_owned()));
    }
}
