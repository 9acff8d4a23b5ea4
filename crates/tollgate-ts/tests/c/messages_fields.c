#include "messages.h"

static void
say_all(TSMBuffer buffer, TSMLoc header)
{
  TSMLoc field = TSMimeHdrFieldGet(buffer, header, 0);
  int at       = 0;
  while (field != TS_NULL_MLOC) {
    int length       = 0;
    const char *text = TSMimeHdrFieldNameGet(buffer, header, field, &length);
    say("  name", text, length);
    text = TSMimeHdrFieldValueStringGet(buffer, header, field, -1, &length);
    say("  value", text, length);
    say_number("  length", TSMimeHdrFieldLengthGet(buffer, header, field));
    TSMLoc same = TSMimeHdrFieldGet(buffer, header, at++);
    say_number("  same", TSMimeHdrFieldEqual(buffer, header, field, same));
    TSMLoc next = TSMimeHdrFieldNext(buffer, header, field);
    TSHandleMLocRelease(buffer, header, same);
    TSHandleMLocRelease(buffer, header, field);
    field = next;
  }
  say_number("  beyond", TSMimeHdrFieldGet(buffer, header, at) == TS_NULL_MLOC);
}

static void
say_chain(TSMBuffer buffer, TSMLoc header, const char *name)
{
  TSMLoc field = TSMimeHdrFieldFind(buffer, header, name, -1);
  say("chain", name, (int)strlen(name));
  while (field != TS_NULL_MLOC) {
    int length       = 0;
    const char *text = TSMimeHdrFieldValueStringGet(buffer, header, field, -1, &length);
    say("  value", text, length);
    TSMLoc next = TSMimeHdrFieldNextDup(buffer, header, field);
    TSHandleMLocRelease(buffer, header, field);
    field = next;
  }
}

static void
names(TSMBuffer buffer, TSMLoc header)
{
  static const char *const known[] = {"Host", "host", "HOST", "ETag", "etag", "www-authenticate", "WWW-Authenticate", "content-md5",
                                      "te", "X-Custom", "x-custom", "gzip", "GET", "get", "Public", "public", "@Ats-Internal", "@mine",
                                      "HTTP", "Early-Data", "X-ID", "X-Forwarded-For", "Alt-Svc", "sec-websocket-key", "100-Continue",
                                      "bytes", "Close", "WebSocket", "h2c", "upgrade", "Accept-Charset", "Br", "Forwarded", "Expect"};
  for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    TSMLoc field = make_field(buffer, header, known[i], "v");
    int length   = 0;
    say("named", known[i], (int)strlen(known[i]));
    const char *text = TSMimeHdrFieldNameGet(buffer, header, field, &length);
    say("  is", text, length);
    say_fields("  printed", buffer, header);
    TSMimeHdrFieldDestroy(buffer, header, field);
    TSHandleMLocRelease(buffer, header, field);
  }
  int length   = 0;
  TSMLoc field = make_field(buffer, header, "cONTENT-tYPE", "text/plain");
  say_number("identity", TSMimeHdrFieldNameGet(buffer, header, field, &length) == TS_MIME_FIELD_CONTENT_TYPE);
  TSMLoc found = TSMimeHdrFieldFind(buffer, header, TS_MIME_FIELD_CONTENT_TYPE, TS_MIME_LEN_CONTENT_TYPE);
  say_number("found", found != TS_NULL_MLOC);
  say_number("equal", TSMimeHdrFieldEqual(buffer, header, field, found));
  say_number("clear", TSMimeHdrFieldsClear(buffer, header));
  say_number("count", TSMimeHdrFieldsCount(buffer, header));
}

static void
order(TSMBuffer buffer, TSMLoc header)
{
  TSMLoc a, b, c;
  TSMimeHdrFieldCreateNamed(buffer, header, "A", 1, &a);
  TSMimeHdrFieldCreateNamed(buffer, header, "B", 1, &b);
  TSMimeHdrFieldCreateNamed(buffer, header, "A", 1, &c);
  TSMimeHdrFieldValueStringSet(buffer, header, a, -1, "first", -1);
  TSMimeHdrFieldValueStringSet(buffer, header, b, -1, "second", -1);
  TSMimeHdrFieldValueStringSet(buffer, header, c, -1, "third", -1);
  say_fields("detached", buffer, header);
  say_number("append c", TSMimeHdrFieldAppend(buffer, header, c));
  say_number("append b", TSMimeHdrFieldAppend(buffer, header, b));
  say_fields("two", buffer, header);
  say_number("append a", TSMimeHdrFieldAppend(buffer, header, a));
  say_fields("three", buffer, header);
  say_all(buffer, header);
  say_chain(buffer, header, "a");
  say_number("remove a", TSMimeHdrFieldRemove(buffer, header, a));
  say_fields("without a", buffer, header);
  say_chain(buffer, header, "A");
  TSMLoc next = TSMimeHdrFieldNext(buffer, header, a);
  say_number("next of removed", TSMimeHdrFieldEqual(buffer, header, next, b));
  say_number("dup of removed", TSMimeHdrFieldNextDup(buffer, header, a) == TS_NULL_MLOC);
  TSMimeHdrFieldValueStringSet(buffer, header, a, -1, "changed while away", -1);
  say_number("remove again", TSMimeHdrFieldRemove(buffer, header, a));
  say_number("append a", TSMimeHdrFieldAppend(buffer, header, a));
  say_fields("back", buffer, header);
  say_chain(buffer, header, "A");
  say_number("rename", TSMimeHdrFieldNameSet(buffer, header, a, "B", -1));
  say_chain(buffer, header, "A");
  say_chain(buffer, header, "B");
  say_fields("renamed", buffer, header);
  say_number("destroy b", TSMimeHdrFieldDestroy(buffer, header, b));
  say_fields("destroyed", buffer, header);
  say_chain(buffer, header, "B");
  TSMimeHdrFieldsClear(buffer, header);
}

