//! A map that copies of a state share: a copy costs nothing, and a change costs the map's keys and the one value.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

/// A map by ids. It is read as a map, and changed by what is below.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shared<K, V>(Arc<BTreeMap<K, Arc<V>>>);

impl<K, V> Default for Shared<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, V> Deref for Shared<K, V> {
    type Target = BTreeMap<K, Arc<V>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<K: Ord, V> FromIterator<(K, V)> for Shared<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(items: I) -> Self {
        Self(Arc::new(items.into_iter().map(|(key, value)| (key, Arc::new(value))).collect()))
    }
}

impl<K: Clone + Ord, V: Clone> Shared<K, V> {
    /// Puts a value in the place of the one that was there.
    pub fn insert(&mut self, key: K, value: V) {
        Arc::make_mut(&mut self.0).insert(key, Arc::new(value));
    }

    /// Takes a value out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        Arc::make_mut(&mut self.0).remove(key).map(Arc::unwrap_or_clone)
    }

    /// A value to be changed.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        Arc::make_mut(&mut self.0).get_mut(key).map(Arc::make_mut)
    }

    /// The same; where there is none yet, one is made.
    pub fn get_or_insert_with(&mut self, key: K, made: impl FnOnce() -> V) -> &mut V {
        Arc::make_mut(Arc::make_mut(&mut self.0).entry(key).or_insert_with(|| Arc::new(made())))
    }

    /// Leaves those of which that is so.
    pub fn retain(&mut self, keeps: impl Fn(&K) -> bool) {
        Arc::make_mut(&mut self.0).retain(|key, _| keeps(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_stays_as_it_was() {
        let mut map: Shared<&str, Vec<u8>> = [("a", vec![1]), ("b", vec![2])].into_iter().collect();
        let before = map.clone();
        map.get_or_insert_with("a", Vec::new).push(9);
        map.get_or_insert_with("c", Vec::new).push(3);
        map.get_mut("c").into_iter().for_each(|value| value.push(4));
        assert_eq!((map.remove("b"), map.remove("b")), (Some(vec![2]), None));
        map.insert("d", vec![5]);
        map.retain(|key| *key != "d");
        assert_eq!(map, [("a", vec![1, 9]), ("c", vec![3, 4])].into_iter().collect());
        assert_eq!(before, [("a", vec![1]), ("b", vec![2])].into_iter().collect());
        // What nobody changed is one.
        let mut other = before.clone();
        other.insert("c", Vec::new());
        assert!(before.get("a").zip(other.get("a")).is_some_and(|(one, same)| Arc::ptr_eq(one, same)));
    }
}
