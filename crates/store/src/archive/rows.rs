//! Events to columns and back, without loss.

use super::columns::{Column, ColumnKind, schema};
use crate::StoreError;
use arrow_array::builder::{
    FixedSizeBinaryBuilder, Float64Builder, Int64Builder, StringDictionaryBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, RecordBatch};
use ringwall_event::{Activity, AppGuardEvent, Connection, Container, Event, Process, ProcessRef};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The fields of a process that have no column: JSON in `attrs`.
#[derive(Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ProcessAttrs {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cpu_percent: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) memory_percent: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<Box<Container>>,
}

/// The fields of an application guard's event that have no column: JSON in `attrs`.
#[derive(Default, PartialEq, Serialize, Deserialize)]
pub(super) struct AppGuardAttrs {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) duration_ms: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pattern: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) decorator: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) rule: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) handler: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) install_id: Option<Box<str>>,
}

/// Turns events into a record batch of all columns.
pub struct BatchBuilder {
    columns: Vec<Slot>,
    rows: usize,
    text_bytes: usize,
}

/// A column under construction. Missing values are added when the next value comes or at the end,
/// so that the columns that an event has nothing for cost it nothing.
struct Slot {
    values: Values,
    len: usize,
}

enum Values {
    Time(TimestampMicrosecondBuilder),
    Integer(Int64Builder),
    Float(Float64Builder),
    Text(StringDictionaryBuilder<Int32Type>),
    Uid(FixedSizeBinaryBuilder),
}

impl Default for BatchBuilder {
    fn default() -> Self {
        let columns = Column::ALL
            .iter()
            .map(|column| Slot {
                len: 0,
                values: match column.kind() {
                    ColumnKind::Time => Values::Time(
                        TimestampMicrosecondBuilder::new().with_timezone(Arc::from("UTC")),
                    ),
                    ColumnKind::Integer => Values::Integer(Int64Builder::new()),
                    ColumnKind::Float => Values::Float(Float64Builder::new()),
                    ColumnKind::Text => Values::Text(StringDictionaryBuilder::new()),
                    ColumnKind::Uid => Values::Uid(FixedSizeBinaryBuilder::new(16)),
                },
            })
            .collect();
        Self { columns, rows: 0, text_bytes: 0 }
    }
}

impl BatchBuilder {
    /// How many events it holds.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// About how many bytes of text it was given.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// Adds an event.
    ///
    /// # Errors
    /// Where a picture has no JSON, which the types rule out.
    pub fn push(&mut self, event: &Event) -> Result<(), StoreError> {
        self.time(Column::Time, event.time.as_micros());
        self.uid(event.id.at(0).as_u128().to_be_bytes());
        self.integer(Column::MetadataSequence, i64::from(event.id.position()));
        self.time(Column::MetadataLoggedTime, event.received.as_micros());
        self.text(Column::MetadataLogProvider, &event.source.dialect);
        self.text(Column::MetadataLogName, &event.source.name);
        self.text(Column::DeviceHostname, &event.host);
        self.text(Column::Kind, event.activity.kind());
        let (class, activity) = event.activity.ocsf_class();
        self.integer(Column::ClassUid, class.into());
        self.integer(Column::ActivityId, activity.into());
        self.integer(Column::SeverityId, event.severity.id().into());
        self.activity(&event.activity)?;
        self.optional_text(Column::RawData, event.original.as_deref());
        self.rows += 1;
        Ok(())
    }

    /// The batch, and an empty builder.
    ///
    /// # Errors
    /// Where the columns do not fit together, which the types rule out.
    pub fn finish(&mut self) -> Result<RecordBatch, StoreError> {
        let rows = self.rows;
        let arrays = self.columns.iter_mut().map(|slot| slot.finish(rows)).collect();
        self.rows = 0;
        self.text_bytes = 0;
        RecordBatch::try_new(schema(), arrays).map_err(|error| StoreError::Archive {
            file: "in memory".into(),
            why: error.to_string(),
        })
    }

