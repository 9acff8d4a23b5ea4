//! The asking side of the control socket.

use super::{MAX_MESSAGE, Request};
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Nobody listens there.
    #[error("no server at {}: {source}", path.display())]
    NoServer {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The connection broke or took too long.
    #[error("no answer: {0}")]
    Broken(#[from] io::Error),
    /// The answer is not one.
    #[error("the answer is not JSON-RPC: {0}")]
    Malformed(String),
    /// The server said no.
    #[error("{0}")]
    Refused(String),
}

/// Sends one command and waits for its result, `timeout` at most for each step.
///
/// # Errors
/// If nobody answers, or the server refuses.
pub fn call(path: &Path, request: &Request, timeout: Duration) -> Result<Value, CallError> {
    let mut stream = UnixStream::connect(path)
        .map_err(|source| CallError::NoServer { path: path.to_path_buf(), source })?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let malformed = |error: serde_json::Error| CallError::Malformed(error.to_string());
    let mut message = serde_json::to_value(request).map_err(malformed)?;
    message["jsonrpc"] = Value::from("2.0");
    message["id"] = Value::from(1);
    stream.write_all(format!("{message}\n").as_bytes())?;
    let mut line = Vec::new();
    BufReader::new(stream.take(MAX_MESSAGE as u64)).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Err(CallError::Broken(io::ErrorKind::UnexpectedEof.into()));
    }
    let mut answer: Value = serde_json::from_slice(&line).map_err(malformed)?;
    if let Some(error) = answer.get("error") {
        let text = error.get("message").and_then(Value::as_str).unwrap_or("refused without a reason");
        return Err(CallError::Refused(text.to_owned()));
    }
    answer.get_mut("result").map(Value::take).ok_or_else(|| CallError::Malformed("no result".into()))
}
