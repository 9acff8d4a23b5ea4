#include "messages.h"

static const char *const texts[] = {
  "http://example.com/",
  "http://example.com",
  "http://example.com/a/b/c.html?x=1&y=2#top",
  "https://user:secret@example.com:8443/p;par=1/q;r?s;t#f;g",
  "http://user@example.com/",
  "http://user:@example.com/",
  "http://:pw@example.com/",
  "http://@example.com/",
  "http://a:b:c@example.com/",
  "http://a@b@example.com/",
  "HTTP://EXAMPLE.com/UPPER",
  "ws://h/x",
  "wss://h:444/x",
  "ftp://h/file;type=a",
  "file:///etc/hosts",
  "file:/etc/hosts",
  "mailto:joe@example.com",
  "foo://bar/baz",
  "foo:bar",
  "foo:80/x",
  "foo:/bar",
  "tunnel://h:1/",
  "/path/only?q",
  "//two/slashes",
  "///three",
  "http://h//double",
  "http://h///triple//x",
  "http://h/;only",
  "http://h/a;",
  "http://h/a?",
  "http://h/a#",
  "http://h/a;?#",
  "http://h/?",
  "http://h/#",
  "http://h?q",
  "http://h#f",
  "http://h;p",
  "http://h?q/r",
  "http://h#f/g",
  "http://h:80/",
  "http://h:0/",
  "http://h:/",
  "http://h:080/",
  "http://h:99999/",
  "http://h:65536/",
  "http://h:12x/",
  "http://h:x/",
  "http://h:80:90/",
  "http://[::1]/",
  "http://[::1]:8080/x",
  "http://[::1/",
  "http://::1/",
  "http://[::1]x/",
  "http://1.2.3.4:5/",
  "http://1:2:3:4:5:6:7:8:9:10/",
  "http:///nohost",
  "http://",
  "http:/",
  "http:",
  "http",
  "http:h/x",
  "example.com",
  "example.com:80",
  "example.com:80/x",
  "example.com/x",
  "a@b/c",
  "a:b@c/d",
  "*",
  "?q",
  "#f",
  ";p",
  "",
  " ",
  "  http://spaces/",
  "http://h/a b",
  "http://h /",
  "http://ex%61mple/",
  "http://h_u/",
  "http://h~x/",
  "http://h!x/",
  "http://h$x/",
  "http://h(x)/",
  "http://h,x/",
  "http://\xc3\xa4/",
  "http://h/\xc3\xa4?\xff",
  "http://h/%2f%zz",
  "http://h/a/../b/./c",
  "http://h/a?b?c#d#e",
  "http://h/a#b?c;d",
  "http://h/a?b;c/d",
  "http://h/a;b;c/d;e",
  "http://h/\"<>^`{|}",
  "1http://h/",
  "h-t.t+p://h/",
  "h_t://h/",
  "://h/",
  ":80/", "h/x://y", "h?u=http://x", "/p?u=http://x", "a.b/c?u=http://x", "h:1/x://y", "http://h//?q", "http://h//;p", "http://h/a/;p", "http://[::1]?q", "http://h:80?q", "http://u@h?q@r", "http://h?a:b",
};

static void
parse_all(TSMBuffer buffer)
{
  for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    TSMLoc url        = TS_NULL_MLOC;
    const char *start = texts[i];
    const char *end   = start + strlen(start);
    TSUrlCreate(buffer, &url);
    say("parse", texts[i], (int)strlen(texts[i]));
    say_number("  result", TSUrlParse(buffer, url, &start, end));
    say_number("  rest", end - start);
    say_url("  text", buffer, url);
  }
}

