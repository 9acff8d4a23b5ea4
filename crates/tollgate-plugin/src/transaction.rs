//! A transaction as plugins see it.
//!
//! Responsible for: the four messages, the decisions a plugin may change, hooks at transaction scope, transforms,
//! sinks, intercepts, per-transaction state.
//! Not responsible for: running anything. The engine owns the value and lends it to one handler at a time, so plugin
//! code may change whatever is public here without locks.

use crate::hooks::{NamedHandler, TransactionHook, TransactionPoint, session_mask};
use crate::{
    BodyTransform, Contexts, DataSink, Host, Intercept, LocalResponse, OriginFacts, OriginWishes, Outcome,
    Session, Step,
};
use bytes::Bytes;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tollgate_config::records::TxnRecords;
use tollgate_http::{Method, Request, Response, Url};
use tollgate_obs::milestones::Milestones;
use tollgate_obs::outcome::{CacheOutcome, TransactionEnd};

/// The result of the cache look-up (TSCacheLookupResult).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheLookup {
    /// Nothing usable is stored (TS_CACHE_LOOKUP_MISS).
    Miss,
    /// A stored object needs validation (TS_CACHE_LOOKUP_HIT_STALE).
    HitStale,
    /// A stored object may be served (TS_CACHE_LOOKUP_HIT_FRESH).
    HitFresh,
    /// There was no look-up (TS_CACHE_LOOKUP_SKIPPED).
    Skipped,
}

/// Bytes transferred between client and server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteCounts {
    /// The request's body.
    pub request_body: u64,
    /// The request, header and body.
    pub request: u64,
    /// The response's body.
    pub response_body: u64,
    /// The response, header and body.
    pub response: u64,
}

/// What the engine gives a new transaction.
pub struct TransactionParts {
    /// Number, unique in the process.
    pub id: u64,
    /// The client connection.
    pub session: Rc<Session>,
    /// The generation's records.
    pub records: TxnRecords,
    /// A bit for each hook point with global handlers.
    pub global_hooks: u32,
    /// Services.
    pub host: Rc<dyn Host>,
    /// When the transaction began: the base of its milestones.
    pub started: std::time::Instant,
}

/// One request and its response.
pub struct Transaction {
    id: u64,
    session: Rc<Session>,
    host: Rc<dyn Host>,
    global_mask: u32,
    own_mask: u32,
    handlers: Vec<(TransactionHook, NamedHandler)>,
    contexts: Contexts,

