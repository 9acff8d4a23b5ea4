//! `null-transform [request]`: passes bodies through a transform that changes nothing.
//!
//! Shows what a transform is: something that is asked for the next piece of its output and asks its input in turn.
//! Nobody pushes, so a slow client slows the origin down without any buffer in between. Useful to see what the
//! machinery costs.
//!
//! A response transform is added at READ_RESPONSE_HDR, when it is known what the origin answered and before it is
//! decided what is stored: the cache stores the output, so a hit does not pass through here. A request transform is
//! added as soon as the request header is known.
//!
//! ```text
//! plugin.config:  null-transform request
//! ```

use bytes::Bytes;
use tollgate_plugin::{
    Body, BodyError, BodyTransform, LocalBoxFuture, Outcome, Plugin, PluginError, PluginFactory, Registrar,
    hooks,
};

const NAME: &str = "null-transform";

/// Makes `null-transform` plugins.
#[derive(Debug)]
pub struct NullTransformFactory;

impl PluginFactory for NullTransformFactory {
    fn name(&self) -> &str {
        NAME
    }

    fn doc(&self) -> &str {
        "Passes response bodies, with the argument `request` request bodies too, through a transform unchanged."
    }

    fn global(&self, args: &[String]) -> Result<Box<dyn Plugin>, PluginError> {
        let with_requests = match args {
            [] => false,
            [word] if word == "request" => true,
            _ => {
                return Err(PluginError::new(format!(
                    "{NAME} takes no argument or the word `request`, not {:?}",
                    args.join(" ")
                )));
            }
        };
        Ok(Box::new(NullTransform { with_requests }))
    }
}

struct NullTransform {
    with_requests: bool,
}

impl Plugin for NullTransform {
    fn name(&self) -> &str {
        NAME
    }

    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
        if self.with_requests {
            registrar.on(hooks::ReadRequestHdr, |txn| {
                txn.add_request_transform(Unchanged);
                Outcome::Continue
            });
        }
        registrar.on(hooks::ReadResponseHdr, |txn| {
            txn.add_response_transform(Unchanged);
            Outcome::Continue
        });
        Ok(())
    }
}

/// The transform: its output is its input.
struct Unchanged;

impl BodyTransform for Unchanged {
    fn next<'a>(
        &'a mut self,
        input: &'a mut dyn Body,
    ) -> LocalBoxFuture<'a, Result<Option<Bytes>, BodyError>> {
        input.next()
    }

    fn output_length(&self, input_length: Option<u64>) -> Option<u64> {
        input_length
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pieces, refused, server};
    use tollgate_plugin::TransactionHook::{ReadRequestHdr, ReadResponseHdr};

    #[test]
    fn response_bodies_pass_unchanged() {
        let server = server(&NullTransformFactory, &[]);
        let mut txn = server.transaction("POST", "http://h/");
        server.fire(ReadRequestHdr, &mut txn);
        server.fire(ReadResponseHdr, &mut txn);
        assert!(!txn.has_request_transforms());
        let mut transforms = txn.take_response_transforms();
        assert_eq!(transforms.len(), 1);
        assert_eq!(pieces(&mut *transforms[0], &["a", "bc"]), Ok(vec!["a".into(), "bc".into()]));
        assert_eq!(transforms[0].output_length(Some(3)), Some(3));
        assert_eq!(transforms[0].output_length(None), None);
    }

    #[test]
    fn request_bodies_pass_through_when_asked_for() {
        let server = server(&NullTransformFactory, &["request"]);
        let mut txn = server.transaction("POST", "http://h/");
        server.fire(ReadRequestHdr, &mut txn);
        assert_eq!(txn.take_request_transforms().len(), 1);
    }

    #[test]
    fn a_fault_of_the_input_is_passed_on() {
        struct Broken;
        impl Body for Broken {
            fn next(&mut self) -> LocalBoxFuture<'_, Result<Option<Bytes>, BodyError>> {
                Box::pin(async { Err(BodyError::Truncated) })
            }
        }
        let end = tollgate_plugin::mock::run_to_end(Unchanged.next(&mut Broken));
        assert_eq!(end, Err(BodyError::Truncated));
    }

    #[test]
    fn other_arguments_are_refused() {
        assert!(refused(&NullTransformFactory, &["response"]).contains("not \"response\""));
    }
}
