//! A snapshot as it is kept: one object of S3, gzip-compressed, overwritten each time.
//!
//! Whoever may write the object says what stands, so it belongs to the collector alone.

use std::fmt;
use std::io::{self, Read, Write};

use aws_sdk_s3::Client;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::s3::{S3LogFiles, described};
use crate::iam::state::snapshot::Snapshot;
use crate::lambda::log_file::FetchError;

/// The longest snapshot that is read, unpacked, in bytes. More would be somebody's bomb: 1,000 accounts of 100 roles
/// each come to a third of it.
const MAX_BYTES: u64 = 256 << 20;

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
    pub async fn read(&self) -> Result<Snapshot, FetchError> {
        let ObjectUrl { bucket, key } = &self.at;
        let packed = S3LogFiles::new(self.client.clone()).bytes(bucket, key, MAX_PACKED).await?;
        let snapshot = unpacked(&packed).map_err(|error| error.to_string());
        let snapshot = snapshot.and_then(|text| Snapshot::parse(&text).map_err(|error| error.to_string()));
        let failed = |cause| FetchError { bucket: bucket.clone(), key: key.clone(), cause, lasting: true };
        snapshot.map_err(failed)
    }

    /// Keeps a snapshot in the place of the last.
    ///
    /// # Errors
    /// In words.
    pub async fn write(&self, text: &[u8]) -> Result<(), String> {
        let failed = |cause: String| format!("{} cannot be written: {cause}", self.at);
        let packed = packed(text).map_err(|error| failed(error.to_string()))?;
        let ObjectUrl { bucket, key } = &self.at;
        let put = self.client.put_object().bucket(bucket).key(key).content_type("application/gzip");
        let put = put.body(packed.into()).send().await;
        put.map(drop).map_err(|error| failed(described(&error)))
    }
}

/// The text of a snapshot, whether it is packed or not.
///
/// # Errors
/// Where it is damaged, or too long.
pub fn unpacked(bytes: &[u8]) -> io::Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("longer than {} MiB when unpacked", MAX_BYTES >> 20)));
    }
    Ok(text)
}

fn packed(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_a_bomb_is_not() {
        let text = br#"{"version":1}"#;
        assert_eq!(unpacked(&packed(text).unwrap()).unwrap(), text);
        assert_eq!(unpacked(text).unwrap(), text);
        let mut bomb = packed(&vec![b' '; 64 << 20]).unwrap();
        bomb = bomb.repeat(5);
        assert!(bomb.len() < 1 << 20);
        assert!(unpacked(&bomb).unwrap_err().to_string().contains("256 MiB"));
        let cut = packed(text).unwrap();
        assert!(unpacked(&cut[..cut.len() - 4]).is_err());
    }

    #[test]
    fn an_object_is_named_whole() {
        let object = |text| ObjectUrl::parse(text).map(|at| at.to_string());
        assert_eq!(object("s3://b/k/snapshot.json.gz").as_deref(), Some("s3://b/k/snapshot.json.gz"));
        for text in ["", "s3://", "s3://b", "s3://b/", "s3:///k", "b/k", "http://b/k"] {
            assert_eq!(object(text), None, "{text}");
        }
    }
}
