//! Reading rows of an opened file.

use super::columns::Column;
use super::file::{ArchiveFile, parquet_error};
use crate::StoreError;
use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::{
    ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;
use ringwall_event::Timestamp;

/// Rows of a batch that readers give at once, if they are not large.
pub(crate) const ROWS_AT_ONCE: usize = 8 << 10;
/// What the texts that are no dictionary may take in one batch: pictures of hosts have 100 KB each.
const BATCH_BYTES: u64 = 16 << 20;

impl ArchiveFile {
    /// Reads columns of some row groups, only the rows of `selection` where there is one (counted over
    /// those row groups). Columns that the file does not have are left out.
    ///
    /// # Errors
    /// Where the file cannot be read or is damaged; so for each batch.
    pub fn read(
        &self,
        row_groups: Vec<usize>,
        columns: &[Column],
        selection: Option<RowSelection>,
    ) -> Result<impl Iterator<Item = Result<RecordBatch, StoreError>> + use<>, StoreError> {
        let reader = self.reader(row_groups, columns, selection)?;
        let name = self.name.clone();
        Ok(reader.map(move |batch| {
            batch.map_err(|error| StoreError::Archive {
                file: name.to_string(),
                why: error.to_string(),
            })
        }))
    }

    fn reader(
        &self,
        row_groups: Vec<usize>,
        columns: &[Column],
        selection: Option<RowSelection>,
    ) -> Result<ParquetRecordBatchReader, StoreError> {
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.bytes.clone(),
            self.metadata.clone(),
        )
        .with_batch_size(self.rows_at_once(&row_groups, columns))
        .with_row_groups(row_groups)
        .with_projection(self.projection(columns));
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        builder.build().map_err(|error| parquet_error(&self.name, error))
    }

    /// How many rows to read at once, so that a batch stays small.
    pub(crate) fn rows_at_once(&self, row_groups: &[usize], columns: &[Column]) -> usize {
        let groups = self.metadata.metadata().row_groups();
        let plain = columns.iter().filter(|column| !column.has_dictionary());
        let leaves: Vec<usize> = plain.filter_map(|column| self.leaf(*column)).collect();
        let largest_row = row_groups
            .iter()
            .filter_map(|group| groups.get(*group))
            .map(|group| {
                let bytes = leaves.iter().map(|leaf| group.column(*leaf).uncompressed_size());
                bytes.sum::<i64>().unsigned_abs() / group.num_rows().unsigned_abs().max(1)
            })
            .max()
            .unwrap_or_default();
        let rows = BATCH_BYTES / largest_row.max(1);
        usize::try_from(rows).unwrap_or(ROWS_AT_ONCE).clamp(16, ROWS_AT_ONCE)
    }

    /// The earliest and the latest time in a row group, in microseconds.
    pub(crate) fn times_of(&self, group: usize) -> Option<(i64, i64)> {
        let leaf = self.leaf(Column::Time)?;
        match self.metadata.metadata().row_groups().get(group)?.column(leaf).statistics()? {
            Statistics::Int64(times) => Some((*times.min_opt()?, *times.max_opt()?)),
            _ => None,
        }
    }

    /// A row of the group before which all rows lie that are not later than this; rows are sorted, so
    /// the pages after it need not be read.
    pub(crate) fn rows_until(&self, group: usize, latest: Timestamp) -> usize {
        let rows = usize::try_from(self.rows_of(group)).unwrap_or(usize::MAX);
        let Some(leaf) = self.leaf(Column::Time) else { return rows };
        let index = self.metadata.metadata().page_index_for_row_group(group);
        let (Some(ColumnIndexMetaData::INT64(times)), Some(places)) =
            (index.column_index(leaf), index.offset_index(leaf))
        else {
            return rows;
        };
        // The first page that is later as a whole.
        let first_later = times
            .min_values_iter()
            .position(|min| min.is_some_and(|min| *min > latest.as_micros()));
        first_later
            .and_then(|page| places.page_locations().get(page))
            .and_then(|place| usize::try_from(place.first_row_index).ok())
            .map_or(rows, |row| row.min(rows))
    }

    /// The place of a column in this file.
    pub(crate) fn leaf(&self, column: Column) -> Option<usize> {
        let schema = self.metadata.parquet_schema();
        // The same place in every file of this version.
        let here = |leaf: usize| {
            leaf < schema.num_columns() && schema.column(leaf).name() == column.name()
        };
        if here(column.position()) {
            return Some(column.position());
        }
        (0..schema.num_columns()).find(|leaf| here(*leaf))
    }
}
