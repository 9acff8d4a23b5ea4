/* Hook points: where a plugin may have a continuation called.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* Of connections, sessions and transactions. REQUEST_TRANSFORM, RESPONSE_TRANSFORM and RESPONSE_CLIENT take
 * transformations and work for one transaction only; SELECT_ALT, SSN_START and the hooks from TS_SSL_FIRST_HOOK to
 * TS_SSL_LAST_HOOK work globally only. */
typedef enum {
  TS_HTTP_READ_REQUEST_HDR_HOOK = 0,              /* the request has been read */
  TS_HTTP_OS_DNS_HOOK = 1,                        /* the address of the origin is known */
  TS_HTTP_SEND_REQUEST_HDR_HOOK = 2,              /* connected; the request to the origin is about to leave */
  TS_HTTP_READ_CACHE_HDR_HOOK = 3,                /* the cache has an object */
  TS_HTTP_READ_RESPONSE_HDR_HOOK = 4,             /* the origin has answered */
  TS_HTTP_SEND_RESPONSE_HDR_HOOK = 5,             /* the response to the client is about to leave */
  TS_HTTP_REQUEST_TRANSFORM_HOOK = 6,             /* a transformation of the request's body */
  TS_HTTP_RESPONSE_TRANSFORM_HOOK = 7,            /* a transformation of the response's body */
  TS_HTTP_SELECT_ALT_HOOK = 8,                    /* an alternate in the cache is rated; nothing to reenable */
  TS_HTTP_TXN_START_HOOK = 9,                     /* before the request is read */
  TS_HTTP_TXN_CLOSE_HOOK = 10,                    /* once for each TXN_START, at the very end */
  TS_HTTP_SSN_START_HOOK = 11,                    /* a client has connected */
  TS_HTTP_SSN_CLOSE_HOOK = 12,                    /* the client's connection ends */
  TS_HTTP_CACHE_LOOKUP_COMPLETE_HOOK = 13,        /* the cache has been asked; may be called again */
  TS_HTTP_PRE_REMAP_HOOK = 14,                    /* before a rule of remap.config is looked for */
  TS_HTTP_POST_REMAP_HOOK = 15,                   /* the rule and its plugins have been applied */
  TS_HTTP_RESPONSE_CLIENT_HOOK = 16,              /* sees the body as the client gets it */
  TS_SSL_FIRST_HOOK = 17,
  TS_VCONN_START_HOOK = 17,                       /* a client has connected for TLS */
  TS_VCONN_PRE_ACCEPT_HOOK = 17,
  TS_VCONN_CLOSE_HOOK = 18,
  TS_SSL_CLIENT_HELLO_HOOK = 19,                  /* the client's greeting has been read */
  TS_SSL_SNI_HOOK = 20,
  TS_SSL_CERT_HOOK = 20,                          /* a certificate is chosen */
  TS_SSL_SERVERNAME_HOOK = 21,                    /* the client has named a server */
  TS_SSL_SERVER_VERIFY_HOOK = 22,
  TS_SSL_VERIFY_SERVER_HOOK = 22,                 /* the origin's certificate is verified */
  TS_SSL_VERIFY_CLIENT_HOOK = 23,                 /* the client's certificate is verified */
  TS_SSL_SESSION_HOOK = 24,                       /* a TLS session is looked up, stored or removed */
  TS_VCONN_OUTBOUND_START_HOOK = 25,              /* a TLS handshake with an origin begins */
  TS_VCONN_OUTBOUND_CLOSE_HOOK = 26,
  TS_SSL_LAST_HOOK = 26,
  TS_HTTP_REQUEST_BUFFER_READ_COMPLETE_HOOK = 27, /* the request's body has been read, if that is configured */
  TS_HTTP_LAST_HOOK = 28,                         /* the number of hooks */
} TSHttpHookID;

/* Of the server as a whole. */
typedef enum {
  TS_LIFECYCLE_PORTS_INITIALIZED_HOOK = 0,          /* the ports are bound */
  TS_LIFECYCLE_PORTS_READY_HOOK = 1,                /* connections are accepted */
  TS_LIFECYCLE_CACHE_READY_HOOK = 2,                /* the cache can be used */
  TS_LIFECYCLE_SERVER_SSL_CTX_INITIALIZED_HOOK = 3,
  TS_LIFECYCLE_CLIENT_SSL_CTX_INITIALIZED_HOOK = 4,
  TS_LIFECYCLE_MSG_HOOK = 5,                        /* an operator has sent a message */
  TS_LIFECYCLE_TASK_THREADS_READY_HOOK = 6,         /* tasks run in threads of their own from now on */
  TS_LIFECYCLE_SHUTDOWN_HOOK = 7,                   /* the server is told to end */
  TS_LIFECYCLE_LAST_HOOK = 9,                       /* not a hook */
} TSLifecycleHookID;

#ifdef __cplusplus
}
#endif
