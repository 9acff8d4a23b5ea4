//! `TSHttpParser*`, `TSMimeParser*`, `TSHttpHdrParse*`, `TSMimeHdrParse`.

use super::{ERROR, Handle, SUCCESS, change, fence, handle_of};
use crate::message::buffer::Buffer;
use crate::message::error::MessageError;
use crate::message::parse::{Outcome, Parser};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::ffi::{c_char, c_int};
use std::ptr::null_mut;

const CONT: c_int = 1;
/// Top bits of a parser's handle.
const TAG: u64 = 0x8 << 60;

static PARSERS: Mutex<Parsers> = Mutex::new(Parsers { last: 0, live: BTreeMap::new() });

struct Parsers {
    last: u64,
    live: BTreeMap<u64, Parser>,
}

/// What lies between `*start` and `end`.
///
/// # Safety
/// `start` is null or readable; so is what lies between `*start` and `end`.
pub(super) unsafe fn input<'a>(
    start: *mut *const c_char,
    end: *const c_char,
) -> Result<&'a [u8], MessageError> {
    if start.is_null() {
        return Err(MessageError::OutOfRange);
    }
    // SAFETY: not null; the caller vouches that it is readable.
    let from = unsafe { *start };
    let len =
        end.addr().checked_sub(from.addr()).filter(|_| !from.is_null()).ok_or(MessageError::OutOfRange)?;
    // SAFETY: as the caller vouches.
    Ok(unsafe { std::slice::from_raw_parts(from.cast(), len) })
}

fn create() -> Handle {
    let mut parsers = PARSERS.lock();
    parsers.last += 1;
    let key = TAG | parsers.last;
    parsers.live.insert(key, Parser::default());
    handle_of(key)
}

fn clear(parser: Handle) -> Result<(), MessageError> {
    let mut parsers = PARSERS.lock();
    parsers.live.get_mut(&(parser.addr() as u64)).map(|p| *p = Parser::default()).ok_or(MessageError::Stale)
}

fn destroy(parser: Handle) -> Result<(), MessageError> {
    PARSERS.lock().live.remove(&(parser.addr() as u64)).map(drop).ok_or(MessageError::Stale)
}

type Parse = fn(&mut Parser, &mut Buffer, u32, &[u8]) -> Result<(usize, Outcome), MessageError>;

/// # Safety
/// As [`input`]; `start` is writable.
unsafe fn parse(
    parser: Handle,
    bufp: Handle,
    header: Handle,
    start: *mut *const c_char,
    end: *const c_char,
    parse: Parse,
) -> Result<c_int, MessageError> {
    // SAFETY: as the caller vouches.
    let text = unsafe { input(start, end) }?;
    let key = parser.addr() as u64;
    let mut state = PARSERS.lock().live.get_mut(&key).map(std::mem::take).ok_or(MessageError::Stale)?;
    let parsed = change(bufp, header, |b, l| parse(&mut state, b, b.header(l)?, text));
    if let Some(parser) = PARSERS.lock().live.get_mut(&key) {
        *parser = state;
    }
    let (consumed, outcome) = parsed?;
    // SAFETY: the parser consumes at most the input.
    unsafe { start.write((*start).add(consumed)) };
    Ok(match outcome {
        Outcome::Error => ERROR,
        Outcome::Done => SUCCESS,
        Outcome::More => CONT,
    })
}

macro_rules! parser_functions {
    ($($create:ident $clear:ident $destroy:ident)+) => {
        $(
            /// A new parser.
            #[unsafe(no_mangle)]
            pub extern "C" fn $create() -> Handle {
                fence(stringify!($create), null_mut(), || Ok(create()))
            }

            /// Makes a parser ready for the next message.
            #[unsafe(no_mangle)]
            pub extern "C" fn $clear(parser: Handle) {
                fence(stringify!($clear), (), || clear(parser));
            }

            /// Destroys a parser.
            #[unsafe(no_mangle)]
            pub extern "C" fn $destroy(parser: Handle) {
                fence(stringify!($destroy), (), || destroy(parser));
            }
        )+
    };
}

parser_functions! {
    TSHttpParserCreate TSHttpParserClear TSHttpParserDestroy
    TSMimeParserCreate TSMimeParserClear TSMimeParserDestroy
}

macro_rules! parse_functions {
    ($($name:ident = $method:path;)+) => {
        $(
            /// Parses a piece; `start` is advanced.
            ///
            /// # Safety
            /// `*start` to `end` is readable and `start` writable.
            #[unsafe(no_mangle)]
            pub unsafe extern "C" fn $name(parser: Handle, bufp: Handle, offset: Handle, start: *mut *const c_char, end: *const c_char) -> c_int {
                fence(stringify!($name), ERROR, || {
                    // SAFETY: as the caller vouches.
                    unsafe { parse(parser, bufp, offset, start, end, $method) }
                })
            }
        )+
    };
}

parse_functions! {
    TSHttpHdrParseReq = Parser::request;
    TSHttpHdrParseResp = Parser::response;
    TSMimeHdrParse = Parser::fields;
}
