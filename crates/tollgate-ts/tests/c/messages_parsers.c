#include "messages.h"
#include <stdlib.h>

static const char *const requests[] = {
  "GET / HTTP/1.1\r\nHost: h\r\n\r\nbody",
  "GET / HTTP/1.1\nHost: h\n\nbody",
  "GET http://h.example:81/a;b?c#d HTTP/1.0\r\nA: 1\r\nB:2\r\nC:   3  \r\nD :4\r\n\r\n",
  "GET / HTTP/1.1\r\n\r\n",
  "\r\nGET / HTTP/1.1\r\n\r\n",
  "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
  "\nGET / HTTP/1.1\r\n\r\n",
  " GET / HTTP/1.1\r\n\r\n",
  "GET  /two  HTTP/1.1\r\n\r\n",
  "GET\t/tab\tHTTP/1.1\r\n\r\n",
  "GET / HTTP/1.1  \r\n\r\n",
  "GET /a b HTTP/1.1\r\n\r\n",
  "GET / HTTP/0.9\r\n\r\n",
  "GET /\r\n\r\n",
  "GET\r\n\r\n",
  "\r\n\r\n",
  "GET / HTTP/2.0\r\n\r\n",
  "GET / HTTP/1.10\r\n\r\n",
  "GET / HTTP/11.1\r\n\r\n",
  "GET / http/1.1\r\n\r\n",
  "GET / HTTP/1\r\n\r\n",
  "GET / HTTP/x.y\r\n\r\n",
  "GET / FTP/1.1\r\n\r\n",
  "get / HTTP/1.1\r\n\r\n",
  "PATCH / HTTP/1.1\r\n\r\n",
  "G@T / HTTP/1.1\r\n\r\n",
  "G[T / HTTP/1.1\r\n\r\n",
  "CONNECT h:443 HTTP/1.1\r\n\r\n",
  "CONNECT h HTTP/1.1\r\n\r\n",
  "OPTIONS * HTTP/1.1\r\n\r\n",
  "GET //x//y HTTP/1.1\r\n\r\n",
  "GET h/x HTTP/1.1\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: bad host\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: h:99999\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: h:0\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: h:x\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: \r\n\r\n",
  "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
  "GET / HTTP/1.1\r\nHost: h \r\n\r\n",
  "GET / HTTP/1.1\r\nHost: h!\r\n\r\n",
  "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n",
  "GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
  "GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
  "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
  "GET / HTTP/1.1\r\nContent-Length: 5, 5\r\n\r\n",
  "GET / HTTP/1.1\r\nContent-Length: \r\n\r\n",
  "GET / HTTP/1.1\r\nContent-Length: +5\r\n\r\n",
  "GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
  "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
  "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
  "GET / HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n",
  "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
  "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\tmore\r\nC: d\r\n\r\n",
  "GET / HTTP/1.1\r\nno colon\r\nA: b\r\n\r\n",
  "GET / HTTP/1.1\r\n: empty\r\nA: b\r\n\r\n",
  "GET / HTTP/1.1\r\nA : b\r\n\r\n",
  "GET / HTTP/1.1\r\nA B: c\r\n\r\n",
  "GET / HTTP/1.1\r\n@at: c\r\n\r\n",
  "GET / HTTP/1.1\r\n(x): c\r\n\r\n",
  "GET / HTTP/1.1\r\nx(): c\r\n\r\n",
  "GET / HTTP/1.1\r\nA:\r\nB: \r\n\r\n",
  "GET / HTTP/1.1\r\nA: a\rb\r\n\r\n",
  "GET / HTTP/1.1\r\nA: a\x01\x7f\xff\r\n\r\n",
  "GET / HTTP/1.1\r\nA: 1\r\na: 2\r\nETAG: x\r\n\r\n",
  "GET / HTTP/1.1\r\nA: 1\r\n\rB: 2\r\n\r\n",
  "GET / HTTP/1.1\r\nA: 1\r\n\r",
  "GET / HTTP/1.1\r\nA: 1\r\n",
  "GET / HTTP/1.1\r\nA",
  "GET / HT",
  "G",
  "",
};

static const char *const responses[] = {
  "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody",
  "HTTP/1.0 404 Not Found\nA: b\n\n",
  "HTTP/1.1 200\r\n\r\n",
  "HTTP/1.1 200 \r\n\r\n",
  "HTTP/1.1 200 A long   reason  \r\n\r\n",
  "HTTP/1.1  204  No Content\r\n\r\n",
  "HTTP/1.1\t200\tOK\r\n\r\n",
  "HTTP/1.1 99 Low\r\n\r\n",
  "HTTP/1.1 1000 High\r\n\r\n",
  "HTTP/1.1 20x OK\r\n\r\n",
  "HTTP/1.1 OK\r\n\r\n",
  "HTTP/1.1\r\n\r\n",
  "http/1.1 200 ok\r\n\r\n",
  "HTTP/2 200 OK\r\n\r\n",
  "HTTP/2.0 200 OK\r\n\r\n",
  "HTTP/0.9 200 OK\r\n\r\n",
  "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
  "ICY 200 OK\r\n\r\n",
  "garbage\r\n\r\n",
  "\r\nHTTP/1.1 200 OK\r\n\r\n",
  "HTTP/1.1 200 OK",
  "HTTP/1.1 200 OK\r\n",
  "H",
};

