//! Is there a text that fits all of these patterns and none of those? The shortest one.
//!
//! A pattern is a row of steps: one character of a class, or any number of them. Wildcards, ARN parts
//! and the shapes of ids are such rows, so whatever policies ask of one key can be asked of one text
//! together. The search goes through sets of places in all patterns at once, shortest text first, by one
//! representative of each class of characters that no pattern tells apart; it is bounded in steps.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::LazyLock;

use hashbrown::HashMap;

/// By the first of its small letters, every character.
static SMALL: LazyLock<HashMap<char, Vec<char>>> = LazyLock::new(|| {
    let mut small: HashMap<char, Vec<char>> = HashMap::new();
    for char in '\0'..=char::MAX {
        let first = char.to_lowercase().next().unwrap_or(char);
        // Most are their own and no other's.
        if first != char {
            small.entry(first).or_insert_with(|| vec![first]).push(char);
        }
    }
    small
});

/// Characters.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Class {
    Any,
    Of(char),
    /// Every one but this.
    But(char),
    /// Those of ranges, rising, that do not touch.
    Ranges(Rc<[(char, char)]>),
}

impl Class {
    /// Those that are the same as one where case does not count: whose small letters are. Of ASCII's letters only `k`
    /// has another one, the sign for kelvin.
    pub fn folded(char: char) -> Self {
        if matches!(char, 'k' | 'K') {
            return Class::ranges(&[('K', 'K'), ('k', 'k'), ('\u{212a}', '\u{212a}')]);
        }
        if char.is_ascii() {
            let (small, large) = (char.to_ascii_lowercase(), char.to_ascii_uppercase());
            return if small == large {
                Class::Of(char)
            } else {
                Class::ranges(&[(large, large), (small, small)])
            };
        }
        let same = |other: &char| other.to_lowercase().eq(char.to_lowercase());
        let alike =
            SMALL.get(&char.to_lowercase().next().unwrap_or(char)).map(Vec::as_slice).unwrap_or_default();
        let mut chars: Vec<char> = alike.iter().copied().chain([char]).filter(same).collect();
        chars.sort_unstable();
        chars.dedup();
        match chars.as_slice() {
            [only] => Class::Of(*only),
            _ => Class::Ranges(chars.into_iter().map(|char| (char, char)).collect()),
        }
    }

    /// These ranges, rising.
    pub fn ranges(ranges: &[(char, char)]) -> Self {
        Class::Ranges(ranges.into())
    }

    fn contains(&self, char: char) -> bool {
        match self {
            Class::Any => true,
            Class::Of(only) => *only == char,
            Class::But(other) => *other != char,
            Class::Ranges(ranges) => ranges.iter().any(|(first, last)| (*first..=*last).contains(&char)),
        }
    }

    /// Where characters begin that are of the class and the one before is not, or the other way round.
    fn borders(&self, add: &mut impl FnMut(u32)) {
        let mut range = |first: char, last: char| {
            add(first as u32);
            add(last as u32 + 1);
        };
        match self {
            Class::Any => {}
            Class::Of(char) | Class::But(char) => range(*char, *char),
            Class::Ranges(ranges) => ranges.iter().for_each(|(first, last)| range(*first, *last)),
        }
    }
}

/// One step of a pattern.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Step {
    /// Exactly one character.
    One(Class),
    /// Any number of them, none too.
    Many(Class),
}

/// A row of steps.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Pattern {
    steps: Rc<[Step]>,
    /// What every text that fits begins with, as far as it is letter by letter.
    start: Rc<str>,
    /// How many steps that is.
    started: usize,
    /// The place from which on whatever follows fits, if there is one: only steps are left that take anything.
    open: Option<usize>,
}

