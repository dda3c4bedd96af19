//! Writing and opening the files of the archive.

use super::blocks::{BlockSummer, BlockSums};
use super::bytes::FileBytes;
use super::columns::{Column, ColumnKind, schema};
use crate::StoreError;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_schema::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{PageIndexPolicy, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use ringwall_event::Timestamp;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the files are laid out.
#[derive(Clone, Copy, Debug)]
pub struct FileLayout {
    /// The level of zstd, 1 to 22.
    pub level: i32,
    /// Rows of a row group: what is skipped or read as one.
    pub row_group_rows: usize,
    /// Rows of a page: the least that is unpacked of a column.
    pub page_rows: usize,
}

impl Default for FileLayout {
    fn default() -> Self {
        Self { level: 3, row_group_rows: 256 << 10, page_rows: 8 << 10 }
    }
}

/// A file that is whole and on the disk under its name, to which nothing refers yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Its name in the archive folder.
    pub name: String,
    /// The UTC day of receipt, counted from 1970.
    pub day: i64,
    /// How many events it holds.
    pub events: u64,
    /// Its size.
    pub bytes: u64,
    /// The earliest time of an event.
    pub time_min: Timestamp,
    /// The latest time of an event.
    pub time_max: Timestamp,
    /// When the first event was received.
    pub received_min: Timestamp,
    /// When the last event was received.
    pub received_max: Timestamp,
    /// Over all its bytes.
    pub sha256: [u8; 32],
    /// Over each of its blocks, four bytes each; what is read is checked against them.
    pub block_sums: Vec<u8>,
}

/// The ending of a file that is being written; its name begins with a full stop, so that nobody reads it.
pub(crate) const UNFINISHED: &str = ".tmp";
/// Dictionaries larger than this give way to plain values within the row group.
const DICTIONARY_BYTES_MAX: usize = 8 << 20;
const PAGE_BYTES_MAX: usize = 1 << 20;
/// A row group ends early at this size: it is held in memory until it is written.
const ROW_GROUP_BYTES_MAX: usize = 64 << 20;
const TEXT_STATISTICS_BYTES: usize = 64;

/// A file of the archive under construction: rows come sorted by time and id.
pub struct FileWriter {
    folder: PathBuf,
    name: String,
    unfinished: Unfinished,
    writer: ArrowWriter<Hashing>,
    day: i64,
    events: u64,
    times: Option<(i64, i64)>,
    received: Option<(i64, i64)>,
}

/// Removes the file unless it was finished.
struct Unfinished(Option<PathBuf>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(path) = self.0.take()
            && let Err(error) = std::fs::remove_file(&path)
        {
            tracing::warn!(file = %path.display(), %error, "an unfinished archive file stays behind");
        }
    }
}

impl FileWriter {
    /// Begins a file for events received on this UTC day.
    ///
    /// # Errors
    /// Where the file cannot be made.
    pub fn create(folder: &Path, day: i64, layout: &FileLayout) -> Result<Self, StoreError> {
        let name = new_name(day)?;
        let path = folder.join(format!(".{name}{UNFINISHED}"));
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| write_error(&name, &error))?;
        let unfinished = Unfinished(Some(path));
        let hashing = Hashing {
            file: BufWriter::with_capacity(256 << 10, file),
            digest: Sha256::new(),
            blocks: BlockSummer::default(),
            bytes: 0,
        };
        let options = ArrowWriterOptions::new()
            .with_properties(properties(layout)?)
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(hashing, schema(), options)
            .map_err(|error| parquet_error(&name, error))?;
        Ok(Self {
            folder: folder.to_owned(),
            name,
            unfinished,
            writer,
            day,
            events: 0,
            times: None,
            received: None,
        })
    }

    /// Adds rows of all columns, later than or as late as those before.
    ///
    /// # Errors
    /// Where the disk refuses; the file is then removed.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), StoreError> {
        self.writer.write(batch).map_err(|error| parquet_error(&self.name, error))?;
        self.events += batch.num_rows() as u64;
        self.times = widen(self.times, batch, Column::Time);
        self.received = widen(self.received, batch, Column::MetadataLoggedTime);
        Ok(())
    }

    /// How many events were added.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// Completes the file: its bytes and its name are on the disk when this returns.
    ///
    /// # Errors
    /// Where the disk refuses; the file is then removed.
    pub fn finish(mut self) -> Result<NewFile, StoreError> {
        let failed = |error: &std::io::Error| write_error(&self.name, error);
        self.writer.finish().map_err(|error| parquet_error(&self.name, error))?;
        let hashing = self.writer.inner_mut();
        hashing.file.flush().map_err(|error| failed(&error))?;
        hashing.file.get_ref().sync_all().map_err(|error| failed(&error))?;
        let block_sums = hashing.blocks.finish();
        let (sha256, bytes) = (hashing.digest.clone().finalize().into(), hashing.bytes);
        if let Some(unfinished) = &self.unfinished.0 {
            std::fs::rename(unfinished, self.folder.join(&self.name))
                .map_err(|error| failed(&error))?;
        }
        self.unfinished.0 = None;
        sync_folder(&self.folder).map_err(|error| failed(&error))?;
        let (time_min, time_max) = self.times.unwrap_or_default();
        let (received_min, received_max) = self.received.unwrap_or_default();
        Ok(NewFile {
            name: self.name,
            day: self.day,
            events: self.events,
            bytes,
            block_sums,
            time_min: Timestamp::from_micros(time_min),
            time_max: Timestamp::from_micros(time_max),
            received_min: Timestamp::from_micros(received_min),
            received_max: Timestamp::from_micros(received_max),
            sha256,
        })
    }
}

