/* What plugin authors get wrong. The request's path says which mistake is made; what the server answers goes line by line
 * into the file named by the first argument. */
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <ts/experimental.h>
#include <ts/remap.h>
#include <ts/ts.h>

static FILE *file;
static pthread_mutex_t file_lock = PTHREAD_MUTEX_INITIALIZER;

static void report(const char *format, ...)
{
  va_list args;

  va_start(args, format);
  pthread_mutex_lock(&file_lock);
  vfprintf(file, format, args);
  fputc('\n', file);
  fflush(file);
  pthread_mutex_unlock(&file_lock);
  va_end(args);
}

/* Who goes on with the transaction. */
enum { CALLER = 0, MYSELF = 1 };

typedef struct {
  const char *name;
  TSEvent at;
  int (*make)(TSHttpTxn txn);
} Mistake;

static int nothing(TSCont cont, TSEvent event, void *edata)
{
  (void)cont;
  (void)event;
  (void)edata;
  return 0;
}

static int never_called(TSCont cont, TSEvent event, void *edata)
{
  (void)edata;
  report("called after its end: %p %d", (void *)cont, event);
  return 0;
}

/* The client's request; a field `X-Given: one, two` is in it. */
static TSMBuffer request_of(TSHttpTxn txn, TSMLoc *header)
{
  TSMBuffer buffer = NULL;

  TSHttpTxnClientReqGet(txn, &buffer, header);
  return buffer;
}

/* --- Transactions and hook points. --- */

static TSHttpTxn kept_txn;

static int keep(TSHttpTxn txn)
{
  kept_txn = txn;
  return CALLER;
}

static int after_end(TSHttpTxn txn)
{
  TSMBuffer buffer;
  TSMLoc header;

  (void)txn;
  report("after-end %d", TSHttpTxnClientReqGet(kept_txn, &buffer, &header));
  return CALLER;
}

static int reenable_after_end(TSHttpTxn txn)
{
  (void)txn;
  TSHttpTxnReenable(kept_txn, TS_EVENT_HTTP_ERROR);
  return CALLER;
}

static int twice(TSHttpTxn txn)
{
  TSHttpTxnReenable(txn, TS_EVENT_HTTP_CONTINUE);
  return CALLER;
}

static int odd_event(TSHttpTxn txn)
{
  TSHttpTxnReenable(txn, (TSEvent)12345);
  return MYSELF;
}

/* Waits until the operator sends a message. */
static int never(TSHttpTxn txn)
{
  kept_txn = txn;
  return MYSELF;
}

/* Another plugin's hook point is open when this one goes on a second time. The other waits for the process's value. */
static int fired_index = -1;

static int late_reenable(TSCont cont, TSEvent event, void *edata)
{
  (void)event;
  (void)edata;
  TSHttpTxnReenable((TSHttpTxn)TSContDataGet(cont), TS_EVENT_HTTP_ERROR);
  TSUserArgSet(NULL, fired_index, "fired");
  TSContDestroy(cont);
  return 0;
}

static int in_anothers_turn(TSHttpTxn txn)
{
  TSCont cont = TSContCreate(late_reenable, TSMutexCreate());

  TSContDataSet(cont, txn);
  TSContSchedule(cont, 1);
  return CALLER;
}

static int wait_for_other(TSCont cont, TSEvent event, void *edata)
{
  (void)event;
  (void)edata;
  if (TSUserArgGet(NULL, fired_index) != NULL) {
    TSHttpTxnReenable((TSHttpTxn)TSContDataGet(cont), TS_EVENT_HTTP_CONTINUE);
    TSContDestroy(cont);
  }
  return 0;
}

static int wait_in_turn(TSHttpTxn txn)
{
  TSCont cont = TSContCreate(wait_for_other, TSMutexCreate());

  TSContDataSet(cont, txn);
  TSContScheduleEvery(cont, 5);
  return MYSELF;
}

static int session_twice(TSHttpTxn txn)
{
  TSHttpSsnReenable(TSHttpTxnSsnGet(txn), TS_EVENT_HTTP_CONTINUE);
  return CALLER;
}

static int global_transform(TSHttpTxn txn)
{
  (void)txn;
  TSHttpHookAdd(TS_HTTP_RESPONSE_TRANSFORM_HOOK, TSContCreate(never_called, NULL));
  return CALLER;
}

static int session_hook_of_txn(TSHttpTxn txn)
{
  TSHttpTxnHookAdd(txn, TS_HTTP_SSN_CLOSE_HOOK, TSContCreate(never_called, NULL));
  return CALLER;
}

