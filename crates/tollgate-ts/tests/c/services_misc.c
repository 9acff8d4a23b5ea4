/* Hosts, protocol tags, addresses, directories, version, time, chance. */
#include "services.h"
#include <arpa/inet.h>
#include <time.h>

static void
status(const char *label, const char *host)
{
  TSHostStatus up     = (TSHostStatus)77;
  unsigned int reason = 77;
  int returned        = TSHostStatusGet(host, strlen(host), &up, &reason);

  say_text(label, host);
  fprintf(report, "  %d %d %u\n", returned, up, reason);
}

static void
set_status(const char *host, TSHostStatus up, unsigned int seconds, unsigned int reason)
{
  TSHostStatusSet(host, strlen(host), up, seconds, reason);
  status("host status", host);
}

static void
hosts(void)
{
  TSHostStatus up = (TSHostStatus)77;

  status("unknown host", "a.example");
  set_status("a.example", TS_HOST_STATUS_DOWN, 0, TS_HOST_STATUS_MANUAL);
  set_status("a.example", TS_HOST_STATUS_DOWN, 0, TS_HOST_STATUS_ACTIVE);
  set_status("a.example", TS_HOST_STATUS_UP, 0, TS_HOST_STATUS_MANUAL);
  set_status("a.example", TS_HOST_STATUS_UP, 0, TS_HOST_STATUS_ALL);
  set_status("b.example", TS_HOST_STATUS_UP, 0, TS_HOST_STATUS_MANUAL);
  set_status("b.example", TS_HOST_STATUS_DOWN, 300, TS_HOST_STATUS_LOCAL);
  set_status("c.example", TS_HOST_STATUS_DOWN, 0, 32);
  set_status("d.example", TS_HOST_STATUS_DOWN, 0, TS_HOST_STATUS_SELF_DETECT | TS_HOST_STATUS_LOCAL);
  set_status("d.example", TS_HOST_STATUS_UP, 0, TS_HOST_STATUS_SELF_DETECT);
  set_status("d.example", TS_HOST_STATUS_INIT, 0, TS_HOST_STATUS_LOCAL);
  status("other case", "A.EXAMPLE");
  say_number("without reason", TSHostStatusGet("a.example", 9, &up, NULL));
  say_number("own name", TSHostnameIsSelf("localhost", 9));
  say_number("own address", TSHostnameIsSelf("127.0.0.1", 9));
  say_number("other name", TSHostnameIsSelf("other.example", 13));
}

static void
address(const char *text)
{
  struct sockaddr_storage storage;
  char name[INET6_ADDRSTRLEN] = "";
  int returned;

  memset(&storage, 0, sizeof storage);
  returned = TSIpStringToAddr(text, strlen(text), (struct sockaddr *)&storage);
  say_text("address", text);
  say_number("  returned", returned);
  if (storage.ss_family == AF_INET) {
    struct sockaddr_in *four = (struct sockaddr_in *)&storage;
    inet_ntop(AF_INET, &four->sin_addr, name, sizeof name);
    fprintf(report, "  4 %s %d\n", name, ntohs(four->sin_port));
  } else if (storage.ss_family == AF_INET6) {
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&storage;
    inet_ntop(AF_INET6, &six->sin6_addr, name, sizeof name);
    fprintf(report, "  6 %s %d %u\n", name, ntohs(six->sin6_port), six->sin6_scope_id);
  } else {
    fprintf(report, "  family %d\n", storage.ss_family);
  }
}

static void
addresses(void)
{
  static const char *const texts[] = {
    "127.0.0.1", "1.2.3.4:80",      "[::1]:443",       "::1",     "fe80::1", "0", "1.2.3", "1.2.3.4.5", "host.example", "",
    " 1.2.3.4",  "1.2.3.4 ",        "256.1.1.1",       "0x7f.1",  "[::1]",   "[::1", "::1:80", "1.2.3.4:", "1.2.3.4:x",
    "1.2.3.4:99999", "2001:db8::1", "::ffff:1.2.3.4", ":80",     "01.02.03.04", "[1.2.3.4]:80",
  };

  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    address(texts[i]);
  }
}

static void
tags(void)
{
  static const char *const known[] = {"http/1.1", "http/1.0", "http/0.9", "h2",   "h3",   "h3-29",  "hq-29",
                                      "tls/1.3",  "tls/1.0",  "tcp",      "udp",  "ipv4", "ipv6",   "quic",
                                      "http",     "HTTP/1.1", "tls",      "none", "",     "http/1.12"};
  const char *mine;

  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    say_text("tag", known[i]);
    say_text("  normalized", TSNormalizedProtocolTag(known[i]));
  }
  say_number("constant", TSNormalizedProtocolTag("http/1.1") == TS_PROTO_TAG_HTTP_1_1);
  mine = TSRegisterProtocolTag("mine");
  say_text("registered", mine);
  say_number("  same", TSRegisterProtocolTag("mine") == mine);
  say_text("  normalized", TSNormalizedProtocolTag("mine"));
  say_number("  same pointer", TSNormalizedProtocolTag("mine") == mine);
  say_text("registered known", TSRegisterProtocolTag("http/1.1"));
}

static void
ends_with(const char *label, const char *text, const char *end)
{
  size_t length = strlen(text), wanted = strlen(end);

  say_number(label, length >= wanted && strcmp(text + length - wanted, end) == 0);
}

static void
others(void)
{
  TSHRTime now = TShrtime();
  double part  = TSdrandom();
  unsigned int a, b, c;

  ends_with("config directory", TSConfigDirGet(), "/etc/trafficserver");
  ends_with("runtime directory", TSRuntimeDirGet(), "/run");
  ends_with("plugin directory", TSPluginDirGet(), "/usr/lib/trafficserver/modules");
  ends_with("install directory", TSInstallDirGet(), "/usr");
  say_number("same pointer", TSConfigDirGet() == TSConfigDirGet());
  say_text("version", TSTrafficServerVersionGet());
  say_number("  major", TSTrafficServerVersionGetMajor());
  say_number("  minor", TSTrafficServerVersionGetMinor());
  say_number("  patch", TSTrafficServerVersionGetPatch());
  say_number("time", now / 1000000000 - time(NULL) < 3 && time(NULL) - now / 1000000000 < 3);
  say_number("a part of one", part >= 0 && part < 1);
  a = TSrandom();
  b = TSrandom();
  c = TSrandom();
  say_number("differ", a != b || b != c);
}

void
run_misc(void)
{
  fprintf(report, "hosts\n");
  hosts();
  fprintf(report, "addresses\n");
  addresses();
  fprintf(report, "tags\n");
  tags();
  fprintf(report, "others\n");
  others();
}
