//! Writing text logs on a thread of their own.
//!
//! Responsible for: files, headers, rolling, reopening, streams.
//! Invariants: who appends never waits for the disk; what waits for the thread is bounded per log, what does not fit is
//! refused; lines of one log keep their order.

use super::local_time::{self, LocalTime};
use super::rolling::{self, Rolling};
use parking_lot::Mutex;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// LIMIT: bytes of one log that wait for the thread.
const MOST_WAITING: usize = 1 << 20;

/// Where a log's lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    File(PathBuf),
    Stdout,
    Stderr,
}

#[derive(Debug)]
struct OpenFile {
    file: File,
    size: u64,
    begun: i64,
    epoch: u64,
}

/// One log.
#[derive(Debug)]
pub(super) struct TextFile {
    pub(super) destination: Destination,
    waiting: Mutex<Vec<u8>>,
    pub(super) header: Mutex<Option<Vec<u8>>>,
    pub(super) rolling: Mutex<Rolling>,
    /// Used by the writing thread only.
    open: Mutex<Option<OpenFile>>,
}

impl TextFile {
    pub(super) fn new(destination: Destination) -> TextFile {
        TextFile {
            destination,
            waiting: Mutex::new(Vec::new()),
            header: Mutex::new(None),
            rolling: Mutex::new(Rolling::default()),
            open: Mutex::new(None),
        }
    }

    fn write(&self, epoch: u64) -> io::Result<()> {
        let lines = std::mem::take(&mut *self.waiting.lock());
        match &self.destination {
            Destination::Stdout => io::stdout().write_all(&lines),
            Destination::Stderr => io::stderr().write_all(&lines),
            Destination::File(path) => self.write_file(path, &lines, epoch),
        }
    }

    fn write_file(&self, path: &Path, lines: &[u8], epoch: u64) -> io::Result<()> {
        let mut open = self.open.lock();
        let now = local_time::now();
        if let Some(file) = &*open {
            let rolling = *self.rolling.lock();
            let is_due = rolling.is_due(file.begun, file.size, now, LocalTime::at(now).offset_sec);
            if is_due {
                set_aside(path, file.begun, now)?;
            }
            if is_due || file.epoch != epoch {
                *open = None;
            }
        }
        let file = match &mut *open {
            Some(file) => file,
            empty => empty.insert(self.open_file(path, now, epoch)?),
        };
        file.file.write_all(lines)?;
        file.size += lines.len() as u64;
        Ok(())
    }

    fn open_file(&self, path: &Path, now: i64, epoch: u64) -> io::Result<OpenFile> {
        let mut file = File::options().append(true).create(true).open(path)?;
        let mut size = file.metadata()?.len();
        if size == 0
            && let Some(header) = &*self.header.lock()
        {
            file.write_all(header)?;
            size = header.len() as u64;
        }
        Ok(OpenFile { file, size, begun: now, epoch })
    }
}

fn set_aside(path: &Path, begun: i64, now: i64) -> io::Result<()> {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    std::fs::rename(path, path.with_file_name(rolling::old_name(&name, machine.trim(), begun, now)))
}

enum Message {
    /// There are lines.
    Lines(Arc<TextFile>),
    /// Tell when everything before has been written.
    Reached(Sender<()>),
}

/// The writing thread; it begins with the first line.
#[derive(Debug, Default)]
pub(super) struct Writer {
    queue: OnceLock<Option<Sender<Message>>>,
    epoch: Arc<AtomicU64>,
}

impl Writer {
    /// Has a line written; whether there is room for it.
    pub(super) fn append(&self, log: &Arc<TextFile>, line: &[u8]) -> bool {
        let Some(queue) = self.queue() else { return false };
        let mut waiting = log.waiting.lock();
        if waiting.len() + line.len() > MOST_WAITING {
            return false;
        }
        let was_empty = waiting.is_empty();
        waiting.extend_from_slice(line);
        drop(waiting);
        !was_empty || queue.send(Message::Lines(Arc::clone(log))).is_ok()
    }

    /// Waits until everything has been written, but not longer than `limit`; whether it has.
    pub(super) fn wait(&self, limit: Duration) -> bool {
        let Some(Some(queue)) = self.queue.get() else { return true };
        let (reached, waits) = channel();
        queue.send(Message::Reached(reached)).is_ok() && waits.recv_timeout(limit).is_ok()
    }

    /// Opens each file anew before something is written to it.
    pub(super) fn reopen(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    fn queue(&self) -> Option<&Sender<Message>> {
        let start = || {
            let (queue, messages) = channel();
            let epoch = Arc::clone(&self.epoch);
            let thread = std::thread::Builder::new().name("text-logs".to_owned());
            match thread.spawn(move || run(&messages, &epoch)) {
                Ok(_runs_until_the_queue_closes) => Some(queue),
                Err(error) => {
                    tracing::error!("text logs cannot be written: {error}");
                    None
                }
            }
        };
        self.queue.get_or_init(start).as_ref()
    }
}

fn run(messages: &Receiver<Message>, epoch: &AtomicU64) {
    while let Ok(message) = messages.recv() {
        match message {
            Message::Lines(log) => {
                if let Err(error) = log.write(epoch.load(Ordering::Relaxed)) {
                    tracing::error!("lines of the text log {:?} are lost: {error}", log.destination);
                }
            }
            // Who asked may have stopped waiting.
            Message::Reached(reached) => drop(reached.send(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    fn log(path: &Path) -> Arc<TextFile> {
        Arc::new(TextFile::new(Destination::File(path.to_owned())))
    }

    #[test]
    fn a_file_is_set_aside_when_it_is_large() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.log");
        let (writer, log) = (Writer::default(), log(&path));
        *log.rolling.lock() = Rolling { mode: 2, size_mb: 1, ..Rolling::default() };
        *log.header.lock() = Some(b"header\n".to_vec());
        let line = vec![b'x'; 600 * 1024];
        for _ in 0..3 {
            assert!(writer.append(&log, &line));
            assert!(writer.wait(LIMIT));
        }
        let mut sizes: Vec<_> = std::fs::read_dir(dir.path())
            .expect("a directory")
            .map(|entry| entry.and_then(|e| e.metadata()).expect("a file").len())
            .collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [600 * 1024 + 7, 1200 * 1024 + 7]);
    }

    #[test]
    fn a_file_that_was_moved_is_begun_anew_after_reopening() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a.log");
        let (writer, log) = (Writer::default(), log(&path));
        assert!(writer.append(&log, b"one\n") && writer.wait(LIMIT));
        std::fs::rename(&path, dir.path().join("moved")).expect("a file");
        writer.reopen();
        assert!(writer.append(&log, b"two\n") && writer.wait(LIMIT));
        assert_eq!(std::fs::read(&path).expect("a file"), b"two\n");
    }

    #[test]
    fn what_cannot_be_written_does_not_pile_up() {
        let log = log(Path::new("/nonexistent/a.log"));
        let writer = Writer::default();
        assert!(!writer.append(&log, &vec![b'x'; MOST_WAITING + 1]));
        for _ in 0..10 {
            assert!(writer.append(&log, &vec![b'x'; MOST_WAITING]));
            assert!(writer.wait(LIMIT));
        }
    }
}
