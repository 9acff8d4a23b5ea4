#include "services.h"
#include <pthread.h>

const char *scratch;
const char *log_folder;

void
say_text(const char *label, const char *text)
{
  say(label, text, text == NULL ? 0 : (int)strlen(text));
}

static void *
later(void *nothing)
{
  (void)nothing;
  TSThreadInit();
  wait_for_stats();
  wait_for_text_logs();
  fprintf(report, "end\n");
  fclose(report);
  return NULL;
}

/* The arguments are the report's path, beside which files of its own are written, and the directory of logs. */
void
TSPluginInit(int argc, const char *argv[])
{
  static char directory[4096];
  TSPluginRegistrationInfo info = {"services", "none", "none"};
  pthread_t thread;

  TSPluginRegister(&info);
  if (argc < 3 || (report = fopen(argv[1], "w")) == NULL) {
    return;
  }
  setvbuf(report, NULL, _IOLBF, 0);
  snprintf(directory, sizeof directory, "%s.d", argv[1]);
  scratch    = directory;
  log_folder = strdup(argv[2]);
  run_user_args();
  run_stats();
  run_records();
  run_created_records();
  run_config_find();
  run_configs();
  run_files();
  run_text_logs();
  run_misc();
  run_matcher();
  fflush(report);
  pthread_create(&thread, NULL, later, NULL);
  pthread_detach(thread);
}
