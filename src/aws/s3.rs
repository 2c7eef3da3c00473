//! Log files from S3, as they arrive: nothing of them is kept but the piece that is being read.

use std::error::Error;
use std::io::{self, Read};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use tokio::runtime::Handle;

use crate::cloudtrail::envelope::LogFile;
use crate::lambda::log_file::{FetchError, LogFiles};

/// The longest text that is read whole, in bytes.
const MAX_TEXT: u64 = 4 << 20;

/// Reads objects of S3.
#[derive(Clone, Debug)]
pub struct S3LogFiles {
    client: Client,
}

impl S3LogFiles {
    /// Reads with that client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// A whole object that is text, as a perimeter.toml is.
    ///
    /// # Errors
    /// [`FetchError`], also where it is longer than a few megabytes or no UTF-8.
    pub async fn text(&self, bucket: &str, key: &str) -> Result<String, FetchError> {
        let bytes = self.bytes(bucket, key, MAX_TEXT).await?;
        String::from_utf8(bytes).map_err(|error| failed(bucket, key, error.to_string()))
    }

    /// A whole object of no more than so many bytes.
    pub(super) async fn bytes(&self, bucket: &str, key: &str, most: u64) -> Result<Vec<u8>, FetchError> {
        let mut body = self.object(bucket, key).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.map_err(|error| failed(bucket, key, with_causes(&error)))?);
            if bytes.len() as u64 > most {
                return Err(failed(bucket, key, format!("longer than {} MiB", most >> 20)));
            }
        }
        Ok(bytes)
    }

    async fn object(&self, bucket: &str, key: &str) -> Result<ByteStream, FetchError> {
        let object = self.client.get_object().bucket(bucket).key(key).send().await;
        object.map(|object| object.body).map_err(|error| FetchError {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            lasting: is_lasting(&error),
            cause: described(&error),
        })
    }
}

/// Trying again would not mend it.
fn failed(bucket: &str, key: &str, cause: String) -> FetchError {
    FetchError { bucket: bucket.to_owned(), key: key.to_owned(), cause, lasting: true }
}

/// S3 has answered, and means it: it is no such object, or not ours to read.
fn is_lasting<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let status = error.raw_response().map(|response| response.status().as_u16());
    matches!(status, Some(301 | 400 | 403 | 404 | 405 | 410 | 412))
}

/// The code and message of an error, or else what was in the way, in the words of each layer.
pub(super) fn described<E: ProvideErrorMetadata + Error + 'static>(error: &SdkError<E>) -> String {
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => match error.raw_response() {
            Some(answer) => format!("HTTP {}: {}", answer.status().as_u16(), with_causes(error)),
            None => with_causes(error),
        },
    }
}

/// An error and all that is behind it, each said once.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
}

impl LogFiles for S3LogFiles {
    async fn fetch(&self, file: &LogFile) -> Result<Box<dyn Read + Send>, FetchError> {
        let stream = self.object(&file.bucket, &file.key).await?;
        Ok(Box::new(Body { stream, runtime: Handle::current(), piece: Vec::new(), read: 0 }))
    }
}

/// An object as it arrives, read on a thread that is none of the runtime's.
struct Body {
    stream: ByteStream,
    runtime: Handle,
    piece: Vec<u8>,
    /// Bytes of the piece that were read.
    read: usize,
}

impl Read for Body {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            match self.runtime.block_on(self.stream.next()) {
                Some(piece) => {
                    self.piece.clear();
                    self.piece.extend_from_slice(&piece.map_err(io::Error::other)?);
                    self.read = 0;
                }
                None => return Ok(0),
            }
        }
        let read = self.piece.get(self.read..).unwrap_or_default().read(space)?;
        self.read += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Layer>>);

    #[test]
    fn errors_are_told_in_words_and_each_once() {
        let refused = Layer("connection refused", None);
        let connector = Layer("tcp connect: connection refused", Some(Box::new(refused)));
        let failed = Layer("dispatch failure", Some(Box::new(connector)));
        assert_eq!(with_causes(&failed), "dispatch failure: tcp connect: connection refused");
    }
}
