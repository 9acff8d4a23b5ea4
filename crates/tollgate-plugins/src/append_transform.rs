//! `append-transform TEXT`: appends TEXT to HTML and plain text pages.
//!
//! Shows a transform that changes the length of a body. At READ_RESPONSE_HDR the handler looks at the origin's
//! response header and decides whether the body is one to append to:
//! * a whole 200 response of type text/html or text/plain;
//! * not compressed, or the text would land behind the compressed data;
//! * not marked `Cache-Control: no-transform`, which forbids changes on the way (RFC 9110 §7.7).
//!
//! The transform hands on what it gets and adds the text at the end of its input. It says how long its output will be
//! when the input's length is known, so the response keeps a Content-Length; otherwise it is sent chunked. The cache
//! stores the output.
//! (LIMIT: a range that the origin itself cut out of a page, 206, is passed on as it is.)
//!
//! ```text
//! plugin.config:  append-transform "<!-- served by tollgate -->"
//! ```

use bytes::Bytes;
use tollgate_http::{Response, list, names};
use tollgate_plugin::{
    Body, BodyError, BodyTransform, LocalBoxFuture, Outcome, Plugin, PluginError, PluginFactory, Registrar,
    Transaction, hooks,
};

const NAME: &str = "append-transform";

/// Makes `append-transform` plugins.
#[derive(Debug)]
pub struct AppendTransformFactory;

impl PluginFactory for AppendTransformFactory {
    fn name(&self) -> &str {
        NAME
    }

    fn doc(&self) -> &str {
        "Appends TEXT to bodies of type text/html and text/plain: append-transform TEXT."
    }

    fn global(&self, args: &[String]) -> Result<Box<dyn Plugin>, PluginError> {
        match args {
            [text] if !text.is_empty() => {
                Ok(Box::new(AppendTransform(Bytes::copy_from_slice(text.as_bytes()))))
            }
            _ => Err(PluginError::new(format!(
                "{NAME} takes one TEXT that is not empty (arguments given: {}): put a text with spaces in quotes",
                args.len()
            ))),
        }
    }
}

struct AppendTransform(Bytes);

impl Plugin for AppendTransform {
    fn name(&self) -> &str {
        NAME
    }

    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
        let text = self.0.clone();
        registrar.on(hooks::ReadResponseHdr, move |txn| {
            if txn.origin_response.as_deref().is_some_and(may_be_appended_to) {
                append(txn, &text);
            }
            Outcome::Continue
        });
        Ok(())
    }
}

fn may_be_appended_to(response: &Response) -> bool {
    let headers = &response.headers;
    let content_type = headers.get(names::CONTENT_TYPE).and_then(|value| list::parameters(value).next());
    let is_text = content_type
        .is_some_and(|t| t.eq_ignore_ascii_case(b"text/html") || t.eq_ignore_ascii_case(b"text/plain"));
    response.status == 200
        && is_text
        && headers.list(names::CONTENT_ENCODING).all(|coding| coding.eq_ignore_ascii_case(b"identity"))
        && !list::has_token(headers.list(names::CACHE_CONTROL), "no-transform")
}

fn append(txn: &mut Transaction, text: &Bytes) {
    txn.add_response_transform(Append { text: Some(text.clone()) });
    let Some(response) = &mut txn.origin_response else { return };
    // The digest was that of the origin's body.
    response.headers.remove(names::CONTENT_MD5);
}

/// The transform; the text is gone once it was handed on.
struct Append {
    text: Option<Bytes>,
}

impl BodyTransform for Append {
    fn next<'a>(
        &'a mut self,
        input: &'a mut dyn Body,
    ) -> LocalBoxFuture<'a, Result<Option<Bytes>, BodyError>> {
        Box::pin(async move {
            // The text is handed out when the input ends, and an input that has ended is not asked again.
            if self.text.is_none() {
                return Ok(None);
            }
            match input.next().await? {
                None => Ok(self.text.take()),
                piece => Ok(piece),
            }
        })
    }

    fn output_length(&self, input_length: Option<u64>) -> Option<u64> {
        input_length?.checked_add(self.text.as_ref().map_or(0, |text| text.len() as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{pieces, refused, server};
    use proptest::prelude::*;
    use tollgate_plugin::TransactionHook::ReadResponseHdr;

    /// The transaction after READ_RESPONSE_HDR of a 200 with these fields.
    fn answered(method: &str, status: u16, fields: &[(&str, &str)]) -> Transaction {
        let server = server(&AppendTransformFactory, &["-- end"]);
        let mut txn = server.transaction(method, "http://h/");
        let mut response = Response::new(status);
        fields.iter().for_each(|(name, value)| response.headers.append(*name, value));
        txn.origin_response = Some(Box::new(response));
        assert!(matches!(server.fire(ReadResponseHdr, &mut txn), Outcome::Continue));
        txn
    }

    #[test]
    fn text_is_appended_once_at_the_end() {
        let mut txn = answered("GET", 200, &[("Content-Type", "Text/HTML; charset=utf-8")]);
        let mut transforms = txn.take_response_transforms();
        let transform = &mut *transforms[0];
        assert_eq!(transform.output_length(Some(3)), Some(9));
        assert_eq!(transform.output_length(None), None);
        assert_eq!(pieces(transform, &["a", "bc"]), Ok(vec!["a".into(), "bc".into(), "-- end".into()]));
        assert_eq!(pieces(transform, &["not asked again"]), Ok(vec![]));
    }

    #[test]
    fn an_empty_body_becomes_the_text() {
        let mut txn = answered("GET", 200, &[("Content-Type", "text/plain")]);
        assert_eq!(pieces(&mut *txn.take_response_transforms()[0], &[]), Ok(vec!["-- end".into()]));
    }

    #[test]
    fn other_bodies_are_left_alone() {
        let html = ("Content-Type", "text/html");
        let left_alone: [(u16, &[(&str, &str)]); 7] = [
            (200, &[]),
            (200, &[("Content-Type", "image/png")]),
            (200, &[("Content-Type", "text/html5")]),
            (206, &[html]),
            (404, &[html]),
            (200, &[html, ("Content-Encoding", "gzip")]),
            (200, &[html, ("Cache-Control", "max-age=5, No-Transform")]),
        ];
        for (status, fields) in left_alone {
            assert!(!answered("GET", status, fields).has_response_transforms(), "{status} {fields:?}");
        }
    }

    proptest! {
        #[test]
        fn output_is_input_and_text_and_as_long_as_announced(
            input in prop::collection::vec("[a-z]{1,9}", 0..9),
            text in "[A-Z]{1,9}",
        ) {
            let mut transform = Append { text: Some(Bytes::from(text.clone().into_bytes())) };
            let input_length = input.concat().len() as u64;
            let announced = transform.output_length(Some(input_length));
            let input: Vec<&str> = input.iter().map(String::as_str).collect();
            let output = pieces(&mut transform, &input).map(|pieces| pieces.concat());
            let expected = (input.concat() + &text).into_bytes();
            prop_assert_eq!(announced, Some(expected.len() as u64));
            prop_assert_eq!(output, Ok(expected));
        }
    }

    #[test]
    fn missing_and_empty_texts_are_refused() {
        for bad in [&[][..], &[""], &["two", "words"]] {
            assert!(refused(&AppendTransformFactory, bad).contains("takes one TEXT"), "{bad:?}");
        }
    }
}
