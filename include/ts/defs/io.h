/* Streams: sizes of buffers, ends of connections, connections and fetches that plugins begin.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "handles.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The end of a connection: as usual, or with an error. */
typedef enum {
  TS_VC_CLOSE_ABORT = -1,
  TS_VC_CLOSE_NORMAL = 1,
} TSVConnCloseFlags;

/* Sizes of the blocks of a buffer. TSIOBufferSizedCreate takes those up to 32K. */
typedef enum {
  TS_IOBUFFER_SIZE_INDEX_128 = 0,
  TS_IOBUFFER_SIZE_INDEX_256 = 1,
  TS_IOBUFFER_SIZE_INDEX_512 = 2,
  TS_IOBUFFER_SIZE_INDEX_1K = 3,
  TS_IOBUFFER_SIZE_INDEX_2K = 4,
  TS_IOBUFFER_SIZE_INDEX_4K = 5,
  TS_IOBUFFER_SIZE_INDEX_8K = 6,
  TS_IOBUFFER_SIZE_INDEX_16K = 7,
  TS_IOBUFFER_SIZE_INDEX_32K = 8,
  TS_IOBUFFER_SIZE_INDEX_64K = 9,
  TS_IOBUFFER_SIZE_INDEX_128K = 10,
  TS_IOBUFFER_SIZE_INDEX_256K = 11,
  TS_IOBUFFER_SIZE_INDEX_512K = 12,
  TS_IOBUFFER_SIZE_INDEX_1M = 13,
  TS_IOBUFFER_SIZE_INDEX_2M = 14,
} TSIOBufferSizeIndex;

/* From how many unread bytes on a reader is told. */
typedef enum {
  TS_IOBUFFER_WATER_MARK_UNDEFINED = -1,
  TS_IOBUFFER_WATER_MARK_PLUGIN_VC_DEFAULT = 0,
  TS_IOBUFFER_WATER_MARK_HTTP_DEFAULT = 32768,
} TSIOBufferWaterMark;

/* Threads that a continuation can be scheduled on: event loops, tasks that may block, names, datagrams. */
typedef enum {
  TS_THREAD_POOL_NET = 0,
  TS_THREAD_POOL_TASK = 1,
  TS_THREAD_POOL_DNS = 2,
  TS_THREAD_POOL_UDP = 3,
} TSThreadPool;

/* Kinds of connections that a plugin makes to the server itself. */
typedef enum {
  TS_CONNECT_UNDEFINED = 0,
  TS_CONNECT_PLUGIN = 1,
  TS_CONNECT_LAST_ENTRY = 2,
} TSConnectType;

/* Such a connection: the address taken for the client's, a name and a number for logs, and its buffers. Take one from
 * TSHttpConnectOptionsGet, which fills in the defaults. */
typedef struct TSHttpConnectOptions_s {
  TSConnectType connect_type;
  const struct sockaddr *addr;
  const char *tag;
  int64_t id;
  TSIOBufferSizeIndex buffer_index;
  TSIOBufferWaterMark buffer_water_mark;
} TSHttpConnectOptions;

/* When TSFetchUrl calls back. */
typedef enum {
  NO_CALLBACK = 0,
  AFTER_HEADER = 1,
  AFTER_BODY = 2,
} TSFetchWakeUpOptions;

/* The events with which it calls back. */
typedef struct {
  int success_event_id;
  int failure_event_id;
  int timeout_event_id;
} TSFetchEvent;

/* A list of fetches for TSFetchPages. */
typedef struct TSFetchUrlParams {
  const char *request;
  int request_len;
  struct sockaddr_storage ip;
  int port;
  TSCont contp;
  TSFetchEvent events;
  TSFetchWakeUpOptions options;
  struct TSFetchUrlParams *next;
} TSFetchUrlParams_t;

#ifdef __cplusplus
}
#endif
