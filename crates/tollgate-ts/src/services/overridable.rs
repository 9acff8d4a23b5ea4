//! Records that may differ from transaction to transaction, as plugins number them.
//!
//! Responsible for: key, name, type and storage of each. Not responsible for: the values of a transaction.
//! Invariants: sorted by key; key 112 has no record, its functions give errors.

use Storage::{Byte, Float, Int, ReadableText, Text, Word};

/// How Traffic Server keeps the value, which decides what setters accept and getters give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// An integer of 8 bits: what is set is cut to them.
    Byte,
    /// An integer.
    Int,
    /// A floating point number.
    Float,
    /// An integer of 8 bits that is set and read as a word, too.
    Word,
    /// A text that can be set and not read.
    Text,
    /// A text that can be set and read.
    ReadableText,
}

impl Storage {
    /// `TSRecordDataType`.
    pub const fn data_type(self) -> i32 {
        match self {
            Byte | Int => 1,
            Float => 2,
            Word | Text | ReadableText => 3,
        }
    }

    /// What an integer becomes; `None`: this is no integer.
    pub fn stored(self, value: i64) -> Option<i64> {
        match self {
            Byte | Word => Some(i64::from(value as i8)),
            Int => Some(value),
            Float | Text | ReadableText => None,
        }
    }
}

/// One record.
#[derive(Clone, Copy, Debug)]
pub struct Overridable {
    /// `TSOverridableConfigKey`.
    pub key: i32,
    /// The record.
    pub name: &'static str,
    /// How the value is kept.
    pub storage: Storage,
}

impl Overridable {
    /// Whether the integer is set and read as a word, too.
    pub fn has_words(&self) -> bool {
        self.storage == Word || self.name == "proxy.config.http.per_server.connection.match"
    }
}

/// The record of that name.
pub fn find(name: &[u8]) -> Option<&'static Overridable> {
    TABLE.iter().find(|row| row.name.as_bytes() == name)
}

/// The record of that key.
pub fn by_key(key: i32) -> Option<&'static Overridable> {
    TABLE.binary_search_by_key(&key, |row| row.key).ok().map(|at| &TABLE[at])
}

const fn row(key: i32, name: &'static str, storage: Storage) -> Overridable {
    Overridable { key, name, storage }
}

