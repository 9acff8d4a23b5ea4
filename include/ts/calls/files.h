/* Files: buffered, and in the background.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Buffered files; the mode is "r", "w" or "a". TSfgets ends the text with NUL and returns NULL at the end. */
TSFile TSfopen(const char *filename, const char *mode);
void TSfclose(TSFile file);
ssize_t TSfread(TSFile file, void *bytes, size_t length);
ssize_t TSfwrite(TSFile file, const void *bytes, size_t length);
void TSfflush(TSFile file);
char *TSfgets(TSFile file, char *bytes, size_t length);

/* In the background: TS_EVENT_AIO_DONE comes with the TSAIOCallback, which is valid during that call. The number of
 * bytes is negative after an error. The continuation's mutex has to be held. */
TSReturnCode TSAIORead(int fd, off_t offset, char *bytes, size_t size, TSCont cont);
TSReturnCode TSAIOWrite(int fd, off_t offset, char *bytes, size_t size, TSCont cont);
char *TSAIOBufGet(TSAIOCallback data);
int TSAIONBytesGet(TSAIOCallback data);
TSReturnCode TSAIOThreadNumSet(int thread_num);

#ifdef __cplusplus
}
#endif
