/* Continuations, schedulers, mutexes and threads.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A continuation is a function and its data. With a mutex, it is called only while that is held; without, its
 * handler may run in several threads at once. It ends with TSContDestroy, after which it is not called any more. */
TSCont TSContCreate(TSEventFunc handler, TSMutex mutex);
void TSContDestroy(TSCont cont);
void TSContDataSet(TSCont cont, void *data);
void *TSContDataGet(TSCont cont);
TSMutex TSContMutexGet(TSCont cont);

/* Calls the handler now, in this thread. */
int TSContCall(TSCont cont, TSEvent event, void *edata);

/* Calls it later: after `timeout` milliseconds with TS_EVENT_TIMEOUT, with 0 at once and TS_EVENT_IMMEDIATE. The
 * continuation needs a mutex. Without a pool or a thread the current thread is used. */
TSAction TSContSchedule(TSCont cont, TSHRTime timeout);
TSAction TSContScheduleOnPool(TSCont cont, TSHRTime timeout, TSThreadPool pool);
TSAction TSContScheduleOnThread(TSCont cont, TSHRTime timeout, TSEventThread thread);

/* Calls it again and again, every so many milliseconds. */
TSAction TSContScheduleEvery(TSCont cont, TSHRTime every);
TSAction TSContScheduleEveryOnPool(TSCont cont, TSHRTime every, TSThreadPool pool);
TSAction TSContScheduleEveryOnThread(TSCont cont, TSHRTime every, TSEventThread thread);

/* Calls it with a transaction as `edata`. */
TSAction TSHttpSchedule(TSCont cont, TSHttpTxn txn, TSHRTime timeout);

/* What was scheduled or begun: cancel it, with the continuation's mutex held and before it has come; was it done
 * within the call that began it? */
void TSActionCancel(TSAction action);
int TSActionDone(TSAction action);

/* The thread that a continuation prefers. */
TSReturnCode TSContThreadAffinitySet(TSCont cont, TSEventThread thread);
TSEventThread TSContThreadAffinityGet(TSCont cont);
void TSContThreadAffinityClear(TSCont cont);

/* Mutexes, which a thread may lock several times. The last continuation that has one ends it; TSMutexDestroy is for
 * those that no continuation has. */
TSMutex TSMutexCreate(void);
void TSMutexDestroy(TSMutex mutex);
void TSMutexLock(TSMutex mutex);
TSReturnCode TSMutexLockTry(TSMutex mutex);
void TSMutexUnlock(TSMutex mutex);

/* Threads of the plugin's own, or one that it has made in another way (TSThreadInit). */
TSThread TSThreadCreate(TSThreadFunc func, void *data);
TSThread TSThreadInit(void);
void TSThreadDestroy(TSThread thread);
void TSThreadWait(TSThread thread);
TSThread TSThreadSelf(void);
TSEventThread TSEventThreadSelf(void);

#ifdef __cplusplus
}
#endif
