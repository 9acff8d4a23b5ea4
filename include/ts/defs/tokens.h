/* Well-known words of URLs and headers.
 *
 * What the header calls return for one of these words is the very pointer that its variable holds, so words can be
 * compared by address. The variables have their values before a plugin is loaded.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* Two variables: a word and its length. */
#define TS_TOKEN(word, length) extern const char *word; extern int length

/* Schemes. */
TS_TOKEN(TS_URL_SCHEME_FILE, TS_URL_LEN_FILE);         /* file */
TS_TOKEN(TS_URL_SCHEME_FTP, TS_URL_LEN_FTP);           /* ftp */
TS_TOKEN(TS_URL_SCHEME_GOPHER, TS_URL_LEN_GOPHER);     /* gopher */
TS_TOKEN(TS_URL_SCHEME_HTTP, TS_URL_LEN_HTTP);         /* http */
TS_TOKEN(TS_URL_SCHEME_HTTPS, TS_URL_LEN_HTTPS);       /* https */
TS_TOKEN(TS_URL_SCHEME_MAILTO, TS_URL_LEN_MAILTO);     /* mailto */
TS_TOKEN(TS_URL_SCHEME_NEWS, TS_URL_LEN_NEWS);         /* news */
TS_TOKEN(TS_URL_SCHEME_NNTP, TS_URL_LEN_NNTP);         /* nntp */
TS_TOKEN(TS_URL_SCHEME_PROSPERO, TS_URL_LEN_PROSPERO); /* prospero */
TS_TOKEN(TS_URL_SCHEME_TELNET, TS_URL_LEN_TELNET);     /* telnet */
TS_TOKEN(TS_URL_SCHEME_WAIS, TS_URL_LEN_WAIS);         /* wais */
TS_TOKEN(TS_URL_SCHEME_WS, TS_URL_LEN_WS);             /* ws */
TS_TOKEN(TS_URL_SCHEME_WSS, TS_URL_LEN_WSS);           /* wss */

/* Methods. */
TS_TOKEN(TS_HTTP_METHOD_CONNECT, TS_HTTP_LEN_CONNECT); /* CONNECT */
TS_TOKEN(TS_HTTP_METHOD_DELETE, TS_HTTP_LEN_DELETE);   /* DELETE */
TS_TOKEN(TS_HTTP_METHOD_GET, TS_HTTP_LEN_GET);         /* GET */
TS_TOKEN(TS_HTTP_METHOD_HEAD, TS_HTTP_LEN_HEAD);       /* HEAD */
TS_TOKEN(TS_HTTP_METHOD_OPTIONS, TS_HTTP_LEN_OPTIONS); /* OPTIONS */
TS_TOKEN(TS_HTTP_METHOD_POST, TS_HTTP_LEN_POST);       /* POST */
TS_TOKEN(TS_HTTP_METHOD_PURGE, TS_HTTP_LEN_PURGE);     /* PURGE */
TS_TOKEN(TS_HTTP_METHOD_PUT, TS_HTTP_LEN_PUT);         /* PUT */
TS_TOKEN(TS_HTTP_METHOD_TRACE, TS_HTTP_LEN_TRACE);     /* TRACE */
TS_TOKEN(TS_HTTP_METHOD_PUSH, TS_HTTP_LEN_PUSH);       /* PUSH */

