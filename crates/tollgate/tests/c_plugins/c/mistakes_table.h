/* Which path makes which mistake, and the plugin's entry points; part of mistakes.c. */

static const Mistake mistakes[] = {
  {"keep", TS_EVENT_HTTP_TXN_CLOSE, keep},
  {"after-end", TS_EVENT_HTTP_READ_REQUEST_HDR, after_end},
  {"reenable-after-end", TS_EVENT_HTTP_READ_REQUEST_HDR, reenable_after_end},
  {"twice", TS_EVENT_HTTP_READ_REQUEST_HDR, twice},
  {"odd-event", TS_EVENT_HTTP_READ_REQUEST_HDR, odd_event},
  {"never", TS_EVENT_HTTP_READ_REQUEST_HDR, never},
  {"in-anothers-turn", TS_EVENT_HTTP_READ_REQUEST_HDR, in_anothers_turn},
  {"session-twice", TS_EVENT_HTTP_READ_REQUEST_HDR, session_twice},
  {"global-transform", TS_EVENT_HTTP_READ_REQUEST_HDR, global_transform},
  {"session-hook-of-txn", TS_EVENT_HTTP_READ_REQUEST_HDR, session_hook_of_txn},
  {"start-hook-of-session", TS_EVENT_HTTP_READ_REQUEST_HDR, start_hook_of_session},
  {"redo-elsewhere", TS_EVENT_HTTP_READ_REQUEST_HDR, redo_elsewhere},
  {"after-client", TS_EVENT_HTTP_TXN_CLOSE, after_client},
  {"double-release", TS_EVENT_HTTP_READ_REQUEST_HDR, double_release},
  {"wrong-parent", TS_EVENT_HTTP_READ_REQUEST_HDR, wrong_parent},
  {"wrong-kind", TS_EVENT_HTTP_READ_REQUEST_HDR, wrong_kind},
  {"kept-string", TS_EVENT_HTTP_READ_REQUEST_HDR, kept_string},
  {"no-nul", TS_EVENT_HTTP_READ_REQUEST_HDR, no_nul},
  {"read-only", TS_EVENT_HTTP_CACHE_LOOKUP_COMPLETE, read_only},
  {"destroy-foreign", TS_EVENT_HTTP_READ_REQUEST_HDR, destroy_foreign},
  {"url-after-buffer", TS_EVENT_HTTP_READ_REQUEST_HDR, url_after_buffer},
  {"literal-type", TS_EVENT_HTTP_READ_REQUEST_HDR, literal_type},
  {"url-on-stack", TS_EVENT_HTTP_READ_REQUEST_HDR, url_on_stack},
  {"literal-body", TS_EVENT_HTTP_READ_REQUEST_HDR, literal_body},
  {"temporary-config", TS_EVENT_HTTP_READ_REQUEST_HDR, temporary_config},
  {"destroy-twice", TS_EVENT_HTTP_READ_REQUEST_HDR, destroy_twice},
  {"consume-too-much", TS_EVENT_HTTP_READ_REQUEST_HDR, consume_too_much},
  {"six-readers", TS_EVENT_HTTP_READ_REQUEST_HDR, six_readers},
  {"read-after-end", TS_EVENT_HTTP_READ_REQUEST_HDR, read_after_end},
  {"call-destroyed", TS_EVENT_HTTP_READ_REQUEST_HDR, call_destroyed},
  {"destroy-with-timer", TS_EVENT_HTTP_READ_REQUEST_HDR, destroy_with_timer},
  {"arm", TS_EVENT_HTTP_READ_REQUEST_HDR, arm},
  {"cancel-fired", TS_EVENT_HTTP_READ_REQUEST_HDR, cancel_fired},
  {"cancel-own", TS_EVENT_HTTP_READ_REQUEST_HDR, cancel_own},
  {"without-mutex", TS_EVENT_HTTP_READ_REQUEST_HDR, without_mutex},
  {"call-held", TS_EVENT_HTTP_READ_REQUEST_HDR, call_held},
  {"mutex-in-use", TS_EVENT_HTTP_READ_REQUEST_HDR, mutex_in_use},
  {"lock-in-order", TS_EVENT_HTTP_READ_REQUEST_HDR, lock_in_order},
  {"lock-against-order", TS_EVENT_HTTP_READ_REQUEST_HDR, lock_against_order},
  {"strange-thread", TS_EVENT_HTTP_READ_REQUEST_HDR, on_strange_thread},
  {"block", TS_EVENT_HTTP_READ_REQUEST_HDR, block},
  {"other-index", TS_EVENT_HTTP_READ_REQUEST_HDR, other_index},
  {"set-other-index", TS_EVENT_HTTP_READ_REQUEST_HDR, set_other_index},
  {"leak", TS_EVENT_HTTP_READ_REQUEST_HDR, leak},
  {"reenter", TS_EVENT_HTTP_READ_REQUEST_HDR, reenter},
  {"confuse", TS_EVENT_HTTP_READ_REQUEST_HDR, confuse},
};

