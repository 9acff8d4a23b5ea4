/* The next hop: parents, hosts, and a choice of the plugin's own.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"
#include "../parentselectdefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The parent, to be set before the hop is chosen; the URL that it is chosen by. */
TSReturnCode TSHttpTxnParentProxyGet(TSHttpTxn txn, const char **hostname, int *port);
void TSHttpTxnParentProxySet(TSHttpTxn txn, const char *hostname, int port);
TSReturnCode TSHttpTxnParentSelectionUrlGet(TSHttpTxn txn, TSMBuffer buffer, TSMLoc loc);
TSReturnCode TSHttpTxnParentSelectionUrlSet(TSHttpTxn txn, TSMBuffer buffer, TSMLoc loc);

/* The hop of the present attempt. */
struct sockaddr const *TSHttpTxnNextHopAddrGet(TSHttpTxn txn);
const char *TSHttpTxnNextHopNameGet(TSHttpTxn txn);
int TSHttpTxnNextHopPortGet(TSHttpTxn txn);

/* The plugin chooses. */
void TSHttpTxnResponseActionSet(TSHttpTxn txn, TSResponseAction *action);
void TSHttpTxnResponseActionGet(TSHttpTxn txn, TSResponseAction *action);

/* Hosts: is it this server; is it up, and who says so. `down_time` is in seconds. */
TSReturnCode TSHostnameIsSelf(const char *hostname, size_t length);
TSReturnCode TSHostStatusGet(const char *hostname, const size_t length, TSHostStatus *status,
    unsigned int *reason);
void TSHostStatusSet(const char *hostname, const size_t length, TSHostStatus status,
    const unsigned int down_time, const unsigned int reason);

#ifdef __cplusplus
}
#endif
