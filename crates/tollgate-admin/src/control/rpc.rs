//! The JSON-RPC envelope and the commands.
//!
//! Responsible for: from a line of text to a [`Request`], from an answer to a line of text.
//! Not responsible for: transport, effects. Invariants: every line gets an answer unless it is a valid notification;
//! batches are refused.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A command of the control socket. The method's name is the variant's in snake case, its parameters are the fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "params", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Values of records or metrics by name.
    ConfigGet {
        /// Names.
        names: Vec<String>,
    },
    /// Sets a record until the server ends.
    ConfigSet {
        /// The record.
        name: String,
        /// Its value, as in a configuration file.
        value: String,
    },
    /// Records whose names match a regular expression.
    ConfigMatch {
        /// The expression.
        regex: String,
    },
    /// Records whose values are not the default ones.
    ConfigDiff {},
    /// All records, with their default values.
    ConfigDefaults {},
    /// What the table of records says of some.
    ConfigDescribe {
        /// Names.
        names: Vec<String>,
    },
    /// Reads the configuration again.
    ConfigReload {},
    /// The generation in use and what waits for a restart.
    ConfigStatus {},
    /// Values of metrics by name.
    MetricGet {
        /// Names.
        names: Vec<String>,
    },
    /// Metrics whose names match a regular expression.
    MetricMatch {
        /// The expression.
        regex: String,
    },
    /// Lets counters begin at zero again, as seen through the control socket.
    MetricZero {
        /// Names.
        names: Vec<String>,
    },
    /// Lets all counters begin at zero again, as seen through the control socket.
    MetricClear {},
    /// What each C plugin holds of the server, and how often its calls were refused.
    PluginList {},
    /// A message for plugins.
    PluginMsg {
        /// What it is about; plugins compare it.
        tag: String,
        /// The data.
        data: Option<String>,
    },
    /// Purges URLs, all that begin with prefixes, and tags.
    CachePurge {
        /// URLs, as clients ask for them.
        #[serde(default)]
        urls: Vec<String>,
        /// Beginnings of such URLs.
        #[serde(default)]
        prefixes: Vec<String>,
        /// Tags of responses.
        #[serde(default)]
        tags: Vec<String>,
        /// What is purged becomes stale; without this it is gone.
        #[serde(default)]
        soft: bool,
    },
    /// Purges the URLs that match, as the cache has them.
    CacheBan {
        /// Regular expressions.
        regexes: Vec<String>,
        /// What is purged becomes stale; without this it is gone.
        #[serde(default)]
        soft: bool,
    },
    /// What the cache holds, and what was purged.
    CacheStat {},
    /// What would be done for a request.
    Explain {
        /// Its URL, as a client asks for it.
        url: String,
        /// Its method; GET if not given.
        #[serde(default)]
        method: Option<String>,
        /// Its fields, as `Name: value`.
        #[serde(default)]
        headers: Vec<String>,
    },
    /// State, generation, uptime, connections.
    ServerStatus {},
    /// No kept-alive client connections from now on.
    ServerDrain {
        /// Back to normal.
        undo: bool,
    },
    /// Ends the server as SIGTERM does.
    ServerStop {},
}

const METHODS: &[&str] = &[
    "config_get",
    "config_set",
    "config_match",
    "config_diff",
    "config_defaults",
    "config_describe",
    "config_reload",
    "config_status",
    "metric_get",
    "metric_match",
    "metric_zero",
    "metric_clear",
    "plugin_list",
    "plugin_msg",
    "cache_purge",
    "cache_ban",
    "cache_stat",
    "explain",
    "server_status",
    "server_drain",
    "server_stop",
];

/// Error codes of JSON-RPC, and the one of a command that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// Not JSON.
    Parse = -32700,
    /// Not a request.
    InvalidRequest = -32600,
    /// No such method.
    UnknownMethod = -32601,
    /// Parameters that do not fit the method.
    InvalidParams = -32602,
    /// The command was understood and could not be done.
    Failed = 1,
}

/// Why a command was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ControlError {
    /// The kind.
    pub code: ErrorCode,
    /// For people: what is wrong and what to do.
    pub message: String,
}

impl ControlError {
    /// A command that could not be done.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Failed, message)
    }

    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        ControlError { code, message: message.into() }
    }
}

/// What the server does with commands. Called on threads of the control socket.
pub trait Control: Send + Sync + 'static {
    /// Does one command.
    ///
    /// # Errors
    /// What is to be told the caller.
    fn handle(&self, request: Request) -> Result<Value, ControlError>;
}

