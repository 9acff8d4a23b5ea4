#include "messages.h"
#include <stdlib.h>

static void
say_buffer(const char *label, TSIOBuffer buffer, TSIOBufferReader reader)
{
  char text[8192];
  int length          = 0;
  TSIOBufferBlock blk = TSIOBufferReaderStart(reader);
  while (blk != NULL) {
    int64_t avail    = 0;
    const char *from = TSIOBufferBlockReadStart(blk, reader, &avail);
    for (int64_t i = 0; i < avail && length < (int)sizeof(text); i++) {
      text[length++] = from[i];
    }
    blk = TSIOBufferBlockNext(blk);
  }
  say(label, text, length);
  TSIOBufferReaderFree(reader);
  TSIOBufferDestroy(buffer);
}

void
say_header(const char *label, TSMBuffer buffer, TSMLoc header)
{
  TSIOBuffer out          = TSIOBufferCreate();
  TSIOBufferReader reader = TSIOBufferReaderAlloc(out);
  TSHttpHdrPrint(buffer, header, out);
  say_buffer(label, out, reader);
  say_number("  length", TSHttpHdrLengthGet(buffer, header));
}

void
say_fields(const char *label, TSMBuffer buffer, TSMLoc header)
{
  TSIOBuffer out          = TSIOBufferCreate();
  TSIOBufferReader reader = TSIOBufferReaderAlloc(out);
  TSMimeHdrPrint(buffer, header, out);
  say_buffer(label, out, reader);
  say_number("  count", TSMimeHdrFieldsCount(buffer, header));
  say_number("  length", TSMimeHdrLengthGet(buffer, header));
}

void
say_url(const char *label, TSMBuffer buffer, TSMLoc url)
{
  typedef const char *(*part)(TSMBuffer, TSMLoc, int *);
  static const struct {
    const char *name;
    part get;
  } parts[] = {
    {"  scheme", TSUrlSchemeGet}, {"  raw-scheme", TSUrlRawSchemeGet}, {"  user", TSUrlUserGet},
    {"  password", TSUrlPasswordGet}, {"  host", TSUrlHostGet}, {"  path", TSUrlPathGet},
    {"  params", TSUrlHttpParamsGet}, {"  query", TSUrlHttpQueryGet}, {"  fragment", TSUrlHttpFragmentGet},
  };
  int length = 0;
  char *text = TSUrlStringGet(buffer, url, &length);
  say(label, text, length);
  TSfree(text);
  say_number("  length", TSUrlLengthGet(buffer, url));
  for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
    length = -7;
    const char *value = parts[i].get(buffer, url, &length);
    if (value != NULL) {
      say(parts[i].name, value, length);
    } else if (length != 0) {
      say_number(parts[i].name, length);
    }
  }
  say_number("  port", TSUrlPortGet(buffer, url));
  say_number("  raw-port", TSUrlRawPortGet(buffer, url));
}

TSMLoc
make_field(TSMBuffer buffer, TSMLoc header, const char *name, const char *value)
{
  TSMLoc field = TS_NULL_MLOC;
  TSMimeHdrFieldCreateNamed(buffer, header, name, -1, &field);
  if (value != NULL) {
    TSMimeHdrFieldValueStringSet(buffer, header, field, -1, value, -1);
  }
  TSMimeHdrFieldAppend(buffer, header, field);
  return field;
}

void
TSPluginInit(int argc, const char *argv[])
{
  TSPluginRegistrationInfo info = {"messages", "Tollgate", "none"};
  TSPluginRegister(&info);
  if (argc < 2 || (report = fopen(argv[1], "w")) == NULL) {
    return;
  }
  setvbuf(report, NULL, _IOLBF, 8192);
  run_constants();
  run_encodings();
  run_urls();
  run_values();
  run_fields();
  run_starts();
  run_parsers();
  run_uuids();
  fprintf(report, "end\n");
  fclose(report);
}
