/* A global plugin that does, depending on the request's path, what plugins do and what they should not do. What it sees
 * goes line by line into the file named by its first argument. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <ts/ts.h>

#define TAG "probe"

static FILE *report;
static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;
static TSHttpTxn stale_txn;

#define REPORT(...)                       \
  do {                                    \
    pthread_mutex_lock(&report_lock);     \
    fprintf(report, __VA_ARGS__);         \
    fputc('\n', report);                  \
    fflush(report);                       \
    pthread_mutex_unlock(&report_lock);   \
  } while (0)

static int path_is(TSHttpTxn txn, const char *wanted)
{
  TSMBuffer buf;
  TSMLoc hdr, url;
  const char *path;
  int len = 0, same = 0;

  if (TSHttpTxnClientReqGet(txn, &buf, &hdr) != TS_SUCCESS) {
    return 0;
  }
  if (TSHttpHdrUrlGet(buf, hdr, &url) == TS_SUCCESS) {
    path = TSUrlPathGet(buf, url, &len);
    same = (size_t)len == strlen(wanted) && memcmp(path, wanted, len) == 0;
    TSHandleMLocRelease(buf, hdr, url);
  }
  TSHandleMLocRelease(buf, TS_NULL_MLOC, hdr);
  return same;
}

static void set_field(TSMBuffer buf, TSMLoc hdr, const char *name, const char *value)
{
  TSMLoc field;

  if (TSMimeHdrFieldCreateNamed(buf, hdr, name, strlen(name), &field) == TS_SUCCESS) {
    TSMimeHdrFieldValueStringSet(buf, hdr, field, -1, value, strlen(value));
    TSMimeHdrFieldAppend(buf, hdr, field);
    TSHandleMLocRelease(buf, hdr, field);
  }
}

static int txn_hook(TSCont cont, TSEvent event, void *edata)
{
  REPORT("own %s %s", TSHttpEventNameLookup(event), (const char *)TSContDataGet(cont));
  TSHttpTxnReenable((TSHttpTxn)edata, TS_EVENT_HTTP_CONTINUE);
  if (event == TS_EVENT_HTTP_TXN_CLOSE) {
    TSContDestroy(cont);
  }
  return 0;
}

static int timer(TSCont cont, TSEvent event, void *edata)
{
  TSHttpTxn txn = (TSHttpTxn)TSContDataGet(cont);

  (void)edata;
  REPORT("timer %d on event thread %d", event, TSEventThreadSelf() != NULL);
  TSHttpTxnReenable(txn, TS_EVENT_HTTP_CONTINUE);
  TSContDestroy(cont);
  return 0;
}

static void *thread(void *data)
{
  TSHttpTxn txn = (TSHttpTxn)data;
  TSMBuffer buf;
  TSMLoc hdr;

  TSThreadInit();
  if (TSHttpTxnClientReqGet(txn, &buf, &hdr) == TS_SUCCESS) {
    set_field(buf, hdr, "X-Thread", "yes");
    TSHandleMLocRelease(buf, TS_NULL_MLOC, hdr);
  }
  TSHttpTxnReenable(txn, TS_EVENT_HTTP_CONTINUE);
  return NULL;
}

static int late(TSCont cont, TSEvent event, void *edata)
{
  (void)cont;
  REPORT("late %d", event);
  TSHttpTxnReenable((TSHttpTxn)edata, TS_EVENT_HTTP_CONTINUE);
  return 0;
}

static int user_arg = -1;
static int statistic = -1;
static TSTextLogObject text_log;

/* What the server offers beside transactions. */
static void services(TSHttpTxn txn)
{
  TSMgmtInt number      = 0;
  TSHttpSsn ssn         = TSHttpTxnSsnGet(txn);
  const char *found     = NULL;
  char uuid[TS_CRUUID_STRING_LEN + 1];
  const char *tags[4]   = {NULL};
  int count             = 0;
  int result            = 0;

  TSUserArgSet(txn, user_arg, "a transaction's");
  REPORT("user arg %s, of the session %p", (char *)TSUserArgGet(txn, user_arg), TSUserArgGet(ssn, user_arg));
  TSStatIntIncrement(statistic, 3);
  result = TSMgmtIntGet("proxy.config.task_threads", &number);
  REPORT("record %d %lld", result, (long long)number);
  TSTextLogObjectWrite(text_log, "%s %d", "line", 1);
  TSTextLogObjectFlush(text_log);
  TSHttpTxnClientProtocolStackGet(txn, 4, tags, &count);
  found = TSHttpTxnClientProtocolStackContains(txn, "tcp");
  REPORT("stack %d %s %s %s same %d", count, tags[0], tags[1], tags[2], found == TS_PROTO_TAG_TCP);
  result = TSClientRequestUuidGet(txn, uuid);
  REPORT("uuid %d %d", result, (int)(strlen(uuid) > 36));
  REPORT("folder %s", TSConfigDirGet());
}

