//! A small builder: one operation in a few lines.

use super::scheme;
use crate::{Problem, ProblemKind};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{
    HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Ref, RefOr, Required};
use utoipa::{IntoParams, PartialSchema, ToSchema};

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// An operation in its place, with the schemas that it refers to.
pub(super) struct Described {
    pub(super) path: &'static str,
    pub(super) method: HttpMethod,
    pub(super) operation: Operation,
    pub(super) schemas: Schemas,
}

/// An operation as it is being described.
pub(super) struct Describing {
    path: &'static str,
    method: HttpMethod,
    builder: OperationBuilder,
    parameters: Vec<Parameter>,
    schemas: Schemas,
    access: Access,
    problems: Vec<ProblemKind>,
}

/// Who may call an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Anybody,
    People,
    Agents,
}

pub(super) fn get(path: &'static str, id: &str, summary: &str) -> Describing {
    Describing::new(HttpMethod::Get, path, id, summary)
}

pub(super) fn post(path: &'static str, id: &str, summary: &str) -> Describing {
    Describing::new(HttpMethod::Post, path, id, summary)
}

pub(super) fn put(path: &'static str, id: &str, summary: &str) -> Describing {
    Describing::new(HttpMethod::Put, path, id, summary)
}

pub(super) fn patch(path: &'static str, id: &str, summary: &str) -> Describing {
    Describing::new(HttpMethod::Patch, path, id, summary)
}

pub(super) fn delete(path: &'static str, id: &str, summary: &str) -> Describing {
    Describing::new(HttpMethod::Delete, path, id, summary)
}

impl Describing {
    fn new(method: HttpMethod, path: &'static str, id: &str, summary: &str) -> Self {
        let parameters: Vec<Parameter> = path
            .split('{')
            .skip(1)
            .filter_map(|rest| rest.split_once('}'))
            .map(|(name, _)| {
                ParameterBuilder::new()
                    .name(name)
                    .parameter_in(ParameterIn::Path)
                    .required(Required::True)
                    .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
                    .build()
            })
            .collect();
        let problems = if parameters.is_empty() { vec![] } else { vec![ProblemKind::NotFound] };
        Self {
            path,
            method,
            builder: OperationBuilder::new().operation_id(Some(id)).summary(Some(summary)),
            parameters,
            schemas: Schemas::new(),
            access: Access::People,
            problems,
        }
    }

    pub(super) fn tag(mut self, tag: &str) -> Self {
        self.builder = self.builder.tag(tag);
        self
    }

    pub(super) fn about(mut self, description: &str) -> Self {
        self.builder = self.builder.description(Some(description));
        self
    }

    /// No credentials are needed.
    pub(super) fn for_anybody(mut self) -> Self {
        self.access = Access::Anybody;
        self
    }

    /// The request is signed by a host agent.
    pub(super) fn for_agents(mut self) -> Self {
        self.access = Access::Agents;
        self
    }

    pub(super) fn query<Q: IntoParams>(mut self) -> Self {
        self.parameters.extend(Q::into_params(|| Some(ParameterIn::Query)));
        self.problems.push(ProblemKind::InvalidRequest);
        if self.parameters.iter().any(|parameter| parameter.name == "cursor") {
            self.problems.push(ProblemKind::InvalidCursor);
        }
        self
    }

    pub(super) fn parameter(mut self, parameter: Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }

    pub(super) fn takes<T: ToSchema>(mut self, required: bool, example: Value) -> Self {
        let content =
            ContentBuilder::new().schema(Some(self.refer::<T>())).example(Some(example)).build();
        let required = if required { Required::True } else { Required::False };
        let body = RequestBodyBuilder::new()
            .content("application/json", content)
            .required(Some(required))
            .build();
        self.builder = self.builder.request_body(Some(body));
        self.problems.extend([
            ProblemKind::InvalidRequest,
            ProblemKind::BodyTooLarge,
            ProblemKind::UnsupportedMediaType,
        ]);
        self
    }

    pub(super) fn answers<T: ToSchema>(
        mut self,
        status: u16,
        description: &str,
        example: impl Serialize,
    ) -> Self {
        let content = ContentBuilder::new()
            .schema(Some(self.refer::<T>()))
            .example(Some(json!(example)))
            .build();
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/json", content)
            .build();
        self.builder = self.builder.response(status.to_string(), response);
        self
    }

    /// An answer that is not one of our JSON bodies.
    pub(super) fn answers_text(mut self, status: u16, description: &str, media: &str) -> Self {
        let mut response = ResponseBuilder::new().description(description);
        if !media.is_empty() {
            let schema = ObjectBuilder::new().schema_type(Type::String).build();
            response = response.content(media, ContentBuilder::new().schema(Some(schema)).build());
        }
        self.builder = self.builder.response(status.to_string(), response.build());
        self
    }

    /// A schema that belongs to the operation without being its body.
    pub(super) fn mentions<T: ToSchema>(mut self) -> Self {
        self.refer::<T>();
        self
    }

    pub(super) fn refuses(mut self, kinds: &[ProblemKind]) -> Self {
        self.problems.extend(kinds);
        self
    }

    pub(super) fn done(mut self) -> Described {
        match self.access {
            Access::Anybody => {
                self.builder = self.builder.securities(Some([SecurityRequirement::default()]));
            }
            Access::People => {
                for name in [scheme::TOKEN, scheme::SESSION] {
                    self.builder = self.builder.security(SecurityRequirement::new(name, [""; 0]));
                }
                self.problems.extend([ProblemKind::Unauthenticated, ProblemKind::Forbidden]);
            }
            Access::Agents => {
                self.builder =
                    self.builder.security(SecurityRequirement::new(scheme::AGENT, [""; 0]));
                self.problems.push(ProblemKind::Unauthenticated);
            }
        }
        if !self.problems.is_empty() {
            self.refer::<Problem>();
        }
        let mut by_status = BTreeMap::<u16, Vec<ProblemKind>>::new();
        for kind in self.problems {
            let kinds = by_status.entry(kind.status()).or_default();
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        for (status, kinds) in by_status {
            self.builder = self.builder.response(status.to_string(), problem(&kinds));
        }
        Described {
            path: self.path,
            method: self.method,
            operation: self.builder.parameters(Some(self.parameters)).build(),
            schemas: self.schemas,
        }
    }

    fn refer<T: ToSchema>(&mut self) -> Ref {
        let mut found = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut found);
        self.schemas.extend(found);
        Ref::from_schema_name(T::name())
    }
}

fn problem(kinds: &[ProblemKind]) -> utoipa::openapi::Response {
    let titles: Vec<String> =
        kinds.iter().map(|kind| format!("{} (`{}`)", kind.title(), kind.code())).collect();
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    let mut response = ResponseBuilder::new()
        .description(titles.join(", or "))
        .content(Problem::MEDIA_TYPE, content);
    if kinds.iter().any(|kind| matches!(kind.status(), 429 | 503)) {
        let header = HeaderBuilder::new()
            .schema(Some(u64::schema()))
            .description(Some("Seconds until it is worth trying again."))
            .build();
        response = response.header("Retry-After", header);
    }
    response.build()
}

/// A parameter of the query that is not part of a type.
pub(super) fn query_parameter(name: &str, schema_type: Type, description: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(schema_type)))
        .build()
}
