/* Sessions and connections: addresses, descriptors, protocols.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sessions: their number, their connections, how many transactions they have had. */
int64_t TSHttpSsnIdGet(TSHttpSsn ssn);
int TSHttpSsnTransactionCount(TSHttpSsn ssn);
TSVConn TSHttpSsnClientVConnGet(TSHttpSsn ssn);
TSVConn TSHttpSsnServerVConnGet(TSHttpSsn ssn);
TSVConn TSHttpTxnServerVConnGet(TSHttpTxn txn);
int TSHttpTxnServerSsnTransactionCount(TSHttpTxn txn);

/* Addresses: of the client, of the port it connected to, of our end towards the origin, of the origin. */
struct sockaddr const *TSHttpSsnClientAddrGet(TSHttpSsn ssn);
struct sockaddr const *TSHttpSsnIncomingAddrGet(TSHttpSsn ssn);
struct sockaddr const *TSHttpTxnClientAddrGet(TSHttpTxn txn);
struct sockaddr const *TSHttpTxnIncomingAddrGet(TSHttpTxn txn);
struct sockaddr const *TSHttpTxnOutgoingAddrGet(TSHttpTxn txn);
struct sockaddr const *TSHttpTxnServerAddrGet(TSHttpTxn txn);
struct sockaddr const *TSNetVConnRemoteAddrGet(TSVConn vc);
struct sockaddr const *TSNetVConnLocalAddrGet(TSVConn vc);

/* The origin's address instead of looking up its name; our end towards it; the port that the client is said to have
 * connected to. */
TSReturnCode TSHttpTxnServerAddrSet(TSHttpTxn txn, struct sockaddr const *addr);
TSReturnCode TSHttpTxnOutgoingAddrSet(TSHttpTxn txn, struct sockaddr const *addr);
TSReturnCode TSHttpTxnOutgoingTransparencySet(TSHttpTxn txn, int flag);
void TSHttpTxnClientIncomingPortSet(TSHttpTxn txn, int port);

/* Descriptors of the sockets, which remain the server's. */
TSReturnCode TSHttpSsnClientFdGet(TSHttpSsn ssn, int *fdp);
TSReturnCode TSHttpTxnClientFdGet(TSHttpTxn txn, int *fdp);
TSReturnCode TSHttpTxnServerFdGet(TSHttpTxn txn, int *fdp);

/* Marks on packets. */
TSReturnCode TSHttpTxnClientPacketMarkSet(TSHttpTxn txn, int mark);
TSReturnCode TSHttpTxnServerPacketMarkSet(TSHttpTxn txn, int mark);
TSReturnCode TSHttpTxnClientPacketTosSet(TSHttpTxn txn, int tos);
TSReturnCode TSHttpTxnServerPacketTosSet(TSHttpTxn txn, int tos);
TSReturnCode TSHttpTxnClientPacketDscpSet(TSHttpTxn txn, int dscp);
TSReturnCode TSHttpTxnServerPacketDscpSet(TSHttpTxn txn, int dscp);

/* Layers of protocols from the innermost on, at most `count`; and whether one of them begins with `tag`. */
TSReturnCode TSHttpTxnClientProtocolStackGet(TSHttpTxn txn, int count, const char **result, int *actual);
TSReturnCode TSHttpSsnClientProtocolStackGet(TSHttpSsn ssn, int count, const char **result, int *actual);
TSReturnCode TSHttpTxnServerProtocolStackGet(TSHttpTxn txn, int count, const char **result, int *actual);
const char *TSHttpTxnClientProtocolStackContains(TSHttpTxn txn, char const *tag);
const char *TSHttpSsnClientProtocolStackContains(TSHttpSsn ssn, char const *tag);
const char *TSHttpTxnServerProtocolStackContains(TSHttpTxn txn, char const *tag);

/* The string that stands for a tag in those layers; a new one is made by the second call. */
const char *TSNormalizedProtocolTag(char const *tag);
const char *TSRegisterProtocolTag(char const *tag);

/* The origin's connection is used by this client alone. */
TSReturnCode TSHttpTxnPrivateSessionSet(TSHttpTxn txn, int private_session);

/* How many connections there are. */
int TSHttpCurrentClientConnectionsGet(void);
int TSHttpCurrentActiveClientConnectionsGet(void);
int TSHttpCurrentIdleClientConnectionsGet(void);
int TSHttpCurrentCacheConnectionsGet(void);
int TSHttpCurrentServerConnectionsGet(void);

#ifdef __cplusplus
}
#endif
