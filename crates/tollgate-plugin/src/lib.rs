//! The native plugin contract.
