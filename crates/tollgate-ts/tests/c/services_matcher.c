/* Lines of rules in configuration files. */
#include "services.h"
#include <sys/stat.h>

static void
line(const char *text)
{
  char *copy         = strdup(text);
  TSMatcherLine rule = TSMatcherLineCreate();
  const char *error  = TSMatcherParseSrcIPConfigLine(copy, rule);

  say_text("rule", text);
  say_text("  error", error);
  for (int i = 0; i < 4; i++) {
    say_text("  name", TSMatcherLineName(rule, i));
    say_text("  value", TSMatcherLineValue(rule, i));
  }
  TSMatcherLineDestroy(rule);
  free(copy);
}

static void
range(const char *text)
{
  char *copy     = strdup(text);
  uint32_t first = 5, last = 5;
  const char *error = TSMatcherExtractIPRange(copy, &first, &last);

  say_text("range", text);
  say_text("  error", error);
  fprintf(report, "  %x %x\n", first, last);
  free(copy);
}

/* The buffer must be given at every call: where the next line begins is told by `last`. */
static void
tokens(const char *text)
{
  char *copy = strdup(text), *last = NULL, *token, *from = copy;

  say_text("tokens", text);
  for (int count = 0; count < 5 && (token = TSMatcherTokLine(from, &last)) != NULL; count++) {
    say_text("  token", token);
    say_number("  begins at", token - copy);
    say_number("  ends at", last - copy);
    from = last + 1;
    if (from >= copy + strlen(text)) {
      break;
    }
  }
  free(copy);
}

void
run_matcher(void)
{
  char path[4200], *text;
  int length = -5;
  FILE *file;

  fprintf(report, "matcher\n");
  line("src_ip=1.2.3.4 action=allow");
  line("src_ip=1.2.3.4-1.2.3.9 action=allow method=GET");
  line("action=allow src_ip=1.2.3.4");
  line("action=allow");
  line("src_ip=");
  line("src_ip=1.2.3.4 action=\"two words\"");
  line("src_ip=1.2.3.4 src_ip=2.3.4.5");
  line("src_ip=1.2.3.4 alone");
  line("dest_ip=1.2.3.4");
  line("");
  range("1.2.3.4");
  range("1.2.3.4-1.2.3.9");
  range("1.2.3.9-1.2.3.4");
  range("0.0.0.0-255.255.255.255");
  range("none");
  range("1.2.3.4-");
  range("1.2.3.4-none");
  tokens("one\ntwo\n\nthree");
  tokens("\n\n");
  tokens("with \\\ncontinued\nnext");
  tokens("");
  tokens("a");
  tokens("ab");
  snprintf(path, sizeof path, "%s/rules", scratch);
  file = fopen(path, "w");
  fputs("rule one\nrule two\n", file);
  fclose(file);
  text = TSMatcherReadIntoBuffer(path, &length);
  say_number("file length", length);
  say("file", text, text == NULL || length < 0 ? 0 : length);
  snprintf(path, sizeof path, "%s/nothing", scratch);
  say_number("no file", TSMatcherReadIntoBuffer(path, &length) == NULL);
}
