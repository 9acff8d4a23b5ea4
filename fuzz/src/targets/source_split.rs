//! The repository rules' split of source text into code and comments.

use xtask::check::source::split;

/// Words at which the split changes its mind.
pub const TOKENS: &[&[u8]] =
    &[b"//", b"/*", b"*/", b"\"", b"\\", b"'", b"r#\"", b"\"#", b"b'", b"\n", b"unsafe"];

/// Both views keep length and line breaks, whatever the text.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for is_rust in [true, false] {
        let (code, comments) = split(&text, is_rust);
        for view in [code, comments] {
            assert_eq!(view.len(), text.len(), "length");
            assert_eq!(view.matches('\n').count(), text.matches('\n').count(), "line breaks");
        }
    }
}