impl Default for Pattern {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Pattern {
    /// A pattern of these steps.
    pub fn new(steps: Vec<Step>) -> Self {
        let letter = |step: &Step| match step {
            Step::One(Class::Of(char)) => Some(*char),
            _ => None,
        };
        let start: String = steps.iter().map_while(letter).collect();
        let started = steps.iter().take_while(|step| letter(step).is_some()).count();
        let open = steps.iter().rev().take_while(|step| **step == Step::Many(Class::Any)).count();
        let open = (open > 0).then(|| steps.len() - open);
        Self { steps: steps.into(), start: start.into(), started, open }
    }

    /// A text, letter by letter.
    pub fn literal(text: &str) -> Self {
        let steps: Rc<[Step]> = text.chars().map(|char| Step::One(Class::Of(char))).collect();
        Self { started: steps.len(), steps, start: text.into(), open: None }
    }

    /// A text with wildcards, which stand for anything.
    pub fn glob(text: &str) -> Self {
        Self::new(text.chars().map(|char| step(char, &Class::Any)).collect())
    }

    /// The only text that fits, where there is only one.
    pub fn as_literal(&self) -> Option<&str> {
        (self.started == self.steps.len()).then_some(&*self.start)
    }

    /// The same for an ARN, part by part: before the fifth colon a wildcard stands for no colon, and what is
    /// missing at the end is anything. The second value tells whether whatever fits so fits this as well.
    /// `None`: both are one.
    pub fn by_parts(&self) -> Option<(Self, bool)> {
        let colon = Step::One(Class::Of(':'));
        let any = Step::Many(Class::Any);
        if *self.steps == [any.clone()] {
            return None;
        }
        let colons_of_start = self.start.bytes().filter(|byte| *byte == b':').count();
        if colons_of_start >= 5 {
            return None;
        }
        let mut colons = 0;
        let mut parts = Vec::new();
        for step in self.steps.iter() {
            colons += usize::from(*step == colon);
            parts.push(match step {
                Step::Many(Class::Any) if colons < 5 => Step::Many(Class::But(':')),
                Step::One(Class::Any) if colons < 5 => Step::One(Class::But(':')),
                step => step.clone(),
            });
        }
        if colons >= 5 {
            return Some((Self::new(parts), true));
        }
        // With fewer parts it is padded: behind its last one may come a colon and anything, or nothing.
        let ends_open = self.steps.last() == Some(&any);
        if ends_open {
            parts.pop();
            parts.push(any);
            return Some((Self::new(parts), true));
        }
        parts.extend([colon, any]);
        Some((Self::new(parts), false))
    }

    /// What follows on this one.
    pub fn then(self, other: Self) -> Self {
        Self::new(self.steps.iter().chain(other.steps.iter()).cloned().collect())
    }

    /// Does the whole of a text fit?
    pub fn matches(&self, text: &str) -> bool {
        if let Some(literal) = self.as_literal() {
            return literal == text;
        }
        self.places_behind(text).is_some_and(|places| has(&places, self.steps.len()))
    }

    /// The places where one may be behind the beginning of a text; `None`: nothing that begins so fits.
    /// Texts behind which they are the same are the same to the pattern, whatever follows.
    pub fn places_behind(&self, text: &str) -> Option<Vec<u64>> {
        let rest = text.strip_prefix(&*self.start)?;
        let mut places = vec![0; self.words()];
        enter(&mut places, &self.steps, self.started);
        let mut next = places.clone();
        for char in rest.chars() {
            advance(&places, &mut next, &self.steps, char);
            std::mem::swap(&mut places, &mut next);
        }
        places.iter().any(|word| *word != 0).then_some(places)
    }

    /// May anything that begins so fit?
    fn may_begin(&self, text: &str) -> bool {
        self.start.starts_with(text) || self.places_behind(text).is_some()
    }

    /// Does whatever begins so fit?
    fn covers(&self, text: &str) -> bool {
        self.open.is_some() && self.places_behind(text).is_some_and(|places| takes_anything(&places, self))
    }

