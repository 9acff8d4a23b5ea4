// A handler that an exception leaves.
#include <stdexcept>
#include <ts/ts.h>

static int
at_hook(TSCont, TSEvent, void *)
{
  throw std::runtime_error("nobody catches this");
}

extern "C" void
TSPluginInit(int, const char **)
{
  TSPluginRegistrationInfo info = {"throws", "Tollgate", "nobody@example.com"};

  TSPluginRegister(&info);
  TSHttpHookAdd(TS_HTTP_READ_REQUEST_HDR_HOOK, TSContCreate(at_hook, nullptr));
}
