/* A plugin of both kinds that has something of each part of the headers. It is compiled only. */
#include <string.h>
#include <ts/experimental.h>
#include <ts/remap.h>
#include <ts/ts.h>

static int slot;
static TSTextLogObject text_log;

typedef struct {
  TSHttpTxn txn;
  TSIOBuffer buffer;
  TSVIO output;
} Transformation;

static void
name_the_gate(TSHttpTxn txn)
{
  TSMBuffer buffer;
  TSMLoc header, field;
  if (TSHttpTxnClientRespGet(txn, &buffer, &header) != TS_SUCCESS) {
    return;
  }
  if (TSMimeHdrFieldCreateNamed(buffer, header, "X-Gate", -1, &field) == TS_SUCCESS) {
    TSMimeHdrFieldValueStringSet(buffer, header, field, -1, "open", 4);
    TSMimeHdrFieldAppend(buffer, header, field);
    TSHandleMLocRelease(buffer, header, field);
  }
  TSHandleMLocRelease(buffer, TS_NULL_MLOC, header);
}

static int
is_get(TSHttpTxn txn)
{
  TSMBuffer buffer;
  TSMLoc header;
  int length, result = 0;
  if (TSHttpTxnClientReqGet(txn, &buffer, &header) == TS_SUCCESS) {
    result = TSHttpHdrMethodGet(buffer, header, &length) == TS_HTTP_METHOD_GET && length == TS_HTTP_LEN_GET;
    TSHandleMLocRelease(buffer, TS_NULL_MLOC, header);
  }
  return result;
}

static void
pass_on(TSCont cont, Transformation *state)
{
  TSVIO input = TSVConnWriteVIOGet(cont);
  int64_t todo = TSVIONTodoGet(input);
  TSIOBufferReader reader = TSVIOReaderGet(input);
  if (TSVIOBufferGet(input) && todo > 0) {
    int64_t avail = TSIOBufferReaderAvail(reader);
    TSIOBufferCopy(state->buffer, reader, avail < todo ? avail : todo, 0);
    TSIOBufferReaderConsume(reader, avail < todo ? avail : todo);
    TSVIONDoneSet(input, TSVIONDoneGet(input) + avail);
    TSVIOReenable(state->output);
    TSContCall(TSVIOContGet(input), TS_EVENT_VCONN_WRITE_READY, input);
  }
}

static int
transform(TSCont cont, TSEvent event, void *edata)
{
  Transformation *state = (Transformation *)TSContDataGet(cont);
  (void)edata;
  if (TSVConnClosedGet(cont)) {
    TSIOBufferDestroy(state->buffer);
    TSfree(state);
    TSContDestroy(cont);
  } else if (event == TS_EVENT_VCONN_WRITE_COMPLETE) {
    TSVConnShutdown(TSTransformOutputVConnGet(cont), 0, 1);
  } else {
    pass_on(cont, state);
  }
  return 0;
}

static void
begin_transformation(TSHttpTxn txn)
{
  TSVConn cont = TSTransformCreate(transform, txn);
  Transformation *state = (Transformation *)TSmalloc(sizeof(Transformation));
  state->txn = txn;
  state->buffer = TSIOBufferSizedCreate(TS_IOBUFFER_SIZE_INDEX_32K);
  state->output =
    TSVConnWrite(TSTransformOutputVConnGet(cont), cont, TSIOBufferReaderAlloc(state->buffer), INT64_MAX);
  TSContDataSet(cont, state);
  TSHttpTxnHookAdd(txn, TS_HTTP_RESPONSE_TRANSFORM_HOOK, cont);
}

static int
on_event(TSCont cont, TSEvent event, void *edata)
{
  TSHttpTxn txn = (TSHttpTxn)edata;
  (void)cont;
  switch (event) {
  case TS_EVENT_HTTP_READ_REQUEST_HDR:
    if (!TSHttpTxnIsInternal(txn) && is_get(txn)) {
      TSHttpTxnConfigIntSet(txn, TS_CONFIG_HTTP_INSERT_AGE_IN_RESPONSE, 0);
      TSUserArgSet(txn, slot, cont);
      begin_transformation(txn);
    }
    break;
  case TS_EVENT_HTTP_SEND_RESPONSE_HDR:
    name_the_gate(txn);
    TSTextLogObjectWrite(text_log, "%s", TSHttpEventNameLookup(event));
    break;
  default:
    TSDebug("gate", "event %d", event);
    return 0;
  }
  TSHttpTxnReenable(txn, TS_EVENT_HTTP_CONTINUE);
  return 0;
}

