/* Text logs: modes, names, lines, and the files' content. */
#include "services.h"
#include <dirent.h>
#include <unistd.h>

static TSTextLogObject plain, stamped, named, headed, removed, second;

static TSTextLogObject
create(const char *name, int mode)
{
  TSTextLogObject log = NULL;
  int returned        = TSTextLogObjectCreate(name, mode, &log);

  say_text("create log", name);
  say_number("  mode", mode);
  say_number("  returned", returned);
  say_number("  object", log != NULL);
  return log;
}

static void
say_largest(const char *label, TSTextLogObject log)
{
  static char text[40000];
  int largest = 0;

  for (int size = 9000; size < 39000; size = size < 9400 ? size + 1 : size + 9000) {
    memset(text, 'l', sizeof text);
    text[size] = 0;
    if (TSTextLogObjectWrite(log, "%s", text) == TS_SUCCESS) {
      largest = size;
      TSTextLogObjectFlush(log);
    }
  }
  say_number(label, largest);
}

void
run_text_logs(void)
{
  fprintf(report, "text logs\n");
  plain   = create("services-plain", 0);
  stamped = create("services-stamped", TS_LOG_MODE_ADD_TIMESTAMP);
  named   = create("services.dotted.name", 0);
  headed  = create("services-headed", 0);
  removed = create("services-removed", TS_LOG_MODE_DO_NOT_RENAME);
  create("services-bad", -1);
  create("services-bad", TS_LOG_MODE_INVALID_FLAG);
  create("services-bad", 8);
  create("services-plain", TS_LOG_MODE_DO_NOT_RENAME);
  second = create("services-plain", 0);
  TSTextLogObjectHeaderSet(headed, "the header");
  say_number("write", TSTextLogObjectWrite(plain, "first %s %d", "line", 1));
  say_number("write", TSTextLogObjectWrite(plain, "ends itself\n"));
  say_number("write", TSTextLogObjectWrite(plain, "%s", ""));
  say_number("write", TSTextLogObjectWrite(plain, "two\nlines"));
  say_number("write", TSTextLogObjectWrite(stamped, "stamped"));
  say_number("write", TSTextLogObjectWrite(named, "named"));
  say_number("write", TSTextLogObjectWrite(headed, "below the header"));
  say_number("write", TSTextLogObjectWrite(removed, "written before the end"));
  say_number("write", TSTextLogObjectWrite(second, "to the second"));
  say_largest("largest", headed);
  say_largest("largest with time", stamped);
  say_number("rolling", TSTextLogObjectRollingEnabledSet(plain, 0));
  say_number("rolling", TSTextLogObjectRollingEnabledSet(plain, 1));
  say_number("rolling", TSTextLogObjectRollingEnabledSet(plain, 4));
  say_number("rolling", TSTextLogObjectRollingEnabledSet(plain, 5));
  say_number("rolling", TSTextLogObjectRollingEnabledSet(plain, -1));
  say_number("rolling", TSTextLogObjectRollingEnabledSet(plain, 0));
  TSTextLogObjectRollingIntervalSecSet(plain, 3600);
  TSTextLogObjectRollingOffsetHrSet(plain, 3);
  TSTextLogObjectRollingSizeMbSet(plain, 20);
  TSTextLogObjectFlush(plain);
  TSTextLogObjectFlush(stamped);
  TSTextLogObjectFlush(named);
  TSTextLogObjectFlush(headed);
  TSTextLogObjectFlush(removed);
  TSTextLogObjectFlush(second);
}

static void
log_path(char *path, size_t size, const char *name)
{
  snprintf(path, size, "%s/%s", log_folder, name);
}

/* Writes a log's lines to the report once there are that many; digits of time stamps are masked. */
static void
show(const char *name, int lines, int masked)
{
  static char text[400000];
  char path[4096];
  size_t length = 0;
  char *line, *end;

  log_path(path, sizeof path, name);
  for (int i = 0; i < 1500; i++) {
    FILE *file = fopen(path, "r");
    int seen   = 0;

    if (file != NULL) {
      length = fread(text, 1, sizeof text - 1, file);
      fclose(file);
    }
    for (size_t at = 0; at < length; at++) {
      seen += text[at] == '\n';
    }
    if (seen >= lines) {
      break;
    }
    usleep(10000);
  }
  text[length] = 0;
  say_text("log", name);
  for (line = text; *line != 0; line = end) {
    end = strchr(line, '\n');
    end = end == NULL ? line + strlen(line) : end + 1;
    for (char *at = line; masked && at < end; at++) {
      *at = *at >= '0' && *at <= '9' ? '9' : *at;
    }
    if (end - line < 200) {
      say("  line", line, (int)(end - line));
    }
  }
}

static int
by_name(const void *a, const void *b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
list(void)
{
  char path[4096], *names[64];
  int count = 0;
  DIR *folder;
  struct dirent *entry;

  log_path(path, sizeof path, "");
  folder = opendir(path);
  while (folder != NULL && (entry = readdir(folder)) != NULL && count < 64) {
    if (strncmp(entry->d_name, "services", 8) == 0) {
      names[count++] = strdup(entry->d_name);
    }
  }
  qsort(names, (size_t)count, sizeof names[0], by_name);
  for (int i = 0; i < count; i++) {
    say_text("log file", names[i]);
  }
}

void
wait_for_text_logs(void)
{
  fprintf(report, "text log files\n");
  show("services-plain.log", 5, 0);
  show("services-plain.log_1", 1, 0);
  show("services-stamped.log", 1, 1);
  show("services.dotted.name", 1, 0);
  show("services-headed.log", 3, 0);
  show("services-removed.log", 1, 1);
  say_number("destroy", TSTextLogObjectDestroy(removed));
  list();
}
