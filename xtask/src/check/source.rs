//! Source files split into code, comments and literals.
//!
//! Responsible for: reading the repository's files, and a view of Rust and C text in which everything but the
//! code (or everything but the comments) is blanked, so that rules do not trip over words in prose and strings.
//! Not responsible for: what a rule looks for.
//!
//! Invariants: a view has the same length in bytes and the same line breaks as the text; splitting never panics,
//! whatever the text.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Stands in every folder that cargo builds into.
const CACHE_MARK: &str = "CACHEDIR.TAG";

/// A text file of the repository.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Path from the repository's root, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// The text with comments and the contents of literals blanked.
    pub code: String,
    /// The text with everything but comments blanked.
    pub comments: String,
}

impl SourceFile {
    /// A file with this path and text.
    pub fn new(path: &str, text: &str) -> Self {
        let (code, comments) = split(text, path.ends_with(".rs"));
        Self { path: path.to_owned(), text: text.to_owned(), code, comments }
    }

    /// The folder of the crate the file belongs to, such as `crates/tollgate-http`.
    pub fn package(&self) -> &str {
        match self.path.split_once('/') {
            Some((folder @ "crates", rest)) => {
                let name = rest.split('/').next().unwrap_or_default();
                &self.path[..folder.len() + 1 + name.len()]
            }
            Some((first, _)) => first,
            None => "",
        }
    }

    /// Whether the file is Rust, C or a C header.
    pub fn is_program_text(&self) -> bool {
        [".rs", ".c", ".h"].iter().any(|end| self.path.ends_with(end))
    }

    /// The code with modules and items under `#[cfg(test)]` blanked.
    pub fn shipped_code(&self) -> String {
        without_test_items(&self.code)
    }
}

/// Every text file of the repository whose name ends in one of `ends`, in the order of their paths.
pub fn read_files(root: &Path, ends: &[&str]) -> Result<Vec<SourceFile>> {
    let mut paths = Vec::new();
    collect(root, ends, &mut paths)?;
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let bytes = fs::read(path).with_context(|| path.display().to_string())?;
            let relative = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
            Ok(SourceFile::new(&relative, &String::from_utf8_lossy(&bytes)))
        })
        .collect()
}

fn collect(folder: &Path, ends: &[&str], into: &mut Vec<std::path::PathBuf>) -> Result<()> {
    if folder.join(CACHE_MARK).exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        if kind.is_dir() && name != ".git" {
            collect(&entry.path(), ends, into)?;
        } else if kind.is_file() && ends.iter().any(|end| name.ends_with(end)) {
            into.push(entry.path());
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Code,
    Comment,
    Literal,
}

/// Splits a text into its code view and its comments view.
pub fn split(text: &str, is_rust: bool) -> (String, String) {
    let mut splitter = Splitter { bytes: text.as_bytes(), at: 0, is_rust, parts: Vec::new() };
    splitter.run();
    (splitter.view(Part::Code), splitter.view(Part::Comment))
}

struct Splitter<'a> {
    bytes: &'a [u8],
    at: usize,
    is_rust: bool,
    /// One entry for each byte passed.
    parts: Vec<Part>,
}

