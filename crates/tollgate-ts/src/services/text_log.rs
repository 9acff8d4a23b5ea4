//! Logs that plugins write lines of text to.
//!
//! Responsible for: names of files, modes, lines.
//! Not responsible for: formatting of arguments, writing (`text_writer`).
//! Invariants: two living logs never share a file; any mode but 0 puts the time before each line.

use super::error::ServiceError;
use super::local_time::{self, LocalTime};
use super::slots::{Slots, kind};
use super::text_writer::{Destination, TextFile, Writer};
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// LIMIT: bytes of a line without its end, as in Traffic Server with its usual size of log buffers.
const LONGEST_LINE: usize = 9111;
/// Bits of a mode: times before lines, no other name when that one is taken.
const DO_NOT_RENAME: i32 = 2;
const INVALID: i32 = 4;

struct Log {
    file: Arc<TextFile>,
    has_times: bool,
}

/// Which part of a log's rolling to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollingPart {
    /// Whether and by what.
    Mode,
    /// Seconds.
    Interval,
    /// Hours after midnight.
    Offset,
    /// Megabytes.
    Size,
}

/// The text logs of all plugins.
pub struct TextLogs {
    directory: PathBuf,
    logs: Slots<Log>,
    names: Mutex<Vec<String>>,
    writer: Writer,
}

impl TextLogs {
    pub(super) fn new(directory: PathBuf) -> TextLogs {
        TextLogs {
            directory,
            logs: Slots::new(kind::TEXT_LOG),
            names: Mutex::new(Vec::new()),
            writer: Writer::default(),
        }
    }

    /// A log of that name: `.log` is added to a name without a dot, `_1`, `_2` … to one that is taken, unless the mode
    /// forbids it. `None`: there is no such mode, or the name is taken.
    pub fn create(&self, name: &str, mode: i32) -> Option<u64> {
        if !(0..INVALID).contains(&mode) || name.is_empty() {
            return None;
        }
        let destination = match name {
            "stdout" => Destination::Stdout,
            "stderr" => Destination::Stderr,
            name => Destination::File(self.directory.join(self.claim(name, mode & DO_NOT_RENAME != 0)?)),
        };
        self.logs.insert(Arc::new(Log { file: Arc::new(TextFile::new(destination)), has_times: mode != 0 }))
    }

    /// A name that no other log has.
    fn claim(&self, name: &str, keeps_name: bool) -> Option<String> {
        let full = if name.contains('.') { name.to_owned() } else { format!("{name}.log") };
        let mut names = self.names.lock();
        let mut free = full.clone();
        let mut number = 0;
        while names.contains(&free) {
            if keeps_name {
                return None;
            }
            number += 1;
            free = format!("{full}_{number}");
        }
        names.push(free.clone());
        Some(free)
    }

    /// Has a line written; its end is added. Whether it is: an empty one is not, nor one that is too long, nor one that
    /// finds too many waiting.
    ///
    /// # Errors
    /// If there is no such log.
    pub fn write(&self, log: u64, text: &[u8]) -> Result<bool, ServiceError> {
        let log = self.get(log)?;
        let mut line = Vec::with_capacity(text.len() + 20);
        if log.has_times {
            line.extend_from_slice(LocalTime::at(local_time::now()).stamp().as_bytes());
            line.push(b' ');
        }
        line.extend_from_slice(text);
        if text.is_empty() || line.len() > LONGEST_LINE {
            return Ok(false);
        }
        line.push(b'\n');
        Ok(self.writer.append(&log.file, &line))
    }

    /// Sets the first line of files that are begun from now on.
    ///
    /// # Errors
    /// If there is no such log.
    pub fn set_header(&self, log: u64, header: Option<&[u8]>) -> Result<(), ServiceError> {
        *self.get(log)?.file.header.lock() = header.map(|header| [header, b"\n"].concat());
        Ok(())
    }

