//! The head of a stored response.

use super::block_bytes;
use super::packed::{Draft, Source};
use crate::key::CacheKey;
use crate::negotiate::{Heeded, Negotiation};
use crate::policy::SetCookiePolicy;
use crate::purge::{Born, Judged, Mark, Standing};
use crate::rules::{StoredMeta, merge_304, stored_headers};
use crate::vary::Selecting;
use bytes::Bytes;
use tollgate_http::{HeaderBlock, PackedFields, Request, Response, Version};

/// A stored response without its body.
#[derive(Clone, Debug)]
pub struct StoredHead {
    pub(super) judged: Judged,
    pub(super) response_time: i64,
    /// See [`super::packed`].
    pub(super) bytes: Box<[u8]>,
    pub(super) flags: u32,
    pub(super) status: u16,
    /// What it was chosen by, and what becomes of `Set-Cookie`.
    pub(super) chosen: u8,
}

const _: () = assert!(size_of::<StoredHead>() == 48, "what each object has");

impl StoredHead {
    /// The head of `response` to `request`, for storing: connection fields left out, strings compact.
    pub fn new(
        request: &Request,
        response: &Response,
        meta: StoredMeta,
        set_cookie: SetCookiePolicy,
    ) -> StoredHead {
        let headers = stored_headers(&response.headers, meta.response_time, set_cookie);
        let draft = Draft {
            meta,
            fields: Source::Block(&headers),
            selecting: Selecting::of(&request.headers, &response.headers),
            heeded: Heeded::default().for_request(&request.headers),
            set_cookie,
            pinned_for: 0,
            reason: response.reason.as_deref(),
            tags: &[],
            key: &[],
        };
        draft.build(Judged::default())
    }

    /// A head as it was, made of what was kept of it, stored under `key`.
    pub(crate) fn restored(draft: Draft<'_>, key: &CacheKey, born: Born) -> StoredHead {
        let Source::Packed(fields) = draft.fields else {
            return draft.build(Judged::default()).born_as(key, born);
        };
        let tags = Mark::tags_of(key, fields);
        Draft { tags: &tags, key: key.as_bytes(), ..draft }.build(Judged::new(born))
    }

    /// Says that it was fetched by a request whose preferences, and handlers, count besides `Vary`.
    #[must_use]
    pub fn chosen_by(mut self, negotiation: &Negotiation, handlers_have_refused: bool) -> StoredHead {
        let heeded = negotiation.heeded(&self.selecting()).by_handlers(handlers_have_refused);
        self.set_heeded(self.heeded().and(heeded));
        self
    }

    /// Says that it is not to be evicted for so many seconds after it came.
    #[must_use]
    pub fn pinned_for(self, seconds: u32) -> StoredHead {
        if seconds == self.pinned_seconds() {
            return self;
        }
        Draft { pinned_for: seconds, ..self.draft() }.build(self.judged.clone())
    }

    /// Until when it is not to be evicted, seconds since 1970; `None`: it is not pinned.
    pub fn pinned_until(&self) -> Option<i64> {
        let seconds = self.pinned_seconds();
        (seconds > 0).then(|| self.response_time.saturating_add(i64::from(seconds)))
    }

    /// Says under which key it will be stored and when it was asked for, so that purges after that hit it. Its tags
    /// are read, too. Without this, every purge that is remembered hits it if it is of everything or of its URL.
    #[must_use]
    pub fn born_as(self, key: &CacheKey, born: Born) -> StoredHead {
        let tags = Mark::tags_of(key, self.fields());
        Draft { tags: &tags, key: key.as_bytes(), ..self.draft() }.build(Judged::new(born))
    }

    /// The same under another key.
    pub(super) fn under(&self, key: &CacheKey) -> StoredHead {
        Draft { key: key.as_bytes(), ..self.draft() }.build(self.judged.clone())
    }

    /// Says that it stands for `other`, whose header was changed here: what purges have made of that holds for it.
    #[must_use]
    pub fn purged_as(self, other: &StoredHead) -> StoredHead {
        let parts = other.parts();
        Draft { tags: parts.tags, key: parts.key, ..self.draft() }.build(other.judged.clone())
    }

    /// Says that a soft purge has made it stale at `since`, seconds since 1970: for an object that was kept elsewhere.
    #[must_use]
    pub fn stale_from(self, since: i64) -> StoredHead {
        self.mark().make_stale(since);
        self
    }

