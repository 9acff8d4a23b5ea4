//! One message buffer: its strings, headers, fields and URLs.
//!
//! Responsible for: owning the objects that a `TSMBuffer` stands for, and the small handles of fields.
//! Not responsible for: finding a buffer by its handle (`table`), what the objects can do (`fields`, `starts`, `url`).
//! Invariants: headers, URLs and fields are never taken out while the buffer lives, so their indices stay good; a
//! released field handle is not valid again before its generation has gone round.

use super::arena::{Arena, Span};
use super::error::MessageError;
use super::fields::Field;
use super::starts::Start;
use super::table::{Kind, Loc};
use super::url::UrlObject;
use crate::account::{Account, Held, Item};
use std::collections::VecDeque;

/// Field handles of one buffer; a message has a few dozen.
const MAX_HANDLES: usize = 1 << 22;
/// Free handles kept back before one is used again, so that stale ones are noticed.
const QUARANTINE: usize = 64;

/// Whether a buffer may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Setters work.
    Writable,
    /// Setters fail: the header of a stored object.
    ReadOnly,
}

/// What a header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderType {
    /// Not yet said.
    Unknown,
    /// A request.
    Request,
    /// A response.
    Response,
}

#[derive(Debug, Default)]
pub(super) struct Header {
    /// `None`: a block of fields without a start line.
    pub(super) start: Option<Start>,
    /// All fields ever made for it, attached or not, in the order in which they were made.
    pub(super) slots: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Handle {
    generation: u16,
    field: Option<u32>,
    /// The plugin that it was given to.
    owner: Option<&'static Account>,
}

/// What changed since the engine's message was last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dirty {
    pub(super) start: bool,
    pub(super) url: bool,
    pub(super) fields: bool,
}

/// The objects of one `TSMBuffer`.
#[derive(Debug)]
pub struct Buffer {
    pub(super) arena: Arena,
    pub(super) headers: Vec<Header>,
    pub(super) fields: Vec<Field>,
    pub(super) urls: Vec<UrlObject>,
    pub(super) dirty: Dirty,
    pub(super) access: Access,
    /// Made by a plugin, which may destroy it; otherwise it belongs to a transaction.
    pub(super) is_plugins: bool,
    _held: Option<Held>,
    handles: Vec<Handle>,
    free: VecDeque<u32>,
    /// Slot and low byte of the generation, as they stand in its locations.
    stamp: u64,
}

impl Buffer {
    pub(super) fn new(stamp: u64, is_plugins: bool) -> Self {
        Buffer {
            arena: Arena::default(),
            headers: Vec::new(),
            fields: Vec::new(),
            urls: Vec::new(),
            dirty: Dirty::default(),
            access: Access::Writable,
            is_plugins,
            _held: is_plugins.then(|| Held::new(Item::Buffers)),
            handles: Vec::new(),
            free: VecDeque::new(),
            stamp,
        }
    }

    /// The bytes of a string of this buffer.
    pub fn text(&self, span: Span) -> &[u8] {
        self.arena.get(span)
    }

    /// Whether it may be changed.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Allows or forbids changes.
    pub fn set_access(&mut self, access: Access) {
        self.access = access;
    }

    /// Field handles that were given out and not released.
    pub fn open_handles(&self) -> usize {
        self.handles.len() - self.free.len()
    }

    /// A new header without a start line.
    pub fn create_fields(&mut self) -> Loc {
        self.headers.push(Header::default());
        Loc::new(Kind::Header, self.stamp, 0, self.headers.len() as u32 - 1)
    }

    /// A new header whose type is not yet said.
    pub fn create_header(&mut self) -> Loc {
        self.headers.push(Header { start: Some(Start::default()), slots: Vec::new() });
        Loc::new(Kind::Header, self.stamp, 0, self.headers.len() as u32 - 1)
    }

    /// A new, empty URL.
    pub fn create_url(&mut self) -> Loc {
        let url = self.new_url();
        self.url_loc(url)
    }

