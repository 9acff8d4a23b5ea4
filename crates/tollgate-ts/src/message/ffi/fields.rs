//! `TSMimeHdr*` and `TSMimeHdrField*`, without the values.

use super::{
    ERROR, Handle, SUCCESS, Text, buffer, change, fence, handle_of, loc, messages, put, read, text, write_io,
};
use crate::message::buffer::Buffer;
use crate::message::error::MessageError;
use crate::message::table::Loc;
use std::ffi::{c_char, c_int};
use std::ptr::null_mut;

/// The field of a header, and the header.
pub(super) fn field(buffer: &Buffer, header: Handle, field: Loc) -> Result<u32, MessageError> {
    let header = buffer.header(loc(header)?)?;
    buffer.field_of(header, field)
}

fn open(buffer: &mut Buffer, found: Option<u32>) -> Result<Handle, MessageError> {
    found.map_or(Ok(null_mut()), |f| buffer.open_field(f).map(|l| handle_of(l.raw())))
}

/// A new block of fields.
///
/// # Safety
/// `locp` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrCreate(bufp: Handle, locp: *mut Handle) -> c_int {
    fence("TSMimeHdrCreate", ERROR, || {
        let loc = messages().with(buffer(bufp)?, |b| {
            crate::message::table::writable(b)?;
            Ok(b.create_fields())
        })?;
        // SAFETY: as the caller vouches.
        unsafe { put(locp, handle_of(loc.raw())) };
        Ok(SUCCESS)
    })
}

/// Nothing: a header lives as long as its buffer.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrDestroy(bufp: Handle, offset: Handle) -> c_int {
    fence("TSMimeHdrDestroy", ERROR, || change(bufp, offset, |b, l| b.header(l).map(|_| SUCCESS)))
}

/// Copies the fields of a header into a new one.
///
/// # Safety
/// `locp` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrClone(
    dest_bufp: Handle,
    src_bufp: Handle,
    src_hdr: Handle,
    locp: *mut Handle,
) -> c_int {
    fence("TSMimeHdrClone", ERROR, || {
        let taken = read(src_bufp, src_hdr, |b, l| Ok(b.take_header(b.header(l)?)))?;
        let loc = messages().with(buffer(dest_bufp)?, |b| {
            crate::message::table::writable(b)?;
            let loc = b.create_fields();
            b.put_fields(b.header(loc)?, &taken)?;
            Ok(loc)
        })?;
        // SAFETY: as the caller vouches.
        unsafe { put(locp, handle_of(loc.raw())) };
        Ok(SUCCESS)
    })
}

/// Replaces the fields of a header by copies of another's.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrCopy(dest_bufp: Handle, dest: Handle, src_bufp: Handle, src: Handle) -> c_int {
    fence("TSMimeHdrCopy", ERROR, || {
        let taken = read(src_bufp, src, |b, l| Ok(b.take_header(b.header(l)?)))?;
        change(dest_bufp, dest, |b, l| b.put_fields(b.header(l)?, &taken).map(|()| SUCCESS))
    })
}

/// Writes the fields and the empty line into an IO buffer.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrPrint(bufp: Handle, offset: Handle, iobufp: Handle) {
    fence("TSMimeHdrPrint", (), || {
        let mut out = Vec::new();
        read(bufp, offset, |b, l| {
            b.print_fields(b.header(l)?, &mut out);
            Ok(())
        })?;
        write_io(iobufp, &out)
    });
}

/// Length of the fields with the empty line.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrLengthGet(bufp: Handle, offset: Handle) -> c_int {
    fence("TSMimeHdrLengthGet", 0, || read(bufp, offset, |b, l| Ok(b.fields_len(b.header(l)?) as c_int)))
}

/// Destroys all fields.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldsClear(bufp: Handle, offset: Handle) -> c_int {
    fence("TSMimeHdrFieldsClear", ERROR, || {
        change(bufp, offset, |b, l| {
            b.clear_fields(b.header(l)?);
            Ok(SUCCESS)
        })
    })
}

/// Number of fields.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldsCount(bufp: Handle, offset: Handle) -> c_int {
    fence("TSMimeHdrFieldsCount", 0, || {
        read(bufp, offset, |b, l| Ok(b.attached(b.header(l)?).count() as c_int))
    })
}

