//! Answers that go on: JSON values one after the other, as they come.

use std::marker::PhantomData;

use bytes::{Buf, BytesMut};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use crate::api::ClientError;

/// The values of one answer.
#[derive(Debug)]
pub(super) struct Values<T> {
    body: Incoming,
    buffer: BytesMut,
    of: PhantomData<T>,
}

impl<T: DeserializeOwned> Values<T> {
    pub(super) fn of(answer: Response<Incoming>) -> Self {
        Self {
            body: answer.into_body(),
            buffer: BytesMut::new(),
            of: PhantomData,
        }
    }

    /// The next one; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            let mut values = serde_json::Deserializer::from_slice(&self.buffer).into_iter();
            match values.next() {
                Some(Ok(value)) => {
                    let read = values.byte_offset();
                    self.buffer.advance(read);
                    return Ok(Some(value));
                }
                Some(Err(error)) if !error.is_eof() => {
                    return Err(ClientError::NotUnderstood(error));
                }
                Some(Err(_)) | None => {}
            }
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            if let Ok(data) = frame.map_err(ClientError::Broken)?.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
