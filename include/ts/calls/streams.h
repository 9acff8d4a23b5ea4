/* Streams: connections, their directions (VIOs), transformations, sockets and names.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads into a buffer, or writes what a reader has: `bytes` in all, INT64_MAX if that is not known. The continuation
 * gets the events of the direction, which need a TSVIOReenable to go on. */
TSVIO TSVConnRead(TSVConn vc, TSCont cont, TSIOBuffer buffer, int64_t bytes);
TSVIO TSVConnWrite(TSVConn vc, TSCont cont, TSIOBufferReader reader, int64_t bytes);
TSVIO TSVConnReadVIOGet(TSVConn vc);
TSVIO TSVConnWriteVIOGet(TSVConn vc);

/* Ends of connections; nothing is called after them. TSVConnClosedGet is for the handler of a connection that the
 * plugin plays. */
void TSVConnClose(TSVConn vc);
void TSVConnAbort(TSVConn vc, int error);
void TSVConnShutdown(TSVConn vc, int read, int write);
int TSVConnClosedGet(TSVConn vc);

/* Time limits in nanoseconds. */
void TSVConnInactivityTimeoutSet(TSVConn vc, TSHRTime timeout);
void TSVConnInactivityTimeoutCancel(TSVConn vc);
void TSVConnActiveTimeoutSet(TSVConn vc, TSHRTime timeout);
void TSVConnActiveTimeoutCancel(TSVConn vc);

/* One direction: what it works on, how many bytes it has to do and has done, who is called. */
void TSVIOReenable(TSVIO vio);
TSIOBuffer TSVIOBufferGet(TSVIO vio);
TSIOBufferReader TSVIOReaderGet(TSVIO vio);
int64_t TSVIONBytesGet(TSVIO vio);
void TSVIONBytesSet(TSVIO vio, int64_t bytes);
int64_t TSVIONDoneGet(TSVIO vio);
void TSVIONDoneSet(TSVIO vio, int64_t bytes);
int64_t TSVIONTodoGet(TSVIO vio);
TSMutex TSVIOMutexGet(TSVIO vio);
TSCont TSVIOContGet(TSVIO vio);
TSVConn TSVIOVConnGet(TSVIO vio);

/* A connection that the plugin plays, and one from a descriptor. */
TSVConn TSVConnCreate(TSEventFunc handler, TSMutex mutex);
TSVConn TSVConnFdCreate(int fd);
int TSVConnFdGet(TSVConn vc);

/* Transformations of a body, given to TSHttpTxnHookAdd: bytes come in at the connection's write direction and go out
 * to its output. */
TSVConn TSTransformCreate(TSEventFunc handler, TSHttpTxn txn);
TSVConn TSTransformOutputVConnGet(TSVConn vc);

/* Sockets: connections to an address; a port to accept at; ports in the notation of the record
 * proxy.config.http.server_ports. */
TSAction TSNetConnect(TSCont cont, struct sockaddr const *to);
TSAction TSNetAccept(TSCont cont, int port, int domain, int accept_threads);
TSReturnCode TSNetAcceptNamedProtocol(TSCont cont, const char *protocol);
TSPortDescriptor TSPortDescriptorParse(const char *descriptor);
TSReturnCode TSPortDescriptorAccept(TSPortDescriptor, TSCont);

/* Names; the address is valid during the call with TS_EVENT_HOST_LOOKUP. */
TSAction TSHostLookup(TSCont cont, const char *hostname, size_t length);
struct sockaddr const *TSHostLookupResultAddrGet(TSHostLookupResult lookup_result);

#ifdef __cplusplus
}
#endif