    /// Words of a set of places in it: where one may be, a bit a place; the last place is its end.
    fn words(&self) -> usize {
        self.steps.len() / 64 + 1
    }
}

fn step(char: char, wild: &Class) -> Step {
    match char {
        '*' => Step::Many(wild.clone()),
        '?' => Step::One(wild.clone()),
        _ => Step::One(Class::Of(char)),
    }
}

fn has(places: &[u64], place: usize) -> bool {
    places.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
}

/// Is at a place, and behind all steps from there on that may be left out.
fn enter(places: &mut [u64], steps: &[Step], mut place: usize) {
    while !has(places, place) {
        if let Some(word) = places.get_mut(place / 64) {
            *word |= 1 << (place % 64);
        }
        match steps.get(place) {
            Some(Step::Many(_)) => place += 1,
            Some(Step::One(_)) | None => return,
        }
    }
}

/// The places behind a character.
fn advance(places: &[u64], next: &mut [u64], steps: &[Step], char: char) {
    next.fill(0);
    for place in all(places) {
        match steps.get(place) {
            Some(Step::One(class)) if class.contains(char) => enter(next, steps, place + 1),
            Some(Step::Many(class)) if class.contains(char) => enter(next, steps, place),
            Some(Step::One(_) | Step::Many(_)) | None => {}
        }
    }
}

fn all(places: &[u64]) -> impl Iterator<Item = usize> + '_ {
    places.iter().enumerate().flat_map(|(n, word)| {
        let mut word = *word;
        std::iter::from_fn(move || {
            let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
            word &= word - 1;
            Some(n * 64 + bit)
        })
    })
}

/// Does whatever follows fit?
fn takes_anything(places: &[u64], pattern: &Pattern) -> bool {
    pattern.open.is_some_and(|open| has(places, open))
}

/// Steps of a pattern that a quick look goes through.
const MAX_QUICK: usize = 2_048;

/// Steps that a search may still take.
#[derive(Clone, Copy, Debug)]
pub struct Budget(pub u64);

/// A search took more steps than it may.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OutOfBudget;

impl Budget {
    /// Takes some.
    ///
    /// # Errors
    /// Where there are not as many left.
    pub fn take(&mut self, steps: usize) -> Result<(), OutOfBudget> {
        match self.0.checked_sub(steps as u64) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => {
                self.0 = 0;
                Err(OutOfBudget)
            }
        }
    }
}

/// Texts that fit at least one pattern of each group, and none of the misses.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Language {
    pub groups: Vec<Rc<[Pattern]>>,
    pub misses: Vec<Rc<[Pattern]>>,
}

impl Language {
    /// Those that fit a pattern.
    pub fn of(pattern: Pattern) -> Self {
        Self { groups: vec![[pattern].into()], misses: Vec::new() }
    }

    /// Those of them that do not fit these.
    pub fn but(mut self, patterns: impl IntoIterator<Item = Pattern>) -> Self {
        self.misses.push(patterns.into_iter().collect());
        self
    }

    /// The only text, where there is only one to begin with.
    pub fn only(&self) -> Option<&str> {
        self.groups.iter().find_map(|group| match &**group {
            [only] => only.as_literal(),
            _ => None,
        })
    }

    fn all_misses(&self) -> impl Iterator<Item = &Pattern> {
        self.misses.iter().flat_map(|misses| misses.iter())
    }

    /// Is the text one of them?
    pub fn has(&self, text: &str) -> bool {
        self.groups.iter().all(|group| group.iter().any(|pattern| pattern.matches(text)))
            && !self.all_misses().any(|pattern| pattern.matches(text))
    }

    /// May there be one, as far as a quick look tells? It looks at how the first group's texts begin.
    pub fn is_plausible(&self) -> bool {
        // A quick look at very long patterns is none: the search that is bounded has to tell.
        let all = || self.groups.iter().chain(&self.misses).flat_map(|group| group.iter());
        if all().any(|pattern| pattern.steps.len() > MAX_QUICK) {
            return true;
        }
        let Some((first, rest)) = self.groups.split_first() else {
            return !self.all_misses().any(|pattern| pattern.covers(""));
        };
        first.iter().any(|pattern| match pattern.as_literal() {
            Some(text) => self.has(text),
            None => {
                let fits = |group: &Rc<[Pattern]>| group.iter().any(|other| other.may_begin(&pattern.start));
                rest.iter().all(fits) && !self.all_misses().any(|other| other.covers(&pattern.start))
            }
        }) && rest
            .iter()
            .all(|group| group.iter().any(|pattern| pattern.as_literal().is_none_or(|text| self.has(text))))
    }

