/* A global plugin with records of its own, which sets one of the server's and is told of it, and writes a text log. */
#include <stdio.h>
#include <string.h>
#include <ts/ts.h>

static FILE *report;
static TSTextLogObject text_log;

static int
told(TSCont cont, TSEvent event, void *edata)
{
  TSMgmtInt via = -1;

  if (event == TS_EVENT_LIFECYCLE_MSG) {
    int i;
    for (i = 0; i < 1000; i++) {
      TSTextLogObjectWrite(text_log, "line %d", i);
    }
    return 0;
  }
  TSMgmtIntGet("proxy.config.http.insert_request_via_str", &via);
  TSTextLogObjectWrite(text_log, "told");
  fprintf(report, "told via %d\n", (int)via);
  fflush(report);
  return 0;
}

void
TSPluginInit(int argc, const char *argv[])
{
  TSPluginRegistrationInfo info = {"records", "tests", "none"};
  TSMgmtInt number = -1, fallback = -1;
  TSMgmtString text = "none";
  TSCont cont = TSContCreate(told, TSMutexCreate());

  TSPluginRegister(&info);
  if (argc < 2 || (report = fopen(argv[1], "w")) == NULL) {
    return;
  }
  TSTextLogObjectCreate("records", TS_LOG_MODE_ADD_TIMESTAMP, &text_log);
  TSTextLogObjectWrite(text_log, "begun");
  TSMgmtIntCreate(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.records.number", 1, TS_RECORDUPDATE_DYNAMIC, TS_RECORDCHECK_NULL, NULL,
                  TS_RECORDACCESS_NULL);
  TSMgmtIntCreate(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.records.fallback", 5, TS_RECORDUPDATE_DYNAMIC, TS_RECORDCHECK_NULL, NULL,
                  TS_RECORDACCESS_NULL);
  TSMgmtStringCreate(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.records.text", (TSMgmtString) "default", TS_RECORDUPDATE_DYNAMIC,
                     TS_RECORDCHECK_NULL, NULL, TS_RECORDACCESS_NULL);
  TSMgmtIntGet("proxy.config.plugin.records.number", &number);
  TSMgmtIntGet("proxy.config.plugin.records.fallback", &fallback);
  TSMgmtStringGet("proxy.config.plugin.records.text", &text);
  fprintf(report, "number %d text %s default %d\n", (int)number, text, (int)fallback);
  TSMgmtUpdateRegister(cont, "records");
  TSLifecycleHookAdd(TS_LIFECYCLE_MSG_HOOK, cont);
  fprintf(report, "set %d unknown %d\n", TSMgmtConfigIntSet("proxy.config.http.insert_request_via_str", 2),
          TSMgmtConfigIntSet("proxy.config.plugin.records.none", 2));
  fflush(report);
}