/* Words in values of fields. */
TS_TOKEN(TS_HTTP_VALUE_BYTES, TS_HTTP_LEN_BYTES);                       /* Bytes */
TS_TOKEN(TS_HTTP_VALUE_CHUNKED, TS_HTTP_LEN_CHUNKED);                   /* chunked */
TS_TOKEN(TS_HTTP_VALUE_CLOSE, TS_HTTP_LEN_CLOSE);                       /* close */
TS_TOKEN(TS_HTTP_VALUE_COMPRESS, TS_HTTP_LEN_COMPRESS);                 /* compress */
TS_TOKEN(TS_HTTP_VALUE_DEFLATE, TS_HTTP_LEN_DEFLATE);                   /* deflate */
TS_TOKEN(TS_HTTP_VALUE_GZIP, TS_HTTP_LEN_GZIP);                         /* gzip */
TS_TOKEN(TS_HTTP_VALUE_BROTLI, TS_HTTP_LEN_BROTLI);                     /* br */
TS_TOKEN(TS_HTTP_VALUE_IDENTITY, TS_HTTP_LEN_IDENTITY);                 /* identity */
TS_TOKEN(TS_HTTP_VALUE_KEEP_ALIVE, TS_HTTP_LEN_KEEP_ALIVE);             /* Keep-Alive */
TS_TOKEN(TS_HTTP_VALUE_MAX_AGE, TS_HTTP_LEN_MAX_AGE);                   /* max-age */
TS_TOKEN(TS_HTTP_VALUE_MAX_STALE, TS_HTTP_LEN_MAX_STALE);               /* max-stale */
TS_TOKEN(TS_HTTP_VALUE_MIN_FRESH, TS_HTTP_LEN_MIN_FRESH);               /* min-fresh */
TS_TOKEN(TS_HTTP_VALUE_MUST_REVALIDATE, TS_HTTP_LEN_MUST_REVALIDATE);   /* must-revalidate */
TS_TOKEN(TS_HTTP_VALUE_NONE, TS_HTTP_LEN_NONE);                         /* none */
TS_TOKEN(TS_HTTP_VALUE_NO_CACHE, TS_HTTP_LEN_NO_CACHE);                 /* no-cache */
TS_TOKEN(TS_HTTP_VALUE_NO_STORE, TS_HTTP_LEN_NO_STORE);                 /* no-store */
TS_TOKEN(TS_HTTP_VALUE_NO_TRANSFORM, TS_HTTP_LEN_NO_TRANSFORM);         /* no-transform */
TS_TOKEN(TS_HTTP_VALUE_ONLY_IF_CACHED, TS_HTTP_LEN_ONLY_IF_CACHED);     /* only-if-cached */
TS_TOKEN(TS_HTTP_VALUE_PRIVATE, TS_HTTP_LEN_PRIVATE);                   /* private */
TS_TOKEN(TS_HTTP_VALUE_PROXY_REVALIDATE, TS_HTTP_LEN_PROXY_REVALIDATE); /* proxy-revalidate */
TS_TOKEN(TS_HTTP_VALUE_PUBLIC, TS_HTTP_LEN_PUBLIC);                     /* Public */