/// Answers one line; nothing for a notification.
pub(crate) fn answer(line: &[u8], control: &dyn Control) -> Option<String> {
    let (id, result) = match serde_json::from_slice::<Value>(line) {
        Err(error) => (Some(Value::Null), Err(ControlError::new(ErrorCode::Parse, error.to_string()))),
        Ok(message) => match envelope(&message) {
            Err(error) => (Some(Value::Null), Err(error)),
            Ok(()) => (message.get("id").cloned(), request(&message).and_then(|r| control.handle(r))),
        },
    };
    let id = id?;
    let answer = match result {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(ControlError { code, message }) => {
            json!({"jsonrpc": "2.0", "id": id, "error": {"code": code as i32, "message": message}})
        }
    };
    Some(answer.to_string())
}

fn envelope(message: &Value) -> Result<(), ControlError> {
    let invalid = |text: &str| Err(ControlError::new(ErrorCode::InvalidRequest, text));
    if message.is_array() {
        return invalid("batches are not supported");
    }
    if message.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return invalid("jsonrpc must be \"2.0\"");
    }
    if !message.get("method").is_some_and(Value::is_string) {
        return invalid("method must be a string");
    }
    match message.get("id") {
        None | Some(Value::Null | Value::String(_) | Value::Number(_)) => Ok(()),
        Some(_) => invalid("id must be a string or a number"),
    }
}

fn request(message: &Value) -> Result<Request, ControlError> {
    let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
    if !METHODS.contains(&method) {
        return Err(ControlError::new(ErrorCode::UnknownMethod, format!("no method {method:?}")));
    }
    let params = message.get("params").cloned().unwrap_or_else(|| json!({}));
    serde_json::from_value(json!({"method": method, "params": params}))
        .map_err(|error| ControlError::new(ErrorCode::InvalidParams, format!("{method}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Echo;

    impl Control for Echo {
        fn handle(&self, request: Request) -> Result<Value, ControlError> {
            match request {
                Request::ServerStop {} => Err(ControlError::failed("no")),
                request => Ok(serde_json::to_value(request).expect("json")),
            }
        }
    }

    fn code(line: &str) -> i64 {
        let answer: Value =
            serde_json::from_str(&answer(line.as_bytes(), &Echo).expect("answer")).expect("json");
        answer["error"]["code"].as_i64().expect("an error")
    }

    #[test]
    fn a_request_is_dispatched_and_answered_under_its_id() {
        let line = r#"{"jsonrpc":"2.0","id":7,"method":"config_get","params":{"names":["a"]}}"#;
        let answer: Value =
            serde_json::from_str(&answer(line.as_bytes(), &Echo).expect("answer")).expect("json");
        assert_eq!(answer["id"], 7);
        assert_eq!(answer["result"], json!({"method": "config_get", "params": {"names": ["a"]}}));
    }

    #[test]
    fn wrong_messages_have_the_codes_of_the_standard() {
        assert_eq!(code("{"), -32700);
        assert_eq!(code("[]"), -32600);
        assert_eq!(code(r#"{"id":1,"method":"server_status"}"#), -32600);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":{},"method":"server_status"}"#), -32600);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":"nothing"}"#), -32601);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":"config_get","params":{"names":1}}"#), -32602);
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":"server_stop"}"#), 1);
    }

    #[test]
    fn a_notification_is_done_without_an_answer() {
        assert_eq!(answer(br#"{"jsonrpc":"2.0","method":"server_status"}"#, &Echo), None);
    }

    #[test]
    fn every_method_is_known() {
        let all = [
            Request::ConfigReload {},
            Request::ConfigStatus {},
            Request::ServerStatus {},
            Request::ServerDrain { undo: true },
            Request::ConfigDiff {},
            Request::ConfigDefaults {},
            Request::MetricClear {},
            Request::MetricZero { names: vec![] },
            Request::PluginMsg { tag: "t".into(), data: None },
            Request::CachePurge { urls: vec![], prefixes: vec![], tags: vec!["t".into()], soft: true },
            Request::CacheBan { regexes: vec![], soft: false },
            Request::CacheStat {},
            Request::Explain { url: "u".into(), method: None, headers: vec![] },
        ];
        for request in all {
            let mut message = serde_json::to_value(&request).expect("json");
            message["jsonrpc"] = json!("2.0");
            assert_eq!(super::request(&message), Ok(request));
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let answer = answer(&line, &Echo);
            prop_assert!(answer.is_none_or(|a| a.contains("jsonrpc")));
        }
    }
}
