//! Bringing log lines from event threads to the log.
//!
//! Responsible for: per-thread batches, the bounded queue, the one writing thread, reopening, counting losses.
//! Not responsible for: the look of lines, rotating or removing files.
//! Invariants: an event thread never waits: a full queue loses the batch and counts its entries; every entry is
//! counted exactly once, as written or as dropped; reopening and closing get through a full queue; no clock is read,
//! the minute of a fault report is told by the entries' own times.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::Mutex;

use super::entry::LogEntry;
use super::format::{Formatter, LogFormat};
use super::sink::{FileSink, LogOpenError, LogSink};
use crate::metrics::{Metric, Metrics, ThreadMetrics};

/// How long further faults are only counted after one was reported.
const FAULT_REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// What the fault callback is told, on the writing thread, once a minute at most.
#[derive(Debug)]
pub struct LogFault {
    /// The latest fault.
    pub error: io::Error,
    /// Failed writes since the last report, this one included.
    pub failed_writes: u64,
    /// Entries those writes lost.
    pub lost_entries: u64,
}

/// The limits of a log.
#[derive(Clone, Copy, Debug)]
pub struct AccessLogOptions {
    /// The look of the lines.
    pub format: LogFormat,
    /// LIMIT: a thread's batch is handed over when it has grown to this many bytes.
    pub batch_bytes: usize,
    /// LIMIT: batches waiting for the writing thread; further ones are dropped.
    pub queue_batches: usize,
}

impl AccessLogOptions {
    /// Batches of 64 KiB, 64 of them waiting at most (4 MiB).
    pub const fn new(format: LogFormat) -> Self {
        Self { format, batch_bytes: 64 * 1024, queue_batches: 64 }
    }
}

/// Lines on their way. Dropped with entries in it, it counts them as dropped, wherever that happens.
struct Batch {
    lines: Vec<u8>,
    entries: u64,
    /// The end of the latest entry, since 1970.
    at: Duration,
    metrics: Metrics,
}

impl Drop for Batch {
    fn drop(&mut self) {
        if self.entries > 0 {
            self.metrics.add(Metric::LogEntriesDropped, self.entries);
        }
    }
}

enum Message {
    Batch(Batch),
    /// Look at the control block.
    Wake,
}

/// What is told to the writing thread beside the queue, so that it gets through a full one.
#[derive(Default)]
struct Control {
    is_closing: AtomicBool,
    reopen_asked: AtomicBool,
    reopen_waiters: Mutex<Vec<Sender<io::Result<()>>>>,
}

/// A running access log. Dropping it closes it: what is queued is written, handles count what comes later as dropped.
pub struct AccessLog {
    options: AccessLogOptions,
    queue: SyncSender<Message>,
    control: Arc<Control>,
    metrics: Metrics,
    writer: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for AccessLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessLog").field("options", &self.options).finish_non_exhaustive()
    }
}

impl AccessLog {
    /// Opens a log file and starts the writing thread. `on_fault` is called on that thread.
    ///
    /// # Errors
    /// If the file cannot be opened or the thread not started.
    pub fn open(
        path: &Path,
        options: AccessLogOptions,
        metrics: &Metrics,
        on_fault: impl FnMut(LogFault) + Send + 'static,
    ) -> Result<Self, LogOpenError> {
        Self::with_sink(FileSink::open(path)?, options, metrics, on_fault)
    }

