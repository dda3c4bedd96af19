mod guard;
mod guard_rules;

use crate::http_client::{to_body, with_query};
use crate::{ClientError, EventStream, HttpAnswer, HttpClient, QueryLines, Rows, Trust};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use ringwall_event::{Connection, EventId, Source};
use ringwall_server_api::{
    AlertQuery, AlertRow, AuditRow, CommandQuery, CommandRequest, CommandRow, DeliveryDetail,
    DeliveryQuery, DeliveryRow, EnrolmentCreated, EnrolmentRequest, EnrolmentRow, EventQuery,
    EventRow, Health, HoldRequest, HoldRow, HostProcess, HostRow, IdentityReason, IdentityRow,
    IndicatorImport, IndicatorImportAnswer, IndicatorRequest, IndicatorRow, KeyCreated, KeyKind,
    KeyRequest, KeyRow, KillRequest, NoteRequest, Overview, Page, PageQuery, PasswordAnswer,
    PasswordRequest, QueryFormat, QueryRequest, ReplayAnswer, ScoreQuery, ScoreRow, SessionQuery,
    SessionRow, StoreStats, StreamQuery, Timeline, TimelineQuery, TokenCreated, TokenRequest,
    TokenRow, UserChange, UserRequest, UserRow, WebhookChange, WebhookCreated, WebhookRequest,
    WebhookRow, WebhookSecret, paths,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(30);

/// Speaks to a server with a token. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    http: HttpClient,
    headers: HeaderMap,
}

impl Client {
    /// A client of the server at `url`, as in `http://127.0.0.1:7400`. Nothing is sent yet.
    ///
    /// # Errors
    /// Where the address or the token cannot be used.
    pub fn new(url: &str, token: &str) -> Result<Self, ClientError> {
        Self::trusting(url, token, &Trust::default())
    }

