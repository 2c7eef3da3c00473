//! Who called, as a record has it: `userIdentity`, read where it is asked for.
//!
//! Source: CloudTrail user guide, "CloudTrail userIdentity element".

use super::cursor::{Cursor, Stop, Value};
use super::escapes::unescape;
use super::field::Field;

/// `userIdentity`, and what of `sessionContext` we read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Identity<'a> {
    pub kind: Field<'a>,
    pub arn: Field<'a>,
    pub principal_id: Field<'a>,
    pub account: Field<'a>,
    pub user_name: Field<'a>,
    pub access_key: Field<'a>,
    pub invoked_by: Field<'a>,
    pub on_behalf_of: Field<'a>,
    pub in_scope_of: Field<'a>,
    /// `sessionContext.sourceIdentity`: the human behind a role session, if one was set.
    pub source_identity: Field<'a>,
    /// `sessionContext.assumedRoot`: a root session made by `sts:AssumeRoot`.
    pub assumed_root: Field<'a>,
    /// `sessionContext.attributes.creationDate`: when the session's credentials were issued.
    pub issued: Field<'a>,
    pub issuer: Issuer<'a>,
    /// The element, or one inside it, is there and is no object, or holds a field twice with
    /// different values.
    pub unreadable: bool,
}

/// `sessionContext.sessionIssuer`: the role or user that a session was made from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Issuer<'a> {
    pub kind: Field<'a>,
    pub arn: Field<'a>,
    pub principal_id: Field<'a>,
    pub account: Field<'a>,
}

#[inline]
fn set<'a>(field: &mut Field<'a>, value: Value<'a>, conflict: &mut bool) {
    let value = Field::of(value);
    *conflict |= *field != Field::Absent && *field != value;
    *field = value;
}

/// Reads the value of a key that may have stood there before; then both must be the same text.
fn once<'a>(
    cursor: &mut Cursor<'a>,
    before: &mut Option<&'a [u8]>,
    identity: &mut Identity<'a>,
    read: fn(&mut Cursor<'a>, &mut Identity<'a>) -> Result<(), Stop>,
) -> Result<bool, Stop> {
    cursor.peek()?;
    let start = cursor.at();
    read(cursor, identity)?;
    let text = cursor.text_since(start);
    identity.unreadable |= before.replace(text).is_some_and(|before| before != text);
    Ok(true)
}

/// Reads the value of `userIdentity`, at which `cursor` is.
pub(super) fn read<'a>(cursor: &mut Cursor<'a>, identity: &mut Identity<'a>) -> Result<(), Stop> {
    let mut context = None;
    let object = members(cursor, &mut |cursor, key| {
        let field = match key {
            b"type" => &mut identity.kind,
            b"arn" => &mut identity.arn,
            b"principalId" => &mut identity.principal_id,
            b"accountId" => &mut identity.account,
            b"userName" => &mut identity.user_name,
            b"accessKeyId" => &mut identity.access_key,
            b"invokedBy" => &mut identity.invoked_by,
            b"onBehalfOf" => &mut identity.on_behalf_of,
            b"inScopeOf" => &mut identity.in_scope_of,
            b"sessionContext" => return once(cursor, &mut context, identity, session),
            _ => return Ok(false),
        };
        set(field, cursor.value()?, &mut identity.unreadable);
        Ok(true)
    })?;
    identity.unreadable |= !object;
    Ok(())
}

fn session<'a>(cursor: &mut Cursor<'a>, identity: &mut Identity<'a>) -> Result<(), Stop> {
    let (mut role, mut attributes) = (None, None);
    let object = members(cursor, &mut |cursor, key| {
        let field = match key {
            b"sourceIdentity" => &mut identity.source_identity,
            b"assumedRoot" => &mut identity.assumed_root,
            b"sessionIssuer" => return once(cursor, &mut role, identity, issuer),
            b"attributes" => return once(cursor, &mut attributes, identity, issue),
            _ => return Ok(false),
        };
        set(field, cursor.value()?, &mut identity.unreadable);
        Ok(true)
    })?;
    identity.unreadable |= !object;
    Ok(())
}

/// Of the attributes no more is read than when the session began.
fn issue<'a>(cursor: &mut Cursor<'a>, identity: &mut Identity<'a>) -> Result<(), Stop> {
    let object = members(cursor, &mut |cursor, key| {
        if key != b"creationDate" {
            return Ok(false);
        }
        set(&mut identity.issued, cursor.value()?, &mut identity.unreadable);
        Ok(true)
    })?;
    identity.unreadable |= !object;
    Ok(())
}

fn issuer<'a>(cursor: &mut Cursor<'a>, identity: &mut Identity<'a>) -> Result<(), Stop> {
    let object = members(cursor, &mut |cursor, key| {
        let field = match key {
            b"type" => &mut identity.issuer.kind,
            b"arn" => &mut identity.issuer.arn,
            b"principalId" => &mut identity.issuer.principal_id,
            b"accountId" => &mut identity.issuer.account,
            _ => return Ok(false),
        };
        set(field, cursor.value()?, &mut identity.unreadable);
        Ok(true)
    })?;
    identity.unreadable |= !object;
    Ok(())
}

/// Goes through an object, giving each key to `read`, which says whether it took the value.
/// Tells whether it was an object (or `null`: nothing said); anything else is gone past.
fn members<'a>(
    cursor: &mut Cursor<'a>,
    read: &mut impl FnMut(&mut Cursor<'a>, &[u8]) -> Result<bool, Stop>,
) -> Result<bool, Stop> {
    if cursor.peek()? != b'{' {
        return cursor.value().map(|value| value == Value::Null);
    }
    cursor.bracket()?;
    let mut first = true;
    while let Some(key) = cursor.key(first)? {
        first = false;
        let taken =
            if key.contains(&b'\\') { read(cursor, unescape(key).as_bytes())? } else { read(cursor, key)? };
        if !taken {
            cursor.value()?;
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use crate::cloudtrail::record::tests::with_record;

    #[test]
    fn what_stands_twice_in_the_identity_must_be_the_same() {
        let unreadable = |identity: &str| {
            with_record(&format!(r#"{{"userIdentity":{identity}}}"#), |record| record.identity().unreadable)
        };
        let context = r#""sessionContext":{"sessionIssuer":{"arn":"a"}}"#;
        let issuer = r#""sessionIssuer":{"arn":"a"}"#;
        let twice = [
            format!("{{{context},{context}}}"),
            format!(r#"{{"sessionContext":{{{issuer},"x":1,"session\u0049ssuer": {{"arn":"a"}}}}}}"#),
            r#"{"sessionContext":null,"sessionContext":null}"#.to_owned(),
        ];
        for same in twice {
            assert!(!unreadable(&same), "{same}");
        }
        let differing = [
            format!(r#"{{{context},"sessionContext":null}}"#),
            format!(r#"{{"sessionContext":null,{context}}}"#),
            format!(r#"{{{context},"sessionContext":{{}}}}"#),
            format!(r#"{{{context},"sessionContext":{{"sourceIdentity":"x"}}}}"#),
            format!(r#"{{"sessionContext":{{{issuer},"sessionIssuer":null}}}}"#),
            format!(r#"{{"sessionContext":{{"sessionIssuer":{{}},{issuer}}}}}"#),
        ];
        for other in differing {
            assert!(unreadable(&other), "{other}");
        }
        with_record(&format!(r#"{{"userIdentity":{{{context}}},"userIdentity":null}}"#), |record| {
            assert!(record.conflict);
        });
    }
}
