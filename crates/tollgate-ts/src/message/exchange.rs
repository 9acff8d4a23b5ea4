//! Between the engine's messages and message buffers.
//!
//! Responsible for: showing a request or response to plugins as a buffer, and carrying back what they changed.
//! Not responsible for: when that happens; the caller does it before and after plugin code runs.
//! Invariants: a plugin never holds a reference into the engine's message; what plugins did not change is not
//! written back, so the engine keeps its bytes as received; a buffer belongs to one message.

use super::buffer::{Access, Buffer, Dirty, HeaderType};
use super::error::MessageError;
use super::table::{BufferId, Loc, MessageTable};
use super::tokens::Token;
use super::url::Part;
use bytes::Bytes;
use tollgate_http::url::Form;
use tollgate_http::{FieldName, HeaderBlock, Known, Method, Request, Response, Scheme, Url, Version};

/// What [`MessageTable::store_request`] or [`MessageTable::store_response`] has changed in the engine's message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// Method, version, status or reason.
    pub start: bool,
    /// The URL.
    pub url: bool,
    /// The fields.
    pub fields: bool,
}

impl MessageTable {
    /// Shows a request as a new buffer, to be given up with [`MessageTable::close`].
    pub fn open_request(&self, request: &Request, access: Access) -> Result<(BufferId, Loc), MessageError> {
        let id = self.create_for(false)?;
        let header = self.with(id, |buffer| {
            let loc = buffer.create_header();
            buffer.load_request(buffer.header(loc)?, request)?;
            buffer.access = access;
            Ok(loc)
        })?;
        Ok((id, header))
    }

    /// Shows a response as a new buffer, to be given up with [`MessageTable::close`].
    pub fn open_response(
        &self,
        response: &Response,
        access: Access,
    ) -> Result<(BufferId, Loc), MessageError> {
        let id = self.create_for(false)?;
        let header = self.with(id, |buffer| {
            let loc = buffer.create_header();
            buffer.load_response(buffer.header(loc)?, response)?;
            buffer.access = access;
            Ok(loc)
        })?;
        Ok((id, header))
    }

    /// Adds a URL to a buffer: the pristine one, those of a remap rule.
    pub fn add_url(&self, id: BufferId, url: &Url) -> Result<Loc, MessageError> {
        self.with(id, |buffer| {
            let index = buffer.new_url();
            let dirty = buffer.dirty;
            buffer.load_url(index, url)?;
            buffer.dirty = dirty;
            Ok(buffer.url_loc(index))
        })
    }

    /// Loads the engine's request again, after the engine itself has changed it. Handles of fields that stand where
    /// they stood, with the same name and value, stay good; others become those of destroyed fields.
    pub fn reload_request(&self, id: BufferId, header: Loc, request: &Request) -> Result<(), MessageError> {
        self.with(id, |buffer| buffer.load_request(buffer.header(header)?, request))
    }

    /// Loads the engine's response again, as [`Self::reload_request`].
    pub fn reload_response(
        &self,
        id: BufferId,
        header: Loc,
        response: &Response,
    ) -> Result<(), MessageError> {
        self.with(id, |buffer| buffer.load_response(buffer.header(header)?, response))
    }

    /// Writes what plugins changed into the engine's request.
    pub fn store_request(
        &self,
        id: BufferId,
        header: Loc,
        request: &mut Request,
    ) -> Result<Changed, MessageError> {
        self.with(id, |buffer| {
            let index = buffer.header(header)?;
            let dirty = std::mem::take(&mut buffer.dirty);
            if dirty.start {
                buffer.store_request_line(index, request)?;
            }
            if dirty.url {
                request.url = buffer.to_url(buffer.request_url(index)?, &request.url)?;
            }
            if dirty.fields {
                request.headers = buffer.to_fields(index);
            }
            Ok(Changed { start: dirty.start, url: dirty.url, fields: dirty.fields })
        })
    }

