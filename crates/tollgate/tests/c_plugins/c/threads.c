/* A global plugin that schedules continuations, starts threads and uses locks while the server starts, and writes what
 * comes of it. It does one thing after the other, on a thread of its own: the file has its lines in the same order
 * wherever it is loaded. The last one is "end". */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <ts/ts.h>

static FILE *report;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news  = PTHREAD_COND_INITIALIZER;

#define SAY(...)                  \
  do {                            \
    fprintf(report, __VA_ARGS__); \
    fputc('\n', report);          \
    fflush(report);               \
  } while (0)

/* What a handler has seen. */
static struct {
  int calls, event, has_data, has_edata, on_event_thread;
  TSEventThread thread;
  TSThread self;
} seen;

static int
handler(TSCont cont, TSEvent event, void *edata)
{
  pthread_mutex_lock(&lock);
  seen.calls++;
  seen.event           = event;
  seen.has_data        = TSContDataGet(cont) != NULL;
  seen.has_edata       = edata != NULL;
  seen.thread          = TSEventThreadSelf();
  seen.on_event_thread = seen.thread != NULL;
  seen.self            = TSThreadSelf();
  pthread_cond_signal(&news);
  pthread_mutex_unlock(&lock);
  return 0;
}

/* Waits for calls; whether they came. */
static int
wait_for(int calls)
{
  struct timespec until;
  int result = 0, came;

  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 10;
  pthread_mutex_lock(&lock);
  while (seen.calls < calls && result != ETIMEDOUT) {
    result = pthread_cond_timedwait(&news, &lock, &until);
  }
  came = seen.calls >= calls;
  pthread_mutex_unlock(&lock);
  return came;
}

static void
forget(void)
{
  pthread_mutex_lock(&lock);
  memset(&seen, 0, sizeof seen);
  pthread_mutex_unlock(&lock);
}

static void
say_seen(const char *what, int came)
{
  SAY("%s: came %d event %d data %d edata %d self %d", what, came, seen.event, seen.has_data, seen.has_edata, seen.self != NULL);
}

static TSCont
continuation(void)
{
  TSCont cont = TSContCreate(handler, TSMutexCreate());

  TSContDataSet(cont, (void *)handler);
  return cont;
}

static void
once(void)
{
  TSCont cont = continuation();
  TSAction action;
  TSThreadPool pools[] = {TS_THREAD_POOL_NET, TS_THREAD_POOL_TASK};
  TSEventThread net;
  size_t i;

  for (i = 0; i < 2; i++) {
    forget();
    action = TSContScheduleOnPool(cont, 0, pools[i]);
    SAY("pool %d: action %d", (int)i, action != NULL);
    say_seen("at once", wait_for(1));
    forget();
    TSContScheduleOnPool(cont, 20, pools[i]);
    say_seen("later", wait_for(1));
  }
  forget();
  TSContScheduleOnPool(cont, 0, TS_THREAD_POOL_NET);
  wait_for(1);
  net = seen.thread;
  SAY("event thread %d", net != NULL);
  forget();
  TSContScheduleOnThread(cont, 0, net);
  say_seen("on a thread", wait_for(1));
  SAY("the same %d", seen.thread == net);
  forget();
  TSContScheduleOnThread(cont, 15, net);
  say_seen("on a thread later", wait_for(1));
  SAY("the same %d", seen.thread == net);
  TSContDestroy(cont);
}

static void
repeat(const char *what, TSAction (*start)(TSCont, TSEventThread), TSEventThread thread)
{
  TSCont cont = continuation();
  TSAction repeated;
  int came;

  forget();
  repeated = start(cont, thread);
  came     = wait_for(3);
  TSMutexLock(TSContMutexGet(cont));
  TSActionCancel(repeated);
  TSMutexUnlock(TSContMutexGet(cont));
  say_seen(what, came);
  /* Another continuation's call comes later than the next one would have. */
  forget();
  TSContScheduleOnPool(continuation(), 60, TS_THREAD_POOL_NET);
  wait_for(1);
  SAY("after the end %d", seen.calls);
}

static TSAction
every_on_net(TSCont cont, TSEventThread thread)
{
  return TSContScheduleEveryOnPool(cont, 10, TS_THREAD_POOL_NET);
}

static TSAction
every_on_task(TSCont cont, TSEventThread thread)
{
  return TSContScheduleEveryOnPool(cont, 10, TS_THREAD_POOL_TASK);
}

static TSAction
every_on_thread(TSCont cont, TSEventThread thread)
{
  return TSContScheduleEveryOnThread(cont, 10, thread);
}