    /// What it remembers about purges.
    #[inline]
    pub fn mark(&self) -> Mark<'_> {
        Mark::of(self)
    }

    pub(crate) fn judged(&self) -> &Judged {
        &self.judged
    }

    /// The hashes of its tags, of 8 bytes each.
    pub(crate) fn tag_bytes(&self) -> &[u8] {
        self.parts().tags
    }

    /// Since when a soft purge makes it stale, seconds since 1970.
    pub fn stale_since(&self) -> Option<i64> {
        match self.mark().standing() {
            Standing::Stale { since } => Some(since),
            _ => None,
        }
    }

    /// This head updated by a 304 for a request sent at `request_time`, received at `response_time`.
    pub fn updated_by_304(&self, response: &Response, request_time: i64, response_time: i64) -> StoredHead {
        let headers = merge_304(&self.headers(), &response.headers, response_time, self.set_cookie());
        let mut meta = StoredMeta::of(self.status, &headers, request_time, response_time);
        // `Age` is not stored as a field: the 304's own counts.
        meta.age_value = StoredMeta::new(response, request_time, response_time).age_value;
        let selecting = self.selecting().after_update(&headers);
        Draft { meta, fields: Source::Block(&headers), selecting, tags: &[], ..self.draft() }
            .build(Judged::default())
    }

    /// This head with another status and other fields, of the same response.
    pub(crate) fn with_status(&self, status: u16, headers: &HeaderBlock) -> StoredHead {
        let old = self.meta();
        let mut meta = StoredMeta::of(status, headers, old.request_time, old.response_time);
        meta.age_value = old.age_value;
        Draft { meta, fields: Source::Block(headers), reason: None, ..self.draft() }
            .build(self.judged.clone())
    }

    /// The status code.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// When it arrived, seconds since 1970.
    pub fn response_time(&self) -> i64 {
        self.response_time
    }

    /// Whether it is the head of a part of an object: see [`crate::part`].
    pub fn is_part(&self) -> bool {
        self.status == 206
    }

    /// The reason phrase, if the origin sent an own one.
    pub fn reason(&self) -> Option<&[u8]> {
        if self.has_reason() { self.parts().reason } else { None }
    }

    /// The stored fields, without `Age` and connection fields.
    pub fn fields(&self) -> PackedFields<'_> {
        self.packed_fields()
    }

    /// A copy of the stored fields.
    pub fn headers(&self) -> HeaderBlock {
        self.fields().to_block()
    }

    /// A response with status, reason and a copy of the stored fields.
    #[inline]
    pub fn to_response(&self) -> Response {
        Response {
            status: self.status,
            version: Version::Http11,
            reason: self.reason().map(Bytes::copy_from_slice),
            headers: self.fields().to_block(),
        }
    }

    /// The request fields the response was chosen by.
    pub fn selecting(&self) -> Selecting<'_> {
        self.selecting_of(&self.parts())
    }

    /// Whether `older` need not be kept beside this one: it is the same variant, or no request would get it any more.
    pub fn replaces(&self, older: &StoredHead) -> bool {
        if !self.has_selecting() && self.heeded().is_nothing() {
            return true;
        }
        self.is_same_variant(older)
    }

    /// Whether both were chosen by the same, so that there is no choice between them.
    pub fn is_same_variant(&self, older: &StoredHead) -> bool {
        let (own, other) = (self.parts(), older.parts());
        self.selecting_of(&own).same_variant(&older.selecting_of(&other))
            && !self.heeded().tells_apart(own.fields, other.fields)
    }

    /// Whether a request with these fields may be answered by this response (RFC 9111 §4.1).
    pub fn matches(&self, request: &HeaderBlock) -> bool {
        self.matches_by(request, &Negotiation::default())
    }

    /// The same, with what the records say of the request's preferences.
    pub fn matches_by(&self, request: &HeaderBlock, negotiation: &Negotiation) -> bool {
        if !self.has_selecting() && negotiation.ignores_plain() {
            return true;
        }
        let parts = self.parts();
        let selecting = self.selecting_of(&parts);
        selecting.matches_but(request, parts.fields, negotiation.ignored_in_vary())
            && negotiation.accepts(request, parts.fields, &selecting, self.heeded())
    }

    /// Whether a request with these fields accepts this response, whatever `Vary` says.
    pub fn is_accepted_by(&self, request: &HeaderBlock, negotiation: &Negotiation) -> bool {
        let parts = self.parts();
        negotiation.accepts(request, parts.fields, &self.selecting_of(&parts), self.heeded())
    }

    pub(super) fn heap_bytes(&self) -> usize {
        block_bytes(self.bytes.len())
    }
}
