//! A condition made ready for proofs: what does not hang on the request is worked out once.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::rc::Rc;

use super::strings::{Class, Pattern, Step};
use crate::iam::condition::{absent, passes};
use crate::iam::document::Condition;
use crate::iam::operand::Operand;
use crate::iam::operator::Test;
use crate::iam::reading::Reading;
use crate::iam::request::{Context, Values};
use crate::iam::template::{Part, Template};

/// Keys whose value is known, by which variables are filled in.
pub type Fixed = Context;

/// A condition, ready.
#[derive(Debug)]
pub struct Clause<'p> {
    pub condition: &'p Condition,
    /// How it reads where the request does not have its key; without variables.
    absent: Reading,
    /// Some value of it has a variable.
    pub has_variables: bool,
    /// How it reads where the key is `true` and where it is `false`; without variables.
    flags: OnceCell<[Reading; 2]>,
    /// Its values as patterns; without variables.
    texts: OnceCell<Texts>,
}

/// What the values of a condition mean as patterns.
#[derive(Clone, Debug)]
pub struct Texts {
    /// A text that fits none of these is none of the values.
    pub may: Rc<[Pattern]>,
    /// A text that fits one of these is one of the values.
    pub must: Rc<[Pattern]>,
    /// The documentation leaves open whether a text is one of the values.
    pub is_open: bool,
    /// Likewise, where the key of some variable is absent.
    pub may_be_open: bool,
}

/// What a value of a policy means as a pattern.
pub enum Shape {
    Pattern(Pattern),
    /// With a variable whose key may be anything: every text that it may stand for fits, others too.
    Around(Pattern),
    /// It can be compared with nothing.
    None,
    /// What it is compared with is open.
    Open,
}

/// `aws:EpochTime` and `aws:CurrentTime` are one time.
pub fn alias(key: &str) -> &str {
    if key == "aws:epochtime" { "aws:currenttime" } else { key }
}

impl<'p> Clause<'p> {
    /// Makes a condition ready.
    pub fn new(condition: &'p Condition) -> Self {
        Self {
            condition,
            absent: passes(condition, &Context::default()),
            has_variables: condition.values.iter().any(|value| value.variables().next().is_some()),
            flags: OnceCell::new(),
            texts: OnceCell::new(),
        }
    }

    /// How it reads where the request does not have its key.
    pub fn of_absence(&self, fixed: &Fixed) -> Reading {
        if self.has_variables && self.condition.operator.test != Test::Null {
            return absent(self.condition, fixed);
        }
        self.absent
    }

    /// The key that it speaks of.
    pub fn key(&self) -> &'p str {
        alias(&self.condition.key)
    }

    /// How it reads where the key holds `true`, or `false`.
    pub fn of_flag(&self, flag: bool, fixed: &Fixed) -> Reading {
        let with = |flag: bool, fixed: &Fixed| {
            let mut context = fixed.clone();
            context.set(&self.condition.key, Values::One(flag.to_string()));
            passes(self.condition, &context)
        };
        if self.has_variables {
            return with(flag, fixed);
        }
        let nothing = Fixed::default();
        let [yes, no] = *self.flags.get_or_init(|| [with(true, &nothing), with(false, &nothing)]);
        if flag { yes } else { no }
    }

    /// How it reads where the key is there, whatever it holds: of a `Null` condition.
    pub fn of_presence(&self) -> Reading {
        let mut there = Context::default();
        there.set(&self.condition.key, Values::One(String::new()));
        passes(self.condition, &there)
    }

    /// Its values as patterns.
    pub fn texts(&self, fixed: &Fixed) -> Cow<'_, Texts> {
        if self.has_variables {
            return Cow::Owned(Texts::of(self.condition, fixed));
        }
        Cow::Borrowed(self.texts.get_or_init(|| Texts::of(self.condition, fixed)))
    }
}

impl Texts {
    fn of(condition: &Condition, fixed: &Fixed) -> Self {
        let negated = condition.operator.negated;
        let (mut may, mut must, mut is_open, mut may_be_open) = (Vec::new(), Vec::new(), false, false);
        for operand in &condition.values {
            match pattern(operand, condition.operator.test, fixed) {
                Shape::Pattern(pattern) => {
                    may.push(pattern.clone());
                    must.push(pattern);
                }
                Shape::Around(pattern) => {
                    may.push(pattern);
                    // Nobody says whether a value is "not equal" to what can be compared with nothing.
                    may_be_open |= negated;
                }
                Shape::None => is_open |= negated,
                Shape::Open => is_open = true,
            }
        }
        let may: Rc<[Pattern]> = may.into();
        let must = if must.len() == may.len() { may.clone() } else { must.into() };
        Self { may, must, is_open, may_be_open }
    }
}

fn pattern(operand: &Operand, test: Test, fixed: &Fixed) -> Shape {
    match operand {
        Operand::Text(template) => template_pattern(template, &Class::Any, test == Test::TextFolded, fixed),
        Operand::Arn(parts) => arn_pattern(parts, fixed),
        Operand::Bool(flag) if test == Test::Bool => {
            let letters = if *flag { "true" } else { "false" };
            Shape::Pattern(Pattern::new(letters.chars().map(|char| Step::One(Class::folded(char))).collect()))
        }
        Operand::Number(_)
        | Operand::Bool(_)
        | Operand::Bytes(_)
        | Operand::Block(_)
        | Operand::Unreadable(_) => Shape::None,
        Operand::Open(_) => Shape::Open,
    }
}

/// Part by part: a wildcard stands for no colon, but in the last one.
fn arn_pattern(parts: &[Template; 6], fixed: &Fixed) -> Shape {
    let mut steps = Vec::new();
    let mut around = false;
    for (n, part) in parts.iter().enumerate() {
        let wild = if n < 5 { Class::But(':') } else { Class::Any };
        if n > 0 {
            steps.push(Step::One(Class::Of(':')));
        }
        around |= add_template(&mut steps, part, &wild, false, fixed);
    }
    let pattern = Pattern::new(steps);
    if around { Shape::Around(pattern) } else { Shape::Pattern(pattern) }
}

/// A template as a pattern in which wildcards stand for these characters.
pub fn template_pattern(template: &Template, wild: &Class, folded: bool, fixed: &Fixed) -> Shape {
    if !folded && let Some(text) = template.as_literal() {
        return Shape::Pattern(Pattern::literal(text));
    }
    let mut steps = Vec::new();
    let around = add_template(&mut steps, template, wild, folded, fixed);
    let pattern = Pattern::new(steps);
    if around { Shape::Around(pattern) } else { Shape::Pattern(pattern) }
}

/// Adds the steps of a template. `true`: one of its variables may be anything.
fn add_template(
    steps: &mut Vec<Step>,
    template: &Template,
    wild: &Class,
    folded: bool,
    fixed: &Fixed,
) -> bool {
    let of = |char: char| Step::One(if folded { Class::folded(char) } else { Class::Of(char) });
    let mut around = false;
    for part in &template.parts {
        match part {
            Part::Literal(text) => steps.extend(text.chars().map(of)),
            Part::Any => steps.push(Step::Many(wild.clone())),
            Part::One => steps.push(Step::One(wild.clone())),
            Part::Variable { key, .. } => match fixed.get(key) {
                Some(Values::One(value)) => steps.extend(value.chars().map(of)),
                Some(Values::Many(_)) | None => {
                    steps.push(Step::Many(Class::Any));
                    around = true;
                }
            },
        }
    }
    around
}