    pub(super) fn new_url(&mut self) -> u32 {
        self.urls.push(UrlObject::default());
        self.urls.len() as u32 - 1
    }

    pub(super) fn url_loc(&self, url: u32) -> Loc {
        Loc::new(Kind::Url, self.stamp, 0, url)
    }

    /// The header a location stands for.
    pub fn header(&self, loc: Loc) -> Result<u32, MessageError> {
        self.object(loc, Kind::Header, self.headers.len())
    }

    /// The URL a location stands for.
    pub fn url(&self, loc: Loc) -> Result<u32, MessageError> {
        self.object(loc, Kind::Url, self.urls.len())
    }

    fn object(&self, loc: Loc, kind: Kind, count: usize) -> Result<u32, MessageError> {
        match loc.kind() {
            Some(k) if k == kind => {
                let index = loc.index();
                let known = (index as usize) < count && loc.stamp() == self.stamp;
                if known { Ok(index) } else { Err(MessageError::Stale) }
            }
            _ => Err(MessageError::WrongKind),
        }
    }

    /// The field a handle stands for. It may be attached, detached or destroyed.
    pub fn field(&self, loc: Loc) -> Result<u32, MessageError> {
        if loc.kind() != Some(Kind::Field) {
            return Err(MessageError::WrongKind);
        }
        let handle = self.handles.get(loc.index() as usize).ok_or(MessageError::Stale)?;
        if loc.stamp() != self.stamp || handle.generation != loc.generation() {
            return Err(MessageError::Stale);
        }
        handle.field.ok_or(MessageError::Stale)
    }

    /// The field of a handle, which must belong to that header and not have been destroyed.
    pub fn field_of(&self, header: u32, loc: Loc) -> Result<u32, MessageError> {
        let field = self.field(loc)?;
        match &self.fields[field as usize] {
            f if f.header != header => Err(MessageError::WrongParent),
            f if f.is_destroyed() => Err(MessageError::Destroyed),
            _ => Ok(field),
        }
    }

    /// A new handle for a field.
    pub fn open_field(&mut self, field: u32) -> Result<Loc, MessageError> {
        let index = if self.free.len() > QUARANTINE { self.free.pop_front() } else { None };
        let index = match index {
            Some(index) => index,
            None if self.handles.len() >= MAX_HANDLES => return Err(MessageError::TooMany),
            None => {
                self.handles.push(Handle { generation: 0, field: None, owner: None });
                self.handles.len() as u32 - 1
            }
        };
        let handle = &mut self.handles[index as usize];
        handle.field = Some(field);
        handle.owner = crate::plugin::account();
        Ok(Loc::new(Kind::Field, self.stamp, handle.generation, index))
    }

    /// Releases a handle. Headers and URLs live as long as their buffer: nothing to do. `parent` is only compared
    /// for fields.
    pub fn release(&mut self, parent: Option<Loc>, loc: Loc) -> Result<(), MessageError> {
        match loc.kind() {
            Some(Kind::Header) => return self.header(loc).map(drop),
            Some(Kind::Url) => return self.url(loc).map(drop),
            Some(Kind::Field) => {}
            None => return Err(MessageError::WrongKind),
        }
        let field = self.field(loc)?;
        if let Some(parent) = parent
            && self.header(parent) != Ok(self.fields[field as usize].header)
        {
            return Err(MessageError::WrongParent);
        }
        let handle = &mut self.handles[loc.index() as usize];
        handle.field = None;
        handle.generation = (handle.generation + 1) & Loc::MAX_GENERATION;
        self.free.push_back(loc.index());
        Ok(())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.open_handles() == 0 {
            return;
        }
        let leaked = self.handles.iter().filter(|handle| handle.field.is_some());
        leaked.filter_map(|handle| handle.owner).for_each(|owner| owner.add(Item::LeakedFields, 1));
    }
}
