/* HTTP messages, transactions, origins and protocols.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What became of a piece of text. CONT: complete so far, more is needed. */
typedef enum {
  TS_PARSE_ERROR = -1,
  TS_PARSE_DONE = 0,
  TS_PARSE_CONT = 1,
} TSParseResult;

/* What a header is; it can be set once. */
typedef enum {
  TS_HTTP_TYPE_UNKNOWN = 0,
  TS_HTTP_TYPE_REQUEST = 1,
  TS_HTTP_TYPE_RESPONSE = 2,
} TSHttpType;

/* Status codes. NONE: no status has been set. */
typedef enum {
  TS_HTTP_STATUS_NONE = 0,
  TS_HTTP_STATUS_CONTINUE = 100,
  TS_HTTP_STATUS_SWITCHING_PROTOCOL = 101,
  TS_HTTP_STATUS_EARLY_HINTS = 103,
  TS_HTTP_STATUS_OK = 200,
  TS_HTTP_STATUS_CREATED = 201,
  TS_HTTP_STATUS_ACCEPTED = 202,
  TS_HTTP_STATUS_NON_AUTHORITATIVE_INFORMATION = 203,
  TS_HTTP_STATUS_NO_CONTENT = 204,
  TS_HTTP_STATUS_RESET_CONTENT = 205,
  TS_HTTP_STATUS_PARTIAL_CONTENT = 206,
  TS_HTTP_STATUS_MULTI_STATUS = 207,
  TS_HTTP_STATUS_ALREADY_REPORTED = 208,
  TS_HTTP_STATUS_IM_USED = 211,
  TS_HTTP_STATUS_MULTIPLE_CHOICES = 300,
  TS_HTTP_STATUS_MOVED_PERMANENTLY = 301,
  TS_HTTP_STATUS_MOVED_TEMPORARILY = 302,
  TS_HTTP_STATUS_SEE_OTHER = 303,
  TS_HTTP_STATUS_NOT_MODIFIED = 304,
  TS_HTTP_STATUS_USE_PROXY = 305,
  TS_HTTP_STATUS_TEMPORARY_REDIRECT = 307,
  TS_HTTP_STATUS_PERMANENT_REDIRECT = 308,
  TS_HTTP_STATUS_BAD_REQUEST = 400,
  TS_HTTP_STATUS_UNAUTHORIZED = 401,
  TS_HTTP_STATUS_PAYMENT_REQUIRED = 402,
  TS_HTTP_STATUS_FORBIDDEN = 403,
  TS_HTTP_STATUS_NOT_FOUND = 404,
  TS_HTTP_STATUS_METHOD_NOT_ALLOWED = 405,
  TS_HTTP_STATUS_NOT_ACCEPTABLE = 406,
  TS_HTTP_STATUS_PROXY_AUTHENTICATION_REQUIRED = 407,
  TS_HTTP_STATUS_REQUEST_TIMEOUT = 408,
  TS_HTTP_STATUS_CONFLICT = 409,
  TS_HTTP_STATUS_GONE = 410,
  TS_HTTP_STATUS_LENGTH_REQUIRED = 411,
  TS_HTTP_STATUS_PRECONDITION_FAILED = 412,
  TS_HTTP_STATUS_REQUEST_ENTITY_TOO_LARGE = 413,
  TS_HTTP_STATUS_REQUEST_URI_TOO_LONG = 414,
  TS_HTTP_STATUS_UNSUPPORTED_MEDIA_TYPE = 415,
  TS_HTTP_STATUS_REQUESTED_RANGE_NOT_SATISFIABLE = 416,
  TS_HTTP_STATUS_EXPECTATION_FAILED = 417,
  TS_HTTP_STATUS_UNPROCESSABLE_ENTITY = 422,
  TS_HTTP_STATUS_LOCKED = 423,
  TS_HTTP_STATUS_FAILED_DEPENDENCY = 424,
  TS_HTTP_STATUS_UPGRADE_REQUIRED = 426,
  TS_HTTP_STATUS_PRECONDITION_REQUIRED = 428,
  TS_HTTP_STATUS_TOO_MANY_REQUESTS = 429,
  TS_HTTP_STATUS_REQUEST_HEADER_FIELDS_TOO_LARGE = 431,
  TS_HTTP_STATUS_UNAVAILABLE_FOR_LEGAL_REASONS = 451,
  TS_HTTP_STATUS_INTERNAL_SERVER_ERROR = 500,
  TS_HTTP_STATUS_NOT_IMPLEMENTED = 501,
  TS_HTTP_STATUS_BAD_GATEWAY = 502,
  TS_HTTP_STATUS_SERVICE_UNAVAILABLE = 503,
  TS_HTTP_STATUS_GATEWAY_TIMEOUT = 504,
  TS_HTTP_STATUS_HTTPVER_NOT_SUPPORTED = 505,
  TS_HTTP_STATUS_VARIANT_ALSO_NEGOTIATES = 506,
  TS_HTTP_STATUS_INSUFFICIENT_STORAGE = 507,
  TS_HTTP_STATUS_LOOP_DETECTED = 508,
  TS_HTTP_STATUS_NOT_EXTENDED = 510,
  TS_HTTP_STATUS_NETWORK_AUTHENTICATION_REQUIRED = 511,
} TSHttpStatus;