    /// Sets a part of a log's rolling.
    ///
    /// # Errors
    /// If there is no such log.
    pub fn set_rolling(&self, log: u64, part: RollingPart, to: i32) -> Result<(), ServiceError> {
        let log = self.get(log)?;
        let mut rolling = log.file.rolling.lock();
        *match part {
            RollingPart::Mode => &mut rolling.mode,
            RollingPart::Interval => &mut rolling.interval_sec,
            RollingPart::Offset => &mut rolling.offset_hr,
            RollingPart::Size => &mut rolling.size_mb,
        } = to;
        Ok(())
    }

    /// Whether there is such a log. Lines do not wait to be flushed.
    ///
    /// # Errors
    /// If there is not.
    pub fn flush(&self, log: u64) -> Result<(), ServiceError> {
        self.get(log).map(drop)
    }

    /// Ends a log; what was written to it still reaches its file.
    ///
    /// # Errors
    /// If there is no such log.
    pub fn destroy(&self, log: u64) -> Result<(), ServiceError> {
        let log = self.logs.remove(log).ok_or(ServiceError::Gone("text log"))?;
        if let Destination::File(path) = &log.file.destination {
            self.names.lock().retain(|name| self.directory.join(name) != *path);
        }
        Ok(())
    }

    /// Waits until all lines have been written, but not longer than `limit`; whether they have. For the server's end.
    pub fn wait(&self, limit: Duration) -> bool {
        self.writer.wait(limit)
    }

    /// Begins files that have been moved away anew. For whoever rotates logs from outside.
    pub fn reopen(&self) {
        self.writer.reopen();
    }

    fn get(&self, log: u64) -> Result<Arc<Log>, ServiceError> {
        self.logs.get(log).ok_or(ServiceError::Gone("text log"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(30);

    #[test]
    fn names_that_are_taken_get_a_number() {
        let dir = tempfile::tempdir().expect("a directory");
        let logs = TextLogs::new(dir.path().to_owned());
        let made: Vec<_> = (0..3).filter_map(|_| logs.create("same", 0)).collect();
        assert!(logs.create("same", DO_NOT_RENAME).is_none());
        assert!(
            logs.create("", 0).is_none() && logs.create("x", 4).is_none() && logs.create("x", -1).is_none()
        );
        for (i, log) in made.iter().enumerate() {
            assert_eq!(logs.write(*log, i.to_string().as_bytes()), Ok(true));
        }
        assert!(logs.wait(LIMIT));
        for (name, text) in [("same.log", "0\n"), ("same.log_1", "1\n"), ("same.log_2", "2\n")] {
            assert_eq!(std::fs::read_to_string(dir.path().join(name)).expect("a file"), text);
        }
        assert_eq!(logs.destroy(made[0]), Ok(()));
        assert_eq!(logs.write(made[0], b"x"), Err(ServiceError::Gone("text log")));
        assert!(logs.create("same", DO_NOT_RENAME).is_some());
    }

    #[test]
    fn lines_of_threads_do_not_mix() {
        let dir = tempfile::tempdir().expect("a directory");
        let logs = TextLogs::new(dir.path().to_owned());
        let log = logs.create("many", 0).expect("a log");
        let lines = ["a", "b", "c", "d"].map(|letter| letter.repeat(50));
        std::thread::scope(|scope| {
            for line in &lines {
                let logs = &logs;
                scope.spawn(move || {
                    for _ in 0..500 {
                        assert_eq!(logs.write(log, line.as_bytes()), Ok(true));
                    }
                });
            }
        });
        assert!(logs.wait(LIMIT));
        let text = std::fs::read_to_string(dir.path().join("many.log")).expect("a file");
        for line in &lines {
            assert_eq!(text.lines().filter(|l| l == line).count(), 500);
        }
        assert_eq!(text.lines().count(), 2000);
    }

    #[test]
    fn the_longest_line_counts_its_time() {
        let dir = tempfile::tempdir().expect("a directory");
        let logs = TextLogs::new(dir.path().to_owned());
        let plain = logs.create("plain", 0).expect("a log");
        let timed = logs.create("timed", 2).expect("a log");
        let writes = |log, length| logs.write(log, &vec![b'x'; length]).expect("a log");
        assert!(writes(plain, 9111) && !writes(plain, 9112) && !writes(plain, 0));
        assert!(writes(timed, 9092) && !writes(timed, 9093));
    }
}
