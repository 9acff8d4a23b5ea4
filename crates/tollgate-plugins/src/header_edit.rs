//! `header-edit EDIT...`: sets, adds and removes header fields of responses and requests.
//!
//! Shows how to be fast: everything that can be done when the configuration is read is done there. The edits are
//! parsed once into a list that all transactions share; a transaction only walks it. Names are kept in the form in
//! which a header block finds them fastest.
//!
//! | edit | does |
//! |---|---|
//! | `set:NAME=VALUE` | the first field of that name gets the value, others of that name go |
//! | `add:NAME=VALUE` | appends a field, whatever is there |
//! | `remove:NAME` | removes all fields of that name |
//! | `request:` before any of these | edits the client's request instead of the response |
//!
//! Responses are edited at SEND_RESPONSE_HDR: the cache stores them unedited. Requests are edited at once, by a remap
//! rule when it matches, by a line of plugin.config at READ_REQUEST_HDR. Edits are made in the order given.
//!
//! ```text
//! remap.config:   map / http://127.0.0.1:3000/ @plugin=header-edit @pparam=set:Server=web @pparam=remove:X-Powered-By
//! plugin.config:  header-edit "request:set:X-Proxy=tollgate" remove:X-Debug
//! ```

use crate::field::{self, Name};
use std::sync::Arc;
use tollgate_http::HeaderBlock;
use tollgate_plugin::{
    Outcome, Plugin, PluginError, PluginFactory, Registrar, RemapInstance, RemapStatus, Transaction, hooks,
};

const NAME: &str = "header-edit";

/// Makes `header-edit` plugins.
#[derive(Debug)]
pub struct HeaderEditFactory;

impl PluginFactory for HeaderEditFactory {
    fn name(&self) -> &str {
        NAME
    }

    fn doc(&self) -> &str {
        "Edits fields of responses or requests: header-edit [request:]set:NAME=VALUE|add:NAME=VALUE|remove:NAME ..."
    }

    fn global(&self, args: &[String]) -> Result<Box<dyn Plugin>, PluginError> {
        Ok(Box::new(HeaderEdit::parse(args)?))
    }

    fn remap(
        &self,
        _from: &str,
        _to: &str,
        params: &[String],
    ) -> Result<Box<dyn RemapInstance>, PluginError> {
        Ok(Box::new(HeaderEdit::parse(params)?))
    }
}

/// One edit.
#[derive(Debug, PartialEq, Eq)]
enum Edit {
    Set(Name, Box<str>),
    Add(Name, Box<str>),
    Remove(Name),
}

impl Edit {
    /// `set:NAME=VALUE`, `add:NAME=VALUE` or `remove:NAME`.
    fn parse(text: &str) -> Result<Edit, PluginError> {
        let (verb, field) = text.split_once(':').unwrap_or((text, ""));
        match (verb, field.split_once('=')) {
            ("set", Some((name, value))) => Ok(Edit::Set(Name::parse(name)?, field::parse_value(value)?)),
            ("add", Some((name, value))) => Ok(Edit::Add(Name::parse(name)?, field::parse_value(value)?)),
            ("remove", None) => Ok(Edit::Remove(Name::parse(field)?)),
            _ => Err(PluginError::new("not an edit")),
        }
    }

    #[inline]
    fn apply(&self, headers: &mut HeaderBlock) {
        match self {
            Edit::Set(name, value) => headers.set(name.as_field(), value.as_bytes()),
            Edit::Add(name, value) => headers.append(name.as_field(), value.as_bytes()),
            Edit::Remove(name) => {
                headers.remove(name.as_field());
            }
        }
    }
}

/// Edits in their order.
type Edits = Arc<[Edit]>;

fn apply(edits: &[Edit], headers: &mut HeaderBlock) {
    edits.iter().for_each(|edit| edit.apply(headers));
}

struct HeaderEdit {
    request: Edits,
    response: Edits,
}

impl HeaderEdit {
    fn parse(args: &[String]) -> Result<HeaderEdit, PluginError> {
        let (mut request, mut response) = (Vec::new(), Vec::new());
        for arg in args {
            let (list, text) = match arg.strip_prefix("request:") {
                Some(text) => (&mut request, text),
                None => (&mut response, arg.as_str()),
            };
            list.push(Edit::parse(text).map_err(|error| explain(arg, &error))?);
        }
        if args.is_empty() {
            return Err(PluginError::new(format!(
                "{NAME} needs at least one edit, for example set:Server=web"
            )));
        }
        Ok(HeaderEdit { request: request.into(), response: response.into() })
    }

    /// The handler for SEND_RESPONSE_HDR at either scope: one more owner of the list.
    fn edit_response(&self) -> impl Fn(&mut Transaction) -> Outcome + Send + Sync + 'static {
        let edits = Arc::clone(&self.response);
        move |txn| {
            apply(&edits, &mut txn.proxy_response_mut().headers);
            Outcome::Continue
        }
    }
}

fn explain(arg: &str, error: &PluginError) -> PluginError {
    PluginError::new(format!(
        "{NAME}: argument {arg:?}: {error}; write set:NAME=VALUE, add:NAME=VALUE or remove:NAME, with request: before \
         it to edit the request"
    ))
}