/* Where a transaction stands with its origin. */
typedef enum {
  TS_SRVSTATE_STATE_UNDEFINED = 0,
  TS_SRVSTATE_ACTIVE_TIMEOUT = 1,
  TS_SRVSTATE_BAD_INCOMING_RESPONSE = 2,
  TS_SRVSTATE_CONNECTION_ALIVE = 3,
  TS_SRVSTATE_CONNECTION_CLOSED = 4,
  TS_SRVSTATE_CONNECTION_ERROR = 5,
  TS_SRVSTATE_INACTIVE_TIMEOUT = 6,
  TS_SRVSTATE_OPEN_RAW_ERROR = 7,
  TS_SRVSTATE_PARSE_ERROR = 8,
  TS_SRVSTATE_TRANSACTION_COMPLETE = 9,
  TS_SRVSTATE_PARENT_RETRY = 10,
  TS_SRVSTATE_OUTBOUND_CONGESTION = 11,
} TSServerState;

/* Where the next hop of a request was looked for. */
typedef enum {
  TS_LOOKUP_UNDEFINED_LOOKUP = 0,
  TS_LOOKUP_PARENT_PROXY = 1,
  TS_LOOKUP_ORIGIN_SERVER = 2,
  TS_LOOKUP_INCOMING_ROUTER = 3,
  TS_LOOKUP_HOST_NONE = 4,
} TSLookingUpType;

/* Points in a transaction's life whose times are kept: client (UA), origin, cache, names, plugins, TLS. */
typedef enum {
  TS_MILESTONE_NULL = -1,
  TS_MILESTONE_UA_BEGIN = 0,
  TS_MILESTONE_UA_FIRST_READ = 1,
  TS_MILESTONE_UA_READ_HEADER_DONE = 2,
  TS_MILESTONE_UA_BEGIN_WRITE = 3,
  TS_MILESTONE_UA_CLOSE = 4,
  TS_MILESTONE_SERVER_FIRST_CONNECT = 5,
  TS_MILESTONE_SERVER_CONNECT = 6,
  TS_MILESTONE_SERVER_CONNECT_END = 7,
  TS_MILESTONE_SERVER_BEGIN_WRITE = 8,
  TS_MILESTONE_SERVER_FIRST_READ = 9,
  TS_MILESTONE_SERVER_READ_HEADER_DONE = 10,
  TS_MILESTONE_SERVER_CLOSE = 11,
  TS_MILESTONE_CACHE_OPEN_READ_BEGIN = 12,
  TS_MILESTONE_CACHE_OPEN_READ_END = 13,
  TS_MILESTONE_CACHE_OPEN_WRITE_BEGIN = 14,
  TS_MILESTONE_CACHE_OPEN_WRITE_END = 15,
  TS_MILESTONE_DNS_LOOKUP_BEGIN = 16,
  TS_MILESTONE_DNS_LOOKUP_END = 17,
  TS_MILESTONE_SM_START = 18,
  TS_MILESTONE_SM_FINISH = 19,
  TS_MILESTONE_PLUGIN_ACTIVE = 20,
  TS_MILESTONE_PLUGIN_TOTAL = 21,
  TS_MILESTONE_TLS_HANDSHAKE_START = 22,
  TS_MILESTONE_TLS_HANDSHAKE_END = 23,
  TS_MILESTONE_LAST_ENTRY = 24,
} TSMilestonesType;

/* Switches of one transaction, for TSHttpTxnCntlGet and TSHttpTxnCntlSet. */
typedef enum {
  TS_HTTP_CNTL_LOGGING_MODE = 0,         /* the access log has an entry */
  TS_HTTP_CNTL_INTERCEPT_RETRY_MODE = 1, /* a failed intercept is tried again */
  TS_HTTP_CNTL_RESPONSE_CACHEABLE = 2,   /* the response may be stored, whatever it says */
  TS_HTTP_CNTL_REQUEST_CACHEABLE = 3,    /* the cache may be asked, whatever the request says */
  TS_HTTP_CNTL_SERVER_NO_STORE = 4,      /* the response is not stored */
  TS_HTTP_CNTL_TXN_DEBUG = 5,            /* debug messages are written for this transaction */
  TS_HTTP_CNTL_SKIP_REMAPPING = 6,       /* remap.config is not applied */
} TSHttpCntlType;

