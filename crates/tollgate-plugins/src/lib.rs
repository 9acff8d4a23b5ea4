//! Native plugins shipped with Tollgate.
//!
//! Responsible for: a few plugins that are useful as they are and show, one file each, how a plugin is written:
//! start with [`add_header`]; [`async_auth`] and [`append_transform`] show waiting and bodies.
//! Not responsible for: the contract (`tollgate-plugin`), finding and loading plugins (the server).
//! Entry point: [`factories`].
//! Invariants: every argument is checked when the configuration is read; nothing here can fail later because of one.
#![forbid(unsafe_code)]

pub mod add_header;
pub mod append_transform;
pub mod async_auth;
pub mod denylist;
mod field;
pub mod header_edit;
pub mod hook_trace;
pub mod null_transform;
pub mod request_id;
pub mod static_intercept;
#[cfg(test)]
mod testing;

use tollgate_plugin::PluginFactory;

/// All plugins of this crate, as the server knows them: each has its name and a sentence about it.
pub fn factories() -> Vec<Box<dyn PluginFactory>> {
    vec![
        Box::new(add_header::AddHeaderFactory),
        Box::new(append_transform::AppendTransformFactory),
        Box::new(async_auth::AsyncAuthFactory),
        Box::new(denylist::DenylistFactory),
        Box::new(header_edit::HeaderEditFactory),
        Box::new(hook_trace::HookTraceFactory),
        Box::new(null_transform::NullTransformFactory),
        Box::new(request_id::RequestIdFactory),
        Box::new(static_intercept::StaticInterceptFactory),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sorted() {
        let factories = factories();
        let names: Vec<&str> = factories.iter().map(|f| f.name()).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    }

    #[test]
    fn each_doc_is_one_sentence() {
        for factory in factories() {
            let doc = factory.doc();
            assert!(doc.ends_with('.') && doc.matches(". ").count() == 0, "{}: {doc}", factory.name());
        }
    }

    #[test]
    fn surplus_arguments_are_refused_with_the_plugins_name() {
        let surplus: Vec<String> = (0..9).map(|i| format!("/surplus {i}")).collect();
        for factory in factories() {
            let error = factory.global(&surplus).err().map(|error| error.to_string());
            assert!(error.as_ref().is_some_and(|e| e.starts_with(factory.name())), "{error:?}");
        }
    }
}
