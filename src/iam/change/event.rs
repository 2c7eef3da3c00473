//! A record opened to read a change from: its parameters, its names, the ARNs that follow.
//!
//! Services spell their parameters in different cases, and EC2 wraps some in an object named after
//! the call; both are evened out here. Any type may stand anywhere.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::cloudtrail::record::{Field, Key, Record};
use crate::ids::{Arn, is_account, partition_of};

/// The longest name in a phrase, in characters.
const MAX_NAME: usize = 256;

/// What CloudTrail writes where it hides a policy's text, as in `organizations:PutResourcePolicy`.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// A record, its parameters read once they are asked for.
pub(super) struct Event<'r> {
    record: &'r Record<'r>,
    /// `eventName`.
    pub(super) name: &'r str,
    /// The account that it was recorded for, else the caller's.
    pub(super) account: Option<String>,
    /// `awsRegion`.
    pub(super) region: Option<Cow<'r, str>>,
    request: OnceCell<Params>,
    response: OnceCell<Params>,
}

impl<'r> Event<'r> {
    pub(super) fn new(record: &'r Record<'r>, name: &'r str) -> Self {
        let of = |field: Field<'_>| field.text().filter(|text| is_account(text)).map(Cow::into_owned);
        let account = of(record.get(Key::RecipientAccountId)).or_else(|| of(record.identity().account));
        let region = record.get(Key::AwsRegion).text().filter(|region| !region.is_empty());
        Self { record, name, account, region, request: OnceCell::new(), response: OnceCell::new() }
    }

    /// Did the call fail? Then nothing changed.
    pub(super) fn failed(&self) -> bool {
        self.record.get(Key::ErrorCode).text().is_some_and(|code| !code.is_empty())
    }

    /// `requestParameters`, out of EC2's wrapping.
    pub(super) fn request(&self) -> &Params {
        self.request
            .get_or_init(|| Params::read(self.record.get(Key::RequestParameters)).unwrap_call(self.name))
    }

    /// `responseElements`.
    pub(super) fn response(&self) -> &Params {
        self.response.get_or_init(|| Params::read(self.record.get(Key::ResponseElements)))
    }