/* Names of fields. */
TS_TOKEN(TS_MIME_FIELD_ACCEPT, TS_MIME_LEN_ACCEPT);                                       /* Accept */
TS_TOKEN(TS_MIME_FIELD_ACCEPT_CHARSET, TS_MIME_LEN_ACCEPT_CHARSET);                       /* Accept-Charset */
TS_TOKEN(TS_MIME_FIELD_ACCEPT_ENCODING, TS_MIME_LEN_ACCEPT_ENCODING);                     /* Accept-Encoding */
TS_TOKEN(TS_MIME_FIELD_ACCEPT_LANGUAGE, TS_MIME_LEN_ACCEPT_LANGUAGE);                     /* Accept-Language */
TS_TOKEN(TS_MIME_FIELD_ACCEPT_RANGES, TS_MIME_LEN_ACCEPT_RANGES);                         /* Accept-Ranges */
TS_TOKEN(TS_MIME_FIELD_AGE, TS_MIME_LEN_AGE);                                             /* Age */
TS_TOKEN(TS_MIME_FIELD_ALLOW, TS_MIME_LEN_ALLOW);                                         /* Allow */
TS_TOKEN(TS_MIME_FIELD_APPROVED, TS_MIME_LEN_APPROVED);                                   /* Approved */
TS_TOKEN(TS_MIME_FIELD_AUTHORIZATION, TS_MIME_LEN_AUTHORIZATION);                         /* Authorization */
TS_TOKEN(TS_MIME_FIELD_BYTES, TS_MIME_LEN_BYTES);                                         /* Bytes */
TS_TOKEN(TS_MIME_FIELD_CACHE_CONTROL, TS_MIME_LEN_CACHE_CONTROL);                         /* Cache-Control */
TS_TOKEN(TS_MIME_FIELD_CLIENT_IP, TS_MIME_LEN_CLIENT_IP);                                 /* Client-ip */
TS_TOKEN(TS_MIME_FIELD_CONNECTION, TS_MIME_LEN_CONNECTION);                               /* Connection */
TS_TOKEN(TS_MIME_FIELD_CONTENT_BASE, TS_MIME_LEN_CONTENT_BASE);                           /* Content-Base */
TS_TOKEN(TS_MIME_FIELD_CONTENT_ENCODING, TS_MIME_LEN_CONTENT_ENCODING);                   /* Content-Encoding */
TS_TOKEN(TS_MIME_FIELD_CONTENT_LANGUAGE, TS_MIME_LEN_CONTENT_LANGUAGE);                   /* Content-Language */
TS_TOKEN(TS_MIME_FIELD_CONTENT_LENGTH, TS_MIME_LEN_CONTENT_LENGTH);                       /* Content-Length */
TS_TOKEN(TS_MIME_FIELD_CONTENT_LOCATION, TS_MIME_LEN_CONTENT_LOCATION);                   /* Content-Location */
TS_TOKEN(TS_MIME_FIELD_CONTENT_MD5, TS_MIME_LEN_CONTENT_MD5);                             /* Content-MD5 */
TS_TOKEN(TS_MIME_FIELD_CONTENT_RANGE, TS_MIME_LEN_CONTENT_RANGE);                         /* Content-Range */
TS_TOKEN(TS_MIME_FIELD_CONTENT_TYPE, TS_MIME_LEN_CONTENT_TYPE);                           /* Content-Type */
TS_TOKEN(TS_MIME_FIELD_CONTROL, TS_MIME_LEN_CONTROL);                                     /* Control */
TS_TOKEN(TS_MIME_FIELD_COOKIE, TS_MIME_LEN_COOKIE);                                       /* Cookie */
TS_TOKEN(TS_MIME_FIELD_DATE, TS_MIME_LEN_DATE);                                           /* Date */
TS_TOKEN(TS_MIME_FIELD_DISTRIBUTION, TS_MIME_LEN_DISTRIBUTION);                           /* Distribution */
TS_TOKEN(TS_MIME_FIELD_ETAG, TS_MIME_LEN_ETAG);                                           /* Etag */
TS_TOKEN(TS_MIME_FIELD_EXPECT, TS_MIME_LEN_EXPECT);                                       /* Expect */
TS_TOKEN(TS_MIME_FIELD_EXPIRES, TS_MIME_LEN_EXPIRES);                                     /* Expires */
TS_TOKEN(TS_MIME_FIELD_FOLLOWUP_TO, TS_MIME_LEN_FOLLOWUP_TO);                             /* Followup-To */
TS_TOKEN(TS_MIME_FIELD_FROM, TS_MIME_LEN_FROM);                                           /* From */
TS_TOKEN(TS_MIME_FIELD_HOST, TS_MIME_LEN_HOST);                                           /* Host */
TS_TOKEN(TS_MIME_FIELD_IF_MATCH, TS_MIME_LEN_IF_MATCH);                                   /* If-Match */
TS_TOKEN(TS_MIME_FIELD_IF_MODIFIED_SINCE, TS_MIME_LEN_IF_MODIFIED_SINCE);                 /* If-Modified-Since */
TS_TOKEN(TS_MIME_FIELD_IF_NONE_MATCH, TS_MIME_LEN_IF_NONE_MATCH);                         /* If-None-Match */
TS_TOKEN(TS_MIME_FIELD_IF_RANGE, TS_MIME_LEN_IF_RANGE);                                   /* If-Range */
TS_TOKEN(TS_MIME_FIELD_IF_UNMODIFIED_SINCE, TS_MIME_LEN_IF_UNMODIFIED_SINCE);             /* If-Unmodified-Since */
TS_TOKEN(TS_MIME_FIELD_KEEP_ALIVE, TS_MIME_LEN_KEEP_ALIVE);                               /* Keep-Alive */
TS_TOKEN(TS_MIME_FIELD_KEYWORDS, TS_MIME_LEN_KEYWORDS);                                   /* Keywords */
TS_TOKEN(TS_MIME_FIELD_LAST_MODIFIED, TS_MIME_LEN_LAST_MODIFIED);                         /* Last-Modified */
TS_TOKEN(TS_MIME_FIELD_LINES, TS_MIME_LEN_LINES);                                         /* Lines */
TS_TOKEN(TS_MIME_FIELD_LOCATION, TS_MIME_LEN_LOCATION);                                   /* Location */
TS_TOKEN(TS_MIME_FIELD_MAX_FORWARDS, TS_MIME_LEN_MAX_FORWARDS);                           /* Max-Forwards */
TS_TOKEN(TS_MIME_FIELD_MESSAGE_ID, TS_MIME_LEN_MESSAGE_ID);                               /* Message-ID */
TS_TOKEN(TS_MIME_FIELD_NEWSGROUPS, TS_MIME_LEN_NEWSGROUPS);                               /* Newsgroups */
TS_TOKEN(TS_MIME_FIELD_ORGANIZATION, TS_MIME_LEN_ORGANIZATION);                           /* Organization */
TS_TOKEN(TS_MIME_FIELD_PATH, TS_MIME_LEN_PATH);                                           /* Path */
TS_TOKEN(TS_MIME_FIELD_PRAGMA, TS_MIME_LEN_PRAGMA);                                       /* Pragma */
TS_TOKEN(TS_MIME_FIELD_PROXY_AUTHENTICATE, TS_MIME_LEN_PROXY_AUTHENTICATE);               /* Proxy-Authenticate */
TS_TOKEN(TS_MIME_FIELD_PROXY_AUTHORIZATION, TS_MIME_LEN_PROXY_AUTHORIZATION);             /* Proxy-Authorization */
TS_TOKEN(TS_MIME_FIELD_PROXY_CONNECTION, TS_MIME_LEN_PROXY_CONNECTION);                   /* Proxy-Connection */
TS_TOKEN(TS_MIME_FIELD_PUBLIC, TS_MIME_LEN_PUBLIC);                                       /* Public */
TS_TOKEN(TS_MIME_FIELD_RANGE, TS_MIME_LEN_RANGE);                                         /* Range */
TS_TOKEN(TS_MIME_FIELD_REFERENCES, TS_MIME_LEN_REFERENCES);                               /* References */
TS_TOKEN(TS_MIME_FIELD_REFERER, TS_MIME_LEN_REFERER);                                     /* Referer */
TS_TOKEN(TS_MIME_FIELD_REPLY_TO, TS_MIME_LEN_REPLY_TO);                                   /* Reply-To */
TS_TOKEN(TS_MIME_FIELD_RETRY_AFTER, TS_MIME_LEN_RETRY_AFTER);                             /* Retry-After */
TS_TOKEN(TS_MIME_FIELD_SENDER, TS_MIME_LEN_SENDER);                                       /* Sender */
TS_TOKEN(TS_MIME_FIELD_SERVER, TS_MIME_LEN_SERVER);                                       /* Server */
TS_TOKEN(TS_MIME_FIELD_SET_COOKIE, TS_MIME_LEN_SET_COOKIE);                               /* Set-Cookie */
TS_TOKEN(TS_MIME_FIELD_STRICT_TRANSPORT_SECURITY, TS_MIME_LEN_STRICT_TRANSPORT_SECURITY); /* Strict-Transport-Security */
TS_TOKEN(TS_MIME_FIELD_SUBJECT, TS_MIME_LEN_SUBJECT);                                     /* Subject */
TS_TOKEN(TS_MIME_FIELD_SUMMARY, TS_MIME_LEN_SUMMARY);                                     /* Summary */
TS_TOKEN(TS_MIME_FIELD_TE, TS_MIME_LEN_TE);                                               /* TE */
TS_TOKEN(TS_MIME_FIELD_TRANSFER_ENCODING, TS_MIME_LEN_TRANSFER_ENCODING);                 /* Transfer-Encoding */
TS_TOKEN(TS_MIME_FIELD_UPGRADE, TS_MIME_LEN_UPGRADE);                                     /* Upgrade */
TS_TOKEN(TS_MIME_FIELD_USER_AGENT, TS_MIME_LEN_USER_AGENT);                               /* User-Agent */
TS_TOKEN(TS_MIME_FIELD_VARY, TS_MIME_LEN_VARY);                                           /* Vary */
TS_TOKEN(TS_MIME_FIELD_VIA, TS_MIME_LEN_VIA);                                             /* Via */
TS_TOKEN(TS_MIME_FIELD_WARNING, TS_MIME_LEN_WARNING);                                     /* Warning */
TS_TOKEN(TS_MIME_FIELD_WWW_AUTHENTICATE, TS_MIME_LEN_WWW_AUTHENTICATE);                   /* Www-Authenticate */
TS_TOKEN(TS_MIME_FIELD_XREF, TS_MIME_LEN_XREF);                                           /* Xref */
TS_TOKEN(TS_MIME_FIELD_X_FORWARDED_FOR, TS_MIME_LEN_X_FORWARDED_FOR);                     /* X-Forwarded-For */
TS_TOKEN(TS_MIME_FIELD_FORWARDED, TS_MIME_LEN_FORWARDED);                                 /* Forwarded */