/// A file of the archive, opened: its footer is in memory, its rows are not.
#[derive(Clone)]
pub struct ArchiveFile {
    /// Its name, for messages.
    pub name: Arc<str>,
    pub(crate) bytes: FileBytes,
    pub(crate) metadata: ArrowReaderMetadata,
}

impl ArchiveFile {
    /// Opens a file and reads its footer and page index. What is read of it is not checked: for those
    /// who compare its SHA-256.
    ///
    /// # Errors
    /// Where it is missing, or not a Parquet file.
    pub fn open(folder: &Path, name: &str) -> Result<Self, StoreError> {
        Self::open_checked(folder, name, BlockSums::default())
    }

    /// Opens a file, whose blocks are checked from then on.
    pub(crate) fn open_checked(
        folder: &Path,
        name: &str,
        sums: BlockSums,
    ) -> Result<Self, StoreError> {
        let bytes =
            File::open(folder.join(name)).and_then(|file| FileBytes::new(file, sums)).map_err(
                |error| StoreError::Archive { file: name.to_owned(), why: error.to_string() },
            )?;
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let plain = ArrowReaderMetadata::load(&bytes, options.clone())
            .map_err(|error| parquet_error(name, error))?;
        // Our own types where we know the column; what a later version added is read as it is.
        let fields: Vec<Field> = plain
            .schema()
            .fields()
            .iter()
            .map(|field| match Column::by_name(field.name()) {
                Some(column) => Field::new(field.name(), column.data_type(), field.is_nullable()),
                None => field.as_ref().clone(),
            })
            .collect();
        let options = options.with_schema(Arc::new(Schema::new(fields)));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(plain.metadata()), options)
            .map_err(|error| parquet_error(name, error))?;
        Ok(Self { name: name.into(), bytes, metadata })
    }

    /// About how much memory the footer takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.metadata.metadata().memory_size()
    }

    /// How many row groups it has.
    pub fn row_groups(&self) -> usize {
        self.metadata.metadata().num_row_groups()
    }

    /// How many events it holds.
    pub fn events(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows().unsigned_abs()
    }
}

fn properties(layout: &FileLayout) -> Result<WriterProperties, StoreError> {
    let level = ZstdLevel::try_new(layout.level).map_err(|error| parquet_error("new", error))?;
    let time = i32::try_from(Column::Time.position()).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("ringwall ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(layout.row_group_rows))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES_MAX))
        .set_data_page_row_count_limit(layout.page_rows)
        .set_data_page_size_limit(PAGE_BYTES_MAX)
        .set_write_batch_size(layout.page_rows.min(1024))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES_MAX)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_statistics_truncate_length(Some(TEXT_STATISTICS_BYTES))
        .set_column_index_truncate_length(Some(TEXT_STATISTICS_BYTES))
        .set_bloom_filter_fpp(0.01)
        .set_bloom_filter_enabled(false)
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: time,
            descending: false,
            nulls_first: false,
        }]));
    for column in Column::ALL {
        let path = ColumnPath::from(column.name());
        if !column.has_dictionary() {
            builder = builder.set_column_dictionary_enabled(path.clone(), false);
        }
        if column.kind() == ColumnKind::Time {
            builder = builder.set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED);
        }
        if *column == Column::Time {
            builder = builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::Page);
        }
        if column.has_bloom_filter() {
            let rows = u64::try_from(layout.row_group_rows).unwrap_or(u64::MAX);
            builder = builder
                .set_column_bloom_filter_max_ndv(path.clone(), rows)
                .set_column_bloom_filter_fpp(path, 0.01);
        }
    }
    Ok(builder.build())
}

/// Writes through to the file, counts and hashes.
struct Hashing {
    file: BufWriter<File>,
    digest: Sha256,
    blocks: BlockSummer,
    bytes: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write_all(bytes)?;
        self.digest.update(bytes);
        self.blocks.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

fn widen(bounds: Option<(i64, i64)>, batch: &RecordBatch, column: Column) -> Option<(i64, i64)> {
    let values = batch
        .column_by_name(column.name())?
        .as_primitive_opt::<TimestampMicrosecondType>()?
        .values();
    values.iter().fold(bounds, |bounds, &value| match bounds {
        Some((min, max)) => Some((min.min(value), max.max(value))),
        None => Some((value, value)),
    })
}

/// `20261121-0123….parquet`: the day for people, the rest so that no name is ever used twice.
fn new_name(day: i64) -> Result<String, StoreError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| StoreError::Archive { file: "new".into(), why: error.to_string() })?;
    let date = Timestamp::from_micros(day.saturating_mul(86_400_000_000)).to_string();
    let date: String = date.chars().take(10).filter(char::is_ascii_digit).collect();
    Ok(format!("{date}-{:032x}.parquet", u128::from_be_bytes(random)))
}

/// Makes names in the folder durable.
pub(crate) fn sync_folder(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

pub(crate) fn write_error(name: &str, error: &std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull
        | std::io::ErrorKind::FileTooLarge
        | std::io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Archive { file: name.to_owned(), why: error.to_string() },
    }
}

pub(crate) fn parquet_error(name: &str, error: parquet::errors::ParquetError) -> StoreError {
    if let parquet::errors::ParquetError::External(source) = &error
        && let Some(io) = source.downcast_ref::<std::io::Error>()
    {
        return write_error(name, io);
    }
    StoreError::Archive { file: name.to_owned(), why: error.to_string() }
}
