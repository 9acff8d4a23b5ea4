//! The constants that plugins compare names, methods, schemes and values with.
//!
//! Responsible for: pointer variables and their lengths, which have their values before any plugin is loaded.

use crate::message::tokens::{address, constant, length};
use std::ffi::{c_char, c_int};

/// A `const char *` variable that C reads.
#[repr(transparent)]
pub struct ConstPointer(pub *const c_char);

// SAFETY: it points to bytes of a static that never change.
unsafe impl Sync for ConstPointer {}

macro_rules! constants {
    ({ $($pointer:ident $length:ident = $text:literal;)+ } null { $($null:ident $zero:ident;)+ }) => {
        $(
            #[doc = concat!("`", $text, "`")]
            #[unsafe(no_mangle)]
            pub static $pointer: ConstPointer = ConstPointer(address(constant($text)).cast());
            #[doc = concat!("Length of `", $text, "`.")]
            #[unsafe(no_mangle)]
            pub static $length: c_int = length(constant($text)) as c_int;
        )+
        $(
            /// Null, as in Traffic Server.
            #[unsafe(no_mangle)]
            pub static $null: ConstPointer = ConstPointer(std::ptr::null());
            /// 0, as in Traffic Server.
            #[unsafe(no_mangle)]
            pub static $zero: c_int = 0;
        )+
        pub(super) const CONSTANTS: &[super::Symbol] = &[
            $((stringify!($pointer), (&raw const $pointer).cast()), (stringify!($length), (&raw const $length).cast()),)+
            $((stringify!($null), (&raw const $null).cast()), (stringify!($zero), (&raw const $zero).cast()),)+
        ];
    };
}