#undef TS_TOKEN

/* Schemes of other protocols; they are NULL. */
extern const char *TS_URL_SCHEME_TUNNEL;
extern const char *TS_URL_SCHEME_PNM;
extern const char *TS_URL_SCHEME_RTSP;
extern const char *TS_URL_SCHEME_RTSPU;
extern const char *TS_URL_SCHEME_MMS;
extern const char *TS_URL_SCHEME_MMSU;
extern const char *TS_URL_SCHEME_MMST;

/* Protocols that TLS connections agree on, the numbers of theirs, and groups of them. */
extern const char *const TS_ALPN_PROTOCOL_HTTP_0_9; /* http/0.9 */
extern const char *const TS_ALPN_PROTOCOL_HTTP_1_0; /* http/1.0 */
extern const char *const TS_ALPN_PROTOCOL_HTTP_1_1; /* http/1.1 */
extern const char *const TS_ALPN_PROTOCOL_HTTP_2_0; /* h2 */
extern const char *const TS_ALPN_PROTOCOL_HTTP_3; /* h3-29 */
extern const char *const TS_ALPN_PROTOCOL_HTTP_3_D27; /* h3-27 */
extern const char *const TS_ALPN_PROTOCOL_HTTP_QUIC; /* hq-29 */
extern const char *const TS_ALPN_PROTOCOL_HTTP_QUIC_D27; /* hq-27 */
extern int TS_ALPN_PROTOCOL_INDEX_HTTP_0_9;
extern int TS_ALPN_PROTOCOL_INDEX_HTTP_1_0;
extern int TS_ALPN_PROTOCOL_INDEX_HTTP_1_1;
extern int TS_ALPN_PROTOCOL_INDEX_HTTP_2_0;
extern int TS_ALPN_PROTOCOL_INDEX_HTTP_3;
extern int TS_ALPN_PROTOCOL_INDEX_HTTP_QUIC;
extern const char *const TS_ALPN_PROTOCOL_GROUP_HTTP; /* http */
extern const char *const TS_ALPN_PROTOCOL_GROUP_HTTP2; /* http2 */

/* Layers of a connection, as TSHttpTxnClientProtocolStackGet gives them. */
extern const char *const TS_PROTO_TAG_HTTP_1_0; /* http/1.0 */
extern const char *const TS_PROTO_TAG_HTTP_1_1; /* http/1.1 */
extern const char *const TS_PROTO_TAG_HTTP_2_0; /* h2 */
extern const char *const TS_PROTO_TAG_HTTP_3; /* h3-29 */
extern const char *const TS_PROTO_TAG_HTTP_QUIC; /* hq-29 */
extern const char *const TS_PROTO_TAG_TLS_1_3; /* tls/1.3 */
extern const char *const TS_PROTO_TAG_TLS_1_2; /* tls/1.2 */
extern const char *const TS_PROTO_TAG_TLS_1_1; /* tls/1.1 */
extern const char *const TS_PROTO_TAG_TLS_1_0; /* tls/1.0 */
extern const char *const TS_PROTO_TAG_TCP; /* tcp */
extern const char *const TS_PROTO_TAG_UDP; /* udp */
extern const char *const TS_PROTO_TAG_IPV4; /* ipv4 */
extern const char *const TS_PROTO_TAG_IPV6; /* ipv6 */

#ifdef __cplusplus
}
#endif
