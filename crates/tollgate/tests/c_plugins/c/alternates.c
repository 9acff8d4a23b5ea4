/* A global plugin that rates stored alternates. The response field X-Name names an alternate; the request field X-Quality
 * says what it is worth, such as `a=0.5 b=max`. Each alternate that it is asked about goes into the file named by its
 * first argument, with the kind that it was stored for. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ts/ts.h>

static FILE *report;

static void
copy_field(TSMBuffer buf, TSMLoc hdr, const char *name, char *to, size_t size)
{
  TSMLoc field = TSMimeHdrFieldFind(buf, hdr, name, -1);
  const char *value;
  int length = 0;

  snprintf(to, size, "none");
  if (field != TS_NULL_MLOC) {
    value = TSMimeHdrFieldValueStringGet(buf, hdr, field, -1, &length);
    snprintf(to, size, "%.*s", length, value);
    TSHandleMLocRelease(buf, hdr, field);
  }
}

static int
on_alternate(TSCont cont, TSEvent event, void *edata)
{
  TSHttpAltInfo info = (TSHttpAltInfo)edata;
  TSMBuffer buf;
  TSMLoc hdr;
  char name[64], kind[64], worth[256], wanted[80];
  const char *found;

  if (event != TS_EVENT_HTTP_SELECT_ALT || TSHttpAltInfoCachedRespGet(info, &buf, &hdr) != TS_SUCCESS) {
    return 0;
  }
  copy_field(buf, hdr, "X-Name", name, sizeof name);
  if (TSHttpAltInfoCachedReqGet(info, &buf, &hdr) == TS_SUCCESS) {
    copy_field(buf, hdr, "X-Kind", kind, sizeof kind);
  }
  if (TSHttpAltInfoClientReqGet(info, &buf, &hdr) == TS_SUCCESS) {
    copy_field(buf, hdr, "X-Quality", worth, sizeof worth);
  }
  fprintf(report, "alternate %s for %s\n", name, kind);
  fflush(report);
  snprintf(wanted, sizeof wanted, "%s=", name);
  found = strstr(worth, wanted);
  if (found != NULL) {
    found += strlen(wanted);
    TSHttpAltInfoQualitySet(info, strncmp(found, "max", 3) == 0 ? FLT_MAX : strtof(found, NULL));
  }
  return 0;
}

/* A second handler knows no more of what the first one said; it halves what X-Half names. */
static int
on_alternate_again(TSCont cont, TSEvent event, void *edata)
{
  TSHttpAltInfo info = (TSHttpAltInfo)edata;
  TSMBuffer buf;
  TSMLoc hdr;
  char name[64], half[64];

  if (TSHttpAltInfoCachedRespGet(info, &buf, &hdr) == TS_SUCCESS) {
    copy_field(buf, hdr, "X-Name", name, sizeof name);
    if (TSHttpAltInfoClientReqGet(info, &buf, &hdr) == TS_SUCCESS) {
      copy_field(buf, hdr, "X-Half", half, sizeof half);
      if (strcmp(name, half) == 0) {
        TSHttpAltInfoQualitySet(info, 0.5f);
      }
    }
  }
  return 0;
}

void
TSPluginInit(int argc, const char *argv[])
{
  TSPluginRegistrationInfo info = {"alternates", "tests", "none"};

  TSPluginRegister(&info);
  if (argc < 2 || (report = fopen(argv[1], "w")) == NULL) {
    return;
  }
  TSHttpHookAdd(TS_HTTP_SELECT_ALT_HOOK, TSContCreate(on_alternate, NULL));
  TSHttpHookAdd(TS_HTTP_SELECT_ALT_HOOK, TSContCreate(on_alternate_again, NULL));
}
