//! The public face of the API's description.

mod openapi;
