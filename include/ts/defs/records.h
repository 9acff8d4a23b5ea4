/* Records: configuration and statistics.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values of records. */
typedef int64_t TSMgmtInt;
typedef int64_t TSMgmtCounter;
typedef float TSMgmtFloat;
typedef char *TSMgmtString;

typedef union {
  int64_t rec_int;
  float rec_float;
  char *rec_string;
  int64_t rec_counter;
} TSRecordData;

/* Kinds of records (bits), and of their values. */
typedef enum {
  TS_RECORDTYPE_NULL = 0x00,
  TS_RECORDTYPE_CONFIG = 0x01,
  TS_RECORDTYPE_PROCESS = 0x02,
  TS_RECORDTYPE_NODE = 0x04,
  TS_RECORDTYPE_LOCAL = 0x10,
  TS_RECORDTYPE_PLUGIN = 0x20,
  TS_RECORDTYPE_ALL = 0x3F,
} TSRecordType;

typedef enum {
  TS_RECORDDATATYPE_NULL = 0,
  TS_RECORDDATATYPE_INT = 1,
  TS_RECORDDATATYPE_FLOAT = 2,
  TS_RECORDDATATYPE_STRING = 3,
  TS_RECORDDATATYPE_COUNTER = 4,
  TS_RECORDDATATYPE_STAT_CONST = 5,
  TS_RECORDDATATYPE_STAT_FX = 6,
  TS_RECORDDATATYPE_MAX = 7,
} TSRecordDataType;

/* Whether a value outlives the process. */
typedef enum {
  TS_RECORDP_NULL = 0,
  TS_RECORDP_PERSISTENT = 1,
  TS_RECORDP_NON_PERSISTENT = 2,
} TSRecordPersistType;

/* When a changed value takes effect. */
typedef enum {
  TS_RECORDUPDATE_NULL = 0,
  TS_RECORDUPDATE_DYNAMIC = 1,
  TS_RECORDUPDATE_RESTART_TS = 2,
  TS_RECORDUPDATE_RESTART_TM = 3,
} TSRecordUpdateType;

/* How a new value is checked. */
typedef enum {
  TS_RECORDCHECK_NULL = 0,
  TS_RECORDCHECK_STR = 1,
  TS_RECORDCHECK_INT = 2,
  TS_RECORDCHECK_IP = 3,
} TSRecordCheckType;

/* Where a record is used. */
typedef enum {
  TS_RECORDMODE_NULL = 0,
  TS_RECORDMODE_CLIENT = 1,
  TS_RECORDMODE_SERVER = 2,
  TS_RECORDMODE_STAND_ALONE = 3,
} TSRecordModeType;

/* Who may change a record. */
typedef enum {
  TS_RECORDACCESS_NULL = 0,
  TS_RECORDACCESS_NO_ACCESS = 1,
  TS_RECORDACCESS_READ_ONLY = 2,
} TSRecordAccessType;

/* Where a value comes from. */
typedef enum {
  TS_MGMT_SOURCE_NULL = 0,
  TS_MGMT_SOURCE_DEFAULT = 1,
  TS_MGMT_SOURCE_PLUGIN = 2,
  TS_MGMT_SOURCE_EXPLICIT = 3,
  TS_MGMT_SOURCE_ENV = 4,
} TSMgmtSource;

/* For TSStatCreate: whether the value outlives the process, and how the threads' values make one. */
typedef enum {
  TS_STAT_PERSISTENT = 1,
  TS_STAT_NON_PERSISTENT = 2,
} TSStatPersistence;

typedef enum {
  TS_STAT_SYNC_SUM = 0,
  TS_STAT_SYNC_COUNT = 1,
  TS_STAT_SYNC_AVG = 2,
  TS_STAT_SYNC_TIMEAVG = 3,
} TSStatSync;

/* Called by TSRecordDump for each record; `registered` is 0 for one that was only mentioned. */
typedef void (*TSRecordDumpCb)(TSRecordType type, void *edata, int registered, const char *name,
                               TSRecordDataType data_type, TSRecordData *datum);

/* How a text log is kept (bits): each line begins with the time; a name that is in use is an error instead
 * of being changed. From INVALID_FLAG on nothing is a mode. */
enum {
  TS_LOG_MODE_ADD_TIMESTAMP = 1,
  TS_LOG_MODE_DO_NOT_RENAME = 2,
  TS_LOG_MODE_INVALID_FLAG = 4,
};

#ifdef __cplusplus
}
#endif
