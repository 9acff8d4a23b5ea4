//! Plays the steps of one script.
//!
//! Responsible for: what each [`Step`] means on a connection, for clients and origins alike.
//! Not responsible for: accepting connections (see [`origin`](crate::origin)) or starting the proxy.
//! Entry points: [`Actor::play`], [`Actor::serve`].

use crate::body::{Body, Received};
use crate::conn::{Conn, Fill};
use crate::framing::{BodyEnd, BodyReader, Framing, Head, read_head};
use crate::matcher::{found, unmet_field};
use crate::message::{Role, head_of, judge_head, status_of};
use crate::model::Reply;
use crate::peers;
use crate::process::Subject;
use crate::seen::Seen;
use crate::stage::{OriginCounts, Stage, Stop};
use crate::step::{Demand, Drip, Message, Sending, Step};
use crate::text::{bytes_of, escaped};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// One script being played.
#[derive(Debug)]
pub struct Actor<'a> {
    /// Name of the script, for messages.
    pub label: String,
    /// Step being played, for messages.
    pub at: String,
    role: Role,
    stage: &'a Stage,
    subject: Option<&'a Subject>,
    counts: Option<&'a OriginCounts>,
    conn: Option<Conn<'a>>,
    /// The header of the message whose body is being read.
    head: Option<Head>,
    body: Option<(BodyReader, Received)>,
    /// Method of the last request sent (client) or received (origin).
    method: String,
}

impl<'a> Actor<'a> {
    /// A client that will connect to `subject`.
    pub fn client(label: String, stage: &'a Stage, subject: &'a Subject) -> Self {
        Self::new(label, Role::Client, stage, Some(subject), None, None)
    }

    /// An origin's side of an accepted connection.
    pub fn origin(label: String, conn: Conn<'a>, counts: Option<&'a OriginCounts>) -> Self {
        let stage = conn.stage();
        Self::new(label, Role::Origin, stage, None, counts, Some(conn))
    }

    fn new(
        label: String,
        role: Role,
        stage: &'a Stage,
        subject: Option<&'a Subject>,
        counts: Option<&'a OriginCounts>,
        conn: Option<Conn<'a>>,
    ) -> Self {
        let at = label.clone();
        Self { label, at, role, stage, subject, counts, conn, head: None, body: None, method: String::new() }
    }

    /// Plays the steps in order.
    pub fn play(&mut self, steps: &[Step]) -> Result<(), Stop> {
        let outer = self.at.clone();
        for (i, step) in steps.iter().enumerate() {
            self.at = format!("{outer}, step {} ({})", i + 1, name_of(step));
            self.step(step)?;
        }
        self.at = outer;
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), Stop> {
        match step {
            Step::Connect => self.connect(0),
            Step::ConnectTo(listener) => self.connect(*listener),
            Step::Send(Sending::Raw(text)) => self.send_raw(text),
            Step::Send(Sending::Message(message)) => self.send_message(message),
            Step::Get(target) => self.send_raw(&format!("GET {target} HTTP/1.1\r\nHost: t.test\r\n\r\n")),
            Step::SendBody(body) => {
                let stage = self.stage;
                let conn = self.conn()?;
                body.pieces(&|text| stage.expand(text), u64::MAX, 64 * 1024, |part| conn.send(part))
            }
            Step::Drip(drip) => self.drip(drip),
            Step::Expect(demand) => self.expect(demand),
            Step::ExpectBody(demand) => self.judge_body(demand),
            Step::ExpectRaw(text) => self.expect_raw(text),
            Step::ExpectClose => self.conn()?.expect_end(),
            Step::ExpectNothing(barrier) => self.conn()?.expect_nothing_until(barrier),
            Step::Barrier(name) => self.barrier(name),
            Step::Reset => self.take_conn()?.reset(),
            Step::Close => {
                self.take_conn()?.close();
                Ok(())
            }
            Step::HalfClose => {
                self.conn()?.half_close();
                Ok(())
            }
            Step::Repeat(repeat) => (0..repeat.times).try_for_each(|_| {
                let outer = self.at.clone();
                self.play(&repeat.steps)?;
                self.at = outer;
                Ok(())
            }),
            Step::Signal(name) => self.subject()?.signal(name),
            Step::Restart(name) => self.subject()?.restart(name, self.stage),
            Step::WriteFile(file) => self.subject()?.write_file(&file.name, &self.stage.expand(&file.text)),
            Step::AwaitMetrics(demands) => {
                let subject = self.subject()?;
                self.stage.poll(|| subject.unmet_metric(demands))
            }
            Step::Advance(seconds) => self.subject()?.advance(*seconds),
            Step::AwaitRefused => {
                let addr = self.subject()?.listener(0)?;
                self.stage.poll(|| match peers::reach(addr) {
                    Ok(_) => Err((format!("{addr} to refuse connections"), "one was accepted".to_owned())),
                    Err(_) => Ok(()),
                })
            }
            Step::AwaitDiagnostics(pattern) => {
                let subject = self.subject()?;
                self.stage.poll(|| subject.unmet_diagnostics(pattern))
            }
        }
    }

