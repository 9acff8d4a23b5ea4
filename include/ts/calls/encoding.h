/* Encodings and identifiers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Text and bytes; what does not fit into `dst` is TS_ERROR. `map` has a bit for each byte that is to be encoded, NULL
 * means the usual ones. */
TSReturnCode TSBase64Encode(const char *text, size_t text_length, char *dst, size_t dst_size, size_t *length);
TSReturnCode TSBase64Decode(const char *text, size_t text_length, unsigned char *dst, size_t dst_size,
    size_t *length);
TSReturnCode TSStringPercentEncode(const char *text, int text_length, char *dst, size_t dst_size,
    size_t *length, const unsigned char *map);
TSReturnCode TSUrlPercentEncode(TSMBuffer buffer, TSMLoc loc, char *dst, size_t dst_size, size_t *length,
    const unsigned char *map);
TSReturnCode TSStringPercentDecode(const char *text, size_t text_length, char *dst, size_t dst_size,
    size_t *length);

/* UUIDs. That of the process is the server's; the string lives as long as its UUID. */
TSUuid TSUuidCreate(void);
TSReturnCode TSUuidInitialize(TSUuid uuid, TSUuidVersion version);
void TSUuidDestroy(TSUuid uuid);
TSReturnCode TSUuidCopy(TSUuid dest, const TSUuid src);
const char *TSUuidStringGet(const TSUuid uuid);
TSUuidVersion TSUuidVersionGet(const TSUuid uuid);
TSReturnCode TSUuidStringParse(TSUuid uuid, const char *text);
TSUuid TSProcessUuidGet(void);

#ifdef __cplusplus
}
#endif
