/* A global plugin that asks and changes what can be asked and changed of the exchange with the origin. What it does is
 * said by the request's path; what it sees goes into the file named by its first argument, one transaction after the
 * other. The second argument is a port of the loopback address, for parents. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <ts/ts.h>
#include <ts/experimental.h>

static FILE *report;
static char report_path[4096];
static int path_arg;
static int parent_port;

#define SAY(...)                  \
  do {                            \
    fprintf(report, __VA_ARGS__); \
    fputc('\n', report);          \
    fflush(report);               \
  } while (0)

static const char *
path_of(TSHttpTxn txn)
{
  const char *path = (const char *)TSUserArgGet(txn, path_arg);
  return path == NULL ? "" : path;
}

static int
is_at(TSHttpTxn txn, const char *path)
{
  return strncmp(path_of(txn), path, strlen(path)) == 0;
}

static void
remember_path(TSHttpTxn txn)
{
  TSMBuffer buf;
  TSMLoc hdr, url;
  const char *path;
  int len = 0;

  if (TSHttpTxnClientReqGet(txn, &buf, &hdr) != TS_SUCCESS) {
    return;
  }
  if (TSHttpHdrUrlGet(buf, hdr, &url) == TS_SUCCESS) {
    path = TSUrlPathGet(buf, url, &len);
    TSUserArgSet(txn, path_arg, TSstrndup(path == NULL ? "" : path, len));
    TSHandleMLocRelease(buf, hdr, url);
  }
  TSHandleMLocRelease(buf, TS_NULL_MLOC, hdr);
}

static void
say_stack(const char *what, TSReturnCode code, const char **tags, int count)
{
  char line[256] = "";
  int i;

  for (i = 0; code == TS_SUCCESS && i < count; i++) {
    strncat(line, " ", sizeof line - strlen(line) - 1);
    strncat(line, tags[i], sizeof line - strlen(line) - 1);
  }
  SAY("  %s %d%s", what, code, line);
}

/* What is known of the way to the origin. */
static void
say_origin(TSHttpTxn txn)
{
  const char *tags[8];
  const char *found;
  int count = 0;
  TSReturnCode code;

  code = TSHttpTxnServerProtocolStackGet(txn, 8, tags, &count);
  say_stack("server stack", code, tags, count);
  found = TSHttpTxnServerProtocolStackContains(txn, "http");
  SAY("  server contains http %s", found == NULL ? "null" : found);
  found = TSHttpTxnServerProtocolStackContains(txn, "tls");
  SAY("  server contains tls %s", found == NULL ? "null" : found);
  SAY("  looking up %d server style %d", TSHttpTxnLookingUpTypeGet(txn), TSHttpTxnClientReqIsServerStyle(txn));
}

/* How long the origin's response is fresh, asked in two ways. */
static void
say_max_age(TSHttpTxn txn)
{
  TSMBuffer buf;
  TSMLoc hdr;

  SAY("  max age %d", TSHttpTxnGetMaxAge(txn, NULL));
  if (TSHttpTxnServerRespGet(txn, &buf, &hdr) == TS_SUCCESS) {
    SAY("  max age %d", TSHttpTxnGetMaxAge(txn, buf));
    TSHandleMLocRelease(buf, TS_NULL_MLOC, hdr);
  }
}

static void
say_bytes(TSHttpTxn txn)
{
  SAY("  request %d %d", TSHttpTxnServerReqHdrBytesGet(txn) > 0, (int)TSHttpTxnServerReqBodyBytesGet(txn));
  SAY("  response %d %d", TSHttpTxnServerRespHdrBytesGet(txn), (int)TSHttpTxnServerRespBodyBytesGet(txn));
  SAY("  pushed %d %d", TSHttpTxnPushedRespHdrBytesGet(txn), (int)TSHttpTxnPushedRespBodyBytesGet(txn));
}

static void
say_cache(TSHttpTxn txn)
{
  TSMgmtInt number;
  TSReturnCode code;
  time_t when = 0;
  int count = -1, key;

  code = TSHttpTxnCacheLookupCountGet(txn, &count);
  SAY("  lookups %d %d", code, count);
  code = TSHttpTxnCachedRespTimeGet(txn, &when);
  SAY("  stored at %d %d", code, code == TS_SUCCESS && when > 1000000000);
  /* Not whether it was in memory (0) and in which volume (5). */
  for (key = 1; key < 7; key += key == 4 ? 2 : 1) {
    number = -7;
    code   = TSHttpTxnInfoIntGet(txn, key, &number);
    SAY("  info %d %d %d", key, code, code == TS_SUCCESS ? (int)number : 0);
  }
  SAY("  max age %d", TSHttpTxnGetMaxAge(txn, NULL));
  SAY("  background fill %d", TSHttpTxnBackgroundFillStarted(txn));
}