/// Whether two handles stand for the same field.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldEqual(bufp: Handle, _hdr: Handle, field1: Handle, field2: Handle) -> c_int {
    fence("TSMimeHdrFieldEqual", 0, || {
        if field1.is_null() || field2.is_null() {
            return Ok(c_int::from(field1 == field2));
        }
        let other = loc(field2)?;
        read(bufp, field1, |b, l| {
            Ok(c_int::from(l.stamp() == other.stamp() && b.field(l)? == b.field(other)?))
        })
    })
}

/// The field of that index.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldGet(bufp: Handle, hdr: Handle, idx: c_int) -> Handle {
    fence("TSMimeHdrFieldGet", null_mut(), || {
        let index = usize::try_from(idx).map_err(|_| MessageError::OutOfRange)?;
        read(bufp, hdr, |b, l| {
            let found = b.attached(b.header(l)?).nth(index);
            open(b, found)
        })
    })
}

/// The first field of that name.
///
/// # Safety
/// `name` has `length` bytes, or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrFieldFind(
    bufp: Handle,
    hdr: Handle,
    name: *const c_char,
    length: c_int,
) -> Handle {
    fence("TSMimeHdrFieldFind", null_mut(), || {
        // SAFETY: as the caller vouches.
        let name = unsafe { text(name, length) }.ok_or(MessageError::OutOfRange)?;
        read(bufp, hdr, |b, l| {
            let found = b.find_field(b.header(l)?, name);
            open(b, found)
        })
    })
}

/// Makes a field part of its header.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldAppend(bufp: Handle, hdr: Handle, field_loc: Handle) -> c_int {
    fence("TSMimeHdrFieldAppend", ERROR, || {
        change(bufp, field_loc, |b, l| b.attach_field(field(b, hdr, l)?).map(|()| SUCCESS))
    })
}

/// Takes a field out of its header; it can be appended again.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldRemove(bufp: Handle, hdr: Handle, field_loc: Handle) -> c_int {
    fence("TSMimeHdrFieldRemove", ERROR, || {
        change(bufp, field_loc, |b, l| {
            b.detach_field(field(b, hdr, l)?);
            Ok(SUCCESS)
        })
    })
}

/// Takes a field out of its header for good. The handle is still to be released.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldDestroy(bufp: Handle, hdr: Handle, field_loc: Handle) -> c_int {
    fence("TSMimeHdrFieldDestroy", ERROR, || {
        change(bufp, field_loc, |b, l| {
            b.destroy_field(field(b, hdr, l)?);
            Ok(SUCCESS)
        })
    })
}

fn create(bufp: Handle, hdr: Handle, name: Option<&[u8]>) -> Result<Handle, MessageError> {
    change(bufp, hdr, |b, l| {
        let made = b.create_field(b.header(l)?, name)?;
        open(b, Some(made))
    })
}

/// Makes a field without a name, not yet part of the header.
///
/// # Safety
/// `locp` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrFieldCreate(bufp: Handle, hdr: Handle, locp: *mut Handle) -> c_int {
    fence("TSMimeHdrFieldCreate", ERROR, || {
        let made = create(bufp, hdr, None)?;
        // SAFETY: as the caller vouches.
        unsafe { put(locp, made) };
        Ok(SUCCESS)
    })
}

/// Makes a field with a name, not yet part of the header.
///
/// # Safety
/// `name` has `name_len` bytes or ends with NUL; `locp` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrFieldCreateNamed(
    bufp: Handle,
    hdr: Handle,
    name: *const c_char,
    name_len: c_int,
    locp: *mut Handle,
) -> c_int {
    fence("TSMimeHdrFieldCreateNamed", ERROR, || {
        // SAFETY: as the caller vouches.
        let name = unsafe { text(name, name_len) }.ok_or(MessageError::OutOfRange)?;
        let made = create(bufp, hdr, Some(name))?;
        // SAFETY: as the caller vouches.
        unsafe { put(locp, made) };
        Ok(SUCCESS)
    })
}

type NameAndValue = (Option<Vec<u8>>, Option<Vec<u8>>);

fn take(bufp: Handle, hdr: Handle, field_loc: Handle) -> Result<NameAndValue, MessageError> {
    read(bufp, field_loc, |b, l| {
        let from = field(b, hdr, l)?;
        let copy = |span: Option<crate::message::Span>| span.map(|s| b.text(s).to_vec());
        Ok((copy(b.field_spelling(from)), copy(b.value(from))))
    })
}

