//! A snapshot as it is kept: one object of S3, gzip-compressed, overwritten each time.
//!
//! Whoever may write the object says what stands, so it belongs to the collector alone.

use std::fmt;

use aws_sdk_s3::Client;

use super::s3::{S3LogFiles, described};
use crate::gzip;
use crate::iam::state::snapshot::Snapshot;
use crate::lambda::log_file::FetchError;
use crate::lambda::sweeper::{Fetched, Snapshots};

/// The longest that is fetched, packed.
const MAX_PACKED: u64 = 64 << 20;

/// Where an object is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ObjectUrl {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
}

impl ObjectUrl {
    /// Reads `s3://bucket/key`; `None`: it is something else.
    pub fn parse(text: &str) -> Option<Self> {
        let (bucket, key) = text.strip_prefix("s3://")?.split_once('/')?;
        let is_whole = !bucket.is_empty() && !key.is_empty();
        is_whole.then(|| Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }
}

impl fmt::Display for ObjectUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

/// The object that a snapshot is kept in.
#[derive(Clone, Debug)]
pub struct SnapshotObject {
    client: Client,
    at: ObjectUrl,
}

impl SnapshotObject {
    /// Reads and writes with that client.
    pub fn new(client: Client, at: ObjectUrl) -> Self {
        Self { client, at }
    }

    /// What was kept last.
    ///
    /// # Errors
    /// [`FetchError`], also where it is too long or no snapshot.
    pub async fn read(&self) -> Result<Fetched, FetchError> {
        let ObjectUrl { bucket, key } = &self.at;
        let packed = S3LogFiles::new(self.client.clone()).bytes(bucket, key, MAX_PACKED).await?;
        match Snapshot::unpack(&packed) {
            Ok(snapshot) => Ok(Fetched { snapshot, packed }),
            Err(error) => {
                let (bucket, key) = (bucket.clone(), key.clone());
                Err(FetchError { bucket, key, cause: error.to_string(), lasting: true })
            }
        }
    }

    /// Keeps a snapshot in the place of the last.
    ///
    /// # Errors
    /// In words.
    pub async fn write(&self, text: &[u8]) -> Result<(), String> {
        let failed = |cause: String| format!("{} cannot be written: {cause}", self.at);
        let ObjectUrl { bucket, key } = &self.at;
        let put = self.client.put_object().bucket(bucket).key(key).content_type("application/gzip");
        let put = put.body(gzip::pack(text).into()).send().await;
        put.map(drop).map_err(|error| failed(described(&error)))
    }
}

impl Snapshots for SnapshotObject {
    async fn fetch(&self) -> Result<Fetched, String> {
        self.read().await.map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_whole() {
        let object = |text| ObjectUrl::parse(text).map(|at| at.to_string());
        assert_eq!(object("s3://b/k/snapshot.json.gz").as_deref(), Some("s3://b/k/snapshot.json.gz"));
        for text in ["", "s3://", "s3://b", "s3://b/", "s3:///k", "b/k", "http://b/k"] {
            assert_eq!(object(text), None, "{text}");
        }
    }
}