    /// Writes what plugins changed into the engine's response.
    pub fn store_response(
        &self,
        id: BufferId,
        header: Loc,
        response: &mut Response,
    ) -> Result<Changed, MessageError> {
        self.with(id, |buffer| {
            let index = buffer.header(header)?;
            let dirty = std::mem::take(&mut buffer.dirty);
            if dirty.start {
                response.status = buffer.status(index)?;
                response.version = version(buffer.version(index)?);
                response.reason = buffer.reason(index)?.map(|r| Bytes::copy_from_slice(buffer.text(r)));
            }
            if dirty.fields {
                response.headers = buffer.to_fields(index);
            }
            Ok(Changed { start: dirty.start, url: false, fields: dirty.fields })
        })
    }
}

fn version_number(version: Version) -> u32 {
    match version {
        Version::Http10 => 1 << 16,
        Version::Http11 => 1 << 16 | 1,
        Version::Http2 => 2 << 16,
    }
}

fn version(number: u32) -> Version {
    match number {
        0x2_0000.. => Version::Http2,
        0x1_0001.. => Version::Http11,
        _ => Version::Http10,
    }
}

impl Buffer {
    fn load_request(&mut self, header: u32, request: &Request) -> Result<(), MessageError> {
        self.set_header_type(header, HeaderType::Request)?;
        let method = request.method.as_str().as_bytes();
        self.put_method(header, method, Token::method(method))?;
        self.set_version(header, version_number(request.version))?;
        self.load_url(self.request_url(header)?, &request.url)?;
        self.load_fields(header, &request.headers)?;
        self.dirty = Dirty::default();
        Ok(())
    }

    fn load_response(&mut self, header: u32, response: &Response) -> Result<(), MessageError> {
        self.set_header_type(header, HeaderType::Response)?;
        self.set_version(header, version_number(response.version))?;
        self.set_status(header, response.status)?;
        self.set_reason(header, response.reason())?;
        self.load_fields(header, &response.headers)?;
        self.dirty = Dirty::default();
        Ok(())
    }