    /// The shortest of them, if there is one.
    ///
    /// # Errors
    /// Where the budget is used up before that is known.
    pub fn shortest(&self, budget: &mut Budget) -> Result<Option<String>, OutOfBudget> {
        if self.groups.iter().any(|group| group.is_empty()) {
            return Ok(None);
        }
        // Where only a few texts can be meant there is nothing to search.
        if let Some(mut texts) = self.groups.iter().find_map(|group| literals(group)) {
            texts.sort_by_key(|text| text.len());
            let all = self.groups.iter().chain(&self.misses).flat_map(|group| group.iter());
            let words = all.map(Pattern::words).sum::<usize>();
            budget.take(texts.iter().map(|text| text.len() + 1).sum::<usize>().saturating_mul(words))?;
            return Ok(texts.into_iter().find(|text| self.has(text)).map(str::to_owned));
        }
        Search::new(self).run(budget)
    }
}

fn literals(group: &[Pattern]) -> Option<Vec<&str>> {
    group.iter().map(Pattern::as_literal).collect()
}

/// A search for the shortest text.
struct Search<'p> {
    language: &'p Language,
    patterns: Vec<&'p Pattern>,
    /// Where in a state the places of each pattern begin; and the end.
    starts: Vec<usize>,
}

/// Places in all patterns: group by group, then those to miss.
type State = Rc<[u64]>;

impl<'p> Search<'p> {
    fn new(language: &'p Language) -> Self {
        let patterns: Vec<&Pattern> =
            language.groups.iter().chain(&language.misses).flat_map(|group| group.iter()).collect();
        let mut starts = vec![0];
        for pattern in &patterns {
            starts.push(starts.last().copied().unwrap_or_default() + pattern.words());
        }
        Self { language, patterns, starts }
    }

