//! What the unit tests of this crate share.

use bytes::Bytes;
use std::collections::VecDeque;
use tollgate_http::HeaderBlock;
use tollgate_plugin::mock::{MockServer, run_to_end};
use tollgate_plugin::{BodyError, BodyTransform, PluginFactory};

/// Arguments as the configuration gives them.
pub(crate) fn args(args: &[&str]) -> Vec<String> {
    args.iter().map(ToString::to_string).collect()
}

/// A server with the plugin that `factory` makes of `list`.
pub(crate) fn server(factory: &dyn PluginFactory, list: &[&str]) -> MockServer {
    let plugin = factory.global(&args(list)).expect("good arguments");
    MockServer::with(&*plugin).expect("registers")
}

/// The error for `list`.
pub(crate) fn refused(factory: &dyn PluginFactory, list: &[&str]) -> String {
    factory.global(&args(list)).err().expect("bad arguments").to_string()
}

/// The fields as they would be sent.
pub(crate) fn text(headers: &HeaderBlock) -> String {
    let mut out = Vec::new();
    headers.write_to(&mut out);
    String::from_utf8(out).expect("text")
}

/// What a transform makes of `pieces`, piece by piece.
pub(crate) fn pieces(transform: &mut dyn BodyTransform, pieces: &[&str]) -> Result<Vec<Bytes>, BodyError> {
    let mut input: VecDeque<Bytes> = pieces.iter().map(|p| Bytes::copy_from_slice(p.as_bytes())).collect();
    let mut output = Vec::new();
    while let Some(piece) = run_to_end(transform.next(&mut input))? {
        output.push(piece);
    }
    Ok(output)
}