    fn subject(&self) -> Result<&'a Subject, Stop> {
        self.subject.ok_or_else(|| Stop::failed("a client's script", "this step in an origin's script"))
    }

    fn connect(&mut self, listener: usize) -> Result<(), Stop> {
        self.body = None;
        self.conn = None;
        let addr = self.subject()?.listener(listener)?;
        self.conn = Some(Conn::connect(addr, &self.label, self.stage)?);
        Ok(())
    }

    /// The connection; a client that has none yet connects.
    fn conn(&mut self) -> Result<&mut Conn<'a>, Stop> {
        if self.conn.is_none() && self.role == Role::Client {
            self.connect(0)?;
        }
        self.conn.as_mut().ok_or_else(|| Stop::failed("an open connection", "the script has closed it"))
    }

    fn take_conn(&mut self) -> Result<Conn<'a>, Stop> {
        self.conn()?;
        self.conn.take().ok_or_else(|| Stop::failed("an open connection", "none"))
    }

    fn barrier(&mut self, name: &str) -> Result<(), Stop> {
        self.stage.barriers.arrive(name);
        self.stage.barriers.wait(name, || self.stage.check())
    }

    fn send_raw(&mut self, text: &str) -> Result<(), Stop> {
        let bytes = bytes_of(&self.stage.expand(text));
        if self.role == Role::Client
            && let Some((method, _)) = text.split_once(' ')
        {
            self.method = method.to_owned();
        }
        self.conn()?.send(&bytes)
    }

    fn send_message(&mut self, message: &Message) -> Result<(), Stop> {
        if self.role == Role::Client {
            self.method = message.method.clone().unwrap_or_else(|| "GET".to_owned());
        }
        let stage = self.stage;
        let expand = |text: &str| stage.expand(text);
        let head = head_of(message, self.role, &self.method, &expand);
        let is_head_answer = self.role == Role::Origin && self.method == "HEAD";
        let conn = self.conn()?;
        conn.send(&head)?;
        if !is_head_answer {
            send_body(conn, message, &expand)?;
        }
        if message.close {
            self.take_conn()?.close();
        }
        Ok(())
    }

    fn drip(&mut self, drip: &Drip) -> Result<(), Stop> {
        let bytes = bytes_of(&self.stage.expand(&drip.data));
        let size = drip.size.map_or(bytes.len(), |n| n as usize).max(1);
        let gap = Duration::from_millis(drip.gap_ms);
        let conn = self.conn()?;
        for _ in 0..drip.times {
            for piece in bytes.chunks(size) {
                if !conn.try_send(piece)? {
                    return Ok(());
                }
                if !gap.is_zero() && conn.fill_within(gap)? != Fill::Nothing {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn expect(&mut self, demand: &Demand) -> Result<(), Stop> {
        match self.role {
            Role::Client => self.expect_response(demand),
            Role::Origin => self.expect_request(demand),
        }
    }

    fn expect_response(&mut self, demand: &Demand) -> Result<(), Stop> {
        let (head, status) = loop {
            let head = match read_head(self.conn()?)? {
                Some(head) => head,
                None if demand.or_close => return Ok(()),
                None => return Err(Stop::failed("a response", "the connection ended without a byte of it")),
            };
            let status = status_of(&head)?;
            if !(demand.skip_interim && (100..200).contains(&status)) {
                break (head, status);
            }
        };
        let stage = self.stage;
        judge_head(&head, demand, Role::Client, &|text| stage.expand(text))?;
        let method = demand.to.as_deref().unwrap_or(&self.method);
        let framing = Framing::of_response(&head, status, method)?;
        self.body = Some((BodyReader::new(framing), Received::default()));
        self.head = Some(head);
        if demand.unread || (100..200).contains(&status) { Ok(()) } else { self.judge_body(demand) }
    }

    fn expect_request(&mut self, demand: &Demand) -> Result<(), Stop> {
        let head = read_head(self.conn()?)?
            .ok_or_else(|| Stop::failed("a request", "the connection ended without a byte of it"))?;
        self.count_request();
        self.method = head.parts().0.to_owned();
        let stage = self.stage;
        judge_head(&head, demand, Role::Origin, &|text| stage.expand(text))?;
        self.judge_address(demand)?;
        self.body = Some((BodyReader::new(Framing::of_request(&head)?), Received::default()));
        self.head = Some(head);
        if demand.unread { Ok(()) } else { self.judge_body(demand) }
    }

    fn judge_address(&mut self, demand: &Demand) -> Result<(), Stop> {
        let Some(wanted) = &demand.from else { return Ok(()) };
        let stage = self.stage;
        let from = self.conn()?.peer_ip().map_or_else(|e| e.to_string(), |ip| ip.to_string());
        if wanted.accepts(from.as_bytes(), &|text| stage.expand(text)) {
            return Ok(());
        }
        Err(Stop::failed(format!("a connection from {wanted}"), from))
    }

    fn count_request(&self) {
        if let Some(counts) = self.counts {
            counts.requests.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn count_complete(&self) {
        if let Some(counts) = self.counts {
            counts.complete.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn judge_body(&mut self, demand: &Demand) -> Result<(), Stop> {
        let stage = self.stage;
        let expand = |text: &str| stage.expand(text);
        let (mut reader, mut received) =
            self.body.take().ok_or_else(|| Stop::failed("a message whose body is unread", "none"))?;
        let limit = demand.partial.as_ref().map_or(u64::MAX, |body| body.size(&expand));
        let end = reader.read(self.conn()?, &mut received, limit)?;
        match (&end, &demand.partial) {
            (BodyEnd::Complete(_), None) => self.saw(&received, true),
            (BodyEnd::Aborted, _) => self.saw(&received, false),
            _ => {}
        }
        let wanted = demand.partial.as_ref().or(demand.body.as_ref());
        if let Some(unmet) = wanted.and_then(|body| received.unmet(body, &expand)) {
            return Err(Stop::failed(unmet.0, unmet.1));
        }
        if let Some(pattern) = demand.body_lacks.iter().find(|pattern| found(pattern, received.bytes())) {
            return Err(Stop::failed(format!("a body not matching /{pattern}/"), received.shown()));
        }
        match (&end, demand.aborted, &demand.partial) {
            (BodyEnd::Partial, _, _) => self.body = Some((reader, received)),
            (BodyEnd::Complete(_), false, Some(_)) => self.body = Some((reader, received)),
            (BodyEnd::Complete(trailers), false, None) => {
                self.count_complete();
                if let Some((expected, got)) = unmet_field(trailers, &demand.trailers, &[], &expand) {
                    return Err(Stop::failed(format!("trailer {expected}"), got));
                }
            }
            (BodyEnd::Aborted, true, _) => {}
            (BodyEnd::Complete(_), true, _) => {
                return Err(Stop::failed(
                    "a body that ends too early",
                    format!("complete, {}", received.shown()),
                ));
            }
            (BodyEnd::Aborted, false, _) => {
                return Err(Stop::failed("a complete body", format!("aborted after {}", received.shown())));
            }
        }
        Ok(())
    }

    /// Records the message whose body has just ended.
    fn saw(&mut self, body: &Received, is_complete: bool) {
        if let Some(head) = self.head.take() {
            self.stage.saw(Seen::new(&self.label, &head, body, is_complete));
        }
    }

    fn expect_raw(&mut self, text: &str) -> Result<(), Stop> {
        let wanted = bytes_of(&self.stage.expand(text));
        let conn = self.conn()?;
        while conn.buffered().len() < wanted.len() && wanted.starts_with(conn.buffered()) {
            if let Fill::End(end) = conn.fill()? {
                return Err(Stop::failed(
                    escaped(&wanted, 300),
                    format!("{end:?} after {}", escaped(conn.buffered(), 300)),
                ));
            }
        }
        if !conn.buffered().starts_with(&wanted) {
            return Err(Stop::failed(escaped(&wanted, 300), escaped(conn.buffered(), 300)));
        }
        conn.consume(wanted.len());
        Ok(())
    }

    /// Origin: answers requests until the connection or the scenario ends. `replies` empty: no request may come.
    pub fn serve(&mut self, replies: &[Reply]) -> Result<(), Stop> {
        self.at = format!("{}, after its script", self.label);
        while let Some(conn) = self.conn.as_mut() {
            if conn.buffered().is_empty() {
                match conn.fill_within(Duration::ZERO)? {
                    Fill::Nothing if self.stage.is_finished() => return Ok(()),
                    Fill::Nothing | Fill::Data => continue,
                    Fill::End(_) => return Ok(()),
                }
            }
            if replies.is_empty() {
                return Err(Stop::failed("nothing more on this connection", escaped(conn.buffered(), 300)));
            }
            self.answer(replies)?;
        }
        Ok(())
    }

    fn answer(&mut self, replies: &[Reply]) -> Result<(), Stop> {
        let Some(head) = read_head(self.conn()?)? else { return Ok(()) };
        self.count_request();
        self.method = head.parts().0.to_owned();
        let mut received = Received::default();
        let framing = Framing::of_request(&head)?;
        let end = BodyReader::new(framing).read(self.conn()?, &mut received, u64::MAX)?;
        let is_complete = !matches!(end, BodyEnd::Aborted);
        self.stage.saw(Seen::new(&self.label, &head, &received, is_complete));
        if !is_complete {
            self.conn = None;
            return Ok(());
        }
        self.count_complete();
        let stage = self.stage;
        let fits = |reply: &&Reply| match &reply.on {
            Some(demand) => judge_head(&head, demand, Role::Origin, &|text| stage.expand(text)).is_ok(),
            None => true,
        };
        let reply =
            replies.iter().find(fits).ok_or_else(|| Stop::failed("a request with a reply", &head.start))?;
        match &reply.send {
            Sending::Raw(text) => self.send_raw(text)?,
            Sending::Message(message) => self.send_message(message)?,
        }
        if head.has_token("Connection", "close") || head.parts().2 == "HTTP/1.0" {
            self.conn = None;
        }
        Ok(())
    }
}

/// Sends the body of `message` in its framing.
fn send_body(conn: &mut Conn<'_>, message: &Message, expand: &dyn Fn(&str) -> String) -> Result<(), Stop> {
    let empty = Body::Text(String::new());
    let body = message.body.as_ref().unwrap_or(&empty);
    let end = message.truncate.unwrap_or(u64::MAX);
    let piece = message.piece.unwrap_or(64 * 1024);
    if !message.chunked {
        return body.pieces(expand, end, piece, |part| conn.send(part));
    }
    body.pieces(expand, end, piece, |part| {
        let mut chunk = format!("{:x}\r\n", part.len()).into_bytes();
        chunk.extend_from_slice(part);
        chunk.extend_from_slice(b"\r\n");
        conn.send(&chunk)
    })?;
    if message.truncate.is_some() {
        return Ok(());
    }
    let trailers: String = message.trailers.iter().map(|line| format!("{line}\r\n")).collect();
    conn.send(&bytes_of(&expand(&format!("0\r\n{trailers}\r\n"))))
}

fn name_of(step: &Step) -> String {
    let text = format!("{step:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}