    /// The text of a parameter, else of what the response has under that name.
    pub(super) fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.request().text(key).or_else(|| self.answer(key))
    }

    /// The text of what the response has under that name, or under it in an object inside.
    pub(super) fn answer(&self, key: &str) -> Option<Cow<'_, str>> {
        self.response().find(key).and_then(text_of)
    }

    /// The ARN that the response has under `key`, where it is one of this service, and of a resource
    /// of this kind and, if it is known, name.
    pub(super) fn true_arn(
        &self,
        key: &str,
        service: &str,
        kind: &str,
        name: Option<&str>,
    ) -> Option<String> {
        let found = self.answer(key)?;
        let arn = Arn::parse(&found)?;
        let (found_kind, found_name) = arn.resource.split_once('/')?;
        let is_named = |name: &str| found_name.rsplit('/').next() == Some(name);
        let is_it = arn.service == service && found_kind == kind && name.is_none_or(is_named);
        is_it.then(|| found.to_string())
    }

    /// ARNs in the record's own `resources`.
    pub(super) fn resources(&self) -> BTreeSet<String> {
        let listed = self.record.get(Key::Resources).json().and_then(parse);
        let Some(Value::Array(items)) = listed else { return BTreeSet::new() };
        let arns = items.iter().filter_map(|item| lookup(item.as_object()?, "ARN")?.as_str());
        arns.filter(|arn| arn.starts_with("arn:")).map(str::to_owned).collect()
    }

    /// The ARN that a refusal names: "… is not authorized to perform: … on resource: ARN …".
    pub(super) fn refused_resource(&self) -> Option<String> {
        let message = self.record.get(Key::ErrorMessage).text()?;
        let (_, resource) = message.split_once(" on resource: ")?;
        resource.split_whitespace().next().filter(|arn| arn.starts_with("arn:")).map(str::to_owned)
    }

    /// Name and ARN of the IAM user who called: what IAM takes for a user that is not named.
    pub(super) fn caller(&self) -> (Option<String>, Option<String>) {
        let identity = self.record.identity();
        let of = |field: Field<'_>| field.text().map(Cow::into_owned);
        (of(identity.user_name), of(identity.arn).filter(|arn| arn.contains(":iam::")))
    }

    /// The phrase of a template; see [`super::Kind`].
    pub(super) fn phrase(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len() + 64);
        let mut rest = template;
        while let Some((plain, (keys, behind))) =
            rest.split_once('{').and_then(|(plain, rest)| Some((plain, rest.split_once('}')?)))
        {
            out.push_str(plain);
            match keys.split('|').find_map(|key| self.text(key)) {
                Some(name) => out.push_str(&quoted(&name)),
                None => out.push_str("(not recorded)"),
            }
            rest = behind;
        }
        out.push_str(rest);
        out
    }

    /// The partition of its region.
    pub(super) fn partition(&self) -> &'static str {
        partition_of(self.region.as_deref().unwrap_or_default())
    }

    /// An ARN of this account and region.
    pub(super) fn arn(&self, service: &str, resource: &str) -> Option<String> {
        self.arn_in(service, self.region.as_deref()?, resource)
    }

    /// The ARN of a resource of this kind. An ARN in place of the name is taken as it is.
    pub(super) fn named_arn(&self, name: &str, service: &str, kind: &str) -> Option<String> {
        if name.starts_with("arn:") {
            return Some(name.to_owned());
        }
        self.arn(service, &format!("{kind}/{name}"))
    }

    /// An ARN of this account and another region.
    pub(super) fn arn_in(&self, service: &str, region: &str, resource: &str) -> Option<String> {
        let account = self.account.as_deref()?;
        Some(format!("arn:{}:{service}:{region}:{account}:{resource}", self.partition()))
    }

    /// An ARN of this region and another account.
    pub(super) fn arn_of(&self, service: &str, region: &str, account: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{region}:{account}:{resource}", self.partition())
    }

    /// The ARN of an IAM resource. An ARN in place of the name is taken as it is.
    pub(super) fn iam_arn(&self, kind: &str, path: &str, name: &str) -> Option<String> {
        if name.starts_with("arn:") {
            return Some(name.to_owned());
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        let end = if path.is_empty() || path.ends_with('/') { "" } else { "/" };
        self.arn_in("iam", "", &format!("{kind}{slash}{path}{end}{name}"))
    }

    /// The ARN of an IAM resource that the call makes: the response's own, else the one that follows
    /// from the parameters.
    pub(super) fn made_arn(&self, kind: &str, key: &str) -> Option<String> {
        let name = self.text(key);
        let answered = self.true_arn("arn", "iam", kind, name.as_deref());
        answered.or_else(|| {
            let path = self.request().text("path").unwrap_or(Cow::Borrowed("/"));
            self.iam_arn(kind, &path, &name?)
        })
    }

    /// The ARN that stands for a whole account.
    pub(super) fn account_arn(&self, account: &str) -> Option<String> {
        is_account(account).then(|| format!("arn:{}:iam::{account}:root", self.partition()))
    }
}

/// `requestParameters` or `responseElements`.
#[derive(Debug, Default)]
pub(super) struct Params {
    pub(super) fields: Map<String, Value>,
    /// CloudTrail left them out, in whole or in part; or they are no object.
    pub(super) omitted: bool,
}

impl Params {
    fn read(field: Field<'_>) -> Self {
        match field.json().and_then(parse) {
            Some(Value::Object(fields)) => {
                // "If a field is truncated, `omitted` is present with a value of true."
                let omitted = lookup(&fields, "omitted").is_some_and(is_true);
                Self { fields, omitted }
            }
            _ => Self { fields: Map::new(), omitted: true },
        }
    }

    /// EC2 wraps the parameters of newer calls, as in `{"CreateVpcEndpointRequest":{…}}`.
    fn unwrap_call(mut self, call: &str) -> Self {
        let is_wrapper = |key: &str| {
            let (name, end) = (key.get(..call.len()), key.get(call.len()..));
            name.is_some_and(|name| name.eq_ignore_ascii_case(call))
                && end.is_some_and(|end| end.eq_ignore_ascii_case("Request"))
        };
        let Some(key) = self.fields.keys().find(|key| is_wrapper(key)).cloned() else { return self };
        match self.fields.remove(&key) {
            Some(Value::Object(fields)) => {
                let omitted = self.omitted || lookup(&fields, "omitted").is_some_and(is_true);
                Self { fields, omitted }
            }
            _ => Self { omitted: true, ..self },
        }
    }

