use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{IntoParams, PartialSchema, ToSchema};

/// How many rows a page has where the request does not say.
pub const LIMIT_DEFAULT: u32 = 100;
/// How many rows a page can have.
pub const LIMIT_MAX: u32 = 1000;

/// Some rows, and where to go on. A list that is always whole has no cursor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows, newest first where they have a time.
    pub data: Vec<T>,
    /// What to give as `cursor` for the rows after these; none at the end. A page may be short or
    /// even empty and have one all the same, where there was much to look through.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// All there is.
    pub const fn whole(data: Vec<T>) -> Self {
        Self { data, next_cursor: None }
    }
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let row = Ref::from_schema_name(T::name());
        ObjectBuilder::new()
            .description(Some("Some rows, newest first where they have a time."))
            .property("data", ArrayBuilder::new().items(row))
            .required("data")
            .property(
                "next_cursor",
                ObjectBuilder::new()
                    .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
                    .description(Some(
                        "What to give as `cursor` for the rows after these; null at the end.",
                    )),
            )
            .required("next_cursor")
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into(), T::schema()));
        T::schemas(schemas);
    }
}

/// Which part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many rows, 1 to 1000; 100 where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before. It is signed and valid for this list only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}
