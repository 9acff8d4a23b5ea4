/* What a plugin writes for people: diagnostics, debug messages, text logs.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* To the diagnostics log. TSFatal and TSAlert end the process, TSEmergency ends it for good. */
void TSStatus(const char *format, ...) TS_PRINTFLIKE(1, 2);
void TSNote(const char *format, ...) TS_PRINTFLIKE(1, 2);
void TSWarning(const char *format, ...) TS_PRINTFLIKE(1, 2);
void TSError(const char *format, ...) TS_PRINTFLIKE(1, 2);
void TSFatal(const char *format, ...) TS_PRINTFLIKE(1, 2);
void TSAlert(const char *format, ...) TS_PRINTFLIKE(1, 2);
void TSEmergency(const char *format, ...) TS_PRINTFLIKE(1, 2);

/* Messages for debugging, written if they are enabled and their tag is. `debug_flag` writes in any case. */
void TSDebug(const char *tag, const char *format, ...) TS_PRINTFLIKE(2, 3);
void TSDebugSpecific(int debug_flag, const char *tag, const char *format, ...) TS_PRINTFLIKE(3, 4);
int TSIsDebugTagSet(const char *tag);

/* TSDEBUG(tag, format, ...) evaluates its arguments only if debug messages are enabled. */
extern int diags_on_for_plugins;
#define TSDEBUG             \
  if (diags_on_for_plugins) \
  TSDebug

/* Debugging of one transaction or session, whatever is enabled otherwise. */
void TSHttpTxnDebugSet(TSHttpTxn txn, int on);
int TSHttpTxnDebugGet(TSHttpTxn txn);
void TSHttpSsnDebugSet(TSHttpSsn ssn, int on);
int TSHttpSsnDebugGet(TSHttpSsn ssn, int *on);

/* Text logs: files in the log directory. `mode` is made of TS_LOG_MODE_*; each write is one line. Lines are kept back
 * for a moment; TSTextLogObjectFlush writes them. */
TSReturnCode TSTextLogObjectCreate(const char *filename, int mode, TSTextLogObject *log);
TSReturnCode TSTextLogObjectWrite(TSTextLogObject log, const char *format, ...) TS_PRINTFLIKE(2, 3);
void TSTextLogObjectFlush(TSTextLogObject log);
TSReturnCode TSTextLogObjectDestroy(TSTextLogObject log);

/* The first line of each file, and when a new file is begun. */
void TSTextLogObjectHeaderSet(TSTextLogObject log, const char *header);
TSReturnCode TSTextLogObjectRollingEnabledSet(TSTextLogObject log, int rolling_enabled);
void TSTextLogObjectRollingIntervalSecSet(TSTextLogObject log, int rolling_interval_sec);
void TSTextLogObjectRollingOffsetHrSet(TSTextLogObject log, int rolling_offset_hr);
void TSTextLogObjectRollingSizeMbSet(TSTextLogObject log, int rolling_size_mb);

#ifdef __cplusplus
}
#endif
