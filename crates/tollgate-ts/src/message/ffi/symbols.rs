//! What this folder gives to C, by name.

use super::constants::CONSTANTS;
use super::{buffers, encode, fields, headers, parsers, urls, uuids, values};

/// Name and address.
pub type Symbol = (&'static str, *const ());

macro_rules! functions {
    ($($module:ident: $($name:ident)+;)+) => {
        /// Every function and variable, so that a list for the linker and tests can be made of them.
        pub fn symbols() -> Vec<Symbol> {
            let mut out = vec![$($((stringify!($name), $module::$name as *const ()),)+)+];
            out.extend_from_slice(CONSTANTS);
            out
        }
    };
}

functions! {
    uuids: TSUuidCreate TSUuidDestroy TSUuidCopy TSUuidInitialize TSUuidStringParse TSUuidStringGet TSUuidVersionGet TSProcessUuidGet;
    buffers: TSMBufferCreate TSMBufferDestroy TSHandleMLocRelease;
    fields: TSMimeHdrCreate TSMimeHdrDestroy TSMimeHdrClone TSMimeHdrCopy TSMimeHdrPrint TSMimeHdrLengthGet TSMimeHdrFieldsClear TSMimeHdrFieldsCount TSMimeHdrFieldEqual TSMimeHdrFieldGet TSMimeHdrFieldFind TSMimeHdrFieldAppend TSMimeHdrFieldRemove TSMimeHdrFieldDestroy TSMimeHdrFieldCreate TSMimeHdrFieldCreateNamed TSMimeHdrFieldCopy TSMimeHdrFieldClone TSMimeHdrFieldCopyValues TSMimeHdrFieldNext TSMimeHdrFieldNextDup TSMimeHdrFieldLengthGet TSMimeHdrFieldNameGet TSMimeHdrFieldNameSet;
    values: TSMimeHdrFieldValuesClear TSMimeHdrFieldValuesCount TSMimeHdrFieldValueStringGet TSMimeHdrFieldValueAppend TSMimeHdrFieldValueDelete TSMimeHdrFieldValueStringSet TSMimeHdrFieldValueStringInsert TSMimeHdrFieldValueDateGet TSMimeHdrFieldValueDateSet TSMimeHdrFieldValueDateInsert TSMimeParseDate TSMimeFormatDate TSMimeHdrFieldValueIntGet TSMimeHdrFieldValueUintGet TSMimeHdrFieldValueInt64Get TSMimeHdrFieldValueIntSet TSMimeHdrFieldValueUintSet TSMimeHdrFieldValueInt64Set TSMimeHdrFieldValueIntInsert TSMimeHdrFieldValueUintInsert;
    headers: TSHttpHdrCreate TSHttpHdrDestroy TSHttpHdrClone TSHttpHdrCopy TSHttpHdrPrint TSHttpHdrLengthGet TSHttpHdrTypeGet TSHttpHdrTypeSet TSHttpHdrVersionGet TSHttpHdrVersionSet TSHttpHdrUrlGet TSHttpHdrUrlSet TSHttpHdrStatusGet TSHttpHdrStatusSet TSHttpHdrReasonLookup TSHttpHdrMethodGet TSHttpHdrHostGet TSHttpHdrReasonGet TSHttpHdrMethodSet TSHttpHdrReasonSet;
    urls: TSUrlCreate TSUrlClone TSUrlCopy TSUrlPrint TSUrlParse TSUrlLengthGet TSUrlStringGet TSUrlSchemeGet TSUrlPortGet TSUrlRawPortGet TSUrlPortSet TSUrlFtpTypeGet TSUrlFtpTypeSet TSUrlPercentEncode TSUrlRawSchemeGet TSUrlSchemeSet TSUrlUserGet TSUrlUserSet TSUrlPasswordGet TSUrlPasswordSet TSUrlHostGet TSUrlHostSet TSUrlPathGet TSUrlPathSet TSUrlHttpParamsGet TSUrlHttpParamsSet TSUrlHttpQueryGet TSUrlHttpQuerySet TSUrlHttpFragmentGet TSUrlHttpFragmentSet;
    encode: TSStringPercentEncode TSStringPercentDecode TSBase64Encode TSBase64Decode;
    parsers: TSHttpParserCreate TSHttpParserClear TSHttpParserDestroy TSMimeParserCreate TSMimeParserClear TSMimeParserDestroy TSHttpHdrParseReq TSHttpHdrParseResp TSMimeHdrParse;
}
