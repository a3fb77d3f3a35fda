//! A Rust file with comments and strings blanked, and what a line scanner can find in it.

/// A scanned Rust file. `code` and `strings` have the same lines and columns as the text.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    /// The text without comments and without what strings hold.
    pub(crate) code: String,
    /// Only what strings hold.
    pub(crate) strings: String,
    /// For each line, whether it is part of a test.
    test_lines: Vec<bool>,
}

/// A function: where it is, how long, how many arguments.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
    pub(crate) arguments: usize,
}

impl Source {
    pub(crate) fn scan(path: &str, text: &str) -> Self {
        let (code, strings) = blank(text);
        let test_lines = test_lines(path, &code);
        Self { path: path.to_owned(), code, strings, test_lines }
    }

    /// Lines of code that are no test, numbered from 1.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().filter(|(at, _)| !self.test_lines[*at]).map(|(at, line)| (at + 1, line))
    }

    /// Whether line `number` (from 1) belongs to a test.
    pub(crate) fn is_test(&self, number: usize) -> bool {
        self.test_lines.get(number - 1).copied().unwrap_or(false)
    }

    /// Every path in the code, with groups of `use` written out, and its line.
    pub(crate) fn paths(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        let mut used = 0;
        for (start, word) in words(&self.code) {
            let line = line_of(&self.code, start);
            if start < used {
                // Inside a `use`, which has been written out already.
            } else if word == "use" {
                let rest = &self.code[start + 3..];
                let tree = rest.split(';').next().unwrap_or(rest);
                used = start + 3 + tree.len();
                let flat: String = tree.split_whitespace().collect::<Vec<_>>().join(" ");
                expand("", &flat, &mut |path| found.push((line, path)));
            } else if !self.code[..start].ends_with("::") && self.code[start + word.len()..].starts_with("::")
            {
                let rest = &self.code[start..];
                let end = rest.find(|c: char| !is_word(c) && c != ':').unwrap_or(rest.len());
                found.push((line, rest[..end].trim_end_matches(':').to_owned()));
            }
        }
        found
    }

    /// Every function with a body.
    pub(crate) fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for (start, word) in words(&self.code) {
            let rest = &self.code[start + word.len()..];
            let name: String = rest.trim_start().chars().take_while(|c| is_word(*c)).collect();
            if word == "fn" && !name.is_empty() {
                found.extend(function(&self.code, start, name));
            }
        }
        found
    }

    /// Names of items: `fn name`, `struct Name` and so on, with their lines.
    pub(crate) fn items(&self) -> Vec<(usize, &'static str, String)> {
        const KINDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "mod", "const", "static"];
        let mut found = Vec::new();
        for (start, word) in words(&self.code) {
            let Some(kind) = KINDS.into_iter().find(|kind| *kind == word) else { continue };
            let rest = self.code[start + word.len()..].trim_start();
            let name: String = rest.chars().take_while(|c| is_word(*c)).collect();
            if !name.is_empty() && !KINDS.contains(&name.as_str()) {
                found.push((line_of(&self.code, start), kind, name));
            }
        }
        found
    }
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words and where they start.
pub(crate) fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + code[rest..].find(is_word)?;
        let end = code[start..].find(|c| !is_word(c)).map_or(code.len(), |length| start + length);
        rest = end;
        Some((start, &code[start..end]))
    })
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// `a::{b, c::{d, self}}` → `a::b`, `a::c::d`, `a::c`.
fn expand(prefix: &str, tree: &str, found: &mut impl FnMut(String)) {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        let name = tree.split(" as ").next().unwrap_or(tree).trim();
        let path =
            if name == "self" { prefix.trim_end_matches(':').to_owned() } else { format!("{prefix}{name}") };
        return found(path);
    };
    let prefix = format!("{prefix}{}", tree[..open].trim());
    let inside = tree[open + 1..].trim_end().trim_end_matches('}');
    // The closing brace of this group may have been followed by nothing else: groups end a tree.
    let balanced = inside.matches('{').count() - inside.matches('}').count();
    let inside = format!("{inside}{}", "}".repeat(balanced));
    let (mut depth, mut from) = (0, 0);
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                expand(&prefix, &inside[from..at], found);
                from = at + 1;
            }
            _ => {}
        }
    }
    if !inside[from..].trim().is_empty() {
        expand(&prefix, &inside[from..], found);
    }
}

fn function(code: &str, start: usize, name: String) -> Option<Function> {
    let open = start + argument_list(&code[start..])?;
    let (arguments, after) = arguments(&code[open..])?;
    let body = code[open + after..].find(['{', ';']).map(|at| open + after + at)?;
    if code[body..].starts_with(';') {
        return None;
    }
    let mut depth = 0;
    for (at, c) in code[body..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let line = line_of(code, start);
            return Some(Function { name, line, lines: line_of(code, body + at) - line + 1, arguments });
        }
    }
    None
}

/// Where the argument list opens, past a generic list that may hold parentheses of its own.
fn argument_list(code: &str) -> Option<usize> {
    let mut angles = 0;
    let mut before = ' ';
    for (at, c) in code.char_indices() {
        match c {
            '<' => angles += 1,
            '>' if before != '-' => angles -= 1,
            '(' if angles == 0 => return Some(at),
            _ => {}
        }
        before = c;
    }
    None
}

