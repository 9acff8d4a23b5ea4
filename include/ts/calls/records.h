/* Records: configuration, statistics, values for one transaction.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Values of records, configuration or statistics; a string is the plugin's (TSfree). */
TSReturnCode TSMgmtIntGet(const char *name, TSMgmtInt *result);
TSReturnCode TSMgmtCounterGet(const char *name, TSMgmtCounter *result);
TSReturnCode TSMgmtFloatGet(const char *name, TSMgmtFloat *result);
TSReturnCode TSMgmtStringGet(const char *name, TSMgmtString *result);
TSReturnCode TSMgmtSourceGet(const char *name, TSMgmtSource *source);
TSReturnCode TSMgmtDataTypeGet(const char *name, TSRecordDataType *result);

/* Records of the plugin's own. */
TSReturnCode TSMgmtIntCreate(TSRecordType type, const char *name, TSMgmtInt initial,
    TSRecordUpdateType update_type, TSRecordCheckType check_type, const char *check_regex,
    TSRecordAccessType access_type);
TSReturnCode TSMgmtStringCreate(TSRecordType type, const char *name, const TSMgmtString initial,
    TSRecordUpdateType update_type, TSRecordCheckType check_type, const char *check_regex,
    TSRecordAccessType access_type);

/* TS_EVENT_MGMT_UPDATE comes after each reload; a file of the plugin's is watched like those of the server. */
void TSMgmtUpdateRegister(TSCont cont, const char *plugin_name);
TSReturnCode TSMgmtConfigFileAdd(const char *parent, const char *file);

/* Calls back for each record of these kinds; the callback must not touch records. */
void TSRecordDump(int type, TSRecordDumpCb callback, void *edata);

/* Configuration data that is exchanged while others read it: a number names it, 0 makes a new one. */
unsigned int TSConfigSet(unsigned int id, void *data, TSConfigDestroyFunc destroy);
TSConfig TSConfigGet(unsigned int id);
void TSConfigRelease(unsigned int id, TSConfig config);
void *TSConfigDataGet(TSConfig config);

/* Values for one transaction. Of strings only the pointer is kept. */
TSReturnCode TSHttpTxnConfigIntSet(TSHttpTxn txn, TSOverridableConfigKey key, TSMgmtInt value);
TSReturnCode TSHttpTxnConfigIntGet(TSHttpTxn txn, TSOverridableConfigKey key, TSMgmtInt *value);
TSReturnCode TSHttpTxnConfigFloatSet(TSHttpTxn txn, TSOverridableConfigKey key, TSMgmtFloat value);
TSReturnCode TSHttpTxnConfigFloatGet(TSHttpTxn txn, TSOverridableConfigKey key, TSMgmtFloat *value);
TSReturnCode TSHttpTxnConfigStringSet(TSHttpTxn txn, TSOverridableConfigKey key, const char *value,
    int length);
TSReturnCode TSHttpTxnConfigStringGet(TSHttpTxn txn, TSOverridableConfigKey key, const char **value,
    int *length);
TSReturnCode TSHttpTxnConfigFind(const char *name, int length, TSOverridableConfigKey *key,
    TSRecordDataType *type);

/* Statistics of the plugin's own, by number. Reading one may lag behind changing it. */
int TSStatCreate(const char *name, TSRecordDataType type, TSStatPersistence persist, TSStatSync sync);
TSReturnCode TSStatFindName(const char *name, int *id);
void TSStatIntIncrement(int stat, TSMgmtInt amount);
void TSStatIntDecrement(int stat, TSMgmtInt amount);
TSMgmtInt TSStatIntGet(int stat);
void TSStatIntSet(int stat, TSMgmtInt value);

#ifdef __cplusplus
}
#endif
