/* Values that plugins attach to transactions, sessions, connections and the process.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A name has one index in all plugins, and the name of an index can be asked for. */
TSReturnCode TSUserArgIndexReserve(TSUserArgType type, const char *name, const char *description, int *index);
TSReturnCode TSUserArgIndexNameLookup(TSUserArgType type, const char *name, int *index,
    const char **description);
TSReturnCode TSUserArgIndexLookup(TSUserArgType type, int index, const char **name, const char **description);

/* `data` is the object, NULL for the process. A value that was not set is NULL; the server never frees one. */
void TSUserArgSet(void *data, int index, void *arg);
void *TSUserArgGet(void *data, int index);

/* The same for one kind of objects each, for old plugins. */
TS_DEPRECATED void TSHttpTxnArgSet(TSHttpTxn txn, int index, void *arg);
TS_DEPRECATED void *TSHttpTxnArgGet(TSHttpTxn txn, int index);
TS_DEPRECATED TSReturnCode TSHttpTxnArgIndexReserve(const char *name, const char *description, int *index);
TS_DEPRECATED TSReturnCode TSHttpTxnArgIndexNameLookup(const char *name, int *index,
    const char **description);
TS_DEPRECATED TSReturnCode TSHttpTxnArgIndexLookup(int index, const char **name, const char **description);
TS_DEPRECATED void TSHttpSsnArgSet(TSHttpSsn ssn, int index, void *arg);
TS_DEPRECATED void *TSHttpSsnArgGet(TSHttpSsn ssn, int index);
TS_DEPRECATED TSReturnCode TSHttpSsnArgIndexReserve(const char *name, const char *description, int *index);
TS_DEPRECATED TSReturnCode TSHttpSsnArgIndexNameLookup(const char *name, int *index,
    const char **description);
TS_DEPRECATED TSReturnCode TSHttpSsnArgIndexLookup(int index, const char **name, const char **description);
TS_DEPRECATED void TSVConnArgSet(TSVConn vc, int index, void *arg);
TS_DEPRECATED void *TSVConnArgGet(TSVConn vc, int index);
TS_DEPRECATED TSReturnCode TSVConnArgIndexReserve(const char *name, const char *description, int *index);
TS_DEPRECATED TSReturnCode TSVConnArgIndexNameLookup(const char *name, int *index, const char **description);
TS_DEPRECATED TSReturnCode TSVConnArgIndexLookup(int index, const char **name, const char **description);

#ifdef __cplusplus
}
#endif
