//! Reading records from files, environment and command line.
