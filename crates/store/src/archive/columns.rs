//! The columns of an event, as they lie in Parquet and as SQL shows them.
//!
//! Names are the OCSF paths with `_` for the dots. One table says of each column what it holds; the
//! fields that have no column of their own (the processes of a picture, shares of processor and memory)
//! are JSON in `attrs`, and the sender's original is in `raw_data`.

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use std::sync::{Arc, LazyLock};

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// Microseconds since 1970, UTC.
    Time,
    /// A signed number of 64 bits.
    Integer,
    /// A floating-point number of 64 bits.
    Float,
    /// Text in UTF-8; in memory a dictionary with 32-bit keys.
    Text,
    /// Sixteen bytes.
    Uid,
}

macro_rules! columns {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $kind:ident $(, $flag:ident)*;)+) => {
        /// A column of an event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Column {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Column {
            /// Every column, in the order of the files.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in Parquet and SQL.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What its values are.
            pub const fn kind(self) -> ColumnKind {
                match self { $(Self::$variant => ColumnKind::$kind,)+ }
            }

            /// What it holds, for people.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }

            const fn flags(self) -> &'static [Flag] {
                match self { $(Self::$variant => &[$(Flag::$flag),*],)+ }
            }
        }
    };
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    /// Every event has a value.
    Always,
    /// Values are looked up one by one: a bloom filter per row group.
    Lookup,
    /// Values seldom repeat: a dictionary would only cost.
    Unique,
}

columns! {
    /// When it happened, as the sender claims.
    Time = "time", Time, Always, Unique;
    /// The id of the first event of the batch that it came in; its own id counts on from it.
    MetadataBatchUid = "metadata_batch_uid", Uid, Always, Lookup;
    /// The place in the batch, from 0.
    MetadataSequence = "metadata_sequence", Integer, Always;
    /// When the server took it.
    MetadataLoggedTime = "metadata_logged_time", Time, Always;
    /// The dialect that the sender spoke.
    MetadataLogProvider = "metadata_log_provider", Text, Always;
    /// The sender's name.
    MetadataLogName = "metadata_log_name", Text, Always, Lookup;
    /// The host that it happened on.
    DeviceHostname = "device_hostname", Text, Always, Lookup;
    /// The kind of event: `process_started`, `http_request`, ….
    Kind = "kind", Text, Always;
    /// The OCSF class: 1007 process, 4001 network, 4002 HTTP, 3002 authentication, ….
    ClassUid = "class_uid", Integer, Always;
    /// The OCSF activity within the class.
    ActivityId = "activity_id", Integer, Always;
    /// The OCSF severity, 1 informational to 5 critical.
    SeverityId = "severity_id", Integer, Always;
    /// The pid of the process that it is about.
    ProcessPid = "process_pid", Integer;
    /// The short name of that process.
    ProcessName = "process_name", Text, Lookup;
    /// The arguments of that process, joined by blanks.
    ProcessCmdLine = "process_cmd_line", Text;
    /// The path of its program file.
    ProcessFilePath = "process_file_path", Text;
    /// The SHA-256 of its program file, in lower-case hexadecimal.
    ProcessFileSha256 = "process_file_sha256", Text, Lookup;
    /// When that process started.
    ProcessCreatedTime = "process_created_time", Time;
    /// The pid of the process that started it.
    ProcessParentPid = "process_parent_process_pid", Integer;
    /// The user that it runs as.
    ProcessUserName = "process_user_name", Text;
    /// The exit code, or minus the signal that ended the process.
    ExitCode = "exit_code", Integer;
    /// The name of the system call.
    KernelName = "kernel_name", Text;
    /// The sender's own risk score, 0 to 100.
    RiskScore = "risk_score", Float;
    /// The sender's own anomaly score, 0 to 100.
    AnomalyScore = "anomaly_score", Float;
    /// `tcp` or `udp`.
    ProtocolName = "connection_info_protocol_name", Text;
    /// The address on the reporting host; of a web request, a sign-in or what an
    /// application guard saw, the client's.
    SrcIp = "src_endpoint_ip", Text, Lookup;
    /// The port beside it.
    SrcPort = "src_endpoint_port", Integer;
    /// The address of the other side.
    DstIp = "dst_endpoint_ip", Text, Lookup;
    /// The port of the other side.
    DstPort = "dst_endpoint_port", Integer;
    /// The state of a connection, or why a sign-in was refused or an application guard acted, in the
    /// words of the sender.
    StatusDetail = "status_detail", Text;
    /// The method of a web request.
    HttpMethod = "http_request_http_method", Text;
    /// The path and query of a web request.
    UrlPath = "http_request_url_path", Text;
    /// The host name that a web request asked for.
    UrlHostname = "http_request_url_hostname", Text, Lookup;
    /// What the web client calls itself.
    UserAgent = "http_request_user_agent", Text;
    /// The page that the web client says it came from.
    Referrer = "http_request_referrer", Text;
    /// The status code of the answer to a web request.
    HttpCode = "http_response_code", Integer;
    /// The size of that answer's body in bytes.
    HttpLength = "http_response_length", Integer;
    /// How long the answer took, in milliseconds.
    Duration = "duration", Integer;
    /// The user of a sign-in or a web request.
    UserName = "user_name", Text, Lookup;
    /// 1 for a sign-in that succeeded, 2 for one that failed.
    StatusId = "status_id", Integer;
    /// The program that decided on a sign-in.
    ServiceName = "service_name", Text;
    /// How the user proved itself.
    AuthProtocol = "auth_protocol", Text;
    /// What has no column of its own, as JSON.
    Attrs = "attrs", Text, Unique;
    /// The sender's own text, where the columns do not hold all of it.
    RawData = "raw_data", Text, Unique;
    /// The country of the client of a guarded application.
    SrcCountry = "src_endpoint_location_country", Text;
    /// What an application guard reports: `penetration_attempt`, `ip_banned`, ….
    FindingType = "finding_info_types", Text;
    /// What kind of attack an application guard found: `sqli`, `xss`, ….
    FindingTitle = "finding_info_title", Text;
    /// What an application guard did: `request_blocked`, `logged_only`, ….
    Action = "action", Text;
}

impl Column {
    /// The column with this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|column| column.name() == name)
    }

    /// Its place in the files.
    pub const fn position(self) -> usize {
        self as usize
    }

    /// Whether events may be without a value.
    pub fn is_nullable(self) -> bool {
        !self.flags().contains(&Flag::Always)
    }

    /// Whether files have a bloom filter for it in each row group.
    pub fn has_bloom_filter(self) -> bool {
        self.flags().contains(&Flag::Lookup)
    }

    /// Whether files keep its values in a dictionary.
    pub fn has_dictionary(self) -> bool {
        !self.flags().contains(&Flag::Unique)
    }

    /// Its type in memory.
    pub fn data_type(self) -> DataType {
        match self.kind() {
            ColumnKind::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            ColumnKind::Integer => DataType::Int64,
            ColumnKind::Float => DataType::Float64,
            ColumnKind::Text => {
                DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
            }
            ColumnKind::Uid => DataType::FixedSizeBinary(16),
        }
    }

    fn field(self) -> Field {
        Field::new(self.name(), self.data_type(), self.is_nullable())
    }
}

/// The schema of these columns.
pub fn schema_of(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|column| column.field()).collect::<Vec<_>>()))
}

/// The schema of all columns.
pub fn schema() -> SchemaRef {
    static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| schema_of(Column::ALL));
    Arc::clone(&SCHEMA)
}
