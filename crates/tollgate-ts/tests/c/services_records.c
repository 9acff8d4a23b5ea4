/* Records: getters on every type, records that plugins create. */
#include "services.h"

static void
get(const char *name)
{
  TSMgmtInt number      = -5;
  TSMgmtCounter counter = -5;
  TSMgmtFloat fraction  = -5;
  TSMgmtString text     = "untouched";
  TSRecordDataType type = TS_RECORDDATATYPE_MAX;
  TSMgmtSource source   = (TSMgmtSource)77;

  say_text("get", name);
  say_number("  int returned", TSMgmtIntGet(name, &number));
  say_number("  int", number);
  say_number("  counter returned", TSMgmtCounterGet(name, &counter));
  say_number("  counter", counter);
  say_number("  float returned", TSMgmtFloatGet(name, &fraction));
  say_number("  float in thousandths", (long long)(fraction * 1000.0f + (fraction < 0 ? -0.5f : 0.5f)));
  say_number("  string returned", TSMgmtStringGet(name, &text));
  say_text("  string", text);
  say_number("  type returned", TSMgmtDataTypeGet(name, &type));
  say_number("  type", type);
  say_number("  source returned", TSMgmtSourceGet(name, &source));
  say_number("  source", source);
}

void
run_records(void)
{
  fprintf(report, "records\n");
  get("proxy.config.http.cache.http");
  get("proxy.config.http.insert_age_in_response");
  get("proxy.config.http.cache.heuristic_lm_factor");
  get("proxy.config.http.response_server_str");
  get("proxy.config.http.global_user_agent_header");
  get("proxy.config.url_remap.filename");
  get("proxy.config.none");
  get("");
  get("proxy.config.HTTP.cache.http");

}

static void
create_int(TSRecordType type, const char *name, TSMgmtInt value, TSRecordCheckType check, const char *pattern)
{
  say_text("create int", name);
  say_number("  returned", TSMgmtIntCreate(type, name, value, TS_RECORDUPDATE_DYNAMIC, check, pattern, TS_RECORDACCESS_NULL));
  get(name);
}

static void
create_string(TSRecordType type, const char *name, const char *value, TSRecordCheckType check, const char *pattern)
{
  say_text("create string", name);
  say_number("  returned", TSMgmtStringCreate(type, name, (TSMgmtString)value, TS_RECORDUPDATE_DYNAMIC, check, pattern,
                                              TS_RECORDACCESS_NULL));
  get(name);
}

void
run_created_records(void)
{
  fprintf(report, "created records\n");
  get("proxy.config.plugin.services.given");
  create_int(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.services.given", 1, TS_RECORDCHECK_NULL, NULL);
  create_string(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.services.giventext", "default", TS_RECORDCHECK_NULL, NULL);
  create_int(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.services.number", 12, TS_RECORDCHECK_NULL, NULL);
  create_int(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.services.number", 13, TS_RECORDCHECK_NULL, NULL);
  create_int(TS_RECORDTYPE_LOCAL, "proxy.config.plugin.services.local", -3, TS_RECORDCHECK_NULL, NULL);
  create_int(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.services.checked", 99, TS_RECORDCHECK_INT, "[0-9]");
  create_int(TS_RECORDTYPE_CONFIG, "proxy.config.http.cache.http", 0, TS_RECORDCHECK_NULL, NULL);
  create_int(TS_RECORDTYPE_CONFIG, "not.a.config.name", 4, TS_RECORDCHECK_NULL, NULL);
  create_string(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.services.text", "some text", TS_RECORDCHECK_NULL, NULL);
  create_string(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.services.text", "other text", TS_RECORDCHECK_NULL, NULL);
  create_string(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.services.null", NULL, TS_RECORDCHECK_NULL, NULL);
  create_string(TS_RECORDTYPE_LOCAL, "proxy.config.plugin.services.localtext", "", TS_RECORDCHECK_NULL, NULL);
  create_string(TS_RECORDTYPE_CONFIG, "proxy.config.plugin.services.strcheck", "no", TS_RECORDCHECK_STR, "^yes$");
}
