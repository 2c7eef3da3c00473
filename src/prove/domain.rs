//! What a condition key may still hold, narrowed by one condition after another.
//!
//! A condition speaks of one key, so to hold it, or not to, is to narrow that key's domain: whether it
//! may be absent, and what it may be. Text is a language, numbers and addresses are intervals. Where a
//! test does not go with a domain, or a variable may be anything, what is left may be too much, never too
//! little: the evaluator has the last word on a request.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::clause::{Clause, Fixed};
use super::intervals::Intervals;
use super::strings::{Budget, Class, Language, OutOfBudget, Pattern, Step};
use crate::iam::catalogue::{self, ValueType};
use crate::iam::operand::Operand;
use crate::iam::operator::{Comparison, Operator, Set, Test};
use crate::iam::reading::{Reading, Side};
use crate::iam::request::Values;

/// What a key may hold.
#[derive(Clone, Debug)]
pub struct Domain {
    /// The request may be without it.
    pub absent: bool,
    /// What it may be where it is there; `None`: it is never there.
    pub present: Option<Present>,
}

/// What a key may be.
#[derive(Clone, Debug)]
pub enum Present {
    Text(Language),
    Flag {
        yes: bool,
        no: bool,
    },
    /// Billionths, or nanoseconds since 1970.
    Number(Intervals<i128>),
    Address {
        v4: Intervals<u32>,
        v6: Intervals<u128>,
    },
    /// Several values: all of them in one language, and at least one in each of others.
    Several {
        every: Language,
        some: Vec<Language>,
    },
}

impl Domain {
    /// Never there.
    pub fn absent() -> Self {
        Self { absent: true, present: None }
    }

    /// Always this.
    pub fn only(text: &str) -> Self {
        Self::of(Pattern::literal(text))
    }

    /// Always a text of this shape.
    pub fn of(pattern: Pattern) -> Self {
        Self::language(Language::of(pattern))
    }

    /// A text of a language.
    pub fn language(language: Language) -> Self {
        Self { absent: false, present: Some(Present::Text(language)) }
    }

    /// Any text.
    pub fn text() -> Self {
        Self::language(Language::default())
    }

    /// None of these texts.
    pub fn miss(&mut self, patterns: impl IntoIterator<Item = Pattern>) {
        if let Some(Present::Text(language)) = &mut self.present {
            language.misses.push(patterns.into_iter().collect());
        }
    }

    /// Always `true` or `false`; one of them, where it is given.
    pub fn flag(only: Option<bool>) -> Self {
        let (yes, no) = (only != Some(false), only != Some(true));
        Self { absent: false, present: Some(Present::Flag { yes, no }) }
    }

    /// Any number from one on.
    pub fn number_from(first: i128) -> Self {
        Self { absent: false, present: Some(Present::Number(Intervals::of(first, i128::MAX))) }
    }

    /// Any address but those of some blocks.
    pub fn address(but: &[IpNet]) -> Self {
        let (v4, v6) = (Intervals::of(0, u32::MAX), Intervals::of(0, u128::MAX));
        let mut present = Present::Address { v4, v6 };
        present.address(but, false);
        Self { absent: false, present: Some(present) }
    }

    /// Several values, whatever they are.
    pub fn several() -> Self {
        // An empty value is taken for none.
        Self::several_of(Language::of(Pattern::glob("?*")))
    }

    /// Several values of a language.
    pub fn several_of(every: Language) -> Self {
        let present = Present::Several { every, some: Vec::new() };
        Self { absent: false, present: Some(present) }
    }

    /// The same, or absent.
    pub fn or_absent(mut self) -> Self {
        self.absent = true;
        self
    }

    /// Is it plain that nothing is left? What this does not see, [`Domain::pick`] does.
    pub fn is_plainly_empty(&self) -> bool {
        !self.absent && self.present.is_none()
    }

    /// Leaves what makes the condition hold, or not hold.
    pub fn narrow(&mut self, clause: &Clause<'_>, wanted: bool, side: Side, fixed: &Fixed) {
        self.absent &= side.allows(clause.of_absence(fixed), wanted);
        let Some(present) = &mut self.present else { return };
        let left = if clause.condition.operator.test == Test::Null {
            side.allows(clause.of_presence(), wanted)
        } else {
            present.narrow(&Asked { clause, wanted, side, fixed })
        };
        if !left {
            self.present = None;
        }
    }

