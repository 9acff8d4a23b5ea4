/* Statistics: creation, names, values. */
#include "services.h"
#include <unistd.h>

static int first, counted, averaged, base;

static void
find(const char *name)
{
  int id       = -5;
  int returned = TSStatFindName(name, &id);

  say_text("find", name);
  say_number("  returned", returned);
  say_number("  id", id < 0 ? id : id - base);
}

static int
create(const char *name, TSRecordDataType type, TSStatPersistence persist, TSStatSync sync)
{
  int id = TSStatCreate(name, type, persist, sync);

  say_text("create", name);
  say_number("  id", id < 0 ? id : id - base);
  return id;
}

/* Counts on an event thread, as other threads' changes are not added up. */
static int
count(TSCont cont, TSEvent event, void *data)
{
  (void)cont;
  (void)event;
  (void)data;
  TSStatIntIncrement(first, 10);
  TSStatIntDecrement(first, 3);
  TSStatIntIncrement(counted, 20);
  TSStatIntIncrement(counted, 22);
  TSStatIntIncrement(averaged, 20);
  TSStatIntIncrement(averaged, 24);
  return 0;
}

void
run_stats(void)
{
  fprintf(report, "stats\n");
  base = TSStatCreate("services.base", TS_RECORDDATATYPE_INT, TS_STAT_NON_PERSISTENT, TS_STAT_SYNC_SUM);
  say_number("base", base >= 0);
  first    = create("services.first", TS_RECORDDATATYPE_INT, TS_STAT_NON_PERSISTENT, TS_STAT_SYNC_SUM);
  counted  = create("services.counted", TS_RECORDDATATYPE_INT, TS_STAT_NON_PERSISTENT, TS_STAT_SYNC_COUNT);
  averaged = create("services.averaged", TS_RECORDDATATYPE_INT, TS_STAT_NON_PERSISTENT, TS_STAT_SYNC_AVG);
  create("services.persistent", TS_RECORDDATATYPE_INT, TS_STAT_PERSISTENT, TS_STAT_SYNC_SUM);
  create("services.counter", TS_RECORDDATATYPE_COUNTER, TS_STAT_NON_PERSISTENT, TS_STAT_SYNC_SUM);
  create("services.nothow", TS_RECORDDATATYPE_INT, (TSStatPersistence)7, TS_STAT_SYNC_SUM);
  create(NULL, TS_RECORDDATATYPE_INT, TS_STAT_NON_PERSISTENT, TS_STAT_SYNC_SUM);
  find("services.first");
  find("services.counter");
  find("services.none");
  find("proxy.process.http.incoming_requests");
  say_number("initially", TSStatIntGet(first));
  TSStatIntSet(first, 5);
  say_number("set", TSStatIntGet(first));
  TSContScheduleOnPool(TSContCreate(count, TSMutexCreate()), 0, TS_THREAD_POOL_NET);
}

static void
say_record(const char *name)
{
  TSMgmtInt number       = -5;
  TSMgmtCounter counter  = -5;
  TSMgmtFloat fraction   = -5;
  TSRecordDataType type  = TS_RECORDDATATYPE_MAX;
  TSMgmtString text      = "untouched";

  say_text("record", name);
  say_number("  type returned", TSMgmtDataTypeGet(name, &type));
  say_number("  type", type);
  say_number("  int returned", TSMgmtIntGet(name, &number));
  say_number("  int", number);
  say_number("  counter returned", TSMgmtCounterGet(name, &counter));
  say_number("  counter", counter);
  say_number("  float returned", TSMgmtFloatGet(name, &fraction));
  say_number("  float", (long long)fraction);
  say_number("  string returned", TSMgmtStringGet(name, &text));
  say_text("  string", text);
}

static void
dumped(TSRecordType kind, void *data, int registered, const char *name, TSRecordDataType type, TSRecordData *datum)
{
  if (strncmp(name, data, strlen(data)) == 0) {
    say_text("dumped", name);
    fprintf(report, "  %d %d %d\n", kind, registered, type);
    if (type == TS_RECORDDATATYPE_INT) {
      say_number("  int", datum->rec_int);
    } else if (type == TS_RECORDDATATYPE_COUNTER) {
      say_number("  counter", datum->rec_counter);
    } else if (type == TS_RECORDDATATYPE_STRING) {
      say_text("  string", datum->rec_string);
    }
  }
}

void
wait_for_stats(void)
{
  int created = 0;
  TSMgmtInt value = 0;

  fprintf(report, "stats later\n");
  for (int i = 0; i < 3000; i++) {
    if (TSMgmtIntGet("services.counted", &value) == TS_SUCCESS && value == 2) {
      break;
    }
    usleep(10000);
  }
  say_number("sum", TSStatIntGet(first));
  say_number("counted", TSStatIntGet(counted));
  say_number("averaged", TSStatIntGet(averaged));
  say_record("services.first");
  say_record("services.counted");
  say_record("services.averaged");
  say_record("services.counter");
  TSRecordDump(TS_RECORDTYPE_PLUGIN, dumped, "services.");
  TSRecordDump(TS_RECORDTYPE_PROCESS, dumped, "services.");
  TSRecordDump(TS_RECORDTYPE_CONFIG | TS_RECORDTYPE_LOCAL, dumped, "proxy.config.plugin.services.");
  for (; created < 2000; created++) {
    char name[64];
    snprintf(name, sizeof name, "services.fill.%d", created);
    if (TSStatCreate(name, TS_RECORDDATATYPE_INT, TS_STAT_NON_PERSISTENT, TS_STAT_SYNC_SUM) < 0) {
      break;
    }
  }
  say_number("stats end", created < 2000);
}
