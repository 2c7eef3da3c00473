//! Commands to go on with: with the options that lead to the same perimeter and the same findings.

use super::plain_line;

/// What commands that follow are to be given.
#[derive(Clone, Debug, Default)]
pub struct Onward {
    /// ` --config FILE`, where one was named.
    config: String,
    /// ` --store STORE`, where one was named.
    store: String,
    /// Findings are kept nowhere: none of them can be looked at again.
    nothing_kept: bool,
}

impl Onward {
    /// With the names of the perimeter and the store, where they were named.
    pub fn new(config: Option<&str>, store: Option<&str>) -> Self {
        let option = |name: &str, value: Option<&str>| {
            value.map(|value| format!(" --{name} {}", shell_word(value))).unwrap_or_default()
        };
        Self { config: option("config", config), store: option("store", store), nothing_kept: false }
    }

    /// Where findings are gone afterwards.
    pub fn without_findings(self) -> Self {
        Self { nothing_kept: true, ..self }
    }

    /// `perimeter findings …`, where there are any to look at.
    pub fn findings(&self, words: &str) -> Option<String> {
        let Self { config, store, nothing_kept } = self;
        (!nothing_kept).then(|| plain_line(&format!("perimeter findings {words}{config}{store}")))
    }

    /// `perimeter explain RULE`.
    pub fn explain(&self, rule: &str) -> String {
        plain_line(&format!("perimeter explain {rule}{}", self.config))
    }
}

/// A word as POSIX shells read it.
pub fn shell_word(text: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"_-./:,@%+=".contains(&b);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_part_or_change_them() {
        let cases = [
            ("logs/a-b.db", "logs/a-b.db"),
            ("my logs.db", "'my logs.db'"),
            ("it's", r"'it'\''s'"),
            ("$(x)", "'$(x)'"),
            ("~/x", "'~/x'"),
            ("dynamodb://t?region=eu-west-1&endpoint=x", "'dynamodb://t?region=eu-west-1&endpoint=x'"),
            ("", "''"),
        ];
        for (text, word) in cases {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn commands_lead_to_the_same_findings() {
        let onward = Onward::new(Some("a b.toml"), Some("f.db"));
        let show = onward.findings("show f-1").unwrap_or_default();
        assert_eq!(show, "perimeter findings show f-1 --config 'a b.toml' --store f.db");
        assert_eq!(onward.explain("transit"), "perimeter explain transit --config 'a b.toml'");
        assert_eq!(onward.without_findings().findings("list"), None);
    }
}
