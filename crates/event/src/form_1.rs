//! Activities as the first version of the program wrote them to disk: a process had no container.
//!
//! Kept so that what was stored then can be read for ever. The forms on disk name no fields, so a
//! type that is in one of them never changes; it is succeeded.

use crate::{Activity, Connection, HttpRequest, ProcessRef, SignIn, SystemInfo, Timestamp};
use serde::{Deserialize, Serialize};

/// [`Activity`] as it was.
#[derive(Debug, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is described where it lives on")]
pub enum Activity1 {
    ProcessStarted(Process1),
    ProcessEnded {
        process: ProcessRef,
        exit_code: Option<i32>,
    },
    ConnectionOpened(Connection),
    ConnectionClosed(Connection),
    SystemCall {
        process: ProcessRef,
        name: Box<str>,
        risk_score: Option<f64>,
        anomaly_score: Option<f64>,
    },
    Inventory(Box<Inventory1>),
    HttpRequest(Box<HttpRequest>),
    SignIn(Box<SignIn>),
}

/// [`crate::Process`] as it was.
#[derive(Debug, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is described where it lives on")]
pub struct Process1 {
    pub pid: i64,
    pub start_time: Option<Timestamp>,
    pub name: Box<str>,
    pub parent_pid: Option<i64>,
    pub user: Option<Box<str>>,
    pub executable: Option<Box<str>>,
    pub command_line: Option<Box<str>>,
    pub executable_sha256: Option<Box<str>>,
    pub cpu_percent: Option<f64>,
    pub memory_percent: Option<f64>,
}

/// [`crate::Inventory`] as it was.
#[derive(Debug, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is described where it lives on")]
pub struct Inventory1 {
    pub processes: Vec<Process1>,
    pub connections: Vec<Connection>,
    pub system: SystemInfo,
}

impl From<Activity1> for Activity {
    fn from(activity: Activity1) -> Self {
        match activity {
            Activity1::ProcessStarted(process) => Self::ProcessStarted(process.into()),
            Activity1::ProcessEnded { process, exit_code } => {
                Self::ProcessEnded { process, exit_code }
            }
            Activity1::ConnectionOpened(connection) => Self::ConnectionOpened(connection),
            Activity1::ConnectionClosed(connection) => Self::ConnectionClosed(connection),
            Activity1::SystemCall { process, name, risk_score, anomaly_score } => {
                Self::SystemCall { process, name, risk_score, anomaly_score }
            }
            Activity1::Inventory(inventory) => Self::Inventory(Box::new(crate::Inventory {
                processes: inventory.processes.into_iter().map(Into::into).collect(),
                connections: inventory.connections,
                system: inventory.system,
            })),
            Activity1::HttpRequest(request) => Self::HttpRequest(request),
            Activity1::SignIn(sign_in) => Self::SignIn(sign_in),
        }
    }
}

impl From<Process1> for crate::Process {
    fn from(process: Process1) -> Self {
        Self {
            pid: process.pid,
            start_time: process.start_time,
            name: process.name,
            parent_pid: process.parent_pid,
            user: process.user,
            executable: process.executable,
            command_line: process.command_line,
            executable_sha256: process.executable_sha256,
            cpu_percent: process.cpu_percent,
            memory_percent: process.memory_percent,
            container: None,
        }
    }
}
