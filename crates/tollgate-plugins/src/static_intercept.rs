//! `static-intercept PATH TEXT|@/FILE [cached]`: answers one path as if it were the origin.
//!
//! Shows an intercept: where a handler's `Respond` ends the transaction at once, an intercept stands in the origin's
//! place. Its response goes on like an origin's: through READ_RESPONSE_HDR and transforms. With `cached` it is a server
//! intercept: its answer also goes through the cache, and while the stored copy is fresh it is not even asked.
//!
//! A file is read for each request that reaches the intercept, on a task thread, so that a slow disk never holds up
//! the event thread. A file that is not there is a 404; one that cannot be read is the origin's fault: 502.
//!
//! ```text
//! plugin.config:  static-intercept /robots.txt @/etc/tollgate/robots.txt
//! plugin.config:  static-intercept /health "all is well"
//! ```

use bytes::Bytes;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use tollgate_http::{Method, Request, Response, names};
use tollgate_plugin::{
    Body, Host, HostExt, Intercept, InterceptError, InterceptResponse, LocalBoxFuture, Outcome, Plugin,
    PluginError, PluginFactory, Registrar, hooks,
};

const NAME: &str = "static-intercept";

/// How long answers may be stored: long enough to spare the work, short enough for a changed file.
const CACHE_CONTROL: &str = "public, max-age=60";

/// The largest file that is served.
const MAX_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Makes `static-intercept` plugins.
#[derive(Debug)]
pub struct StaticInterceptFactory;

impl PluginFactory for StaticInterceptFactory {
    fn name(&self) -> &str {
        NAME
    }

    fn doc(&self) -> &str {
        "Answers PATH with TEXT or the content of a file in the origin's place: static-intercept PATH TEXT|@/FILE [cached]."
    }

    fn global(&self, args: &[String]) -> Result<Box<dyn Plugin>, PluginError> {
        let (path, content, cached) = match args {
            [path, content] => (path, content, false),
            [path, content, word] if word == "cached" => (path, content, true),
            _ => {
                return Err(PluginError::new(format!(
                    "{NAME} takes PATH and TEXT or @/FILE, and perhaps the word `cached` (arguments given: {}): put a \
                     text with spaces in quotes",
                    args.len()
                )));
            }
        };
        let Some(path) = path.strip_prefix('/') else {
            return Err(PluginError::new(format!("{NAME}: path {path:?} must start with a slash")));
        };
        Ok(Box::new(StaticIntercept {
            path: path.into(),
            content: Arc::new(Content::parse(content)?),
            cached,
        }))
    }
}

/// What is served.
enum Content {
    Text(Bytes),
    File(PathBuf),
}

impl Content {
    fn parse(text: &str) -> Result<Content, PluginError> {
        match text.strip_prefix('@') {
            None => Ok(Content::Text(Bytes::copy_from_slice(text.as_bytes()))),
            Some(file) if Path::new(file).is_absolute() => Ok(Content::File(file.into())),
            Some(file) => Err(PluginError::new(format!(
                "{NAME}: file {file:?} must be an absolute path, as in @/etc/tollgate/robots.txt"
            ))),
        }
    }
}

struct StaticIntercept {
    path: Box<str>,
    content: Arc<Content>,
    cached: bool,
}

impl Plugin for StaticIntercept {
    fn name(&self) -> &str {
        NAME
    }

    fn register(&self, registrar: &mut Registrar) -> Result<(), PluginError> {
        let (path, content, cached) = (self.path.clone(), Arc::clone(&self.content), self.cached);
        registrar.on(hooks::ReadRequestHdr, move |txn| {
            if txn.client_request.url.path == path.as_bytes() {
                let host = txn.host();
                let server = Server { host, content: Arc::clone(&content) };
                if cached { txn.set_server_intercept(server) } else { txn.set_intercept(server) }
            }
            Outcome::Continue
        });
        Ok(())
    }
}

/// The origin that is not there. It stays on its event thread, so it may hold the thread's host.
struct Server {
    host: Rc<dyn Host>,
    content: Arc<Content>,
}

impl Intercept for Server {
    fn serve<'a>(
        &'a self,
        request: &'a Request,
        _body: &'a mut dyn Body,
    ) -> LocalBoxFuture<'a, Result<InterceptResponse, InterceptError>> {
        Box::pin(async move {
            if !matches!(request.method, Method::Get | Method::Head) {
                let mut refusal = plain_response(405, "no-store");
                refusal.headers.append(names::ALLOW, "GET, HEAD");
                return Ok(answer(request, refusal, "This resource can only be read.\n".into()));
            }
            match self.read().await? {
                Some(text) => Ok(answer(request, plain_response(200, CACHE_CONTROL), text)),
                None => {
                    Ok(answer(request, plain_response(404, "no-store"), "There is no such file.\n".into()))
                }
            }
        })
    }
}

