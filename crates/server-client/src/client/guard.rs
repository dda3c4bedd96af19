//! What is asked about guarded applications.

use super::Client;
use crate::ClientError;
use ringwall_server_api::{
    GuardProjectKeys, GuardProjectRequest, GuardProjectRow, GuardRotateRequest, paths,
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
}