    /// How many patterns a text has to go with.
    pub fn patterns(&self) -> usize {
        let of = |language: &Language| {
            language.groups.iter().chain(&language.misses).map(|group| group.len()).sum::<usize>()
        };
        match &self.present {
            Some(Present::Text(language)) => of(language),
            Some(Present::Several { every, some }) => of(every) + some.iter().map(of).sum::<usize>(),
            _ => 0,
        }
    }

    /// What the key holds, where it is surely there and can be nothing else.
    pub fn only_text(&self) -> Option<&str> {
        match &self.present {
            Some(Present::Text(language)) if !self.absent => language.only(),
            _ => None,
        }
    }

    /// Is what the key holds, where it is there, any text of a language?
    pub fn is_text(&self) -> bool {
        matches!(self.present, Some(Present::Text(_)))
    }

    /// A value that is left where the key is there.
    ///
    /// # Errors
    /// Where the budget is used up before one is found.
    pub fn pick_present(&self, budget: &mut Budget) -> Result<Option<Values>, OutOfBudget> {
        self.present.as_ref().map_or(Ok(None), |present| present.pick(budget))
    }

    /// A value that is left: none where the request may be without the key and `or_absent` is preferred.
    ///
    /// # Errors
    /// Where the budget is used up before one is found.
    pub fn pick(&self, budget: &mut Budget) -> Result<Option<Option<Values>>, OutOfBudget> {
        if self.absent {
            return Ok(Some(None));
        }
        match &self.present {
            None => Ok(None),
            Some(_) => Ok(self.pick_present(budget)?.map(Some)),
        }
    }
}

/// A condition, and what is asked of it.
struct Asked<'c, 'p> {
    clause: &'c Clause<'p>,
    wanted: bool,
    side: Side,
    fixed: &'c Fixed,
}

/// Which values are asked for, of the policy's that can be compared with.
enum Wanted<T> {
    /// One of these.
    OneOf(T),
    /// None of these.
    NoneOf(T),
    /// Any.
    Whatever,
    /// There is none.
    Nothing,
}

impl Asked<'_, '_> {
    fn operator(&self) -> Operator {
        self.clause.condition.operator
    }

    /// Is a date compared as a number, which it is none of? `aws:EpochTime` is one.
    fn is_date_as_number(&self) -> bool {
        let name = self.clause.condition.key.as_str();
        let is_date = || catalogue::find_key(name).is_some_and(|found| found.key.value == ValueType::Date);
        matches!(self.operator().test, Test::Number(_)) && name != "aws:epochtime" && is_date()
    }

    /// Is the value, which a negated operator compares with ARNs, perhaps none?
    fn may_be_no_arn(&self) -> bool {
        let is_of_arns = || {
            let found = catalogue::find_key(self.clause.key());
            self.clause.key() == "aws:sourcevpcarn"
                || found.is_some_and(|found| found.key.value == ValueType::Arn)
        };
        self.operator().test == Test::Arn && self.operator().negated && !is_of_arns()
    }

    /// Is the value to be one of the policy's?
    fn wants_match(&self) -> bool {
        self.wanted != self.operator().negated
    }

    /// Of what kind the policy's values are to be, where some cannot be compared with: whether a value is
    /// "not equal" to those nobody says.
    fn values<T>(&self, read: impl Fn(&Operand) -> Option<T>) -> Wanted<Vec<T>> {
        let all = &self.clause.condition.values;
        let values: Vec<T> = all.iter().filter_map(&read).collect();
        let incomparable = values.len() < all.len() && self.operator().negated;
        match (self.wants_match(), incomparable, self.side) {
            (true, true, Side::Permissive) => Wanted::Whatever,
            (true, ..) => Wanted::OneOf(values),
            (false, true, Side::Strict) => Wanted::Nothing,
            (false, ..) => Wanted::NoneOf(values),
        }
    }
}

