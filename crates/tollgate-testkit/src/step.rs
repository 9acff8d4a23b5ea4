//! The steps of a script and the messages they send and demand.
//!
//! Responsible for: the types a script is parsed into; their documentation is the format's reference.
//! Not responsible for: playing them (see [`actor`](crate::actor)).
//! Invariant: an unknown key is an error.

use crate::body::Body;
use crate::matcher::{FieldDemands, Matcher};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor, value};
use std::collections::BTreeMap;
use std::fmt;

/// One step of a client's or an origin's script.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Client: closes its connection if it has one and opens a new one (done implicitly before the first step).
    Connect,
    /// Client: the same, to the listener with this index.
    ConnectTo(usize),
    /// Sends raw text or a structured message.
    #[serde(deserialize_with = "text_or_map")]
    Send(Sending),
    /// Sends this much more of a body, without framing: after a message that was cut short with `truncate`.
    SendBody(Body),
    /// Client: sends a plain GET for this target with `Host: t.test`.
    Get(String),
    /// Sends in small pieces, stopping when the peer answers or is gone.
    Drip(Drip),
    /// Reads the next message (client: response, origin: request) and compares it.
    Expect(Box<Demand>),
    /// Goes on reading a body whose beginning was read with `partial` or left with `unread`.
    ExpectBody(Box<Demand>),
    /// Reads exactly these bytes.
    ExpectRaw(String),
    /// The peer ends the connection, nothing more arrives before.
    ExpectClose,
    /// Nothing arrives and the connection stays open until all others have reached this barrier; then reaches it too.
    ExpectNothing(String),
    /// Waits until every place that names this barrier is reached.
    Barrier(String),
    /// Closes with a reset.
    Reset,
    /// Closes.
    Close,
    /// Ends the sending direction.
    HalfClose,
    /// Plays steps several times.
    Repeat(Repeat),
    /// Client: sends a signal (`TERM`, `INT`, `HUP`) to the proxy.
    Signal(String),
    /// Client: ends the proxy by a signal (`TERM`, `KILL`) and starts it again, with the same files and ports.
    Restart(String),
    /// Client: writes a file of the configuration directory.
    WriteFile(WriteFile),
    /// Client: waits until these metrics have these values.
    AwaitMetrics(BTreeMap<String, Matcher>),
    /// Client: sets the proxy's time of day this many seconds further ahead.
    Advance(u64),
    /// Client: waits until the first listener refuses connections.
    AwaitRefused,
    /// Client: waits until this regular expression is found in the diagnostics.
    AwaitDiagnostics(String),
}

/// Steps that are played several times. Barriers are not allowed inside.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repeat {
    /// How often.
    pub times: usize,
    /// What.
    pub steps: Vec<Step>,
}

/// A file to write during the scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WriteFile {
    /// Name within the configuration directory.
    pub name: String,
    /// Its new content.
    pub text: String,
}

/// Slow or endless sending. Ends without failure when the peer reacts or is gone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drip {
    /// What is sent.
    pub data: String,
    /// Bytes per piece; everything at once unless given.
    #[serde(default)]
    pub size: Option<u64>,
    /// How long to watch for a reaction after each piece.
    #[serde(default)]
    pub gap_ms: u64,
    /// How often the data is sent.
    #[serde(default = "once")]
    pub times: u64,
}

fn once() -> u64 {
    1
}

/// What is sent.
#[derive(Clone, Debug)]
pub enum Sending {
    /// These bytes.
    Raw(String),
    /// A message built from its parts.
    Message(Box<Message>),
}

impl Default for Sending {
    fn default() -> Self {
        Self::Message(Box::default())
    }
}

impl From<String> for Sending {
    fn from(raw: String) -> Self {
        Self::Raw(raw)
    }
}

impl From<Message> for Sending {
    fn from(message: Message) -> Self {
        Self::Message(Box::new(message))
    }
}

/// A structured request or response. `Content-Length` is added when a body needs it, `Host: t.test` to requests.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Message {
    /// Request: method, GET unless given.
    pub method: Option<String>,
    /// Request: target, `/` unless given.
    pub target: Option<String>,
    /// Request: value of Host; an empty text leaves the field out.
    pub host: Option<String>,
    /// Response: status, 200 unless given.
    pub status: Option<u16>,
    /// Response: reason phrase.
    pub reason: Option<String>,
    /// Version, HTTP/1.1 unless given.
    pub version: Option<String>,
    /// Field lines `Name: value`, in order.
    pub headers: Vec<String>,
    /// The body.
    pub body: Option<Body>,
    /// Whether the body is chunked.
    pub chunked: bool,
    /// Bytes per chunk (and per write).
    pub piece: Option<u64>,
    /// Trailer field lines of a chunked body.
    pub trailers: Vec<String>,
    /// No `Content-Length` is added: the body ends with the connection.
    pub until_close: bool,
    /// Send only this many bytes of the body, then go on with the next step.
    pub truncate: Option<u64>,
    /// Close the connection after sending.
    pub close: bool,
}

/// Demands on a received message. What is not mentioned is not compared.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Demand {
    /// Address that the connection comes from, without its port.
    pub from: Option<Matcher>,
    /// Response status.
    pub status: Option<Matcher>,
    /// Response reason phrase.
    pub reason: Option<Matcher>,
    /// Version.
    pub version: Option<Matcher>,
    /// Request method.
    pub method: Option<Matcher>,
    /// Request target.
    pub target: Option<Matcher>,
    /// Fields that must be there, with their values.
    pub headers: FieldDemands,
    /// Fields that must not be there.
    pub absent: Vec<String>,
    /// A regular expression that must be found in the header block as received.
    pub raw: Option<String>,
    /// The whole body.
    pub body: Option<Body>,
    /// Regular expressions that must not be found in the body.
    pub body_lacks: Vec<String>,
    /// Read only this much of the body and compare it; the rest is left to `expect_body`.
    pub partial: Option<Body>,
    /// Leave the body to a later `expect_body`.
    pub unread: bool,
    /// Trailer fields.
    pub trailers: FieldDemands,
    /// The body must end too early.
    pub aborted: bool,
    /// Method of the request this response answers, if not that of the last one sent.
    pub to: Option<String>,
    /// A connection that ends without a byte of a response is as good.
    pub or_close: bool,
    /// Read over interim (1xx) responses.
    pub skip_interim: bool,
}

/// A text, or a mapping that describes a message.
pub(crate) fn text_or_map<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sending, D::Error> {
    struct TextOrMap;
    impl<'de> Visitor<'de> for TextOrMap {
        type Value = Sending;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a message")
        }
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Sending, E> {
            Ok(text.to_owned().into())
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sending, A::Error> {
            Message::deserialize(value::MapAccessDeserializer::new(map)).map(Into::into)
        }
    }
    deserializer.deserialize_any(TextOrMap)
}