static int start_hook_of_session(TSHttpTxn txn)
{
  TSHttpSsnHookAdd(TSHttpTxnSsnGet(txn), TS_HTTP_SSN_START_HOOK, TSContCreate(never_called, NULL));
  return CALLER;
}

static int redo_elsewhere(TSHttpTxn txn)
{
  report("redo-elsewhere %d", TSHttpTxnRedoCacheLookup(txn, "http://a/", -1));
  return CALLER;
}

/* The client may be gone: the getters answer what they know. */
static int after_client(TSHttpTxn txn)
{
  int fd = -1;

  TSHttpTxnClientFdGet(txn, &fd);
  report("after-client %d %d", TSHttpTxnClientAddrGet(txn) != NULL, TSHttpSsnClientAddrGet(TSHttpTxnSsnGet(txn)) != NULL);
  return CALLER;
}

/* --- Headers. --- */

static int double_release(TSHttpTxn txn)
{
  TSMLoc header;
  TSMBuffer buffer = request_of(txn, &header);
  TSMLoc field     = TSMimeHdrFieldFind(buffer, header, "X-Given", -1);
  int first        = TSHandleMLocRelease(buffer, header, field);

  report("double-release %d %d", first, TSHandleMLocRelease(buffer, header, field));
  return CALLER;
}

static int wrong_parent(TSHttpTxn txn)
{
  TSMLoc header, other;
  TSMBuffer buffer = request_of(txn, &header);
  TSMLoc field     = TSMimeHdrFieldFind(buffer, header, "X-Given", -1);
  TSMBuffer own    = TSMBufferCreate();

  TSMimeHdrCreate(own, &other);
  report("wrong-parent %d", TSHandleMLocRelease(buffer, other, field));
  TSHandleMLocRelease(buffer, header, field);
  TSMBufferDestroy(own);
  return CALLER;
}

static int wrong_kind(TSHttpTxn txn)
{
  TSMLoc header;
  TSMBuffer buffer = request_of(txn, &header);
  int length       = 7;

  report("wrong-kind %d", TSUrlHostGet(buffer, header, &length) == NULL);
  return CALLER;
}

static int kept_string(TSHttpTxn txn)
{
  TSMLoc header;
  TSMBuffer buffer = request_of(txn, &header);
  TSMLoc field     = TSMimeHdrFieldFind(buffer, header, "X-Given", -1);
  int length       = 0;
  int i            = 0;
  const char *kept = TSMimeHdrFieldValueStringGet(buffer, header, field, -1, &length);
  char large[2000];

  memset(large, 'x', sizeof large);
  for (i = 0; i < 200; i++) {
    TSMimeHdrFieldValueStringSet(buffer, header, field, -1, large, sizeof large);
  }
  TSMimeHdrFieldValueStringSet(buffer, header, field, -1, "short", 5);
  report("kept-string %.*s", length, kept);
  TSHandleMLocRelease(buffer, header, field);
  return CALLER;
}

static int no_nul(TSHttpTxn txn)
{
  TSMLoc header, url;
  TSMBuffer buffer = request_of(txn, &header);
  TSMLoc field     = TSMimeHdrFieldFind(buffer, header, "X-Given", -1);
  int length       = 0;
  const char *text = TSMimeHdrFieldValueStringGet(buffer, header, field, -1, &length);
  int all          = strlen(text) == (size_t)length;

  text = TSMimeHdrFieldNameGet(buffer, header, field, &length);
  all += strlen(text) == (size_t)length;
  text = TSHttpHdrMethodGet(buffer, header, &length);
  all += strlen(text) == (size_t)length;
  TSHttpHdrUrlGet(buffer, header, &url);
  text = TSUrlPathGet(buffer, url, &length);
  all += strlen(text) == (size_t)length;
  report("no-nul %d", all);
  TSHandleMLocRelease(buffer, header, field);
  return CALLER;
}

static int read_only(TSHttpTxn txn)
{
  TSMBuffer buffer;
  TSMLoc header;

  if (TSHttpTxnCachedRespGet(txn, &buffer, &header) == TS_SUCCESS) {
    report("read-only %d", TSHttpHdrStatusSet(buffer, header, TS_HTTP_STATUS_OK));
  }
  return CALLER;
}

static int destroy_foreign(TSHttpTxn txn)
{
  TSMLoc header;
  TSMBuffer buffer = request_of(txn, &header);

  report("destroy-foreign %d", TSMBufferDestroy(buffer));
  return CALLER;
}

