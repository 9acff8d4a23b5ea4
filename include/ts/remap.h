/* The entry points of a remap plugin: one that a rule of remap.config names with `@plugin=`.
 *
 * TSRemapInit and TSRemapDoRemap are required; TSRemapNewInstance and TSRemapDeleteInstance are defined both or not
 * at all.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "apidefs.h"

/* The version of this part of the interface. */
#define TSREMAP_VMAJOR 3
#define TSREMAP_VMINOR 0
#define TSREMAP_VERSION ((TSREMAP_VMAJOR << 16) | TSREMAP_VMINOR)

#ifdef __cplusplus
extern "C" {
#endif

/* What the server offers: the size of this structure, and its TSREMAP_VERSION. */
typedef struct _tsremap_api_info {
  unsigned long size;
  unsigned long tsremap_version;
} TSRemapInterface;

/* The request that a rule has matched. Nothing of it is to be released. */
typedef struct _tm_remap_request_info {
  TSMLoc mapFromUrl;      /* of the rule, not to be changed */
  TSMLoc mapToUrl;        /* of the rule, not to be changed */
  TSMLoc requestUrl;      /* as the rule has made it; change it to send the request elsewhere */
  TSMBuffer requestBufp;  /* the client's request, with the URLs */
  TSMLoc requestHdrp;     /* the client's request */
  int redirect;           /* set to 1: the client is sent to requestUrl */
} TSRemapRequestInfo;

/* What TSRemapDoRemap has done. STOP: the rule's other plugins are not called. */
typedef enum {
  TSREMAP_NO_REMAP = 0,
  TSREMAP_DID_REMAP = 1,
  TSREMAP_NO_REMAP_STOP = 2,
  TSREMAP_DID_REMAP_STOP = 3,
  TSREMAP_ERROR = -1,
} TSRemapStatus;

/* How a reload ended for a plugin. */
typedef enum {
  TSREMAP_CONFIG_RELOAD_FAILURE = 0,
  TSREMAP_CONFIG_RELOAD_SUCCESS_PLUGIN_USED = 1,
  TSREMAP_CONFIG_RELOAD_SUCCESS_PLUGIN_UNUSED = 2,
} TSRemapReloadStatus;

/* Called when the library has been loaded, and before it is unloaded. An error message of at most `error_size` bytes
 * is written to `error`; anything but TS_SUCCESS makes the configuration invalid. */
tsapi TSReturnCode TSRemapInit(TSRemapInterface *api_info, char *error, int error_size);
tsapi void TSRemapDone(void);

/* Called for each rule that names the plugin. argv[0] and argv[1] are the URLs of the rule, then come the values of
 * `@pparam=`; they are valid during the call. `*instance` is what the other calls for this rule get. */
tsapi TSReturnCode TSRemapNewInstance(int argc, char *argv[], void **instance, char *error, int error_size);
tsapi void TSRemapDeleteInstance(void *);

/* Called for each request that the rule matches. */
tsapi TSRemapStatus TSRemapDoRemap(void *instance, TSHttpTxn txn, TSRemapRequestInfo *info);

/* Called for the first plugin of a rule when the origin has answered or failed; the last argument is a
 * TSServerState. */
tsapi void TSRemapOSResponse(void *instance, TSHttpTxn txn, int os_response_type);

/* Called around each reload of remap.config. */
tsapi void TSRemapPreConfigReload(void);
tsapi void TSRemapPostConfigReload(TSRemapReloadStatus reloadStatus);

#ifdef __cplusplus
}
#endif
