//! What is stored: a response header with the facts about it, and a body of byte chunks.
//!
//! Responsible for: the immutable object that the store, a fill and many transactions share; its memory size.
//! Not responsible for: deciding whether it is stored or fresh (`rules`).
//! Invariants: an object never changes; a 304 makes a new object that shares the body; one whose body has holes is a
//! part.

use crate::disk::DiskBody;
use crate::key::CacheKey;
use crate::negotiate::{Heeded, Negotiation};
use crate::policy::SetCookiePolicy;
use crate::purge::{Born, Mark, Standing};
use crate::rules::{StoredMeta, merge_304, stored_headers};
use crate::vary::Selecting;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use tollgate_http::{HeaderBlock, Request, Response};

/// Bodies up to this size are kept in one exact allocation.
const ONE_CHUNK_BYTES: u64 = 256 * 1024;
/// Chunks smaller than this are joined with their neighbours.
const SMALL_CHUNK_BYTES: usize = 32 * 1024;

/// A stored response without its body.
#[derive(Clone, Debug)]
pub struct StoredHead {
    meta: StoredMeta,
    reason: Option<Bytes>,
    headers: HeaderBlock,
    selecting: Selecting,
    heeded: Heeded,
    /// Seconds; 0: not at all.
    pinned_for: u32,
    /// Holds for the fields of a later 304 too.
    set_cookie: SetCookiePolicy,
    mark: Mark,
}

impl StoredHead {
    /// The head of `response` to `request`, for storing: connection fields left out, strings compact.
    pub fn new(
        request: &Request,
        response: &Response,
        meta: StoredMeta,
        set_cookie: SetCookiePolicy,
    ) -> StoredHead {
        StoredHead {
            meta,
            reason: response.reason.as_deref().map(Bytes::copy_from_slice),
            headers: stored_headers(&response.headers, meta.response_time, set_cookie),
            selecting: Selecting::of(&request.headers, &response.headers),
            heeded: Heeded::default().for_request(&request.headers),
            pinned_for: 0,
            set_cookie,
            mark: Mark::default(),
        }
    }

    /// Says that it was fetched by a request whose preferences, and handlers, count besides `Vary`.
    #[must_use]
    pub fn chosen_by(mut self, negotiation: &Negotiation, handlers_have_refused: bool) -> StoredHead {
        let heeded = negotiation.heeded(&self.selecting).by_handlers(handlers_have_refused);
        self.heeded = self.heeded.and(heeded);
        self
    }

    /// Says that it is not to be evicted for so many seconds after it came.
    #[must_use]
    pub fn pinned_for(mut self, seconds: u32) -> StoredHead {
        self.pinned_for = seconds;
        self
    }

    /// Until when it is not to be evicted, seconds since 1970; `None`: it is not pinned.
    pub fn pinned_until(&self) -> Option<i64> {
        (self.pinned_for > 0).then(|| self.meta.response_time.saturating_add(i64::from(self.pinned_for)))
    }

    /// Says under which key it will be stored and when it was asked for, so that purges after that hit it. Its tags
    /// are read, too. Without this, every purge that is remembered hits it if it is of everything or of its URL.
    #[must_use]
    pub fn born_as(mut self, key: &CacheKey, born: Born) -> StoredHead {
        self.mark = Mark::new(key, &self.headers, born);
        self
    }

    /// Says that it stands for `other`, whose header was changed here: what purges have made of that holds for it.
    #[must_use]
    pub fn purged_as(mut self, other: &StoredHead) -> StoredHead {
        self.mark = other.mark.clone();
        self
    }

    /// Says that a soft purge has made it stale at `since`, seconds since 1970: for an object that was kept elsewhere.
    #[must_use]
    pub fn stale_from(self, since: i64) -> StoredHead {
        self.mark.make_stale(since);
        self
    }

    /// What it remembers about purges.
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Since when a soft purge makes it stale, seconds since 1970.
    pub fn stale_since(&self) -> Option<i64> {
        match self.mark.standing() {
            Standing::Stale { since } => Some(since),
            _ => None,
        }
    }

    /// This head updated by a 304 for a request sent at `request_time`, received at `response_time`.
    pub fn updated_by_304(&self, response: &Response, request_time: i64, response_time: i64) -> StoredHead {
        let headers = merge_304(&self.headers, &response.headers, response_time, self.set_cookie);
        let mut meta = StoredMeta::of(self.meta.status, &headers, request_time, response_time);
        // `Age` is not stored as a field: the 304's own counts.
        meta.age_value = StoredMeta::new(response, request_time, response_time).age_value;
        let selecting = self.selecting.after_update(&headers);
        StoredHead {
            meta,
            reason: self.reason.clone(),
            headers,
            selecting,
            heeded: self.heeded,
            pinned_for: self.pinned_for,
            set_cookie: self.set_cookie,
            mark: Mark::default(),
        }
    }

