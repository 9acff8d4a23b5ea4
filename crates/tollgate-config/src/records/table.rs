//! The table of records: one row per record that something in the server reads.
//!
//! Responsible for: name, type, default, range, override key, reload class, unit and one line of
//! documentation of each record. Everything else (constants, name look-up, `show records`, documentation)
//! comes from these rows.
//! Not responsible for: reading files or holding values (see [`super::load`] and [`super::Records`]).
//! Invariants: the constant is the name without `proxy.config.`, upper case, dots as underscores; records
//! that Traffic Server does not have are named `proxy.config.tollgate.*`; a default that differs from
//! Traffic Server 9.2 is marked `ours`; `key N` is the number plugins know an overridable record by.

use super::def::{
    ADDRESSES, ANY, FLAG, POSITIVE, REDIRECT_ACTIONS, SIZE, SOCKET_ADDRESSES, at_least, between, list_of,
    one_of, records,
};

/// Names accepted by `http.server_session_sharing.match`, alone or as a comma-separated list.
const SESSION_MATCH: &[&str] = &["none", "ip", "host", "both", "hostonly", "sni", "cert", "hostsnisync"];

records! {
    // --- process and threads
    Int EXEC_THREAD_AUTOCONFIG "proxy.config.exec_thread.autoconfig" = 1, FLAG, no, Restart, "",
        "One event thread per CPU core (times the scale); 0: `exec_thread.limit` threads.";
    Float EXEC_THREAD_AUTOCONFIG_SCALE "proxy.config.exec_thread.autoconfig.scale" = 1.0, between(0, 64), no, Restart, "",
        "Event threads per CPU core with autoconfig.", ours;
    Int EXEC_THREAD_LIMIT "proxy.config.exec_thread.limit" = 2, between(1, 1024), no, Restart, "threads",
        "Number of event threads when autoconfig is off.";
    Int TASK_THREADS "proxy.config.task_threads" = 2, between(1, 1024), no, Restart, "threads",
        "Threads for blocking work.";
    Int STOP_SHUTDOWN_TIMEOUT "proxy.config.stop.shutdown_timeout" = 30, POSITIVE, no, Restart, "s",
        "How long transactions may finish after a stop signal; 0: stop at once.", ours;

    // --- sockets
    Str HTTP_SERVER_PORTS "proxy.config.http.server_ports" = "8080", ANY, no, Restart, "",
        "Listening ports, separated by blanks, each with options after colons.", ours;
    Int NET_LISTEN_BACKLOG "proxy.config.net.listen_backlog" = -1, at_least(-1), no, Restart, "",
        "Backlog of listening sockets; -1: the system's maximum.";
    Int NET_DEFER_ACCEPT "proxy.config.net.defer_accept" = 45, between(0, 32767), no, Restart, "s",
        "How long the kernel keeps a new client connection back until its first bytes come, at most accept_no_activity_timeout; 0: not at all.";
    Int NET_CONNECTIONS_THROTTLE "proxy.config.net.connections_throttle" = 30000, POSITIVE, no, Dynamic, "",
        "Total number of open connections, both sides; new clients wait above it.";
    Int NET_MAX_CONNECTIONS_IN "proxy.config.net.max_connections_in" = 30000, POSITIVE, no, Dynamic, "",
        "Open client connections, idle ones included; idle ones are closed above it. 0: no limit.";
    Int NET_MAX_REQUESTS_IN "proxy.config.net.max_requests_in" = 0, POSITIVE, no, Dynamic, "",
        "Client connections with a request in progress; 0: no limit.";
    Int NET_SOCK_OPTION_FLAG_IN "proxy.config.net.sock_option_flag_in" = 0x1, between(0, 0x3f), no, Restart, "",
        "Options of client sockets, added up: 1 no delay, 2 keep-alive; others have no effect.";
    Str NET_TCP_CONGESTION_CONTROL_IN "proxy.config.net.tcp_congestion_control_in" = "", ANY, no, Restart, "",
        "TCP congestion control of client connections; empty: the system's, and reno on loopback addresses.";
    Str NET_TCP_CONGESTION_CONTROL_OUT "proxy.config.net.tcp_congestion_control_out" = "", ANY, no, Dynamic, "",
        "TCP congestion control of connections to origins; empty: the system's, and reno to loopback addresses.";
    Str LOCAL_OUTGOING_IP_TO_BIND "proxy.local.outgoing_ip_to_bind" = "", ADDRESSES, no, Dynamic, "",
        "Local addresses of connections to origins, one for each address family; empty: the system chooses.";
    Int NET_SOCK_RECV_BUFFER_SIZE_OUT "proxy.config.net.sock_recv_buffer_size_out" = 0, SIZE, key 9, Dynamic, "bytes",
        "Receive buffer of origin sockets; 0: the system's default.";
    Int NET_SOCK_SEND_BUFFER_SIZE_OUT "proxy.config.net.sock_send_buffer_size_out" = 0, SIZE, key 10, Dynamic, "bytes",
        "Send buffer of origin sockets; 0: the system's default.";
    Int NET_SOCK_OPTION_FLAG_OUT "proxy.config.net.sock_option_flag_out" = 0x1, between(0, 0x3f), key 11, Dynamic, "",
        "Options of origin sockets, added up: 1 no delay, 2 keep-alive; others have no effect.";

    Int NET_SOCK_PACKET_MARK_OUT "proxy.config.net.sock_packet_mark_out" = 0, between(0, 0xffff_ffff), key 55, Dynamic, "",
        "Mark of packets to origins for the system's routing (needs CAP_NET_ADMIN); 0: none.";
    Int NET_SOCK_PACKET_TOS_OUT "proxy.config.net.sock_packet_tos_out" = 0, between(0, 255), key 56, Dynamic, "",
        "Type of service of packets to origins; 0: the system's default.";

    // --- client side of HTTP
    Int HTTP_KEEP_ALIVE_ENABLED_IN "proxy.config.http.keep_alive_enabled_in" = 1, FLAG, key 5, Dynamic, "",
        "Keep client connections open after a response.";
    Int HTTP_KEEP_ALIVE_NO_ACTIVITY_TIMEOUT_IN "proxy.config.http.keep_alive_no_activity_timeout_in" = 120, POSITIVE, key 38, Dynamic, "s",
        "How long a client connection may idle between requests; 0: no limit.";
    Int HTTP_TRANSACTION_NO_ACTIVITY_TIMEOUT_IN "proxy.config.http.transaction_no_activity_timeout_in" = 30, POSITIVE, key 40, Dynamic, "s",
        "How long a client may stall within a transaction; 0: no limit.";
    Int HTTP_TRANSACTION_ACTIVE_TIMEOUT_IN "proxy.config.http.transaction_active_timeout_in" = 900, POSITIVE, key 89, Dynamic, "s",
        "How long a transaction may last on the client side; 0: no limit.";
    Int HTTP_ACCEPT_NO_ACTIVITY_TIMEOUT "proxy.config.http.accept_no_activity_timeout" = 120, POSITIVE, no, Dynamic, "s",
        "How long a new connection may stay silent; 0: no limit.";
    Int TOLLGATE_HTTP_REQUEST_HEADER_TIMEOUT "proxy.config.tollgate.http.request_header_timeout" = 30, POSITIVE, no, Dynamic, "s",
        "Within this time from its first byte a request header must be complete; 0: no limit.", ours;
    Int HTTP_REQUEST_LINE_MAX_SIZE "proxy.config.http.request_line_max_size" = 65535, between(16, 0x7fff_ffff), no, Dynamic, "bytes",
        "Longest request line.";
    Int HTTP_HEADER_FIELD_MAX_SIZE "proxy.config.http.header_field_max_size" = 131_070, between(16, 0x7fff_ffff), no, Dynamic, "bytes",
        "Longest single header field, name and value.";
    Int HTTP_REQUEST_HEADER_MAX_SIZE "proxy.config.http.request_header_max_size" = 131_072, between(256, 0x7fff_ffff), key 65, Dynamic, "bytes",
        "Largest request header.";
    Int TOLLGATE_HTTP_REQUEST_HEADER_MAX_FIELDS "proxy.config.tollgate.http.request_header_max_fields" = 256, between(1, 65535), no, Dynamic, "fields",
        "Most fields in a request header or its trailers.", ours;
    Int HTTP_MAX_POST_SIZE "proxy.config.http.max_post_size" = 0, SIZE, no, Dynamic, "bytes",
        "Largest request body; 0: no limit.";
    Int HTTP_REQUEST_BUFFER_ENABLED "proxy.config.http.request_buffer_enabled" = 0, FLAG, key 107, Dynamic, "",
        "Read a request body completely before the request goes on.";
    Int HTTP_ALLOW_HALF_OPEN "proxy.config.http.allow_half_open" = 1, FLAG, key 108, Dynamic, "",
        "A client may close its sending side and still get the response.";
    Int HTTP_CHUNKING_ENABLED "proxy.config.http.chunking_enabled" = 1, between(0, 4), key 1, Dynamic, "",
        "Send bodies of unknown length chunked to HTTP/1.1 clients; 0: close the connection instead.";
    Int HTTP_DROP_CHUNKED_TRAILERS "proxy.config.http.drop_chunked_trailers" = 0, FLAG, key 127, Dynamic, "",
        "Do not pass trailers on.";
    Str HTTP_CONNECT_PORTS "proxy.config.http.connect_ports" = "443", ANY, no, Dynamic, "",
        "Ports CONNECT may reach: numbers and ranges separated by blanks, `*` for all.";
    Int HTTP_MAX_PROXY_CYCLES "proxy.config.http.max_proxy_cycles" = 0, POSITIVE, key 120, Dynamic, "",
        "How often a request may have passed this proxy before it counts as a loop.";
    Int WEBSOCKET_NO_ACTIVITY_TIMEOUT "proxy.config.websocket.no_activity_timeout" = 600, POSITIVE, key 85, Dynamic, "s",
        "How long an upgraded connection may be silent; 0: no limit.";
    Int WEBSOCKET_ACTIVE_TIMEOUT "proxy.config.websocket.active_timeout" = 3600, POSITIVE, key 86, Dynamic, "s",
        "How long an upgraded connection may last; 0: no limit.";

    // --- header edits
    Int HTTP_INSERT_REQUEST_VIA_STR "proxy.config.http.insert_request_via_str" = 1, between(0, 4), key 31, Dynamic, "",
        "Via in proxy requests: 0 none, 1 plain, 2-4 with growing detail.";
    Int HTTP_INSERT_RESPONSE_VIA_STR "proxy.config.http.insert_response_via_str" = 0, between(0, 4), key 32, Dynamic, "",
        "Via in proxy responses: 0 none, 1 plain, 2-4 with growing detail.";
    Int HTTP_INSERT_SQUID_X_FORWARDED_FOR "proxy.config.http.insert_squid_x_forwarded_for" = 1, FLAG, key 20, Dynamic, "",
        "Append the client's address to X-Forwarded-For.";
    Int HTTP_INSERT_CLIENT_IP "proxy.config.http.insert_client_ip" = 1, between(0, 2), key 18, Dynamic, "",
        "Client-ip in proxy requests: 0 untouched, 1 set if absent, 2 always set.";
    Str HTTP_INSERT_FORWARDED "proxy.config.http.insert_forwarded" = "none", ANY, key 104, Dynamic, "",
        "Parameters of the Forwarded header in proxy requests, separated by `|`.";
    Int HTTP_INSERT_AGE_IN_RESPONSE "proxy.config.http.insert_age_in_response" = 1, FLAG, key 57, Dynamic, "",
        "Send Age with responses from the cache.";
    Int HTTP_RESPONSE_SERVER_ENABLED "proxy.config.http.response_server_enabled" = 1, between(0, 2), key 19, Dynamic, "",
        "Server in proxy responses: 0 untouched, 1 replaced, 2 set if absent.";
    Str HTTP_RESPONSE_SERVER_STR "proxy.config.http.response_server_str" = concat!("Tollgate/", env!("CARGO_PKG_VERSION")), ANY, key 52, Dynamic, "",
        "Value of Server in proxy responses.", ours;
    Int HTTP_ANONYMIZE_REMOVE_FROM "proxy.config.http.anonymize_remove_from" = 0, FLAG, key 13, Dynamic, "",
        "Remove From from proxy requests.";
    Int HTTP_ANONYMIZE_REMOVE_REFERER "proxy.config.http.anonymize_remove_referer" = 0, FLAG, key 14, Dynamic, "",
        "Remove Referer from proxy requests.";
    Int HTTP_ANONYMIZE_REMOVE_USER_AGENT "proxy.config.http.anonymize_remove_user_agent" = 0, FLAG, key 15, Dynamic, "",
        "Remove User-Agent from proxy requests.";
    Int HTTP_ANONYMIZE_REMOVE_COOKIE "proxy.config.http.anonymize_remove_cookie" = 0, FLAG, key 16, Dynamic, "",
        "Remove Cookie from proxy requests.";
    Int HTTP_ANONYMIZE_REMOVE_CLIENT_IP "proxy.config.http.anonymize_remove_client_ip" = 0, FLAG, key 17, Dynamic, "",
        "Remove Client-ip from proxy requests.";
    Str HTTP_ANONYMIZE_OTHER_HEADER_LIST "proxy.config.http.anonymize_other_header_list" = "", ANY, no, Dynamic, "",
        "Further headers to remove from proxy requests, separated by commas.";
    Str HTTP_GLOBAL_USER_AGENT_HEADER "proxy.config.http.global_user_agent_header" = "", ANY, key 75, Dynamic, "",
        "User-Agent of all proxy requests; unset: the client's.";
    Int HTTP_NORMALIZE_AE "proxy.config.http.normalize_ae" = 1, between(0, 2), key 103, Dynamic, "",
        "Accept-Encoding in proxy requests: 0 untouched, 1 reduced to gzip, 2 to br or gzip.";

    // --- origin side of HTTP
    Int HTTP_KEEP_ALIVE_ENABLED_OUT "proxy.config.http.keep_alive_enabled_out" = 1, FLAG, key 6, Dynamic, "",
        "Keep origin connections open for further requests.";
    Int HTTP_KEEP_ALIVE_POST_OUT "proxy.config.http.keep_alive_post_out" = 1, FLAG, key 7, Dynamic, "",
        "Use pooled origin connections for requests with a body.";
    Int HTTP_KEEP_ALIVE_NO_ACTIVITY_TIMEOUT_OUT "proxy.config.http.keep_alive_no_activity_timeout_out" = 120, POSITIVE, key 39, Dynamic, "s",
        "How long a pooled origin connection may idle; 0: no limit.";
    Int HTTP_TRANSACTION_NO_ACTIVITY_TIMEOUT_OUT "proxy.config.http.transaction_no_activity_timeout_out" = 30, POSITIVE, key 41, Dynamic, "s",
        "How long an origin may stall within a transaction; 0: no limit.";
    Int HTTP_TRANSACTION_ACTIVE_TIMEOUT_OUT "proxy.config.http.transaction_active_timeout_out" = 0, POSITIVE, key 42, Dynamic, "s",
        "How long a transaction may last on the origin side; 0: no limit.";
    Int HTTP_CONNECT_ATTEMPTS_TIMEOUT "proxy.config.http.connect_attempts_timeout" = 30, POSITIVE, key 46, Dynamic, "s",
        "Wait for an origin: connecting and the first byte of the response; 0: no limit.";
    Int HTTP_POST_CONNECT_ATTEMPTS_TIMEOUT "proxy.config.http.post_connect_attempts_timeout" = 1800, POSITIVE, key 47, Dynamic, "s",
        "The same for requests with a body; 0: no limit.";
    Int HTTP_CONNECT_ATTEMPTS_MAX_RETRIES "proxy.config.http.connect_attempts_max_retries" = 3, between(0, 255), key 43, Dynamic, "",
        "Further attempts to connect to an origin.";
    Int HTTP_DOWN_SERVER_CACHE_TIME "proxy.config.http.down_server.cache_time" = 60, POSITIVE, key 48, Dynamic, "s",
        "How long an origin that cannot be reached is marked down.";
    Int HTTP_RESPONSE_HEADER_MAX_SIZE "proxy.config.http.response_header_max_size" = 131_072, between(256, 0x7fff_ffff), key 66, Dynamic, "bytes",
        "Largest response header.";
    Int TOLLGATE_HTTP_RESPONSE_HEADER_MAX_FIELDS "proxy.config.tollgate.http.response_header_max_fields" = 256, between(1, 65535), no, Dynamic, "fields",
        "Most fields in a response header or its trailers.", ours;
    Int TOLLGATE_HTTP_MAX_INTERIM_RESPONSES "proxy.config.tollgate.http.max_interim_responses" = 10, between(0, 1000), no, Dynamic, "",
        "Most 1xx responses an origin may send before the final one.", ours;
    Int HTTP_NUMBER_OF_REDIRECTIONS "proxy.config.http.number_of_redirections" = 0, between(0, 100), key 81, Dynamic, "",
        "How many redirects of an origin are followed within a transaction.";
    Str HTTP_REDIRECT_ACTIONS "proxy.config.http.redirect.actions" = "routable:follow", REDIRECT_ACTIONS, no, Dynamic, "",
        "What is done about a redirect by the address it leads to, where redirects are followed; what is not named is returned to the client.";
    Int HTTP_REDIRECT_USE_ORIG_CACHE_KEY "proxy.config.http.redirect_use_orig_cache_key" = 0, FLAG, key 83, Dynamic, "",
        "Store a response reached by redirects under the first URL.";
    Int HTTP_DOC_IN_CACHE_SKIP_DNS "proxy.config.http.doc_in_cache_skip_dns" = 1, FLAG, key 50, Dynamic, "",
        "Resolve the origin only when the cache cannot answer.";
    Str HTTP_SERVER_SESSION_SHARING_MATCH "proxy.config.http.server_session_sharing.match" = "both", list_of(SESSION_MATCH), key 8, Dynamic, "",
        "What must agree for a pooled origin connection to be used.";
    Int HTTP_PER_SERVER_CONNECTION_MAX "proxy.config.http.per_server.connection.max" = 0, POSITIVE, key 110, Dynamic, "",
        "Connections to one origin; 0: no limit.";
    Int TOLLGATE_HTTP_MAX_IDLE_PER_ORIGIN "proxy.config.tollgate.http.max_idle_per_origin" = 128, POSITIVE, no, Dynamic, "connections",
        "Idle connections that one event thread keeps for one origin.", ours;
    Float HTTP_BACKGROUND_FILL_COMPLETED_THRESHOLD "proxy.config.http.background_fill_completed_threshold" = 0.0, between(0, 1), key 54, Dynamic, "",
        "Part of the body that must have come for the fill to go on without the client.";

    // --- cache rules
    Int HTTP_CACHE_HTTP "proxy.config.http.cache.http" = 1, FLAG, key 22, Dynamic, "",
        "Use the cache at all.";
    Int HTTP_CACHE_IGNORE_CLIENT_NO_CACHE "proxy.config.http.cache.ignore_client_no_cache" = 1, FLAG, key 23, Dynamic, "",
        "Answer from the cache in spite of the client's no-cache.";
    Int HTTP_CACHE_IGNORE_CLIENT_CC_MAX_AGE "proxy.config.http.cache.ignore_client_cc_max_age" = 1, FLAG, key 24, Dynamic, "",
        "Answer from the cache in spite of the client's max-age.";
    Int HTTP_CACHE_IMS_ON_CLIENT_NO_CACHE "proxy.config.http.cache.ims_on_client_no_cache" = 1, FLAG, key 25, Dynamic, "",
        "A client's no-cache has the stored object validated; 0: fetched anew.";
    Int HTTP_CACHE_IGNORE_SERVER_NO_CACHE "proxy.config.http.cache.ignore_server_no_cache" = 0, FLAG, key 26, Dynamic, "",
        "Store in spite of the origin's no-cache or no-store.";
    Int HTTP_CACHE_CACHE_RESPONSES_TO_COOKIES "proxy.config.http.cache.cache_responses_to_cookies" = 1, between(0, 4), key 27, Dynamic, "",
        "Responses to requests with cookies: 0 no, 1 any, 2 images, 3 all but text, 4 all but text unless public.";
    Int HTTP_CACHE_IGNORE_AUTHENTICATION "proxy.config.http.cache.ignore_authentication" = 0, FLAG, key 28, Dynamic, "",
        "Store in spite of WWW-Authenticate.";
    Int HTTP_CACHE_CACHE_URLS_THAT_LOOK_DYNAMIC "proxy.config.http.cache.cache_urls_that_look_dynamic" = 1, FLAG, key 29, Dynamic, "",
        "Store responses whose URL has a query or names a script.";
    Int HTTP_CACHE_REQUIRED_HEADERS "proxy.config.http.cache.required_headers" = 0, between(0, 2), key 30, Dynamic, "",
        "What a response needs to be stored: 0 nothing, 1 Last-Modified or lifetime, 2 explicit lifetime.", ours;
    Int HTTP_CACHE_WHEN_TO_REVALIDATE "proxy.config.http.cache.when_to_revalidate" = 0, between(0, 4), key 4, Dynamic, "",
        "When to revalidate: 0 stale, 1 heuristically fresh too, 2 always, 3 never, 4 on conditional requests.";
    Int HTTP_CACHE_HEURISTIC_MIN_LIFETIME "proxy.config.http.cache.heuristic_min_lifetime" = 0, POSITIVE, key 33, Dynamic, "s",
        "Shortest lifetime of a response without an explicit one.", ours;
    Int HTTP_CACHE_HEURISTIC_MAX_LIFETIME "proxy.config.http.cache.heuristic_max_lifetime" = 86400, POSITIVE, key 34, Dynamic, "s",
        "Longest lifetime of a response without an explicit one.";
    Float HTTP_CACHE_HEURISTIC_LM_FACTOR "proxy.config.http.cache.heuristic_lm_factor" = 0.10, between(0, 1), key 53, Dynamic, "",
        "Part of the age since Last-Modified that counts as lifetime.";
    Int HTTP_CACHE_GUARANTEED_MIN_LIFETIME "proxy.config.http.cache.guaranteed_min_lifetime" = 0, POSITIVE, key 35, Dynamic, "s",
        "Lower bound of every lifetime.";
    Int HTTP_CACHE_GUARANTEED_MAX_LIFETIME "proxy.config.http.cache.guaranteed_max_lifetime" = 31_536_000, POSITIVE, key 36, Dynamic, "s",
        "Upper bound of every lifetime.";
    Int HTTP_CACHE_MAX_STALE_AGE "proxy.config.http.cache.max_stale_age" = 604_800, POSITIVE, key 37, Dynamic, "s",
        "How long after its lifetime an object may be served when the origin cannot be reached.";
    Int HTTP_CACHE_OPEN_WRITE_FAIL_ACTION "proxy.config.http.cache.open_write_fail_action" = 0, between(0, 5), key 80, Dynamic, "",
        "While another request fetches the object: 0, 5 share its answer; 1 502; 2 stale object; 3 502, or stale object; 4 502, also for stale ones.";
    Int HTTP_CACHE_MAX_OPEN_READ_RETRIES "proxy.config.http.cache.max_open_read_retries" = -1, at_least(-1), key 72, Dynamic, "",
        "How often more a request waits for what another one fetches (read_while_writer.max_retries times), before it asks the origin itself; -1: as collapse_wait_timeout says.";
    Int HTTP_CACHE_OPEN_READ_RETRY_TIME "proxy.config.http.cache.open_read_retry_time" = 10, POSITIVE, key 71, Dynamic, "ms",
        "Pause before each of these, and of those that max_open_write_retries counts.";
    Int HTTP_CACHE_MAX_OPEN_WRITE_RETRIES "proxy.config.http.cache.max_open_write_retries" = 1, POSITIVE, key 82, Dynamic, "",
        "Further pauses in which a request waits for what another one fetches; 1, with max_open_read_retries -1: as collapse_wait_timeout says.";
    Int HTTP_CACHE_RANGE_LOOKUP "proxy.config.http.cache.range.lookup" = 1, FLAG, key 62, Dynamic, "",
        "Answer range requests from the cache.";
    Int HTTP_CACHE_RANGE_WRITE "proxy.config.http.cache.range.write" = 1, FLAG, key 73, Dynamic, "",
        "Store the whole object if that is what comes in answer to a range request.", ours;
    Int HTTP_CACHE_IGNORE_ACCEPT_MISMATCH "proxy.config.http.cache.ignore_accept_mismatch" = 1, between(0, 2), key 95, Dynamic, "",
        "Use a stored object whose content type the request does not accept: 0 no, 1 yes, 2 yes unless it has Vary.", ours;
    Int HTTP_CACHE_IGNORE_ACCEPT_LANGUAGE_MISMATCH "proxy.config.http.cache.ignore_accept_language_mismatch" = 1, between(0, 2), key 96, Dynamic, "",
        "Use a stored object whose language the request does not accept: 0 no, 1 yes, 2 yes unless it has Vary.", ours;
    Int HTTP_CACHE_IGNORE_ACCEPT_ENCODING_MISMATCH "proxy.config.http.cache.ignore_accept_encoding_mismatch" = 2, between(0, 2), key 97, Dynamic, "",
        "Use a stored object whose content coding the request does not accept: 0 no, 1 yes, 2 yes unless it has Vary.";
    Int HTTP_CACHE_IGNORE_ACCEPT_CHARSET_MISMATCH "proxy.config.http.cache.ignore_accept_charset_mismatch" = 1, between(0, 2), key 98, Dynamic, "",
        "Use a stored object whose charset the request does not accept: 0 no, 1 yes, 2 yes unless it has Vary.", ours;
    Int HTTP_ALLOW_MULTI_RANGE "proxy.config.http.allow_multi_range" = 1, between(0, 2), key 106, Dynamic, "",
        "Several ranges of a stored object in one request: 0 get the whole, 1 are answered, 2 get 416.", ours;
    Int TOLLGATE_HTTP_CACHE_STORE_PARTS "proxy.config.tollgate.http.cache.store_parts" = 1, FLAG, no, Dynamic, "",
        "Store 206 responses, for ranges within them and to be completed.", ours;
    Int TOLLGATE_HTTP_CACHE_SET_COOKIE "proxy.config.tollgate.http.cache.set_cookie" = 0, between(0, 2), no, Dynamic, "",
        "Responses with Set-Cookie: 0 stored and replayed, 1 stored without it, 2 not stored.", ours;
    Int HTTP_CACHE_GENERATION "proxy.config.http.cache.generation" = -1, at_least(-1), key 78, Dynamic, "",
        "Number mixed into every cache key; changing it empties the cache. -1: none.";
    Int HTTP_NEGATIVE_CACHING_ENABLED "proxy.config.http.negative_caching_enabled" = 0, FLAG, key 2, Dynamic, "",
        "Store error responses without an explicit lifetime.";
    Int HTTP_NEGATIVE_CACHING_LIFETIME "proxy.config.http.negative_caching_lifetime" = 1800, POSITIVE, key 3, Dynamic, "s",
        "Lifetime of such error responses.";
    Str HTTP_NEGATIVE_CACHING_LIST "proxy.config.http.negative_caching_list" = "204 305 403 404 405 414 500 501 502 503 504", ANY, no, Dynamic, "",
        "Statuses that negative caching concerns.";
    Int HTTP_NEGATIVE_REVALIDATING_ENABLED "proxy.config.http.negative_revalidating_enabled" = 1, FLAG, key 67, Dynamic, "",
        "Serve the stale object when revalidation ends in an error.";
    Int HTTP_NEGATIVE_REVALIDATING_LIFETIME "proxy.config.http.negative_revalidating_lifetime" = 0, POSITIVE, key 68, Dynamic, "s",
        "After a failed revalidation: how long the stale object is served without asking again.", ours;
    Int HTTP_PUSH_METHOD_ENABLED "proxy.config.http.push_method_enabled" = 0, FLAG, no, Dynamic, "",
        "Accept PUSH: the body is a response to be stored.";
    Int TOLLGATE_HTTP_CACHE_STATUS_ENABLED "proxy.config.tollgate.http.cache_status_enabled" = 0, FLAG, no, Dynamic, "",
        "Send Cache-Status (RFC 9211).", ours;
    Int TOLLGATE_HTTP_SEND_SURROGATE_KEY "proxy.config.tollgate.http.send_surrogate_key" = 0, FLAG, no, Dynamic, "",
        "Send Surrogate-Key on to clients, which have no use for it unless they are caches that are purged by it.", ours;
    Int TOLLGATE_HTTP_CACHE_COLLAPSE_ENABLED "proxy.config.tollgate.http.cache.collapse_enabled" = 1, FLAG, no, Dynamic, "",
        "Concurrent misses of one object share one origin request.", ours;
    Int TOLLGATE_HTTP_CACHE_COLLAPSE_WAIT_TIMEOUT "proxy.config.tollgate.http.cache.collapse_wait_timeout" = 30, POSITIVE, no, Dynamic, "s",
        "How long a collapsed request waits for the response header before it goes to the origin itself.", ours;
    Int TOLLGATE_HTTP_CACHE_HIT_FOR_MISS_LIFETIME "proxy.config.tollgate.http.cache.hit_for_miss_lifetime" = 120, POSITIVE, no, Dynamic, "s",
        "How long requests do not wait for each other after a response that could not be shared; 0: they always wait.", ours;
    Int TOLLGATE_HTTP_CACHE_BACKGROUND_REVALIDATIONS "proxy.config.tollgate.http.cache.background_revalidations" = 100, POSITIVE, no, Dynamic, "",
        "Most stale objects refreshed behind the scenes at a time; beyond, they are served without being refreshed.", ours;

    // --- cache store
    Int CACHE_RAM_CACHE_SIZE "proxy.config.cache.ram_cache.size" = 268_435_456, at_least(-1), no, Restart, "bytes",
        "Size of the RAM cache; -1: the default.", ours;
    Int CACHE_RAM_CACHE_CUTOFF "proxy.config.cache.ram_cache_cutoff" = 4_194_304, SIZE, no, Restart, "bytes",
        "Largest object kept in the RAM cache; 0: no limit.";
    Int CACHE_PERMIT_PINNING "proxy.config.cache.permit.pinning" = 0, FLAG, no, Dynamic, "",
        "Objects are kept in the RAM cache, and on a tenth of each disk, for as long as pin-in-cache in cache.config says.";
    Int TOLLGATE_CACHE_PINNED_SHARE "proxy.config.tollgate.cache.pinned_share" = 50, between(0, 100), no, Restart, "%",
        "Part of the RAM cache that pinned objects may fill; beyond, objects are stored without being pinned.", ours;
    Int CACHE_MAX_DOC_SIZE "proxy.config.cache.max_doc_size" = 0, SIZE, no, Dynamic, "bytes",
        "Largest object stored; 0: no limit.";
    Int CACHE_LIMITS_HTTP_MAX_ALTS "proxy.config.cache.limits.http.max_alts" = 5, between(0, 1024), no, Restart, "",
        "Alternates of one URL; 0: no limit.";
    Int TOLLGATE_CACHE_MAX_BANS "proxy.config.tollgate.cache.max_bans" = 1024, between(1, 1_000_000), no, Restart, "",
        "Purges by prefix or expression remembered until all objects have been compared with them; beyond, older objects count as purged.", ours;
    Int TOLLGATE_CACHE_MAX_PURGED_TAGS "proxy.config.tollgate.cache.max_purged_tags" = 65_536, between(1, 100_000_000), no, Restart, "",
        "Purges by tag or group remembered until all objects have been compared with them; beyond, older objects count as purged.", ours;
    Int CACHE_READ_WHILE_WRITER_MAX_RETRIES "proxy.config.cache.read_while_writer.max_retries" = 10, POSITIVE, no, Dynamic, "",
        "Pauses in which a request waits for the header of what another one fetches, each time that it does.";
    Int CACHE_READ_WHILE_WRITER_RETRY_DELAY "proxy.config.cache.read_while_writer_retry.delay" = 50, POSITIVE, no, Dynamic, "ms",
        "Length of such a pause; twice that from the third on.";
    Int CACHE_SELECT_ALTERNATE "proxy.config.cache.select_alternate" = 1, FLAG, no, Dynamic, "",
        "Compare alternates by the client's Accept headers; 0: take the first.";

    Str CACHE_STORAGE_FILENAME "proxy.config.cache.storage_filename" = "storage.config", ANY, no, Restart, "",
        "File of the devices where the cache lies; without one the cache is in memory only.", ours;
    Str CACHE_VOLUME_FILENAME "proxy.config.cache.volume_filename" = "volume.config", ANY, no, Restart, "",
        "File of the volumes into which the cache is divided.";
    Str CACHE_HOSTING_FILENAME "proxy.config.cache.hosting_filename" = "hosting.config", ANY, no, Restart, "",
        "File of the volumes that hosts have.";
    Int CACHE_MIN_AVERAGE_OBJECT_SIZE "proxy.config.cache.min_average_object_size" = 8000, between(512, 1 << 30), no, Restart, "bytes",
        "The index on a disk has room for so many objects of this size: 10 bytes of memory each.";
    Int CACHE_TARGET_FRAGMENT_SIZE "proxy.config.cache.target_fragment_size" = 1_048_576, between(4096, 4_000_000), no, Restart, "bytes",
        "Bodies above this size are stored on disks in fragments of it.";
    Int CACHE_AGG_WRITE_BACKLOG "proxy.config.cache.agg_write_backlog" = 67_108_864, SIZE, no, Restart, "bytes",
        "Complete objects that may wait to be written to disks; more are not stored there. 0: no limit.", ours;
    Int CACHE_HIT_EVACUATE_PERCENT "proxy.config.cache.hit_evacuate_percent" = 10, between(0, 50), no, Restart, "%",
        "What is hit within so much of a disk before it would be overwritten is written anew; 0: nothing is.", ours;
    Int CACHE_HIT_EVACUATE_SIZE_LIMIT "proxy.config.cache.hit_evacuate_size_limit" = 4_194_304, SIZE, no, Restart, "bytes",
        "Larger bodies are not written anew when they are hit; 0: no limit.", ours;
    Int CACHE_DIR_SYNC_FREQUENCY "proxy.config.cache.dir.sync_frequency" = 60, between(1, 86400), no, Restart, "s",
        "Time between writings of a disk's index; a start replays what was stored since.";
    Int CACHE_MAX_DISK_ERRORS "proxy.config.cache.max_disk_errors" = 5, POSITIVE, no, Restart, "",
        "Errors in a row after which a disk is not used any more; 0: it always is.";

    // --- remap and other files
    Str URL_REMAP_FILENAME "proxy.config.url_remap.filename" = "remap.config", ANY, no, Dynamic, "",
        "File of remap rules.";
    Int URL_REMAP_REMAP_REQUIRED "proxy.config.url_remap.remap_required" = 1, FLAG, no, Dynamic, "",
        "Refuse requests that no remap rule matches.";
    Int URL_REMAP_PRISTINE_HOST_HDR "proxy.config.url_remap.pristine_host_hdr" = 0, FLAG, key 0, Dynamic, "",
        "Keep the client's Host in proxy requests.";
    Int HTTP_REFERER_FILTER "proxy.config.http.referer_filter" = 0, FLAG, no, Dynamic, "",
        "Apply the referer patterns of map_with_referer rules.";
    Int HTTP_REFERER_FORMAT_REDIRECT "proxy.config.http.referer_format_redirect" = 0, FLAG, no, Dynamic, "",
        "Fill %r (Referer), %f (from URL), %t (to URL) and %o (the client's URL) into redirects of map_with_referer rules.";
    Str HTTP_REFERER_DEFAULT_REDIRECT "proxy.config.http.referer_default_redirect" = "http://www.example.com/", ANY, no, Dynamic, "",
        "Where requests with a refused Referer go when their rule names no URL.";
    Str CACHE_IP_ALLOW_FILENAME "proxy.config.cache.ip_allow.filename" = "ip_allow.yaml", ANY, no, Dynamic, "",
        "File of addresses that may use the proxy.";
    Str CACHE_CONTROL_FILENAME "proxy.config.cache.control.filename" = "cache.config", ANY, no, Dynamic, "",
        "File of rules for what is cached, by destination.";

    // --- names
    Str DNS_NAMESERVERS "proxy.config.dns.nameservers" = "", SOCKET_ADDRESSES, no, Restart, "",
        "Name servers to ask, separated by blanks; empty: those of /etc/resolv.conf.";
    Int HOSTDB_TIMEOUT "proxy.config.hostdb.timeout" = 86400, POSITIVE, no, Dynamic, "s",
        "Lifetime of resolved names, as far as `hostdb.ttl_mode` says.";
    Int HOSTDB_FAIL_TIMEOUT "proxy.config.hostdb.fail.timeout" = 0, POSITIVE, no, Dynamic, "s",
        "How long a name that could not be resolved is not asked for again.";
    Int HOSTDB_LOOKUP_TIMEOUT "proxy.config.hostdb.lookup_timeout" = 30, POSITIVE, no, Dynamic, "s",
        "Wait for a name to be resolved, all attempts together.";
    Str HOSTDB_IP_RESOLVE "proxy.config.hostdb.ip_resolve" = "", list_of(&["ipv4", "ipv6", "client", "only", "none"]), key 118, Dynamic, "",
        "Preferred address families, separated by `;`; unset: ipv4;ipv6.";
    Str HOSTDB_HOST_FILE_PATH "proxy.config.hostdb.host_file.path" = "", ANY, no, Restart, "",
        "Hosts file asked before the DNS; unset: none.";

    // --- plugins
    Str PLUGIN_PLUGIN_DIR "proxy.config.plugin.plugin_dir" = "/usr/lib/trafficserver/modules", ANY, no, Restart, "",
        "Where plugin files that are named without a folder are looked for.", ours;
    Int PLUGIN_DYNAMIC_RELOAD_MODE "proxy.config.plugin.dynamic_reload_mode" = 1, FLAG, no, Dynamic, "",
        "Load copies of remap plugins' files, so that a file that has changed is loaded anew at a reload.";
    Int TOLLGATE_TS_BLOCKING_LIMIT "proxy.config.tollgate.ts.blocking_limit" = 500, POSITIVE, no, Restart, "ms",
        "How long a C plugin's handler may keep an event thread before that is logged; 0: never.", ours;
    Int TOLLGATE_TS_LOCK_ORDER "proxy.config.tollgate.ts.lock_order" = 0, FLAG, no, Dynamic, "",
        "Log when C plugins take mutexes in an order in which two threads can come to wait for each other; costs time.", ours;
    Str TOLLGATE_TS_PRELOAD "proxy.config.tollgate.ts.preload" = "libpcre.so.3 libz.so.1 libcrypto.so.3 libssl.so.3 libyaml-cpp.so.0.7 libtscpputil.so.9 libtscore.so.9 libtscppapi.so.9", ANY, no, Restart, "",
        "Libraries loaded, as far as they are there, before the first C plugin: plugins use them without naming them.", ours;
    Int TOLLGATE_PLUGIN_HANDLER_TIMEOUT "proxy.config.tollgate.plugin.handler_timeout" = 30, POSITIVE, no, Dynamic, "s",
        "How long a handler may make a transaction wait before the watchdog warns; 0: no limit.", ours;
    Str TOLLGATE_PLUGIN_HANDLER_TIMEOUT_ACTION "proxy.config.tollgate.plugin.handler_timeout_action" = "log", one_of(&["log", "fail"]), no, Dynamic, "",
        "What happens then: `log` waits on, `fail` gives the handler up and answers with 500.", ours;

    // --- error pages
    Int BODY_FACTORY_ENABLE_CUSTOMIZATIONS "proxy.config.body_factory.enable_customizations" = 1, between(0, 3), no, Dynamic, "",
        "Error pages: 0 built in, 1 the default template set, 2 by language, 3 by host.";
    Str BODY_FACTORY_TEMPLATE_SETS_DIR "proxy.config.body_factory.template_sets_dir" = "body_factory", ANY, no, Dynamic, "",
        "Directory of error page templates, relative to the configuration directory.", ours;
    Int BODY_FACTORY_RESPONSE_MAX_SIZE "proxy.config.body_factory.response_max_size" = 8192, SIZE, no, Dynamic, "bytes",
        "Largest error page.";

    // --- logs and admin
    Int LOG_LOGGING_ENABLED "proxy.config.log.logging_enabled" = 3, between(0, 3), no, Dynamic, "",
        "Logs: 0 none, 1 errors, 2 transactions, 3 both.";
    Str LOG_LOGFILE_DIR "proxy.config.log.logfile_dir" = "", ANY, no, Restart, "",
        "Directory of log files; unset: no log files are written.", ours;
    Str TOLLGATE_LOG_ACCESS_FORMAT "proxy.config.tollgate.log.access.format" = "squid", one_of(&["squid", "cache", "common", "combined"]), no, Restart, "",
        "Format of the access log.", ours;
    Str TOLLGATE_LOG_ACCESS_FILE "proxy.config.tollgate.log.access.file" = "access.log", ANY, no, Restart, "",
        "File of the access log in `log.logfile_dir`; unset: no access log.", ours;
    Str TOLLGATE_DIAGS_LEVEL "proxy.config.tollgate.diags.level" = "note", one_of(&["fatal", "error", "warning", "note", "debug"]), no, Restart, "",
        "Least severe message written to the diagnostics log.", ours;
    Str DIAGS_DEBUG_TAGS "proxy.config.diags.debug.tags" = "http|dns", ANY, no, Dynamic, "",
        "Regular expression: the tags of C plugins' debug messages that are written.";
    Int DIAGS_DEBUG_ENABLED "proxy.config.diags.debug.enabled" = 0, between(0, 3), no, Dynamic, "",
        "Write debug messages whose tag matches `diags.debug.tags`.";
    Int TOLLGATE_CLOCK_OFFSET "proxy.config.tollgate.clock_offset" = 0, POSITIVE, no, Dynamic, "s",
        "Seconds that the time of day is ahead of the system's: to see what becomes of stored objects later.", ours;
    Str TOLLGATE_ADMIN_LISTEN "proxy.config.tollgate.admin.listen" = "", ANY, no, Restart, "",
        "Address and port of the admin listener (metrics); unset: none.", ours;
    Str TOLLGATE_CONTROL_SOCKET "proxy.config.tollgate.control.socket" = "run/tollgate.sock", ANY, no, Restart, "",
        "Path of the control socket; relative to the configuration directory (without one: none). Unset: none.", ours;
}