/* Numbers of a transaction, for TSHttpTxnInfoIntGet. */
typedef enum {
  TS_TXN_INFO_NONE = -1,
  TS_TXN_INFO_CACHE_HIT_RAM = 0,
  TS_TXN_INFO_CACHE_COMPRESSED_IN_RAM = 1,
  TS_TXN_INFO_CACHE_HIT_RWW = 2,
  TS_TXN_INFO_CACHE_OPEN_READ_TRIES = 3,
  TS_TXN_INFO_CACHE_OPEN_WRITE_TRIES = 4,
  TS_TXN_INFO_CACHE_VOLUME = 5,
  TS_TXN_INFO_LAST_ENTRY = 6,
} TSHttpTxnInfoKey;

/* What connections to an origin are counted by. */
typedef enum {
  TS_SERVER_OUTBOUND_MATCH_IP = 0,
  TS_SERVER_OUTBOUND_MATCH_PORT = 1,
  TS_SERVER_OUTBOUND_MATCH_HOST = 2,
  TS_SERVER_OUTBOUND_MATCH_BOTH = 3,
} TSOutboundConnectionMatchType;

/* What is known of a host, and who has said that it is down (bits). */
typedef enum {
  TS_HOST_STATUS_INIT = 0,
  TS_HOST_STATUS_DOWN = 1,
  TS_HOST_STATUS_UP = 2,
} TSHostStatus;

typedef enum {
  TS_HOST_STATUS_ACTIVE = 0x1,
  TS_HOST_STATUS_LOCAL = 0x2,
  TS_HOST_STATUS_MANUAL = 0x4,
  TS_HOST_STATUS_SELF_DETECT = 0x8,
  TS_HOST_STATUS_ALL = 0xF,
} TSHostStatusReason;

/* Objects that plugins can attach values to. */
typedef enum {
  TS_USER_ARGS_TXN = 0,   /* transactions */
  TS_USER_ARGS_SSN = 1,   /* sessions */
  TS_USER_ARGS_VCONN = 2, /* connections */
  TS_USER_ARGS_GLB = 3,   /* the whole process */
  TS_USER_ARGS_COUNT = 4, /* the number of kinds */
} TSUserArgType;

/* The priority of a stream; of HTTP/2 its data is TSHttp2Priority. */
typedef enum {
  HTTP_PRIORITY_TYPE_HTTP_UNSPECIFIED = 1,
  HTTP_PRIORITY_TYPE_HTTP_2 = 2,
  HTTP_PRIORITY_TYPE_HTTP_3 = 3,
} TSHttpPriorityType;

typedef struct {
  uint8_t priority_type;
  uint8_t data[7];
} TSHttpPriority;

typedef struct {
  uint8_t priority_type; /* HTTP_PRIORITY_TYPE_HTTP_2 */
  uint8_t weight;
  int32_t stream_dependency;
} TSHttp2Priority;

/* Kinds of UUIDs; TSUuidInitialize makes version 4. */
typedef enum {
  TS_UUID_UNDEFINED = 0,
  TS_UUID_V1 = 1,
  TS_UUID_V2 = 2,
  TS_UUID_V3 = 3,
  TS_UUID_V4 = 4,
  TS_UUID_V5 = 5,
} TSUuidVersion;

/* Characters of a UUID, and of the identifier of a request: the process's UUID, a dash, the transaction's number. A
 * buffer needs one more for NUL. */
#define TS_UUID_STRING_LEN 36
#define TS_CRUUID_STRING_LEN (TS_UUID_STRING_LEN + 1 + 19)

/* The identifier of a TLS session. */
#define TS_SSL_MAX_SSL_SESSION_ID_LENGTH 32

typedef struct TSSslSessionID_s {
  size_t len;
  char bytes[TS_SSL_MAX_SSL_SESSION_ID_LENGTH];
} TSSslSessionID;

/* Names of a certificate and its key; the `edata` of TS_EVENT_SSL_SECRET. */
typedef struct TSSecretID_s {
  const char *cert_name;
  size_t cert_name_len;
  const char *key_name;
  size_t key_name_len;
} TSSecretID;

#ifdef __cplusplus
}
#endif
