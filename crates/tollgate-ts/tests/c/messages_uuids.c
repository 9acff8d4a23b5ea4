#include "messages.h"

void
run_uuids(void)
{
  static const char *const texts[] = {"", "x", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "6BA7B810-9DAD-41D1-80B4-00C04FD430C8",
                                      "6ba7b810-9dad-11d1-80b4-00c04fd430c", "6ba7b810-9dad-11d1-80b4-00c04fd430c8x",
                                      "6ba7b8109dad11d180b400c04fd430c8", "zba7b810-9dad-11d1-80b4-00c04fd430c8",
                                      "6ba7b810-9dad-f1d1-80b4-00c04fd430c8"};
  fprintf(report, "# uuids\n");
  for (int version = TS_UUID_V1; version <= TS_UUID_V5; version++) {
    TSUuid uuid = TSUuidCreate();
    say_number("initialize", TSUuidInitialize(uuid, version));
    say_number("  version", TSUuidVersionGet(uuid));
    const char *text = TSUuidStringGet(uuid);
    say_number("  has text", text != NULL);
    if (text != NULL) {
      say_number("  length", (long long)strlen(text));
      say("  nibble", text + 14, 1);
    }
    TSUuidDestroy(uuid);
  }
  for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    TSUuid uuid = TSUuidCreate();
    TSUuid copy = TSUuidCreate();
    say("parse", texts[i], (int)strlen(texts[i]));
    say_number("  result", TSUuidStringParse(uuid, texts[i]));
    say_number("  version", TSUuidVersionGet(uuid));
    const char *text = TSUuidStringGet(uuid);
    say("  text", text, text == NULL ? 0 : (int)strlen(text));
    say_number("  copy", TSUuidCopy(copy, uuid));
    text = TSUuidStringGet(copy);
    say("  text", text, text == NULL ? 0 : (int)strlen(text));
    TSUuidDestroy(copy);
    TSUuidDestroy(uuid);
  }
  TSUuid process = TSProcessUuidGet();
  say_number("process", process != NULL && process == TSProcessUuidGet());
  say_number("length", (long long)strlen(TSUuidStringGet(process)));
  say_number("version", TSUuidVersionGet(process));
}