static void
say_client(TSHttpTxn txn)
{
  const char *tags[8];
  const char *found, *url;
  int count = 0, length = -1, port = -1;
  uint8_t priority[64];
  TSHttpSsn ssn = TSHttpTxnSsnGet(txn);
  TSReturnCode code;
  const char *host = NULL;
  void *mode = NULL;

  code = TSHttpSsnClientProtocolStackGet(ssn, 8, tags, &count);
  say_stack("session stack", code, tags, count);
  found = TSHttpSsnClientProtocolStackContains(ssn, "ip");
  SAY("  session contains ip %s", found == NULL ? "null" : found);
  SAY("  priority %d", TSHttpTxnClientStreamPriorityGet(txn, (TSHttpPriority *)priority));
  SAY("  push %d", TSHttpTxnServerPush(txn, "http://h/x", 10));
  url = TSHttpTxnRedirectUrlGet(txn, &length);
  SAY("  redirect url %s %d", url == NULL ? "null" : "set", length);
  code = TSHttpTxnParentProxyGet(txn, &host, &port);
  SAY("  parent %d %s %d", code, host == NULL ? "null" : host, port);
  code = TSHttpTxnCntl(txn, TS_HTTP_CNTL_GET_LOGGING_MODE, &mode);
  SAY("  logging %d %d", code, mode == TS_HTTP_CNTL_ON);
  code = TSHttpTxnCntl(txn, TS_HTTP_CNTL_GET_INTERCEPT_RETRY_MODE, &mode);
  SAY("  intercept retry %d %d", code, mode == TS_HTTP_CNTL_ON);
  SAY("  set logging %d %d", TSHttpTxnCntl(txn, TS_HTTP_CNTL_SET_LOGGING_MODE, TS_HTTP_CNTL_OFF),
      TSHttpTxnCntl(txn, TS_HTTP_CNTL_SET_LOGGING_MODE, (void *)7));
  code = TSHttpTxnCntl(txn, TS_HTTP_CNTL_GET_LOGGING_MODE, &mode);
  SAY("  logging %d %d", code, mode == TS_HTTP_CNTL_ON);
  SAY("  private %d", TSHttpTxnPrivateSessionSet(txn, 0));
  SAY("  clients %d active %d idle %d", TSHttpCurrentClientConnectionsGet() > 0, TSHttpCurrentActiveClientConnectionsGet() > 0,
      TSHttpCurrentIdleClientConnectionsGet() >= 0);
  SAY("  caches %d servers %d", TSHttpCurrentCacheConnectionsGet() >= 0, TSHttpCurrentServerConnectionsGet() >= 0);
}

/* The whole URL of a request, with too little room and with enough. */
static void
say_effective_url(TSHttpTxn txn)
{
  TSMBuffer buf;
  TSMLoc hdr;
  char url[256];
  int64_t length;
  TSReturnCode code;
  int sizes[] = {0, 5, 256}, i;

  if (TSHttpTxnClientReqGet(txn, &buf, &hdr) != TS_SUCCESS) {
    return;
  }
  for (i = 0; i < 3; i++) {
    memset(url, '#', sizeof url);
    length = -1;
    code   = TSHttpHdrEffectiveUrlBufGet(buf, hdr, sizes[i] == 0 ? NULL : url, sizes[i], &length);
    url[255] = 0;
    SAY("  url in %d: %d %s %c%c%c%c%c%c%c", sizes[i], code, length > 12 ? "long" : "short", url[0], url[1], url[2], url[3], url[4],
        url[5], url[6]);
  }
  TSHandleMLocRelease(buf, TS_NULL_MLOC, hdr);
}

static int
never(TSCont cont, TSEvent event, void *edata)
{
  return 0;
}

static int
own(TSCont cont, TSEvent event, void *edata)
{
  TSHttpTxnReenable((TSHttpTxn)edata, TS_EVENT_HTTP_CONTINUE);
  return 0;
}

