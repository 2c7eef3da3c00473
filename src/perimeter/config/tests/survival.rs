//! No text makes the parser or the drawing panic, or takes it long.

use proptest::prelude::*;

use super::*;

#[test]
fn a_file_full_of_errors_is_read_to_its_end() {
    let text = format!("x = [{}]\n{}", "1,".repeat(100_000), "[[vpc]]\n".repeat(20_000));
    let found = parse(&text).unwrap_err();
    assert_eq!(found.errors.len(), 1000);
    assert_eq!(found.omitted.found, 1 + 1 + 1 + 3 * 20_000 - 1000);
    let long_key = format!("version = 1\n{} = [{}]\n", "k".repeat(1_000_000), "\"x\",".repeat(50_000));
    assert!(parse(&long_key).is_err());
    // Each would be compared with all rules, were it not too late for that.
    let rules: String = (0..20_000).map(|n| format!("{}{n} = \"off\"\n", "k".repeat(70))).collect();
    assert!(parse(&with(&format!("[rules]\n{rules}"))).is_err());
}

/// Parses and draws all that is said, for this text and a part of it.
fn survives(text: &str) {
    let all = match parse(text) {
        Ok(parsed) => parsed.warnings,
        Err(ConfigErrors { errors, .. }) => {
            assert!(!errors.is_empty());
            errors
        }
    };
    let part: String = text.chars().skip(1).step_by(2).collect();
    for one in all.iter().take(20) {
        assert!(one.line >= 1 && one.column >= 1);
        assert!(!one.render("perimeter.toml", text, false).is_empty());
        assert!(!one.render(text, &part, true).is_empty());
        assert!(!one.to_string().is_empty());
    }
}

#[test]
fn every_beginning_of_a_file_survives() {
    for end in (0..=INTERFACE.len()).step_by(7) {
        survives(&INTERFACE[..INTERFACE.floor_char_boundary(end)]);
    }
}

/// Words that a perimeter is made of, and what breaks one.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "version",
        "=",
        " = ",
        "1",
        "\n",
        "\n",
        "\n[",
        "[[",
        "]",
        "]]\n",
        "{",
        "}",
        ",",
        ".",
        "\"",
        "'",
        "\"\"\"",
        "#",
        "\\",
        "\u{0}",
        "\r",
        "\r\n",
        "\t",
        "\u{feff}",
        "\u{202e}",
        "e\u{301}",
        "漢字",
        "👩‍👩‍👧",
        "\u{e0001}",
        "environments",
        "production",
        "mode = \"enforce\"\n",
        "accounts",
        "[\"111122223333\"]\n",
        "vpc",
        "id = \"vpc-1\"\n",
        "region = \"eu-west-1\"\n",
        "account = \"111122223333\"\n",
        "cidrs",
        "[\"10.0.0.1/16\"]\n",
        "endpoint",
        "transit",
        "trusted_address",
        "break_glass",
        "principal",
        "\"arn:aws:iam::*:role/*\"\n",
        "\"*\"",
        "until",
        "2027-01-01\n",
        "2027-01-01T00:00:00\n",
        "00:00:00",
        "9999-12-31T23:59:59-23:59\n",
        "from",
        "service",
        "suppress",
        "rule",
        "product",
        "prove",
        "rules",
        "transit = \"low\"\n",
        "true",
        "nan",
        "-1e999",
        "0x1",
        "99999999999999999999999999999999999999999",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

proptest! {
    #[test]
    fn arbitrary_text_survives(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn arbitrary_words_survive(text in words()) {
        survives(&text);
        survives(&with(&text));
    }

    #[test]
    fn a_damaged_file_survives(at in 0..INTERFACE.len(), len in 0..200usize, put in words()) {
        let start = INTERFACE.floor_char_boundary(at);
        let end = INTERFACE.ceil_char_boundary(at + len).min(INTERFACE.len());
        survives(&format!("{}{put}{}", &INTERFACE[..start], &INTERFACE[end..]));
    }

    #[test]
    fn any_span_of_any_text_can_be_drawn(text in any::<String>(), start in 0..300usize, len in 0..300usize, line in 0..3usize) {
        let place = node::Place { span: Some(start..start + len), key: text.clone() };
        let mut one = [Diagnostic::error(&place, text.clone()).help(text.clone()).related(&place, text.clone())];
        diagnostic::place(&mut one, &text);
        for one in &mut one {
            one.render("p", &text, false);
            one.line = line;
            one.render(&text, &text, true);
        }
    }
}

proptest! {
    // Some fifty errors each.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn values_of_any_text_survive(text in any::<String>()) {
        let quoted = serde_json::to_string(&text).unwrap_or_default();
        let all = format!("organization = {quoted}\nmanagement_account = {quoted}\n{quoted} = {quoted}\n{}{quoted} = {quoted}\n", with(&format!(
            "[environments.{quoted}]\nmode = {quoted}\naccounts = [{quoted}]\n[[vpc]]\nid = {quoted}\nregion = {quoted}\naccount = {quoted}\ncidrs = [{quoted}]\n\
             [[endpoint]]\nid = {quoted}\n[[break_glass]]\nprincipal = {quoted}\nunique_ids = [{quoted}]\ntables = [{quoted}]\nuntil = {quoted}\n[[service]]\nprincipal = {quoted}\nvia = {quoted}\n\
             [[suppress]]\nrule = {quoted}\n[product]\ntable = {quoted}\nroles = [{quoted}]\nresources = [{quoted}]\n[prove]\nservice_calls = {quoted}\nnow = {quoted}\n[rules]\ntransit = {quoted}\n"
        )));
        survives(&all);
    }
}