    fn of<'s>(&self, state: &'s [u64], n: usize) -> &'s [u64] {
        let (start, end) = (self.starts.get(n).copied(), self.starts.get(n + 1).copied());
        state.get(start.unwrap_or_default()..end.unwrap_or_default()).unwrap_or_default()
    }

    /// Breadth first, so that the first that fits is the shortest.
    fn run(&self, budget: &mut Budget) -> Result<Option<String>, OutOfBudget> {
        let words = self.starts.last().copied().unwrap_or_default();
        let mut next = vec![0; words];
        for (pattern, start) in self.patterns.iter().zip(&self.starts) {
            enter(next.get_mut(*start..).unwrap_or_default(), &pattern.steps, 0);
        }
        // What every text begins with needs no search.
        let begin = match self.language.groups.first().map(|group| &**group) {
            Some([only]) => &*only.start,
            _ => "",
        };
        for char in begin.chars() {
            budget.take(words)?;
            let state = next.clone();
            self.advance(&state, &mut next, char);
        }
        let mut came: HashMap<State, Option<(State, char)>> = HashMap::new();
        let (mut queue, mut borders) = (VecDeque::new(), Vec::new());
        if !self.is_dead(&next) {
            let start: State = next.as_slice().into();
            came.insert(start.clone(), None);
            queue.push_back(start);
        }
        while let Some(state) = queue.pop_front() {
            if self.is_accepted(&state) {
                return Ok(Some(format!("{begin}{}", text_to(&came, state))));
            }
            self.told_apart(&state, &mut borders);
            for char in representatives(&borders) {
                budget.take(words)?;
                self.advance(&state, &mut next, char);
                if !self.is_dead(&next) && !came.contains_key(next.as_slice()) {
                    let next: State = next.as_slice().into();
                    came.insert(next.clone(), Some((state.clone(), char)));
                    queue.push_back(next);
                }
            }
        }
        Ok(None)
    }

    /// The state behind a character.
    fn advance(&self, state: &[u64], next: &mut [u64], char: char) {
        for (n, pattern) in self.patterns.iter().enumerate() {
            let start = self.starts.get(n).copied().unwrap_or_default();
            let places = next.get_mut(start..start + pattern.words()).unwrap_or_default();
            advance(self.of(state, n), places, &pattern.steps, char);
        }
    }

    /// Where characters begin that some step, of those that may follow, tells from the ones before.
    fn told_apart(&self, state: &[u64], borders: &mut Vec<u32>) {
        borders.clear();
        borders.push(0);
        for (n, pattern) in self.patterns.iter().enumerate() {
            for place in all(self.of(state, n)) {
                if let Some(Step::One(class) | Step::Many(class)) = pattern.steps.get(place) {
                    class.borders(&mut |border| borders.push(border));
                }
            }
        }
        borders.sort_unstable();
        borders.dedup();
    }

    /// Of each group some place that passes the test, and of the misses none that passes theirs.
    fn holds(
        &self,
        state: &[u64],
        some: impl Fn(&[u64], &Pattern) -> bool,
        never: impl Fn(&[u64], &Pattern) -> bool,
    ) -> bool {
        let mut n = 0;
        for group in &self.language.groups {
            let mut here = group.iter().enumerate();
            if !here.any(|(m, pattern)| some(self.of(state, n + m), pattern)) {
                return false;
            }
            n += group.len();
        }
        !self.language.all_misses().enumerate().any(|(m, pattern)| never(self.of(state, n + m), pattern))
    }

    fn is_accepted(&self, state: &[u64]) -> bool {
        let at_end = |places: &[u64], pattern: &Pattern| has(places, pattern.steps.len());
        self.holds(state, at_end, at_end)
    }

    /// Can no text fit from here on?
    fn is_dead(&self, state: &[u64]) -> bool {
        !self.holds(state, |places, _| places.iter().any(|word| *word != 0), takes_anything)
    }
}

/// The way to a state, from the start.
fn text_to(came: &HashMap<State, Option<(State, char)>>, mut state: State) -> String {
    let mut chars = Vec::new();
    while let Some(Some((before, char))) = came.get(&state) {
        chars.push(*char);
        state = before.clone();
    }
    chars.into_iter().rev().collect()
}

/// One character of each range between borders: letters and digits first.
fn representatives(borders: &[u32]) -> Vec<char> {
    let ends = borders.iter().skip(1).copied().chain([char::MAX as u32 + 1]);
    let mut chars: Vec<char> =
        borders.iter().zip(ends).filter_map(|(start, end)| readable(*start, end)).collect();
    chars.sort_unstable_by_key(|char| (!char.is_ascii_alphanumeric(), *char));
    chars
}

