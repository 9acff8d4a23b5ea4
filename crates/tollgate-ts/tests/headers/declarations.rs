//! What a set of headers declares, by name.
//!
//! Responsible for: reading the output of the preprocessor. Not responsible for: types and values, which only a
//! compiler knows ([`crate::probe`]).
//!
//! It reads the C that such headers are made of: declarations without initialisers in braces, no bit fields, one
//! declarator each.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The headers that plugins include.
pub(crate) const ALL: &str = "#include <ts/ts.h>\n#include <ts/experimental.h>\n#include <ts/remap.h>\n";

/// Names of everything that is declared.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Declarations {
    pub(crate) functions: BTreeSet<String>,
    pub(crate) variables: BTreeSet<String>,
    pub(crate) types: BTreeSet<String>,
    /// Structure or union, and field.
    pub(crate) fields: BTreeSet<(String, String)>,
    pub(crate) enumerators: BTreeSet<String>,
    /// Name, and the number of parameters of a macro with parentheses.
    pub(crate) macros: BTreeMap<String, Option<usize>>,
}

/// Reads the headers below `include`.
pub(crate) fn read(include: &Path) -> Declarations {
    let text = preprocessed(include);
    let mut out = Declarations::default();
    let mut code = String::new();
    let mut is_inside = false;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# ") {
            let path = rest.split('"').nth(1).unwrap_or_default();
            is_inside = Path::new(path).starts_with(include.join("ts"));
        } else if !is_inside || line.starts_with("#pragma") {
        } else if let Some(definition) = line.strip_prefix("#define ") {
            let (name, parameters) = macro_name(definition);
            out.macros.insert(name, parameters);
        } else if let Some(name) = line.strip_prefix("#undef ") {
            out.macros.remove(name.trim());
        } else {
            code.push_str(line);
            code.push(' ');
        }
    }
    for statement in statements(&code) {
        out.add(&statement);
    }
    out
}

/// Everything after preprocessing, with the definitions of macros and with marks of the files it is from.
fn preprocessed(include: &Path) -> String {
    let mut compiler = Command::new("c++")
        .args(["-std=c++17", "-E", "-dD", "-x", "c++", "-I"])
        .arg(include)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a C++ compiler");
    compiler.stdin.take().expect("piped").write_all(ALL.as_bytes()).expect("the compiler reads");
    let output = compiler.wait_with_output().expect("a child");
    assert!(output.status.success(), "the headers in {} can be read", include.display());
    String::from_utf8(output.stdout).expect("headers in ASCII")
}

fn macro_name(definition: &str) -> (String, Option<usize>) {
    let end = definition.find(|c: char| !is_word(c)).unwrap_or(definition.len());
    let (name, rest) = definition.split_at(end);
    let parameters =
        rest.strip_prefix('(').map(|list| list.split(')').next().unwrap_or_default().split(',').count());
    (name.to_owned(), parameters)
}

/// Declarations at the outermost level, without attributes and with single spaces.
fn statements(code: &str) -> Vec<String> {
    let code = code.split_whitespace().collect::<Vec<_>>().join(" ");
    let code = without_attributes(&code).replace("extern \"C\" {", "").replace("namespace ts {", "");
    let mut out = Vec::new();
    let (mut start, mut depth) = (0, 0_usize);
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            // The end of a block whose beginning was removed.
            '}' if depth == 0 => start = at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => {
                out.push(code[start..at].trim().to_owned());
                start = at + 1;
            }
            _ => {}
        }
    }
    out.retain(|statement| !statement.is_empty());
    out
}

fn without_attributes(code: &str) -> String {
    let mut out = String::new();
    let mut rest = code;
    while let Some((before, after)) = rest.split_once("__attribute__((") {
        out.push_str(before);
        let mut depth = 2;
        let end = after.find(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0
        });
        rest = &after[end.expect("balanced") + 1..];
    }
    out + rest
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn last_word(text: &str) -> String {
    text.rsplit(|c| !is_word(c)).find(|word| !word.is_empty()).unwrap_or_default().to_owned()
}

impl Declarations {
    fn add(&mut self, statement: &str) {
        let body = statement.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}'));
        if let Some((body, name)) = body {
            self.add_block(statement, body, name.trim());
        } else if statement.starts_with("typedef") {
            let pointer = statement.split_once("(*").and_then(|(_, rest)| rest.split_once(')'));
            self.types.insert(pointer.map_or_else(|| last_word(statement), |(name, _)| name.to_owned()));
        } else if let Some((head, _)) = statement.split_once('(') {
            self.functions.insert(last_word(head));
        } else if statement.starts_with("extern") {
            self.variables.insert(last_word(statement));
        }
    }

    fn add_block(&mut self, statement: &str, body: &str, name: &str) {
        if statement.contains("enum") {
            let words = body.split(',').map(|one| one.split('=').next().unwrap_or_default().trim());
            self.enumerators.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        } else {
            for field in body.split(';').filter(|field| !field.trim().is_empty()) {
                let field = field.split('[').next().unwrap_or_default();
                self.fields.insert((name.to_owned(), last_word(field)));
            }
        }
        if !name.is_empty() {
            self.types.insert(name.to_owned());
        }
    }

    /// What only one of two sets of headers declares.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let (mine, theirs) = (self.all(), other.all());
        let lacks = mine.difference(&theirs).map(|name| format!("missing: {name}"));
        lacks.chain(theirs.difference(&mine).map(|name| format!("unknown: {name}"))).collect()
    }

    fn all(&self) -> BTreeSet<String> {
        let of = |kind: &'static str, names: &BTreeSet<String>| {
            names.iter().map(move |name| format!("{kind} {name}")).collect::<Vec<_>>()
        };
        let mut out: BTreeSet<String> = BTreeSet::new();
        out.extend(of("function", &self.functions));
        out.extend(of("variable", &self.variables));
        out.extend(of("type", &self.types));
        out.extend(of("enumerator", &self.enumerators));
        out.extend(self.fields.iter().map(|(owner, name)| format!("field {owner}.{name}")));
        out.extend(self.macros.iter().map(|(name, count)| format!("macro {name} {count:?}")));
        out
    }
}
