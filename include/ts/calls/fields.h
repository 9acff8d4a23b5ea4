/* Field blocks ("MIME headers") and their fields.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Field blocks. The calls take an HTTP header as well. */
TSReturnCode TSMimeHdrCreate(TSMBuffer buffer, TSMLoc *loc);
TSReturnCode TSMimeHdrDestroy(TSMBuffer buffer, TSMLoc loc);
TSReturnCode TSMimeHdrClone(TSMBuffer to_buffer, TSMBuffer from_buffer, TSMLoc from, TSMLoc *loc);
TSReturnCode TSMimeHdrCopy(TSMBuffer to_buffer, TSMLoc to, TSMBuffer from_buffer, TSMLoc from);
void TSMimeHdrPrint(TSMBuffer buffer, TSMLoc loc, TSIOBuffer io);
int TSMimeHdrLengthGet(TSMBuffer buffer, TSMLoc loc);
TSReturnCode TSMimeHdrFieldsClear(TSMBuffer buffer, TSMLoc loc);
int TSMimeHdrFieldsCount(TSMBuffer buffer, TSMLoc loc);

/* Parsing, in as many pieces as the text comes in: `*start` moves to what was not used. */
TSMimeParser TSMimeParserCreate(void);
void TSMimeParserClear(TSMimeParser parser);
void TSMimeParserDestroy(TSMimeParser parser);
TSParseResult TSMimeHdrParse(TSMimeParser parser, TSMBuffer buffer, TSMLoc loc, const char **start,
    const char *end);

/* Finding fields: by position, by name (in any case), the next one, the next of the same name. Each handle is to be
 * released; two handles of one field differ. */
TSMLoc TSMimeHdrFieldGet(TSMBuffer buffer, TSMLoc hdr, int index);
TSMLoc TSMimeHdrFieldFind(TSMBuffer buffer, TSMLoc hdr, const char *name, int length);
TSMLoc TSMimeHdrFieldNext(TSMBuffer buffer, TSMLoc hdr, TSMLoc field);
TSMLoc TSMimeHdrFieldNextDup(TSMBuffer buffer, TSMLoc hdr, TSMLoc field);

/* A new field belongs to no block until it is appended. A removed one can be appended again; one that was destroyed
 * is gone, and its handle is still to be released. */
TSReturnCode TSMimeHdrFieldCreate(TSMBuffer buffer, TSMLoc hdr, TSMLoc *loc);
TSReturnCode TSMimeHdrFieldCreateNamed(TSMBuffer buffer, TSMLoc hdr, const char *name, int name_length,
    TSMLoc *loc);
TSReturnCode TSMimeHdrFieldAppend(TSMBuffer buffer, TSMLoc hdr, TSMLoc field);
TSReturnCode TSMimeHdrFieldRemove(TSMBuffer buffer, TSMLoc hdr, TSMLoc field);
TSReturnCode TSMimeHdrFieldDestroy(TSMBuffer buffer, TSMLoc hdr, TSMLoc field);
TSReturnCode TSMimeHdrFieldClone(TSMBuffer to_buffer, TSMLoc to, TSMBuffer from_buffer, TSMLoc from,
    TSMLoc from_field, TSMLoc *loc);
TSReturnCode TSMimeHdrFieldCopy(TSMBuffer to_buffer, TSMLoc to, TSMLoc to_field, TSMBuffer from_buffer,
    TSMLoc from, TSMLoc from_field);
TSReturnCode TSMimeHdrFieldCopyValues(TSMBuffer to_buffer, TSMLoc to, TSMLoc to_field, TSMBuffer from_buffer,
    TSMLoc from, TSMLoc from_field);

/* Names. */
const char *TSMimeHdrFieldNameGet(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int *length);
TSReturnCode TSMimeHdrFieldNameSet(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, const char *name, int length);
int TSMimeHdrFieldLengthGet(TSMBuffer buffer, TSMLoc hdr, TSMLoc field);

/* Values. An index of -1 means the field's whole value, from 0 on one element of a list with commas. Text that is
 * no number or date is 0. */
TSReturnCode TSMimeHdrFieldValuesClear(TSMBuffer buffer, TSMLoc hdr, TSMLoc field);
int TSMimeHdrFieldValuesCount(TSMBuffer buffer, TSMLoc hdr, TSMLoc field);
const char *TSMimeHdrFieldValueStringGet(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index, int *length);
int TSMimeHdrFieldValueIntGet(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index);
int64_t TSMimeHdrFieldValueInt64Get(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index);
unsigned int TSMimeHdrFieldValueUintGet(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index);
time_t TSMimeHdrFieldValueDateGet(TSMBuffer buffer, TSMLoc hdr, TSMLoc field);
TSReturnCode TSMimeHdrFieldValueStringSet(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index,
    const char *value, int length);
TSReturnCode TSMimeHdrFieldValueIntSet(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index, int value);
TSReturnCode TSMimeHdrFieldValueInt64Set(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index,
    int64_t value);
TSReturnCode TSMimeHdrFieldValueUintSet(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index,
    unsigned int value);
TSReturnCode TSMimeHdrFieldValueDateSet(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, time_t value);

/* Adds bytes to an element; puts a new element before one, with -1 at the end; takes one away. */
TSReturnCode TSMimeHdrFieldValueAppend(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index,
    const char *value, int length);
TSReturnCode TSMimeHdrFieldValueStringInsert(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index,
    const char *value, int length);
TSReturnCode TSMimeHdrFieldValueIntInsert(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index, int value);
TSReturnCode TSMimeHdrFieldValueUintInsert(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index,
    unsigned int value);
TSReturnCode TSMimeHdrFieldValueDateInsert(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, time_t value);
TSReturnCode TSMimeHdrFieldValueDelete(TSMBuffer buffer, TSMLoc hdr, TSMLoc field, int index);

#ifdef __cplusplus
}
#endif
