/* Message buffers and URLs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A buffer owns what is made in it. Those of transactions belong to the server, and those of the cache cannot be
 * changed. A handle of a field is released with TSHandleMLocRelease, with its header as parent; of other handles
 * nothing is held, and releasing them is allowed. */
TSMBuffer TSMBufferCreate(void);
TSReturnCode TSMBufferDestroy(TSMBuffer buffer);
TSReturnCode TSHandleMLocRelease(TSMBuffer buffer, TSMLoc parent, TSMLoc mloc);

/* URLs: made, copied between buffers, written to an IO buffer. */
TSReturnCode TSUrlCreate(TSMBuffer buffer, TSMLoc *loc);
TSReturnCode TSUrlClone(TSMBuffer to_buffer, TSMBuffer from_buffer, TSMLoc from, TSMLoc *loc);
TSReturnCode TSUrlCopy(TSMBuffer to_buffer, TSMLoc to, TSMBuffer from_buffer, TSMLoc from);
void TSUrlPrint(TSMBuffer buffer, TSMLoc loc, TSIOBuffer io);
int TSUrlLengthGet(TSMBuffer buffer, TSMLoc loc);

/* From text, `*start` moves to what follows; to text that ends with NUL and is the plugin's (TSfree). */
TSParseResult TSUrlParse(TSMBuffer buffer, TSMLoc loc, const char **start, const char *end);
char *TSUrlStringGet(TSMBuffer buffer, TSMLoc loc, int *length);

/* Parts. A path has no slash in front, a query no question mark. NULL or a length of 0 removes a part. Without a
 * port, TSUrlPortGet returns the scheme's and TSUrlRawPortGet 0; without a scheme, TSUrlSchemeGet returns http or
 * https and TSUrlRawSchemeGet NULL. */
const char *TSUrlSchemeGet(TSMBuffer buffer, TSMLoc loc, int *length);
const char *TSUrlRawSchemeGet(TSMBuffer buffer, TSMLoc loc, int *length);
TSReturnCode TSUrlSchemeSet(TSMBuffer buffer, TSMLoc loc, const char *value, int length);
const char *TSUrlUserGet(TSMBuffer buffer, TSMLoc loc, int *length);
TSReturnCode TSUrlUserSet(TSMBuffer buffer, TSMLoc loc, const char *value, int length);
const char *TSUrlPasswordGet(TSMBuffer buffer, TSMLoc loc, int *length);
TSReturnCode TSUrlPasswordSet(TSMBuffer buffer, TSMLoc loc, const char *value, int length);
const char *TSUrlHostGet(TSMBuffer buffer, TSMLoc loc, int *length);
TSReturnCode TSUrlHostSet(TSMBuffer buffer, TSMLoc loc, const char *value, int length);
int TSUrlPortGet(TSMBuffer buffer, TSMLoc loc);
int TSUrlRawPortGet(TSMBuffer buffer, TSMLoc loc);
TSReturnCode TSUrlPortSet(TSMBuffer buffer, TSMLoc loc, int port);
const char *TSUrlPathGet(TSMBuffer buffer, TSMLoc loc, int *length);
TSReturnCode TSUrlPathSet(TSMBuffer buffer, TSMLoc loc, const char *value, int length);
int TSUrlFtpTypeGet(TSMBuffer buffer, TSMLoc loc);
TSReturnCode TSUrlFtpTypeSet(TSMBuffer buffer, TSMLoc loc, int type);
const char *TSUrlHttpParamsGet(TSMBuffer buffer, TSMLoc loc, int *length);
TSReturnCode TSUrlHttpParamsSet(TSMBuffer buffer, TSMLoc loc, const char *value, int length);
const char *TSUrlHttpQueryGet(TSMBuffer buffer, TSMLoc loc, int *length);
TSReturnCode TSUrlHttpQuerySet(TSMBuffer buffer, TSMLoc loc, const char *value, int length);
const char *TSUrlHttpFragmentGet(TSMBuffer buffer, TSMLoc loc, int *length);
TSReturnCode TSUrlHttpFragmentSet(TSMBuffer buffer, TSMLoc loc, const char *value, int length);

#ifdef __cplusplus
}
#endif
