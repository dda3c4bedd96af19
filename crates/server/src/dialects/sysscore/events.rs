//! `GET /events`: newest first, page after page to the oldest.

use super::query::{Parameters, make_cursor};
use super::refusal::Refusal;
use super::{json, operator};
use crate::server::Server;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use ringwall_access::Permission;
use ringwall_dialects::sysscore::{EventRow, Page, split_process_id};
use ringwall_event::{EventId, Source, Timestamp};
use ringwall_store::{EventFilter, EventStore, PagePosition};
use std::sync::Arc;

pub(super) async fn list(
    State(server): State<Arc<Server>>,
    request: Request,
) -> Result<Response, Refusal> {
    operator::admit(&server, request.headers(), Permission::ReadEvents).await?;
    let parameters = Parameters::read(request.uri());
    let limit = parameters.limit()?;
    let filters = ProcessFilter::read(&parameters);
    let purpose = format!("sysscore events {filters:?}");
    let after = parameters.cursor::<(Timestamp, EventId)>(&server, &purpose)?;
    let Ok(filters) = filters else {
        return Ok(json(StatusCode::OK, Page::<EventRow<'_>>::new(Vec::new(), None).to_body()));
    };
    let filter = EventFilter {
        source: filters.agent_id.map(|agent_id| Source::new(Source::SYSSCORE, &agent_id)),
        dialect: Some(Source::SYSSCORE.to_owned()),
        pid: filters.pid,
        kind: Some("system_call".to_owned()),
        ..EventFilter::default()
    };
    let after = after.map(|(time, id)| PagePosition { time, id });
    let mut events =
        server.engine.read(move |session| session.events(&filter, after, limit + 1)).await?;
    let has_more = events.len() > limit;
    events.truncate(limit);
    let cursor = match events.last().filter(|_| has_more) {
        Some(last) => Some(make_cursor(&server, &purpose, &(last.time, last.id))?),
        None => None,
    };
    let page = Page::new(events.iter().filter_map(EventRow::new).collect(), cursor);
    Ok(json(StatusCode::OK, page.to_body()))
}

/// The parameters `agent_id` and `process_id` together.
#[derive(Clone, Debug)]
pub(super) struct ProcessFilter {
    pub(super) agent_id: Option<String>,
    pub(super) pid: Option<i64>,
}

/// No process can fit both parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct NothingFits;

impl ProcessFilter {
    pub(super) fn read(parameters: &Parameters) -> Result<Self, NothingFits> {
        let agent_id = parameters.text("agent_id").map(str::to_owned);
        let Some(process_id) = parameters.text("process_id") else {
            return Ok(Self { agent_id, pid: None });
        };
        let (of_process, pid) = split_process_id(process_id).ok_or(NothingFits)?;
        if agent_id.is_some_and(|agent_id| agent_id != of_process) {
            return Err(NothingFits);
        }
        Ok(Self { agent_id: Some(of_process.to_owned()), pid: Some(pid) })
    }
}
