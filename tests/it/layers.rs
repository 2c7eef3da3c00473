//! Who imports whom, against the table "Who may import whom" in docs/architecture.md; and that the
//! AWS SDK is named where it may be, and nowhere else.
//!
//! The sources are read as text, without comments and strings. What this cannot see: a name that a
//! macro puts together, and a type that comes by inference and is never named.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::corpus::root;

type Tested = Result<(), Box<dyn Error>>;

const HEADING: &str = "## Who may import whom";

/// The crates of the SDK, and of what answers in its place: `src/aws` alone names them.
const SDK: [&str; 4] = ["aws_config", "aws_sdk_", "aws_smithy", "dynoxide"];

/// The crates of Lambda, and the modules that may name them.
const LAMBDA: [&str; 2] = ["aws_lambda_events", "lambda_runtime"];
const LAMBDA_AT: [&str; 2] = ["lambda", "bin"];

/// A row of the table: a module, and what it may import, as `perimeter` or `audit::rule`.
struct Row {
    module: String,
    imports: Vec<String>,
}

impl Row {
    fn allows(&self, path: &[String]) -> bool {
        let Some(first) = path.first() else { return true };
        *first == self.module
            || self.imports.iter().any(|import| {
                import.split("::").zip(path).all(|(one, other)| one == other)
                    && import.split("::").count() <= path.len()
            })
    }
}

/// The rows of the table, in order.
fn table() -> Result<Vec<Row>, Box<dyn Error>> {
    let text = fs::read_to_string(root().join("docs/architecture.md"))?;
    let (_, section) = text.split_once(HEADING).ok_or("docs/architecture.md has lost its table")?;
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
    let rows = lines.take_while(|line| line.starts_with('|')).skip(2).map(|line| {
        let mut cells = line.trim_matches('|').split('|').map(in_backticks);
        let module = cells.next().and_then(|cell| cell.into_iter().next());
        let module = module.ok_or_else(|| format!("no module in `{line}`"))?;
        Ok(Row { module, imports: cells.next().unwrap_or_default() })
    });
    rows.collect()
}

/// The words in backticks of a cell.
fn in_backticks(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A source file, taken apart.
struct Source {
    /// Below src/, for messages.
    name: String,
    /// The module that it belongs to: `perimeter` for `perimeter/config/node.rs`.
    module: String,
    /// How many modules deep it is: 1 for `perimeter.rs`.
    depth: usize,
    tokens: Vec<String>,
}

fn sources() -> Result<Vec<Source>, Box<dyn Error>> {
    let src = root().join("src");
    let mut files = Vec::new();
    gather(&src, &mut files)?;
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        let path = file.strip_prefix(&src)?;
        let parts: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
        let module = parts.first().ok_or("a file without a name")?.trim_end_matches(".rs").to_owned();
        sources.push(Source {
            name: path.display().to_string(),
            module,
            depth: parts.len(),
            tokens: tokens(&fs::read_to_string(&file)?),
        });
    }
    Ok(sources)
}

fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            gather(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Words and signs of Rust code; `::` is one sign. Comments, strings and characters are left out.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |n: usize| chars.get(n).copied().unwrap_or('\0');
    let mut out = Vec::new();
    let mut n = 0;
    while n < chars.len() {
        match at(n) {
            '/' if at(n + 1) == '/' => n = behind_line(&chars, n),
            '/' if at(n + 1) == '*' => n = behind_comment(&chars, n),
            '"' => n = behind_string(&chars, n),
            '\'' if at(n + 1) == '\\' || at(n + 2) == '\'' => n = behind_char(&chars, n),
            ':' if at(n + 1) == ':' => {
                out.push("::".to_owned());
                n += 2;
            }
            c if c.is_alphanumeric() || c == '_' => {
                let word: String =
                    chars.iter().skip(n).take_while(|c| c.is_alphanumeric() || **c == '_').collect();
                n += word.chars().count();
                let raw = matches!(word.as_str(), "r" | "br") && matches!(at(n), '"' | '#');
                match raw.then(|| behind_raw_string(&chars, n)).flatten() {
                    Some(behind) => n = behind,
                    None => out.push(word),
                }
            }
            c => {
                if !c.is_whitespace() {
                    out.push(c.to_string());
                }
                n += 1;
            }
        }
    }
    out
}

fn behind_line(chars: &[char], from: usize) -> usize {
    chars.iter().skip(from).position(|c| *c == '\n').map_or(chars.len(), |end| from + end)
}

fn behind_comment(chars: &[char], from: usize) -> usize {
    let (mut depth, mut n) = (0_usize, from);
    while n < chars.len() {
        match (chars[n], chars.get(n + 1)) {
            ('/', Some('*')) => (depth, n) = (depth + 1, n + 2),
            ('*', Some('/')) if depth == 1 => return n + 2,
            ('*', Some('/')) => (depth, n) = (depth - 1, n + 2),
            _ => n += 1,
        }
    }
    n
}

fn behind_string(chars: &[char], from: usize) -> usize {
    let mut n = from + 1;
    while n < chars.len() && chars[n] != '"' {
        n += if chars[n] == '\\' { 2 } else { 1 };
    }
    n + 1
}

fn behind_char(chars: &[char], from: usize) -> usize {
    let first = if chars.get(from + 1) == Some(&'\\') { from + 3 } else { from + 2 };
    chars.iter().skip(first).position(|c| *c == '\'').map_or(chars.len(), |end| first + end + 1)
}

