//! What is asked about the rules of guarded applications, and about bans.

use super::Client;
use crate::http_client::{to_body, with_query};
use crate::{ClientError, Rows};
use http::Method;
use ringwall_server_api::{
    GuardAutomatic, GuardBanQuery, GuardBanRequest, GuardBanRow, GuardHistoryQuery,
    GuardLiftRequest, GuardPreview, GuardPreviewRequest, GuardRestoreRequest, GuardRules,
    GuardRulesEditRow, GuardRulesRequest, Page, paths,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

impl Client {
    /// The rules of a project as they were last edited.
    ///
    /// # Errors
    /// Where there is no answer, or no such project.
    pub async fn guard_rules(&self, project: &str) -> Result<GuardRules, ClientError> {
        self.get(&paths::fill(paths::GUARD_RULES, project)).await
    }

    /// Puts rules into force.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses: the rules have faults, or somebody else edited
    /// them meanwhile.
    pub async fn replace_guard_rules(
        &self,
        project: &str,
        request: &GuardRulesRequest,
    ) -> Result<GuardRules, ClientError> {
        self.put(&paths::fill(paths::GUARD_RULES, project), request).await
    }

    /// How rules were edited, newest first.
    ///
    /// # Errors
    /// Where there is no answer, or no such project.
    pub async fn guard_rules_history(
        &self,
        project: &str,
        limit: u32,
    ) -> Result<Vec<GuardRulesEditRow>, ClientError> {
        let query = GuardHistoryQuery { limit: Some(limit), cursor: None };
        let path = paths::fill(paths::GUARD_RULES_HISTORY, project);
        Ok(self.get::<Page<GuardRulesEditRow>>(&with_query(&path, &query)?).await?.data)
    }

    /// Puts earlier rules into force again, under a new version.
    ///
    /// # Errors
    /// Where there is no answer, or no such version.
    pub async fn restore_guard_rules(
        &self,
        project: &str,
        request: &GuardRestoreRequest,
    ) -> Result<GuardRules, ClientError> {
        self.post(&paths::fill(paths::GUARD_RULES_RESTORE, project), request).await
    }

    /// What rules would have blocked.
    ///
    /// # Errors
    /// Where there is no answer, or the rules have faults.
    pub async fn preview_guard_rules(
        &self,
        project: &str,
        request: &GuardPreviewRequest,
    ) -> Result<GuardPreview, ClientError> {
        self.post(&paths::fill(paths::GUARD_RULES_PREVIEW, project), request).await
    }

    /// Bans, newest first.
    pub fn guard_bans(&self, query: GuardBanQuery) -> Rows<GuardBanQuery, GuardBanRow> {
        Rows::new(self.clone(), paths::GUARD_BANS, query)
    }

    /// One ban.
    ///
    /// # Errors
    /// Where there is no answer, or no such ban.
    pub async fn guard_ban(&self, id: &str) -> Result<GuardBanRow, ClientError> {
        self.get(&paths::fill(paths::GUARD_BAN, id)).await
    }

    /// Bans an address.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn create_guard_ban(
        &self,
        request: &GuardBanRequest,
    ) -> Result<GuardBanRow, ClientError> {
        self.post(paths::GUARD_BANS, request).await
    }

    /// Lets a banned address in again.
    ///
    /// # Errors
    /// Where there is no answer, no such ban, or it has ended already.
    pub async fn lift_guard_ban(
        &self,
        id: &str,
        request: &GuardLiftRequest,
    ) -> Result<GuardBanRow, ClientError> {
        self.post(&paths::fill(paths::GUARD_BAN_LIFT, id), request).await
    }

    /// When addresses are banned without anybody asking.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn guard_automatic(&self) -> Result<GuardAutomatic, ClientError> {
        self.get(paths::GUARD_AUTOMATIC).await
    }

    /// Changes when addresses are banned without anybody asking.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn replace_guard_automatic(
        &self,
        settings: &GuardAutomatic,
    ) -> Result<GuardAutomatic, ClientError> {
        self.put(paths::GUARD_AUTOMATIC, settings).await
    }

    async fn put<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, ClientError> {
        self.send(Method::PUT, path, to_body(body)?).await?.json()
    }
}
