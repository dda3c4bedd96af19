//! Rows of the archive as events again.

use super::columns::Column;
use super::rows::{AppGuardAttrs, ProcessAttrs};
use crate::StoreError;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use ringwall_event::{
    Activity, AppGuardEvent, Connection, Event, EventId, HttpRequest, Process, ProcessRef,
    Severity, SignIn, Source, Timestamp,
};
use serde::de::DeserializeOwned;

/// The events of a batch that has all columns; columns that an older file does not have count as
/// empty.
///
/// # Errors
/// Where a value is missing that every event has, or is not what its column holds.
pub fn events_of(batch: &RecordBatch) -> Result<Vec<Event>, StoreError> {
    let rows = Rows::new(batch);
    (0..batch.num_rows()).map(|row| rows.event(row)).collect()
}

/// The OCSF class of what an application guard found.
const DETECTION_FINDING: i64 = 2004;

/// A batch's columns by [`Column::position`].
pub(crate) struct Rows<'a> {
    columns: Vec<Option<&'a ArrayRef>>,
}

fn damaged(column: Column, why: &str) -> StoreError {
    StoreError::Archive { file: "row".into(), why: format!("{}: {why}", column.name()) }
}

impl<'a> Rows<'a> {
    pub(crate) fn new(batch: &'a RecordBatch) -> Self {
        Self {
            columns: Column::ALL.iter().map(|column| batch.column_by_name(column.name())).collect(),
        }
    }