static void
duplicates(TSMBuffer buffer, TSMLoc header)
{
  make_field(buffer, header, "Set-Cookie", "a=1");
  make_field(buffer, header, "X-Other", "x");
  make_field(buffer, header, "set-cookie", "b=2");
  make_field(buffer, header, "X-Other", "y");
  make_field(buffer, header, "SET-COOKIE", "c=3");
  say_fields("dups", buffer, header);
  say_chain(buffer, header, "Set-Cookie");
  say_chain(buffer, header, "x-other");
  say_chain(buffer, header, "absent");
  TSMLoc first  = TSMimeHdrFieldFind(buffer, header, "Set-Cookie", -1);
  TSMLoc second = TSMimeHdrFieldNextDup(buffer, header, first);
  TSMimeHdrFieldDestroy(buffer, header, second);
  say_chain(buffer, header, "Set-Cookie");
  TSMimeHdrFieldDestroy(buffer, header, first);
  say_chain(buffer, header, "Set-Cookie");
  say_all(buffer, header);
  for (int i = 0; i < 40; i++) {
    char name[16];
    snprintf(name, sizeof(name), "N-%d", i % 7);
    make_field(buffer, header, name, i % 2 ? "odd" : "even");
  }
  say_fields("many", buffer, header);
  say_chain(buffer, header, "N-3");
  TSMimeHdrFieldsClear(buffer, header);
  say_fields("cleared", buffer, header);
}

static void
copies(TSMBuffer buffer, TSMLoc header)
{
  TSMBuffer second = TSMBufferCreate();
  TSMLoc other, clone, field;
  TSMimeHdrCreate(second, &other);
  TSMLoc one = make_field(buffer, header, "One", "1, 2");
  TSMLoc two = make_field(second, other, "Two", "z");
  say_number("clone", TSMimeHdrFieldClone(second, other, buffer, header, one, &clone));
  say_fields("before append", second, other);
  TSMimeHdrFieldAppend(second, other, clone);
  say_fields("after append", second, other);
  say_number("copy", TSMimeHdrFieldCopy(second, other, two, buffer, header, one));
  say_fields("copied", second, other);
  say_chain(second, other, "One");
  TSMLoc three = make_field(second, other, "Three", "t");
  say_number("values", TSMimeHdrFieldCopyValues(second, other, three, buffer, header, one));
  say_fields("values copied", second, other);
  say_number("clear", TSMimeHdrFieldValuesClear(second, other, three));
  int length       = 5;
  const char *text = TSMimeHdrFieldValueStringGet(second, other, three, -1, &length);
  say("cleared", text, length);
  say_number("count", TSMimeHdrFieldValuesCount(second, other, three));
  say_fields("printed", second, other);
  say_number("insert into nothing", TSMimeHdrFieldValueStringInsert(second, other, three, -1, "n", 1));
  say_fields("inserted", second, other);
  TSMimeHdrFieldValuesClear(second, other, three);
  TSMimeHdrFieldValueStringInsert(second, other, three, 0, "m", 1);
  say_fields("inserted at 0", second, other);
  TSMimeHdrFieldCreate(second, other, &field);
  text = TSMimeHdrFieldNameGet(second, other, field, &length);
  say_number("no name", length);
  text = TSMimeHdrFieldValueStringGet(second, other, field, -1, &length);
  say("no value", text, length);
  say_number("set name", TSMimeHdrFieldNameSet(second, other, field, "Late", -1));
  TSMimeHdrFieldAppend(second, other, field);
  say_fields("named later", second, other);
  say_number("copy header", TSMimeHdrCopy(buffer, header, second, other));
  say_fields("whole copy", buffer, header);
  say_number("release null", TSHandleMLocRelease(buffer, header, TS_NULL_MLOC));
  say_number("release", TSHandleMLocRelease(second, other, field));
  say_number("destroy header", TSMimeHdrDestroy(second, other));
  say_number("destroy", TSMBufferDestroy(second));
  say_fields("still", buffer, header);
  TSMimeHdrFieldsClear(buffer, header);
}

void
run_fields(void)
{
  TSMBuffer buffer = TSMBufferCreate();
  TSMLoc header    = TS_NULL_MLOC;
  fprintf(report, "# fields\n");
  say_number("create", TSMimeHdrCreate(buffer, &header));
  say_fields("empty", buffer, header);
  names(buffer, header);
  order(buffer, header);
  duplicates(buffer, header);
  copies(buffer, header);
  say_number("destroy", TSMBufferDestroy(buffer));
}
