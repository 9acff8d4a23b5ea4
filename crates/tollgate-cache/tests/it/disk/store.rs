//! Objects of the cache on the disk.
