/* TLS: handshakes, certificates, sessions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Goes on after a hook of a handshake; with TS_EVENT_ERROR it fails. */
void TSVConnReenable(TSVConn vc);
void TSVConnReenableEx(TSVConn vc, TSEvent event);

/* The connection: passed through undecrypted; what it is and has agreed on. */
TSReturnCode TSVConnTunnel(TSVConn vc);
int TSVConnIsSsl(TSVConn vc);
int TSVConnIsSslReused(TSVConn vc);
int TSVConnProvidedSslCert(TSVConn vc);
const char *TSVConnSslSniGet(TSVConn vc, int *length);
const char *TSVConnSslCipherGet(TSVConn vc);
const char *TSVConnSslProtocolGet(TSVConn vc);
const char *TSVConnSslCurveGet(TSVConn vc);
TSSslConnection TSVConnSslConnectionGet(TSVConn vc);
TSSslVerifyCTX TSVConnSslVerifyCTXGet(TSVConn vc);

/* Protocols that are offered to this client. */
TSReturnCode TSVConnProtocolDisable(TSVConn vc, const char *protocol_name);
TSReturnCode TSVConnProtocolEnable(TSVConn vc, const char *protocol_name);

/* Contexts for clients: by name or address they are the server's. */
TSSslContext TSSslContextFindByName(const char *name);
TSSslContext TSSslContextFindByAddr(struct sockaddr const *);
TSSslContext TSSslServerContextCreate(TSSslX509 cert, const char *certname, const char *rsp_file);
void TSSslContextDestroy(TSSslContext ctx);

/* Contexts for origins: names in pairs; one that is found by them is to be destroyed. */
TSReturnCode TSSslClientContextsNamesGet(int n, const char **result, int *actual);
TSSslContext TSSslClientContextFindByName(const char *ca_paths, const char *ck_paths);

/* New certificates for those that are in use, and new keys for tickets. */
TSReturnCode TSSslServerCertUpdate(const char *cert_path, const char *key_path);
TSReturnCode TSSslClientCertUpdate(const char *cert_path, const char *key_path);
TSReturnCode TSSslTicketKeyUpdate(char *data, int length);

/* The server's store of sessions. */
TSSslSession TSSslSessionGet(const TSSslSessionID *session_id);
int TSSslSessionGetBuffer(const TSSslSessionID *session_id, char *buffer, int *length);
TSReturnCode TSSslSessionInsert(const TSSslSessionID *session_id, TSSslSession add_session,
    TSSslConnection ssl_conn);
TSReturnCode TSSslSessionRemove(const TSSslSessionID *session_id);

/* Listeners. */
TSAcceptor TSAcceptorGet(TSVConn vc);
TSAcceptor TSAcceptorGetbyID(int ID);
int TSAcceptorCount(void);
int TSAcceptorIDGet(TSAcceptor acceptor);

#ifdef __cplusplus
}
#endif
