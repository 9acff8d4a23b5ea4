#include "messages.h"

static const char *const plain[] = {"", "a", "ab", "abc", "abcd", "Hello, World!", "\xff\xfe\xfd", "a b\"#%<>[\\]^`{|}~\x7f\xc3\xa4?&=+/:@;,!$'()*", "%41%42", "\t\r\n"};
static const char *const coded[] = {"", "YQ==", "YWI=", "YWJj", "YWJjZA==", "YQ", "YWI", "YW Jj", "YWJj\n", "!!!!", "YW-_", "YW+/", "====", "YWJjZA==trailing", "\xff\xff"};
static const char *const escaped[] = {"", "a", "%41", "%4", "%", "%zz", "%4z", "a%20b", "%41%42%43", "+", "%%41", "%2", "%00x", "%e4%F6", "ab%", "%25"};

/* The smallest room with which each call succeeds. */
static void
smallest_rooms(void)
{
  static const char text[] = "aaaaaaaaaaaa", wild[] = "a b c d e f ";
  char out[256];
  size_t length;
  for (size_t size = 0; size < 12; size++) {
    size_t room = size + 1;
    while (TSStringPercentEncode(wild, (int)size, out, room, &length, NULL) != TS_SUCCESS) {
      room++;
    }
    say_number("percent room", (long long)room);
    for (room = 1; TSBase64Encode(text, size, out, room, &length) != TS_SUCCESS; room++) {
    }
    say_number("encode room", (long long)room);
    for (room = 1; TSBase64Decode(text, size, (unsigned char *)out, room, &length) != TS_SUCCESS; room++) {
    }
    say_number("decode room", (long long)room);
  }
}

void
run_encodings(void)
{
  char text[256];
  size_t length;
  unsigned char map[32];
  memset(map, 0, sizeof(map));
  map['a' / 8] |= 0x80 >> ('a' % 8);
  fprintf(report, "# encodings\n");
  smallest_rooms();
  for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
    size_t size = strlen(plain[i]);
    say("plain", plain[i], (int)size);
    for (int room = 0; room < 2; room++) {
      size_t space = room ? sizeof(text) : size + 1;
      length       = 77;
      int result   = TSStringPercentEncode(plain[i], (int)size, text, space, &length, NULL);
      say_number("  percent", result);
      say_number("  size", (long long)length);
      if (result == TS_SUCCESS) {
        say("  text", text, (int)length);
      }
    }
    length = 77;
    if (TSStringPercentEncode(plain[i], -1, text, sizeof(text), &length, map) == TS_SUCCESS) {
      say("  mapped", text, (int)length);
    }
    length     = 77;
    int result = TSBase64Encode(plain[i], size, text, sizeof(text), &length);
    say_number("  base64", result);
    if (result == TS_SUCCESS) {
      say("  text", text, (int)strlen(text));
      say_number("  size", (long long)length);
    }
    length = 77;
    say_number("  small", TSBase64Encode(plain[i], size, text, 4, &length));
  }
  for (unsigned i = 0; i < sizeof(coded) / sizeof(coded[0]); i++) {
    size_t size = strlen(coded[i]);
    length      = 77;
    say("coded", coded[i], (int)size);
    int result = TSBase64Decode(coded[i], size, (unsigned char *)text, sizeof(text), &length);
    say_number("  base64", result);
    if (result == TS_SUCCESS) {
      say("  text", text, (int)length);
    }
    length = 77;
    say_number("  small", TSBase64Decode(coded[i], size, (unsigned char *)text, 2, &length));
  }
  for (unsigned i = 0; i < sizeof(escaped) / sizeof(escaped[0]); i++) {
    size_t size = strlen(escaped[i]);
    length      = 77;
    say("escaped", escaped[i], (int)size);
    memset(text, 0, sizeof(text));
    say_number("  result", TSStringPercentDecode(escaped[i], size, text, sizeof(text), &length));
    say("  text", text, (int)length);
    length = 77;
    say_number("  small", TSStringPercentDecode(escaped[i], size, text, 2, &length));
    say("  text", text, (int)length);
  }
}
