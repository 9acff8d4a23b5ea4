/* The cache: results of lookups, kinds of objects, errors, scans.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* What a transaction's lookup found. SKIPPED: the request may not be answered from the cache. */
typedef enum {
  TS_CACHE_LOOKUP_MISS = 0,
  TS_CACHE_LOOKUP_HIT_STALE = 1,
  TS_CACHE_LOOKUP_HIT_FRESH = 2,
  TS_CACHE_LOOKUP_SKIPPED = 3,
} TSCacheLookupResult;

/* Kinds of objects. */
typedef enum {
  TS_CACHE_DATA_TYPE_NONE = 0,
  TS_CACHE_DATA_TYPE_HTTP = 1,
  TS_CACHE_DATA_TYPE_OTHER = 2,
} TSCacheDataType;

/* Why an object could not be opened: none there, in use, the cache has not started. */
typedef enum {
  TS_CACHE_ERROR_NO_DOC = -20400,
  TS_CACHE_ERROR_DOC_BUSY = -20401,
  TS_CACHE_ERROR_NOT_READY = -20407,
} TSCacheError;

/* What the handler of a scan wants done with an object. */
typedef enum {
  TS_CACHE_SCAN_RESULT_DONE = 0,
  TS_CACHE_SCAN_RESULT_CONTINUE = 1,
  TS_CACHE_SCAN_RESULT_DELETE = 10,
  TS_CACHE_SCAN_RESULT_DELETE_ALL_ALTERNATES = 11,
  TS_CACHE_SCAN_RESULT_UPDATE = 12,
  TS_CACHE_SCAN_RESULT_RETRY = 13,
} TSCacheScanResult;

#ifdef __cplusplus
}
#endif
