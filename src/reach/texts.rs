//! Texts of policies, read: each text once, however often it is laid out.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::iam::document::{Document, Kind};
use crate::iam::evaluate::{OwnText, Policy};
use crate::iam::state::Text;

/// Texts that are kept at most: beyond, they are read again.
const MAX_TEXTS: usize = 20_000;

/// A policy that was read, or why it cannot be.
type Read = Result<Arc<Document>, Arc<str>>;

/// Policies that were read before.
#[derive(Debug, Default)]
pub struct Texts {
    read: RefCell<HashMap<(Kind, Arc<str>), Read>>,
}

impl Texts {
    /// What a text says in a policy of that kind, or why it cannot be read.
    pub fn read(&self, text: &Arc<str>, kind: Kind) -> Read {
        let mut known = self.read.borrow_mut();
        if known.len() >= MAX_TEXTS {
            known.clear();
        }
        let read = || match Document::parse(text, kind) {
            Ok(document) => Ok(Arc::new(document)),
            Err(problems) => Err(problems.first().map_or("", |problem| problem.message.as_str()).into()),
        };
        known.entry((kind, text.clone())).or_insert_with(read).clone()
    }
}

/// Reads policies, and keeps what is not known.
pub struct Reader<'t> {
    texts: &'t Texts,
    /// Phrases that go on "it is not known …".
    pub doubts: BTreeSet<String>,
    /// Those of them for which what is not allowed may be allowed.
    pub gaps: BTreeSet<String>,
}

impl<'t> Reader<'t> {
    /// One that has read nothing.
    pub fn new(texts: &'t Texts) -> Self {
        Self { texts, doubts: BTreeSet::new(), gaps: BTreeSet::new() }
    }

    /// Keeps something that is not known.
    pub fn doubt(&mut self, doubt: String) {
        self.doubts.insert(doubt);
    }

    /// The policy, where its text is known and can be read.
    pub fn policy(&mut self, name: &str, text: &Text, kind: Kind) -> Option<Policy> {
        let Text::Known(text) = text else {
            return self.unknown(format!("what policy `{name}` says"), kind);
        };
        match self.texts.read(text, kind) {
            Ok(document) => {
                let own_text = Some(OwnText { at: 0, text: text.to_string() });
                Some(Policy { name: name.to_owned(), document: Document::clone(&document), own_text })
            }
            Err(why) => self.unknown(format!("what policy `{name}` says, which cannot be read: {why}"), kind),
        }
    }

    /// The same of a policy.
    pub fn unknown(&mut self, doubt: String, kind: Kind) -> Option<Policy> {
        if kind == Kind::Table {
            self.gaps.insert(doubt.clone());
        }
        self.doubt(doubt);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_read_once_for_each_kind() {
        let texts = Texts::default();
        let text: Arc<str> =
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#.into();
        let (one, other) = (texts.read(&text, Kind::Identity), texts.read(&text, Kind::Identity));
        assert!(one.is_ok_and(|one| other.is_ok_and(|other| Arc::ptr_eq(&one, &other))));
        // A table's policy has to say of whom it speaks.
        assert!(texts.read(&text, Kind::Table).is_err());
    }
}