constants! {
    {
    TS_HTTP_METHOD_CONNECT TS_HTTP_LEN_CONNECT = "CONNECT";
    TS_HTTP_METHOD_DELETE TS_HTTP_LEN_DELETE = "DELETE";
    TS_HTTP_METHOD_GET TS_HTTP_LEN_GET = "GET";
    TS_HTTP_METHOD_HEAD TS_HTTP_LEN_HEAD = "HEAD";
    TS_HTTP_METHOD_OPTIONS TS_HTTP_LEN_OPTIONS = "OPTIONS";
    TS_HTTP_METHOD_POST TS_HTTP_LEN_POST = "POST";
    TS_HTTP_METHOD_PURGE TS_HTTP_LEN_PURGE = "PURGE";
    TS_HTTP_METHOD_PUSH TS_HTTP_LEN_PUSH = "PUSH";
    TS_HTTP_METHOD_PUT TS_HTTP_LEN_PUT = "PUT";
    TS_HTTP_METHOD_TRACE TS_HTTP_LEN_TRACE = "TRACE";
    TS_HTTP_VALUE_BROTLI TS_HTTP_LEN_BROTLI = "br";
    TS_HTTP_VALUE_BYTES TS_HTTP_LEN_BYTES = "Bytes";
    TS_HTTP_VALUE_CHUNKED TS_HTTP_LEN_CHUNKED = "chunked";
    TS_HTTP_VALUE_CLOSE TS_HTTP_LEN_CLOSE = "close";
    TS_HTTP_VALUE_COMPRESS TS_HTTP_LEN_COMPRESS = "compress";
    TS_HTTP_VALUE_DEFLATE TS_HTTP_LEN_DEFLATE = "deflate";
    TS_HTTP_VALUE_GZIP TS_HTTP_LEN_GZIP = "gzip";
    TS_HTTP_VALUE_IDENTITY TS_HTTP_LEN_IDENTITY = "identity";
    TS_HTTP_VALUE_KEEP_ALIVE TS_HTTP_LEN_KEEP_ALIVE = "Keep-Alive";
    TS_HTTP_VALUE_MAX_AGE TS_HTTP_LEN_MAX_AGE = "max-age";
    TS_HTTP_VALUE_MAX_STALE TS_HTTP_LEN_MAX_STALE = "max-stale";
    TS_HTTP_VALUE_MIN_FRESH TS_HTTP_LEN_MIN_FRESH = "min-fresh";
    TS_HTTP_VALUE_MUST_REVALIDATE TS_HTTP_LEN_MUST_REVALIDATE = "must-revalidate";
    TS_HTTP_VALUE_NONE TS_HTTP_LEN_NONE = "none";
    TS_HTTP_VALUE_NO_CACHE TS_HTTP_LEN_NO_CACHE = "no-cache";
    TS_HTTP_VALUE_NO_STORE TS_HTTP_LEN_NO_STORE = "no-store";
    TS_HTTP_VALUE_NO_TRANSFORM TS_HTTP_LEN_NO_TRANSFORM = "no-transform";
    TS_HTTP_VALUE_ONLY_IF_CACHED TS_HTTP_LEN_ONLY_IF_CACHED = "only-if-cached";
    TS_HTTP_VALUE_PRIVATE TS_HTTP_LEN_PRIVATE = "private";
    TS_HTTP_VALUE_PROXY_REVALIDATE TS_HTTP_LEN_PROXY_REVALIDATE = "proxy-revalidate";
    TS_HTTP_VALUE_PUBLIC TS_HTTP_LEN_PUBLIC = "Public";
    TS_HTTP_VALUE_S_MAXAGE TS_HTTP_LEN_S_MAXAGE = "s-maxage";
    TS_MIME_FIELD_ACCEPT TS_MIME_LEN_ACCEPT = "Accept";
    TS_MIME_FIELD_ACCEPT_CHARSET TS_MIME_LEN_ACCEPT_CHARSET = "Accept-Charset";
    TS_MIME_FIELD_ACCEPT_ENCODING TS_MIME_LEN_ACCEPT_ENCODING = "Accept-Encoding";
    TS_MIME_FIELD_ACCEPT_LANGUAGE TS_MIME_LEN_ACCEPT_LANGUAGE = "Accept-Language";
    TS_MIME_FIELD_ACCEPT_RANGES TS_MIME_LEN_ACCEPT_RANGES = "Accept-Ranges";
    TS_MIME_FIELD_AGE TS_MIME_LEN_AGE = "Age";
    TS_MIME_FIELD_ALLOW TS_MIME_LEN_ALLOW = "Allow";
    TS_MIME_FIELD_APPROVED TS_MIME_LEN_APPROVED = "Approved";
    TS_MIME_FIELD_AUTHORIZATION TS_MIME_LEN_AUTHORIZATION = "Authorization";
    TS_MIME_FIELD_BYTES TS_MIME_LEN_BYTES = "Bytes";
    TS_MIME_FIELD_CACHE_CONTROL TS_MIME_LEN_CACHE_CONTROL = "Cache-Control";
    TS_MIME_FIELD_CLIENT_IP TS_MIME_LEN_CLIENT_IP = "Client-ip";
    TS_MIME_FIELD_CONNECTION TS_MIME_LEN_CONNECTION = "Connection";
    TS_MIME_FIELD_CONTENT_BASE TS_MIME_LEN_CONTENT_BASE = "Content-Base";
    TS_MIME_FIELD_CONTENT_ENCODING TS_MIME_LEN_CONTENT_ENCODING = "Content-Encoding";
    TS_MIME_FIELD_CONTENT_LANGUAGE TS_MIME_LEN_CONTENT_LANGUAGE = "Content-Language";
    TS_MIME_FIELD_CONTENT_LENGTH TS_MIME_LEN_CONTENT_LENGTH = "Content-Length";
    TS_MIME_FIELD_CONTENT_LOCATION TS_MIME_LEN_CONTENT_LOCATION = "Content-Location";
    TS_MIME_FIELD_CONTENT_MD5 TS_MIME_LEN_CONTENT_MD5 = "Content-MD5";
    TS_MIME_FIELD_CONTENT_RANGE TS_MIME_LEN_CONTENT_RANGE = "Content-Range";
    TS_MIME_FIELD_CONTENT_TYPE TS_MIME_LEN_CONTENT_TYPE = "Content-Type";
    TS_MIME_FIELD_CONTROL TS_MIME_LEN_CONTROL = "Control";
    TS_MIME_FIELD_COOKIE TS_MIME_LEN_COOKIE = "Cookie";
    TS_MIME_FIELD_DATE TS_MIME_LEN_DATE = "Date";
    TS_MIME_FIELD_DISTRIBUTION TS_MIME_LEN_DISTRIBUTION = "Distribution";
    TS_MIME_FIELD_ETAG TS_MIME_LEN_ETAG = "Etag";
    TS_MIME_FIELD_EXPECT TS_MIME_LEN_EXPECT = "Expect";
    TS_MIME_FIELD_EXPIRES TS_MIME_LEN_EXPIRES = "Expires";
    TS_MIME_FIELD_FOLLOWUP_TO TS_MIME_LEN_FOLLOWUP_TO = "Followup-To";
    TS_MIME_FIELD_FORWARDED TS_MIME_LEN_FORWARDED = "Forwarded";
    TS_MIME_FIELD_FROM TS_MIME_LEN_FROM = "From";
    TS_MIME_FIELD_HOST TS_MIME_LEN_HOST = "Host";
    TS_MIME_FIELD_IF_MATCH TS_MIME_LEN_IF_MATCH = "If-Match";
    TS_MIME_FIELD_IF_MODIFIED_SINCE TS_MIME_LEN_IF_MODIFIED_SINCE = "If-Modified-Since";
    TS_MIME_FIELD_IF_NONE_MATCH TS_MIME_LEN_IF_NONE_MATCH = "If-None-Match";
    TS_MIME_FIELD_IF_RANGE TS_MIME_LEN_IF_RANGE = "If-Range";
    TS_MIME_FIELD_IF_UNMODIFIED_SINCE TS_MIME_LEN_IF_UNMODIFIED_SINCE = "If-Unmodified-Since";
    TS_MIME_FIELD_KEEP_ALIVE TS_MIME_LEN_KEEP_ALIVE = "Keep-Alive";
    TS_MIME_FIELD_KEYWORDS TS_MIME_LEN_KEYWORDS = "Keywords";
    TS_MIME_FIELD_LAST_MODIFIED TS_MIME_LEN_LAST_MODIFIED = "Last-Modified";
    TS_MIME_FIELD_LINES TS_MIME_LEN_LINES = "Lines";
    TS_MIME_FIELD_LOCATION TS_MIME_LEN_LOCATION = "Location";
    TS_MIME_FIELD_MAX_FORWARDS TS_MIME_LEN_MAX_FORWARDS = "Max-Forwards";
    TS_MIME_FIELD_MESSAGE_ID TS_MIME_LEN_MESSAGE_ID = "Message-ID";
    TS_MIME_FIELD_NEWSGROUPS TS_MIME_LEN_NEWSGROUPS = "Newsgroups";
    TS_MIME_FIELD_ORGANIZATION TS_MIME_LEN_ORGANIZATION = "Organization";
    TS_MIME_FIELD_PATH TS_MIME_LEN_PATH = "Path";
    TS_MIME_FIELD_PRAGMA TS_MIME_LEN_PRAGMA = "Pragma";
    TS_MIME_FIELD_PROXY_AUTHENTICATE TS_MIME_LEN_PROXY_AUTHENTICATE = "Proxy-Authenticate";
    TS_MIME_FIELD_PROXY_AUTHORIZATION TS_MIME_LEN_PROXY_AUTHORIZATION = "Proxy-Authorization";
    TS_MIME_FIELD_PROXY_CONNECTION TS_MIME_LEN_PROXY_CONNECTION = "Proxy-Connection";
    TS_MIME_FIELD_PUBLIC TS_MIME_LEN_PUBLIC = "Public";
    TS_MIME_FIELD_RANGE TS_MIME_LEN_RANGE = "Range";
    TS_MIME_FIELD_REFERENCES TS_MIME_LEN_REFERENCES = "References";
    TS_MIME_FIELD_REFERER TS_MIME_LEN_REFERER = "Referer";
    TS_MIME_FIELD_REPLY_TO TS_MIME_LEN_REPLY_TO = "Reply-To";
    TS_MIME_FIELD_RETRY_AFTER TS_MIME_LEN_RETRY_AFTER = "Retry-After";
    TS_MIME_FIELD_SENDER TS_MIME_LEN_SENDER = "Sender";
    TS_MIME_FIELD_SERVER TS_MIME_LEN_SERVER = "Server";
    TS_MIME_FIELD_SET_COOKIE TS_MIME_LEN_SET_COOKIE = "Set-Cookie";
    TS_MIME_FIELD_STRICT_TRANSPORT_SECURITY TS_MIME_LEN_STRICT_TRANSPORT_SECURITY = "Strict-Transport-Security";
    TS_MIME_FIELD_SUBJECT TS_MIME_LEN_SUBJECT = "Subject";
    TS_MIME_FIELD_SUMMARY TS_MIME_LEN_SUMMARY = "Summary";
    TS_MIME_FIELD_TE TS_MIME_LEN_TE = "TE";
    TS_MIME_FIELD_TRANSFER_ENCODING TS_MIME_LEN_TRANSFER_ENCODING = "Transfer-Encoding";
    TS_MIME_FIELD_UPGRADE TS_MIME_LEN_UPGRADE = "Upgrade";
    TS_MIME_FIELD_USER_AGENT TS_MIME_LEN_USER_AGENT = "User-Agent";
    TS_MIME_FIELD_VARY TS_MIME_LEN_VARY = "Vary";
    TS_MIME_FIELD_VIA TS_MIME_LEN_VIA = "Via";
    TS_MIME_FIELD_WARNING TS_MIME_LEN_WARNING = "Warning";
    TS_MIME_FIELD_WWW_AUTHENTICATE TS_MIME_LEN_WWW_AUTHENTICATE = "Www-Authenticate";
    TS_MIME_FIELD_XREF TS_MIME_LEN_XREF = "Xref";
    TS_MIME_FIELD_X_FORWARDED_FOR TS_MIME_LEN_X_FORWARDED_FOR = "X-Forwarded-For";
    TS_URL_SCHEME_FILE TS_URL_LEN_FILE = "file";
    TS_URL_SCHEME_FTP TS_URL_LEN_FTP = "ftp";
    TS_URL_SCHEME_GOPHER TS_URL_LEN_GOPHER = "gopher";
    TS_URL_SCHEME_HTTP TS_URL_LEN_HTTP = "http";
    TS_URL_SCHEME_HTTPS TS_URL_LEN_HTTPS = "https";
    TS_URL_SCHEME_MAILTO TS_URL_LEN_MAILTO = "mailto";
    TS_URL_SCHEME_NEWS TS_URL_LEN_NEWS = "news";
    TS_URL_SCHEME_NNTP TS_URL_LEN_NNTP = "nntp";
    TS_URL_SCHEME_PROSPERO TS_URL_LEN_PROSPERO = "prospero";
    TS_URL_SCHEME_TELNET TS_URL_LEN_TELNET = "telnet";
    TS_URL_SCHEME_WAIS TS_URL_LEN_WAIS = "wais";
    TS_URL_SCHEME_WS TS_URL_LEN_WS = "ws";
    TS_URL_SCHEME_WSS TS_URL_LEN_WSS = "wss";
    }
    null {
    TS_URL_SCHEME_MMS TS_URL_LEN_MMS;
    TS_URL_SCHEME_MMST TS_URL_LEN_MMST;
    TS_URL_SCHEME_MMSU TS_URL_LEN_MMSU;
    TS_URL_SCHEME_PNM TS_URL_LEN_PNM;
    TS_URL_SCHEME_RTSP TS_URL_LEN_RTSP;
    TS_URL_SCHEME_RTSPU TS_URL_LEN_RTSPU;
    TS_URL_SCHEME_TUNNEL TS_URL_LEN_TUNNEL;
    }
}