static int
on_fetch(TSCont cont, TSEvent event, void *edata)
{
  if ((int)event == TS_FETCH_EVENT_EXT_BODY_DONE) {
    TSFetchDestroy((TSFetchSM)edata);
  }
  TSContDestroy(cont);
  return 0;
}

static void
fetch(const struct sockaddr *client)
{
  TSFetchEvent events = {1, 2, 3};
  const char *request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  TSCont cont = TSContCreate(on_fetch, TSMutexCreate());
  TSFetchUrl(request, (int)strlen(request), client, cont, AFTER_BODY, events);
  TSContScheduleOnPool(cont, TS_HRTIME_SECONDS(1) / TS_HRTIME_MSECOND, TS_THREAD_POOL_TASK);
}

static void
use_macros(const char *text)
{
  char copy[TS_CRUUID_STRING_LEN + 1];
  char *mine = TSstrndup(text, 3), *longer = TSstrdup(text);
  TSstrlcpy(copy, mine, sizeof(copy));
  TSstrlcat(copy, longer, sizeof(copy));
  longer = (char *)TSrealloc(longer, sizeof(copy));
  TSAssert(longer != NULL);
  TSReleaseAssert(TS_HTTP_MAJOR(TS_HTTP_VERSION(1, 1)) == 1 && TS_HTTP_MINOR(TS_HTTP_VERSION(1, 1)) == 1);
  TSDEBUG("gate", "%s", copy);
  TSfree(mine);
  TSfree(longer);
}

void
TSPluginInit(int argc, const char *argv[])
{
  TSPluginRegistrationInfo info;
  TSCont cont = TSContCreate(on_event, NULL);
  info.plugin_name = argv[0];
  info.vendor_name = "Tollgate";
  info.support_email = "";
  if (TSPluginRegister(&info) != TS_SUCCESS) {
    TSError("%s: not registered", argv[0]);
    return;
  }
  TSUserArgIndexReserve(TS_USER_ARGS_TXN, "gate", "the gate", &slot);
  TSTextLogObjectCreate("gate", TS_LOG_MODE_ADD_TIMESTAMP, &text_log);
  TSStatIntIncrement(TSStatCreate("gate", TS_RECORDDATATYPE_INT, TS_STAT_NON_PERSISTENT, TS_STAT_SYNC_SUM), argc);
  TSHttpHookAdd(TS_HTTP_READ_REQUEST_HDR_HOOK, cont);
  TSHttpHookAdd(TS_HTTP_SEND_RESPONSE_HDR_HOOK, cont);
  TSLifecycleHookAdd(TS_LIFECYCLE_MSG_HOOK, cont);
}

TSReturnCode
TSRemapInit(TSRemapInterface *api, char *error, int size)
{
  if (api->tsremap_version < TSREMAP_VERSION) {
    TSstrlcpy(error, "the server is too old", (size_t)size);
    return TS_ERROR;
  }
  return TS_SUCCESS;
}

TSReturnCode
TSRemapNewInstance(int argc, char *argv[], void **instance, char *error, int size)
{
  (void)error;
  (void)size;
  *instance = argc > 2 ? TSstrdup(argv[2]) : NULL;
  return TS_SUCCESS;
}

void
TSRemapDeleteInstance(void *instance)
{
  TSfree(instance);
}

TSRemapStatus
TSRemapDoRemap(void *instance, TSHttpTxn txn, TSRemapRequestInfo *info)
{
  TSResponseAction action;
  memset(&action, 0, sizeof(action));
  action.nextHopExists = true;
  TSHttpTxnResponseActionSet(txn, &action);
  use_macros((const char *)instance);
  fetch(TSHttpTxnClientAddrGet(txn));
  return TSUrlPathSet(info->requestBufp, info->requestUrl, "gate", 4) == TS_SUCCESS ? TSREMAP_DID_REMAP :
                                                                                     TSREMAP_NO_REMAP;
}
