//! What is asked about guarded applications.

use super::Client;
use crate::http_client::{to_body, with_query};
use crate::{ClientError, Rows};
use http::Method;
use ringwall_server_api::{
    GuardAgentRow, GuardEventQuery, GuardEventRow, GuardMetricQuery, GuardMetrics,
    GuardProjectChange, GuardProjectKeys, GuardProjectRequest, GuardProjectRow, GuardRotateRequest,
    paths,
};

impl Client {
    /// The applications whose guards report, by name.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn guard_projects(&self) -> Result<Vec<GuardProjectRow>, ClientError> {
        self.list(paths::GUARD_PROJECTS).await
    }

    /// One of them.
    ///
    /// # Errors
    /// Where there is no answer, or no such project.
    pub async fn guard_project(&self, name: &str) -> Result<GuardProjectRow, ClientError> {
        self.get(&paths::fill(paths::GUARD_PROJECT, name)).await
    }

    /// Lets an application's guards report. Its key and secrets are told this once.
    ///
    /// # Errors
    /// Where there is no answer, or the server refuses.
    pub async fn create_guard_project(
        &self,
        request: &GuardProjectRequest,
    ) -> Result<GuardProjectKeys, ClientError> {
        self.post(paths::GUARD_PROJECTS, request).await
    }

    /// Changes what is demanded of a project's guards.
    ///
    /// # Errors
    /// Where there is no answer, no such project, or it cannot be so.
    pub async fn change_guard_project(
        &self,
        name: &str,
        change: &GuardProjectChange,
    ) -> Result<GuardProjectRow, ClientError> {
        let path = paths::fill(paths::GUARD_PROJECT, name);
        self.send(Method::PATCH, &path, to_body(change)?).await?.json()
    }

    /// Gives a project's guards another key and other secrets, told this once.
    ///
    /// # Errors
    /// Where there is no answer, or no such project.
    pub async fn rotate_guard_project(
        &self,
        name: &str,
        request: &GuardRotateRequest,
    ) -> Result<GuardProjectKeys, ClientError> {
        self.post(&paths::fill(paths::GUARD_PROJECT_ROTATE, name), request).await
    }

    /// Lets a project's guards report no more.
    ///
    /// # Errors
    /// Where there is no answer, or no such project.
    pub async fn delete_guard_project(&self, name: &str) -> Result<(), ClientError> {
        self.delete(&paths::fill(paths::GUARD_PROJECT, name)).await
    }

    /// The guards that report for a project, the one that was seen last first.
    ///
    /// # Errors
    /// Where there is no answer, or no such project.
    pub async fn guard_agents(&self, project: &str) -> Result<Vec<GuardAgentRow>, ClientError> {
        self.list(&paths::fill(paths::GUARD_PROJECT_AGENTS, project)).await
    }

    /// What guards saw and did, newest first.
    pub fn guard_events(&self, query: GuardEventQuery) -> Rows<GuardEventQuery, GuardEventRow> {
        Rows::new(self.clone(), paths::GUARD_EVENTS, query)
    }

    /// What guards measured.
    ///
    /// # Errors
    /// Where there is no answer, or no such project.
    pub async fn guard_metrics(
        &self,
        query: &GuardMetricQuery,
    ) -> Result<GuardMetrics, ClientError> {
        self.get(&with_query(paths::GUARD_METRICS, query)?).await
    }
}
