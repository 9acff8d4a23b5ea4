//! Sessions, transactions, next hop, origin pools, tunnels.