    /// This head with another status and other fields, of the same response.
    pub(crate) fn with_status(&self, status: u16, headers: HeaderBlock) -> StoredHead {
        let mut meta = StoredMeta::of(status, &headers, self.meta.request_time, self.meta.response_time);
        meta.age_value = self.meta.age_value;
        StoredHead { meta, reason: None, headers, ..self.clone() }
    }

    /// A head as it was, made of what was kept of it.
    pub(crate) fn restored(
        meta: StoredMeta,
        reason: Option<Bytes>,
        headers: HeaderBlock,
        (selecting, heeded): (Selecting, Heeded),
        set_cookie: SetCookiePolicy,
    ) -> StoredHead {
        let mark = Mark::default();
        StoredHead { meta, reason, headers, selecting, heeded, pinned_for: 0, set_cookie, mark }
    }

    /// What becomes of `Set-Cookie` in a later 304.
    pub(crate) fn set_cookie(&self) -> SetCookiePolicy {
        self.set_cookie
    }

    /// The facts for the freshness rules.
    pub fn meta(&self) -> &StoredMeta {
        &self.meta
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.meta.status
    }

    /// Whether it is the head of a part of an object: see [`crate::part`].
    pub fn is_part(&self) -> bool {
        self.meta.status == 206
    }

    /// The reason phrase, if the origin sent an own one.
    pub fn reason(&self) -> Option<&Bytes> {
        self.reason.as_ref()
    }

    /// The stored fields, without `Age` and connection fields.
    pub fn headers(&self) -> &HeaderBlock {
        &self.headers
    }

    /// The request fields the response was chosen by.
    pub fn selecting(&self) -> &Selecting {
        &self.selecting
    }

    /// What it was chosen by besides the selecting fields.
    pub(crate) fn heeded(&self) -> Heeded {
        self.heeded
    }

    /// Whether `older` need not be kept beside this one: it is the same variant, or no request would get it any more.
    pub fn replaces(&self, older: &StoredHead) -> bool {
        if self.selecting.is_empty() && self.heeded.is_nothing() {
            return true;
        }
        self.is_same_variant(older)
    }

    /// Whether both were chosen by the same, so that there is no choice between them.
    pub fn is_same_variant(&self, older: &StoredHead) -> bool {
        self.selecting.same_variant(&older.selecting)
            && !self.heeded.tells_apart(&self.headers, &older.headers)
    }

    /// Whether a request with these fields may be answered by this response (RFC 9111 §4.1).
    pub fn matches(&self, request: &HeaderBlock) -> bool {
        self.matches_by(request, &Negotiation::default())
    }

    /// The same, with what the records say of the request's preferences.
    pub fn matches_by(&self, request: &HeaderBlock, negotiation: &Negotiation) -> bool {
        let stored = &self.headers;
        if self.selecting.is_empty() && negotiation.ignores_plain() {
            return true;
        }
        self.selecting.matches_but(request, stored, negotiation.ignored_in_vary())
            && negotiation.accepts(request, self)
    }

    /// Whether a request with these fields accepts this response, whatever `Vary` says.
    pub fn is_accepted_by(&self, request: &HeaderBlock, negotiation: &Negotiation) -> bool {
        negotiation.accepts(request, self)
    }

    fn memory_bytes(&self) -> usize {
        size_of::<StoredHead>()
            + self.headers.heap_bytes()
            + self.selecting.heap_bytes()
            + self.reason.as_ref().map_or(0, Bytes::len)
            + self.mark.heap_bytes()
    }
}

/// A complete body: chunks that many readers share, or fragments on the disk.
#[derive(Clone, Debug, Default)]
pub struct Body {
    chunks: Chunks,
    len: u64,
}

#[derive(Clone, Debug)]
enum Chunks {
    One(Bytes),
    Many(Arc<[Bytes]>),
    OnDisk(Arc<DiskBody>),
}

impl Default for Chunks {
    fn default() -> Self {
        Chunks::One(Bytes::new())
    }
}

impl Body {
    /// A body of one chunk, kept as it is.
    pub fn from_bytes(bytes: Bytes) -> Body {
        Body { len: bytes.len() as u64, chunks: Chunks::One(bytes) }
    }