impl Present {
    /// Leaves what is asked for. `false`: nothing is left.
    fn narrow(&mut self, asked: &Asked<'_, '_>) -> bool {
        let operator = asked.operator();
        match self {
            Present::Flag { yes, no } => {
                *yes &= asked.holds_for(true);
                *no &= asked.holds_for(false);
                *yes || *no
            }
            Present::Several { every, some } => several(every, some, asked),
            Present::Text(language) => text(language, asked),
            Present::Number(numbers) => match operator.test {
                Test::Number(comparison) | Test::Date(comparison) => number(numbers, comparison, asked),
                _ => true,
            },
            Present::Address { .. } if operator.test == Test::Address => {
                let block = |operand: &Operand| match operand {
                    Operand::Block(block) => Some(*block),
                    _ => None,
                };
                match asked.values(block) {
                    Wanted::OneOf(blocks) => self.address(&blocks, true),
                    Wanted::NoneOf(blocks) => self.address(&blocks, false),
                    Wanted::Whatever => {}
                    Wanted::Nothing => return false,
                }
                let Present::Address { v4, v6 } = self else { return true };
                !v4.is_empty() || !v6.is_empty()
            }
            Present::Address { .. } => true,
        }
    }

    /// Leaves addresses that are in one of the blocks, or in none.
    fn address(&mut self, blocks: &[IpNet], inside: bool) {
        let Present::Address { v4, v6 } = self else { return };
        let (mut blocks4, mut blocks6) = (Intervals::default(), Intervals::default());
        for block in blocks {
            match block {
                IpNet::V4(block) => {
                    blocks4 = blocks4.or(&Intervals::of(block.network().into(), block.broadcast().into()));
                }
                IpNet::V6(block) => {
                    blocks6 = blocks6.or(&Intervals::of(block.network().into(), block.broadcast().into()));
                }
            }
        }
        (*v4, *v6) = if inside {
            (v4.and(&blocks4), v6.and(&blocks6))
        } else {
            (v4.without(&blocks4), v6.without(&blocks6))
        };
    }

    fn pick(&self, budget: &mut Budget) -> Result<Option<Values>, OutOfBudget> {
        Ok(match self {
            Present::Text(language) => language.shortest(budget)?.map(Values::One),
            Present::Flag { yes, no } => {
                no.then_some(false).or(yes.then_some(true)).map(|flag| Values::One(flag.to_string()))
            }
            Present::Number(numbers) => whole(numbers).map(|number| Values::One(number.to_string())),
            Present::Address { v4, v6 } => address(v4, v6).map(|address| Values::One(address.to_string())),
            Present::Several { every, some } => {
                let mut values = Vec::new();
                let whatever = [Language::default()];
                for language in if some.is_empty() { &whatever[..] } else { some } {
                    let mut both = every.clone();
                    both.groups.extend(language.groups.iter().cloned());
                    both.misses.extend(language.misses.iter().cloned());
                    match both.shortest(budget)? {
                        Some(value) if values.contains(&value) => {}
                        Some(value) => values.push(value),
                        None => return Ok(None),
                    }
                }
                Some(Values::Many(values))
            }
        })
    }
}

impl Asked<'_, '_> {
    /// Is it as asked where the key holds this?
    fn holds_for(&self, flag: bool) -> bool {
        self.side.allows(self.clause.of_flag(flag, self.fixed), self.wanted)
    }
}

/// The lowest, of whole numbers and seconds if there is one.
fn whole(numbers: &Intervals<i128>) -> Option<i128> {
    const BILLION: i128 = 1_000_000_000;
    let first = numbers.first()?;
    let whole = first.div_euclid(BILLION) + i128::from(first.rem_euclid(BILLION) != 0);
    let whole = whole.checked_mul(BILLION).filter(|whole| numbers.has(*whole));
    Some(whole.unwrap_or(first))
}

/// An address that can be read: of those for documentation, if there is one.
fn address(v4: &Intervals<u32>, v6: &Intervals<u128>) -> Option<IpAddr> {
    let liked =
        [Ipv4Addr::new(203, 0, 113, 10), Ipv4Addr::new(198, 51, 100, 10), Ipv4Addr::new(10, 0, 0, 10)];
    let liked = liked.into_iter().find(|address| v4.has((*address).into())).map(IpAddr::V4);
    liked
        .or_else(|| v4.first().map(|first| IpAddr::V4(first.into())))
        .or_else(|| v6.first().map(|first| IpAddr::V6(Ipv6Addr::from(first))))
}