    /// The same for an address that begins with `https://`, where `trust` says who may vouch for the
    /// server.
    ///
    /// # Errors
    /// Where the address or the token cannot be used, or https is asked for and nobody is trusted.
    pub fn trusting(url: &str, token: &str, trust: &Trust) -> Result<Self, ClientError> {
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| ClientError::BadToken)?;
        authorization.set_sensitive(true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, authorization)]);
        Ok(Self { http: HttpClient::trusting(url, TIMEOUT, trust)?, headers })
    }

    /// The address of the server.
    pub fn url(&self) -> &str {
        self.http.url()
    }

    /// Whether the server lives.
    ///
    /// # Errors
    /// Where it does not answer, or cannot store.
    pub async fn health(&self) -> Result<Health, ClientError> {
        self.get(paths::HEALTH).await
    }

    /// The certificate of the authority that vouches for the server, as PEM.
    ///
    /// # Errors
    /// Where there is no answer, or the server speaks plain http.
    pub async fn ca(&self) -> Result<String, ClientError> {
        let body = self.send(Method::GET, paths::CA, Bytes::new()).await?.success_body()?;
        String::from_utf8(body.into()).map_err(|error| ClientError::Unreadable(error.to_string()))
    }

    /// Everything at a glance.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn overview(&self) -> Result<Overview, ClientError> {
        self.get(paths::OVERVIEW).await
    }

    /// What the store holds.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn store(&self) -> Result<StoreStats, ClientError> {
        self.get(paths::STORE).await
    }

    /// All hosts, the one that reported last first.
    pub fn hosts(&self) -> Rows<PageQuery, HostRow> {
        Rows::new(self.clone(), paths::HOSTS, PageQuery::default())
    }

    /// One host.
    ///
    /// # Errors
    /// Where there is no answer, or no such host.
    pub async fn host(&self, id: &Source) -> Result<HostRow, ClientError> {
        self.get(&paths::fill(paths::HOST, &id.to_string())).await
    }

    /// What runs on a host.
    ///
    /// # Errors
    /// Where there is no answer, or no such host.
    pub async fn host_processes(&self, id: &Source) -> Result<Vec<HostProcess>, ClientError> {
        self.list(&paths::fill(paths::HOST_PROCESSES, &id.to_string())).await
    }

    /// Whom a host talks to.
    ///
    /// # Errors
    /// Where there is no answer, or no such host.
    pub async fn host_connections(&self, id: &Source) -> Result<Vec<Connection>, ClientError> {
        self.list(&paths::fill(paths::HOST_CONNECTIONS, &id.to_string())).await
    }

    /// What was observed, newest first.
    pub fn events(&self, query: EventQuery) -> Rows<EventQuery, EventRow> {
        Rows::new(self.clone(), paths::EVENTS, query)
    }

    /// One observation.
    ///
    /// # Errors
    /// Where there is no answer, or no such event.
    pub async fn event(&self, id: EventId) -> Result<EventRow, ClientError> {
        self.get(&paths::fill(paths::EVENT, &id.to_string())).await
    }

    /// Asks in SQL; the answer comes as it is found.
    ///
    /// # Errors
    /// Where there is no answer, or the query is refused.
    pub async fn query(&self, request: &QueryRequest) -> Result<QueryLines, ClientError> {
        let request = QueryRequest { format: Some(QueryFormat::Ndjson), ..request.clone() };
        let body = to_body(&request)?;
        QueryLines::open(&self.http, paths::QUERY, self.headers.clone(), body).await
    }

    /// How much was received, over time.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn timeline(&self, query: &TimelineQuery) -> Result<Timeline, ClientError> {
        self.get(&with_query(paths::TIMELINE, query)?).await
    }

    /// What was concluded, newest first.
    pub fn alerts(&self, query: AlertQuery) -> Rows<AlertQuery, AlertRow> {
        Rows::new(self.clone(), paths::ALERTS, query)
    }

    /// One conclusion.
    ///
    /// # Errors
    /// Where there is no answer, or no such alert.
    pub async fn alert(&self, id: EventId) -> Result<AlertRow, ClientError> {
        self.get(&paths::fill(paths::ALERT, &id.to_string())).await
    }

    /// Somebody has it.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn acknowledge_alert(
        &self,
        id: EventId,
        note: &NoteRequest,
    ) -> Result<AlertRow, ClientError> {
        self.post(&paths::fill(paths::ALERT_ACKNOWLEDGE, &id.to_string()), note).await
    }

    /// Dealt with.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn resolve_alert(
        &self,
        id: EventId,
        note: &NoteRequest,
    ) -> Result<AlertRow, ClientError> {
        self.post(&paths::fill(paths::ALERT_RESOLVE, &id.to_string()), note).await
    }

    /// Orders the end of the process that an alert is about.
    ///
    /// # Errors
    /// Where there is no answer, or the order is refused.
    pub async fn kill_alert_process(
        &self,
        id: EventId,
        request: &KillRequest,
    ) -> Result<CommandRow, ClientError> {
        self.post(&paths::fill(paths::ALERT_KILL, &id.to_string()), request).await
    }

    /// What was ordered, newest first.
    pub fn commands(&self, query: CommandQuery) -> Rows<CommandQuery, CommandRow> {
        Rows::new(self.clone(), paths::COMMANDS, query)
    }

    /// One order.
    ///
    /// # Errors
    /// Where there is no answer, or no such command.
    pub async fn command(&self, id: &str) -> Result<CommandRow, ClientError> {
        self.get(&paths::fill(paths::COMMAND, id)).await
    }

    /// The file that a host brought, whole.
    ///
    /// # Errors
    /// Where there is no answer, or there is no such file.
    pub async fn collected_file(&self, id: &str) -> Result<Bytes, ClientError> {
        let path = paths::fill(paths::COMMAND_FILE, id);
        self.send(Method::GET, &path, Bytes::new()).await?.bytes()
    }

    /// Orders something by hand.
    ///
    /// # Errors
    /// Where there is no answer, or the order is refused.
    pub async fn create_command(
        &self,
        request: &CommandRequest,
    ) -> Result<CommandRow, ClientError> {
        self.post(paths::COMMANDS, request).await
    }

    /// Takes an order back.
    ///
    /// # Errors
    /// Where there is no answer, or it is too late.
    pub async fn withdraw_command(&self, id: &str) -> Result<CommandRow, ClientError> {
        let path = paths::fill(paths::COMMAND_WITHDRAW, id);
        self.send(Method::POST, &path, Bytes::new()).await?.json()
    }

    /// How risky processes are, the riskiest first.
    pub fn scores(&self, query: ScoreQuery) -> Rows<ScoreQuery, ScoreRow> {
        Rows::new(self.clone(), paths::SCORES, query)
    }

    /// The list of known bad things.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn indicators(&self) -> Result<Vec<IndicatorRow>, ClientError> {
        self.list(paths::INDICATORS).await
    }

    /// Adds a known bad thing.
    ///
    /// # Errors
    /// Where there is no answer, or it is there already or makes no sense.
    pub async fn create_indicator(
        &self,
        request: &IndicatorRequest,
    ) -> Result<IndicatorRow, ClientError> {
        self.post(paths::INDICATORS, request).await
    }

    /// Adds many known bad things.
    ///
    /// # Errors
    /// Where there is no answer, or the whole list makes no sense.
    pub async fn import_indicators(
        &self,
        request: &IndicatorImport,
    ) -> Result<IndicatorImportAnswer, ClientError> {
        self.post(paths::INDICATORS_IMPORT, request).await
    }

    /// Takes a thing off the list.
    ///
    /// # Errors
    /// Where there is no answer, or no such indicator.
    pub async fn delete_indicator(&self, id: &str) -> Result<(), ClientError> {
        self.delete(&paths::fill(paths::INDICATOR, id)).await
    }

    /// Leave for host agents to enrol.
    pub fn enrolments(&self) -> Rows<PageQuery, EnrolmentRow> {
        Rows::new(self.clone(), paths::ENROLMENTS, PageQuery::default())
    }

    /// Gives leave to enrol.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn create_enrolment(
        &self,
        request: &EnrolmentRequest,
    ) -> Result<EnrolmentCreated, ClientError> {
        self.post(paths::ENROLMENTS, request).await
    }

    /// Takes leave to enrol back.
    ///
    /// # Errors
    /// Where there is no answer, or no such enrolment.
    pub async fn delete_enrolment(&self, id: &str) -> Result<(), ClientError> {
        self.delete(&paths::fill(paths::ENROLMENT, id)).await
    }

    /// The host agents that enrolled.
    pub fn identities(&self) -> Rows<PageQuery, IdentityRow> {
        Rows::new(self.clone(), paths::IDENTITIES, PageQuery::default())
    }

    /// Shuts a host agent out.
    ///
    /// # Errors
    /// Where there is no answer, or no such host agent.
    pub async fn revoke_identity(
        &self,
        name: &str,
        reason: &IdentityReason,
    ) -> Result<IdentityRow, ClientError> {
        self.post(&paths::fill(paths::IDENTITY_REVOKE, name), reason).await
    }

    /// Lets a host agent in again.
    ///
    /// # Errors
    /// Where there is no answer, no such host agent, or nothing is held against it.
    pub async fn reinstate_identity(
        &self,
        name: &str,
        reason: &IdentityReason,
    ) -> Result<IdentityRow, ClientError> {
        self.post(&paths::fill(paths::IDENTITY_REINSTATE, name), reason).await
    }

    /// Forgets a host agent: its name is free.
    ///
    /// # Errors
    /// Where there is no answer, or no such host agent.
    pub async fn delete_identity(&self, name: &str) -> Result<(), ClientError> {
        self.delete(&paths::fill(paths::IDENTITY, name)).await
    }

    /// The keys of agents.
    pub fn keys(&self) -> Rows<PageQuery, KeyRow> {
        Rows::new(self.clone(), paths::KEYS, PageQuery::default())
    }

    /// Makes a key for an agent.
    ///
    /// # Errors
    /// Where there is no answer, or there is one already.
    pub async fn create_key(&self, request: &KeyRequest) -> Result<KeyCreated, ClientError> {
        self.post(paths::KEYS, request).await
    }

    /// Removes a key.
    ///
    /// # Errors
    /// Where there is no answer, or no such key.
    pub async fn delete_key(&self, kind: KeyKind, name: &str) -> Result<(), ClientError> {
        self.delete(&paths::fill(&paths::fill(paths::KEY, kind.name()), name)).await
    }

    /// The tokens of programs.
    pub fn tokens(&self) -> Rows<PageQuery, TokenRow> {
        Rows::new(self.clone(), paths::TOKENS, PageQuery::default())
    }

    /// Makes a token for a program.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn create_token(&self, request: &TokenRequest) -> Result<TokenCreated, ClientError> {
        self.post(paths::TOKENS, request).await
    }

    /// Removes a token.
    ///
    /// # Errors
    /// Where there is no answer, or no such token.
    pub async fn delete_token(&self, id: &str) -> Result<(), ClientError> {
        self.delete(&paths::fill(paths::TOKEN, id)).await
    }

    /// The people who may sign in, by name.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn users(&self) -> Result<Vec<UserRow>, ClientError> {
        self.list(paths::USERS).await
    }

    /// Lets somebody sign in.
    ///
    /// # Errors
    /// Where there is no answer, or there is one of that name.
    pub async fn create_user(&self, request: &UserRequest) -> Result<PasswordAnswer, ClientError> {
        self.post(paths::USERS, request).await
    }

    /// Changes what somebody may do.
    ///
    /// # Errors
    /// Where there is no answer, or it is about the last administrator.
    pub async fn change_user(
        &self,
        name: &str,
        change: &UserChange,
    ) -> Result<UserRow, ClientError> {
        let path = paths::fill(paths::USER, name);
        self.send(Method::PATCH, &path, to_body(change)?).await?.json()
    }

    /// Lets somebody sign in no more.
    ///
    /// # Errors
    /// Where there is no answer, or it is about the last administrator.
    pub async fn delete_user(&self, name: &str) -> Result<(), ClientError> {
        self.delete(&paths::fill(paths::USER, name)).await
    }

    /// Gives somebody another password.
    ///
    /// # Errors
    /// Where there is no answer, or the password is not good enough.
    pub async fn set_password(
        &self,
        name: &str,
        request: &PasswordRequest,
    ) -> Result<PasswordAnswer, ClientError> {
        self.post(&paths::fill(paths::USER_PASSWORD, name), request).await
    }

    /// Who is signed in, and where.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn sessions(&self, query: &SessionQuery) -> Result<Vec<SessionRow>, ClientError> {
        self.list(&with_query(paths::SESSIONS, query)?).await
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn end_sessions(&self, query: &SessionQuery) -> Result<(), ClientError> {
        self.delete(&with_query(paths::SESSIONS, query)?).await
    }

    /// Legal holds, by name.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn holds(&self) -> Result<Vec<HoldRow>, ClientError> {
        self.list(paths::HOLDS).await
    }

    /// Puts a legal hold into force.
    ///
    /// # Errors
    /// Where there is no answer, or there is one of that name.
    pub async fn create_hold(&self, request: &HoldRequest) -> Result<HoldRow, ClientError> {
        self.post(paths::HOLDS, request).await
    }

    /// Lifts a legal hold.
    ///
    /// # Errors
    /// Where there is no answer, or no such hold.
    pub async fn delete_hold(&self, name: &str) -> Result<(), ClientError> {
        self.delete(&paths::fill(paths::HOLD, name)).await
    }

    /// Where alerts are told, by name.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn webhooks(&self) -> Result<Vec<WebhookRow>, ClientError> {
        self.list(paths::WEBHOOKS).await
    }

    /// One webhook.
    ///
    /// # Errors
    /// Where there is no answer, or no such webhook.
    pub async fn webhook(&self, id: &str) -> Result<WebhookRow, ClientError> {
        self.get(&paths::fill(paths::WEBHOOK, id)).await
    }

    /// Has alerts told somewhere. The secret is told this once.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn create_webhook(
        &self,
        request: &WebhookRequest,
    ) -> Result<WebhookCreated, ClientError> {
        self.post(paths::WEBHOOKS, request).await
    }

    /// Changes, pauses or resumes a webhook.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn change_webhook(
        &self,
        id: &str,
        change: &WebhookChange,
    ) -> Result<WebhookRow, ClientError> {
        let path = paths::fill(paths::WEBHOOK, id);
        self.send(Method::PATCH, &path, to_body(change)?).await?.json()
    }

    /// Removes a webhook.
    ///
    /// # Errors
    /// Where there is no answer, or no such webhook.
    pub async fn delete_webhook(&self, id: &str) -> Result<(), ClientError> {
        self.delete(&paths::fill(paths::WEBHOOK, id)).await
    }

    /// Tries a webhook; the delivery tells what came of it.
    ///
    /// # Errors
    /// Where there is no answer, or the webhook is paused.
    pub async fn test_webhook(&self, id: &str) -> Result<DeliveryRow, ClientError> {
        self.post(&paths::fill(paths::WEBHOOK_TEST, id), &Nothing {}).await
    }

    /// Has a webhook's dead letters sent again.
    ///
    /// # Errors
    /// Where there is no answer, or no such webhook.
    pub async fn replay_webhook(&self, id: &str) -> Result<ReplayAnswer, ClientError> {
        self.post(&paths::fill(paths::WEBHOOK_REPLAY, id), &Nothing {}).await
    }

    /// Gives a webhook a new secret, which is told this once.
    ///
    /// # Errors
    /// Where there is no answer, or no such webhook.
    pub async fn rotate_webhook_secret(&self, id: &str) -> Result<WebhookSecret, ClientError> {
        self.post(&paths::fill(paths::WEBHOOK_ROTATE_SECRET, id), &Nothing {}).await
    }

    /// What was told to webhooks, or is to be, newest first.
    pub fn deliveries(&self, query: DeliveryQuery) -> Rows<DeliveryQuery, DeliveryRow> {
        Rows::new(self.clone(), paths::DELIVERIES, query)
    }

    /// One delivery, with its attempts.
    ///
    /// # Errors
    /// Where there is no answer, or no such delivery.
    pub async fn delivery(&self, id: &str) -> Result<DeliveryDetail, ClientError> {
        self.get(&paths::fill(paths::DELIVERY, id)).await
    }

    /// Has a delivery sent again, under its id.
    ///
    /// # Errors
    /// Where there is no answer, or it waits anyway.
    pub async fn replay_delivery(&self, id: &str) -> Result<DeliveryRow, ClientError> {
        self.post(&paths::fill(paths::DELIVERY_REPLAY, id), &Nothing {}).await
    }

    /// Who did what, newest first.
    pub fn audit(&self) -> Rows<PageQuery, AuditRow> {
        Rows::new(self.clone(), paths::AUDIT, PageQuery::default())
    }

    /// What happens from now on.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn stream(&self, query: &StreamQuery) -> Result<EventStream, ClientError> {
        let path = with_query(paths::STREAM, query)?;
        EventStream::open(&self.http, &path, self.headers.clone()).await
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.send(Method::GET, path, Bytes::new()).await?.json()
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ClientError> {
        Ok(self.get::<Page<T>>(path).await?.data)
    }

    async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        self.send(Method::POST, path, to_body(body)?).await?.json()
    }

    async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.send(Method::DELETE, path, Bytes::new()).await?.empty()
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<HttpAnswer, ClientError> {
        self.http.send(method, path, self.headers.clone(), body).await
    }
}

/// The body of a request that has nothing to say: `{}`.
#[derive(Serialize)]
struct Nothing {}
