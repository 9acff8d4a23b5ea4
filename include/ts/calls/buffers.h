/* IO buffers: chains of blocks with one writer and several readers.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The end of a buffer is the end of its readers. */
TSIOBuffer TSIOBufferCreate(void);
TSIOBuffer TSIOBufferSizedCreate(TSIOBufferSizeIndex index);
void TSIOBufferDestroy(TSIOBuffer buffer);
int64_t TSIOBufferWaterMarkGet(TSIOBuffer buffer);
void TSIOBufferWaterMarkSet(TSIOBuffer buffer, int64_t water_mark);

/* Writing: a copy of bytes, or a part of what a reader has, which is shared instead of copied. */
int64_t TSIOBufferWrite(TSIOBuffer buffer, const void *bytes, int64_t length);
int64_t TSIOBufferCopy(TSIOBuffer buffer, TSIOBufferReader reader, int64_t length, int64_t offset);

/* Writing in place: the block to write to, its room, and how much was written. */
TSIOBufferBlock TSIOBufferStart(TSIOBuffer buffer);
char *TSIOBufferBlockWriteStart(TSIOBufferBlock block, int64_t *avail);
int64_t TSIOBufferBlockWriteAvail(TSIOBufferBlock block);
void TSIOBufferProduce(TSIOBuffer buffer, int64_t bytes);

/* Readers, each with its own position; at most 5 for one buffer. */
TSIOBufferReader TSIOBufferReaderAlloc(TSIOBuffer buffer);
TSIOBufferReader TSIOBufferReaderClone(TSIOBufferReader reader);
void TSIOBufferReaderFree(TSIOBufferReader reader);

/* Reading: block by block, some of which may be empty, or as a copy; then consuming what was read. */
TSIOBufferBlock TSIOBufferReaderStart(TSIOBufferReader reader);
TSIOBufferBlock TSIOBufferBlockNext(TSIOBufferBlock block);
const char *TSIOBufferBlockReadStart(TSIOBufferBlock block, TSIOBufferReader reader, int64_t *avail);
int64_t TSIOBufferBlockReadAvail(TSIOBufferBlock block, TSIOBufferReader reader);
int64_t TSIOBufferReaderAvail(TSIOBufferReader reader);
int64_t TSIOBufferReaderCopy(TSIOBufferReader reader, void *bytes, int64_t length);
void TSIOBufferReaderConsume(TSIOBufferReader reader, int64_t bytes);

#ifdef __cplusplus
}
#endif