static void
say_registered(TSHttpTxn txn)
{
  TSCont cont = TSContCreate(own, NULL);

  SAY("  registered %d", TSHttpTxnHookRegisteredFor(txn, TS_HTTP_SEND_RESPONSE_HDR_HOOK, own));
  TSHttpTxnHookAdd(txn, TS_HTTP_SEND_RESPONSE_HDR_HOOK, cont);
  SAY("  registered %d other %d hook %d", TSHttpTxnHookRegisteredFor(txn, TS_HTTP_SEND_RESPONSE_HDR_HOOK, own),
      TSHttpTxnHookRegisteredFor(txn, TS_HTTP_SEND_RESPONSE_HDR_HOOK, never),
      TSHttpTxnHookRegisteredFor(txn, TS_HTTP_OS_DNS_HOOK, own));
}

static void
set_response_field(TSHttpTxn txn, const char *name, const char *value)
{
  TSMBuffer buf;
  TSMLoc hdr, field;

  if (TSHttpTxnCachedRespModifiableGet(txn, &buf, &hdr) != TS_SUCCESS) {
    SAY("  no modifiable response");
    return;
  }
  if (TSMimeHdrFieldCreateNamed(buf, hdr, name, -1, &field) == TS_SUCCESS) {
    TSMimeHdrFieldValueStringSet(buf, hdr, field, -1, value, -1);
    TSMimeHdrFieldAppend(buf, hdr, field);
    TSHandleMLocRelease(buf, hdr, field);
  }
  TSHandleMLocRelease(buf, TS_NULL_MLOC, hdr);
  SAY("  update %d", TSHttpTxnUpdateCachedObject(txn));
}

static int
option(TSHttpTxn txn, int level, int name)
{
  int fd = -1, value = -1;
  socklen_t size = sizeof value;

  if (TSHttpTxnServerFdGet(txn, &fd) != TS_SUCCESS || getsockopt(fd, level, name, &value, &size) != 0) {
    return -1;
  }
  return value;
}

/* Writes what is not part of the report. */
static void
say_aside(int value)
{
  char name[4200];
  FILE *file;

  snprintf(name, sizeof name, "%s.aside", report_path);
  if ((file = fopen(name, "a")) != NULL) {
    fprintf(file, "tos %d\n", value);
    fclose(file);
  }
}

static void
set_source(TSHttpTxn txn)
{
  struct sockaddr_in addr = {.sin_family = AF_INET};

  addr.sin_addr.s_addr = htonl(0x7f000003);
  SAY("  source %d", TSHttpTxnOutgoingAddrSet(txn, (struct sockaddr *)&addr));
}

static void
say_source(TSHttpTxn txn)
{
  struct sockaddr_in const *addr = (struct sockaddr_in const *)TSHttpTxnOutgoingAddrGet(txn);

  SAY("  from %x", addr == NULL ? 0 : ntohl(addr->sin_addr.s_addr));
}

/* Every record that may differ: what can be set and what is read then. */
static int
is_text(int key)
{
  static const int texts[] = {52, 75, 79, 92, 93, 104, 113, 114, 115, 116, 117, 118};
  size_t i;

  for (i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    if (texts[i] == key) {
      return 1;
    }
  }
  return 0;
}

/* Traffic Server ends if it is asked to set a text to a number: that is left out. */
static void
say_records(TSHttpTxn txn)
{
  TSMgmtInt sharing = -7;
  int key;

  SAY("  sharing %d", TSHttpTxnConfigIntGet(txn, TS_CONFIG_HTTP_SERVER_SESSION_SHARING_MATCH, &sharing));
  SAY("  sharing %d", (int)sharing);
  for (key = -1; key < 131; key++) {
    TSOverridableConfigKey conf = (TSOverridableConfigKey)key;
    TSMgmtInt number            = -7;
    TSMgmtFloat fraction        = -7;
    const char *text            = NULL;
    int length                  = -7;
    TSReturnCode set, got;

    if (!is_text(key)) {
      set = TSHttpTxnConfigIntSet(txn, conf, 1);
      got = TSHttpTxnConfigIntGet(txn, conf, &number);
      SAY("  record %d int %d %d %d", key, set, got, (int)number);
      set = TSHttpTxnConfigFloatSet(txn, conf, 0.5);
      got = TSHttpTxnConfigFloatGet(txn, conf, &fraction);
      SAY("  record %d float %d %d %.1f", key, set, got, fraction);
    }
    set = TSHttpTxnConfigStringSet(txn, conf, "ip", 2);
    got = TSHttpTxnConfigStringGet(txn, conf, &text, &length);
    SAY("  record %d string %d %d %.*s", key, set, got, text == NULL ? 4 : length, text == NULL ? "null" : text);
  }
}