static const char *const blocks[] = {
  "A: b\r\nC: d\r\n\r\nrest", "\r\nrest", "\n", "A: b\n\n", "A: b\r\n c\r\n\r\n", "A:b\r\n\r\n", "A:  b  \r\n\r\n", "A:\tb\t\r\n\r\n", "A: b\r\n", "A: b",
  "junk\r\nA: b\r\n\r\n", "A : b\r\n\r\n", "A:        eight\r\n\r\n", "A:     five\r\n\r\n", "A: b\r\nA: c\r\na: d\r\n\r\n", " A: b\r\n\r\n", "\r\r\nA: b\r\n\r\n",
  "A: b: c\r\n\r\n", "A: b\r\n\t\r\n\r\n", "A: b\r\n \r\nC: d\r\n\r\n",
};

enum Kind { REQUEST, RESPONSE, BLOCK };

static void
say_parsed(TSMBuffer buffer, TSMLoc header, enum Kind kind)
{
  if (kind == BLOCK) {
    say_fields("  fields", buffer, header);
    return;
  }
  int length = 0;
  say_number("  version", TSHttpHdrVersionGet(buffer, header));
  if (kind == REQUEST) {
    TSMLoc url       = TS_NULL_MLOC;
    const char *text = TSHttpHdrMethodGet(buffer, header, &length);
    say("  method", text, length);
    if (TSHttpHdrUrlGet(buffer, header, &url) == TS_SUCCESS) {
      say_url("  url", buffer, url);
    }
  } else {
    const char *text = TSHttpHdrReasonGet(buffer, header, &length);
    say_number("  status", TSHttpHdrStatusGet(buffer, header));
    say("  reason", text, length);
  }
  say_fields("  fields", buffer, header);
}

/* Feeds the text in pieces of `step` bytes; 0 is all at once. */
static void
parse(const char *text, enum Kind kind, int step)
{
  TSMBuffer buffer         = TSMBufferCreate();
  TSMLoc header            = TS_NULL_MLOC;
  TSHttpParser http        = TSHttpParserCreate();
  TSMimeParser mime        = TSMimeParserCreate();
  size_t size              = strlen(text);
  char *copy               = malloc(size + 1);
  int result               = TS_PARSE_CONT;
  memcpy(copy, text, size + 1);
  const char *start = copy;
  if (kind == BLOCK) {
    TSMimeHdrCreate(buffer, &header);
  } else {
    header = TSHttpHdrCreate(buffer);
    TSHttpHdrTypeSet(buffer, header, kind == REQUEST ? TS_HTTP_TYPE_REQUEST : TS_HTTP_TYPE_RESPONSE);
  }
  while (result == TS_PARSE_CONT && start < copy + size) {
    const char *end = step == 0 || start + step > copy + size ? copy + size : start + step;
    const char *was = start;
    switch (kind) {
    case REQUEST:
      result = TSHttpHdrParseReq(http, buffer, header, &start, end);
      break;
    case RESPONSE:
      result = TSHttpHdrParseResp(http, buffer, header, &start, end);
      break;
    case BLOCK:
      result = TSMimeHdrParse(mime, buffer, header, &start, end);
      break;
    }
    if (result == TS_PARSE_CONT && start == was) {
      say_number("  stuck", end - start);
      break;
    }
  }
  say_number("  result", result);
  if (result != TS_PARSE_ERROR) {
    say_number("  rest", copy + size - start);
    say_parsed(buffer, header, kind);
  }
  TSHttpParserClear(http);
  TSHttpParserDestroy(http);
  TSMimeParserClear(mime);
  TSMimeParserDestroy(mime);
  TSMBufferDestroy(buffer);
  free(copy);
}

static void
parse_each(const char *label, const char *const *texts, unsigned count, enum Kind kind)
{
  static const int steps[] = {0, 1, 7};
  for (unsigned s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
    for (unsigned i = 0; i < count; i++) {
      say(label, texts[i], (int)strlen(texts[i]));
      say_number("  step", steps[s]);
      parse(texts[i], kind, steps[s]);
    }
  }
}

#define COUNT(a) ((unsigned)(sizeof(a) / sizeof((a)[0])))

void
run_parsers(void)
{
  fprintf(report, "# parsers\n");
  parse_each("request", requests, COUNT(requests), REQUEST);
  parse_each("response", responses, COUNT(responses), RESPONSE);
  parse_each("block", blocks, COUNT(blocks), BLOCK);
}
