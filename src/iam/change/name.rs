//! A role or user that an event names without its path: may a break-glass pattern speak of it?

use super::Ours;
use crate::ids::Arn;

/// The longest name that is looked at, in bytes. IAM's own are at most 64 characters.
const MAX_NAME: usize = 256;

/// An ARN that a break-glass entry speaks of, under some path, of the principal of this kind and
/// name: where the path is not told, a false alarm is better than a miss.
///
/// Where the path is a wildcard's, the wildcard stands in the ARN as it does in the pattern.
pub(super) fn spoken_of(
    ours: &dyn Ours,
    partition: &str,
    account: &str,
    kind: &str,
    name: &str,
) -> Option<String> {
    if name.len() > MAX_NAME {
        return None;
    }
    let arn = |resource: String| format!("arn:{partition}:iam::{account}:{resource}");
    let patterns = ours.break_glass();
    let resources = patterns.iter().filter_map(|pattern| Arn::parse(pattern)).map(|pattern| pattern.resource);
    let under = resources.flat_map(|resource| paths(kind, resource));
    let resources = std::iter::once(kind.to_owned()).chain(under);
    resources.map(|start| arn(format!("{start}/{name}"))).find(|arn| ours.speaks_of(arn))
}

/// Where in a pattern a path may end: at each slash, and wherever a wildcard can stand for one. A star
/// at the very end stands for the end of a name alone: where it takes in a path, the entry speaks of
/// every name under that, and so of the one before as well.
fn paths(kind: &str, resource: &str) -> impl Iterator<Item = String> {
    let ends = resource
        .trim_end_matches('*')
        .match_indices(['/', '*', '?'])
        .filter_map(|(at, _)| resource.get(..at));
    ends.map(move |start| match start.split('/').next() {
        Some(first) if first == kind => start.to_owned(),
        _ => format!("{kind}/{start}"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::sample::Listed;
    use super::spoken_of;

    fn is_spoken_of(pattern: &str, name: &str) -> bool {
        let patterns = [format!("arn:aws:iam::*:{pattern}")];
        spoken_of(&Listed(&patterns), "aws", "111122223333", "user", name).is_some()
    }

    #[test]
    fn a_pattern_may_have_any_path_in_front_of_the_name() {
        for pattern in [
            "user/ann",
            "user/bg/ann",
            "user/bg/*",
            "user/an*",
            "user/bg/a*",
            "user/*/ann",
            "user/*ann",
            "user/b?/a*n",
            "user/bg?ann",
            "user/a/*/c/ann",
            "*",
            "*bg/ann",
            "us*r/bg/ann",
        ] {
            assert!(is_spoken_of(pattern, "ann"), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_ends_in_another_name_does_not_speak_of_it() {
        for pattern in [
            "user/bob",
            "user/bg/joann",
            "user/ann/bob",
            "user/*bob",
            "role/bg/ann",
            "user/annx*",
            "user/bg*",
            "user/bg/b*",
        ] {
            assert!(!is_spoken_of(pattern, "ann"), "{pattern}");
        }
        assert!(!is_spoken_of("user/*", &"a".repeat(300)));
        let patterns = ["arn:aws:iam::*:user/bg/*".to_owned()];
        assert_eq!(spoken_of(&Listed(&patterns), "aws", "777788889999", "user", "ann"), None);
    }
}