/// Behind `"…"` or `#"…"#`, which stand behind an `r`; nothing for a raw identifier.
fn behind_raw_string(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars.iter().skip(from).take_while(|c| **c == '#').count();
    if chars.get(from + hashes) != Some(&'"') {
        return None;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let begin = from + hashes + 1;
    let found = chars.get(begin..)?.windows(end.len()).position(|window| window == end);
    Some(found.map_or(chars.len(), |found| begin + found + end.len()))
}

/// Every path below the crate's root that the tokens name: in a `use`, nested or not, or in line;
/// from `crate`, from the crate's own name, or by as many `super` as lead there.
fn paths(source: &Source) -> Vec<Vec<String>> {
    let tokens: Vec<&str> = source.tokens.iter().map(String::as_str).collect();
    let mut out = Vec::new();
    for (n, token) in tokens.iter().enumerate() {
        let follows = |n: usize| tokens.get(n + 1) == Some(&"::");
        match *token {
            "crate" | "dynamodb_perimeter" if follows(n) => {
                tree(&tokens, n + 2, &[], &mut out);
            }
            "super" if n == 0 || tokens[n - 1] != "::" => {
                let steps = tokens[n..].chunks(2).take_while(|pair| **pair == ["super", "::"]).count();
                if steps >= source.depth {
                    tree(&tokens, n + 2 * steps, &[], &mut out);
                }
            }
            _ => {}
        }
    }
    out
}

/// Reads a tree of paths, as `a::{b, c::d}`, and gives each path in it. Returns where it ends.
fn tree(tokens: &[&str], mut n: usize, prefix: &[String], out: &mut Vec<Vec<String>>) -> usize {
    let mut path = prefix.to_vec();
    loop {
        match tokens.get(n).copied() {
            Some("{") => {
                n += 1;
                while !matches!(tokens.get(n), None | Some(&"}")) {
                    n = tree(tokens, n, &path, out).max(n + 1);
                    if tokens.get(n) == Some(&",") {
                        n += 1;
                    }
                }
                return n + 1;
            }
            Some(word) if word.starts_with(|c: char| c.is_alphabetic() || c == '_') => {
                path.push(word.to_owned());
                n += 1;
            }
            _ => n += usize::from(tokens.get(n) == Some(&"*")),
        }
        if tokens.get(n) != Some(&"::") {
            break;
        }
        n += 1;
    }
    if tokens.get(n) == Some(&"as") {
        n += 2;
    }
    out.push(path);
    n
}

#[test]
fn imports_go_down_the_flow() -> Tested {
    let rows = table()?;
    let by_module: BTreeMap<&str, &Row> = rows.iter().map(|row| (row.module.as_str(), row)).collect();
    let mut wrong = Vec::new();
    for source in sources()?.iter().filter(|source| source.module != "lib") {
        let Some(row) = by_module.get(source.module.as_str()) else {
            wrong.push(format!("src/{}: `{}` has no row in the table", source.name, source.module));
            continue;
        };
        for path in paths(source) {
            // A `super` may also lead to something that only bears a module's name.
            let known = path.first().is_some_and(|first| by_module.contains_key(first.as_str()));
            if known && !row.allows(&path) {
                wrong.push(format!(
                    "src/{}: `{}` may not import `{}`",
                    source.name,
                    row.module,
                    path.join("::")
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "see docs/architecture.md, \"Who may import whom\"\n{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn the_table_itself_goes_down() -> Tested {
    let rows = table()?;
    let sources = sources()?;
    assert!(rows.len() > 10, "only {} rows were read", rows.len());
    for (n, row) in rows.iter().enumerate() {
        let above = |name: &str| rows.iter().take(n).any(|row| row.module == name);
        let there = ["", ".rs"].iter().any(|end| root().join(format!("src/{}{end}", row.module)).exists());
        assert!(there, "`{}` is in the table and not in src/", row.module);
        for import in &row.imports {
            let (module, part) = import.split_once("::").unwrap_or((import, ""));
            if above(module) {
                continue;
            }
            // An exception: it names a part that imports nothing outside its own module.
            assert!(!part.is_empty(), "`{}` imports `{import}`, which stands below it", row.module);
            let begins = [format!("{module}/{part}.rs"), format!("{module}/{part}/")];
            let parts =
                sources.iter().filter(|source| begins.iter().any(|begin| source.name.starts_with(begin)));
            for source in parts {
                for path in paths(source) {
                    let own = path.first().is_none_or(|first| first == module);
                    assert!(own, "`{import}` is an exception and imports `{}`", path.join("::"));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn the_sdk_is_named_in_one_place() -> Tested {
    for source in sources()? {
        for token in &source.tokens {
            let is_sdk = SDK.iter().any(|name| token.starts_with(name));
            assert!(
                !is_sdk || source.module == "aws",
                "src/{} names `{token}`: only src/aws may",
                source.name
            );
            let allowed = LAMBDA_AT.contains(&source.module.as_str());
            assert!(!LAMBDA.contains(&token.as_str()) || allowed, "src/{} names `{token}`", source.name);
        }
    }
    Ok(())
}

#[test]
fn the_reader_sees_every_form_of_an_import() {
    let text = r##"
        use crate::{audit::rule::{self, Rule as R}, glob};  // use crate::aws;
        use crate::perimeter::*; /* use crate::aws; /* crate::aws */ crate::aws */
        fn f(c: char) -> bool { crate::ids::is_account("crate::aws") && c == '"' && c != '\'' }
        const T: &str = r#"crate::aws " crate::aws"#; pub(crate) fn g<'a>(_: &'a str) {}
        use super::super::cli::x; use super::aws;
    "##;
    let source = Source { name: String::new(), module: "iam".to_owned(), depth: 2, tokens: tokens(text) };
    let paths: Vec<String> = paths(&source).iter().map(|path| path.join("::")).collect();
    let expected =
        ["audit::rule::self", "audit::rule::Rule", "glob", "perimeter", "ids::is_account", "cli::x"];
    assert_eq!(paths, expected);
}