static int url_after_buffer(TSHttpTxn txn)
{
  TSMBuffer own = TSMBufferCreate();
  TSMLoc url;

  (void)txn;
  TSUrlCreate(own, &url);
  TSMBufferDestroy(own);
  report("url-after-buffer %d", TSUrlHostSet(own, url, "a", 1));
  return CALLER;
}

/* --- Texts that change hands. --- */

static int literal_type(TSHttpTxn txn)
{
  TSHttpTxnStatusSet(txn, TS_HTTP_STATUS_FORBIDDEN);
  TSHttpTxnErrorBodySet(txn, TSstrdup("not you"), 7, (char *)"text/x-literal");
  TSHttpTxnReenable(txn, TS_EVENT_HTTP_ERROR);
  return MYSELF;
}

static int url_on_stack(TSHttpTxn txn)
{
  char url[64];

  strcpy(url, "http://127.0.0.1:1/");
  TSHttpTxnRedirectUrlSet(txn, url, strlen(url));
  memset(url, 0, sizeof url);
  return CALLER;
}

static int literal_body(TSHttpTxn txn)
{
  TSHttpTxnServerRequestBodySet(txn, (char *)"body", 4);
  return CALLER;
}

static int temporary_config(TSHttpTxn txn)
{
  char value[16];
  const char *found = NULL;
  int length        = 0;

  strcpy(value, "temporary");
  TSHttpTxnConfigStringSet(txn, TS_CONFIG_HTTP_RESPONSE_SERVER_STR, value, -1);
  memset(value, 'x', sizeof value);
  TSHttpTxnConfigStringGet(txn, TS_CONFIG_HTTP_RESPONSE_SERVER_STR, &found, &length);
  report("temporary-config %.*s", length, found);
  return CALLER;
}

/* --- Continuations, timers, mutexes, threads. --- */

static int destroy_twice(TSHttpTxn txn)
{
  TSCont cont = TSContCreate(never_called, NULL);

  (void)txn;
  TSContDestroy(cont);
  TSContDestroy(cont);
  return CALLER;
}

static int consume_too_much(TSHttpTxn txn)
{
  TSIOBuffer bytes = TSIOBufferCreate();
  TSIOBufferReader reader = TSIOBufferReaderAlloc(bytes);

  (void)txn;
  TSIOBufferWrite(bytes, "four", 4);
  TSIOBufferReaderConsume(reader, 1000);
  report("consume-too-much %d", (int)TSIOBufferReaderAvail(reader));
  TSIOBufferDestroy(bytes);
  return CALLER;
}

static int six_readers(TSHttpTxn txn)
{
  TSIOBuffer bytes = TSIOBufferCreate();
  TSIOBufferReader last = NULL;

  (void)txn;
  for (int i = 0; i < 6; i++) {
    last = TSIOBufferReaderAlloc(bytes);
  }
  TSIOBufferWrite(bytes, "four", 4);
  report("six-readers %d", (int)TSIOBufferReaderAvail(last));
  TSIOBufferDestroy(bytes);
  return CALLER;
}

static int read_after_end(TSHttpTxn txn)
{
  TSIOBuffer bytes = TSIOBufferCreate();
  TSIOBufferReader reader = TSIOBufferReaderAlloc(bytes);

  (void)txn;
  TSIOBufferWrite(bytes, "four", 4);
  TSIOBufferDestroy(bytes);
  report("read-after-end %d", (int)TSIOBufferReaderAvail(reader));
  return CALLER;
}

static int call_destroyed(TSHttpTxn txn)
{
  TSCont cont = TSContCreate(never_called, NULL);

  (void)txn;
  TSContDestroy(cont);
  report("call-destroyed %d", TSContCall(cont, TS_EVENT_IMMEDIATE, NULL));
  return CALLER;
}

static int resume(TSCont cont, TSEvent event, void *edata)
{
  (void)event;
  (void)edata;
  TSHttpTxnReenable((TSHttpTxn)TSContDataGet(cont), TS_EVENT_HTTP_CONTINUE);
  TSContDestroy(cont);
  return 0;
}

/* Goes on in a while. */
static void resume_later(TSHttpTxn txn)
{
  TSCont cont = TSContCreate(resume, TSMutexCreate());

  TSContDataSet(cont, txn);
  TSContSchedule(cont, 20);
}

static int destroy_with_timer(TSHttpTxn txn)
{
  TSCont cont = TSContCreate(never_called, TSMutexCreate());

  TSContScheduleEvery(cont, 1);
  TSContSchedule(cont, 1);
  TSContDestroy(cont);
  resume_later(txn);
  return MYSELF;
}