    fn load_fields(&mut self, header: u32, block: &HeaderBlock) -> Result<(), MessageError> {
        let old: Vec<u32> = self.attached(header).collect();
        let same = |buffer: &Buffer, field: u32, new: &tollgate_http::Field<'_>| {
            let field = &buffer.fields[field as usize];
            field.name.is_some_and(|n| buffer.text(n) == new.name)
                && field.value.map(|v| buffer.text(v)).unwrap_or_default() == new.value
        };
        let kept = block.iter().zip(&old).take_while(|(new, field)| same(self, **field, new)).count();
        old[kept..].iter().for_each(|f| self.destroy_field(*f));
        for new in block.iter().skip(kept) {
            let field = self.create_field(header, Some(new.name))?;
            self.set_value(field, Some(new.value))?;
            self.attach_field(field)?;
        }
        Ok(())
    }

    fn load_url(&mut self, index: u32, url: &Url) -> Result<(), MessageError> {
        self.clear_url(index);
        if let Some(scheme) = url.scheme {
            self.set_url_part(index, Part::Scheme, Some(scheme.as_str().as_bytes()))?;
        }
        let mut user = url.userinfo.splitn(2, |b| *b == b':');
        self.set_url_part(index, Part::User, user.next())?;
        self.set_url_part(index, Part::Password, user.next())?;
        self.set_url_part(index, Part::Host, Some(&url.host))?;
        self.set_url_port(index, url.port.into());
        let path = url.path.trim_ascii_start();
        let path = &path[path.iter().take_while(|b| **b == b'/').count()..];
        let mut parts = path.splitn(2, |b| *b == b';');
        self.set_url_part(index, Part::Path, parts.next())?;
        self.set_url_part(index, Part::Params, parts.next())?;
        self.set_url_part(index, Part::Query, url.query.as_deref())?;
        self.set_url_part(index, Part::Fragment, url.fragment.as_deref())
    }

    fn store_request_line(&self, header: u32, request: &mut Request) -> Result<(), MessageError> {
        request.version = version(self.version(header)?);
        if let Some(method) = self.method(header)? {
            let name = std::str::from_utf8(self.text(method)).map_err(|_| MessageError::OutOfRange)?;
            request.method = Method::from_token(name);
        }
        Ok(())
    }

    /// The URL for the engine. Its form stays while it makes sense.
    fn to_url(&self, index: u32, old: &Url) -> Result<Url, MessageError> {
        let bytes = |part| self.urls[index as usize].part(part).map(|s| Bytes::copy_from_slice(self.text(s)));
        let scheme = match bytes(Part::Scheme) {
            Some(name) => Some(Scheme::parse(&name).ok_or(MessageError::UnknownScheme)?),
            None => None,
        };
        let mut path = bytes(Part::Path).unwrap_or_default().to_vec();
        if let Some(params) = bytes(Part::Params).filter(|p| !p.is_empty()) {
            path.push(b';');
            path.extend_from_slice(&params);
        }
        let host = bytes(Part::Host).unwrap_or_default();
        let userinfo = match (bytes(Part::User), bytes(Part::Password)) {
            (Some(user), Some(password)) => [&user[..], b":", &password].concat().into(),
            (Some(user), None) => user,
            (None, _) => Bytes::new(),
        };
        let form = match old.form {
            Form::Authority if path.is_empty() && scheme.is_none() => Form::Authority,
            Form::Asterisk if path.is_empty() && host.is_empty() => Form::Asterisk,
            _ if host.is_empty() => Form::Origin,
            _ => Form::Absolute,
        };
        Ok(Url {
            form,
            scheme,
            userinfo,
            host,
            port: self.url_raw_port(index),
            path: path.into(),
            // An empty query is none, as Traffic Server prints it.
            query: bytes(Part::Query).filter(|query| !query.is_empty()),
            fragment: bytes(Part::Fragment),
        })
    }

    fn to_fields(&self, header: u32) -> HeaderBlock {
        let mut block = HeaderBlock::new();
        for field in self.attached(header) {
            let field = &self.fields[field as usize];
            let name = field.name.map(|n| self.text(n)).unwrap_or_default();
            let value = field.value.map(|v| self.text(v)).unwrap_or_default();
            // A well-known name in the engine's spelling needs no copy; any other spelling is kept.
            let known = Known::lookup(name).filter(|k| k.as_str().as_bytes() == name);
            block.append(known.map_or(FieldName::Other(name), FieldName::Known), value);
        }
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        let url = Url::parse_target(Bytes::from_static(b"http://h:81/a;b?c"), false).expect("a URL");
        let mut request = Request::new(Method::Get, url);
        request.headers.append(FieldName::Other(b"x-one"), "1");
        request.headers.append(FieldName::Other(b"HOST"), "h:81");
        request
    }

    #[test]
    fn an_untouched_request_is_not_written_back() {
        let table = MessageTable::new();
        let mut request = request();
        let (id, header) = table.open_request(&request, Access::Writable).expect("room");
        assert_eq!(table.store_request(id, header, &mut request), Ok(Changed::default()));
        assert_eq!(table.destroy(id), Err(MessageError::ReadOnly));
        assert_eq!(table.close(id), Ok(()));
        assert_eq!(table.store_request(id, header, &mut request), Err(MessageError::NoBuffer));
    }

    #[test]
    fn changes_reach_the_engine_and_fields_keep_their_identity() {
        let table = MessageTable::new();
        let mut request = request();
        let (id, header) = table.open_request(&request, Access::Writable).expect("room");
        let one = table
            .with(id, |b| {
                let index = b.header(header)?;
                let one = b.find_field(index, b"X-ONE").ok_or(MessageError::Stale)?;
                let added = b.create_field(index, Some(b"Added"))?;
                b.set_value(added, Some(b"v"))?;
                b.attach_field(added)?;
                let url = b.request_url(index)?;
                b.set_url_part(url, Part::Host, Some(b"other"))?;
                b.open_field(one)
            })
            .expect("edits");
        let changed = table.store_request(id, header, &mut request).expect("stored");
        assert_eq!(changed, Changed { start: false, url: true, fields: true });
        assert_eq!(request.url.to_text(), "http://other:81/a;b?c");
        let mut out = Vec::new();
        request.headers.write_to(&mut out);
        assert_eq!(out, b"x-one: 1\r\nHOST: h:81\r\nAdded: v\r\n");
        request.headers.remove(Known::lookup(b"Host").expect("known"));
        table.reload_request(id, header, &request).expect("reloaded");
        let value = table.with(id, |b| Ok(b.value(b.field_of(b.header(header)?, one)?)));
        assert!(matches!(value, Ok(Some(_))));
    }
}
