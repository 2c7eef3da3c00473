//! The smallest of many, the same in whatever order they come.

use std::collections::BinaryHeap;

/// Keeps so many of what comes, the smallest, and counts the others.
pub struct Smallest<T> {
    kept: BinaryHeap<T>,
    limit: usize,
    more: u64,
}

impl<T: Ord> Smallest<T> {
    /// None yet, of at most `limit`.
    pub fn new(limit: usize) -> Self {
        Self { kept: BinaryHeap::new(), limit, more: 0 }
    }

    /// Adds one.
    pub fn push(&mut self, one: T) {
        self.kept.push(one);
        if self.kept.len() > self.limit {
            self.kept.pop();
            self.more += 1;
        }
    }

    /// Those that are kept, rising, and how many others there were.
    pub fn into_sorted(self) -> (Vec<T>, u64) {
        (self.kept.into_sorted_vec(), self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_are_kept_in_whatever_order_they_come() {
        for order in [[3, 1, 4, 1, 5], [5, 4, 3, 1, 1], [1, 1, 3, 4, 5]] {
            let mut smallest = Smallest::new(3);
            order.into_iter().for_each(|one| smallest.push(one));
            assert_eq!(smallest.into_sorted(), (vec![1, 1, 3], 2));
        }
    }
}