    /// A field, whatever the case of its name; `null` is none.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        lookup(&self.fields, key)
    }

    /// A field, or one of that name in an object inside.
    pub(super) fn find(&self, key: &str) -> Option<&Value> {
        find(&self.fields, key, 3)
    }

    /// The text of a field.
    pub(super) fn text(&self, key: &str) -> Option<Cow<'_, str>> {
        self.get(key).and_then(text_of)
    }

    /// Is the field there, with something in it?
    pub(super) fn carries(&self, key: &str) -> bool {
        match self.get(key) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(Value::Array(items)) => !items.is_empty(),
            Some(Value::Object(fields)) => !fields.is_empty(),
            Some(Value::Bool(_) | Value::Number(_)) => true,
        }
    }

    /// Is `true` there?
    pub(super) fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(is_true)
    }

    /// Is the text of a policy there?
    pub(super) fn has_policy(&self, key: &str) -> bool {
        match self.get(key) {
            Some(Value::String(text)) => !text.trim().is_empty() && text != HIDDEN,
            Some(Value::Object(fields)) => !fields.is_empty(),
            _ => false,
        }
    }

    /// The strings of a list, or the one string that stands in its place.
    pub(super) fn list(&self, key: &str) -> Vec<&str> {
        match self.get(key) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// Reads JSON. Half of a surrogate pair, which a caller can put in a description, does not hide
/// the rest.
fn parse(json: &[u8]) -> Option<Value> {
    serde_json::from_slice(json).or_else(|_| serde_json::from_slice(&mended(json))).ok()
}

/// The JSON with U+FFFD for every half of a surrogate pair.
fn mended(json: &[u8]) -> Vec<u8> {
    let unit = |text: Option<&[u8]>| match text {
        Some([b'\\', b'u', hex @ ..]) => {
            std::str::from_utf8(hex).ok().and_then(|hex| u16::from_str_radix(hex, 16).ok())
        }
        _ => None,
    };
    let mut out = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        out.extend_from_slice(plain);
        let (taken, text) = match (unit(escape.get(..6)), unit(escape.get(6..12))) {
            (Some(0xd800..0xdc00), Some(0xdc00..0xe000)) => (12, escape.get(..12)),
            (Some(0xd800..0xe000), _) => (6, Some(&b"\\ufffd"[..])),
            _ => (2, escape.get(..2)),
        };
        out.extend_from_slice(text.unwrap_or(escape));
        rest = escape.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    out
}

/// A field, whatever the case of its name; `null` is none.
pub(super) fn lookup<'v>(fields: &'v Map<String, Value>, key: &str) -> Option<&'v Value> {
    let found = fields
        .get(key)
        .or_else(|| fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value));
    found.filter(|value| !value.is_null())
}

/// A field of the object or of one inside it, down to `depth`.
fn find<'v>(fields: &'v Map<String, Value>, key: &str, depth: usize) -> Option<&'v Value> {
    lookup(fields, key).or_else(|| {
        let inner = depth.checked_sub(1)?;
        fields.values().filter_map(Value::as_object).find_map(|fields| find(fields, key, inner))
    })
}

/// The text of a scalar, or of the scalar that EC2 wraps as `{"tag":1,"content":…}`.
pub(super) fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if !text.is_empty() => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(bool) => Some(Cow::Borrowed(if *bool { "true" } else { "false" })),
        Value::Object(fields) => lookup(fields, "content")?.as_str().map(Cow::Borrowed),
        Value::Null | Value::String(_) | Value::Array(_) => None,
    }
}

/// Is this `true`?
pub(super) fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(bool) => *bool,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => false,
    }
}

/// A name as it stands in a phrase.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", cut(name, MAX_NAME))
}

/// The text, or its first `max` characters and `…`.
pub(super) fn cut(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max).and_then(|(at, _)| text.get(..at)) {
        Some(start) => Cow::Owned(format!("{start}…")),
        None => Cow::Borrowed(text),
    }
}
