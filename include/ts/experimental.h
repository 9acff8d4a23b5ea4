/* Further calls.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "ts.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Transactions. */

/* The client's connection after this response: kept, closed; after an error closed without a response. */
void TSHttpTxnClientKeepaliveSet(TSHttpTxn txn, int set);
TSReturnCode TSHttpTxnCloseAfterResponse(TSHttpTxn txn, int should_close);
TSReturnCode TSHttpTxnShutDown(TSHttpTxn txn, TSEvent event);

/* A body for a request that has none; the server takes over the bytes, which are from TSmalloc. */
void TSHttpTxnServerRequestBodySet(TSHttpTxn txn, char *bytes, int64_t length);

/* Was the request written as for an origin? Where was its next hop looked for (a TSLookingUpType)? Has it this
 * handler at this hook? */
int TSHttpTxnClientReqIsServerStyle(TSHttpTxn txn);
int TSHttpTxnLookingUpTypeGet(TSHttpTxn txn);
TSReturnCode TSHttpTxnHookRegisteredFor(TSHttpTxn txn, TSHttpHookID id, TSEventFunc handler);

/* The older form of the switches. */
typedef enum {
  TS_HTTP_CNTL_GET_LOGGING_MODE = 0,
  TS_HTTP_CNTL_SET_LOGGING_MODE = 1,
  TS_HTTP_CNTL_GET_INTERCEPT_RETRY_MODE = 2,
  TS_HTTP_CNTL_SET_INTERCEPT_RETRY_MODE = 3,
} TSHttpCntlTypeExperimental;

#define TS_HTTP_CNTL_OFF (void *)0
#define TS_HTTP_CNTL_ON (void *)1

TSReturnCode TSHttpTxnCntl(TSHttpTxn txn, TSHttpCntlTypeExperimental control, void *data);

/* The cache of a transaction: its figures, the stored response's time, another lookup (at CACHE_LOOKUP_COMPLETE
 * only), another time to expire at, the changed copy written back. */
TSReturnCode TSHttpTxnInfoIntGet(TSHttpTxn txn, TSHttpTxnInfoKey key, TSMgmtInt *value);
TSReturnCode TSHttpTxnCacheLookupCountGet(TSHttpTxn txn, int *lookup_count);
TSReturnCode TSHttpTxnCachedRespTimeGet(TSHttpTxn txn, time_t *time);
TSReturnCode TSHttpTxnRedoCacheLookup(TSHttpTxn txn, const char *url, int length);
void TSHttpTxnOverwriteExpireTime(TSHttpTxn txn, time_t expire_time);
TSReturnCode TSHttpTxnUpdateCachedObject(TSHttpTxn txn);

/* The origin's answer to a revalidation is dropped, and the stored response is served. */
TSReturnCode TSHttpTxnServerRespIgnore(TSHttpTxn txn);

/* Cache objects. */

/* The kind of object that a key means; is the cache ready for a kind? No server exports TSCacheBufferInfoGet. */
TSReturnCode TSCacheKeyDataTypeSet(TSCacheKey key, TSCacheDataType type);
TSReturnCode TSCacheDataTypeReady(TSCacheDataType type, int *is_ready);
TSReturnCode TSCacheBufferInfoGet(TSCacheTxn txn, uint64_t *length, uint64_t *offset);

