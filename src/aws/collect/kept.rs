//! What the function `collector` does: read what stands, and keep it.

use jiff::Timestamp;
use serde_json::Value;

use super::Collector;
use crate::aws::snapshot::SnapshotObject;
use crate::iam::state::HolderKind;
use crate::iam::state::snapshot::Snapshot;
use crate::lambda::collector::{Collect, TOLD, Told};

/// Reads what stands, and keeps it in an object.
#[derive(Clone, Debug)]
pub struct KeptSnapshot {
    /// What reads.
    pub collector: Collector,
    /// Where it is kept.
    pub object: SnapshotObject,
}

impl Collect for KeptSnapshot {
    async fn collect(&self, now: Timestamp) -> Result<Told, String> {
        let tell = |text: &str| tracing::info!(text, "collecting");
        let collected = self.collector.collect(now, &tell).await.map_err(|error| error.to_string())?;
        let text = serde_json::to_vec(&collected.snapshot).map_err(|error| error.to_string())?;
        // What nobody could read must not take the place of what they can.
        let read =
            Snapshot::parse(&text).map_err(|error| format!("what was read is no snapshot: {error}"))?;
        self.object.write(&text).await?;
        let accounts = collected.snapshot.get("accounts").and_then(Value::as_object);
        Ok(Told {
            taken_at: now,
            accounts: accounts.map_or(0, |accounts| accounts.len()),
            roles: read.state.holders.keys().filter(|id| id.kind == HolderKind::Role).count(),
            tables: read.state.tables.len(),
            endpoints: read.state.endpoints.len(),
            regions: collected.regions,
            remarks: collected.remarks,
            unread_count: collected.unread.len(),
            unread: collected.unread.into_iter().take(TOLD).collect(),
        })
    }
}