impl Plugin for HeaderEdit {
    fn name(&self) -> &str {
        NAME
    }

    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
        // A hook point without handlers costs nothing: nothing is registered for an empty list.
        if !self.request.is_empty() {
            let edits = Arc::clone(&self.request);
            registrar.on(hooks::ReadRequestHdr, move |txn| {
                apply(&edits, &mut txn.client_request.headers);
                Outcome::Continue
            });
        }
        if !self.response.is_empty() {
            registrar.on(hooks::SendResponseHdr, self.edit_response());
        }
        Ok(())
    }
}

impl RemapInstance for HeaderEdit {
    fn remap(&self, txn: &mut Transaction) -> RemapStatus {
        if !self.response.is_empty() {
            txn.add_hook(hooks::SendResponseHdr, NAME, self.edit_response());
        }
        if self.request.is_empty() {
            return RemapStatus::NoRemap;
        }
        apply(&self.request, &mut txn.client_request.headers);
        RemapStatus::DidRemap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{args, refused, server, text};
    use tollgate_http::{Response, names};
    use tollgate_plugin::TransactionHook::{ReadRequestHdr, SendResponseHdr};

    const EDITS: [&str; 5] = [
        "set:X-Add-1=one",
        "add:X-Add-2=a=b",
        "remove:X-Junk",
        "request:set:User-Agent=t",
        "request:remove:Cookie",
    ];

    fn response() -> Response {
        let mut response = Response::new(200);
        for (name, value) in [("X-Junk", "1"), ("x-add-1", "old"), ("X-Add-2", "kept"), ("X-JUNK", "2")] {
            response.headers.append(name, value);
        }
        response
    }

    const EDITED: &str = "x-add-1: one\r\nX-Add-2: kept\r\nX-Add-2: a=b\r\n";

    #[test]
    fn global_plugin_edits_requests_and_responses() {
        let server = server(&HeaderEditFactory, &EDITS);
        let mut txn = server.transaction("GET", "http://h/");
        txn.client_request.headers.append("Cookie", "c");
        server.fire(ReadRequestHdr, &mut txn);
        assert_eq!(text(&txn.client_request.headers), "Host: h\r\nUser-Agent: t\r\n");
        txn.proxy_response = Some(Box::new(response()));
        assert!(matches!(server.fire(SendResponseHdr, &mut txn), Outcome::Continue));
        assert_eq!(text(&txn.proxy_response_mut().headers), EDITED);
    }

    #[test]
    fn remap_instance_edits_the_request_at_once_and_the_response_later() {
        let server = server(&crate::null_transform::NullTransformFactory, &[]);
        let instance = HeaderEditFactory.remap("", "", &args(&EDITS)).expect("good edits");
        let mut txn = server.transaction("GET", "http://h/");
        assert_eq!(instance.remap(&mut txn), RemapStatus::DidRemap);
        assert_eq!(text(&txn.client_request.headers), "Host: h\r\nUser-Agent: t\r\n");
        txn.proxy_response = Some(Box::new(response()));
        server.fire(SendResponseHdr, &mut txn);
        assert_eq!(text(&txn.proxy_response_mut().headers), EDITED);
    }

    #[test]
    fn no_handler_without_an_edit_for_it() {
        let server = server(&HeaderEditFactory, &["request:remove:Cookie"]);
        let mut txn = server.transaction("GET", "http://h/");
        assert!(!txn.has_handlers(SendResponseHdr));
        let instance =
            HeaderEditFactory.remap("", "", &args(&["request:remove:Cookie"])).expect("good edits");
        instance.remap(&mut txn);
        assert!(!txn.has_handlers(SendResponseHdr));
        let instance = HeaderEditFactory.remap("", "", &args(&["remove:X"])).expect("good edits");
        assert_eq!(instance.remap(&mut txn), RemapStatus::NoRemap);
        assert!(txn.has_handlers(SendResponseHdr));
    }

    #[test]
    fn edits_are_parsed_once() {
        let known = Name::Known(names::SERVER);
        assert_eq!(Edit::parse("set:server= a "), Ok(Edit::Set(known.clone(), "a".into())));
        assert_eq!(Edit::parse("add:Server="), Ok(Edit::Add(known.clone(), "".into())));
        assert_eq!(Edit::parse("remove:SERVER"), Ok(Edit::Remove(known)));
    }

    #[test]
    fn malformed_edits_are_refused_by_name() {
        assert!(refused(&HeaderEditFactory, &[]).contains("at least one edit"));
        for bad in [
            "",
            "X=1",
            "set:X",
            "remove:X=1",
            "remove:",
            "replace:X=1",
            "set:X Y=1",
            "set:X=1\n",
            "request:",
            "request:X",
        ] {
            let error = refused(&HeaderEditFactory, &["add:Good=1", bad]);
            assert!(error.contains(&format!("argument {bad:?}")) && error.contains("write set:"), "{error}");
        }
        assert!(refused(&HeaderEditFactory, &["set:Content-Length=1"]).contains("set by the proxy"));
    }
}
