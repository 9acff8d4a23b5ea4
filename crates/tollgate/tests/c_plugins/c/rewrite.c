/* A remap plugin: parameters say what it does with a request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ts/ts.h>
#include <ts/remap.h>

typedef struct {
  char what[64];
  char from[256];
  char to[256];
} Instance;

static FILE *report;

TSReturnCode TSRemapInit(TSRemapInterface *api, char *errbuf, int size)
{
  if (api->size < sizeof(*api) || api->tsremap_version < TSREMAP_VERSION) {
    snprintf(errbuf, size, "old interface");
    return TS_ERROR;
  }
  return TS_SUCCESS;
}

TSReturnCode TSRemapNewInstance(int argc, char *argv[], void **ih, char *errbuf, int size)
{
  Instance *instance;

  if (argc < 4) {
    snprintf(errbuf, size, "say what to do, not %d arguments", argc);
    return TS_ERROR;
  }
  if (report == NULL) {
    report = fopen(argv[2], "a");
  }
  instance = calloc(1, sizeof(*instance));
  snprintf(instance->from, sizeof instance->from, "%s", argv[0]);
  snprintf(instance->to, sizeof instance->to, "%s", argv[1]);
  snprintf(instance->what, sizeof instance->what, "%s", argv[3]);
  *ih = instance;
  fprintf(report, "new %s\n", instance->what);
  fflush(report);
  return TS_SUCCESS;
}

void TSRemapDeleteInstance(void *ih)
{
  fprintf(report, "delete %s\n", ((Instance *)ih)->what);
  fflush(report);
  free(ih);
}

TSRemapStatus TSRemapDoRemap(void *ih, TSHttpTxn txn, TSRemapRequestInfo *rri)
{
  Instance *instance = (Instance *)ih;
  int len            = 0;
  char *to           = TSUrlStringGet(NULL, rri->mapToUrl, &len);
  int pristine_len   = 0;
  TSMBuffer buf;
  TSMLoc url;
  const char *pristine = "";

  if (TSHttpTxnPristineUrlGet(txn, &buf, &url) == TS_SUCCESS) {
    pristine = TSUrlPathGet(buf, url, &pristine_len);
  }
  fprintf(report, "remap %s to %.*s pristine %.*s\n", instance->what, len, to, pristine_len, pristine);
  fflush(report);
  TSfree(to);
  if (strcmp(instance->what, "path") == 0) {
    TSUrlPathSet(rri->requestBufp, rri->requestUrl, "by/plugin", -1);
    return TSREMAP_DID_REMAP;
  }
  if (strcmp(instance->what, "redirect") == 0) {
    TSHttpTxnStatusSet(txn, TS_HTTP_STATUS_MOVED_PERMANENTLY);
    TSUrlHostSet(rri->requestBufp, rri->requestUrl, "elsewhere.example", -1);
    rri->redirect = 1;
    return TSREMAP_DID_REMAP_STOP;
  }
  if (strcmp(instance->what, "status") == 0) {
    TSHttpTxnStatusSet(txn, TS_HTTP_STATUS_GONE);
    TSHttpTxnErrorBodySet(txn, TSstrdup("gone by plugin"), strlen("gone by plugin"), NULL);
    return TSREMAP_NO_REMAP;
  }
  if (strcmp(instance->what, "stop") == 0) {
    return TSREMAP_NO_REMAP_STOP;
  }
  return TSREMAP_NO_REMAP;
}

void TSRemapDone(void)
{
  if (report != NULL) {
    fprintf(report, "done\n");
    fflush(report);
  }
}

void TSRemapPostConfigReload(TSRemapReloadStatus status)
{
  if (report != NULL) {
    fprintf(report, "reloaded %d\n", status);
    fflush(report);
  }
}
