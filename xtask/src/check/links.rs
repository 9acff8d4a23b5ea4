//! Links between the documents.
//!
//! Responsible for: relative links in Markdown that lead nowhere, and decision pages that the architecture does
//! not mention. Not responsible for: links to other sites.

use std::path::{Component, Path, PathBuf};

use super::Violation;
use super::source::SourceFile;

/// The document that must link every decision.
const ARCHITECTURE: &str = "ARCHITECTURE.md";
const DECISIONS: &str = "docs/decisions/";

/// Relative links whose target `exists` denies. Paths are from the repository's root.
pub fn broken(files: &[SourceFile], exists: impl Fn(&Path) -> bool) -> Vec<Violation> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        for (line, target) in links(&file.text) {
            let path = resolve(&file.path, &target);
            if !path.as_deref().is_some_and(&exists) {
                found.push(Violation::new(&file.path, line, &format!("link to {target} leads nowhere")));
            }
        }
    }
    found
}

/// Decision pages that the architecture does not link.
pub fn unlinked_decisions(files: &[SourceFile]) -> Vec<Violation> {
    let linked: Vec<PathBuf> = files
        .iter()
        .filter(|file| file.path == ARCHITECTURE)
        .flat_map(|file| links(&file.text))
        .filter_map(|(_, target)| resolve(ARCHITECTURE, &target))
        .collect();
    let is_page = |file: &&SourceFile| file.path.starts_with(DECISIONS) && file.path.ends_with(".md");
    files
        .iter()
        .filter(is_page)
        .filter(|file| !linked.iter().any(|path| path == Path::new(&file.path)))
        .map(|file| Violation::new(&file.path, 1, &format!("{ARCHITECTURE} does not link this page")))
        .collect()
}

/// Relative targets of inline links, without their fragments, with their lines. Code is left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut is_in_fence = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_in_fence = !is_in_fence;
            continue;
        }
        if is_in_fence {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for part in prose.split("](").skip(1) {
            let inside = part.split([')', ' ']).next().unwrap_or_default();
            let target = inside.split('#').next().unwrap_or_default();
            let is_elsewhere = target.contains("://") || target.starts_with("mailto:");
            if !target.is_empty() && !is_elsewhere {
                found.push((number + 1, target.to_owned()));
            }
        }
    }
    found
}

/// The path from the root of a link in the document `from`; `None` if it leaves the repository.
fn resolve(from: &str, target: &str) -> Option<PathBuf> {
    let folder = Path::new(from).parent().unwrap_or(Path::new(""));
    let joined = match target.strip_prefix('/') {
        Some(from_root) => PathBuf::from(from_root),
        None => folder.join(target),
    };
    let mut path = PathBuf::new();
    for component in joined.components() {
        match component {
            Component::ParentDir if !path.pop() => return None,
            Component::ParentDir | Component::CurDir => {}
            other => path.push(other),
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_missing_file_is_caught() {
        let text = "[a](x.md) [b](../src/y.rs#L3 \"t\")\n[c](https://example.com) [d](#here)\n";
        let files = [SourceFile::new("docs/a.md", text)];
        let found = broken(&files, |path| path == Path::new("src/y.rs"));
        assert_eq!(found, [Violation::new("docs/a.md", 1, "link to x.md leads nowhere")]);
    }

    #[test]
    fn a_link_out_of_the_repository_is_caught() {
        let files = [SourceFile::new("a.md", "[a](../../etc/passwd)")];
        assert_eq!(broken(&files, |_| true).len(), 1);
    }

    #[test]
    fn links_in_code_are_not_links() {
        let files = [SourceFile::new("a.md", "`[a](b.md)`\n```\n[a](b.md)\n```\n")];
        assert!(broken(&files, |_| false).is_empty());
    }

    #[test]
    fn a_decision_must_be_linked_from_the_architecture() {
        let page = SourceFile::new("docs/decisions/0001-own-codec.md", "# x");
        assert_eq!(unlinked_decisions(std::slice::from_ref(&page)).len(), 1);
        let linking = SourceFile::new(ARCHITECTURE, "see [1](docs/decisions/0001-own-codec.md)");
        assert!(unlinked_decisions(&[page, linking]).is_empty());
    }
}