static TSAction fired_action;

static int arm(TSHttpTxn txn)
{
  TSCont cont = TSContCreate(resume, TSMutexCreate());

  TSContDataSet(cont, txn);
  fired_action = TSContSchedule(cont, 1);
  return MYSELF;
}

static int cancel_fired(TSHttpTxn txn)
{
  (void)txn;
  TSActionCancel(fired_action);
  return CALLER;
}

static int cancels_itself(TSCont cont, TSEvent event, void *edata)
{
  TSActionCancel(fired_action);
  return resume(cont, event, edata);
}

static int cancel_own(TSHttpTxn txn)
{
  TSCont cont = TSContCreate(cancels_itself, TSMutexCreate());

  TSContDataSet(cont, txn);
  fired_action = TSContSchedule(cont, 1);
  return MYSELF;
}

static int without_mutex(TSHttpTxn txn)
{
  TSCont cont = TSContCreate(resume, NULL);

  TSContDataSet(cont, txn);
  TSContSchedule(cont, 1);
  return MYSELF;
}

static pthread_barrier_t holding;
static int has_released;

static void *hold(void *data)
{
  TSMutex mutex = (TSMutex)data;

  TSMutexLock(mutex);
  pthread_barrier_wait(&holding);
  usleep(20000);
  __atomic_store_n(&has_released, 1, __ATOMIC_SEQ_CST);
  TSMutexUnlock(mutex);
  return NULL;
}

static int sees_release(TSCont cont, TSEvent event, void *edata)
{
  (void)cont;
  (void)event;
  (void)edata;
  return __atomic_load_n(&has_released, __ATOMIC_SEQ_CST);
}

static int call_held(TSHttpTxn txn)
{
  TSMutex mutex = TSMutexCreate();
  TSCont cont   = TSContCreate(sees_release, mutex);
  pthread_t id;

  (void)txn;
  pthread_barrier_init(&holding, NULL, 2);
  pthread_create(&id, NULL, hold, mutex);
  pthread_barrier_wait(&holding);
  report("call-held %d", TSContCall(cont, TS_EVENT_IMMEDIATE, NULL));
  pthread_join(id, NULL);
  TSContDestroy(cont);
  return CALLER;
}

static int mutex_in_use(TSHttpTxn txn)
{
  TSMutex mutex = TSMutexCreate();
  TSCont cont   = TSContCreate(nothing, mutex);

  (void)txn;
  TSMutexDestroy(mutex);
  report("mutex-in-use %d", TSMutexLockTry(mutex));
  TSMutexUnlock(mutex);
  TSContDestroy(cont);
  return CALLER;
}

static TSMutex first_mutex, second_mutex;

static int lock_in_order(TSHttpTxn txn)
{
  (void)txn;
  TSMutexLock(first_mutex);
  TSMutexLock(second_mutex);
  TSMutexUnlock(second_mutex);
  TSMutexUnlock(first_mutex);
  return CALLER;
}

static int lock_against_order(TSHttpTxn txn)
{
  (void)txn;
  TSMutexLock(second_mutex);
  TSMutexLock(first_mutex);
  TSMutexUnlock(first_mutex);
  TSMutexUnlock(second_mutex);
  return CALLER;
}

/* A thread that the server has never heard of. */
static void *stranger(void *data)
{
  TSHttpTxn txn = (TSHttpTxn)data;
  TSMLoc header, field;
  TSMBuffer buffer = request_of(txn, &header);

  TSMimeHdrFieldCreateNamed(buffer, header, "X-Thread", 8, &field);
  TSMimeHdrFieldValueStringSet(buffer, header, field, -1, "yes", 3);
  TSMimeHdrFieldAppend(buffer, header, field);
  TSHandleMLocRelease(buffer, header, field);
  TSContDestroy(TSContCreate(nothing, TSMutexCreate()));
  report("stranger %d", TSHttpTxnClientReqGet(NULL, &buffer, &header));
  TSHttpTxnReenable(txn, TS_EVENT_HTTP_CONTINUE);
  return NULL;
}

static int on_strange_thread(TSHttpTxn txn)
{
  pthread_t id;

  pthread_create(&id, NULL, stranger, txn);
  pthread_detach(id);
  return MYSELF;
}

static int block(TSHttpTxn txn)
{
  (void)txn;
  usleep(700000);
  return CALLER;
}

/* --- Other things. --- */

static int txn_index = -1;
static int ssn_index = -1;

static int other_index(TSHttpTxn txn)
{
  report("other-index %d", TSUserArgGet(txn, ssn_index) == NULL);
  return CALLER;
}