impl Splitter<'_> {
    fn run(&mut self) {
        while self.at < self.bytes.len() {
            let rest = &self.bytes[self.at..];
            if rest.starts_with(b"//") {
                self.pass(Part::Comment, line_length(rest));
            } else if rest.starts_with(b"/*") {
                self.pass(Part::Comment, block_comment_length(rest, self.is_rust));
            } else if let Some((prefix, length)) = self.raw_string(rest) {
                self.pass(Part::Code, prefix);
                self.pass(Part::Literal, length - prefix);
            } else if rest[0] == b'"' {
                self.pass(Part::Literal, quoted_length(rest));
            } else if rest[0] == b'\'' {
                let length = if self.is_rust { char_length(rest) } else { Some(quoted_length(rest)) };
                match length {
                    Some(length) => self.pass(Part::Literal, length),
                    None => self.pass(Part::Code, 1),
                }
            } else {
                self.pass(Part::Code, 1);
            }
        }
    }

    fn pass(&mut self, part: Part, length: usize) {
        let length = length.min(self.bytes.len() - self.at);
        self.parts.resize(self.parts.len() + length, part);
        self.at += length;
    }

    /// Length of the `r##` prefix and of the whole of a raw string that starts here.
    fn raw_string(&self, rest: &[u8]) -> Option<(usize, usize)> {
        if !self.is_rust || rest[0] != b'r' || !self.starts_word() {
            return None;
        }
        let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
        if rest.get(1 + hashes) != Some(&b'"') {
            return None;
        }
        let prefix = 1 + hashes;
        let body = &rest[prefix + 1..];
        let is_end = |at: &usize| {
            body[*at] == b'"' && body[at + 1..].iter().take(hashes).filter(|b| **b == b'#').count() == hashes
        };
        let end = (0..body.len()).find(is_end).map_or(body.len(), |at| at + 1 + hashes);
        Some((prefix, prefix + 1 + end))
    }

    /// Whether an `r` here can be a literal's prefix: nothing before it but `b` or `c`, themselves at the start.
    fn starts_word(&self) -> bool {
        let before = |distance: usize| self.at.checked_sub(distance).map(|at| self.bytes[at]);
        match before(1) {
            Some(b'b' | b'c') => !before(2).is_some_and(is_word_byte),
            Some(byte) => !is_word_byte(byte),
            None => true,
        }
    }

    fn view(&self, keep: Part) -> String {
        let shown = |(byte, part): (&u8, &Part)| {
            if *part == keep || *byte == b'\n' { *byte } else { b' ' }
        };
        let bytes: Vec<u8> = self.bytes.iter().zip(&self.parts).map(shown).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn line_length(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

fn block_comment_length(rest: &[u8], nests: bool) -> usize {
    let (mut at, mut depth) = (2, 1);
    while at < rest.len() && depth > 0 {
        if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
        } else if nests && rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else {
            at += 1;
        }
    }
    at
}

fn quoted_length(rest: &[u8]) -> usize {
    let quote = rest[0];
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of a Rust character literal, or `None` for a lifetime.
fn char_length(rest: &[u8]) -> Option<usize> {
    if rest.get(1) == Some(&b'\\') {
        return Some(quoted_length(rest));
    }
    let is_continuation = |byte: &&u8| (0x80..0xC0).contains(*byte);
    let width = 1 + rest.get(2..)?.iter().take_while(is_continuation).count();
    (rest.get(1 + width) == Some(&b'\'')).then_some(width + 2)
}

fn without_test_items(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(MARK) {
        let (before, item) = rest.split_at(start);
        let length = item_length(item);
        kept += before;
        kept.extend(item[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &item[length..];
    }
    kept + rest
}

/// Length of an item with its attributes: up to the first `;` outside brackets or the brace that closes it.
fn item_length(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in item.bytes().enumerate() {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && byte == b'}' {
                    return at + 1;
                }
            }
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

/// Lines (from 1) on which `phrase` stands in `code` as whole words.
pub fn lines_with(code: &str, phrase: &str) -> Vec<usize> {
    let bytes = code.as_bytes();
    let mut lines = Vec::new();
    for (at, found) in code.match_indices(phrase) {
        let joined_before = at > 0 && is_word_byte(bytes[at - 1]) && is_word_byte(phrase.as_bytes()[0]);
        let after = bytes.get(at + found.len()).copied().unwrap_or(b' ');
        let joined_after = is_word_byte(after) && phrase.bytes().last().is_some_and(is_word_byte);
        if !joined_before && !joined_after {
            lines.push(1 + code[..at].matches('\n').count());
        }
    }
    lines
}

/// The words of `code` with their lines (from 1).
pub fn words(code: &str) -> impl Iterator<Item = (usize, &str)> {
    code.lines().enumerate().flat_map(|(number, line)| {
        line.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| !word.is_empty())
            .map(move |word| (number + 1, word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        split(text, true).0
    }

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let text = "let a = \"unsafe \\\" x\"; // unsafe\n/* unsafe /* nested */ unsafe */ let b = 'u';\n";
        let (code, comments) = split(text, true);
        assert_eq!(code.len(), text.len());
        assert_eq!(code.lines().count(), text.lines().count());
        assert!(lines_with(&code, "unsafe").is_empty(), "{code}");
        assert!(code.contains("let b ="));
        assert_eq!(lines_with(&comments, "unsafe"), [1, 2, 2]);
    }

    #[test]
    fn raw_strings_end_at_their_own_number_of_hashes() {
        let text = "f(r#\"a \" unsafe\"#); g(br\"unsafe\"); r#unsafe; var\"x\"; done";
        let code = code(text);
        assert_eq!(lines_with(&code, "unsafe"), [1], "only the raw identifier is left: {code}");
        assert!(code.ends_with("done"));
    }

    #[test]
    fn lifetimes_are_code_and_characters_are_not() {
        let code = code("fn f<'a>(x: &'a str) { let q = '\"'; let n = '\\''; let u = 'ü'; unsafe {} }");
        assert_eq!(lines_with(&code, "unsafe"), [1]);
        assert!(code.contains("<'a>"));
        assert!(!code.contains('ü'));
    }

    #[test]
    fn c_comments_do_not_nest_and_c_characters_are_literals() {
        let (code, _) = split("/* a /* b */ int x = '\"'; int y; /* \" */", false);
        assert!(code.contains("int x") && code.contains("int y"), "{code}");
    }

    #[test]
    fn endless_literals_and_comments_do_not_panic() {
        for text in ["\"abc", "r#\"abc", "/* abc", "'", "'\\", "r#", "\"\\", "'ü", "r"] {
            for is_rust in [true, false] {
                let (code, comments) = split(text, is_rust);
                assert_eq!((code.len(), comments.len()), (text.len(), text.len()), "{text}");
            }
        }
    }

    #[test]
    fn items_under_cfg_test_are_not_shipped() {
        let text = "fn a() { one(); }\n#[cfg(test)]\nmod tests {\n fn b() { two(); }\n}\nfn c() { three(); }\n#[cfg(test)]\nmod more;\nfn d() {}\n";
        let shipped = SourceFile::new("crates/x/src/lib.rs", text).shipped_code();
        assert!(shipped.contains("one") && shipped.contains("three") && shipped.contains("fn d"));
        assert!(!shipped.contains("two") && !shipped.contains("more"));
        assert_eq!(lines_with(&shipped, "three"), [6]);
    }

    #[test]
    fn phrases_match_whole_words_only() {
        assert!(lines_with("#![forbid(unsafe_code)]", "unsafe").is_empty());
        assert_eq!(lines_with("a\nb unsafe{", "unsafe"), [2]);
        assert_eq!(lines_with("x = tokio::net::TcpStream", "tokio::net"), [1]);
        assert_eq!(words("a.b(c_d)\ne").collect::<Vec<_>>(), [(1, "a"), (1, "b"), (1, "c_d"), (2, "e")]);
    }

    #[test]
    fn a_file_knows_its_package() {
        assert_eq!(SourceFile::new("crates/tollgate-http/src/a/b.rs", "").package(), "crates/tollgate-http");
        assert_eq!(SourceFile::new("xtask/src/main.rs", "").package(), "xtask");
        assert_eq!(SourceFile::new("build.rs", "").package(), "");
    }
}
