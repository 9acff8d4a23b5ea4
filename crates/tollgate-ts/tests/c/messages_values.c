#include "messages.h"

static const char *const values[] = {
  "", " ", "a", "a,b", "a, b ,c", " a , b ", ",", ",,", "a,", ",a", "a,,b", "\"a,b\",c", "\"a\"", "\"a", "a\"", "a\"b,c\"d,e",
  "\"\"", "\"", "\"a\" ; q=1, \"b\"", "\t a\t,\tb", "a b c", "max-age=10, \"x,y\", no-cache", "\"a\\\"b\", c", "\" a \", b",
  "a;b,c;d", "a,\r\nb", "'a,b'", "\"a\"b\"", ", \"", "\"a,", "  ,  ",
};

static const char *const numbers[] = {
  "0", "1", "-1", " 12", "12 ", "\t7", "+5", "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296",
  "99999999999", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
  "99999999999999999999999", "12abc", "abc", "0x10", "1.5", "--5", "- 5", "007", "", " ", "5,6", "\"5\"", "21474836470", "9999999999", "-21474836480",
};

static const char *const dates[] = {
  "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "6 Nov 1994 08:49:37 GMT",
  "06 Nov 1994 08:49:37", "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 1970 00:00:01 GMT", "Wed, 31 Dec 1969 23:59:59 GMT",
  "Tue, 19 Jan 2038 03:14:07 GMT", "Tue, 19 Jan 2038 03:14:08 GMT", "Fri, 31 Dec 2100 00:00:00 GMT", "Mon, 29 Feb 2016 12:00:00 GMT",
  "Mon, 30 Feb 2015 12:00:00 GMT", "", " ", "garbage", "0", "-1", "1234567890", "Sun, 6 Nov 1994 08:49:37 GMT",
  "sun, 06 nov 1994 08:49:37 gmt", "SUN, 06 NOV 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 EST", "Sun, 06 Nov 1994 08:49:37 +0100",
  "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49", "Sun, 06 Nov 1994", "Sun, 32 Nov 1994 08:49:37 GMT",
  "Sun, 06 Nov 1994 25:61:61 GMT", "Sun, 06 Foo 1994 08:49:37 GMT", "Foo, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 94 08:49:37 GMT",
  "Sun, 06-Nov-1994 08:49:37 GMT", "Sunday, 06-Nov-04 08:49:37 GMT", "Sunday, 06-Nov-70 08:49:37 GMT", "  Sun, 06 Nov 1994 08:49:37 GMT  ",
  "Sun Nov 16 08:49:37 2014", "Sun Nov  6 08:49:37 94", "1 Jan 2000 00:00:00", "Sun, 06 Nov 1994 08.49.37 GMT", "Sun, 06 Nov 1900 08:49:37 GMT",
  "Sun, xx Nov 1994 08:49:37 GMT", "Monday, 06-November-94 08:49:37 GMT", "Thu, 01 Mar 2018 00:00:00 GMT", "Sat, 01 Jan 2000 00:00:00 GMT",
  "Sun, 06 Nov 1994 08:49:3x GMT", "Sun,06 Nov 1994 08:49:37 GMT", "Tues, 06 Nov 1994 08:49:37 GMT", "sun, 06 Nov 1994 08:49:37 GMT", "sunday, 06-nov-94 08:49:37 GMT", "Sunshine, 06 Nov 1994 08:49:37 GMT",
};

static void
elements(const char *name)
{
  TSMBuffer buffer = TSMBufferCreate();
  TSMLoc header    = TS_NULL_MLOC;
  TSMimeHdrCreate(buffer, &header);
  say("name", name, (int)strlen(name));
  for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
    TSMLoc field = make_field(buffer, header, name, values[i]);
    say("value", values[i], (int)strlen(values[i]));
    int count = TSMimeHdrFieldValuesCount(buffer, header, field);
    say_number("  count", count);
    for (int at = -1; at <= count; at++) {
      int length       = 0;
      const char *text = TSMimeHdrFieldValueStringGet(buffer, header, field, at, &length);
      say(at < 0 ? "  whole" : "  element", text, length);
    }
    TSMimeHdrFieldDestroy(buffer, header, field);
    TSHandleMLocRelease(buffer, header, field);
  }
  TSMBufferDestroy(buffer);
}

