//! What is gathered of findings before it is kept or shown: each finding once.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::identity::IdentityRef;
use super::store::Delta;

/// Findings, each once, found by what tells them apart. A finding's identity stands in it and nowhere
/// besides: there may be many, and each has long names.
#[derive(Clone, Debug, Default)]
pub struct Deltas {
    table: HashTable<Delta>,
    hasher: DefaultHashBuilder,
}

impl Deltas {
    /// The finding of that identity.
    pub fn get_mut(&mut self, identity: &IdentityRef<'_>) -> Option<&mut Delta> {
        let hash = self.hasher.hash_one(identity);
        self.table.find_mut(hash, |known| *identity == known.sightings.identity.by_ref())
    }

    /// Adds to a finding. Returns the bytes that it takes more, roughly.
    pub fn add(&mut self, delta: Delta) -> usize {
        let identity = delta.sightings.identity.by_ref();
        let hash = self.hasher.hash_one(identity);
        match self.table.find_mut(hash, |known| identity == known.sightings.identity.by_ref()) {
            Some(known) => {
                let before = known.weight();
                known.join(delta);
                known.weight().saturating_sub(before)
            }
            None => {
                let weight = delta.weight();
                let hasher = &self.hasher;
                self.table
                    .insert_unique(hash, delta, |known| hasher.hash_one(known.sightings.identity.by_ref()));
                weight
            }
        }
    }

    /// Bytes that all of them take, roughly.
    pub fn weight(&self) -> usize {
        self.table.iter().map(Delta::weight).sum()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }
}

impl IntoIterator for Deltas {
    type Item = Delta;
    type IntoIter = hashbrown::hash_table::IntoIter<Delta>;

    fn into_iter(self) -> Self::IntoIter {
        self.table.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::identity::Identity;
    use crate::perimeter::origin::OriginKind;

    #[test]
    fn a_finding_is_found_by_all_that_tells_it_apart() {
        let identity = Identity {
            rule: "public-access".into(),
            account: Some("111122223333".into()),
            principal: None,
            resources: vec!["a".into(), "b".into()],
            origin: OriginKind::Public,
            endpoint: None,
        };
        let hasher = DefaultHashBuilder::default();
        let hash = |identity: &Identity| hasher.hash_one(identity.by_ref());
        assert_eq!(hash(&identity), hash(&identity.clone()));
        let others = [
            Identity { rule: "transit".into(), ..identity.clone() },
            Identity { account: None, ..identity.clone() },
            Identity { principal: Some(String::new()), ..identity.clone() },
            Identity { resources: vec!["ab".into()], ..identity.clone() },
            Identity { origin: OriginKind::Unknown, ..identity.clone() },
            Identity { endpoint: Some("vpce-1".into()), ..identity.clone() },
        ];
        for other in others {
            assert_ne!(identity.by_ref(), other.by_ref());
            assert_ne!(hash(&identity), hash(&other), "{other:?}");
        }
    }
}
