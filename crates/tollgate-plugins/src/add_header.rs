//! `add-header NAME VALUE`: adds a field to every response.
//!
//! The smallest useful plugin, and the one to read first. Three things make a plugin:
//! * a [`PluginFactory`], which the server knows by its name and which checks the arguments of a configuration line;
//! * a [`Plugin`], made once per line of plugin.config: it registers handlers for all transactions;
//! * optionally a [`RemapInstance`], made once per `@plugin=` of a remap rule: it is asked only for requests that
//!   match the rule, and adds handlers to that one transaction.
//!
//! Responses reach clients through SEND_RESPONSE_HDR whether they come from the origin, the cache or the proxy, so
//! that is where the field is added. What is changed there is never stored.
//!
//! ```text
//! plugin.config:  add-header X-Served-By "tollgate in Oslo"
//! remap.config:   map http://a.example/ http://10.0.0.1/ @plugin=add-header @pparam=X-Site @pparam=a
//! ```

use crate::field::{self, Name};
use std::sync::Arc;
use tollgate_plugin::{
    Outcome, Plugin, PluginError, PluginFactory, Registrar, RemapInstance, RemapStatus, Transaction, hooks,
};

const NAME: &str = "add-header";

/// Makes `add-header` plugins.
#[derive(Debug)]
pub struct AddHeaderFactory;

impl PluginFactory for AddHeaderFactory {
    fn name(&self) -> &str {
        NAME
    }

    fn doc(&self) -> &str {
        "Adds the field NAME with VALUE to responses: add-header NAME VALUE."
    }

    fn global(&self, args: &[String]) -> Result<Box<dyn Plugin>, PluginError> {
        Ok(Box::new(AddHeader::parse(args)?))
    }

    fn remap(
        &self,
        _from: &str,
        _to: &str,
        params: &[String],
    ) -> Result<Box<dyn RemapInstance>, PluginError> {
        Ok(Box::new(AddHeader::parse(params)?))
    }
}

/// The plugin and the remap instance are the same: a field.
struct AddHeader(Arc<(Name, Box<str>)>);

impl AddHeader {
    fn parse(args: &[String]) -> Result<AddHeader, PluginError> {
        let [name, value] = args else {
            return Err(PluginError::new(format!(
                "{NAME} takes NAME and VALUE (arguments given: {}): put a value with spaces in quotes",
                args.len()
            )));
        };
        Ok(AddHeader(Arc::new((Name::parse(name)?, field::parse_value(value)?))))
    }

    /// The handler, for either scope. Handlers are shared by all event threads, so they own what they need or share
    /// it by `Arc`.
    fn handler(&self) -> impl Fn(&mut Transaction) -> Outcome + Send + Sync + 'static {
        let field = Arc::clone(&self.0);
        move |txn| {
            let (name, value) = &*field;
            txn.proxy_response_mut().headers.append(name.as_field(), value.as_bytes());
            Outcome::Continue
        }
    }
}

impl Plugin for AddHeader {
    fn name(&self) -> &str {
        NAME
    }

    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
        registrar.on(hooks::SendResponseHdr, self.handler());
        Ok(())
    }
}

impl RemapInstance for AddHeader {
    fn remap(&self, txn: &mut Transaction) -> RemapStatus {
        txn.add_hook(hooks::SendResponseHdr, NAME, self.handler());
        RemapStatus::NoRemap
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{args, refused, server, text};
    use tollgate_http::Response;
    use tollgate_plugin::TransactionHook;

    #[test]
    fn field_is_added_beside_those_of_the_same_name() {
        let server = server(&AddHeaderFactory, &["X-Tag", "two words"]);
        let mut txn = server.transaction("GET", "http://example.com/");
        txn.proxy_response = Some(Box::new(Response::new(200)));
        txn.proxy_response_mut().headers.append("X-Tag", "origin");
        assert!(matches!(server.fire(TransactionHook::SendResponseHdr, &mut txn), Outcome::Continue));
        assert_eq!(text(&txn.proxy_response_mut().headers), "X-Tag: origin\r\nX-Tag: two words\r\n");
    }

    #[test]
    fn remap_instance_adds_only_to_transactions_of_its_rule() {
        let instance = AddHeaderFactory
            .remap("http://a/", "http://b/", &args(&["X-Site", "a"]))
            .expect("good arguments");
        let server = server(&crate::null_transform::NullTransformFactory, &[]);
        let mut matching = server.transaction("GET", "http://a/");
        assert_eq!(instance.remap(&mut matching), RemapStatus::NoRemap);
        server.fire(TransactionHook::SendResponseHdr, &mut matching);
        assert_eq!(text(&matching.proxy_response_mut().headers), "X-Site: a\r\n");
        let mut other = server.transaction("GET", "http://c/");
        server.fire(TransactionHook::SendResponseHdr, &mut other);
        assert_eq!(text(&other.proxy_response_mut().headers), "");
    }

    #[test]
    fn bad_arguments_are_refused() {
        assert!(refused(&AddHeaderFactory, &["X-Tag"]).contains("takes NAME and VALUE (arguments given: 1)"));
        assert!(refused(&AddHeaderFactory, &["X Tag", "1"]).contains("cannot be a field name"));
        assert!(refused(&AddHeaderFactory, &["X-Tag", "1\r\n2"]).contains("cannot be a field value"));
    }
}
