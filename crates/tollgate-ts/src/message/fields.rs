//! Fields of a header: making, attaching, finding, and the chain of duplicates.
//!
//! Responsible for: the order of fields and their identity.
//! Not responsible for: their values (`edit`).
//! Invariants (ATS): a field keeps the place at which it was made, whenever it is attached; duplicates follow each
//! other in that order; a field that is removed can be attached again, one that is destroyed cannot.

use super::arena::Span;
use super::buffer::Buffer;
use super::error::MessageError;
use super::tokens::Token;

/// Longest field name, bytes (ATS).
const MAX_NAME: usize = u16::MAX as usize - 1;

/// Where a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldState {
    /// Made or removed: not part of the header.
    Detached,
    /// Part of the header.
    Attached,
    /// Gone.
    Destroyed,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: Option<Span>,
    pub(super) token: Option<Token>,
    pub(super) value: Option<Span>,
    /// The line as it was parsed, while neither name nor value have been changed.
    pub(super) line: Option<Span>,
    pub(super) state: FieldState,
    pub(super) header: u32,
    slot: u32,
}

impl Field {
    pub(super) fn is_destroyed(&self) -> bool {
        self.state == FieldState::Destroyed
    }

    fn is_attached(&self) -> bool {
        self.state == FieldState::Attached
    }

    /// Whether its value is a list. Unknown names are taken to be lists.
    pub(super) fn takes_list(&self) -> bool {
        self.token.is_none_or(Token::takes_list)
    }
}

impl Buffer {
    /// Makes a field for a header, not yet part of it.
    pub fn create_field(&mut self, header: u32, name: Option<&[u8]>) -> Result<u32, MessageError> {
        let slots = &mut self.headers[header as usize].slots;
        let (slot, index) = (slots.len() as u32, self.fields.len() as u32);
        slots.push(index);
        let state = FieldState::Detached;
        self.fields.push(Field { name: None, token: None, value: None, line: None, state, header, slot });
        if let Some(name) = name {
            self.name_field(index, name)?;
        }
        Ok(index)
    }

    /// The fields of a header that are part of it, in order.
    pub fn attached(&self, header: u32) -> impl Iterator<Item = u32> {
        self.headers[header as usize].slots.iter().copied().filter(|f| self.fields[*f as usize].is_attached())
    }

    /// The first field of that name, without regard to case.
    pub fn find_field(&self, header: u32, name: &[u8]) -> Option<u32> {
        let token = Token::lookup(name);
        self.attached(header).find(|f| self.is_named(*f, token, name))
    }

    fn is_named(&self, field: u32, token: Option<Token>, name: &[u8]) -> bool {
        let field = &self.fields[field as usize];
        field.token == token
            && (token.is_some() || field.name.is_some_and(|n| self.text(n).eq_ignore_ascii_case(name)))
    }

    /// The next field of the same name, if this one is part of the header.
    pub fn next_duplicate(&self, field: u32) -> Option<u32> {
        let this = &self.fields[field as usize];
        if !this.is_attached() {
            return None;
        }
        let name = self.text(this.name?);
        self.after(field).find(|f| self.is_named(*f, this.token, name))
    }

    /// The next field of the header, whatever became of this one.
    pub fn next_field(&self, field: u32) -> Option<u32> {
        self.after(field).next()
    }

    fn after(&self, field: u32) -> impl Iterator<Item = u32> {
        let this = &self.fields[field as usize];
        let slots = self.headers[this.header as usize].slots.get(this.slot as usize + 1..);
        slots.unwrap_or_default().iter().copied().filter(|f| self.fields[*f as usize].is_attached())
    }

    /// Makes a field part of its header, at its place.
    pub fn attach_field(&mut self, field: u32) -> Result<(), MessageError> {
        let this = &mut self.fields[field as usize];
        if this.name.is_none() {
            return Err(MessageError::OutOfRange);
        }
        this.state = FieldState::Attached;
        self.dirty.fields = true;
        Ok(())
    }

    /// Takes a field out of its header.
    pub fn detach_field(&mut self, field: u32) {
        self.fields[field as usize].state = FieldState::Detached;
        self.dirty.fields = true;
    }

    /// Takes a field out for good.
    pub fn destroy_field(&mut self, field: u32) {
        self.fields[field as usize].state = FieldState::Destroyed;
        self.dirty.fields = true;
    }

    /// Destroys all fields of a header.
    pub fn clear_fields(&mut self, header: u32) {
        for field in std::mem::take(&mut self.headers[header as usize].slots) {
            self.destroy_field(field);
        }
    }

    /// The name as plugins see it: in the table's spelling if it is well known.
    pub fn field_name(&self, field: u32) -> Option<Span> {
        let field = &self.fields[field as usize];
        field.token.map(Span::token).or(field.name)
    }

    /// The name in the spelling it was given.
    pub fn field_spelling(&self, field: u32) -> Option<Span> {
        self.fields[field as usize].name
    }

    /// Gives a field another name. It keeps its place.
    pub fn name_field(&mut self, field: u32, name: &[u8]) -> Result<(), MessageError> {
        if name.len() > MAX_NAME {
            return Err(MessageError::OutOfRange);
        }
        let stored = self.arena.store(name);
        let field = &mut self.fields[field as usize];
        (field.name, field.token, field.line) = (Some(stored), Token::lookup(name), None);
        self.dirty.fields = true;
        Ok(())
    }

    /// Adds an attached field from a parsed line; `as_is`: the line can be printed as it stands.
    pub(super) fn add_line(
        &mut self,
        header: u32,
        line: &[u8],
        name: std::ops::Range<usize>,
        value: std::ops::Range<usize>,
        as_is: bool,
    ) -> Result<u32, MessageError> {
        let stored = self.arena.store(line);
        let field = self.create_field(header, None)?;
        let token = Token::lookup(&line[name.clone()]);
        let this = &mut self.fields[field as usize];
        this.name = Some(stored.part(name));
        this.value = Some(stored.part(value));
        this.token = token;
        this.line = as_is.then_some(stored);
        self.attach_field(field)?;
        Ok(field)
    }
}
