//! Event threads, sockets, timers, DNS, task threads.
