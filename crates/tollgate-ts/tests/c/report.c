#include "report.h"

FILE *report;

void
say(const char *label, const char *text, int length)
{
  fprintf(report, "%s ", label);
  if (text == NULL) {
    fprintf(report, "null\n");
    return;
  }
  fputc('"', report);
  for (int i = 0; i < length; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < 32 || c > 126 || c == '"' || c == '\\') {
      fprintf(report, "\\%02x", c);
    } else {
      fputc(c, report);
    }
  }
  fprintf(report, "\"\n");
}

void
say_number(const char *label, long long number)
{
  fprintf(report, "%s %lld\n", label, number);
}