/// Copies name and value.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldCopy(
    dest_bufp: Handle,
    dest_hdr: Handle,
    dest_field: Handle,
    src_bufp: Handle,
    src_hdr: Handle,
    src_field: Handle,
) -> c_int {
    fence("TSMimeHdrFieldCopy", ERROR, || {
        let (name, value) = take(src_bufp, src_hdr, src_field)?;
        change(dest_bufp, dest_field, |b, l| {
            let to = field(b, dest_hdr, l)?;
            b.name_field(to, name.as_deref().unwrap_or_default())?;
            b.set_value(to, value.as_deref()).map(|()| SUCCESS)
        })
    })
}

/// Makes a field that is a copy of another, not yet part of the header.
///
/// # Safety
/// `locp` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrFieldClone(
    dest_bufp: Handle,
    dest_hdr: Handle,
    src_bufp: Handle,
    src_hdr: Handle,
    src_field: Handle,
    locp: *mut Handle,
) -> c_int {
    fence("TSMimeHdrFieldClone", ERROR, || {
        let (name, value) = take(src_bufp, src_hdr, src_field)?;
        let made = change(dest_bufp, dest_hdr, |b, l| {
            let made = b.create_field(b.header(l)?, name.as_deref())?;
            b.set_value(made, value.as_deref())?;
            open(b, Some(made))
        })?;
        // SAFETY: as the caller vouches.
        unsafe { put(locp, made) };
        Ok(SUCCESS)
    })
}

/// Copies the value.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldCopyValues(
    dest_bufp: Handle,
    dest_hdr: Handle,
    dest_field: Handle,
    src_bufp: Handle,
    src_hdr: Handle,
    src_field: Handle,
) -> c_int {
    fence("TSMimeHdrFieldCopyValues", ERROR, || {
        let (_, value) = take(src_bufp, src_hdr, src_field)?;
        change(dest_bufp, dest_field, |b, l| {
            b.set_value(field(b, dest_hdr, l)?, value.as_deref()).map(|()| SUCCESS)
        })
    })
}

/// The next field of the header.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldNext(bufp: Handle, _hdr: Handle, field_loc: Handle) -> Handle {
    fence("TSMimeHdrFieldNext", null_mut(), || {
        read(bufp, field_loc, |b, l| {
            let next = b.next_field(b.field(l)?);
            open(b, next)
        })
    })
}

/// The next field of the same name.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldNextDup(bufp: Handle, _hdr: Handle, field_loc: Handle) -> Handle {
    fence("TSMimeHdrFieldNextDup", null_mut(), || {
        read(bufp, field_loc, |b, l| {
            let next = b.next_duplicate(b.field(l)?);
            open(b, next)
        })
    })
}

/// Length of the field's line.
#[unsafe(no_mangle)]
pub extern "C" fn TSMimeHdrFieldLengthGet(bufp: Handle, hdr: Handle, field_loc: Handle) -> c_int {
    fence("TSMimeHdrFieldLengthGet", 0, || {
        read(bufp, field_loc, |b, l| Ok(b.field_len(field(b, hdr, l)?) as c_int))
    })
}

/// The name; a well-known one has its constant's address.
///
/// # Safety
/// `length` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrFieldNameGet(
    bufp: Handle,
    hdr: Handle,
    field_loc: Handle,
    length: *mut c_int,
) -> *const c_char {
    let name = fence("TSMimeHdrFieldNameGet", Text::NULL, || {
        read(bufp, field_loc, |b, l| Ok(Text::of(b, b.field_name(field(b, hdr, l)?))))
    });
    // SAFETY: as the caller vouches.
    unsafe { name.give(length) }
}

/// Gives a field another name.
///
/// # Safety
/// `name` has `length` bytes or ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn TSMimeHdrFieldNameSet(
    bufp: Handle,
    hdr: Handle,
    field_loc: Handle,
    name: *const c_char,
    length: c_int,
) -> c_int {
    fence("TSMimeHdrFieldNameSet", ERROR, || {
        // SAFETY: as the caller vouches.
        let name = unsafe { text(name, length) }.ok_or(MessageError::OutOfRange)?;
        change(bufp, field_loc, |b, l| b.name_field(field(b, hdr, l)?, name).map(|()| SUCCESS))
    })
}
