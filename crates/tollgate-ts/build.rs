//! Makes of `symbols.csv`: stubs for what is not implemented yet, the constants, the table of symbols, the linker's
//! list of what the program exports. Compiles the C functions with variable arguments.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// A row of `symbols.csv`.
struct Row {
    name: String,
    kind: String,
    group: String,
    returns: String,
    value: String,
    tier: String,
}

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?);
    for path in ["symbols.csv", "src", "shim", "build.rs"] {
        println!("cargo:rerun-if-changed={path}");
    }
    let table = fs::read_to_string("symbols.csv")?;
    let rows: Vec<Row> = table.lines().skip(1).filter_map(row).collect();
    let written = words_of(Path::new("src"))?;
    let in_c = words(&fs::read_to_string("shim/variadic.c")?);
    let is_written = |row: &Row| match row.kind.as_str() {
        "variadic" => in_c.contains(&row.name),
        _ => written.contains(&row.name),
    };
    fs::write(out.join("symbols.rs"), generated(&rows, is_written))?;
    let list = out.join("dynamic.list");
    fs::write(&list, dynamic_list(&rows))?;
    // For the package that links the program: DEP_TOLLGATE_TS_DYNAMIC_LIST.
    println!("cargo:dynamic_list={}", list.display());
    cc::Build::new()
        .file("shim/variadic.c")
        .warnings_into_errors(true)
        .flag("-fno-lto")
        .compile("tollgate_ts");
    Ok(())
}

fn row(line: &str) -> Option<Row> {
    let mut cells = line.split(',').map(str::to_string);
    let mut cell = || cells.next();
    Some(Row {
        name: cell()?,
        kind: cell()?,
        group: cell()?,
        returns: cell()?,
        value: cell()?,
        tier: cell()?,
    })
}

/// Names of C functions and constants that the sources define: those after `fn`, in rows of macros, and those that the
/// message functions list. A name too many is found by the linker.
fn words_of(dir: &Path) -> io::Result<HashSet<String>> {
    let mut found = HashSet::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(words_of(&path)?);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path)?;
            if path.ends_with("message/ffi/constants.rs") || path.ends_with("ffi/symbols.rs") {
                found.extend(words(&text));
            }
            // Rows of macros that define functions: `NAME = …`.
            found.extend(text.lines().filter_map(|line| {
                let (name, _) = line.trim_start().split_once(" = ")?;
                (name.starts_with("TS") && name.chars().all(is_word)).then(|| name.to_string())
            }));
            found.extend(
                text.split("extern \"C\" fn ")
                    .skip(1)
                    .filter_map(|rest| rest.split(|c: char| !is_word(c)).next().map(str::to_string)),
            );
        }
    }
    Ok(found)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn words(text: &str) -> HashSet<String> {
    text.split(|c| !is_word(c)).map(str::to_string).collect()
}

fn generated(rows: &[Row], is_written: impl Fn(&Row) -> bool) -> String {
    let (mut items, mut declared, mut table) = (String::new(), String::new(), String::new());
    for row in rows {
        let written = is_written(row);
        let (name, is_function) = (&row.name, matches!(row.kind.as_str(), "function" | "variadic"));
        if is_function {
            add(&mut declared, format_args!("pub(super) fn {name}();"));
        } else {
            add(&mut declared, format_args!("pub(super) static {name}: u8;"));
        }
        if !written {
            add(&mut items, format_args!("{}", if is_function { stub(row) } else { constant(row) }));
        }
        let state = match (is_function, written) {
            (false, _) => "Constant",
            (true, true) => "Implemented",
            (true, false) => "Stub",
        };
        let address = if is_function {
            format!("declared::{name} as *const ()")
        } else {
            format!("(&raw const declared::{name}).cast()")
        };
        let (group, tier) = (&row.group, row.tier.parse::<u8>().unwrap_or(0));
        add(
            &mut table,
            format_args!(
                "Symbol {{ name: {name:?}, group: {group:?}, state: State::{state}, tier: {tier}, address: Address({address}) }},"
            ),
        );
    }
    format!(
        "mod declared {{\n unsafe extern \"C\" {{\n{declared} }}\n}}\n{items}\n\
         /// Every symbol, by name.\npub static SYMBOLS: [Symbol; {}] = [\n{table}];\n",
        rows.len()
    )
}

/// A line of generated text. Writing to a string does not fail.
fn add(out: &mut String, line: std::fmt::Arguments<'_>) {
    let _: std::fmt::Result = writeln!(out, "{line}");
}

fn stub(row: &Row) -> String {
    let Row { name, returns, value, .. } = row;
    let (result, failed) = match returns.as_str() {
        "void" => ("", String::new()),
        "pointer" => ("-> *mut std::ffi::c_void", "std::ptr::null_mut()".to_string()),
        "double" => ("-> f64", "0.0".to_string()),
        // All of a register: whatever the width of the real result.
        _ => ("-> i64", value.clone()),
    };
    format!(
        "#[unsafe(no_mangle)] extern \"C\" fn {name}() {result} {{ crate::stub::called({name:?}); {failed} }}"
    )
}

fn constant(row: &Row) -> String {
    let Row { name, kind, value, .. } = row;
    match kind.as_str() {
        "number" => format!("#[unsafe(no_mangle)] static {name}: std::ffi::c_int = {value};"),
        "opaque" => format!("#[unsafe(no_mangle)] static {name}: [u64; {value} / 8] = [0; {value} / 8];"),
        _ => format!(
            "#[unsafe(no_mangle)] static {name}: crate::message::ffi::ConstPointer = \
             crate::message::ffi::ConstPointer(c{value:?}.as_ptr());"
        ),
    }
}

fn dynamic_list(rows: &[Row]) -> String {
    let mut list = String::from("{\n");
    for row in rows {
        add(&mut list, format_args!("  {};", row.name));
    }
    list + "};\n"
}
