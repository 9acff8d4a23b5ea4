//! Images of disks: damaged, and made up by somebody who knows how to compute checksums.
//!
//! An input is a list of changes of eight bytes to a good image: what kind of change, where (3 bytes), four bytes to be
//! written there. Kinds from 128 on compute the checksums of the changed record again.

use std::sync::{Arc, OnceLock};

use tollgate_cache::disk::{
    Device, Extent, MemoryDevice, NewBody, NewDocument, Stripe, StripeOptions, decode_head,
};
use twox_hash::XxHash3_64;

/// Numbers that matter.
pub const TOKENS: &[&[u8]] = &[b"\x80", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\0\0\0", b"TGR1"];

const BYTES: u64 = 64 << 10;
const OPTIONS: StripeOptions =
    StripeOptions { average_object_bytes: 2048, buffer_bytes: 4096, max_errors: 0 };
const KEYS: u8 = 12;
/// The key whose body is put together, and the one of whose body only the first fragment is there.
const ASSEMBLED: u8 = 9;
const PART: u8 = 10;
const FRAGMENT_BYTES: usize = 1000;
/// LIMIT: changes of one input.
const CHANGES: usize = 16;
const HEADER_BYTES: usize = 64;

/// A good image, and where its records begin.
fn base() -> &'static (Vec<u8>, Vec<usize>) {
    static BASE: OnceLock<(Vec<u8>, Vec<usize>)> = OnceLock::new();
    BASE.get_or_init(|| {
        let device = Arc::new(MemoryDevice::new(vec![0; BYTES as usize]));
        let (stripe, _) = open(&device).expect("a new stripe");
        for key in 0..KEYS {
            let body = vec![key; 200 * usize::from(key)];
            write(&stripe, key, &body).expect("a good device");
            if key == KEYS / 2 {
                stripe.sync().expect("a good device");
            }
        }
        stripe.write_tombstone(stripe.key(&[0])).expect("a good device");
        let image = device.image();
        let records = (0..image.len()).step_by(512).filter(|at| image[*at..].starts_with(b"TGR1"));
        let records = records.collect();
        (image, records)
    })
}

fn open(device: &Arc<MemoryDevice>) -> Option<(Arc<Stripe>, u64)> {
    let (stripe, opened) = Stripe::open(Arc::clone(device) as Arc<dyn Device>, 0, BYTES, OPTIONS, 1).ok()?;
    Some((Arc::new(stripe), opened.documents))
}

fn write(stripe: &Stripe, key: u8, body: &[u8]) -> Option<()> {
    let name = [key];
    let key = stripe.key(&name);
    let ticket = stripe.ticket(key);
    let (mut fragments, mut extents) = (Vec::new(), Vec::new());
    if body.len() > FRAGMENT_BYTES {
        for (number, piece) in body.chunks(FRAGMENT_BYTES).enumerate() {
            let piece = [piece.to_vec().into()];
            let at = stripe.write_fragment(key, ticket, number as u32, &piece).ok()?;
            fragments.push(at);
            extents.push(Extent::whole(at, number as u32, (number * FRAGMENT_BYTES) as u64));
        }
    }
    let inline = [body.to_vec().into()];
    let complete = body.len() as u64;
    let body = match name[0] {
        _ if fragments.is_empty() => NewBody::Inline(&inline),
        ASSEMBLED => NewBody::Assembled { extents: &extents, complete },
        PART => NewBody::Assembled { extents: &extents[..1], complete },
        _ => NewBody::Fragments(&fragments),
    };
    let document = NewDocument { meta: b"", body, replaces: &[], is_pinned: false };
    stripe.write_document(key, ticket, &document).ok().map(|_| ())
}

/// Opens an image and reads all there is. What was not resealed is as it was written, or not there.
pub fn image(input: &[u8]) {
    let (image, records) = base();
    let mut image = image.clone();
    let mut resealed = false;
    for change in input.chunks_exact(8).take(CHANGES) {
        let (kind, value) = (change[0], &change[4..]);
        let place = usize::from(change[1]) << 16 | usize::from(change[2]) << 8 | usize::from(change[3]);
        if kind < 128 {
            poke(&mut image, place % (BYTES as usize), value);
            continue;
        }
        resealed = true;
        let record = records[usize::from(kind - 128) % records.len()];
        poke(&mut image, record + place % 512, value);
        reseal(&mut image[record..]);
    }
    let device = Arc::new(MemoryDevice::new(image));
    let Some((stripe, _)) = open(&device) else { return };
    for key in 0..KEYS {
        let Some(body) = read(&stripe, key) else { continue };
        let len = if key == PART { FRAGMENT_BYTES } else { 200 * usize::from(key) };
        assert!(resealed || body == vec![key; len], "key {key} has another body");
    }
    // It goes on.
    if write(&stripe, 0, b"new").is_some() {
        assert!(stripe.may_have(stripe.key(&[0])));
    }
}

fn read(stripe: &Arc<Stripe>, key: u8) -> Option<Vec<u8>> {
    let name = [key];
    let document = stripe.documents(stripe.key(&name)).ok()?.into_iter().next()?;
    // Whatever it is, it must not panic.
    let key = tollgate_cache::CacheKey::for_url(&tollgate_http::Url::origin("/".into(), None), -1);
    drop(decode_head(&document.meta, &key));
    if document.is_assembly {
        let mut body = Vec::new();
        for number in 0..document.extents.len() {
            body.extend_from_slice(&stripe.document_extent(stripe.key(&name), &document, number).ok()?.1);
        }
        return Some(body);
    }
    if document.fragments.is_empty() {
        return Some(document.inline.to_vec());
    }
    let mut body = Vec::new();
    for number in 0..document.fragments.len() {
        body.extend_from_slice(&stripe.document_fragment(stripe.key(&name), &document, number).ok()?);
    }
    Some(body)
}

fn poke(image: &mut [u8], at: usize, value: &[u8]) {
    let end = image.len().min(at + value.len());
    if let Some(bytes) = image.get_mut(at..end) {
        bytes.copy_from_slice(&value[..bytes.len()]);
    }
}

/// Makes the checksums of the record at the front of `bytes` hold.
fn reseal(bytes: &mut [u8]) {
    let len = bytes[20..24].try_into().map_or(0, u32::from_le_bytes) as usize;
    if let Some(payload) = bytes.get(HEADER_BYTES..).and_then(|rest| rest.get(..len)) {
        let checksum = XxHash3_64::oneshot(payload);
        bytes[40..48].copy_from_slice(&checksum.to_le_bytes());
    }
    let checksum = XxHash3_64::oneshot(&bytes[..56]);
    bytes[56..64].copy_from_slice(&checksum.to_le_bytes());
}