/* The request's body, once it has been read. */
static void
say_body(TSHttpTxn txn)
{
  TSIOBufferReader reader = TSHttpTxnPostBufferReaderGet(txn);
  TSIOBufferBlock block;
  int64_t length = 0;
  const char *bytes;

  if (reader == NULL) {
    SAY("  no reader");
    return;
  }
  block = TSIOBufferReaderStart(reader);
  bytes = TSIOBufferBlockReadStart(block, reader, &length);
  SAY("  body %d %.*s", (int)TSIOBufferReaderAvail(reader), (int)length, bytes);
  TSIOBufferReaderFree(reader);
}

static TSEvent
handle(TSHttpTxn txn, TSEvent event)
{
  switch ((int)event) {
  case TS_EVENT_HTTP_READ_REQUEST_HDR:
    if (is_at(txn, "facts")) {
      say_client(txn);
      say_effective_url(txn);
      say_registered(txn);
      SAY("  transparency %d", TSHttpTxnOutgoingTransparencySet(txn, 0));
      TSHttpTxnClientIncomingPortSet(txn, 81);
      TSHttpTxnClientKeepaliveSet(txn, 1);
      TSHttpSsnDebugSet(TSHttpTxnSsnGet(txn), 1);
      SAY("  debug %d", TSHttpTxnDebugGet(txn));
      TSHttpTxnDebugSet(txn, 1);
      SAY("  debug %d", TSHttpTxnDebugGet(txn));
    } else if (is_at(txn, "close")) {
      SAY("  close %d", TSHttpTxnCloseAfterResponse(txn, 1));
    } else if (is_at(txn, "keep")) {
      SAY("  close %d %d", TSHttpTxnCloseAfterResponse(txn, 1), TSHttpTxnCloseAfterResponse(txn, 0));
    } else if (is_at(txn, "shutdown")) {
      SAY("  shutdown %d", TSHttpTxnShutDown(txn, TS_EVENT_HTTP_READ_REQUEST_HDR));
      return TS_EVENT_HTTP_ERROR;
    } else if (is_at(txn, "source")) {
      set_source(txn);
    } else if (is_at(txn, "tos")) {
      SAY("  tos %d mark %d", TSHttpTxnServerPacketTosSet(txn, 0x28), TSHttpTxnServerPacketMarkSet(txn, 0));
    } else if (is_at(txn, "dscp")) {
      SAY("  dscp %d", TSHttpTxnServerPacketDscpSet(txn, 10));
    } else if (is_at(txn, "parent")) {
      const char *host = NULL;
      int port = -1;
      TSHttpTxnParentProxySet(txn, "127.0.0.1", parent_port);
      SAY("  parent %d", TSHttpTxnParentProxyGet(txn, &host, &port));
      SAY("  parent %s %d", host == NULL ? "null" : host, port == parent_port);
    } else if (is_at(txn, "buffered")) {
      TSHttpTxnConfigIntSet(txn, TS_CONFIG_HTTP_REQUEST_BUFFER_ENABLED, 1);
    } else if (is_at(txn, "dns")) {
      TSHttpTxnDNSTimeoutSet(txn, 100);
    } else if (is_at(txn, "redirect")) {
      int length      = -1;
      const char *url = TSstrdup("http://127.0.0.9/there");
      TSHttpTxnRedirectUrlSet(txn, url, strlen(url));
      url = TSHttpTxnRedirectUrlGet(txn, &length);
      SAY("  redirect %.*s", length, url);
    } else if (is_at(txn, "active")) {
      TSHttpTxnActiveTimeoutSet(txn, 300);
    } else if (is_at(txn, "silent")) {
      TSHttpTxnNoActivityTimeoutSet(txn, 300);
    } else if (is_at(txn, "hostdown")) {
      TSHostStatusSet("127.0.0.1", 9, TS_HOST_STATUS_DOWN, 0, TS_HOST_STATUS_MANUAL);
    }
    break;
  case TS_EVENT_HTTP_CACHE_LOOKUP_COMPLETE:
    if (is_at(txn, "facts/get")) {
      say_cache(txn);
    } else if (is_at(txn, "update")) {
      set_response_field(txn, "X-Updated", "yes");
    } else if (is_at(txn, "ignore")) {
      int status = -1;
      TSHttpTxnCacheLookupStatusGet(txn, &status);
      SAY("  found %d ignore %d", status, TSHttpTxnServerRespIgnore(txn));
      if (is_at(txn, "ignore/until")) {
        TSHttpTxnOverwriteExpireTime(txn, 2000000000);
      }
    }
    break;
  case TS_EVENT_HTTP_SEND_REQUEST_HDR:
    if (is_at(txn, "parent")) {
      SAY("  looking up %d", TSHttpTxnLookingUpTypeGet(txn));
    } else if (is_at(txn, "facts")) {
      int fd = -2;
      TSReturnCode code = TSHttpTxnServerFdGet(txn, &fd);
      SAY("  fd %d %d", code, fd >= 0);
      say_origin(txn);
      SAY("  private %d", TSHttpTxnPrivateSessionSet(txn, 0));
    } else if (is_at(txn, "private")) {
      SAY("  private %d", TSHttpTxnPrivateSessionSet(txn, 1));
      SAY("  uses %d", TSHttpTxnServerSsnTransactionCount(txn));
    } else if (is_at(txn, "shared")) {
      SAY("  uses %d", TSHttpTxnServerSsnTransactionCount(txn));
    } else if (is_at(txn, "body")) {
      TSHttpTxnServerRequestBodySet(txn, TSstrdup("of the plugin"), 13);
    } else if (is_at(txn, "source")) {
      say_source(txn);
    } else if (is_at(txn, "tos") || is_at(txn, "dscp")) {
      /* Traffic Server does not use it for a connection that is made later. */
      say_aside(option(txn, IPPROTO_IP, IP_TOS));
    }
    break;
  case TS_EVENT_HTTP_READ_RESPONSE_HDR:
    if (is_at(txn, "facts")) {
      say_max_age(txn);
    }
    break;
  case TS_EVENT_HTTP_SEND_RESPONSE_HDR:
    if (is_at(txn, "facts/get")) {
      say_cache(txn);
    } else if (is_at(txn, "facts/post")) {
      say_origin(txn);
    } else if (is_at(txn, "late-close")) {
      SAY("  close %d", TSHttpTxnCloseAfterResponse(txn, 1));
    }
    break;
  case TS_EVENT_HTTP_TXN_CLOSE:
    if (is_at(txn, "facts")) {
      say_bytes(txn);
    } else if (is_at(txn, "records")) {
      say_records(txn);
    } else if (is_at(txn, "body")) {
      SAY("  sent %d", (int)TSHttpTxnServerReqBodyBytesGet(txn));
    }
    break;
  /* What comes with TS_HTTP_REQUEST_BUFFER_READ_COMPLETE_HOOK; no name of the headers has this number. */
  case 60029:
    say_body(txn);
    break;
  default:
    break;
  }
  return TS_EVENT_HTTP_CONTINUE;
}