static void
cancelled(void)
{
  TSCont cont     = continuation();
  TSAction action = TSContScheduleOnPool(cont, 40, TS_THREAD_POOL_NET);

  forget();
  SAY("done %d", TSActionDone(action));
  TSMutexLock(TSContMutexGet(cont));
  TSActionCancel(action);
  TSMutexUnlock(TSContMutexGet(cont));
  TSContScheduleOnPool(continuation(), 80, TS_THREAD_POOL_NET);
  wait_for(1);
  SAY("cancelled: calls %d", seen.calls);
  TSContDestroy(cont);
}

static void
affinity(void)
{
  TSCont cont = continuation();
  TSEventThread net;

  SAY("affinity %d", TSContThreadAffinityGet(cont) != NULL);
  forget();
  TSContScheduleOnPool(cont, 0, TS_THREAD_POOL_NET);
  wait_for(1);
  net = seen.thread;
  SAY("after scheduling %d", TSContThreadAffinityGet(cont) == net);
  TSContThreadAffinityClear(cont);
  SAY("cleared %d", TSContThreadAffinityGet(cont) != NULL);
  SAY("set %d", TSContThreadAffinitySet(cont, net));
  SAY("as set %d", TSContThreadAffinityGet(cont) == net);
  TSContDestroy(cont);
}

static void
calls(void)
{
  TSCont cont = continuation();
  TSCont bare = TSContCreate(handler, NULL);

  forget();
  SAY("call %d", TSContCall(cont, TS_EVENT_IMMEDIATE, (void *)1));
  SAY("seen %d event %d edata %d", seen.calls, seen.event, seen.has_edata);
  forget();
  SAY("without a mutex %d mutex %d", TSContCall(bare, TS_EVENT_TIMEOUT, NULL), TSContMutexGet(bare) != NULL);
  SAY("seen %d event %d data %d", seen.calls, seen.event, seen.has_data);
  TSContDestroy(cont);
  TSContDestroy(bare);
}

static void *
holds(void *data)
{
  TSMutex mutex = (TSMutex)data;
  int has_self;

  TSMutexLock(mutex);
  has_self = TSThreadSelf() != NULL;
  pthread_mutex_lock(&lock);
  seen.calls     = 1;
  seen.has_edata = has_self;
  pthread_cond_signal(&news);
  while (seen.calls < 2) {
    pthread_cond_wait(&news, &lock);
  }
  pthread_mutex_unlock(&lock);
  TSMutexUnlock(mutex);
  return NULL;
}

static void
locks(void)
{
  TSMutex mutex = TSMutexCreate();
  TSThread thread;

  SAY("try %d", TSMutexLockTry(mutex));
  SAY("again %d", TSMutexLockTry(mutex));
  TSMutexLock(mutex);
  TSMutexUnlock(mutex);
  TSMutexUnlock(mutex);
  TSMutexUnlock(mutex);
  forget();
  thread = TSThreadCreate(holds, mutex);
  SAY("thread %d holds %d", thread != NULL, wait_for(1));
  SAY("has a self %d", seen.has_edata);
  SAY("try %d", TSMutexLockTry(mutex));
  pthread_mutex_lock(&lock);
  seen.calls = 2;
  pthread_cond_broadcast(&news);
  pthread_mutex_unlock(&lock);
  TSThreadWait(thread);
  SAY("waited: try %d", TSMutexLockTry(mutex));
  TSMutexUnlock(mutex);
  TSThreadDestroy(thread);
  TSMutexDestroy(mutex);
}

static void *
own_thread(void *data)
{
  TSThread self = TSThreadInit();
  TSEventThread net;
  TSCont cont = continuation();

  SAY("self %d event thread %d", self != NULL && TSThreadSelf() == self, TSEventThreadSelf() != NULL);
  once();
  forget();
  TSContScheduleOnPool(cont, 0, TS_THREAD_POOL_NET);
  wait_for(1);
  net = seen.thread;
  repeat("every, event threads", every_on_net, net);
  repeat("every, task threads", every_on_task, net);
  repeat("every, on a thread", every_on_thread, net);
  cancelled();
  affinity();
  calls();
  locks();
  SAY("end");
  return NULL;
}

static int
ready(TSCont cont, TSEvent event, void *edata)
{
  SAY("ready %d", event == TS_EVENT_LIFECYCLE_PORTS_READY);
  TSThreadCreate(own_thread, NULL);
  return 0;
}

void
TSPluginInit(int argc, const char *argv[])
{
  TSPluginRegistrationInfo info = {"threads", "tests", "none"};

  TSPluginRegister(&info);
  if (argc < 2 || (report = fopen(argv[1], "w")) == NULL) {
    return;
  }
  TSLifecycleHookAdd(TS_LIFECYCLE_PORTS_READY_HOOK, TSContCreate(ready, NULL));
}