/* A second copy of the plugin, told to `wait`, only does this. */
static const Mistake waiting[] = {{"in-anothers-turn", TS_EVENT_HTTP_READ_REQUEST_HDR, wait_in_turn}};

static const Mistake *table = mistakes;
static size_t table_size    = sizeof mistakes / sizeof mistakes[0];

static int path_is(TSHttpTxn txn, const char *wanted)
{
  TSMLoc header, url;
  TSMBuffer buffer = request_of(txn, &header);
  int length       = 0;
  const char *path = NULL;

  if (buffer == NULL || TSHttpHdrUrlGet(buffer, header, &url) != TS_SUCCESS) {
    return 0;
  }
  path = TSUrlPathGet(buffer, url, &length);
  return (size_t)length == strlen(wanted) && memcmp(path, wanted, length) == 0;
}

static int at_hook(TSCont cont, TSEvent event, void *edata)
{
  TSHttpTxn txn = (TSHttpTxn)edata;
  size_t i      = 0;
  int who       = CALLER;

  (void)cont;
  for (i = 0; i < table_size; i++) {
    if (event == table[i].at && path_is(txn, table[i].name)) {
      who = table[i].make(txn);
      break;
    }
  }
  if (who == CALLER) {
    TSHttpTxnReenable(txn, TS_EVENT_HTTP_CONTINUE);
  }
  return 0;
}

/* Does not go on with the first session. */
static int at_session(TSCont cont, TSEvent event, void *edata)
{
  static int sessions;

  (void)cont;
  (void)event;
  if (sessions++ > 0) {
    TSHttpSsnReenable((TSHttpSsn)edata, TS_EVENT_HTTP_CONTINUE);
  }
  return 0;
}

static int at_message(TSCont cont, TSEvent event, void *edata)
{
  (void)cont;
  (void)event;
  (void)edata;
  TSHttpTxnReenable(kept_txn, TS_EVENT_HTTP_CONTINUE);
  return 0;
}

void TSPluginInit(int argc, const char *argv[])
{
  TSPluginRegistrationInfo info = {"mistakes", "Tollgate", "nobody@example.com"};
  TSCont cont;

  if (argc < 2 || (file = fopen(argv[1], "a")) == NULL) {
    TSError("[mistakes] a file is needed");
    return;
  }
  if (argc > 2 && strcmp(argv[2], "wait") == 0) {
    table      = waiting;
    table_size = 1;
  }
  if (argc > 2 && strcmp(argv[2], "session") == 0) {
    TSHttpHookAdd(TS_HTTP_SSN_START_HOOK, TSContCreate(at_session, NULL));
  }
  TSPluginRegister(&info);
  cont = TSContCreate(at_hook, NULL);
  TSHttpHookAdd(TS_HTTP_READ_REQUEST_HDR_HOOK, cont);
  TSHttpHookAdd(TS_HTTP_CACHE_LOOKUP_COMPLETE_HOOK, cont);
  TSHttpHookAdd(TS_HTTP_TXN_CLOSE_HOOK, cont);
  TSLifecycleHookAdd(TS_LIFECYCLE_MSG_HOOK, TSContCreate(at_message, NULL));
  TSUserArgIndexReserve(TS_USER_ARGS_TXN, "mistakes", "of transactions", &txn_index);
  TSUserArgIndexReserve(TS_USER_ARGS_SSN, "mistakes", "of sessions", &ssn_index);
  TSUserArgIndexReserve(TS_USER_ARGS_GLB, "mistakes", "of the process", &fired_index);
  first_mutex  = TSMutexCreate();
  second_mutex = TSMutexCreate();
}

/* As a plugin of a rule: it keeps its arguments, of which the last says what it does. */
static int kept_argc;
static char **kept_argv;

TSReturnCode TSRemapInit(TSRemapInterface *api, char *error, int size)
{
  (void)api;
  (void)error;
  (void)size;
  return TS_SUCCESS;
}

TSReturnCode TSRemapNewInstance(int argc, char *argv[], void **instance, char *error, int size)
{
  (void)error;
  (void)size;
  kept_argc = argc;
  kept_argv = argv;
  *instance = argv[argc - 1];
  if (file == NULL) {
    file = fopen(argv[2], "a");
  }
  if (strcmp(argv[argc - 1], "leave-behind") == 0) {
    TSContCreate(nothing, TSMutexCreate());
  }
  return TS_SUCCESS;
}

void TSRemapDeleteInstance(void *instance)
{
  (void)instance;
}

TSRemapStatus TSRemapDoRemap(void *instance, TSHttpTxn txn, TSRemapRequestInfo *info)
{
  const char *what = (const char *)instance;

  (void)info;
  if (strcmp(what, "arguments") == 0) {
    report("arguments %d %s", kept_argc, kept_argv[kept_argc - 1]);
  } else if (strcmp(what, "garbage") == 0) {
    return (TSRemapStatus)17;
  } else if (strcmp(what, "negative") == 0) {
    return (TSRemapStatus)-7;
  } else if (strcmp(what, "reenable") == 0) {
    TSHttpTxnReenable(txn, TS_EVENT_HTTP_CONTINUE);
  }
  return TSREMAP_NO_REMAP;
}
