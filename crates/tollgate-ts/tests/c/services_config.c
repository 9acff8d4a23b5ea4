/* The keys of records that may differ from transaction to transaction; versions of a plugin's configuration. */
#include "services.h"

static const char *const records[] = {
  "proxy.config.url_remap.pristine_host_hdr",
  "proxy.config.http.chunking_enabled",
  "proxy.config.http.negative_caching_enabled",
  "proxy.config.http.negative_caching_lifetime",
  "proxy.config.http.cache.when_to_revalidate",
  "proxy.config.http.keep_alive_enabled_in",
  "proxy.config.http.keep_alive_enabled_out",
  "proxy.config.http.keep_alive_post_out",
  "proxy.config.http.server_session_sharing.match",
  "proxy.config.net.sock_recv_buffer_size_out",
  "proxy.config.net.sock_send_buffer_size_out",
  "proxy.config.net.sock_option_flag_out",
  "proxy.config.http.forward.proxy_auth_to_parent",
  "proxy.config.http.anonymize_remove_from",
  "proxy.config.http.anonymize_remove_referer",
  "proxy.config.http.anonymize_remove_user_agent",
  "proxy.config.http.anonymize_remove_cookie",
  "proxy.config.http.anonymize_remove_client_ip",
  "proxy.config.http.insert_client_ip",
  "proxy.config.http.response_server_enabled",
  "proxy.config.http.insert_squid_x_forwarded_for",
  "proxy.config.http.send_http11_requests",
  "proxy.config.http.cache.http",
  "proxy.config.http.cache.ignore_client_no_cache",
  "proxy.config.http.cache.ignore_client_cc_max_age",
  "proxy.config.http.cache.ims_on_client_no_cache",
  "proxy.config.http.cache.ignore_server_no_cache",
  "proxy.config.http.cache.cache_responses_to_cookies",
  "proxy.config.http.cache.ignore_authentication",
  "proxy.config.http.cache.cache_urls_that_look_dynamic",
  "proxy.config.http.cache.required_headers",
  "proxy.config.http.insert_request_via_str",
  "proxy.config.http.insert_response_via_str",
  "proxy.config.http.cache.heuristic_min_lifetime",
  "proxy.config.http.cache.heuristic_max_lifetime",
  "proxy.config.http.cache.guaranteed_min_lifetime",
  "proxy.config.http.cache.guaranteed_max_lifetime",
  "proxy.config.http.cache.max_stale_age",
  "proxy.config.http.keep_alive_no_activity_timeout_in",
  "proxy.config.http.keep_alive_no_activity_timeout_out",
  "proxy.config.http.transaction_no_activity_timeout_in",
  "proxy.config.http.transaction_no_activity_timeout_out",
  "proxy.config.http.transaction_active_timeout_out",
  "proxy.config.http.connect_attempts_max_retries",
  "proxy.config.http.connect_attempts_max_retries_dead_server",
  "proxy.config.http.connect_attempts_rr_retries",
  "proxy.config.http.connect_attempts_timeout",
  "proxy.config.http.post_connect_attempts_timeout",
  "proxy.config.http.down_server.cache_time",
  "proxy.config.http.down_server.abort_threshold",
  "proxy.config.http.doc_in_cache_skip_dns",
  "proxy.config.http.background_fill_active_timeout",
  "proxy.config.http.response_server_str",
  "proxy.config.http.cache.heuristic_lm_factor",
  "proxy.config.http.background_fill_completed_threshold",
  "proxy.config.net.sock_packet_mark_out",
  "proxy.config.net.sock_packet_tos_out",
  "proxy.config.http.insert_age_in_response",
  "proxy.config.http.chunking.size",
  "proxy.config.http.flow_control.enabled",
  "proxy.config.http.flow_control.low_water",
  "proxy.config.http.flow_control.high_water",
  "proxy.config.http.cache.range.lookup",
  "proxy.config.http.default_buffer_size",
  "proxy.config.http.default_buffer_water_mark",
  "proxy.config.http.request_header_max_size",
  "proxy.config.http.response_header_max_size",
  "proxy.config.http.negative_revalidating_enabled",
  "proxy.config.http.negative_revalidating_lifetime",
  "proxy.config.ssl.hsts_max_age",
  "proxy.config.ssl.hsts_include_subdomains",
  "proxy.config.http.cache.open_read_retry_time",
  "proxy.config.http.cache.max_open_read_retries",
  "proxy.config.http.cache.range.write",
  "proxy.config.http.post.check.content_length.enabled",
  "proxy.config.http.global_user_agent_header",
  "proxy.config.http.auth_server_session_private",
  "proxy.config.http.slow.log.threshold",
  "proxy.config.http.cache.generation",
  "proxy.config.body_factory.template_base",
  "proxy.config.http.cache.open_write_fail_action",
  "proxy.config.http.number_of_redirections",
  "proxy.config.http.cache.max_open_write_retries",
  "proxy.config.http.redirect_use_orig_cache_key",
  "proxy.config.http.attach_server_session_to_client",
  "proxy.config.websocket.no_activity_timeout",
  "proxy.config.websocket.active_timeout",
  "proxy.config.http.uncacheable_requests_bypass_parent",
  "proxy.config.http.parent_proxy.total_connect_attempts",
  "proxy.config.http.transaction_active_timeout_in",
  "proxy.config.srv_enabled",
  "proxy.config.http.forward_connect_method",
  "proxy.config.ssl.client.cert.filename",
  "proxy.config.ssl.client.cert.path",
  "proxy.config.http.parent_proxy.mark_down_hostdb",
  "proxy.config.http.cache.ignore_accept_mismatch",
  "proxy.config.http.cache.ignore_accept_language_mismatch",
  "proxy.config.http.cache.ignore_accept_encoding_mismatch",
  "proxy.config.http.cache.ignore_accept_charset_mismatch",
  "proxy.config.http.parent_proxy.fail_threshold",
  "proxy.config.http.parent_proxy.retry_time",
  "proxy.config.http.parent_proxy.per_parent_connect_attempts",
  "proxy.config.http.parent_proxy.connect_attempts_timeout",
  "proxy.config.http.normalize_ae",
  "proxy.config.http.insert_forwarded",
  "proxy.config.http.proxy_protocol_out",
  "proxy.config.http.allow_multi_range",
  "proxy.config.http.request_buffer_enabled",
  "proxy.config.http.allow_half_open",
  "proxy.config.http.per_server.connection.min",
  "proxy.config.http.per_server.connection.max",
  "proxy.config.http.per_server.connection.match",
  "proxy.config.ssl.client.verify.server.policy",
  "proxy.config.ssl.client.verify.server.properties",
  "proxy.config.ssl.client.sni_policy",
  "proxy.config.ssl.client.private_key.filename",
  "proxy.config.ssl.client.CA.cert.filename",
  "proxy.config.hostdb.ip_resolve",
  "proxy.config.http.connect.dead.policy",
  "proxy.config.http.max_proxy_cycles",
  "proxy.config.plugin.vc.default_buffer_index",
  "proxy.config.plugin.vc.default_buffer_water_mark",
  "proxy.config.net.sock_notsent_lowat",
  "proxy.config.body_factory.response_suppression_mode",
  "proxy.config.http.parent_proxy.enable_parent_timeout_markdowns",
  "proxy.config.http.parent_proxy.disable_parent_markdowns",
  "proxy.config.http.drop_chunked_trailers",
  "proxy.config.http.strict_chunk_parsing",
  "proxy.config.ssl.client.verify.server",
};