/* What is stored of one exchange. */
TSCacheHttpInfo TSCacheHttpInfoCreate(void);
TSCacheHttpInfo TSCacheHttpInfoCopy(TSCacheHttpInfo info);
void TSCacheHttpInfoDestroy(TSCacheHttpInfo info);
void TSVConnCacheHttpInfoSet(TSVConn vc, TSCacheHttpInfo info);
void TSCacheHttpInfoReqGet(TSCacheHttpInfo info, TSMBuffer *buffer, TSMLoc *loc);
void TSCacheHttpInfoRespGet(TSCacheHttpInfo info, TSMBuffer *buffer, TSMLoc *loc);
void TSCacheHttpInfoReqSet(TSCacheHttpInfo info, TSMBuffer buffer, TSMLoc loc);
void TSCacheHttpInfoRespSet(TSCacheHttpInfo info, TSMBuffer buffer, TSMLoc loc);
time_t TSCacheHttpInfoReqSentTimeGet(TSCacheHttpInfo info);
time_t TSCacheHttpInfoRespReceivedTimeGet(TSCacheHttpInfo info);
void TSCacheHttpInfoKeySet(TSCacheHttpInfo info, TSCacheKey key);
void TSCacheHttpInfoSizeSet(TSCacheHttpInfo info, int64_t size);
int64_t TSCacheHttpInfoSizeGet(TSCacheHttpInfo info);
int TSCacheHttpInfoVector(TSCacheHttpInfo info, void *data, int length);

/* Messages. */

/* Do two handles mean the same field? Dates of headers; a buffer for one has at least 33 bytes. */
int TSMimeHdrFieldEqual(TSMBuffer buffer, TSMLoc hdr, TSMLoc field1, TSMLoc field2);
time_t TSMimeParseDate(char const *const text, int const length);
TSReturnCode TSMimeFormatDate(time_t const time, char *const text, int *const length);

/* Times and chance. */

#define TS_HRTIME_NSECOND (1LL)
#define TS_HRTIME_USECOND (1000 * TS_HRTIME_NSECOND)
#define TS_HRTIME_MSECOND (1000 * TS_HRTIME_USECOND)
#define TS_HRTIME_SECOND (1000 * TS_HRTIME_MSECOND)
#define TS_HRTIME_MINUTE (60 * TS_HRTIME_SECOND)
#define TS_HRTIME_HOUR (60 * TS_HRTIME_MINUTE)
#define TS_HRTIME_DAY (24 * TS_HRTIME_HOUR)
#define TS_HRTIME_WEEK (7 * TS_HRTIME_DAY)
#define TS_HRTIME_YEAR (365 * TS_HRTIME_DAY + TS_HRTIME_DAY / 4)
#define TS_HRTIME_DECADE (10 * TS_HRTIME_YEAR)
#define TS_HRTIME_FOREVER (10 * TS_HRTIME_DECADE)

#define TS_HRTIME_NSECONDS(count) ((count) * TS_HRTIME_NSECOND)
#define TS_HRTIME_USECONDS(count) ((count) * TS_HRTIME_USECOND)
#define TS_HRTIME_MSECONDS(count) ((count) * TS_HRTIME_MSECOND)
#define TS_HRTIME_SECONDS(count) ((count) * TS_HRTIME_SECOND)
#define TS_HRTIME_MINUTES(count) ((count) * TS_HRTIME_MINUTE)
#define TS_HRTIME_HOURS(count) ((count) * TS_HRTIME_HOUR)
#define TS_HRTIME_DAYS(count) ((count) * TS_HRTIME_DAY)
#define TS_HRTIME_WEEKS(count) ((count) * TS_HRTIME_WEEK)
#define TS_HRTIME_YEARS(count) ((count) * TS_HRTIME_YEAR)

/* About so many seconds: 2^30 nanoseconds are taken for one. */
#define TS_HRTIME_APPROX_SECONDS(time) ((time) >> 30)
#define TS_HRTIME_APPROX_FACTOR (((float)(1 << 30)) / (((float)TS_HRTIME_SECOND)))

/* Nanoseconds since 1970; a number, and one from 0 to 1. */
TSHRTime TShrtime(void);
unsigned int TSrandom(void);
double TSdrandom(void);

/* Networks. */

/* An address from text; connections that take the client's address; the ports that are configured for plugins. */
TSReturnCode TSIpStringToAddr(const char *text, size_t text_length, struct sockaddr *addr);
TSAction TSNetConnectTransparent(TSCont cont, struct sockaddr const *from, struct sockaddr const *to);
TSReturnCode TSPluginDescriptorAccept(TSCont cont);

