/* Handles, which only calls can look into, and the functions that plugins provide.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base.h"
#include "events.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Continuations, and what drives them. A TSVConn is a continuation as well. */
typedef struct tsapi_cont *TSCont;
typedef struct tsapi_mutex *TSMutex;
typedef struct tsapi_thread *TSThread;
typedef struct tsapi_event_thread *TSEventThread;
typedef struct tsapi_action *TSAction;

/* A client's session and one exchange of it. */
typedef struct tsapi_httpssn *TSHttpSsn;
typedef struct tsapi_httptxn *TSHttpTxn;

/* Messages: a buffer that owns headers, fields and URLs, and a place in one. */
typedef struct tsapi_mbuffer *TSMBuffer;
typedef struct tsapi_mloc *TSMLoc;
typedef struct tsapi_httpparser *TSHttpParser;
typedef struct tsapi_mimeparser *TSMimeParser;

/* The place that is none: the parent of headers and URLs, and what a search without success returns. */
#define TS_NULL_MLOC ((TSMLoc)0)

/* Streams: connections, the direction of one, and the bytes between them. */
typedef struct tsapi_cont *TSVConn;
typedef struct tsapi_vio *TSVIO;
typedef struct tsapi_iobuffer *TSIOBuffer;
typedef struct tsapi_iobufferdata *TSIOBufferData;
typedef struct tsapi_bufferblock *TSIOBufferBlock;
typedef struct tsapi_bufferreader *TSIOBufferReader;
typedef struct tsapi_fetchsm *TSFetchSM;
typedef struct tsapi_port *TSPortDescriptor;
typedef struct tsapi_net_accept *TSAcceptor;
typedef struct tsapi_hostlookupresult *TSHostLookupResult;
typedef struct tsapi_file *TSFile;
typedef struct tsapi_aiocallback *TSAIOCallback;

/* The cache. */
typedef struct tsapi_cachekey *TSCacheKey;
typedef struct tsapi_cachetxn *TSCacheTxn;
typedef struct tsapi_cachehttpinfo *TSCacheHttpInfo;
typedef struct tsapi_httpaltinfo *TSHttpAltInfo;

/* TLS: pointers of the TLS library, to be cast to its types. */
typedef struct tsapi_ssl_obj *TSSslConnection;
typedef struct tsapi_ssl_context *TSSslContext;
typedef struct tsapi_ssl_session *TSSslSession;
typedef struct tsapi_x509 *TSSslX509;
typedef struct tsapi_x509_store_ctx *TSSslVerifyCTX;

/* The rest. */
typedef struct tsapi_config *TSConfig;
typedef struct tsapi_textlogobject *TSTextLogObject;
typedef struct tsapi_uuid *TSUuid;

/* A time or a span in nanoseconds; the calls that schedule take milliseconds in it. */
typedef int64_t TSHRTime;

/* What a plugin has called: a continuation's handler, the body of a thread, the end of configuration data. What a
 * handler returns matters to TSContCall only. */
typedef int (*TSEventFunc)(TSCont cont, TSEvent event, void *edata);
typedef void *(*TSThreadFunc)(void *data);
typedef void (*TSConfigDestroyFunc)(void *data);

#ifdef __cplusplus
}
#endif