static void
find(const char *name, int length)
{
  TSOverridableConfigKey key = (TSOverridableConfigKey)-5;
  TSRecordDataType type      = TS_RECORDDATATYPE_MAX;
  int returned               = TSHttpTxnConfigFind(name, length, &key, &type);

  say_text("find", name);
  fprintf(report, "  %d %d %d\n", returned, key, type);
}

void
run_config_find(void)
{
  fprintf(report, "overridable records\n");
  for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
    find(records[i], -1);
  }
  find("proxy.config.http.cache.http", 28);
  find("proxy.config.http.cache.http", 27);
  find("proxy.config.http.cache.httpx", 28);
  find("PROXY.CONFIG.http.cache.http", -1);
  find("proxy.config.http.server_ports", -1);
  find("", -1);
  find("", 0);
}

static void
destroyed(void *data)
{
  (void)data;
}

void
run_configs(void)
{
  char one[] = "one", two[] = "two";
  unsigned int id, again, other;
  TSConfig held, now;

  fprintf(report, "configurations\n");
  id = TSConfigSet(0, one, destroyed);
  say_number("id", id > 0);
  held = TSConfigGet(id);
  say_text("first", TSConfigDataGet(held));
  again = TSConfigSet(id, two, destroyed);
  say_number("same id", again == id);
  say_text("held", TSConfigDataGet(held));
  now = TSConfigGet(id);
  say_text("now", TSConfigDataGet(now));
  TSConfigRelease(id, held);
  say_text("after release", TSConfigDataGet(now));
  TSConfigRelease(id, now);
  now = TSConfigGet(id);
  say_text("again", TSConfigDataGet(now));
  TSConfigRelease(id, now);
  other = TSConfigSet(0, two, destroyed);
  say_number("next id", other - id);
  say_number("free id", TSConfigGet(90) == NULL);
  say_number("id 0", TSConfigGet(0) == NULL);
  say_number("id too large", TSConfigGet(5000) == NULL);
  say_number("set id too large", TSConfigSet(5000, one, destroyed));
}