static int never_called(TSCont cont, TSEvent event, void *edata)
{
  (void)edata;
  REPORT("called after its end: %p %d", (void *)cont, event);
  return 0;
}

/* Mistakes that plugin authors make: each must be refused, and none may harm the server. */
static void misuse(TSHttpTxn txn)
{
  TSMBuffer buf    = NULL;
  TSMLoc hdr       = TS_NULL_MLOC;
  TSMutex mutex    = TSMutexCreate();
  TSCont cont      = TSContCreate(never_called, mutex);
  TSAction action  = TSContSchedule(cont, 1);
  TSAction every   = TSContScheduleEvery(cont, 1);
  TSIOBuffer bytes = TSIOBufferCreate();
  TSIOBufferReader reader = TSIOBufferReaderAlloc(bytes);

  /* The timers go with their continuation. */
  TSContDestroy(cont);
  TSContDestroy(cont);
  TSContDataSet(cont, NULL);
  TSContCall(cont, TS_EVENT_IMMEDIATE, NULL);
  TSContSchedule(cont, 0);
  TSActionCancel(action);
  TSActionCancel(every);
  TSMutexUnlock(mutex);
  TSMutexLock(NULL);
  TSHttpTxnClientReqGet(txn, &buf, &hdr);
  REPORT("destroy %d", TSMBufferDestroy(buf));
  REPORT("release %d", TSHandleMLocRelease(buf, hdr, (TSMLoc)txn));
  REPORT("kind %d", TSHttpTxnClientReqGet((TSHttpTxn)cont, &buf, &hdr));
  REPORT("number %d", TSHttpTxnClientReqGet((TSHttpTxn)0x1234, &buf, &hdr));
  REPORT("null %d", TSHttpTxnClientReqGet(NULL, &buf, &hdr));
  REPORT("missing %d", TSHttpTxnServerRespGet(txn, &buf, &hdr));
  TSIOBufferReaderConsume(reader, 10);
  TSIOBufferDestroy(bytes);
  REPORT("avail %d", (int)TSIOBufferReaderAvail(reader));
  TSHttpTxnHookAdd(txn, (TSHttpHookID)99, TSContCreate(never_called, NULL));
  TSHttpTxnCacheLookupStatusSet(txn, TS_CACHE_LOOKUP_MISS);
}

