//! What this folder gives to C, by name.

use super::{args, configs, files, hosts, logs, matcher, places, records, stats, tags};

/// Name and address.
pub type Symbol = (&'static str, *const ());

macro_rules! functions {
    ($($module:ident: $($name:ident)+;)+) => {
        /// Every function, so that a list for the linker and tests can be made of them.
        pub fn symbols() -> Vec<Symbol> {
            vec![$($((stringify!($name), $module::$name as *const ()),)+)+]
        }
    };
}

functions! {
    args: TSUserArgIndexReserve TSUserArgIndexNameLookup TSUserArgIndexLookup TSUserArgGet TSUserArgSet TSHttpTxnArgIndexReserve TSHttpTxnArgIndexNameLookup TSHttpTxnArgIndexLookup TSHttpTxnArgGet TSHttpTxnArgSet TSHttpSsnArgIndexReserve TSHttpSsnArgIndexNameLookup TSHttpSsnArgIndexLookup TSHttpSsnArgGet TSHttpSsnArgSet TSVConnArgIndexReserve TSVConnArgIndexNameLookup TSVConnArgIndexLookup TSVConnArgGet TSVConnArgSet;
    configs: TSConfigSet TSConfigGet TSConfigRelease TSConfigDataGet;
    files: TSfopen TSfclose TSfflush TSfread TSfwrite TSfgets;
    hosts: TSHostStatusGet TSHostStatusSet TSHostnameIsSelf TSIpStringToAddr;
    logs: TSTextLogObjectCreate TSTextLogObjectFlush TSTextLogObjectDestroy TSTextLogObjectHeaderSet TSTextLogObjectRollingEnabledSet TSTextLogObjectRollingIntervalSecSet TSTextLogObjectRollingOffsetHrSet TSTextLogObjectRollingSizeMbSet;
    matcher: TSMatcherReadIntoBuffer TSMatcherTokLine TSMatcherExtractIPRange TSMatcherLineCreate TSMatcherLineDestroy TSMatcherParseSrcIPConfigLine TSMatcherLineName TSMatcherLineValue;
    places: TSInstallDirGet TSConfigDirGet TSRuntimeDirGet TSPluginDirGet TSTrafficServerVersionGet TSTrafficServerVersionGetMajor TSTrafficServerVersionGetMinor TSTrafficServerVersionGetPatch TShrtime TSrandom TSdrandom;
    records: TSMgmtIntGet TSMgmtCounterGet TSMgmtFloatGet TSMgmtStringGet TSMgmtDataTypeGet TSMgmtSourceGet TSMgmtIntCreate TSMgmtStringCreate TSMgmtConfigIntSet TSMgmtConfigFileAdd TSMgmtUpdateRegister TSHttpTxnConfigFind TSRecordDump;
    stats: TSStatCreate TSStatFindName TSStatIntIncrement TSStatIntDecrement TSStatIntGet TSStatIntSet;
    tags: TSNormalizedProtocolTag TSRegisterProtocolTag;
}