impl Server {
    /// The content; `None` if its file is not there.
    async fn read(&self) -> Result<Option<Bytes>, InterceptError> {
        let path = match &*self.content {
            Content::Text(text) => return Ok(Some(text.clone())),
            Content::File(path) => path.clone(),
        };
        let file = path.clone();
        let read = self.host.run_blocking(move || read_limited(&file, MAX_FILE_BYTES)).await;
        match read.unwrap_or_else(|| Err(io::Error::other("the task thread is gone"))) {
            Ok(content) => Ok(Some(content.into())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(InterceptError(format!("{NAME}: cannot read {}: {error}", path.display()))),
        }
    }
}

/// Reads a file of at most `limit` bytes.
fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    std::fs::File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut content)?;
    if content.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
    }
    Ok(content)
}

fn plain_response(status: u16, cache_control: &str) -> Response {
    let mut response = Response::new(status);
    response.headers.append(names::CONTENT_TYPE, "text/plain");
    response.headers.append(names::CACHE_CONTROL, cache_control);
    response
}

/// The answer with its length, to HEAD without its body.
fn answer(request: &Request, mut response: Response, text: Bytes) -> InterceptResponse {
    response.headers.append(names::CONTENT_LENGTH, text.len().to_string());
    let body = if request.method == Method::Head { Bytes::new() } else { text };
    InterceptResponse { response, body: Box::new(body) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{refused, server};
    use tollgate_plugin::TransactionHook::ReadRequestHdr;
    use tollgate_plugin::body::collect;
    use tollgate_plugin::mock::run_to_end;

    /// What the intercept answers to a request for its path.
    fn ask(method: &str, content: &str) -> Result<(Response, Bytes), InterceptError> {
        let server = server(&StaticInterceptFactory, &["/robots.txt", content]);
        let mut txn = server.transaction(method, "http://h/robots.txt?x");
        server.fire(ReadRequestHdr, &mut txn);
        let intercept = txn.take_intercept().expect("an intercept");
        let mut answer = run_to_end(intercept.serve(&txn.client_request, &mut Bytes::new()))?;
        let body = run_to_end(collect(&mut *answer.body, 1 << 20)).expect("a body");
        Ok((answer.response, body))
    }

    fn temporary(content: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), content).expect("written");
        file
    }

    #[test]
    fn text_is_served_as_a_cacheable_response() {
        let (response, body) = ask("GET", "User-agent: *").expect("an answer");
        assert_eq!((response.status, &body[..]), (200, &b"User-agent: *"[..]));
        assert_eq!(response.headers.get_str(names::CONTENT_TYPE), Some("text/plain"));
        assert_eq!(response.headers.get_str(names::CONTENT_LENGTH), Some("13"));
        assert_eq!(response.headers.get_str(names::CACHE_CONTROL), Some("public, max-age=60"));
    }

    #[test]
    fn a_file_is_read_for_each_request() {
        let file = temporary(b"one");
        let arg = format!("@{}", file.path().display());
        assert_eq!(ask("GET", &arg).expect("an answer").1, "one");
        std::fs::write(file.path(), "second").expect("written");
        assert_eq!(ask("GET", &arg).expect("an answer").1, "second");
    }

    #[test]
    fn a_file_that_is_not_there_is_a_404_that_is_not_stored() {
        let (response, _) = ask("GET", "@/does/not/exist").expect("an answer");
        assert_eq!(response.status, 404);
        assert_eq!(response.headers.get_str(names::CACHE_CONTROL), Some("no-store"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let error = ask("GET", &format!("@{}", dir.path().display())).expect_err("a directory is no file");
        assert!(error.0.contains(&format!("cannot read {}", dir.path().display())), "{error}");
    }

    #[test]
    fn files_over_the_limit_are_refused() {
        let file = temporary(b"12345");
        assert_eq!(read_limited(file.path(), 5).expect("fits"), b"12345");
        assert_eq!(read_limited(file.path(), 4).expect_err("too large").kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn head_gets_the_length_without_the_body() {
        let (response, body) = ask("HEAD", "text").expect("an answer");
        assert_eq!((response.status, body.len()), (200, 0));
        assert_eq!(response.headers.get_str(names::CONTENT_LENGTH), Some("4"));
    }

    #[test]
    fn other_methods_are_not_allowed() {
        let (response, _) = ask("POST", "text").expect("an answer");
        assert_eq!((response.status, response.headers.get_str(names::ALLOW)), (405, Some("GET, HEAD")));
    }

    #[test]
    fn other_paths_go_to_the_origin() {
        let server = server(&StaticInterceptFactory, &["/robots.txt", "x"]);
        for url in ["http://h/", "http://h/robots.txt2", "http://h/a/robots.txt", "http://h/Robots.txt"] {
            let mut txn = server.transaction("GET", url);
            server.fire(ReadRequestHdr, &mut txn);
            assert!(!txn.has_intercept(), "{url}");
        }
    }

    #[test]
    fn bad_arguments_are_refused() {
        assert!(refused(&StaticInterceptFactory, &["/a"]).contains("takes PATH and TEXT or @/FILE"));
        assert!(refused(&StaticInterceptFactory, &["a", "x"]).contains("must start with a slash"));
        assert!(refused(&StaticInterceptFactory, &["/a", "@b"]).contains("must be an absolute path"));
    }
}
