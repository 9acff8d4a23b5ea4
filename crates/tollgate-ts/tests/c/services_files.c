/* Files. */
#include "services.h"
#include <sys/stat.h>

static const char *
path(const char *name)
{
  static char text[4200];

  snprintf(text, sizeof text, "%s/%s", scratch, name);
  return text;
}

static void
open_as(const char *name, const char *mode)
{
  TSFile file = TSfopen(path(name), mode);

  say_text("open", name);
  say_text("  mode", mode);
  say_number("  opened", file != NULL);
  if (file != NULL) {
    TSfclose(file);
  }
}

static void
put(const char *mode, const char *text)
{
  TSFile file = TSfopen(path("file"), mode);
  char small[8];

  if (file == NULL) {
    say_text("cannot write", mode);
    return;
  }
  say_number("written", TSfwrite(file, text, strlen(text)));
  say_number("read from it", TSfread(file, small, 4));
  TSfflush(file);
  say_number("nothing written", TSfwrite(file, text, 0));
  TSfclose(file);
}

static void
show(void)
{
  TSFile file = TSfopen(path("file"), "r");
  char text[64];
  ssize_t got;

  if (file == NULL) {
    say_text("cannot read", "file");
    return;
  }
  while ((got = TSfread(file, text, 7)) > 0) {
    say("read", text, (int)got);
  }
  say_number("at end", got);
  say_number("written to it", TSfwrite(file, text, 3));
  TSfclose(file);
}

static void
lines(size_t room)
{
  TSFile file = TSfopen(path("file"), "r");
  char text[64];
  int count = 0;

  say_number("lines", (long long)room);
  while (count++ < 30 && TSfgets(file, text, room) != NULL) {
    say_text("  line", text);
  }
  say_number("  again", TSfgets(file, text, room) == NULL);
  TSfclose(file);
}

void
run_files(void)
{
  char many[3001];
  TSFile file;
  ssize_t total = 0, got;

  fprintf(report, "files\n");
  mkdir(scratch, 0755);
  open_as("none", "r");
  open_as("new", "w");
  open_as("new", "r");
  open_as("new", "a");
  open_as("new", "rw");
  open_as("new", "rb");
  open_as("new", "w+");
  open_as("new", "");
  open_as("new", "x");
  open_as("no/such/folder", "w");
  put("w", "first line\nsecond\n\nlast without end");
  show();
  put("a", " and more\n");
  show();
  put("w", "FIRST");
  show();
  lines(64);
  lines(5);
  lines(2);
  lines(1);
  lines(0);
  memset(many, 'm', sizeof many);
  file = TSfopen(path("many"), "w");
  say_number("many written", TSfwrite(file, many, sizeof many));
  TSfclose(file);
  file = TSfopen(path("many"), "r");
  while ((got = TSfread(file, many, 500)) > 0) {
    total += got;
  }
  say_number("many read", total);
  TSfclose(file);
  file = TSfopen(path("many"), "r");
  say_number("read at once", TSfread(file, many, sizeof many));
  TSfclose(file);
}