/// How many arguments, not counting `self` and a contract's `Env`, and where the list ends.
fn arguments(code: &str) -> Option<(usize, usize)> {
    let (mut depth, mut from, mut before, mut found) = (0, 1, ' ', Vec::new());
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            '>' if before == '-' || before == '=' => {}
            ')' | ']' | '}' | '>' => depth -= 1,
            ',' if depth == 1 => {
                found.push(code[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
        if depth == 0 {
            found.push(code[from..at].trim());
            let counted = found.iter().filter(|argument| {
                let (name, kind) = argument.split_once(':').unwrap_or((argument, ""));
                let name = name.trim().trim_start_matches("mut ");
                let is_self = name.starts_with('&') || name == "self";
                !argument.is_empty() && !is_self && !matches!(kind.trim(), "Env" | "&Env")
            });
            return Some((counted.count(), at + 1));
        }
        before = c;
    }
    None
}

/// Marks the lines of `#[cfg(test)]` items; whole files that are tests by their place.
fn test_lines(path: &str, code: &str) -> Vec<bool> {
    let by_place = path.starts_with("tests/")
        || path.contains("/test/")
        || path.contains("/tests/")
        || path.ends_with("/tests.rs")
        || path.ends_with("/test.rs");
    let mut marks = vec![by_place; code.lines().count()];
    for (start, _) in code.match_indices("#[cfg(test)]") {
        let Some(first) = code[start..].find(['{', ';']).map(|at| start + at) else { continue };
        let mut end = first;
        let mut depth = 0;
        for (at, c) in code[first..].char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            end = first + at;
            if depth == 0 {
                break;
            }
        }
        for mark in &mut marks[line_of(code, start) - 1..line_of(code, end)] {
            *mark = true;
        }
    }
    marks
}

/// The text twice: once without comments and strings, once with nothing but what strings hold.
fn blank(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut strings = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let (end, kind) = token(&chars, at);
        for &c in &chars[at..end] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            code.push(if kind == Kind::Code { c } else { blank });
            strings.push(if kind == Kind::String { c } else { blank });
        }
        at = end;
    }
    (code, strings)
}

#[derive(PartialEq)]
enum Kind {
    Code,
    Comment,
    String,
}

/// Where the piece beginning at `at` ends, and what it is.
fn token(chars: &[char], at: usize) -> (usize, Kind) {
    let next = |offset: usize| chars.get(at + offset).copied().unwrap_or(' ');
    let in_word = at > 0 && is_word(chars[at - 1]);
    match chars[at] {
        '/' if next(1) == '/' => (find(chars, at, '\n'), Kind::Comment),
        '/' if next(1) == '*' => (comment_end(chars, at), Kind::Comment),
        '"' => (quote_end(chars, at), Kind::String),
        'r' if !in_word && (next(1) == '"' || next(1) == '#') => raw_end(chars, at),
        // `'a'` and `'\n'` are characters, `'a` is a lifetime.
        '\'' if next(1) == '\\' => (find(chars, at + 3, '\'') + 1, Kind::String),
        '\'' if next(2) == '\'' => (at + 3, Kind::String),
        _ => (at + 1, Kind::Code),
    }
}

fn find(chars: &[char], from: usize, wanted: char) -> usize {
    (from..chars.len()).find(|at| chars[*at] == wanted).unwrap_or(chars.len())
}

fn comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0;
    let mut at = start;
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (depth, at) = (depth + 1, at + 2),
            ('*', '/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn quote_end(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

fn raw_end(chars: &[char], start: usize) -> (usize, Kind) {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    let open = start + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        // A raw identifier.
        return (start + 1, Kind::Code);
    }
    let mut at = open + 1;
    while at < chars.len() {
        let closed =
            chars[at] == '"' && chars[at + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
        if closed {
            return (at + 1 + hashes, Kind::String);
        }
        at += 1;
    }
    (chars.len(), Kind::String)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked() {
        let source = Source::scan(
            "a.rs",
            "let a = \"x // y\"; // z\nlet c = '\"'; /* f() */ let l: &'a str = r#\"q\"#;",
        );
        assert!(source.code.contains("let c = ") && source.code.contains("let l: &'a str = "));
        assert!(!source.code.contains(['x', 'z', 'q']) && !source.code.contains("f()"));
        assert!(source.strings.contains("x // y") && !source.strings.contains("let"));
    }

    #[test]
    fn groups_of_use_are_written_out() {
        let source = Source::scan("a.rs", "use crate::{a, b::{self, c as d}};\nfn f() { x::y::z(); }");
        let paths: Vec<_> = source.paths().into_iter().map(|(_, path)| path).collect();
        for path in ["crate::a", "crate::b", "crate::b::c", "x::y::z"] {
            assert!(paths.iter().any(|found| found == path), "{path} in {paths:?}");
        }
    }

    #[test]
    fn functions_are_measured() {
        let text = "fn a<F: Fn(u8) -> u8>(&self, x: Vec<(u8, u8)>, f: F,) -> u8 {\n  {}\n}\nfn b();";
        let found = Source::scan("a.rs", text).functions();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].name.as_str(), found[0].lines, found[0].arguments), ("a", 3, 2));
    }

    #[test]
    fn tests_are_known() {
        let source =
            Source::scan("a.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n");
        let lines: Vec<_> = source.product_lines().map(|(number, _)| number).collect();
        assert_eq!(lines, [1, 6]);
    }
}
