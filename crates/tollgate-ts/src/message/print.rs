//! Headers as text, and the lengths they say they have.

use super::buffer::{Buffer, HeaderType};
use super::error::MessageError;

impl Buffer {
    /// Appends the fields and the empty line. Names that start with `@` are left out.
    pub fn print_fields(&self, header: u32, out: &mut Vec<u8>) {
        for field in self.attached(header) {
            let field = &self.fields[field as usize];
            let name = field.name.map(|n| self.text(n)).unwrap_or_default();
            if name.first() == Some(&b'@') {
                continue;
            }
            if let Some(line) = field.line {
                out.extend_from_slice(self.text(line));
                continue;
            }
            let value = field.value.map(|v| self.text(v)).unwrap_or_default();
            for part in [name, b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Length of one field's line.
    pub fn field_len(&self, field: u32) -> usize {
        let field = &self.fields[field as usize];
        let len = |span: Option<super::Span>| span.map_or(0, super::Span::len);
        field.line.map_or(len(field.name) + len(field.value) + 4, super::Span::len)
    }

    /// Length of the fields with the empty line. ATS: fields that are not printed are counted.
    pub fn fields_len(&self, header: u32) -> usize {
        self.attached(header).map(|f| self.field_len(f)).sum::<usize>() + 2
    }

    /// Appends the whole header. ATS: a request without a method prints as nothing.
    pub fn print_header(&self, header: u32, out: &mut Vec<u8>) -> Result<(), MessageError> {
        let start = self.start(header)?;
        match start.kind {
            HeaderType::Request => {
                let Some(method) = start.method else { return Ok(()) };
                let url = self.print_url(start.url);
                for part in [self.text(method), b" ", &url, b" ", &version(start.version), b"\r\n"] {
                    out.extend_from_slice(part);
                }
            }
            HeaderType::Response => {
                let status = start.status.to_string();
                let reason = start.reason.map(|r| self.text(r)).unwrap_or_default();
                for part in [&version(start.version)[..], b" ", status.as_bytes(), b" ", reason, b"\r\n"] {
                    out.extend_from_slice(part);
                }
            }
            HeaderType::Unknown => {}
        }
        self.print_fields(header, out);
        Ok(())
    }

    /// Length of the whole header. ATS: every status counts as three digits.
    pub fn header_len(&self, header: u32) -> Result<usize, MessageError> {
        let start = self.start(header)?;
        let line = match start.kind {
            HeaderType::Request => {
                start.method.map_or(0, super::Span::len) + 1 + self.url_len(start.url) + 1 + 8 + 2
            }
            HeaderType::Response => 8 + 1 + 3 + 1 + start.reason.map_or(0, super::Span::len) + 2,
            HeaderType::Unknown => 0,
        };
        Ok(line + self.fields_len(header))
    }
}

/// `HTTP/x.y`. ATS: one character for each number, whatever it is.
fn version(version: u32) -> [u8; 8] {
    let digit = |n: u32| (n as u8).wrapping_add(b'0');
    [b'H', b'T', b'T', b'P', b'/', digit(version >> 16), b'.', digit(version & 0xffff)]
}
