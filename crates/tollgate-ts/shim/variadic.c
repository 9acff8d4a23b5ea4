/* The functions with variable arguments, which only C can define, and what else needs C: getopt's variables.
 * Each formats its text and hands it to Rust. */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum level { STATUS = 0, NOTE = 1, WARNING = 2, ERROR = 3, FATAL = 4, ALERT = 5, EMERGENCY = 6, DEBUG = 7 };

extern void tollgate_ts_log(int level, const char *tag, const char *text, size_t length);
extern int tollgate_ts_wants_debug(const char *tag);
extern int tollgate_ts_text_log(void *log, const char *text, size_t length);

/* Formats into `small`, or into memory that the caller frees if that is too small. */
static char *format_text(char *small, size_t size, size_t *length, const char *format, va_list args)
{
  va_list again;
  char *text = small;
  int needed;

  va_copy(again, args);
  needed = vsnprintf(small, size, format, args);
  if (needed < 0) {
    needed = 0;
  } else if ((size_t)needed >= size) {
    text = malloc((size_t)needed + 1);
    if (text == NULL) {
      text   = small;
      needed = (int)size - 1;
    } else {
      vsnprintf(text, (size_t)needed + 1, format, again);
    }
  }
  va_end(again);
  *length = (size_t)needed;
  return text;
}

static void log_text(enum level level, const char *tag, const char *format, va_list args)
{
  char small[1024];
  size_t length;
  char *text = format_text(small, sizeof small, &length, format, args);

  tollgate_ts_log((int)level, tag, text, length);
  if (text != small) {
    free(text);
  }
}

#define LOG_FUNCTION(name, level)      \
  void name(const char *format, ...)   \
  {                                    \
    va_list args;                      \
    va_start(args, format);            \
    log_text(level, "", format, args); \
    va_end(args);                      \
  }

LOG_FUNCTION(TSStatus, STATUS)
LOG_FUNCTION(TSNote, NOTE)
LOG_FUNCTION(TSWarning, WARNING)
LOG_FUNCTION(TSError, ERROR)
LOG_FUNCTION(TSFatal, FATAL)
LOG_FUNCTION(TSAlert, ALERT)
LOG_FUNCTION(TSEmergency, EMERGENCY)

void TSDebug(const char *tag, const char *format, ...)
{
  va_list args;

  if (!tollgate_ts_wants_debug(tag)) {
    return;
  }
  va_start(args, format);
  log_text(DEBUG, tag, format, args);
  va_end(args);
}

void TSDebugSpecific(int debug, const char *tag, const char *format, ...)
{
  va_list args;

  if (!debug && !tollgate_ts_wants_debug(tag)) {
    return;
  }
  va_start(args, format);
  log_text(DEBUG, tag, format, args);
  va_end(args);
}

int TSTextLogObjectWrite(void *log, const char *format, ...)
{
  char small[1024];
  size_t length;
  va_list args;
  char *text;
  int result;

  va_start(args, format);
  text = format_text(small, sizeof small, &length, format, args);
  va_end(args);
  result = tollgate_ts_text_log(log, text, length);
  if (text != small) {
    free(text);
  }
  return result;
}

void tollgate_ts_reset_getopt(void)
{
  optind = 0;
  opterr = 0;
  optarg = NULL;
}
