/* Requests that plugins make, and requests that they answer.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Answers: the continuation gets TS_EVENT_NET_ACCEPT and a connection on which a request comes and a response is
 * expected; instead of everything after remapping, or instead of the origin only. */
void TSHttpTxnIntercept(TSCont cont, TSHttpTxn txn);
void TSHttpTxnServerIntercept(TSCont cont, TSHttpTxn txn);

/* Whose request that is. */
TSCont TSNetInvokingContGet(TSVConn vc);
TSHttpTxn TSNetInvokingTxnGet(TSVConn vc);

/* A connection to the server itself: a request is written to it, a response read. The address is taken for the
 * client's and needs a port. */
TSVConn TSHttpConnect(struct sockaddr const *addr);
TSVConn TSHttpConnectWithPluginId(struct sockaddr const *addr, const char *tag, int64_t id);
TSVConn TSHttpConnectPlugin(TSHttpConnectOptions *options);
TSHttpConnectOptions TSHttpConnectOptionsGet(TSConnectType connect_type);
TSVConn TSHttpConnectTransparent(struct sockaddr const *client_addr, struct sockaddr const *server_addr);

/* Buffers of such connections, and the plugin that has made one. */
TSIOBufferSizeIndex TSPluginVCIOBufferIndexGet(TSHttpTxn txn);
TSIOBufferWaterMark TSPluginVCIOBufferWaterMarkGet(TSHttpTxn txn);
const char *TSHttpTxnPluginTagGet(TSHttpTxn txn);

/* Is it a plugin's own? Handlers ask this first, lest they answer themselves. */
int TSHttpTxnIsInternal(TSHttpTxn txn);
int TSHttpSsnIsInternal(TSHttpSsn ssn);

/* A whole request in one call. The `edata` of the success event, taken for a TSHttpTxn, gives the response, which is
 * valid during that call: with AFTER_BODY as bytes, with AFTER_HEADER as a header. */
TSFetchSM TSFetchUrl(const char *request, int length, struct sockaddr const *addr, TSCont cont,
    TSFetchWakeUpOptions callback_options, TSFetchEvent event);
void TSFetchPages(TSFetchUrlParams_t *params);
char *TSFetchRespGet(TSHttpTxn txn, int *length);
TSReturnCode TSFetchPageRespGet(TSHttpTxn txn, TSMBuffer *buffer, TSMLoc *loc);

#ifdef __cplusplus
}
#endif
