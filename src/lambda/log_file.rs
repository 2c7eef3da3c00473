//! The port through which log files come, and their reading: a file of any size in memory that does
//! not grow with it.
//!
//! Reading is done on a thread of its own, since unpacking and judging do not wait; what it
//! gathered comes back in parts.

use std::io::Read;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::reading::Reading;
use crate::cloudtrail::archive;
use crate::cloudtrail::envelope::{self, LogFile};
use crate::perimeter::Perimeter;
use crate::perimeter::inventory::Inventory;

/// Bytes of findings that are gathered before they are stored.
const PART: usize = 8 << 20;

/// A log file could not be fetched.
#[derive(Debug, thiserror::Error)]
#[error("s3://{bucket}/{key}: {cause}")]
pub struct FetchError {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// What S3 says.
    pub cause: String,
    /// It was refused, or is not there: trying again soon is of no use.
    pub lasting: bool,
}

/// Where log files are.
pub trait LogFiles: Send + Sync {
    /// The bytes of a log file, as they arrive. They are read on a thread that may block.
    fn fetch(&self, file: &LogFile) -> impl Future<Output = Result<Box<dyn Read + Send>, FetchError>> + Send;
}

/// There are none: every one is missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLogFiles;

impl LogFiles for NoLogFiles {
    async fn fetch(&self, file: &LogFile) -> Result<Box<dyn Read + Send>, FetchError> {
        let cause = "log files in S3 cannot be read here".to_owned();
        Err(FetchError { bucket: file.bucket.clone(), key: file.key.clone(), cause, lasting: true })
    }
}

/// Is it a digest, which says what log files there are and holds no records? Trails deliver them
/// beside the logs.
pub(super) fn is_digest(file: &LogFile) -> bool {
    file.key.split('/').any(|folder| folder == "CloudTrail-Digest")
}

/// Reads a log file and gives what it holds in parts. It was read to its end where the task ends
/// well.
pub(super) fn read(
    file: LogFile,
    mut source: Box<dyn Read + Send>,
    perimeter: Arc<Perimeter>,
    inventory: Arc<Inventory>,
) -> (mpsc::Receiver<Reading>, JoinHandle<()>) {
    // One part waits while the one before it is stored: the file is read no faster than that.
    let (parts, receiver) = mpsc::channel(1);
    let task = tokio::task::spawn_blocking(move || {
        let auditor = super::auditor::judge(&perimeter, &inventory);
        let mut part = Reading::default();
        archive::Reader::default().read(&mut source, &mut |element| {
            envelope::open(&element, &mut |content| part.content(&auditor, &content));
            if part.tally.weight > PART {
                send(&parts, &file, std::mem::take(&mut part));
            }
        });
        send(&parts, &file, part);
    });
    (receiver, task)
}

fn send(parts: &mpsc::Sender<Reading>, file: &LogFile, mut part: Reading) {
    part.name_faults(file);
    // Nobody waits for it only where the function is being ended.
    let _ = parts.blocking_send(part);
}
