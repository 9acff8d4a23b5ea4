//! The disk tier judged from outside: against a model, on faulty devices, after crashes.

mod behind;
mod block_device;
mod crash;
mod device;
mod faults;
mod model;
mod parts;
mod pins;
mod scan;
mod store;

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use tollgate_cache::disk::{
    Device, DiskError, Document, Extent, NewBody, NewDocument, Opened, Stripe, StripeOptions,
};

/// A stripe small enough that buffers fill and laps end.
const OPTIONS: StripeOptions =
    StripeOptions { average_object_bytes: 512, buffer_bytes: 8 * 1024, max_errors: 0 };
/// Bodies above this size are cut.
const FRAGMENT_BYTES: usize = 2000;

type Contents = BTreeMap<u8, Vec<u8>>;

fn open(device: &Arc<impl Device + 'static>, len: u64) -> Result<(Stripe, Opened), DiskError> {
    Stripe::open(Arc::clone(device) as Arc<dyn Device>, 0, len, OPTIONS, 7)
}

fn name(key: u8) -> Vec<u8> {
    format!("key {key}").into_bytes()
}

/// A body that no other step has.
fn body(step: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| (step * 31 + at * 7 + at / 251) as u8).chain(step.to_le_bytes()).collect()
}

/// What is stored of a large body, by its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Fragments in a row.
    Whole,
    /// All fragments, as if they came from different times.
    Assembled,
    /// Every other fragment.
    Part,
}

fn form_of(body: &[u8]) -> Form {
    match body.len() % 4 {
        _ if body.len() <= FRAGMENT_BYTES => Form::Whole,
        2 => Form::Assembled,
        3 => Form::Part,
        _ => Form::Whole,
    }
}

/// The body as [`get`] gives it: what is missing is zero, and a part says so.
fn as_found(body: Vec<u8>) -> Vec<u8> {
    let mut found = body;
    if form_of(&found) == Form::Part {
        found.chunks_mut(FRAGMENT_BYTES).skip(1).step_by(2).for_each(|piece| piece.fill(0));
        found.extend_from_slice(PART);
    }
    found
}

/// Behind the bytes of a part.
const PART: &[u8] = b"part";

fn meta_of(form: Form) -> &'static [u8] {
    if form == Form::Part { PART } else { b"meta" }
}

/// Writes an object in place of what was stored under the key.
fn put(stripe: &Stripe, key: u8, body: &[u8]) -> Result<(), DiskError> {
    let name = name(key);
    let key = stripe.key(&name);
    let replaces: Vec<u64> = stripe.documents(key).unwrap_or_default().iter().map(|d| d.lsn).collect();
    let ticket = stripe.ticket(key);
    let write = || {
        let pieces: Vec<Bytes> = body.chunks(FRAGMENT_BYTES).map(Bytes::copy_from_slice).collect();
        let form = form_of(body);
        let (mut fragments, mut extents) = (Vec::new(), Vec::new());
        if pieces.len() > 1 {
            for (number, piece) in pieces.iter().enumerate() {
                if form == Form::Part && number % 2 == 1 {
                    continue;
                }
                let piece = std::slice::from_ref(piece);
                let at = stripe.write_fragment(key, ticket, number as u32, piece)?;
                fragments.push(at);
                extents.push(Extent::whole(at, number as u32, (number * FRAGMENT_BYTES) as u64));
            }
        }
        let complete = body.len() as u64;
        let new = match form {
            _ if fragments.is_empty() => NewBody::Inline(&pieces),
            Form::Whole => NewBody::Fragments(&fragments),
            Form::Assembled | Form::Part => NewBody::Assembled { extents: &extents, complete },
        };
        let is_pinned = body.len() % 2 == 1;
        let document = NewDocument { meta: meta_of(form), body: new, replaces: &replaces, is_pinned };
        stripe.write_document(key, ticket, &document).map(|_| ())
    };
    write().inspect_err(|_| {
        stripe.forget(key);
    })
}

fn remove(stripe: &Stripe, key: u8) -> Result<(), DiskError> {
    let name = name(key);
    let key = stripe.key(&name);
    stripe.forget(key);
    stripe.write_tombstone(key)
}

/// What is stored under the key, if it can be read whole.
fn get(stripe: &Arc<Stripe>, key: u8) -> Option<Vec<u8>> {
    let name = name(key);
    let documents = stripe.documents(stripe.key(&name)).ok()?;
    let document = documents.first()?;
    assert!([&b"meta"[..], PART].contains(&&document.meta[..]));
    if document.is_assembly {
        return assembled(stripe, &name, document);
    }
    if document.fragments.is_empty() {
        return Some(document.inline.to_vec());
    }
    let mut whole = Vec::new();
    for number in 0..document.fragments.len() {
        whole.extend_from_slice(&stripe.document_fragment(stripe.key(&name), document, number).ok()?);
    }
    assert_eq!(whole.len() as u64, document.body_len);
    Some(whole)
}

/// The bytes of a body that was put together; what is missing is zero.
fn assembled(stripe: &Arc<Stripe>, name: &[u8], document: &Document) -> Option<Vec<u8>> {
    let mut found = vec![0; document.body_len as usize];
    let mut have = 0;
    for number in 0..document.extents.len() {
        let (start, bytes) = stripe.document_extent(stripe.key(name), document, number).ok()?;
        found[start as usize..][..bytes.len()].copy_from_slice(&bytes);
        have += bytes.len();
    }
    // Of what was put together some may have been overwritten: then it is not what was put.
    if document.meta[..] == *PART {
        found.extend_from_slice(PART);
        let kept = (found.len() - PART.len()).div_ceil(FRAGMENT_BYTES).div_ceil(2);
        return (document.extents.len() == kept).then_some(found);
    }
    (have == found.len()).then_some(found)
}

fn contents(stripe: &Arc<Stripe>, keys: u8) -> Contents {
    (0..keys).filter_map(|key| Some((key, get(stripe, key)?))).collect()
}