/* Names of events of datagrams. */
#define TS_NET_EVENT_DATAGRAM_READ_COMPLETE TS_EVENT_INTERNAL_206
#define TS_NET_EVENT_DATAGRAM_READ_ERROR TS_EVENT_INTERNAL_207
#define TS_NET_EVENT_DATAGRAM_WRITE_COMPLETE TS_EVENT_INTERNAL_208
#define TS_NET_EVENT_DATAGRAM_WRITE_ERROR TS_EVENT_INTERNAL_209
#define TS_NET_EVENT_DATAGRAM_READ_READY TS_EVENT_INTERNAL_210
#define TS_NET_EVENT_DATAGRAM_OPEN TS_EVENT_INTERNAL_211
#define TS_NET_EVENT_DATAGRAM_ERROR TS_EVENT_INTERNAL_212

/* Configuration. */

/* Files of lines with addresses and name=value pairs. */
#define TS_MATCHER_LINE_INVALID 0

typedef struct tsapi_matcheline *TSMatcherLine;

char *TSMatcherReadIntoBuffer(char *file, int *length);
char *TSMatcherTokLine(char *buffer, char **last);
char *TSMatcherExtractIPRange(char *match_str, uint32_t *addr1, uint32_t *addr2);
TSMatcherLine TSMatcherLineCreate(void);
void TSMatcherLineDestroy(TSMatcherLine line);
const char *TSMatcherParseSrcIPConfigLine(char *line, TSMatcherLine ml);
char *TSMatcherLineName(TSMatcherLine line, int element);
char *TSMatcherLineValue(TSMatcherLine line, int element);

/* A record's new value. */
TSReturnCode TSMgmtConfigIntSet(const char *name, TSMgmtInt value);

/* Requests in pieces. */

/* Events of one that has TS_FETCH_FLAGS_STREAM; the `edata` is the TSFetchSM. */
typedef enum {
  TS_FETCH_EVENT_EXT_HEAD_READY = -1,
  TS_FETCH_EVENT_EXT_HEAD_DONE = -2,
  TS_FETCH_EVENT_EXT_BODY_READY = -3,
  TS_FETCH_EVENT_EXT_BODY_DONE = -4,
} TSFetchEventExt;

/* Its options (bits): in pieces, without chunk framing, with a lock of its own, taken for a client's request. */
typedef enum {
  TS_FETCH_FLAGS_NONE = 0,
  TS_FETCH_FLAGS_STREAM = 2,
  TS_FETCH_FLAGS_DECHUNK = 4,
  TS_FETCH_FLAGS_NEWLOCK = 8,
  TS_FETCH_FLAGS_NOT_INTERNAL_REQUEST = 16,
} TSFetchFlags;

/* Made, given fields and a body, begun, read from, and destroyed by the plugin. */
TSFetchSM TSFetchCreate(TSCont cont, const char *method, const char *url, const char *version,
    struct sockaddr const *client_addr, int flags);
void TSFetchFlagSet(TSFetchSM fetch, int flags);
void TSFetchHeaderAdd(TSFetchSM fetch, const char *name, int name_length, const char *value, int length);
void TSFetchLaunch(TSFetchSM fetch);
void TSFetchWriteData(TSFetchSM fetch, const void *data, size_t len);
ssize_t TSFetchReadData(TSFetchSM fetch, void *bytes, size_t len);
void TSFetchDestroy(TSFetchSM fetch);
TSMBuffer TSFetchRespHdrMBufGet(TSFetchSM fetch);
TSMLoc TSFetchRespHdrMLocGet(TSFetchSM fetch);
void TSFetchUserDataSet(TSFetchSM fetch, void *data);
void *TSFetchUserDataGet(TSFetchSM fetch);

#ifdef __cplusplus
}
#endif
