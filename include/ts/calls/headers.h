/* HTTP headers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Headers: made, copied between buffers, written to an IO buffer. */
TSMLoc TSHttpHdrCreate(TSMBuffer buffer);
void TSHttpHdrDestroy(TSMBuffer buffer, TSMLoc loc);
TSReturnCode TSHttpHdrClone(TSMBuffer to_buffer, TSMBuffer from_buffer, TSMLoc from, TSMLoc *loc);
TSReturnCode TSHttpHdrCopy(TSMBuffer to_buffer, TSMLoc to, TSMBuffer from_buffer, TSMLoc from);
void TSHttpHdrPrint(TSMBuffer buffer, TSMLoc loc, TSIOBuffer io);
int TSHttpHdrLengthGet(TSMBuffer buffer, TSMLoc loc);

/* Parsing, in as many pieces as the text comes in: `*start` moves to what was not used, which is the body after
 * TS_PARSE_DONE. A parser is cleared between two messages. */
TSHttpParser TSHttpParserCreate(void);
void TSHttpParserClear(TSHttpParser parser);
void TSHttpParserDestroy(TSHttpParser parser);
TSParseResult TSHttpHdrParseReq(TSHttpParser parser, TSMBuffer buffer, TSMLoc loc, const char **start,
    const char *end);
TSParseResult TSHttpHdrParseResp(TSHttpParser parser, TSMBuffer buffer, TSMLoc loc, const char **start,
    const char *end);

/* Both kinds; versions are those of TS_HTTP_VERSION. */
TSHttpType TSHttpHdrTypeGet(TSMBuffer buffer, TSMLoc loc);
TSReturnCode TSHttpHdrTypeSet(TSMBuffer buffer, TSMLoc loc, TSHttpType type);
int TSHttpHdrVersionGet(TSMBuffer buffer, TSMLoc loc);
TSReturnCode TSHttpHdrVersionSet(TSMBuffer buffer, TSMLoc loc, int version);

/* Requests. The host is that of the URL, or else of the Host field, without a port. */
const char *TSHttpHdrMethodGet(TSMBuffer buffer, TSMLoc loc, int *length);
TSReturnCode TSHttpHdrMethodSet(TSMBuffer buffer, TSMLoc loc, const char *value, int length);
TSReturnCode TSHttpHdrUrlGet(TSMBuffer bufp, TSMLoc offset, TSMLoc *locp);
TSReturnCode TSHttpHdrUrlSet(TSMBuffer buffer, TSMLoc loc, TSMLoc url);
const char *TSHttpHdrHostGet(TSMBuffer buffer, TSMLoc loc, int *length);
TSReturnCode TSHttpHdrEffectiveUrlBufGet(TSMBuffer buffer, TSMLoc hdr, char *bytes, int64_t size,
    int64_t *length);

/* Responses. Setting a status leaves the reason as it is; TSHttpHdrReasonLookup has the usual one. */
TSHttpStatus TSHttpHdrStatusGet(TSMBuffer buffer, TSMLoc loc);
TSReturnCode TSHttpHdrStatusSet(TSMBuffer buffer, TSMLoc loc, TSHttpStatus status);
const char *TSHttpHdrReasonGet(TSMBuffer buffer, TSMLoc loc, int *length);
TSReturnCode TSHttpHdrReasonSet(TSMBuffer buffer, TSMLoc loc, const char *value, int length);
const char *TSHttpHdrReasonLookup(TSHttpStatus status);

#ifdef __cplusplus
}
#endif
