//! Every answer of the engine's routes that is not a success.

use std::fmt::Display;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::engine::{EngineError, ErrorKind};

/// In Docker's form: `{"message": "…"}`.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    message: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, message: impl Display) -> Self {
        let message = message.to_string();
        Self { status, message }
    }

    pub(super) fn bad_request(message: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(super) fn no_engine() -> Self {
        let text = "this agent runs no containers: engine.enable is false, or its log says why not";
        Self::new(StatusCode::NOT_FOUND, text)
    }
}

const fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::BadParameter => StatusCode::BAD_REQUEST,
        ErrorKind::NotModified => StatusCode::NOT_MODIFIED,
        ErrorKind::System => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        Self::new(status(error.kind()), error.with_causes())
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<QueryRejection> for Refused {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        if self.status == StatusCode::NOT_MODIFIED {
            // Has no body.
            return self.status.into_response();
        }
        (self.status, Json(json!({"message": self.message}))).into_response()
    }
}
