/* Records whose values one transaction can have for itself; the name of each stands beside it.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* For TSHttpTxnConfig*. Numbers are part of the interface: new keys come before TS_CONFIG_LAST_ENTRY. */
typedef enum {
  TS_CONFIG_NULL = -1, /* none */
  TS_CONFIG_URL_REMAP_PRISTINE_HOST_HDR = 0, /* proxy.config.url_remap.pristine_host_hdr */
  TS_CONFIG_HTTP_CHUNKING_ENABLED = 1, /* proxy.config.http.chunking_enabled */
  TS_CONFIG_HTTP_NEGATIVE_CACHING_ENABLED = 2, /* proxy.config.http.negative_caching_enabled */
  TS_CONFIG_HTTP_NEGATIVE_CACHING_LIFETIME = 3, /* proxy.config.http.negative_caching_lifetime */
  TS_CONFIG_HTTP_CACHE_WHEN_TO_REVALIDATE = 4, /* proxy.config.http.cache.when_to_revalidate */
  TS_CONFIG_HTTP_KEEP_ALIVE_ENABLED_IN = 5, /* proxy.config.http.keep_alive_enabled_in */
  TS_CONFIG_HTTP_KEEP_ALIVE_ENABLED_OUT = 6, /* proxy.config.http.keep_alive_enabled_out */
  TS_CONFIG_HTTP_KEEP_ALIVE_POST_OUT = 7, /* proxy.config.http.keep_alive_post_out */
  TS_CONFIG_HTTP_SERVER_SESSION_SHARING_MATCH = 8, /* proxy.config.http.server_session_sharing.match */
  TS_CONFIG_NET_SOCK_RECV_BUFFER_SIZE_OUT = 9, /* proxy.config.net.sock_recv_buffer_size_out */
  TS_CONFIG_NET_SOCK_SEND_BUFFER_SIZE_OUT = 10, /* proxy.config.net.sock_send_buffer_size_out */
  TS_CONFIG_NET_SOCK_OPTION_FLAG_OUT = 11, /* proxy.config.net.sock_option_flag_out */
  TS_CONFIG_HTTP_FORWARD_PROXY_AUTH_TO_PARENT = 12, /* proxy.config.http.forward.proxy_auth_to_parent */
  TS_CONFIG_HTTP_ANONYMIZE_REMOVE_FROM = 13, /* proxy.config.http.anonymize_remove_from */
  TS_CONFIG_HTTP_ANONYMIZE_REMOVE_REFERER = 14, /* proxy.config.http.anonymize_remove_referer */
  TS_CONFIG_HTTP_ANONYMIZE_REMOVE_USER_AGENT = 15, /* proxy.config.http.anonymize_remove_user_agent */
  TS_CONFIG_HTTP_ANONYMIZE_REMOVE_COOKIE = 16, /* proxy.config.http.anonymize_remove_cookie */
  TS_CONFIG_HTTP_ANONYMIZE_REMOVE_CLIENT_IP = 17, /* proxy.config.http.anonymize_remove_client_ip */
  TS_CONFIG_HTTP_ANONYMIZE_INSERT_CLIENT_IP = 18, /* proxy.config.http.insert_client_ip */
  TS_CONFIG_HTTP_RESPONSE_SERVER_ENABLED = 19, /* proxy.config.http.response_server_enabled */
  TS_CONFIG_HTTP_INSERT_SQUID_X_FORWARDED_FOR = 20, /* proxy.config.http.insert_squid_x_forwarded_for */
  TS_CONFIG_HTTP_SEND_HTTP11_REQUESTS = 21, /* proxy.config.http.send_http11_requests */
  TS_CONFIG_HTTP_CACHE_HTTP = 22, /* proxy.config.http.cache.http */
  TS_CONFIG_HTTP_CACHE_IGNORE_CLIENT_NO_CACHE = 23, /* proxy.config.http.cache.ignore_client_no_cache */
  TS_CONFIG_HTTP_CACHE_IGNORE_CLIENT_CC_MAX_AGE = 24, /* proxy.config.http.cache.ignore_client_cc_max_age */
  TS_CONFIG_HTTP_CACHE_IMS_ON_CLIENT_NO_CACHE = 25, /* proxy.config.http.cache.ims_on_client_no_cache */
  TS_CONFIG_HTTP_CACHE_IGNORE_SERVER_NO_CACHE = 26, /* proxy.config.http.cache.ignore_server_no_cache */
  TS_CONFIG_HTTP_CACHE_CACHE_RESPONSES_TO_COOKIES = 27, /* proxy.config.http.cache.cache_responses_to_cookies */
  TS_CONFIG_HTTP_CACHE_IGNORE_AUTHENTICATION = 28, /* proxy.config.http.cache.ignore_authentication */
  TS_CONFIG_HTTP_CACHE_CACHE_URLS_THAT_LOOK_DYNAMIC = 29, /* proxy.config.http.cache.cache_urls_that_look_dynamic */
  TS_CONFIG_HTTP_CACHE_REQUIRED_HEADERS = 30, /* proxy.config.http.cache.required_headers */
  TS_CONFIG_HTTP_INSERT_REQUEST_VIA_STR = 31, /* proxy.config.http.insert_request_via_str */
  TS_CONFIG_HTTP_INSERT_RESPONSE_VIA_STR = 32, /* proxy.config.http.insert_response_via_str */
  TS_CONFIG_HTTP_CACHE_HEURISTIC_MIN_LIFETIME = 33, /* proxy.config.http.cache.heuristic_min_lifetime */
  TS_CONFIG_HTTP_CACHE_HEURISTIC_MAX_LIFETIME = 34, /* proxy.config.http.cache.heuristic_max_lifetime */
  TS_CONFIG_HTTP_CACHE_GUARANTEED_MIN_LIFETIME = 35, /* proxy.config.http.cache.guaranteed_min_lifetime */
  TS_CONFIG_HTTP_CACHE_GUARANTEED_MAX_LIFETIME = 36, /* proxy.config.http.cache.guaranteed_max_lifetime */
  TS_CONFIG_HTTP_CACHE_MAX_STALE_AGE = 37, /* proxy.config.http.cache.max_stale_age */
  TS_CONFIG_HTTP_KEEP_ALIVE_NO_ACTIVITY_TIMEOUT_IN = 38, /* proxy.config.http.keep_alive_no_activity_timeout_in */
  TS_CONFIG_HTTP_KEEP_ALIVE_NO_ACTIVITY_TIMEOUT_OUT = 39, /* proxy.config.http.keep_alive_no_activity_timeout_out */
  TS_CONFIG_HTTP_TRANSACTION_NO_ACTIVITY_TIMEOUT_IN = 40, /* proxy.config.http.transaction_no_activity_timeout_in */
  TS_CONFIG_HTTP_TRANSACTION_NO_ACTIVITY_TIMEOUT_OUT = 41, /* proxy.config.http.transaction_no_activity_timeout_out */
  TS_CONFIG_HTTP_TRANSACTION_ACTIVE_TIMEOUT_OUT = 42, /* proxy.config.http.transaction_active_timeout_out */
  TS_CONFIG_HTTP_CONNECT_ATTEMPTS_MAX_RETRIES = 43, /* proxy.config.http.connect_attempts_max_retries */
  TS_CONFIG_HTTP_CONNECT_ATTEMPTS_MAX_RETRIES_DEAD_SERVER = 44, /* proxy.config.http.connect_attempts_max_retries_dead_server */
  TS_CONFIG_HTTP_CONNECT_ATTEMPTS_RR_RETRIES = 45, /* proxy.config.http.connect_attempts_rr_retries */
  TS_CONFIG_HTTP_CONNECT_ATTEMPTS_TIMEOUT = 46, /* proxy.config.http.connect_attempts_timeout */
  TS_CONFIG_HTTP_POST_CONNECT_ATTEMPTS_TIMEOUT = 47, /* proxy.config.http.post_connect_attempts_timeout */
  TS_CONFIG_HTTP_DOWN_SERVER_CACHE_TIME = 48, /* proxy.config.http.down_server.cache_time */
  TS_CONFIG_HTTP_DOWN_SERVER_ABORT_THRESHOLD = 49, /* proxy.config.http.down_server.abort_threshold */
  TS_CONFIG_HTTP_DOC_IN_CACHE_SKIP_DNS = 50, /* proxy.config.http.doc_in_cache_skip_dns */
  TS_CONFIG_HTTP_BACKGROUND_FILL_ACTIVE_TIMEOUT = 51, /* proxy.config.http.background_fill_active_timeout */
  TS_CONFIG_HTTP_RESPONSE_SERVER_STR = 52, /* proxy.config.http.response_server_str */
  TS_CONFIG_HTTP_CACHE_HEURISTIC_LM_FACTOR = 53, /* proxy.config.http.cache.heuristic_lm_factor */
  TS_CONFIG_HTTP_BACKGROUND_FILL_COMPLETED_THRESHOLD = 54, /* proxy.config.http.background_fill_completed_threshold */
  TS_CONFIG_NET_SOCK_PACKET_MARK_OUT = 55, /* proxy.config.net.sock_packet_mark_out */
  TS_CONFIG_NET_SOCK_PACKET_TOS_OUT = 56, /* proxy.config.net.sock_packet_tos_out */
  TS_CONFIG_HTTP_INSERT_AGE_IN_RESPONSE = 57, /* proxy.config.http.insert_age_in_response */
  TS_CONFIG_HTTP_CHUNKING_SIZE = 58, /* proxy.config.http.chunking.size */
  TS_CONFIG_HTTP_FLOW_CONTROL_ENABLED = 59, /* proxy.config.http.flow_control.enabled */
  TS_CONFIG_HTTP_FLOW_CONTROL_LOW_WATER_MARK = 60, /* proxy.config.http.flow_control.low_water */
  TS_CONFIG_HTTP_FLOW_CONTROL_HIGH_WATER_MARK = 61, /* proxy.config.http.flow_control.high_water */
  TS_CONFIG_HTTP_CACHE_RANGE_LOOKUP = 62, /* proxy.config.http.cache.range.lookup */
  TS_CONFIG_HTTP_DEFAULT_BUFFER_SIZE = 63, /* proxy.config.http.default_buffer_size */
  TS_CONFIG_HTTP_DEFAULT_BUFFER_WATER_MARK = 64, /* proxy.config.http.default_buffer_water_mark */
  TS_CONFIG_HTTP_REQUEST_HEADER_MAX_SIZE = 65, /* proxy.config.http.request_header_max_size */
  TS_CONFIG_HTTP_RESPONSE_HEADER_MAX_SIZE = 66, /* proxy.config.http.response_header_max_size */
  TS_CONFIG_HTTP_NEGATIVE_REVALIDATING_ENABLED = 67, /* proxy.config.http.negative_revalidating_enabled */
  TS_CONFIG_HTTP_NEGATIVE_REVALIDATING_LIFETIME = 68, /* proxy.config.http.negative_revalidating_lifetime */
  TS_CONFIG_SSL_HSTS_MAX_AGE = 69, /* proxy.config.ssl.hsts_max_age */
  TS_CONFIG_SSL_HSTS_INCLUDE_SUBDOMAINS = 70, /* proxy.config.ssl.hsts_include_subdomains */
  TS_CONFIG_HTTP_CACHE_OPEN_READ_RETRY_TIME = 71, /* proxy.config.http.cache.open_read_retry_time */
  TS_CONFIG_HTTP_CACHE_MAX_OPEN_READ_RETRIES = 72, /* proxy.config.http.cache.max_open_read_retries */
  TS_CONFIG_HTTP_CACHE_RANGE_WRITE = 73, /* proxy.config.http.cache.range.write */
  TS_CONFIG_HTTP_POST_CHECK_CONTENT_LENGTH_ENABLED = 74, /* proxy.config.http.post.check.content_length.enabled */
  TS_CONFIG_HTTP_GLOBAL_USER_AGENT_HEADER = 75, /* proxy.config.http.global_user_agent_header */
  TS_CONFIG_HTTP_AUTH_SERVER_SESSION_PRIVATE = 76, /* proxy.config.http.auth_server_session_private */
  TS_CONFIG_HTTP_SLOW_LOG_THRESHOLD = 77, /* proxy.config.http.slow.log.threshold */
  TS_CONFIG_HTTP_CACHE_GENERATION = 78, /* proxy.config.http.cache.generation */
  TS_CONFIG_BODY_FACTORY_TEMPLATE_BASE = 79, /* proxy.config.body_factory.template_base */
  TS_CONFIG_HTTP_CACHE_OPEN_WRITE_FAIL_ACTION = 80, /* proxy.config.http.cache.open_write_fail_action */
  TS_CONFIG_HTTP_NUMBER_OF_REDIRECTIONS = 81, /* proxy.config.http.number_of_redirections */
  TS_CONFIG_HTTP_CACHE_MAX_OPEN_WRITE_RETRIES = 82, /* proxy.config.http.cache.max_open_write_retries */
  TS_CONFIG_HTTP_REDIRECT_USE_ORIG_CACHE_KEY = 83, /* proxy.config.http.redirect_use_orig_cache_key */
  TS_CONFIG_HTTP_ATTACH_SERVER_SESSION_TO_CLIENT = 84, /* proxy.config.http.attach_server_session_to_client */
  TS_CONFIG_WEBSOCKET_NO_ACTIVITY_TIMEOUT = 85, /* proxy.config.websocket.no_activity_timeout */
  TS_CONFIG_WEBSOCKET_ACTIVE_TIMEOUT = 86, /* proxy.config.websocket.active_timeout */
  TS_CONFIG_HTTP_UNCACHEABLE_REQUESTS_BYPASS_PARENT = 87, /* proxy.config.http.uncacheable_requests_bypass_parent */
  TS_CONFIG_HTTP_PARENT_PROXY_TOTAL_CONNECT_ATTEMPTS = 88, /* proxy.config.http.parent_proxy.total_connect_attempts */
  TS_CONFIG_HTTP_TRANSACTION_ACTIVE_TIMEOUT_IN = 89, /* proxy.config.http.transaction_active_timeout_in */
  TS_CONFIG_SRV_ENABLED = 90, /* proxy.config.srv_enabled */
  TS_CONFIG_HTTP_FORWARD_CONNECT_METHOD = 91, /* proxy.config.http.forward_connect_method */
  TS_CONFIG_SSL_CERT_FILENAME = 92, /* proxy.config.ssl.client.cert.filename */
  TS_CONFIG_SSL_CLIENT_CERT_FILENAME = 92, /* proxy.config.ssl.client.cert.filename */
  TS_CONFIG_SSL_CERT_FILEPATH = 93, /* proxy.config.ssl.client.cert.path */
  TS_CONFIG_PARENT_FAILURES_UPDATE_HOSTDB = 94, /* proxy.config.http.parent_proxy.mark_down_hostdb */
  TS_CONFIG_HTTP_CACHE_IGNORE_ACCEPT_MISMATCH = 95, /* proxy.config.http.cache.ignore_accept_mismatch */
  TS_CONFIG_HTTP_CACHE_IGNORE_ACCEPT_LANGUAGE_MISMATCH = 96, /* proxy.config.http.cache.ignore_accept_language_mismatch */
  TS_CONFIG_HTTP_CACHE_IGNORE_ACCEPT_ENCODING_MISMATCH = 97, /* proxy.config.http.cache.ignore_accept_encoding_mismatch */
  TS_CONFIG_HTTP_CACHE_IGNORE_ACCEPT_CHARSET_MISMATCH = 98, /* proxy.config.http.cache.ignore_accept_charset_mismatch */
  TS_CONFIG_HTTP_PARENT_PROXY_FAIL_THRESHOLD = 99, /* proxy.config.http.parent_proxy.fail_threshold */
  TS_CONFIG_HTTP_PARENT_PROXY_RETRY_TIME = 100, /* proxy.config.http.parent_proxy.retry_time */
  TS_CONFIG_HTTP_PER_PARENT_CONNECT_ATTEMPTS = 101, /* proxy.config.http.parent_proxy.per_parent_connect_attempts */
  TS_CONFIG_HTTP_PARENT_CONNECT_ATTEMPT_TIMEOUT = 102, /* proxy.config.http.parent_proxy.connect_attempts_timeout */
  TS_CONFIG_HTTP_NORMALIZE_AE = 103, /* proxy.config.http.normalize_ae */
  TS_CONFIG_HTTP_INSERT_FORWARDED = 104, /* proxy.config.http.insert_forwarded */
  TS_CONFIG_HTTP_PROXY_PROTOCOL_OUT = 105, /* proxy.config.http.proxy_protocol_out */
  TS_CONFIG_HTTP_ALLOW_MULTI_RANGE = 106, /* proxy.config.http.allow_multi_range */
  TS_CONFIG_HTTP_REQUEST_BUFFER_ENABLED = 107, /* proxy.config.http.request_buffer_enabled */
  TS_CONFIG_HTTP_ALLOW_HALF_OPEN = 108, /* proxy.config.http.allow_half_open */
  TS_CONFIG_HTTP_SERVER_MIN_KEEP_ALIVE_CONNS = 109, /* proxy.config.http.per_server.connection.min */
  TS_CONFIG_HTTP_PER_SERVER_CONNECTION_MAX = 110, /* proxy.config.http.per_server.connection.max */
  TS_CONFIG_HTTP_PER_SERVER_CONNECTION_MATCH = 111, /* proxy.config.http.per_server.connection.match */
  TS_CONFIG_SSL_CLIENT_VERIFY_SERVER = 112, /* without effect */
  TS_CONFIG_SSL_CLIENT_VERIFY_SERVER_POLICY = 113, /* proxy.config.ssl.client.verify.server.policy */
  TS_CONFIG_SSL_CLIENT_VERIFY_SERVER_PROPERTIES = 114, /* proxy.config.ssl.client.verify.server.properties */
  TS_CONFIG_SSL_CLIENT_SNI_POLICY = 115, /* proxy.config.ssl.client.sni_policy */
  TS_CONFIG_SSL_CLIENT_PRIVATE_KEY_FILENAME = 116, /* proxy.config.ssl.client.private_key.filename */
  TS_CONFIG_SSL_CLIENT_CA_CERT_FILENAME = 117, /* proxy.config.ssl.client.CA.cert.filename */
  TS_CONFIG_HTTP_HOST_RESOLUTION_PREFERENCE = 118, /* proxy.config.hostdb.ip_resolve */
  TS_CONFIG_HTTP_CONNECT_DEAD_POLICY = 119, /* proxy.config.http.connect.dead.policy */
  TS_CONFIG_HTTP_MAX_PROXY_CYCLES = 120, /* proxy.config.http.max_proxy_cycles */
  TS_CONFIG_PLUGIN_VC_DEFAULT_BUFFER_INDEX = 121, /* proxy.config.plugin.vc.default_buffer_index */
  TS_CONFIG_PLUGIN_VC_DEFAULT_BUFFER_WATER_MARK = 122, /* proxy.config.plugin.vc.default_buffer_water_mark */
  TS_CONFIG_NET_SOCK_NOTSENT_LOWAT = 123, /* proxy.config.net.sock_notsent_lowat */
  TS_CONFIG_BODY_FACTORY_RESPONSE_SUPPRESSION_MODE = 124, /* proxy.config.body_factory.response_suppression_mode */
  TS_CONFIG_HTTP_ENABLE_PARENT_TIMEOUT_MARKDOWNS = 125, /* proxy.config.http.parent_proxy.enable_parent_timeout_markdowns */
  TS_CONFIG_HTTP_DISABLE_PARENT_MARKDOWNS = 126, /* proxy.config.http.parent_proxy.disable_parent_markdowns */
  TS_CONFIG_HTTP_DROP_CHUNKED_TRAILERS = 127, /* proxy.config.http.drop_chunked_trailers */
  TS_CONFIG_HTTP_STRICT_CHUNK_PARSING = 128, /* proxy.config.http.strict_chunk_parsing */
  TS_CONFIG_LAST_ENTRY = 129,
} TSOverridableConfigKey;

#ifdef __cplusplus
}
#endif
