//! The endpoints that are known: those of perimeter.toml always, those of the store from the first
//! time that one is missed, for as long as the process lives.
//!
//! An endpoint never changes its VPC, so nothing known is ever out of date; what can be missing is
//! an endpoint that somebody else has learned of since.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::findings::store::{FindingStore, StoreError};
use crate::perimeter::inventory::Inventory;
use crate::perimeter::{Endpoint, Perimeter};

/// The store is asked again before judging after this long.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(5);

/// The inventory of a process.
pub(super) struct Endpoints {
    state: Mutex<State>,
}

struct State {
    inventory: Arc<Inventory>,
    /// When the store was asked last.
    read_at: Option<Timestamp>,
    /// Endpoints became known, and what waited for them was not judged again yet.
    unsettled: bool,
}

impl Endpoints {
    /// Those of the file.
    pub fn new(perimeter: &Perimeter) -> Self {
        let mut inventory = Inventory::default();
        learn(&mut inventory, &perimeter.endpoints);
        Self { state: Mutex::new(State { inventory: Arc::new(inventory), read_at: None, unsettled: false }) }
    }

    /// What is known now.
    pub fn known(&self) -> Arc<Inventory> {
        Arc::clone(&self.state().inventory)
    }

    /// Was the store asked lately?
    pub fn are_fresh(&self, now: Timestamp) -> bool {
        self.state().read_at.is_some_and(|read_at| now.duration_since(read_at) < MAX_AGE)
    }

    /// Asks the store.
    ///
    /// # Errors
    /// [`StoreError`]; what was known stays known.
    pub async fn refresh<S: FindingStore>(
        &self,
        store: &S,
        now: Timestamp,
    ) -> Result<Arc<Inventory>, StoreError> {
        let found = store.endpoints().await?;
        let inventory = self.learn(&found);
        self.state().read_at = Some(now);
        Ok(inventory)
    }

    /// Adds endpoints that were seen created or that the store knows. Those of the file win.
    pub fn learn(&self, found: &[Endpoint]) -> Arc<Inventory> {
        let mut state = self.state();
        let mut inventory = Inventory::clone(&state.inventory);
        if learn(&mut inventory, found) {
            state.inventory = Arc::new(inventory);
            state.unsettled = true;
        }
        Arc::clone(&state.inventory)
    }

    /// Is there something that may have waited for what became known?
    pub fn are_unsettled(&self) -> bool {
        self.state().unsettled
    }

    /// What waited for an endpoint of `inventory` was judged again.
    pub fn settled(&self, inventory: &Arc<Inventory>) {
        let mut state = self.state();
        // Another invocation may have learned more meanwhile.
        state.unsettled &= !Arc::ptr_eq(&state.inventory, inventory);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns whether any was news.
fn learn(inventory: &mut Inventory, found: &[Endpoint]) -> bool {
    let mut news = false;
    for endpoint in found {
        match inventory.learn(endpoint.clone()) {
            Ok(new) => news |= new,
            Err(contradiction) => {
                tracing::warn!(%contradiction, "endpoint contradicted; what was known first stays")
            }
        }
    }
    news
}
