/* User arguments: indices, names, limits, the values of the process. */
#include "services.h"

static void
reserve(TSUserArgType type, const char *name, const char *description)
{
  char label[128];
  int index    = -5;
  int returned = TSUserArgIndexReserve(type, name, description, &index);

  snprintf(label, sizeof label, "reserve %d %s", type, name);
  say_number(label, returned);
  say_number("  index", index);
}

static void
look_up(TSUserArgType type, int index)
{
  const char *name = "untouched", *description = "untouched";

  say_number("lookup", index);
  say_number("  returned", TSUserArgIndexLookup(type, index, &name, &description));
  say_text("  name", name);
  say_text("  description", description);
}

static void
look_up_name(TSUserArgType type, const char *wanted)
{
  const char *description = "untouched";
  int index               = -5;

  say_text("name lookup", wanted);
  say_number("  returned", TSUserArgIndexNameLookup(type, wanted, &index, &description));
  say_number("  index", index);
  say_text("  description", description);
}

static void
fill(TSUserArgType type)
{
  char name[64];
  int index = -5, count = 0;

  for (; count < 300; count++) {
    snprintf(name, sizeof name, "fill-%d", count);
    if (TSUserArgIndexReserve(type, name, "filled", &index) != TS_SUCCESS) {
      break;
    }
  }
  say_number("filled", count);
  say_number("  last index", index);
  reserve(type, "one too many", "none");
  look_up_name(type, "one too many");
  reserve(type, "fill-0", "other text");
}

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static void
old_names(void)
{
  const char *name = "untouched", *description = "untouched";
  int index = -5;

  say_number("old txn reserve", TSHttpTxnArgIndexReserve("first", "other", &index));
  say_number("  index", index);
  say_number("old ssn reserve", TSHttpSsnArgIndexReserve("old ssn", NULL, &index));
  say_number("  index", index);
  say_number("old vconn reserve", TSVConnArgIndexReserve("old vconn", "text", &index));
  say_number("  index", index);
  say_number("old txn lookup", TSHttpTxnArgIndexLookup(1000, &name, &description));
  say_text("  name", name);
  say_text("  description", description);
  say_number("old ssn name lookup", TSHttpSsnArgIndexNameLookup("old ssn", &index, &description));
  say_number("  index", index);
  say_text("  description", description);
  say_number("old ssn lookup", TSHttpSsnArgIndexLookup(index, &name, NULL));
  say_text("  name", name);
  say_number("old vconn name lookup", TSVConnArgIndexNameLookup("none", &index, NULL));
  say_number("old vconn lookup", TSVConnArgIndexLookup(3000, &name, &description));
  say_text("  name", name);
  say_number("old txn name lookup", TSHttpTxnArgIndexNameLookup("first", &index, NULL));
  say_number("  index", index);
}

void
run_user_args(void)
{
  int index = 0;

  fprintf(report, "user args\n");
  reserve(TS_USER_ARGS_TXN, "first", "the first one");
  reserve(TS_USER_ARGS_TXN, "second", NULL);
  reserve(TS_USER_ARGS_TXN, "first", "again");
  reserve(TS_USER_ARGS_SSN, "first", "of sessions");
  reserve(TS_USER_ARGS_VCONN, "first", "of connections");
  reserve(TS_USER_ARGS_GLB, "first", "of the process");
  reserve(TS_USER_ARGS_TXN, "FIRST", "other case");
  reserve(TS_USER_ARGS_TXN, "", "no name");
  look_up(TS_USER_ARGS_TXN, 1000);
  look_up(TS_USER_ARGS_TXN, 1001);
  look_up(TS_USER_ARGS_TXN, 1009);
  look_up(TS_USER_ARGS_SSN, 2000);
  look_up(TS_USER_ARGS_GLB, 4000);
  look_up_name(TS_USER_ARGS_TXN, "second");
  look_up_name(TS_USER_ARGS_TXN, "none");
  look_up_name(TS_USER_ARGS_VCONN, "first");
  look_up_name(TS_USER_ARGS_TXN, "fir");
  old_names();
  TSUserArgIndexReserve(TS_USER_ARGS_GLB, "first", NULL, &index);
  say_text("unset", TSUserArgGet(NULL, index));
  TSUserArgSet(NULL, index, "a value");
  say_text("set", TSUserArgGet(NULL, index));
  TSUserArgSet(NULL, index, NULL);
  say_text("cleared", TSUserArgGet(NULL, index));
  fill(TS_USER_ARGS_TXN);
  fill(TS_USER_ARGS_SSN);
  fill(TS_USER_ARGS_VCONN);
  fill(TS_USER_ARGS_GLB);
}
