//! The disk tier judged from outside: against a model, on faulty devices, after crashes.

mod block_device;
mod crash;
mod device;
mod faults;
mod model;
mod scan;
mod store;

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use tollgate_cache::disk::{Device, DiskError, NewBody, NewDocument, Opened, Stripe, StripeOptions};

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

/// Writes an object in place of what was stored under the key.
fn put(stripe: &Stripe, key: u8, body: &[u8]) -> Result<(), DiskError> {
    let name = name(key);
    let key = stripe.key(&name);
    let replaces: Vec<u64> = stripe.documents(key).unwrap_or_default().iter().map(|d| d.lsn).collect();
    let ticket = stripe.ticket(key);
    let write = || {
        let pieces: Vec<Bytes> = body.chunks(FRAGMENT_BYTES).map(Bytes::copy_from_slice).collect();
        let mut fragments = Vec::new();
        if pieces.len() > 1 {
            for (number, piece) in pieces.iter().enumerate() {
                let piece = std::slice::from_ref(piece);
                fragments.push(stripe.write_fragment(key, ticket, number as u32, piece)?);
            }
        }
        let body =
            if fragments.is_empty() { NewBody::Inline(&pieces) } else { NewBody::Fragments(&fragments) };
        let document = NewDocument { meta: b"meta", body, replaces: &replaces };
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
    assert_eq!(document.meta, &b"meta"[..]);
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

fn contents(stripe: &Arc<Stripe>, keys: u8) -> Contents {
    (0..keys).filter_map(|key| Some((key, get(stripe, key)?))).collect()
}
