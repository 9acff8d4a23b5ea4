//! Remap plugins.

use crate::Transaction;

/// One occurrence of a remap plugin in a rule (TSRemapNewInstance). Dropped when the last transaction that uses its
/// configuration generation has ended.
pub trait RemapInstance: Send + Sync {
    /// Called when the rule matched; the client request's URL is already the rule's target (TSRemapDoRemap).
    fn remap(&self, txn: &mut Transaction) -> RemapStatus;
}

/// What a remap plugin did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemapStatus {
    /// Nothing (TSREMAP_NO_REMAP).
    NoRemap,
    /// Changed the request (TSREMAP_DID_REMAP).
    DidRemap,
    /// Nothing, and no further plugin of the rule may run (TSREMAP_NO_REMAP_STOP).
    NoRemapStop,
    /// Changed the request, and no further plugin of the rule may run (TSREMAP_DID_REMAP_STOP).
    DidRemapStop,
    /// The client request's URL is to be sent as the Location of a redirect with this status.
    Redirect(u16),
    /// Something went wrong; logged and treated as [`RemapStatus::NoRemap`] (TSREMAP_ERROR).
    Error,
}

impl RemapStatus {
    /// Whether the rule's remaining plugins are left out.
    pub fn stops(self) -> bool {
        matches!(self, RemapStatus::NoRemapStop | RemapStatus::DidRemapStop | RemapStatus::Redirect(_))
    }
}