fn number(numbers: &mut Intervals<i128>, comparison: Comparison, asked: &Asked<'_, '_>) -> bool {
    if asked.is_date_as_number() {
        let reading =
            if asked.operator().negated { Reading::Unclear("a date is no number") } else { Reading::No };
        return asked.side.allows(reading, asked.wanted);
    }
    let that = |number: i128| match comparison {
        Comparison::Equals => Intervals::of(number, number),
        Comparison::Less => {
            number.checked_sub(1).map_or_else(Intervals::default, |last| Intervals::of(i128::MIN, last))
        }
        Comparison::LessOrEqual => Intervals::of(i128::MIN, number),
        Comparison::Greater => {
            number.checked_add(1).map_or_else(Intervals::default, |first| Intervals::of(first, i128::MAX))
        }
        Comparison::GreaterOrEqual => Intervals::of(number, i128::MAX),
    };
    let read = |operand: &Operand| match operand {
        Operand::Number(number) => Some(that(*number)),
        _ => None,
    };
    let all = |some: Vec<Intervals<i128>>| some.iter().fold(Intervals::default(), |all, next| all.or(next));
    match asked.values(read) {
        Wanted::OneOf(values) => *numbers = numbers.and(&all(values)),
        Wanted::NoneOf(values) => *numbers = numbers.without(&all(values)),
        Wanted::Whatever => {}
        Wanted::Nothing => return false,
    }
    !numbers.is_empty()
}

fn text(language: &mut Language, asked: &Asked<'_, '_>) -> bool {
    let operator = asked.operator();
    if !matches!(operator.test, Test::Text | Test::TextFolded | Test::Like | Test::Arn | Test::Bool) {
        return true;
    }
    let restricted = match (operator.set, asked.wanted) {
        (Some(Set::All), true) => restrict_or_nothing(language, asked),
        // An empty text is taken for no value, which all pass.
        (Some(Set::All), false) => {
            language.misses.push([Pattern::default()].into());
            restrict(language, asked)
        }
        (Some(Set::Any) | None, _) => restrict(language, asked),
    };
    restricted && language.is_plausible()
}

/// Narrows the language of a text, of which an empty one passes whatever is asked.
fn restrict_or_nothing(language: &mut Language, asked: &Asked<'_, '_>) -> bool {
    let nothing = Pattern::default();
    let texts = asked.clause.texts(asked.fixed);
    if asked.wants_match() {
        let may: Vec<Pattern> = texts.may.iter().cloned().chain([nothing]).collect();
        if !(texts.is_open && asked.side == Side::Permissive) {
            language.groups.push(may.into());
        }
        return true;
    }
    // Where one of the values is an empty text, more is left than may be.
    if texts.must.iter().any(|pattern| pattern.matches("")) {
        return asked.side == Side::Permissive;
    }
    restrict(language, asked)
}

/// Narrows the language of a text, or of each value of a key of several.
fn restrict(language: &mut Language, asked: &Asked<'_, '_>) -> bool {
    let texts = asked.clause.texts(asked.fixed);
    match (asked.wants_match(), texts.is_open, asked.side) {
        (true, true, Side::Permissive) => {}
        (true, false, Side::Permissive) if texts.may_be_open => {}
        // Nobody says whether what is no ARN is "not like" one.
        (true, false, Side::Permissive) if asked.may_be_no_arn() => {
            language.groups.push(texts.may.iter().cloned().chain(no_arns()).collect());
        }
        (true, ..) => language.groups.push(texts.may.clone()),
        (false, true, Side::Strict) => return false,
        (false, ..) if texts.must.is_empty() => {}
        (false, ..) => language.misses.push(texts.must.clone()),
    }
    true
}

/// Texts with fewer than the five colons of an ARN.
fn no_arns() -> impl Iterator<Item = Pattern> {
    let part = || Step::Many(Class::But(':'));
    let of = move |colons: usize| {
        let more = (0..colons).flat_map(|_| [Step::One(Class::Of(':')), part()]);
        Pattern::new([part()].into_iter().chain(more).collect())
    };
    (0..5).map(of)
}

fn several(every: &mut Language, some: &mut Vec<Language>, asked: &Asked<'_, '_>) -> bool {
    let operator = asked.operator();
    if !matches!(operator.test, Test::Text | Test::TextFolded | Test::Like | Test::Arn) {
        return true;
    }
    match (operator.set, asked.wanted) {
        // Nobody says what an operator for one value makes of several.
        (None, _) => asked.side == Side::Permissive,
        (Some(Set::All), true) | (Some(Set::Any), false) => restrict(every, asked),
        (Some(Set::Any), true) | (Some(Set::All), false) => {
            let mut one = Language::default();
            let restricted = restrict(&mut one, asked);
            some.push(one);
            restricted
        }
    }
}
