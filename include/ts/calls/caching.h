/* The cache: of a transaction, alternates, objects of the plugin's own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The key: a URL that is not the request's, to be set before the lookup. */
TSReturnCode TSCacheUrlSet(TSHttpTxn txn, const char *url, int length);
TSReturnCode TSHttpTxnCacheLookupUrlGet(TSHttpTxn txn, TSMBuffer buffer, TSMLoc loc);
TSReturnCode TSHttpTxnCacheLookupUrlSet(TSHttpTxn txn, TSMBuffer buffer, TSMLoc loc);

/* The result (a TSCacheLookupResult), which can be changed at CACHE_LOOKUP_COMPLETE. */
TSReturnCode TSHttpTxnCacheLookupStatusGet(TSHttpTxn txn, int *status);
TSReturnCode TSHttpTxnCacheLookupStatusSet(TSHttpTxn txn, int status);

/* The stored messages, which cannot be changed, and a copy of the response that can. */
TSReturnCode TSHttpTxnCachedReqGet(TSHttpTxn txn, TSMBuffer *buffer, TSMLoc *loc);
TSReturnCode TSHttpTxnCachedRespGet(TSHttpTxn txn, TSMBuffer *buffer, TSMLoc *loc);
TSReturnCode TSHttpTxnCachedRespModifiableGet(TSHttpTxn txn, TSMBuffer *buffer, TSMLoc *loc);

/* Whether something is stored: as the rules say, and as the plugin wants. */
int TSHttpTxnIsCacheable(TSHttpTxn txn, TSMBuffer request, TSMBuffer response);
int TSHttpTxnGetMaxAge(TSHttpTxn txn, TSMBuffer response);
void TSHttpTxnReqCacheableSet(TSHttpTxn txn, int flag);
void TSHttpTxnRespCacheableSet(TSHttpTxn txn, int flag);
TSReturnCode TSHttpTxnServerRespNoStoreSet(TSHttpTxn txn, int flag);
bool TSHttpTxnServerRespNoStoreGet(TSHttpTxn txn);

/* Which body is stored when there is a transformation: without a call, the transformed one. */
void TSHttpTxnUntransformedRespCache(TSHttpTxn txn, int on);
void TSHttpTxnTransformedRespCache(TSHttpTxn txn, int on);

/* Where the object lies, and whether it is read on although the client has gone. */
const char *TSHttpTxnCacheDiskPathGet(TSHttpTxn txn, int *length);
int TSHttpTxnBackgroundFillStarted(TSHttpTxn txn);

/* Alternates, during SELECT_ALT only: the messages, and a quality from 0 to 1; FLT_MAX: 1, whatever Vary says. */
TSReturnCode TSHttpAltInfoClientReqGet(TSHttpAltInfo info, TSMBuffer *buffer, TSMLoc *loc);
TSReturnCode TSHttpAltInfoCachedReqGet(TSHttpAltInfo info, TSMBuffer *buffer, TSMLoc *loc);
TSReturnCode TSHttpAltInfoCachedRespGet(TSHttpAltInfo info, TSMBuffer *buffer, TSMLoc *loc);
void TSHttpAltInfoQualitySet(TSHttpAltInfo info, float quality);

/* Keys of objects: from any bytes, or from a URL as the cache of transactions makes them. */
TSCacheKey TSCacheKeyCreate(void);
TSReturnCode TSCacheKeyDestroy(TSCacheKey key);
TSReturnCode TSCacheKeyDigestSet(TSCacheKey key, const char *input, int length);
TSReturnCode TSCacheKeyDigestFromUrlSet(TSCacheKey key, TSMLoc url);
TSReturnCode TSCacheKeyHostNameSet(TSCacheKey key, const char *hostname, int length);
TSReturnCode TSCacheKeyPinnedSet(TSCacheKey key, time_t pin_in_cache);

/* Objects: opened, removed, visited. The TSVConn comes with an event, perhaps within the call. */
TSReturnCode TSCacheReady(int *is_ready);
TSAction TSCacheRead(TSCont cont, TSCacheKey key);
TSAction TSCacheWrite(TSCont cont, TSCacheKey key);
TSAction TSCacheRemove(TSCont cont, TSCacheKey key);
TSAction TSCacheScan(TSCont cont, TSCacheKey key, int kb_per_second);
int64_t TSVConnCacheObjectSizeGet(TSVConn vc);

#ifdef __cplusplus
}
#endif