static int set_other_index(TSHttpTxn txn)
{
  TSUserArgSet(TSHttpTxnSsnGet(txn), txn_index, "value");
  return CALLER;
}

static int leak(TSHttpTxn txn)
{
  TSMLoc header;
  TSMBuffer buffer = request_of(txn, &header);
  TSCont cont      = TSContCreate(never_called, TSMutexCreate());
  int i            = 0;

  TSContCreate(never_called, NULL);
  TSContScheduleEvery(cont, 3600000);
  TSMBufferCreate();
  TSIOBufferCreate();
  for (i = 0; i < 3; i++) {
    TSMimeHdrFieldFind(buffer, header, "X-Given", -1);
  }
  return CALLER;
}

static int depth;

static int calls_itself(TSCont cont, TSEvent event, void *edata)
{
  TSMutex mutex = TSContMutexGet(cont);

  (void)event;
  TSMutexLock(mutex);
  depth++;
  if (depth < 5) {
    TSContCall(cont, TS_EVENT_IMMEDIATE, edata);
  }
  TSMutexUnlock(mutex);
  return depth;
}

static int own_hook(TSCont cont, TSEvent event, void *edata)
{
  TSHttpTxn txn = (TSHttpTxn)edata;
  TSMLoc header;

  report("own hook %d", event);
  TSHttpTxnReenable(txn, TS_EVENT_HTTP_CONTINUE);
  /* The transaction goes on after this handler: it may still be asked. */
  report("after reenable %d", request_of(txn, &header) != NULL);
  TSContDestroy(cont);
  return 0;
}

/* No mistake: handlers may call anything. */
static int reenter(TSHttpTxn txn)
{
  TSCont cont = TSContCreate(calls_itself, TSMutexCreate());

  report("reenter %d", TSContCall(cont, TS_EVENT_IMMEDIATE, txn));
  TSContDestroy(cont);
  TSHttpTxnHookAdd(txn, TS_HTTP_READ_REQUEST_HDR_HOOK, TSContCreate(own_hook, NULL));
  return CALLER;
}

/* Every kind of handle where every other kind belongs. */
static int confuse(TSHttpTxn txn)
{
  TSMLoc header, url, out;
  TSMBuffer buffer = request_of(txn, &header);
  TSMutex mutex    = TSMutexCreate();
  TSCont cont      = TSContCreate(nothing, mutex);
  TSMLoc field     = TSMimeHdrFieldFind(buffer, header, "X-Given", -1);
  TSIOBuffer bytes = TSIOBufferCreate();
  TSMBuffer out_buffer;
  int refused = 0;
  int length  = 0;
  size_t i    = 0;

  TSHttpHdrUrlGet(buffer, header, &url);
  void *handles[] = {NULL,  (void *)1, (void *)UINTPTR_MAX, &length, txn, TSHttpTxnSsnGet(txn), buffer, header, url, field, mutex,
                     cont,  bytes,     TSThreadSelf(),      TSIOBufferReaderAlloc(bytes), TSContSchedule(cont, 3600000)};
  for (i = 0; i < sizeof handles / sizeof handles[0]; i++) {
    void *any = handles[i];

    refused += any != txn && TSHttpTxnClientReqGet((TSHttpTxn)any, &out_buffer, &out) == TS_ERROR;
    refused += any != buffer && TSMimeHdrFieldsCount((TSMBuffer)any, header) != TSMimeHdrFieldsCount(buffer, header);
    refused += any != header && TSHttpHdrMethodGet(buffer, (TSMLoc)any, &length) == NULL;
    refused += any != url && TSUrlHostGet(buffer, (TSMLoc)any, &length) == NULL;
    refused += any != field && TSMimeHdrFieldValueStringGet(buffer, header, (TSMLoc)any, -1, &length) == NULL;
    refused += any != cont && TSContDataGet((TSCont)any) == NULL;
    if (any != mutex) {
      refused += TSMutexLockTry((TSMutex)any) == TS_ERROR;
    }
    TSUserArgGet(any, txn_index);
    TSHttpSsnIdGet((TSHttpSsn)any);
    TSIOBufferReaderAvail((TSIOBufferReader)any);
    if (any != txn) {
      TSHttpTxnReenable((TSHttpTxn)any, TS_EVENT_HTTP_CONTINUE);
    }
  }
  report("confuse %d of %d", refused, (int)(7 * (sizeof handles / sizeof handles[0] - 1)));
  return CALLER;
}

#include "mistakes_table.h"
