//! Writing URLs as Traffic Server does.

use super::buffer::Buffer;
use super::url::Part;

impl Buffer {
    /// The length that a URL says it has. ATS: brackets that are added around an address are not counted.
    pub fn url_len(&self, url: u32) -> usize {
        self.print_url(url).len() - if self.adds_brackets(url) { 2 } else { 0 }
    }

    /// The URL as text for C, of the length that it says it has.
    pub fn url_text(&self, url: u32) -> Vec<u8> {
        let mut text = self.print_url(url);
        text.truncate(self.url_len(url));
        text
    }

    /// ATS: a host is an IPv6 address if there is a colon among its first five characters.
    fn adds_brackets(&self, url: u32) -> bool {
        self.urls[url as usize].part(Part::Host).is_some_and(|h| {
            let host = self.text(h);
            host.first() != Some(&b'[') && host[..host.len().min(5)].contains(&b':')
        })
    }

    /// The URL as it is written into messages.
    pub fn print_url(&self, url: u32) -> Vec<u8> {
        let object = &self.urls[url as usize];
        let text = |part| object.part(part).map(|s| self.text(s));
        let mut out = Vec::new();
        let mut put = |parts: &[&[u8]]| parts.iter().for_each(|p| out.extend_from_slice(p));
        if let Some(scheme) = text(Part::Scheme) {
            put(&[scheme, b"://"]);
        }
        if let Some(user) = text(Part::User) {
            put(&[user]);
            if let Some(password) = text(Part::Password) {
                put(&[b":", password]);
            }
            put(&[b"@"]);
        }
        if let Some(host) = text(Part::Host) {
            if self.adds_brackets(url) {
                put(&[b"[", host, b"]"])
            } else {
                put(&[host])
            }
            if let Some(port) = object.port_text.filter(|_| object.port != 0) {
                put(&[b":", self.text(port)]);
            }
        }
        if !object.no_slash {
            put(&[b"/"]);
        }
        put(&[text(Part::Path).unwrap_or_default()]);
        for (part, mark) in [(Part::Params, b";"), (Part::Query, b"?"), (Part::Fragment, b"#")] {
            if let Some(value) = text(part).filter(|v| !v.is_empty()) {
                put(&[mark, value]);
            }
        }
        out
    }
}