    /// A body of these chunks. Small bodies and small chunks are copied together, so that slices of receive
    /// buffers do not keep those buffers alive; large chunks are kept.
    pub fn from_chunks(chunks: &[Bytes]) -> Body {
        let len: u64 = chunks.iter().map(|c| c.len() as u64).sum();
        if len <= ONE_CHUNK_BYTES {
            let mut whole = Vec::with_capacity(len as usize);
            chunks.iter().for_each(|c| whole.extend_from_slice(c));
            return Body { chunks: Chunks::One(whole.into()), len };
        }
        Body { chunks: Chunks::Many(regrouped(chunks).into()), len }
    }

    /// A body that lies on the disk.
    pub fn from_disk(body: Arc<DiskBody>) -> Body {
        Body { len: body.len(), chunks: Chunks::OnDisk(body) }
    }

    /// The body on the disk, if it is there: then it has no chunks.
    pub fn on_disk(&self) -> Option<&Arc<DiskBody>> {
        match &self.chunks {
            Chunks::OnDisk(body) => Some(body),
            _ => None,
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The chunks in order; none is empty unless the body is. None at all if the body lies on the disk.
    pub fn chunks(&self) -> &[Bytes] {
        match &self.chunks {
            Chunks::One(chunk) => std::slice::from_ref(chunk),
            Chunks::Many(chunks) => chunks,
            Chunks::OnDisk(_) => &[],
        }
    }

    /// The chunks that hold `range` (first inclusive, end exclusive), cut to it and not copied.
    pub fn slice(&self, range: std::ops::Range<u64>) -> impl Iterator<Item = Bytes> {
        let mut offset = 0;
        self.chunks().iter().filter_map(move |chunk| {
            let start = offset;
            offset += chunk.len() as u64;
            let from = range.start.max(start);
            let to = range.end.min(offset);
            (from < to).then(|| chunk.slice((from - start) as usize..(to - start) as usize))
        })
    }

    fn memory_bytes(&self) -> usize {
        let table = match &self.chunks {
            Chunks::One(_) => 0,
            Chunks::Many(chunks) => size_of_val(&**chunks) + 2 * size_of::<usize>(),
            Chunks::OnDisk(body) => return size_of::<DiskBody>() + body.heap_bytes(),
        };
        self.len as usize + table
    }
}

/// Joins runs of small chunks.
fn regrouped(chunks: &[Bytes]) -> Vec<Bytes> {
    let mut out = Vec::new();
    let mut run = BytesMut::new();
    for chunk in chunks {
        let joins = chunk.len() < SMALL_CHUNK_BYTES;
        if !run.is_empty() && (!joins || run.len() + chunk.len() > ONE_CHUNK_BYTES as usize) {
            out.push(Bytes::copy_from_slice(&run));
            run.clear();
        }
        if joins {
            run.extend_from_slice(chunk);
        } else {
            out.push(chunk.clone());
        }
    }
    if !run.is_empty() {
        out.push(Bytes::copy_from_slice(&run));
    }
    out
}

/// A stored response: head and complete body.
#[derive(Debug)]
pub struct StoredObject {
    head: Arc<StoredHead>,
    body: Body,
    memory_bytes: usize,
}

impl StoredObject {
    /// An object of this head and complete body.
    pub fn new(head: Arc<StoredHead>, body: Body) -> StoredObject {
        // Whatever its header says, one with holes is a part.
        let has_holes = body.on_disk().is_some_and(|body| !body.is_complete());
        let head = match has_holes && !head.is_part() {
            true => Arc::new(head.with_status(206, head.headers.clone())),
            false => head,
        };
        // Two reference counts each for the head and the object.
        let counts = 4 * size_of::<usize>();
        let memory_bytes = size_of::<StoredObject>() + counts + head.memory_bytes() + body.memory_bytes();
        StoredObject { head, body, memory_bytes }
    }

    /// The object that a 304 makes of this one: new header, same body (RFC 9111 §4.3.4).
    pub fn updated_by_304(&self, response: &Response, request_time: i64, response_time: i64) -> StoredObject {
        let head = self.head.updated_by_304(response, request_time, response_time);
        StoredObject::new(Arc::new(head), self.body.clone())
    }

    /// The head, shared.
    pub fn head(&self) -> &Arc<StoredHead> {
        &self.head
    }

    /// The facts for the freshness rules.
    pub fn meta(&self) -> &StoredMeta {
        &self.head.meta
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.meta.status
    }

    /// The stored fields, without `Age` and connection fields.
    pub fn headers(&self) -> &HeaderBlock {
        &self.head.headers
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Bytes of memory that this object takes: header, body and overhead.
    pub fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}