/* Whether the transaction goes on by other means than the caller's. */
static int at_request(TSHttpTxn txn)
{
  TSMBuffer buf;
  TSMLoc hdr;
  TSCont cont;
  pthread_t id;

  if (path_is(txn, "own")) {
    cont = TSContCreate(txn_hook, NULL);
    TSContDataSet(cont, "data");
    TSHttpTxnHookAdd(txn, TS_HTTP_READ_REQUEST_HDR_HOOK, cont);
    TSHttpTxnHookAdd(txn, TS_HTTP_SEND_RESPONSE_HDR_HOOK, cont);
    TSHttpTxnHookAdd(txn, TS_HTTP_SEND_RESPONSE_HDR_HOOK, cont);
    TSHttpTxnHookAdd(txn, TS_HTTP_TXN_CLOSE_HOOK, cont);
  } else if (path_is(txn, "deny")) {
    TSHttpTxnStatusSet(txn, TS_HTTP_STATUS_FORBIDDEN);
    TSHttpTxnErrorBodySet(txn, TSstrdup("not you"), 7, TSstrdup("text/plain"));
    TSHttpTxnReenable(txn, TS_EVENT_HTTP_ERROR);
    return 1;
  } else if (path_is(txn, "double")) {
    TSHttpTxnReenable(txn, TS_EVENT_HTTP_CONTINUE);
  } else if (path_is(txn, "timer")) {
    cont = TSContCreate(timer, TSMutexCreate());
    TSContDataSet(cont, txn);
    TSContSchedule(cont, 5);
    return 1;
  } else if (path_is(txn, "task")) {
    cont = TSContCreate(timer, TSMutexCreate());
    TSContDataSet(cont, txn);
    TSContScheduleOnPool(cont, 0, TS_THREAD_POOL_TASK);
    return 1;
  } else if (path_is(txn, "thread")) {
    pthread_create(&id, NULL, thread, txn);
    pthread_detach(id);
    return 1;
  } else if (path_is(txn, "remember")) {
    stale_txn = txn;
  } else if (path_is(txn, "stale")) {
    REPORT("stale %d", TSHttpTxnClientReqGet(stale_txn, &buf, &hdr));
    TSHttpTxnReenable(stale_txn, TS_EVENT_HTTP_CONTINUE);
  } else if (path_is(txn, "missing")) {
    TSHttpTxnReenable(txn, TS_EVENT_HTTP_CONTINUE);
    REPORT("missing %p", (void *)TSNetAccept(NULL, 0, 0, 0));
    return 1;
  } else if (path_is(txn, "misuse")) {
    misuse(txn);
  } else if (path_is(txn, "services")) {
    services(txn);
  } else if (path_is(txn, "block")) {
    usleep(300000);
  } else if (path_is(txn, "late")) {
    TSHttpHookAdd(TS_HTTP_SEND_RESPONSE_HDR_HOOK, TSContCreate(late, NULL));
  } else if (path_is(txn, "never")) {
    return 1;
  } else if (path_is(txn, "nocache")) {
    TSHttpTxnConfigIntSet(txn, TS_CONFIG_HTTP_CACHE_HTTP, 0);
  } else if (path_is(txn, "move") && TSHttpTxnClientReqGet(txn, &buf, &hdr) == TS_SUCCESS) {
    TSMLoc url;
    TSHttpHdrUrlGet(buf, hdr, &url);
    TSUrlPathSet(buf, url, "moved", 5);
    TSHandleMLocRelease(buf, hdr, url);
    TSHandleMLocRelease(buf, TS_NULL_MLOC, hdr);
  }
  return 0;
}

static void at_lookup(TSHttpTxn txn)
{
  int found = -1;
  int len = 0;
  char *url = TSHttpTxnEffectiveUrlStringGet(txn, &len);

  TSHttpTxnCacheLookupStatusGet(txn, &found);
  REPORT("lookup %d %.*s internal %d", found, len, url, TSHttpTxnIsInternal(txn));
  TSfree(url);
}

