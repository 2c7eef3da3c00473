//! Does one text of a policy let more through than another, as far as their statements tell?
//!
//! This is not proven: statements are compared as they are written. What says the same in other words counts as more,
//! so that nothing wider is missed.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Has the newer policy an `Allow` that the older has not, or lacks it a `Deny` that the older has? A text that is not
/// known or cannot be read may say anything.
pub fn is_wider(old: Option<&str>, new: Option<&str>) -> bool {
    let (Some(old), Some(new)) = (old.and_then(statements), new.and_then(statements)) else { return true };
    let of = |all: &BTreeSet<String>, effect: &str| -> BTreeSet<String> {
        let start = format!("{effect}\0");
        all.iter().filter(|statement| statement.starts_with(&start)).cloned().collect()
    };
    !of(&new, "Allow").is_subset(&of(&old, "Allow")) || !of(&old, "Deny").is_subset(&of(&new, "Deny"))
}

/// The statements of a policy, each as its effect and the rest of it, written in one way.
fn statements(text: &str) -> Option<BTreeSet<String>> {
    let policy: Map<String, Value> = serde_json::from_str(text).ok()?;
    let all = match policy.get("Statement")? {
        Value::Array(items) => items.clone(),
        statement @ Value::Object(_) => vec![statement.clone()],
        _ => return None,
    };
    all.iter().map(|statement| written(statement.as_object()?)).collect()
}

fn written(statement: &Map<String, Value>) -> Option<String> {
    let effect = statement.get("Effect")?.as_str()?;
    let rest = statement.iter().filter(|(name, _)| !matches!(name.as_str(), "Sid" | "Effect"));
    let rest: Map<String, Value> = rest.map(|(name, value)| (name.clone(), listed(value))).collect();
    Some(format!("{effect}\0{}", Value::Object(rest)))
}

/// A value alone is a list of one; of a list the order is of no matter.
fn listed(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), listed(value))).collect())
        }
        Value::Array(items) => {
            let mut texts: Vec<String> = items.iter().map(Value::to_string).collect();
            texts.sort();
            texts.into_iter().map(Value::String).collect()
        }
        one => Value::Array(vec![Value::String(one.to_string())]),
    }
}

#[cfg(test)]
mod tests {
    use super::is_wider;

    fn policy(statements: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#)
    }

    const ANN: &str = r#"{"Sid":"A","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/ann"},"Action":"sts:AssumeRole"}"#;

    #[test]
    fn more_is_allowed_or_less_denied() {
        let bob = ANN.replace("ann", "bob");
        let deny = ANN.replace("Allow", "Deny");
        let wider = |old: &[&str], new: &[&str]| {
            is_wider(Some(&policy(&old.join(","))), Some(&policy(&new.join(","))))
        };
        assert!(wider(&[ANN], &[ANN, &bob]));
        assert!(wider(&[ANN], &[&bob]));
        assert!(wider(&[ANN, &deny], &[ANN]));
        assert!(!wider(&[ANN, &bob], &[ANN]));
        assert!(!wider(&[ANN], &[ANN, &deny]));
    }

    #[test]
    fn the_same_in_other_words_is_the_same() {
        let other = ANN.replace(r#""Sid":"A","#, "").replace(r#""sts:AssumeRole""#, r#"["sts:AssumeRole"]"#);
        assert!(!is_wider(Some(&policy(ANN)), Some(&policy(&other))));
        let one = format!(r#"{{"Statement":{ANN}}}"#);
        assert!(!is_wider(Some(&policy(ANN)), Some(&one)));
    }

    #[test]
    fn what_is_not_known_may_say_anything() {
        let known = policy(ANN);
        for (old, new) in
            [(None, Some(known.as_str())), (Some(known.as_str()), None), (Some("{"), Some(&known))]
        {
            assert!(is_wider(old, new));
        }
    }
}