#[rustfmt::skip]
static TABLE: &[Overridable] = &[
    row(0, "proxy.config.url_remap.pristine_host_hdr", Byte),
    row(1, "proxy.config.http.chunking_enabled", Byte),
    row(2, "proxy.config.http.negative_caching_enabled", Byte),
    row(3, "proxy.config.http.negative_caching_lifetime", Int),
    row(4, "proxy.config.http.cache.when_to_revalidate", Byte),
    row(5, "proxy.config.http.keep_alive_enabled_in", Byte),
    row(6, "proxy.config.http.keep_alive_enabled_out", Byte),
    row(7, "proxy.config.http.keep_alive_post_out", Byte),
    row(8, "proxy.config.http.server_session_sharing.match", Word),
    row(9, "proxy.config.net.sock_recv_buffer_size_out", Int),
    row(10, "proxy.config.net.sock_send_buffer_size_out", Int),
    row(11, "proxy.config.net.sock_option_flag_out", Int),
    row(12, "proxy.config.http.forward.proxy_auth_to_parent", Byte),
    row(13, "proxy.config.http.anonymize_remove_from", Byte),
    row(14, "proxy.config.http.anonymize_remove_referer", Byte),
    row(15, "proxy.config.http.anonymize_remove_user_agent", Byte),
    row(16, "proxy.config.http.anonymize_remove_cookie", Byte),
    row(17, "proxy.config.http.anonymize_remove_client_ip", Byte),
    row(18, "proxy.config.http.insert_client_ip", Byte),
    row(19, "proxy.config.http.response_server_enabled", Byte),
    row(20, "proxy.config.http.insert_squid_x_forwarded_for", Byte),
    row(21, "proxy.config.http.send_http11_requests", Byte),
    row(22, "proxy.config.http.cache.http", Byte),
    row(23, "proxy.config.http.cache.ignore_client_no_cache", Byte),
    row(24, "proxy.config.http.cache.ignore_client_cc_max_age", Byte),
    row(25, "proxy.config.http.cache.ims_on_client_no_cache", Byte),
    row(26, "proxy.config.http.cache.ignore_server_no_cache", Byte),
    row(27, "proxy.config.http.cache.cache_responses_to_cookies", Byte),
    row(28, "proxy.config.http.cache.ignore_authentication", Byte),
    row(29, "proxy.config.http.cache.cache_urls_that_look_dynamic", Byte),
    row(30, "proxy.config.http.cache.required_headers", Byte),
    row(31, "proxy.config.http.insert_request_via_str", Byte),
    row(32, "proxy.config.http.insert_response_via_str", Byte),
    row(33, "proxy.config.http.cache.heuristic_min_lifetime", Int),
    row(34, "proxy.config.http.cache.heuristic_max_lifetime", Int),
    row(35, "proxy.config.http.cache.guaranteed_min_lifetime", Int),
    row(36, "proxy.config.http.cache.guaranteed_max_lifetime", Int),
    row(37, "proxy.config.http.cache.max_stale_age", Int),
    row(38, "proxy.config.http.keep_alive_no_activity_timeout_in", Int),
    row(39, "proxy.config.http.keep_alive_no_activity_timeout_out", Int),
    row(40, "proxy.config.http.transaction_no_activity_timeout_in", Int),
    row(41, "proxy.config.http.transaction_no_activity_timeout_out", Int),
    row(42, "proxy.config.http.transaction_active_timeout_out", Int),
    row(43, "proxy.config.http.connect_attempts_max_retries", Int),
    row(44, "proxy.config.http.connect_attempts_max_retries_dead_server", Int),
    row(45, "proxy.config.http.connect_attempts_rr_retries", Int),
    row(46, "proxy.config.http.connect_attempts_timeout", Int),
    row(47, "proxy.config.http.post_connect_attempts_timeout", Int),
    row(48, "proxy.config.http.down_server.cache_time", Int),
    row(49, "proxy.config.http.down_server.abort_threshold", Int),
    row(50, "proxy.config.http.doc_in_cache_skip_dns", Byte),
    row(51, "proxy.config.http.background_fill_active_timeout", Int),
    row(52, "proxy.config.http.response_server_str", ReadableText),
    row(53, "proxy.config.http.cache.heuristic_lm_factor", Float),
    row(54, "proxy.config.http.background_fill_completed_threshold", Float),
    row(55, "proxy.config.net.sock_packet_mark_out", Int),
    row(56, "proxy.config.net.sock_packet_tos_out", Int),
    row(57, "proxy.config.http.insert_age_in_response", Byte),
    row(58, "proxy.config.http.chunking.size", Int),
    row(59, "proxy.config.http.flow_control.enabled", Byte),
    row(60, "proxy.config.http.flow_control.low_water", Int),
    row(61, "proxy.config.http.flow_control.high_water", Int),
    row(62, "proxy.config.http.cache.range.lookup", Byte),
    row(63, "proxy.config.http.default_buffer_size", Int),
    row(64, "proxy.config.http.default_buffer_water_mark", Int),
    row(65, "proxy.config.http.request_header_max_size", Int),
    row(66, "proxy.config.http.response_header_max_size", Int),
    row(67, "proxy.config.http.negative_revalidating_enabled", Byte),
    row(68, "proxy.config.http.negative_revalidating_lifetime", Int),
    row(69, "proxy.config.ssl.hsts_max_age", Int),
    row(70, "proxy.config.ssl.hsts_include_subdomains", Byte),
    row(71, "proxy.config.http.cache.open_read_retry_time", Int),
    row(72, "proxy.config.http.cache.max_open_read_retries", Int),
    row(73, "proxy.config.http.cache.range.write", Byte),
    row(74, "proxy.config.http.post.check.content_length.enabled", Byte),
    row(75, "proxy.config.http.global_user_agent_header", ReadableText),
    row(76, "proxy.config.http.auth_server_session_private", Byte),
    row(77, "proxy.config.http.slow.log.threshold", Int),
    row(78, "proxy.config.http.cache.generation", Int),
    row(79, "proxy.config.body_factory.template_base", ReadableText),
    row(80, "proxy.config.http.cache.open_write_fail_action", Byte),
    row(81, "proxy.config.http.number_of_redirections", Int),
    row(82, "proxy.config.http.cache.max_open_write_retries", Int),
    row(83, "proxy.config.http.redirect_use_orig_cache_key", Byte),
    row(84, "proxy.config.http.attach_server_session_to_client", Byte),
    row(85, "proxy.config.websocket.no_activity_timeout", Int),
    row(86, "proxy.config.websocket.active_timeout", Int),
    row(87, "proxy.config.http.uncacheable_requests_bypass_parent", Byte),
    row(88, "proxy.config.http.parent_proxy.total_connect_attempts", Int),
    row(89, "proxy.config.http.transaction_active_timeout_in", Int),
    row(90, "proxy.config.srv_enabled", Byte),
    row(91, "proxy.config.http.forward_connect_method", Byte),
    row(92, "proxy.config.ssl.client.cert.filename", Text),
    row(93, "proxy.config.ssl.client.cert.path", Text),
    row(94, "proxy.config.http.parent_proxy.mark_down_hostdb", Byte),
    row(95, "proxy.config.http.cache.ignore_accept_mismatch", Byte),
    row(96, "proxy.config.http.cache.ignore_accept_language_mismatch", Byte),
    row(97, "proxy.config.http.cache.ignore_accept_encoding_mismatch", Byte),
    row(98, "proxy.config.http.cache.ignore_accept_charset_mismatch", Byte),
    row(99, "proxy.config.http.parent_proxy.fail_threshold", Int),
    row(100, "proxy.config.http.parent_proxy.retry_time", Int),
    row(101, "proxy.config.http.parent_proxy.per_parent_connect_attempts", Int),
    row(102, "proxy.config.http.parent_proxy.connect_attempts_timeout", Int),
    row(103, "proxy.config.http.normalize_ae", Byte),
    row(104, "proxy.config.http.insert_forwarded", Text),
    row(105, "proxy.config.http.proxy_protocol_out", Int),
    row(106, "proxy.config.http.allow_multi_range", Byte),
    row(107, "proxy.config.http.request_buffer_enabled", Byte),
    row(108, "proxy.config.http.allow_half_open", Byte),
    row(109, "proxy.config.http.per_server.connection.min", Int),
    row(110, "proxy.config.http.per_server.connection.max", Int),
    row(111, "proxy.config.http.per_server.connection.match", Int),
    row(113, "proxy.config.ssl.client.verify.server.policy", Text),
    row(114, "proxy.config.ssl.client.verify.server.properties", Text),
    row(115, "proxy.config.ssl.client.sni_policy", Text),
    row(116, "proxy.config.ssl.client.private_key.filename", Text),
    row(117, "proxy.config.ssl.client.CA.cert.filename", Text),
    row(118, "proxy.config.hostdb.ip_resolve", ReadableText),
    row(119, "proxy.config.http.connect.dead.policy", Int),
    row(120, "proxy.config.http.max_proxy_cycles", Int),
    row(121, "proxy.config.plugin.vc.default_buffer_index", Int),
    row(122, "proxy.config.plugin.vc.default_buffer_water_mark", Int),
    row(123, "proxy.config.net.sock_notsent_lowat", Int),
    row(124, "proxy.config.body_factory.response_suppression_mode", Byte),
    row(125, "proxy.config.http.parent_proxy.enable_parent_timeout_markdowns", Byte),
    row(126, "proxy.config.http.parent_proxy.disable_parent_markdowns", Byte),
    row(127, "proxy.config.http.drop_chunked_trailers", Byte),
    row(128, "proxy.config.http.strict_chunk_parsing", Byte),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_names_are_found() {
        assert!(TABLE.windows(2).all(|pair| pair[0].key < pair[1].key));
        assert_eq!(TABLE.last().map(|row| row.key), Some(128));
        assert_eq!(find(b"proxy.config.http.cache.http").map(|row| row.key), Some(22));
        assert_eq!(by_key(53).map(|row| row.storage), Some(Float));
        assert!(by_key(112).is_none() && by_key(-1).is_none() && by_key(129).is_none());
        assert!(find(b"proxy.config.http.server_ports").is_none());
    }

    #[test]
    fn keys_are_those_of_the_servers_own_records() {
        for row in TABLE {
            if let Some(id) = tollgate_config::records::find(row.name) {
                assert_eq!(id.def().override_key.map(i32::from), Some(row.key), "{}", row.name);
            }
        }
        for def in tollgate_config::records::defs() {
            if let Some(key) = def.override_key {
                assert_eq!(by_key(key.into()).map(|row| row.name), Some(def.name));
            }
        }
    }

    #[test]
    fn every_overridable_record_of_caching_is_read() {
        let is_of_caching = |name: &str| {
            ["cache.", "negative_"]
                .iter()
                .any(|start| name.starts_with(&format!("proxy.config.http.{start}")))
        };
        let unknown = |row: &&Overridable| tollgate_config::records::find(row.name).is_none();
        let names: Vec<&str> =
            TABLE.iter().filter(|row| is_of_caching(row.name)).filter(unknown).map(|row| row.name).collect();
        assert_eq!(names, [""; 0]);
    }

    #[test]
    fn integers_are_cut_to_their_storage() {
        assert_eq!(Byte.stored(257), Some(1));
        assert_eq!(Int.stored(257), Some(257));
        assert_eq!(Float.stored(1), None);
    }
}