static int
on_hook(TSCont cont, TSEvent event, void *edata)
{
  TSHttpTxn txn = (TSHttpTxn)edata;
  TSEvent then;

  if (event == TS_EVENT_HTTP_READ_REQUEST_HDR) {
    remember_path(txn);
  }
  if (*path_of(txn) != 0 && !is_at(txn, "quiet")) {
    SAY("%s %s", path_of(txn), (int)event == 60029 ? "REQUEST_BUFFER" : TSHttpEventNameLookup(event) + strlen("TS_EVENT_HTTP_"));
  }
  then = handle(txn, event);
  TSHttpTxnReenable(txn, then);
  return 0;
}

void
TSPluginInit(int argc, const char *argv[])
{
  TSPluginRegistrationInfo info = {"exchange", "tests", "none"};
  TSCont cont;
  size_t i;
  TSHttpHookID hooks[] = {TS_HTTP_READ_REQUEST_HDR_HOOK,  TS_HTTP_CACHE_LOOKUP_COMPLETE_HOOK, TS_HTTP_SEND_REQUEST_HDR_HOOK,
                          TS_HTTP_READ_RESPONSE_HDR_HOOK, TS_HTTP_SEND_RESPONSE_HDR_HOOK,     TS_HTTP_TXN_CLOSE_HOOK,
                          TS_HTTP_REQUEST_BUFFER_READ_COMPLETE_HOOK};

  TSPluginRegister(&info);
  if (argc < 3 || (report = fopen(argv[1], "w")) == NULL) {
    return;
  }
  snprintf(report_path, sizeof report_path, "%s", argv[1]);
  parent_port = atoi(argv[2]);
  TSUserArgIndexReserve(TS_USER_ARGS_TXN, "exchange", "the path", &path_arg);
  cont = TSContCreate(on_hook, NULL);
  for (i = 0; i < sizeof hooks / sizeof hooks[0]; i++) {
    TSHttpHookAdd(hooks[i], cont);
  }
}