/// A character of a range, one that can be read if there is one.
fn readable(start: u32, end: u32) -> Option<char> {
    const LIKED: [char; 6] = ['x', '0', 'a', 'A', '-', '!'];
    let liked = LIKED.into_iter().find(|char| (start..end).contains(&(*char as u32)));
    liked.or_else(|| (start..end).find_map(char::from_u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn language(groups: &[&[&str]], misses: &[&str]) -> Language {
        Language {
            groups: groups
                .iter()
                .map(|group| group.iter().map(|text| Pattern::glob(text)).collect())
                .collect(),
            misses: vec![misses.iter().map(|text| Pattern::glob(text)).collect()],
        }
    }

    fn find(fits: &[&str], misses: &[&str]) -> Option<String> {
        let groups: Vec<&[&str]> = fits.iter().map(std::slice::from_ref).collect();
        language(&groups, misses).shortest(&mut Budget(10_000_000)).unwrap()
    }

    #[test]
    fn the_well_known_carve_out_is_passed_by_a_path() {
        let path = Pattern::new(vec![Step::Many(Class::ranges(&[('!', '~')]))]);
        let role = Pattern::literal("arn:aws:iam::111122223333:role/").then(path);
        let carve_out = Pattern::glob("arn:aws:iam::*:role/your-emergency-role");
        let itself = Pattern::literal("arn:aws:iam::111122223333:role/your-emergency-role");
        let escapes =
            Language { groups: vec![[role].into(), [carve_out].into()], misses: vec![[itself].into()] };
        let found = escapes.shortest(&mut Budget(10_000_000)).unwrap();
        assert_eq!(found.as_deref(), Some("arn:aws:iam::111122223333:role/:role/your-emergency-role"));
    }

    #[test]
    fn what_cannot_be_is_found_out() {
        assert_eq!(find(&["a*", "*b"], &[]).as_deref(), Some("ab"));
        assert_eq!(find(&["a*"], &["*"]), None);
        assert_eq!(find(&["a*"], &["a*"]), None);
        assert_eq!(find(&["a?c"], &["abc"]).as_deref(), Some("a0c"));
        assert_eq!(find(&[], &["*?"]).as_deref(), Some(""));
        assert_eq!(find(&[], &[""]).as_deref().map(str::len), Some(1));
        assert_eq!(find(&["vpc-1"], &["vpc-*"]), None);
        assert_eq!(find(&["?", "??"], &[]), None);
    }

    #[test]
    fn a_hostile_pattern_ends_at_its_budget() {
        let (one, other) = ("*a*b*c".repeat(700), "*c*b*a".repeat(700));
        let found = language(&[&[&one], &[&other]], &[]).shortest(&mut Budget(2_000_000));
        assert!(found.is_err() || found.is_ok_and(|found| found.is_some()));
    }

    #[test]
    fn folding_is_that_of_the_evaluator() {
        let same = |one: char, other: char| one.to_lowercase().eq(other.to_lowercase());
        let some = [
            'i', 'I', '\u{130}', '\u{131}', 'k', '\u{212a}', 's', '\u{17f}', '\u{df}', '\u{1e9e}', '\u{1c5}',
            '1',
        ];
        for (one, other) in some.iter().flat_map(|one| some.iter().map(move |other| (*one, *other))) {
            assert_eq!(Class::folded(one).contains(other), same(one, other), "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_trying_them_all(
            groups in prop::collection::vec(prop::collection::vec("[ab*?]{0,4}", 1..3), 0..3),
            misses in prop::collection::vec("[ab*?]{0,4}", 0..4),
        ) {
            let any = |patterns: &Vec<String>, text: &str| {
                patterns.iter().any(|pattern| crate::glob::matches(pattern, text))
            };
            let is_one = |text: &str| groups.iter().all(|group| any(group, text)) && !any(&misses, text);
            let mut texts = vec![String::new()];
            let mut at = 0;
            while at < texts.len() && texts[at].len() < 6 {
                texts.extend(["a", "b", "x"].map(|char| format!("{}{char}", texts[at])));
                at += 1;
            }
            let tried = texts.iter().find(|text| is_one(text));
            let glob = |texts: &Vec<String>| texts.iter().map(|text| Pattern::glob(text)).collect::<Vec<_>>();
            let language = Language {
                groups: groups.iter().map(|group| glob(group).into()).collect(),
                misses: vec![glob(&misses).into()],
            };
            let found = language.shortest(&mut Budget(10_000_000)).unwrap();
            if let Some(found) = &found {
                prop_assert!(is_one(found), "{}", found);
            }
            prop_assert_eq!(found.map(|text| text.len()), tried.map(String::len));
        }

        #[test]
        fn matching_is_that_of_globs(pattern in "[ab*?é]{0,8}", text in "[abé]{0,10}") {
            prop_assert_eq!(Pattern::glob(&pattern).matches(&text), crate::glob::matches(&pattern, &text));
        }
    }
}
