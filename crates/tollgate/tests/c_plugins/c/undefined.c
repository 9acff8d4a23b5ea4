/* A plugin that needs a symbol which nobody has. */
#include <ts/ts.h>

extern void nobody_has_this(void);

void TSPluginInit(int argc, const char *argv[])
{
  (void)argc;
  (void)argv;
  nobody_has_this();
}
