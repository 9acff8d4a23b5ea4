/* A plugin that does not register itself. */
#include <ts/ts.h>

void TSPluginInit(int argc, const char *argv[])
{
  (void)argc;
  (void)argv;
}
