//! RFC 9111 rules, cache key, alternates, collapse, RAM store.
