//! What only the application can answer: whether a credential is good, whether a request passes its own checks.

use http::request::Parts;
use ringwall_app_guard::{CheckRefusal, Credential};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// An answer that is there at once, or later.
pub(crate) enum Told<T> {
    Now(T),
    Later(Pin<Box<dyn Future<Output = T> + Send>>),
}

impl<T: Send + 'static> Told<T> {
    pub(crate) fn map<U>(self, wrap: impl FnOnce(T) -> U + Send + 'static) -> Told<U> {
        match self {
            Self::Now(told) => Told::Now(wrap(told)),
            Self::Later(told) => Told::Later(Box::pin(async move { wrap(told.await) })),
        }
    }
}

type Verifier = Arc<dyn Fn(&Credential) -> Told<bool> + Send + Sync>;
type Check = Arc<dyn Fn(&Parts) -> Told<Option<CheckRefusal>> + Send + Sync>;

/// The application's verifiers and checks by the names that settings and rules of routes use.
#[derive(Clone, Default)]
pub(crate) struct Callbacks {
    verifiers: HashMap<String, Verifier>,
    checks: HashMap<String, Check>,
}

impl Callbacks {
    pub(crate) fn verifier(
        &mut self,
        name: String,
        verify: impl Fn(&Credential) -> bool + Send + Sync + 'static,
    ) {
        let verify = move |credential: &Credential| Told::Now(verify(credential));
        self.verifiers.insert(name, Arc::new(verify));
    }

    pub(crate) fn async_verifier<F>(
        &mut self,
        name: String,
        verify: impl Fn(Credential) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = bool> + Send + 'static,
    {
        let verify =
            move |credential: &Credential| Told::Later(Box::pin(verify(credential.clone())));
        self.verifiers.insert(name, Arc::new(verify));
    }

    pub(crate) fn check(
        &mut self,
        name: String,
        check: impl Fn(&Parts) -> Option<CheckRefusal> + Send + Sync + 'static,
    ) {
        self.checks.insert(name, Arc::new(move |head: &Parts| Told::Now(check(head))));
    }

    pub(crate) fn async_check<F>(
        &mut self,
        name: String,
        check: impl Fn(Parts) -> F + Send + Sync + 'static,
    ) where
        F: Future<Output = Option<CheckRefusal>> + Send + 'static,
    {
        let check = move |head: &Parts| Told::Later(Box::pin(check(head.clone())));
        self.checks.insert(name, Arc::new(check));
    }

    /// Whether a verifier or check has this name.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.verifiers.contains_key(name) || self.checks.contains_key(name)
    }

    /// None where nobody registered the name.
    pub(crate) fn verify(&self, credential: &Credential) -> Option<Told<bool>> {
        self.verifiers.get(&*credential.verifier).map(|verify| verify(credential))
    }

    /// None where nobody registered the name.
    pub(crate) fn ask(&self, name: &str, head: &Parts) -> Option<Told<Option<CheckRefusal>>> {
        self.checks.get(name).map(|check| check(head))
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks")
            .field("verifiers", &self.verifiers.keys())
            .field("checks", &self.checks.keys())
            .finish()
    }
}