static int global(TSCont cont, TSEvent event, void *edata)
{
  TSHttpTxn txn = (TSHttpTxn)edata;
  TSMBuffer buf;
  TSMLoc hdr;

  (void)cont;
  REPORT("%s", TSHttpEventNameLookup(event));
  switch (event) {
  case TS_EVENT_HTTP_SSN_START:
  case TS_EVENT_HTTP_SSN_CLOSE:
    TSHttpSsnReenable((TSHttpSsn)edata, TS_EVENT_HTTP_CONTINUE);
    return 0;
  case TS_EVENT_HTTP_READ_REQUEST_HDR:
    if (at_request(txn)) {
      return 0;
    }
    break;
  case TS_EVENT_HTTP_CACHE_LOOKUP_COMPLETE:
    at_lookup(txn);
    break;
  case TS_EVENT_HTTP_SEND_REQUEST_HDR:
    if (TSHttpTxnServerReqGet(txn, &buf, &hdr) == TS_SUCCESS) {
      set_field(buf, hdr, "X-To-Origin", "probe");
      TSHandleMLocRelease(buf, TS_NULL_MLOC, hdr);
    }
    break;
  case TS_EVENT_HTTP_SEND_RESPONSE_HDR:
    if (TSHttpTxnClientRespGet(txn, &buf, &hdr) == TS_SUCCESS) {
      set_field(buf, hdr, "X-To-Client", "probe");
      TSHandleMLocRelease(buf, TS_NULL_MLOC, hdr);
    }
    break;
  default:
    break;
  }
  TSHttpTxnReenable(txn, TS_EVENT_HTTP_CONTINUE);
  return 0;
}

static int lifecycle(TSCont cont, TSEvent event, void *edata)
{
  (void)cont;
  if (event == TS_EVENT_LIFECYCLE_MSG) {
    TSPluginMsg *msg = (TSPluginMsg *)edata;
    REPORT("message %s %.*s", msg->tag, (int)msg->data_size, (const char *)msg->data);
  } else {
    REPORT("%s", TSHttpEventNameLookup(event));
  }
  return 0;
}

static int every(TSCont cont, TSEvent event, void *edata)
{
  static int count;

  (void)edata;
  if (++count == 3) {
    REPORT("every %d", event);
    TSContDestroy(cont);
  }
  return 0;
}

void TSPluginInit(int argc, const char *argv[])
{
  static const TSHttpHookID hooks[] = {
    TS_HTTP_SSN_START_HOOK,      TS_HTTP_TXN_START_HOOK,        TS_HTTP_READ_REQUEST_HDR_HOOK,
    TS_HTTP_PRE_REMAP_HOOK,      TS_HTTP_POST_REMAP_HOOK,       TS_HTTP_READ_CACHE_HDR_HOOK,
    TS_HTTP_CACHE_LOOKUP_COMPLETE_HOOK, TS_HTTP_OS_DNS_HOOK,    TS_HTTP_SEND_REQUEST_HDR_HOOK,
    TS_HTTP_READ_RESPONSE_HDR_HOOK, TS_HTTP_SEND_RESPONSE_HDR_HOOK, TS_HTTP_TXN_CLOSE_HOOK,
    TS_HTTP_SSN_CLOSE_HOOK,
  };
  TSPluginRegistrationInfo info = {"probe", "Tollgate", "nobody@example.com"};
  TSCont cont;
  size_t i;

  if (argc < 2 || (report = fopen(argv[1], "a")) == NULL) {
    TSError("[%s] a file is needed", TAG);
    return;
  }
  if (TSPluginRegister(&info) != TS_SUCCESS) {
    TSError("[%s] registration failed", TAG);
  }
  cont = TSContCreate(global, NULL);
  for (i = 0; i < sizeof hooks / sizeof hooks[0]; i++) {
    TSHttpHookAdd(hooks[i], cont);
  }
  cont = TSContCreate(lifecycle, TSMutexCreate());
  TSLifecycleHookAdd(TS_LIFECYCLE_PORTS_READY_HOOK, cont);
  TSLifecycleHookAdd(TS_LIFECYCLE_SHUTDOWN_HOOK, cont);
  TSLifecycleHookAdd(TS_LIFECYCLE_MSG_HOOK, cont);
  TSContScheduleEvery(TSContCreate(every, TSMutexCreate()), 1);
  TSUserArgIndexReserve(TS_USER_ARGS_TXN, TAG, "a test", &user_arg);
  statistic = TSStatCreate("plugin.probe.count", TS_RECORDDATATYPE_INT, TS_STAT_NON_PERSISTENT, TS_STAT_SYNC_SUM);
  TSTextLogObjectCreate("probe", 0, &text_log);
  REPORT("started with %d arguments, %s", argc, argc > 2 ? argv[2] : "-");
}