static void
edits(const char *name)
{
  TSMBuffer buffer = TSMBufferCreate();
  TSMLoc header    = TS_NULL_MLOC;
  TSMimeHdrCreate(buffer, &header);
  say("edits of", name, (int)strlen(name));
  for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
    for (int at = -1; at <= 3; at++) {
      int length = 0;
      for (int what = 0; what < 5; what++) {
        static const char *const labels[] = {"  set", "  insert", "  append", "  delete", "  int"};
        if ((what == 2 || what == 3) && at < 0) {
          continue;
        }
        TSMLoc field = make_field(buffer, header, name, values[i]);
        int result   = 9;
        switch (what) {
        case 0:
          result = TSMimeHdrFieldValueStringSet(buffer, header, field, at, "NEW", -1);
          break;
        case 1:
          result = TSMimeHdrFieldValueStringInsert(buffer, header, field, at, "NEW", 3);
          break;
        case 2:
          result = TSMimeHdrFieldValueAppend(buffer, header, field, at, "NEW", 3);
          break;
        case 3:
          result = TSMimeHdrFieldValueDelete(buffer, header, field, at);
          break;
        case 4:
          result = TSMimeHdrFieldValueIntInsert(buffer, header, field, at, -42);
          break;
        }
        say_number(labels[what], result);
        const char *text = TSMimeHdrFieldValueStringGet(buffer, header, field, -1, &length);
        say("    value", text, length);
        TSMimeHdrFieldDestroy(buffer, header, field);
        TSHandleMLocRelease(buffer, header, field);
      }
    }
  }
  TSMBufferDestroy(buffer);
}

static void
read_numbers(void)
{
  TSMBuffer buffer = TSMBufferCreate();
  TSMLoc header    = TS_NULL_MLOC;
  TSMimeHdrCreate(buffer, &header);
  for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
    TSMLoc field = make_field(buffer, header, "Content-Length", numbers[i]);
    say("number", numbers[i], (int)strlen(numbers[i]));
    for (int at = -1; at < 2; at++) {
      say_number("  int", TSMimeHdrFieldValueIntGet(buffer, header, field, at));
      say_number("  uint", TSMimeHdrFieldValueUintGet(buffer, header, field, at));
      say_number("  int64", TSMimeHdrFieldValueInt64Get(buffer, header, field, at));
    }
    say_number("  date", TSMimeHdrFieldValueDateGet(buffer, header, field));
    TSMimeHdrFieldDestroy(buffer, header, field);
  }
  TSMLoc list = make_field(buffer, header, "X-List", "1, \"2\",-3, x");
  for (int at = -1; at < 5; at++) {
    say_number("list int", TSMimeHdrFieldValueIntGet(buffer, header, list, at));
    say_number("list uint", TSMimeHdrFieldValueUintGet(buffer, header, list, at));
    say_number("list int64", TSMimeHdrFieldValueInt64Get(buffer, header, list, at));
  }
  TSMimeHdrFieldValueIntSet(buffer, header, list, 0, -2147483647 - 1);
  TSMimeHdrFieldValueUintSet(buffer, header, list, 1, 4294967295u);
  TSMimeHdrFieldValueInt64Set(buffer, header, list, 2, -922337203685477580LL);
  TSMimeHdrFieldValueInt64Set(buffer, header, list, 9, 5);
  TSMimeHdrFieldValueUintInsert(buffer, header, list, 0, 0);
  TSMimeHdrFieldValueIntInsert(buffer, header, list, -1, 7);
  say_fields("set", buffer, header);
  TSMimeHdrFieldValueInt64Set(buffer, header, list, -1, 9223372036854775807LL);
  say_fields("whole", buffer, header);
  TSMBufferDestroy(buffer);
}

static void
read_dates(void)
{
  for (unsigned i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
    say("date", dates[i], (int)strlen(dates[i]));
    say_number("  time", TSMimeParseDate(dates[i], (int)strlen(dates[i])));
  }
  say_number("null date", TSMimeParseDate(NULL, 0));
  time_t times[] = {0, 1, 784111777, 951782400, 951868800, 1078012800, 2147483647LL, 4102444800LL, 86399, 1456704000, 68169600, 7258118400LL};
  for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
    char text[64];
    int length = sizeof(text);
    say_number("time", times[i]);
    say_number("  result", TSMimeFormatDate(times[i], text, &length));
    say("  date", text, length);
  }
  char text[64];
  int length = 32;
  say_number("short", TSMimeFormatDate(0, text, &length));
  say_number("no length", TSMimeFormatDate(0, text, NULL));
  TSMBuffer buffer = TSMBufferCreate();
  TSMLoc header    = TS_NULL_MLOC;
  TSMimeHdrCreate(buffer, &header);
  TSMLoc field = make_field(buffer, header, "X-Date", "a, b");
  say_number("date set", TSMimeHdrFieldValueDateSet(buffer, header, field, 784111777));
  say_fields("set", buffer, header);
  say_number("date get", TSMimeHdrFieldValueDateGet(buffer, header, field));
  say_number("date insert", TSMimeHdrFieldValueDateInsert(buffer, header, field, 0));
  say_fields("insert", buffer, header);
  TSMBufferDestroy(buffer);
}

void
run_values(void)
{
  fprintf(report, "# values\n");
  elements("X-Unknown");
  elements("Cache-Control");
  elements("Date");
  elements("Set-Cookie");
  edits("X-Unknown");
  edits("Set-Cookie");
  read_numbers();
  read_dates();
}
