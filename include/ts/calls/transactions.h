/* Transactions: messages, outcome, state, limits, figures.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Messages: of the client, to and from the origin, after a transformation. Each can be had from the hook on at which
 * it exists. What is changed at READ_REQUEST_HDR is used for remapping and the cache, at READ_RESPONSE_HDR it is
 * stored, at SEND_RESPONSE_HDR only the client sees it. */
TSReturnCode TSHttpTxnClientReqGet(TSHttpTxn txn, TSMBuffer *buffer, TSMLoc *loc);
TSReturnCode TSHttpTxnClientRespGet(TSHttpTxn txn, TSMBuffer *buffer, TSMLoc *loc);
TSReturnCode TSHttpTxnServerReqGet(TSHttpTxn txn, TSMBuffer *buffer, TSMLoc *loc);
TSReturnCode TSHttpTxnServerRespGet(TSHttpTxn txn, TSMBuffer *buffer, TSMLoc *loc);
TSReturnCode TSHttpTxnTransformRespGet(TSHttpTxn txn, TSMBuffer *buffer, TSMLoc *loc);

/* The URL before remapping, and the complete URL as a string of the plugin's (TSfree). */
TSReturnCode TSHttpTxnPristineUrlGet(TSHttpTxn txn, TSMBuffer *buffer, TSMLoc *loc);
char *TSHttpTxnEffectiveUrlStringGet(TSHttpTxn txn, int *length);

/* The request's body, if it was read as a whole. */
TSIOBufferReader TSHttpTxnPostBufferReaderGet(TSHttpTxn txn);

/* A response of the plugin's: a status set before remapping has ended, or together with TS_EVENT_HTTP_ERROR, is
 * answered with, and with the body, if there is one. The server takes over both strings, which are from TSmalloc. */
void TSHttpTxnStatusSet(TSHttpTxn txn, TSHttpStatus status);
TSHttpStatus TSHttpTxnStatusGet(TSHttpTxn txn);
void TSHttpTxnErrorBodySet(TSHttpTxn txn, char *bytes, size_t length, char *mimetype);

/* Asks another URL instead of passing this response on; the server takes over the string. */
void TSHttpTxnRedirectUrlSet(TSHttpTxn txn, const char *url, const int length);
const char *TSHttpTxnRedirectUrlGet(TSHttpTxn txn, int *length);
int TSHttpTxnRedirectRetries(TSHttpTxn txn);

/* Remapping: left out; the URLs of the rule that has matched, which belong to the rule. */
void TSSkipRemappingSet(TSHttpTxn txn, int flag);
TSReturnCode TSRemapFromUrlGet(TSHttpTxn txn, TSMLoc *loc);
TSReturnCode TSRemapToUrlGet(TSHttpTxn txn, TSMLoc *loc);

/* Switches. */
bool TSHttpTxnCntlGet(TSHttpTxn txn, TSHttpCntlType control);
TSReturnCode TSHttpTxnCntlSet(TSHttpTxn txn, TSHttpCntlType control, bool data);

/* State. TSHttpTxnAborted returns TS_SUCCESS if the client has gone. */
TSHttpSsn TSHttpTxnSsnGet(TSHttpTxn txn);
TSServerState TSHttpTxnServerStateGet(TSHttpTxn txn);
TSReturnCode TSHttpTxnAborted(TSHttpTxn txn);
int TSHttpTxnIsWebsocket(TSHttpTxn txn);

/* Time limits in milliseconds, from the next operation on. */
void TSHttpTxnActiveTimeoutSet(TSHttpTxn txn, int timeout);
void TSHttpTxnConnectTimeoutSet(TSHttpTxn txn, int timeout);
void TSHttpTxnDNSTimeoutSet(TSHttpTxn txn, int timeout);
void TSHttpTxnNoActivityTimeoutSet(TSHttpTxn txn, int timeout);

/* Numbers: of the transaction in this process, of the request in the world, when a milestone was reached (0: it was
 * not). `text` has TS_CRUUID_STRING_LEN + 1 bytes. */
uint64_t TSHttpTxnIdGet(TSHttpTxn txn);
TSReturnCode TSClientRequestUuidGet(TSHttpTxn txn, char *text);
TSReturnCode TSHttpTxnMilestoneGet(TSHttpTxn txn, TSMilestonesType milestone, TSHRTime *time);

/* Bytes that were sent and received. */
int TSHttpTxnClientReqHdrBytesGet(TSHttpTxn txn);
int64_t TSHttpTxnClientReqBodyBytesGet(TSHttpTxn txn);
int TSHttpTxnServerReqHdrBytesGet(TSHttpTxn txn);
int64_t TSHttpTxnServerReqBodyBytesGet(TSHttpTxn txn);
int TSHttpTxnServerRespHdrBytesGet(TSHttpTxn txn);
int64_t TSHttpTxnServerRespBodyBytesGet(TSHttpTxn txn);
int TSHttpTxnClientRespHdrBytesGet(TSHttpTxn txn);
int64_t TSHttpTxnClientRespBodyBytesGet(TSHttpTxn txn);
int TSHttpTxnPushedRespHdrBytesGet(TSHttpTxn txn);
int64_t TSHttpTxnPushedRespBodyBytesGet(TSHttpTxn txn);

/* Errors of the protocol below: of the connection (class 1) or of the stream (class 2), and the protocol's code. */
void TSHttpTxnClientReceivedErrorGet(TSHttpTxn txn, uint32_t *error_class, uint64_t *error_code);
void TSHttpTxnClientSentErrorGet(TSHttpTxn txn, uint32_t *error_class, uint64_t *error_code);
void TSHttpTxnServerReceivedErrorGet(TSHttpTxn txn, uint32_t *error_class, uint64_t *error_code);
void TSHttpTxnServerSentErrorGet(TSHttpTxn txn, uint32_t *error_class, uint64_t *error_code);

/* HTTP/2: a push, the stream and its priority. */
TSReturnCode TSHttpTxnServerPush(TSHttpTxn txn, const char *url, int length);
TSReturnCode TSHttpTxnClientStreamIdGet(TSHttpTxn txn, uint64_t *stream_id);
TSReturnCode TSHttpTxnClientStreamPriorityGet(TSHttpTxn txn, TSHttpPriority *priority);

#ifdef __cplusplus
}
#endif