    fn array(&self, column: Column) -> Option<&'a ArrayRef> {
        self.columns.get(column.position()).copied().flatten()
    }

    /// The text at a row.
    pub(crate) fn text(&self, column: Column, row: usize) -> Option<&'a str> {
        let dictionary = self.array(column)?.as_dictionary_opt::<Int32Type>()?;
        if !dictionary.is_valid(row) {
            return None;
        }
        let values: &StringArray = dictionary.values().as_string_opt::<i32>()?;
        let key = usize::try_from(dictionary.keys().value(row)).ok()?;
        (key < values.len() && values.is_valid(key)).then(|| values.value(key))
    }

    /// The number or the microseconds at a row.
    pub(crate) fn integer(&self, column: Column, row: usize) -> Option<i64> {
        let array = self.array(column)?;
        if !array.is_valid(row) {
            return None;
        }
        match array.as_primitive_opt::<Int64Type>() {
            Some(numbers) => Some(numbers.value(row)),
            None => Some(array.as_primitive_opt::<TimestampMicrosecondType>()?.value(row)),
        }
    }

    /// The floating-point number at a row.
    pub(crate) fn float(&self, column: Column, row: usize) -> Option<f64> {
        let numbers = self.array(column)?.as_primitive_opt::<Float64Type>()?;
        numbers.is_valid(row).then(|| numbers.value(row))
    }

    /// The sixteen bytes at a row.
    pub(crate) fn uid(&self, column: Column, row: usize) -> Option<u128> {
        let uids = self.array(column)?.as_fixed_size_binary_opt()?;
        if !uids.is_valid(row) {
            return None;
        }
        uids.value(row).try_into().ok().map(u128::from_be_bytes)
    }

    /// The id of the event at a row.
    pub(crate) fn id(&self, row: usize) -> Result<EventId, StoreError> {
        let batch = Column::MetadataBatchUid;
        let base = self.uid(batch, row).ok_or_else(|| damaged(batch, "missing"))?;
        let position: u16 = self.small(Column::MetadataSequence, row)?;
        Ok(EventId::from_u128(base).at(position))
    }

    /// The event at a row.
    pub(crate) fn event(&self, row: usize) -> Result<Event, StoreError> {
        Ok(Event {
            id: self.id(row)?,
            time: Timestamp::from_micros(self.needed(Column::Time, row)?),
            received: Timestamp::from_micros(self.needed(Column::MetadataLoggedTime, row)?),
            source: Source::new(
                self.needed_text(Column::MetadataLogProvider, row)?,
                self.needed_text(Column::MetadataLogName, row)?,
            ),
            host: self.needed_text(Column::DeviceHostname, row)?.into(),
            severity: self
                .integer(Column::SeverityId, row)
                .and_then(|id| u8::try_from(id).ok())
                .and_then(Severity::from_id)
                .ok_or_else(|| damaged(Column::SeverityId, "no severity"))?,
            activity: self.activity(row)?,
            original: self.boxed(Column::RawData, row),
        })
    }

    fn activity(&self, row: usize) -> Result<Activity, StoreError> {
        Ok(match self.needed_text(Column::Kind, row)? {
            "process_started" => Activity::ProcessStarted(self.process(row)?),
            "process_ended" => Activity::ProcessEnded {
                process: self.process_ref(row),
                exit_code: self.optional_small(Column::ExitCode, row)?,
            },
            "connection_opened" => Activity::ConnectionOpened(self.connection(row)?),
            "connection_closed" => Activity::ConnectionClosed(self.connection(row)?),
            "system_call" => Activity::SystemCall {
                process: self.process_ref(row),
                name: self.boxed(Column::KernelName, row).unwrap_or_default(),
                risk_score: self.float(Column::RiskScore, row),
                anomaly_score: self.float(Column::AnomalyScore, row),
            },
            "inventory" => Activity::Inventory(Box::new(self.read_attrs(row)?)),
            "events_lost" => Activity::EventsLost(Box::new(self.read_attrs(row)?)),
            "agent_health" => Activity::AgentHealth(Box::new(self.read_attrs(row)?)),
            "http_request" => Activity::HttpRequest(Box::new(self.http_request(row)?)),
            "app_guard" => Activity::AppGuard(Box::new(self.app_guard(row)?)),
            "sign_in" => Activity::SignIn(Box::new(self.sign_in(row)?)),
            other => return Err(damaged(Column::Kind, &format!("unknown kind `{other}`"))),
        })
    }

    fn app_guard(&self, row: usize) -> Result<AppGuardEvent, StoreError> {
        let attrs = match self.text(Column::Attrs, row) {
            Some(_) => self.read_attrs(row)?,
            None => AppGuardAttrs::default(),
        };
        Ok(AppGuardEvent {
            event_type: self.boxed(Column::FindingType, row).unwrap_or_default(),
            is_finding: self.integer(Column::ClassUid, row) == Some(DETECTION_FINDING),
            action: self.boxed(Column::Action, row).unwrap_or_default(),
            reason: self.boxed(Column::StatusDetail, row).unwrap_or_default(),
            client_address: self.boxed(Column::SrcIp, row),
            country: self.boxed(Column::SrcCountry, row),
            user_agent: self.boxed(Column::UserAgent, row),
            method: self.boxed(Column::HttpMethod, row),
            path: self.boxed(Column::UrlPath, row),
            status: self.optional_small(Column::HttpCode, row)?,
            duration_ms: attrs.duration_ms,
            category: self.boxed(Column::FindingTitle, row),
            pattern: attrs.pattern,
            decorator: attrs.decorator,
            rule: attrs.rule,
            handler: attrs.handler,
            install_id: attrs.install_id,
        })
    }

    fn process(&self, row: usize) -> Result<Process, StoreError> {
        let attrs = match self.text(Column::Attrs, row) {
            Some(text) => serde_json::from_str(text)
                .map_err(|error| damaged(Column::Attrs, &error.to_string()))?,
            None => ProcessAttrs::default(),
        };
        Ok(Process {
            pid: self.needed(Column::ProcessPid, row)?,
            start_time: self.start_time(row),
            name: self.boxed(Column::ProcessName, row).unwrap_or_default(),
            parent_pid: self.integer(Column::ProcessParentPid, row),
            user: self.boxed(Column::ProcessUserName, row),
            executable: self.boxed(Column::ProcessFilePath, row),
            command_line: self.boxed(Column::ProcessCmdLine, row),
            executable_sha256: self.boxed(Column::ProcessFileSha256, row),
            cpu_percent: attrs.cpu_percent,
            memory_percent: attrs.memory_percent,
            container: attrs.container,
        })
    }

    fn process_ref(&self, row: usize) -> ProcessRef {
        ProcessRef {
            pid: self.integer(Column::ProcessPid, row).unwrap_or_default(),
            start_time: self.start_time(row),
            name: self.boxed(Column::ProcessName, row).unwrap_or_default(),
        }
    }

    fn connection(&self, row: usize) -> Result<Connection, StoreError> {
        Ok(Connection {
            protocol: self.boxed(Column::ProtocolName, row).unwrap_or_default(),
            local_address: self.boxed(Column::SrcIp, row).unwrap_or_default(),
            local_port: self.small(Column::SrcPort, row)?,
            remote_address: self.boxed(Column::DstIp, row),
            remote_port: self.optional_small(Column::DstPort, row)?,
            status: self.boxed(Column::StatusDetail, row).unwrap_or_default(),
            pid: self.integer(Column::ProcessPid, row),
            process_name: self.boxed(Column::ProcessName, row),
        })
    }

    fn read_attrs<T: DeserializeOwned>(&self, row: usize) -> Result<T, StoreError> {
        serde_json::from_str(self.needed_text(Column::Attrs, row)?)
            .map_err(|error| damaged(Column::Attrs, &error.to_string()))
    }

    fn http_request(&self, row: usize) -> Result<HttpRequest, StoreError> {
        Ok(HttpRequest {
            method: self.boxed(Column::HttpMethod, row).unwrap_or_default(),
            path: self.boxed(Column::UrlPath, row).unwrap_or_default(),
            hostname: self.boxed(Column::UrlHostname, row),
            client_address: self.boxed(Column::SrcIp, row),
            client_port: self.optional_small(Column::SrcPort, row)?,
            user_agent: self.boxed(Column::UserAgent, row),
            referrer: self.boxed(Column::Referrer, row),
            user: self.boxed(Column::UserName, row),
            status: self.optional_small(Column::HttpCode, row)?,
            response_bytes: self.integer(Column::HttpLength, row).map(i64::cast_unsigned),
            duration_ms: self.integer(Column::Duration, row).map(i64::cast_unsigned),
        })
    }

    fn sign_in(&self, row: usize) -> Result<SignIn, StoreError> {
        Ok(SignIn {
            user: self.boxed(Column::UserName, row).unwrap_or_default(),
            success: self.integer(Column::StatusId, row) == Some(1),
            service: self.boxed(Column::ServiceName, row),
            protocol: self.boxed(Column::AuthProtocol, row),
            client_address: self.boxed(Column::SrcIp, row),
            client_port: self.optional_small(Column::SrcPort, row)?,
            pid: self.integer(Column::ProcessPid, row),
            detail: self.boxed(Column::StatusDetail, row),
        })
    }

    fn start_time(&self, row: usize) -> Option<Timestamp> {
        self.integer(Column::ProcessCreatedTime, row).map(Timestamp::from_micros)
    }

    fn boxed(&self, column: Column, row: usize) -> Option<Box<str>> {
        self.text(column, row).map(Into::into)
    }

    fn needed(&self, column: Column, row: usize) -> Result<i64, StoreError> {
        self.integer(column, row).ok_or_else(|| damaged(column, "missing"))
    }

    fn needed_text(&self, column: Column, row: usize) -> Result<&'a str, StoreError> {
        self.text(column, row).ok_or_else(|| damaged(column, "missing"))
    }

    fn small<T: TryFrom<i64>>(&self, column: Column, row: usize) -> Result<T, StoreError> {
        self.optional_small(column, row)?.ok_or_else(|| damaged(column, "missing"))
    }

    fn optional_small<T: TryFrom<i64>>(
        &self,
        column: Column,
        row: usize,
    ) -> Result<Option<T>, StoreError> {
        self.integer(column, row)
            .map(|number| T::try_from(number).map_err(|_| damaged(column, "out of range")))
            .transpose()
    }
}