    /// The client's request; empty before READ_REQUEST_HDR. Changes up to POST_REMAP decide about remapping, cache
    /// key and the proxy request; later ones only about the proxy request, while it is not built.
    pub client_request: Request,
    /// The URL as the client meant it, before remapping.
    pub pristine_url: Option<Url>,
    /// The request to the next hop, from SEND_REQUEST_HDR on.
    pub proxy_request: Option<Box<Request>>,
    /// The origin's response header, from READ_RESPONSE_HDR on. Changes there decide about caching.
    pub origin_response: Option<Box<Response>>,
    /// The stored response header, from READ_CACHE_HDR on. A copy: changes have no effect on the cache.
    pub cached_response: Option<Box<Response>>,
    /// The response to the client, from SEND_RESPONSE_HDR on. Changes are never cached.
    pub proxy_response: Option<Box<Response>>,
    /// The records with this transaction's overrides.
    pub records: TxnRecords,
    /// The cache look-up's result, from CACHE_LOOKUP_COMPLETE on; a handler of that point may change it: a hit to
    /// Miss, fresh to stale and back. Other changes are ignored.
    pub cache_lookup: Option<CacheLookup>,
    /// Set in CACHE_LOOKUP_COMPLETE: the cache is looked up again, under this URL, and that hook point runs again
    /// (TSHttpTxnRedoCacheLookup). Of no effect where there was no look-up.
    pub redo_cache_lookup: Option<Box<Url>>,
    /// The request starts again at the cache look-up with this URL in place of the response, whatever its status
    /// (TSHttpTxnRedirectUrlSet). Up to READ_RESPONSE_HDR, or in SEND_RESPONSE_HDR unless a fresh object is served;
    /// taken away when it is followed. Of no effect once a part of the request's body has been read.
    pub redirect_url: Option<Box<Url>>,
    /// How often the cache was looked up.
    pub cache_lookups: u32,
    /// When the response came that the look-up found, in seconds since 1970.
    pub cached_response_time: Option<i64>,
    /// Set in READ_CACHE_HDR or CACHE_LOOKUP_COMPLETE: takes the place of the stored response header, if it is served
    /// without asking the origin (TSHttpTxnUpdateCachedObject).
    pub updated_cached_response: Option<Box<Response>>,
    /// The origin's answer about a stale object is dropped and the object is served (TSHttpTxnServerRespIgnore). Up
    /// to READ_RESPONSE_HDR.
    pub ignores_origin_response: bool,
    /// The URL that makes the cache key in place of the request's (TSCacheUrlSet). Up to POST_REMAP.
    pub cache_url: Option<Box<Url>>,
    /// The origin's address, from OS_DNS on. Set earlier, or changed in OS_DNS, it is used instead of what the name
    /// resolves to (TSHttpTxnServerAddrSet).
    pub origin_addr: Option<SocketAddr>,
    /// Our address on the origin's connection, from SEND_REQUEST_HDR on, if handlers follow.
    pub outgoing_addr: Option<SocketAddr>,
    /// Requests sent on the origin's connection before this transaction's.
    pub origin_uses: u32,
    /// What is asked of the way to the origin.
    pub origin_wishes: Option<Box<OriginWishes>>,
    /// What is known of the exchange with the origin, from SEND_REQUEST_HDR on, if handlers follow.
    pub origin_facts: Option<Arc<OriginFacts>>,
    /// The request's body, from REQUEST_BUFFER_READ_COMPLETE on.
    pub buffered_body: Vec<Bytes>,
    /// How many redirects were followed so far.
    pub redirects: u32,
    /// What was transferred, complete from TXN_CLOSE on.
    pub bytes: ByteCounts,
    /// Leaves PRE_REMAP, the rules and POST_REMAP out (TSSkipRemappingSet). In READ_REQUEST_HDR.
    pub skip_remapping: bool,
    /// The response is not stored (TSHttpTxnServerRespNoStoreSet). Up to READ_RESPONSE_HDR.
    pub no_store: bool,
    /// The request counts as cacheable whatever it says (TSHttpTxnReqCacheableSet). Before the look-up.
    pub request_is_cacheable: bool,
    /// The response counts as cacheable whatever it says (TSHttpTxnRespCacheableSet). In READ_RESPONSE_HDR.
    pub response_is_cacheable: bool,
    /// With a response transform: store the body as the origin sent it and run the transform again on hits, instead
    /// of storing the transform's output.
    pub cache_untransformed: bool,
    /// Status for [`Outcome::Fail`], or, set before the end of remapping, for an answer right after it
    /// (TSHttpTxnStatusSet). 0: none.
    pub status_override: u16,
    /// The client's connection is closed after the response (TSHttpTxnCloseAfterResponse). Up to SEND_RESPONSE_HDR.
    pub closes_client: bool,
    /// [`Outcome::Fail`] closes the client's connection without a response (TSHttpTxnShutDown).
    pub fails_silently: bool,
    /// Whether the transaction is written to the access log.
    pub is_logged: bool,
    /// When things happened.
    pub milestones: Milestones,
    /// What the cache did, once known.
    pub cache_outcome: CacheOutcome,
    /// The response was read on into the cache after the client had left, known from TXN_CLOSE on.
    pub fills_behind: bool,
    /// Why the transaction ended, from TXN_CLOSE on.
    pub end: Option<TransactionEnd>,
    /// The plugin that answered or failed the transaction.
    pub decided_by: Option<Arc<str>>,

    request_transforms: Vec<Box<dyn BodyTransform>>,
    response_transforms: Vec<Box<dyn BodyTransform>>,
    sinks: Vec<Box<dyn DataSink>>,
    intercept: Option<Rc<dyn Intercept>>,
    intercepts_client: bool,
    error_body: Option<(String, Bytes)>,
}

