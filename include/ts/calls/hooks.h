/* Registration of handlers, and going on after one.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Handlers run one after the other: the global ones in the order of plugin.config, then the session's, then the
 * transaction's. */
void TSHttpHookAdd(TSHttpHookID id, TSCont cont);
void TSHttpSsnHookAdd(TSHttpSsn ssn, TSHttpHookID id, TSCont cont);
void TSHttpTxnHookAdd(TSHttpTxn txn, TSHttpHookID id, TSCont cont);
void TSLifecycleHookAdd(TSLifecycleHookID id, TSCont cont);

/* Goes on after a hook: the handler, or somebody after it, has to call this once, with TS_EVENT_HTTP_CONTINUE, or
 * with TS_EVENT_HTTP_ERROR for an error response. The transaction may be over when the call returns. */
void TSHttpTxnReenable(TSHttpTxn txn, TSEvent event);
void TSHttpSsnReenable(TSHttpSsn ssn, TSEvent event);

/* Answers of a cache provider. No server exports this call. */
TSReturnCode TSHttpCacheReenable(TSCacheTxn txn, const TSEvent event, const void *data, const uint64_t size);

/* Names, as strings that stay. */
const char *TSHttpHookNameLookup(TSHttpHookID hook);
const char *TSHttpEventNameLookup(TSEvent event);
const char *TSHttpServerStateNameLookup(TSServerState state);

#ifdef __cplusplus
}
#endif