    fn activity(&mut self, activity: &Activity) -> Result<(), StoreError> {
        match activity {
            Activity::ProcessStarted(process) => self.process(process)?,
            Activity::ProcessEnded { process, exit_code } => {
                self.process_ref(process);
                self.optional_integer(Column::ExitCode, exit_code.map(i64::from));
            }
            Activity::ConnectionOpened(connection) | Activity::ConnectionClosed(connection) => {
                self.connection(connection);
            }
            Activity::SystemCall { process, name, risk_score, anomaly_score } => {
                self.process_ref(process);
                self.text(Column::KernelName, name);
                self.optional_float(Column::RiskScore, *risk_score);
                self.optional_float(Column::AnomalyScore, *anomaly_score);
            }
            Activity::Inventory(inventory) => self.attrs(inventory)?,
            Activity::AgentHealth(health) => self.attrs(health)?,
            Activity::EventsLost(lost) => self.attrs(lost)?,
            Activity::HttpRequest(request) => {
                self.text(Column::HttpMethod, &request.method);
                self.text(Column::UrlPath, &request.path);
                self.optional_text(Column::UrlHostname, request.hostname.as_deref());
                self.optional_text(Column::SrcIp, request.client_address.as_deref());
                self.optional_integer(Column::SrcPort, request.client_port.map(i64::from));
                self.optional_text(Column::UserAgent, request.user_agent.as_deref());
                self.optional_text(Column::Referrer, request.referrer.as_deref());
                self.optional_text(Column::UserName, request.user.as_deref());
                self.optional_integer(Column::HttpCode, request.status.map(i64::from));
                // What does not fit a signed number keeps its bits.
                let length = request.response_bytes.map(u64::cast_signed);
                self.optional_integer(Column::HttpLength, length);
                let duration = request.duration_ms.map(u64::cast_signed);
                self.optional_integer(Column::Duration, duration);
            }
            Activity::AppGuard(seen) => self.app_guard(seen)?,
            Activity::SignIn(sign_in) => {
                self.text(Column::UserName, &sign_in.user);
                self.integer(Column::StatusId, if sign_in.success { 1 } else { 2 });
                self.optional_text(Column::ServiceName, sign_in.service.as_deref());
                self.optional_text(Column::AuthProtocol, sign_in.protocol.as_deref());
                self.optional_text(Column::SrcIp, sign_in.client_address.as_deref());
                self.optional_integer(Column::SrcPort, sign_in.client_port.map(i64::from));
                self.optional_integer(Column::ProcessPid, sign_in.pid);
                self.optional_text(Column::StatusDetail, sign_in.detail.as_deref());
            }
            other => {
                return Err(StoreError::Archive {
                    file: "in memory".into(),
                    why: format!("no columns for events of kind {}", other.kind()),
                });
            }
        }
        Ok(())
    }

    fn process(&mut self, process: &Process) -> Result<(), StoreError> {
        self.integer(Column::ProcessPid, process.pid);
        self.text(Column::ProcessName, &process.name);
        let start = process.start_time.map(|start| start.as_micros());
        self.optional_time(Column::ProcessCreatedTime, start);
        self.optional_integer(Column::ProcessParentPid, process.parent_pid);
        self.optional_text(Column::ProcessUserName, process.user.as_deref());
        self.optional_text(Column::ProcessFilePath, process.executable.as_deref());
        self.optional_text(Column::ProcessCmdLine, process.command_line.as_deref());
        self.optional_text(Column::ProcessFileSha256, process.executable_sha256.as_deref());
        let attrs = ProcessAttrs {
            cpu_percent: process.cpu_percent,
            memory_percent: process.memory_percent,
            container: process.container.clone(),
        };
        if attrs != ProcessAttrs::default() {
            self.attrs(&attrs)?;
        }
        Ok(())
    }

    fn app_guard(&mut self, seen: &AppGuardEvent) -> Result<(), StoreError> {
        self.text(Column::FindingType, &seen.event_type);
        self.text(Column::Action, &seen.action);
        self.text(Column::StatusDetail, &seen.reason);
        self.optional_text(Column::SrcIp, seen.client_address.as_deref());
        self.optional_text(Column::SrcCountry, seen.country.as_deref());
        self.optional_text(Column::UserAgent, seen.user_agent.as_deref());
        self.optional_text(Column::HttpMethod, seen.method.as_deref());
        self.optional_text(Column::UrlPath, seen.path.as_deref());
        self.optional_integer(Column::HttpCode, seen.status.map(i64::from));
        self.optional_text(Column::FindingTitle, seen.category.as_deref());
        // For SQL; the exact one is in `attrs`.
        self.optional_integer(Column::Duration, seen.duration_ms.map(|ms| ms.round() as i64));
        let attrs = AppGuardAttrs {
            duration_ms: seen.duration_ms,
            pattern: seen.pattern.clone(),
            decorator: seen.decorator.clone(),
            rule: seen.rule.clone(),
            handler: seen.handler.clone(),
            install_id: seen.install_id.clone(),
        };
        if attrs != AppGuardAttrs::default() {
            self.attrs(&attrs)?;
        }
        Ok(())
    }