impl Transaction {
    /// A transaction before its request; the engine and [`mock`](crate::mock) make it.
    #[inline]
    pub fn new(parts: TransactionParts) -> Transaction {
        Transaction {
            id: parts.id,
            global_mask: parts.global_hooks,
            own_mask: 0,
            session: parts.session,
            host: parts.host,
            handlers: Vec::new(),
            contexts: Contexts::default(),
            client_request: Request::new(Method::Get, Url::origin(Bytes::new(), None)),
            pristine_url: None,
            proxy_request: None,
            origin_response: None,
            cached_response: None,
            proxy_response: None,
            records: parts.records,
            cache_lookup: None,
            redo_cache_lookup: None,
            redirect_url: None,
            cache_lookups: 0,
            cached_response_time: None,
            updated_cached_response: None,
            ignores_origin_response: false,
            cache_url: None,
            origin_addr: None,
            outgoing_addr: None,
            origin_uses: 0,
            origin_wishes: None,
            origin_facts: None,
            buffered_body: Vec::new(),
            redirects: 0,
            bytes: ByteCounts::default(),
            skip_remapping: false,
            no_store: false,
            request_is_cacheable: false,
            response_is_cacheable: false,
            cache_untransformed: false,
            status_override: 0,
            closes_client: false,
            fails_silently: false,
            is_logged: true,
            milestones: Milestones::new(parts.started),
            cache_outcome: CacheOutcome::Skipped,
            fills_behind: false,
            end: None,
            decided_by: None,
            request_transforms: Vec::new(),
            response_transforms: Vec::new(),
            sinks: Vec::new(),
            intercept: None,
            intercepts_client: false,
            error_body: None,
        }
    }

    /// The transaction's number, unique in the process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The client connection.
    pub fn session(&self) -> &Rc<Session> {
        &self.session
    }

    /// Whether a plugin's fetch made this transaction (TSHttpTxnIsInternal).
    pub fn is_internal(&self) -> bool {
        self.session.is_internal()
    }

    /// The event thread's services.
    pub fn host(&self) -> Rc<dyn Host> {
        Rc::clone(&self.host)
    }

    /// This transaction's plugin state.
    pub fn contexts(&mut self) -> &mut Contexts {
        &mut self.contexts
    }

    /// What is asked of the way to the origin, to ask for more.
    pub fn origin_wishes_mut(&mut self) -> &mut OriginWishes {
        self.origin_wishes.get_or_insert_default()
    }

    /// The response to the client, to change. Before SEND_RESPONSE_HDR there is none: an empty 200 that is dropped.
    pub fn proxy_response_mut(&mut self) -> &mut Response {
        self.proxy_response.get_or_insert_with(|| Box::new(Response::new(200)))
    }

    /// Adds a handler that answers at once, for this transaction only.
    pub fn add_hook<P: TransactionPoint>(
        &mut self,
        _point: P,
        module: &str,
        handler: impl Fn(&mut Transaction) -> Outcome + Send + Sync + 'static,
    ) {
        self.push_hook(P::HOOK, module, Arc::new(move |txn| Step::Ready(handler(txn))));
    }

    /// Adds an async handler for this transaction only.
    pub fn add_hook_async<P: TransactionPoint>(
        &mut self,
        _point: P,
        module: &str,
        handler: impl AsyncFn(&mut Transaction) -> Outcome + Send + Sync + 'static,
    ) {
        let handler = Arc::new(handler);
        self.push_hook(
            P::HOOK,
            module,
            Arc::new(move |txn| {
                let handler = Arc::clone(&handler);
                Step::Pending(Box::pin(async move { handler(txn).await }))
            }),
        );
    }

    fn push_hook(&mut self, hook: TransactionHook, module: &str, call: Arc<crate::TransactionHandler>) {
        self.add_handler(hook, NamedHandler { module: module.into(), call });
    }

    /// Adds a handler for this transaction only.
    pub fn add_handler(&mut self, hook: TransactionHook, handler: NamedHandler) {
        self.handlers.push((hook, handler));
        self.own_mask |= hook.bit();
    }

    /// Whether any scope has a handler for `hook`.
    pub fn has_handlers(&self, hook: TransactionHook) -> bool {
        (self.global_mask | self.own_mask | session_mask(&self.session)) & hook.bit() != 0
    }

    /// The `index`-th handler of `hook` at transaction scope, and whether another follows.
    pub fn handler(&self, hook: TransactionHook, index: usize) -> Option<(NamedHandler, bool)> {
        let mut of_hook = self.handlers.iter().filter(|(h, _)| *h == hook).skip(index);
        of_hook.next().map(|(_, named)| (named.clone(), of_hook.next().is_some()))
    }

