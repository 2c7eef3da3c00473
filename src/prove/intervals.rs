//! Sets of whole numbers as intervals: times, numbers, addresses.

/// Numbers in disjoint intervals, rising, both ends included.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Intervals<T>(Vec<(T, T)>);

/// A number with a next one and one before.
pub trait Whole: Copy + Ord {
    fn next(self) -> Option<Self>;
    fn before(self) -> Option<Self>;
}

macro_rules! whole {
    ($($type:ty),*) => {
        $(impl Whole for $type {
            fn next(self) -> Option<Self> {
                self.checked_add(1)
            }
            fn before(self) -> Option<Self> {
                self.checked_sub(1)
            }
        })*
    };
}
whole!(i128, u128, u32);

impl<T: Whole> Intervals<T> {
    /// All from `first` to `last`; none where that is before.
    pub fn of(first: T, last: T) -> Self {
        if first <= last { Self(vec![(first, last)]) } else { Self(Vec::new()) }
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The lowest.
    pub fn first(&self) -> Option<T> {
        self.0.first().map(|(first, _)| *first)
    }

    /// Is it one of them?
    pub fn has(&self, number: T) -> bool {
        self.0.iter().any(|(first, last)| *first <= number && number <= *last)
    }

    /// Those that are in either.
    pub fn or(&self, other: &Self) -> Self {
        let mut all: Vec<(T, T)> = self.0.iter().chain(&other.0).copied().collect();
        all.sort_unstable();
        let mut joined: Vec<(T, T)> = Vec::new();
        for (first, last) in all {
            match joined.last_mut() {
                Some((_, end)) if end.next().is_none_or(|next| first <= next) => *end = (*end).max(last),
                _ => joined.push((first, last)),
            }
        }
        Self(joined)
    }

    /// Those that are in both.
    pub fn and(&self, other: &Self) -> Self {
        let mut both = Vec::new();
        for (first, last) in &self.0 {
            for (start, end) in &other.0 {
                let (first, last) = ((*first).max(*start), (*last).min(*end));
                if first <= last {
                    both.push((first, last));
                }
            }
        }
        both.sort_unstable();
        Self(both)
    }

    /// Those that are not in the other.
    pub fn without(&self, other: &Self) -> Self {
        let mut rest = self.clone();
        for (start, end) in &other.0 {
            let pieces = rest.0.iter().flat_map(|(first, last)| {
                let below = start.before().map(|below| (*first, below.min(*last)));
                let above = end.next().map(|above| (above.max(*first), *last));
                [below, above].into_iter().flatten().filter(|(first, last)| first <= last)
            });
            rest = Self(pieces.collect());
        }
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn some() -> impl Strategy<Value = Intervals<u32>> {
        prop::collection::vec((0u32..20, 0u32..6), 0..4).prop_map(|pairs| {
            pairs
                .into_iter()
                .fold(Intervals(Vec::new()), |all, (first, len)| all.or(&Intervals::of(first, first + len)))
        })
    }

    proptest! {
        #[test]
        fn sets_of_numbers(one in some(), other in some(), number in 0u32..30) {
            let (a, b) = (one.has(number), other.has(number));
            prop_assert_eq!(one.or(&other).has(number), a || b);
            prop_assert_eq!(one.and(&other).has(number), a && b);
            prop_assert_eq!(one.without(&other).has(number), a && !b);
            prop_assert_eq!(one.is_empty(), one.first().is_none());
        }
    }

    #[test]
    fn the_ends_of_all_numbers_are_ends() {
        let all = Intervals::of(0u32, u32::MAX);
        assert!(all.without(&all).is_empty());
        assert_eq!(all.without(&Intervals::of(0, 5)).first(), Some(6));
        assert!(!all.without(&Intervals::of(5, u32::MAX)).has(u32::MAX));
    }
}
