//! What tells one finding from another, the same on every machine: rule, account, principal, tables, origin.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::perimeter::origin::OriginKind;

/// What tells one finding from another: the same on every machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Identity {
    /// The rule's name.
    pub rule: Cow<'static, str>,
    /// The owner of the tables.
    pub account: Option<String>,
    /// The principal's ARN, or its unique id where there is none.
    pub principal: Option<String>,
    /// Table ARNs, sorted.
    pub resources: Vec<String>,
    /// Where the calls came from.
    pub origin: OriginKind,
    /// Through which endpoint.
    pub endpoint: Option<String>,
}

/// An [`Identity`] that is looked up and not kept.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct IdentityRef<'i> {
    /// The rule's name.
    pub rule: &'i str,
    /// The owner of the tables.
    pub account: Option<&'i str>,
    /// The principal's ARN, or its unique id where there is none.
    pub principal: Option<&'i str>,
    /// Table ARNs, sorted.
    pub resources: &'i [String],
    /// Where the calls came from.
    pub origin: OriginKind,
    /// Through which endpoint.
    pub endpoint: Option<&'i str>,
}

impl IdentityRef<'_> {
    /// The identity, to be kept. `rule` is the rule's name.
    pub fn to_identity(self, rule: &'static str) -> Identity {
        Identity {
            rule: rule.into(),
            account: self.account.map(str::to_owned),
            principal: self.principal.map(str::to_owned),
            resources: self.resources.to_vec(),
            origin: self.origin,
            endpoint: self.endpoint.map(str::to_owned),
        }
    }
}

impl Identity {
    /// To be looked up with.
    pub fn by_ref(&self) -> IdentityRef<'_> {
        let Identity { rule, account, principal, resources, origin, endpoint } = self;
        IdentityRef {
            rule,
            account: account.as_deref(),
            principal: principal.as_deref(),
            resources,
            origin: *origin,
            endpoint: endpoint.as_deref(),
        }
    }

    /// The finding's id, `f-` and twenty-four hexadecimal digits of a SHA-256.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: Option<&str>| {
            // Lengths stand before texts, so that no two identities run into the same bytes.
            let len = text.map_or(u64::MAX, |text| text.len() as u64);
            hash.update(len.to_be_bytes());
            hash.update(text.unwrap_or_default());
        };
        part(Some(&self.rule));
        part(self.account.as_deref());
        part(self.principal.as_deref());
        part(Some(self.origin.name()));
        part(self.endpoint.as_deref());
        self.resources.iter().for_each(|resource| part(Some(resource)));
        let digest = hash.finalize();
        let mut id = String::from("f-");
        for byte in digest.iter().take(12) {
            for digit in [byte >> 4, byte & 15] {
                id.extend(char::from_digit(u32::from(digit), 16));
            }
        }
        id
    }
}