    /// Appends a transform of the request body. Up to OS_DNS.
    pub fn add_request_transform(&mut self, transform: impl BodyTransform + 'static) {
        self.request_transforms.push(Box::new(transform));
    }

    /// Appends a transform of the response body. Up to READ_RESPONSE_HDR, for hits up to CACHE_LOOKUP_COMPLETE.
    pub fn add_response_transform(&mut self, transform: impl BodyTransform + 'static) {
        self.response_transforms.push(Box::new(transform));
    }

    /// Adds a sink that sees the body the client gets. Up to SEND_RESPONSE_HDR.
    pub fn add_sink(&mut self, sink: impl DataSink + 'static) {
        self.sinks.push(Box::new(sink));
    }

    /// Lets `intercept` answer in place of cache and origin (TSHttpTxnIntercept): no look-up, no name, no storing, and
    /// no remap rule is needed. Up to POST_REMAP; the last call wins.
    pub fn set_intercept(&mut self, intercept: impl Intercept + 'static) {
        self.intercept = Some(Rc::new(intercept));
        self.intercepts_client = true;
    }

    /// Lets `intercept` answer in the origin's place (TSHttpTxnServerIntercept): the cache is looked up and may store
    /// the answer. Up to OS_DNS; the last call wins. Not asked on a fresh hit.
    pub fn set_server_intercept(&mut self, intercept: impl Intercept + 'static) {
        self.intercept = Some(Rc::new(intercept));
        self.intercepts_client = false;
    }

    /// Whether an intercept stands for cache and origin.
    pub fn intercepts_client(&self) -> bool {
        self.intercepts_client && self.intercept.is_some()
    }

    /// Whether an intercept is set.
    pub fn has_intercept(&self) -> bool {
        self.intercept.is_some()
    }

    /// The body of an error response that follows (TSHttpTxnErrorBodySet). In SEND_RESPONSE_HDR it replaces the body
    /// of a response that the proxy made itself.
    pub fn set_error_body(&mut self, content_type: &str, body: impl Into<Bytes>) {
        self.error_body = Some((content_type.to_string(), body.into()));
    }

    /// Overrides how long a kind of wait may take, as the record of that name would.
    pub fn set_record(
        &mut self,
        name: &str,
        value: &str,
    ) -> Result<(), tollgate_config::records::ValueError> {
        self.records.set_by_name(name, value)
    }

    /// The client's address.
    pub fn client_addr(&self) -> SocketAddr {
        self.session.client_addr()
    }

    /// Waits without blocking the event thread.
    pub async fn sleep(&self, duration: Duration) {
        self.host().sleep(duration).await;
    }

    /// Takes the request transforms; the engine calls it.
    pub fn take_request_transforms(&mut self) -> Vec<Box<dyn BodyTransform>> {
        std::mem::take(&mut self.request_transforms)
    }

    /// Whether the request body will be transformed.
    pub fn has_request_transforms(&self) -> bool {
        !self.request_transforms.is_empty()
    }

    /// Whether the response body will be transformed.
    pub fn has_response_transforms(&self) -> bool {
        !self.response_transforms.is_empty()
    }

    /// Takes the response transforms; the engine calls it.
    pub fn take_response_transforms(&mut self) -> Vec<Box<dyn BodyTransform>> {
        std::mem::take(&mut self.response_transforms)
    }

    /// Takes the sinks; the engine calls it.
    pub fn take_sinks(&mut self) -> Vec<Box<dyn DataSink>> {
        std::mem::take(&mut self.sinks)
    }

    /// The intercept; the engine calls it.
    pub fn take_intercept(&mut self) -> Option<Rc<dyn Intercept>> {
        self.intercept.take()
    }

    /// Takes the error body; the engine calls it.
    pub fn take_error_body(&mut self) -> Option<(String, Bytes)> {
        self.error_body.take()
    }

    /// The response that [`Outcome::Fail`] stands for (ATS: error reenable).
    pub fn failure_response(&mut self) -> LocalResponse {
        let status = if self.status_override >= 400 { self.status_override } else { 500 };
        let (content_type, body) = self.error_body.take().unwrap_or_default();
        let content_type =
            if content_type.is_empty() && !body.is_empty() { "text/html".to_string() } else { content_type };
        LocalResponse::new(status, &content_type, body)
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Transaction({}, {} {})",
            self.id,
            self.client_request.method,
            self.client_request.url.to_text()
        )
    }
}
