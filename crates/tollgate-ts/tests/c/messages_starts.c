#include "messages.h"

static void
say_start(TSMBuffer buffer, TSMLoc header)
{
  int length = -7;
  int type   = TSHttpHdrTypeGet(buffer, header);
  say_number("  type", type);
  say_number("  version", TSHttpHdrVersionGet(buffer, header));
  if (type == TS_HTTP_TYPE_REQUEST) {
    const char *text = TSHttpHdrMethodGet(buffer, header, &length);
    say("  method", text, length);
    length = -7;
    text   = TSHttpHdrHostGet(buffer, header, &length);
    say("  host", text, length);
    say_number("  host length", length);
  } else if (type == TS_HTTP_TYPE_RESPONSE) {
    say_number("  status", TSHttpHdrStatusGet(buffer, header));
    const char *text = TSHttpHdrReasonGet(buffer, header, &length);
    say("  reason", text, length);
  }
}

static void
requests(TSMBuffer buffer)
{
  TSMLoc url    = TS_NULL_MLOC;
  TSMLoc header = TSHttpHdrCreate(buffer);
  int length    = 0;
  say_number("unknown type", TSHttpHdrTypeGet(buffer, header));
  say_number("set", TSHttpHdrTypeSet(buffer, header, TS_HTTP_TYPE_REQUEST));
  say_start(buffer, header);
  say_header("new request", buffer, header);
  say_number("again", TSHttpHdrTypeSet(buffer, header, TS_HTTP_TYPE_REQUEST));
  say_number("other", TSHttpHdrTypeSet(buffer, header, TS_HTTP_TYPE_RESPONSE));
  say_number("type", TSHttpHdrTypeGet(buffer, header));
  const char *methods[] = {"GET", "get", "POST", "PURGE", "PUSH", "PATCH", "Host", "close", "X"};
  for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
    say_number("method set", TSHttpHdrMethodSet(buffer, header, methods[i], -1));
    const char *text = TSHttpHdrMethodGet(buffer, header, &length);
    say("  method", text, length);
    say_number("  is GET", text == TS_HTTP_METHOD_GET);
    say_number("  is POST", text == TS_HTTP_METHOD_POST);
  }
  say_number("version", TSHttpHdrVersionSet(buffer, header, TS_HTTP_VERSION(1, 1)));
  say_number("url", TSHttpHdrUrlGet(buffer, header, &url));
  const char *start = "http://h.example:8080/p?q";
  TSUrlParse(buffer, url, &start, start + strlen(start));
  say_start(buffer, header);
  say_header("absolute", buffer, header);
  make_field(buffer, header, "Host", "other.example:99");
  say_start(buffer, header);
  TSUrlHostSet(buffer, url, NULL, 0);
  TSUrlPortSet(buffer, url, 0);
  TSUrlSchemeSet(buffer, url, NULL, 0);
  say_header("relative", buffer, header);
  TSMLoc clone = TS_NULL_MLOC;
  say_number("clone", TSHttpHdrClone(buffer, buffer, header, &clone));
  say_header("clone", buffer, clone);
  say_start(buffer, clone);
  TSMLoc own = TS_NULL_MLOC;
  TSUrlCreate(buffer, &own);
  TSUrlHostSet(buffer, own, "own", 3);
  say_number("url set", TSHttpHdrUrlSet(buffer, clone, own));
  say_header("clone with url", buffer, clone);
  say_header("unchanged", buffer, header);
  TSMBuffer second = TSMBufferCreate();
  TSMLoc copy      = TSHttpHdrCreate(second);
  say_number("copy", TSHttpHdrCopy(second, copy, buffer, clone));
  say_header("copied", second, copy);
  TSMBufferDestroy(second);
  int versions[] = {TS_HTTP_VERSION(1, 0), TS_HTTP_VERSION(2, 0), TS_HTTP_VERSION(0, 9), TS_HTTP_VERSION(12, 34)};
  for (unsigned i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
    TSHttpHdrVersionSet(buffer, header, versions[i]);
    say_number("version", TSHttpHdrVersionGet(buffer, header));
    say_header("  header", buffer, header);
  }
}

static void
hosts(TSMBuffer buffer)
{
  const char *values[] = {"h", "h:80", "h:", ":80", "", "[::1]", "[::1]:80", "[::1", "a b", " h ", "h:x", "h:80:90"};
  for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
    TSMLoc header = TSHttpHdrCreate(buffer);
    TSHttpHdrTypeSet(buffer, header, TS_HTTP_TYPE_REQUEST);
    make_field(buffer, header, "Host", values[i]);
    say("host field", values[i], (int)strlen(values[i]));
    say_start(buffer, header);
  }
}

static void
responses(TSMBuffer buffer)
{
  TSMLoc url    = TS_NULL_MLOC;
  TSMLoc header = TSHttpHdrCreate(buffer);
  say_number("set", TSHttpHdrTypeSet(buffer, header, TS_HTTP_TYPE_RESPONSE));
  say_start(buffer, header);
  say_header("new response", buffer, header);
  say_number("no url", TSHttpHdrUrlGet(buffer, header, &url));
  say_number("status set", TSHttpHdrStatusSet(buffer, header, TS_HTTP_STATUS_NOT_FOUND));
  say_start(buffer, header);
  say_number("reason set", TSHttpHdrReasonSet(buffer, header, "Nope", -1));
  say_header("with reason", buffer, header);
  say_number("status set", TSHttpHdrStatusSet(buffer, header, 999));
  say_header("odd status", buffer, header);
  say_number("status set", TSHttpHdrStatusSet(buffer, header, 7));
  say_header("short status", buffer, header);
  say_number("status set", TSHttpHdrStatusSet(buffer, header, 12345));
  say_start(buffer, header);
  say_header("long status", buffer, header);
  say_number("reason set", TSHttpHdrReasonSet(buffer, header, "", 0));
  say_header("no reason", buffer, header);
  TSHttpHdrStatusSet(buffer, header, 200);
  TSHttpHdrVersionSet(buffer, header, TS_HTTP_VERSION(1, 1));
  make_field(buffer, header, "A", "b");
  make_field(buffer, header, "@hidden", "x");
  say_header("with fields", buffer, header);
  say_fields("fields only", buffer, header);
  say_number("release", TSHandleMLocRelease(buffer, TS_NULL_MLOC, header));
  TSHttpHdrDestroy(buffer, header);
  for (int status = 0; status < 600; status++) {
    const char *text = TSHttpHdrReasonLookup(status);
    if (text != NULL) {
      say_number("status", status);
      say("  reason", text, (int)strlen(text));
    }
  }
}

void
run_starts(void)
{
  TSMBuffer buffer = TSMBufferCreate();
  fprintf(report, "# starts\n");
  requests(buffer);
  hosts(buffer);
  responses(buffer);
  say_number("destroy", TSMBufferDestroy(buffer));
}
