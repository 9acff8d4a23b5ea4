//! Records, remap.config and the other configuration files, as immutable generations.
