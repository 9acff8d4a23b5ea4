/* Not part of the program that Traffic Server loads: the function with variable arguments, for the test in Rust. */
#include <stdarg.h>
#include "services.h"

int services_write(TSTextLogObject log, const char *text, size_t length);

TSReturnCode
TSTextLogObjectWrite(TSTextLogObject log, const char *format, ...)
{
  static char text[40000];
  va_list arguments;
  int length;

  va_start(arguments, format);
  length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  return services_write(log, text, (size_t)length) ? TS_SUCCESS : TS_ERROR;
}