static void
set_parts(TSMBuffer buffer)
{
  TSMLoc url = TS_NULL_MLOC;
  TSMLoc other = TS_NULL_MLOC;
  int length = 0;
  say_number("create", TSUrlCreate(buffer, &url));
  say_url("empty", buffer, url);
  say_number("host", TSUrlHostSet(buffer, url, "h.example", -1));
  say_url("host only", buffer, url);
  say_number("scheme", TSUrlSchemeSet(buffer, url, "https", -1));
  say_url("https", buffer, url);
  say_number("same pointer", TSUrlSchemeGet(buffer, url, &length) == TS_URL_SCHEME_HTTPS);
  TSUrlSchemeSet(buffer, url, "HTTP", 4);
  say_number("same pointer whatever the case", TSUrlSchemeGet(buffer, url, &length) == TS_URL_SCHEME_HTTP);
  say_url("upper", buffer, url);
  TSUrlSchemeSet(buffer, url, "wss", 3);
  say_url("wss", buffer, url);
  TSUrlSchemeSet(buffer, url, "ftp", 3);
  say_url("ftp", buffer, url);
  TSUrlSchemeSet(buffer, url, "bogus", 5);
  say_url("bogus", buffer, url);
  TSUrlSchemeSet(buffer, url, NULL, 0);
  say_url("no scheme", buffer, url);
  TSUrlSchemeSet(buffer, url, "http", 4);
  for (int port = -1; port < 3; port++) {
    say_number("port", TSUrlPortSet(buffer, url, port));
    say_url("  url", buffer, url);
  }
  int ports[] = {80, 443, 8080, 65535, 65536, 70000, 0};
  for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
    say_number("port", TSUrlPortSet(buffer, url, ports[i]));
    say_url("  url", buffer, url);
  }
  TSUrlUserSet(buffer, url, "u", 1);
  say_url("user", buffer, url);
  TSUrlPasswordSet(buffer, url, "p", 1);
  say_url("password", buffer, url);
  TSUrlUserSet(buffer, url, NULL, 0);
  say_url("password without user", buffer, url);
  TSUrlPathSet(buffer, url, "a/b", -1);
  say_url("path", buffer, url);
  TSUrlPathSet(buffer, url, "/a/b", -1);
  say_url("path with slash", buffer, url);
  TSUrlPathSet(buffer, url, "//a", -1);
  say_url("path with slashes", buffer, url);
  TSUrlPathSet(buffer, url, "", 0);
  say_url("no path", buffer, url);
  TSUrlHttpParamsSet(buffer, url, "x=1", -1);
  say_url("params", buffer, url);
  TSUrlHttpQuerySet(buffer, url, "y=2", -1);
  say_url("query", buffer, url);
  TSUrlHttpFragmentSet(buffer, url, "z", -1);
  say_url("fragment", buffer, url);
  TSUrlCreate(buffer, &other);
  say_number("copy", TSUrlCopy(buffer, other, buffer, url));
  say_url("copied", buffer, other);
  TSUrlHttpParamsSet(buffer, url, "", 0);
  TSUrlHttpQuerySet(buffer, url, "", 0);
  TSUrlHttpFragmentSet(buffer, url, "", 0);
  say_url("emptied", buffer, url);
  TSUrlHttpQuerySet(buffer, url, NULL, 0);
  TSUrlHostSet(buffer, url, NULL, 0);
  say_url("no host", buffer, url);
  say_url("copy is independent", buffer, other);
  const char *start = "http://h?q";
  TSUrlParse(buffer, url, &start, start + 10);
  TSUrlPathSet(buffer, url, "x", 1);
  say_url("path after none", buffer, url);
  TSUrlPathSet(buffer, url, NULL, 0);
  say_url("and none again", buffer, url);
  TSUrlHttpQuerySet(buffer, url, NULL, 0);
  say_url("nothing", buffer, url);
  TSUrlCopy(buffer, url, buffer, other);
  say_url("copied over", buffer, url);
  TSMBuffer second = TSMBufferCreate();
  TSMLoc clone     = TS_NULL_MLOC;
  say_number("clone", TSUrlClone(second, buffer, other, &clone));
  say_url("cloned", second, clone);
  char text[256];
  size_t size = 99;
  say_number("encode", TSUrlPercentEncode(second, clone, text, sizeof(text), &size, NULL));
  say("encoded", text, (int)size);
  say_number("release", TSHandleMLocRelease(second, TS_NULL_MLOC, clone));
  say_number("destroy", TSMBufferDestroy(second));
  int types[] = {0, 'A', 'E', 'I', 'a', 'i', 'e', 'x', -1};
  for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
    say_number("type set", TSUrlFtpTypeSet(buffer, other, types[i]));
    say_number("type", TSUrlFtpTypeGet(buffer, other));
  }
}

void
run_urls(void)
{
  TSMBuffer buffer = TSMBufferCreate();
  fprintf(report, "# urls\n");
  parse_all(buffer);
  set_parts(buffer);
  say_number("destroy", TSMBufferDestroy(buffer));
}