    /// Starts the writing thread for any destination.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn with_sink(
        sink: impl LogSink + 'static,
        options: AccessLogOptions,
        metrics: &Metrics,
        on_fault: impl FnMut(LogFault) + Send + 'static,
    ) -> Result<Self, LogOpenError> {
        let (queue, batches) = sync_channel(options.queue_batches.max(1));
        let control = Arc::new(Control::default());
        let writer = Writer {
            sink: Box::new(sink),
            batches,
            control: Arc::clone(&control),
            metrics: metrics.thread(),
            faults: FaultReporter::new(Box::new(on_fault)),
        };
        let thread = std::thread::Builder::new().name("access-log".to_owned());
        let writer = thread.spawn(move || writer.run()).map_err(LogOpenError::Thread)?;
        Ok(Self { options, queue, control, metrics: metrics.clone(), writer: Some(writer) })
    }

    /// A handle for one event thread.
    pub fn handle(&self) -> AccessLogHandle {
        AccessLogHandle {
            formatter: Formatter::new(self.options.format),
            batch_bytes: self.options.batch_bytes,
            lines: Vec::new(),
            entries: 0,
            at: Duration::ZERO,
            queue: self.queue.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// Has the destination opened anew (after the file was renamed). Does not wait; ask the answer if it matters.
    ///
    /// Batches queued before may still land in the new file, none is lost.
    pub fn reopen(&self) -> Reopening {
        let (waiter, answer) = channel();
        self.control.reopen_waiters.lock().push(waiter);
        self.control.reopen_asked.store(true, Ordering::Release);
        self.wake();
        Reopening { answer }
    }

    /// Writes what is queued and ends the writing thread. Waits for the destination; flush the handles first.
    pub fn close(self) {
        drop(self);
    }

    /// A full queue needs no waking: the writing thread looks at the control block before each batch.
    fn wake(&self) {
        match self.queue.try_send(Message::Wake) {
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.control.is_closing.store(true, Ordering::Release);
        self.wake();
        if let Some(writer) = self.writer.take() {
            // A panic of the writing thread was reported by the panic hook; there is nothing left to do for it.
            drop(writer.join());
        }
    }
}

/// The answer to [`AccessLog::reopen`].
#[derive(Debug)]
pub struct Reopening {
    answer: Receiver<io::Result<()>>,
}

impl Reopening {
    /// Waits until the destination has been opened anew.
    ///
    /// # Errors
    /// What opening said; `BrokenPipe` if the log was closed meanwhile.
    pub fn wait(self) -> io::Result<()> {
        self.answer.recv().unwrap_or_else(|RecvError| Err(io::ErrorKind::BrokenPipe.into()))
    }
}

/// One event thread's end of the log. Dropping it hands over what is left.
pub struct AccessLogHandle {
    formatter: Formatter,
    batch_bytes: usize,
    lines: Vec<u8>,
    entries: u64,
    at: Duration,
    queue: SyncSender<Message>,
    metrics: Metrics,
}

impl std::fmt::Debug for AccessLogHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessLogHandle").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl AccessLogHandle {
    /// Adds the entry's line to this thread's batch and hands the batch over when it is large enough.
    pub fn log(&mut self, entry: &LogEntry<'_>) {
        if self.lines.capacity() == 0 {
            // Room for the line that goes past the mark, so that the buffer does not grow at its end.
            self.lines.reserve_exact(self.batch_bytes + self.batch_bytes / 16);
        }
        self.formatter.write_line(&mut self.lines, entry);
        self.entries += 1;
        self.at = self.at.max(entry.started_unix.saturating_add(entry.elapsed));
        if self.lines.len() >= self.batch_bytes {
            self.flush();
        }
    }

    /// Hands the batch over now, if there is one. Never waits; a full queue loses the batch.
    pub fn flush(&mut self) {
        if self.entries == 0 {
            return;
        }
        let batch = Batch {
            lines: std::mem::take(&mut self.lines),
            entries: std::mem::take(&mut self.entries),
            at: self.at,
            metrics: self.metrics.clone(),
        };
        let Err(TrySendError::Full(refused) | TrySendError::Disconnected(refused)) =
            self.queue.try_send(Message::Batch(batch))
        else {
            return;
        };
        if let Message::Batch(mut batch) = refused {
            // The buffer serves the next batch; dropping the rest counts the entries.
            self.lines = std::mem::take(&mut batch.lines);
            self.lines.clear();
        }
    }
}

impl Drop for AccessLogHandle {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The writing thread.
struct Writer {
    sink: Box<dyn LogSink>,
    batches: Receiver<Message>,
    control: Arc<Control>,
    metrics: ThreadMetrics,
    faults: FaultReporter,
}

impl Writer {
    fn run(mut self) {
        while let Some(message) = self.next() {
            self.obey_reopen();
            if let Message::Batch(batch) = message {
                self.write(batch);
            }
        }
        self.obey_reopen();
    }

    /// The next message; `None` when the log is closed and the queue is empty.
    fn next(&self) -> Option<Message> {
        if !self.control.is_closing.load(Ordering::Acquire) {
            return self.batches.recv().ok();
        }
        self.batches.try_recv().ok()
    }

    fn obey_reopen(&mut self) {
        if !self.control.reopen_asked.swap(false, Ordering::Acquire) {
            return;
        }
        let waiters = std::mem::take(&mut *self.control.reopen_waiters.lock());
        let outcome = self.sink.reopen();
        for waiter in waiters {
            let answer = match &outcome {
                Ok(()) => Ok(()),
                Err(e) => Err(io::Error::new(e.kind(), e.to_string())),
            };
            // Whoever asked need not wait for the answer.
            let _ = waiter.send(answer);
        }
        if let Err(error) = outcome {
            self.faults.report_now(error);
        }
    }

    fn write(&mut self, mut batch: Batch) {
        match self.sink.write_batch(&batch.lines) {
            Ok(()) => {
                self.metrics.add(Metric::LogEntriesWritten, std::mem::take(&mut batch.entries));
                self.metrics.add(Metric::LogBytesWritten, batch.lines.len() as u64);
            }
            Err(error) => {
                self.metrics.inc(Metric::LogWriteErrors);
                self.faults.failed_write(error, &batch);
            }
        }
    }
}

/// Tells of faults once a minute.
struct FaultReporter {
    callback: Box<dyn FnMut(LogFault) + Send>,
    reported_at: Option<Duration>,
    failed_writes: u64,
    lost_entries: u64,
}

impl FaultReporter {
    fn new(callback: Box<dyn FnMut(LogFault) + Send>) -> Self {
        Self { callback, reported_at: None, failed_writes: 0, lost_entries: 0 }
    }

    fn failed_write(&mut self, error: io::Error, batch: &Batch) {
        self.failed_writes += 1;
        self.lost_entries += batch.entries;
        let is_due = self.reported_at.is_none_or(|last| batch.at.abs_diff(last) >= FAULT_REPORT_INTERVAL);
        if is_due {
            self.reported_at = Some(batch.at);
            self.report_now(error);
        }
    }

    fn report_now(&mut self, error: io::Error) {
        let failed_writes = std::mem::take(&mut self.failed_writes);
        let lost_entries = std::mem::take(&mut self.lost_entries);
        (self.callback)(LogFault { error, failed_writes, lost_entries });
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