    fn process_ref(&mut self, process: &ProcessRef) {
        self.integer(Column::ProcessPid, process.pid);
        if !process.name.is_empty() {
            self.text(Column::ProcessName, &process.name);
        }
        let start = process.start_time.map(|start| start.as_micros());
        self.optional_time(Column::ProcessCreatedTime, start);
    }

    fn connection(&mut self, connection: &Connection) {
        self.text(Column::ProtocolName, &connection.protocol);
        self.text(Column::SrcIp, &connection.local_address);
        self.integer(Column::SrcPort, connection.local_port.into());
        self.optional_text(Column::DstIp, connection.remote_address.as_deref());
        self.optional_integer(Column::DstPort, connection.remote_port.map(i64::from));
        self.text(Column::StatusDetail, &connection.status);
        self.optional_integer(Column::ProcessPid, connection.pid);
        self.optional_text(Column::ProcessName, connection.process_name.as_deref());
    }

    fn attrs<T: Serialize>(&mut self, value: &T) -> Result<(), StoreError> {
        let text = serde_json::to_string(value).map_err(|error| StoreError::Archive {
            file: "in memory".into(),
            why: error.to_string(),
        })?;
        self.text(Column::Attrs, &text);
        Ok(())
    }

    fn slot(&mut self, column: Column) -> Option<&mut Values> {
        let rows = self.rows;
        let slot = self.columns.get_mut(column.position())?;
        slot.fill(rows);
        slot.len = rows + 1;
        Some(&mut slot.values)
    }

    fn time(&mut self, column: Column, micros: i64) {
        if let Some(Values::Time(values)) = self.slot(column) {
            values.append_value(micros);
        }
    }

    fn integer(&mut self, column: Column, number: i64) {
        if let Some(Values::Integer(values)) = self.slot(column) {
            values.append_value(number);
        }
    }

    fn text(&mut self, column: Column, text: &str) {
        self.text_bytes += text.len();
        if let Some(Values::Text(values)) = self.slot(column) {
            values.append_value(text);
        }
    }

    fn uid(&mut self, uid: [u8; 16]) {
        if let Some(Values::Uid(values)) = self.slot(Column::MetadataBatchUid) {
            // Sixteen bytes are what the column was made for.
            if values.append_value(uid).is_err() {
                values.append_null();
            }
        }
    }

    fn optional_time(&mut self, column: Column, micros: Option<i64>) {
        if let Some(micros) = micros {
            self.time(column, micros);
        }
    }

    fn optional_integer(&mut self, column: Column, number: Option<i64>) {
        if let Some(number) = number {
            self.integer(column, number);
        }
    }

    fn optional_float(&mut self, column: Column, number: Option<f64>) {
        if let Some(number) = number
            && let Some(Values::Float(values)) = self.slot(column)
        {
            values.append_value(number);
        }
    }

    fn optional_text(&mut self, column: Column, text: Option<&str>) {
        if let Some(text) = text {
            self.text(column, text);
        }
    }
}

impl Slot {
    fn fill(&mut self, rows: usize) {
        let missing = rows - self.len;
        if missing == 0 {
            return;
        }
        match &mut self.values {
            Values::Time(values) => values.append_nulls(missing),
            Values::Integer(values) => values.append_nulls(missing),
            Values::Float(values) => values.append_nulls(missing),
            Values::Text(values) => values.append_nulls(missing),
            Values::Uid(values) => (0..missing).for_each(|_| values.append_null()),
        }
        self.len = rows;
    }

    fn finish(&mut self, rows: usize) -> ArrayRef {
        self.fill(rows);
        self.len = 0;
        match &mut self.values {
            Values::Time(values) => Arc::new(values.finish()),
            Values::Integer(values) => Arc::new(values.finish()),
            Values::Float(values) => Arc::new(values.finish()),
            Values::Text(values) => Arc::new(values.finish()),
            Values::Uid(values) => Arc::new(values.finish()),
        }
    }
}
