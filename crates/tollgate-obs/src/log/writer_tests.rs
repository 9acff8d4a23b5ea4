use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use parking_lot::Mutex;

use super::{AccessLog, AccessLogOptions, LogOpenError, LogSink};
use crate::log::{LogEntry, LogFormat};
use crate::metrics::{Metric, Metrics};

/// Tells when a write begins and ends it with the outcome the test sends.
struct GatedSink {
    begun: Sender<Vec<u8>>,
    outcomes: Receiver<io::Result<()>>,
}

impl LogSink for GatedSink {
    fn write_batch(&mut self, lines: &[u8]) -> io::Result<()> {
        self.begun.send(lines.to_vec()).expect("the test is there");
        self.outcomes.recv().expect("the test decides each write")
    }

    fn reopen(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

struct Gate {
    begun: Receiver<Vec<u8>>,
    outcomes: Sender<io::Result<()>>,
}

fn gated() -> (GatedSink, Gate) {
    let (begun_tx, begun) = channel();
    let (outcomes, outcomes_rx) = channel();
    (GatedSink { begun: begun_tx, outcomes: outcomes_rx }, Gate { begun, outcomes })
}

fn options(queue_batches: usize) -> AccessLogOptions {
    AccessLogOptions { queue_batches, ..AccessLogOptions::new(LogFormat::Squid) }
}

fn entry(second: u64) -> LogEntry<'static> {
    LogEntry { started_unix: Duration::from_secs(second), ..LogEntry::default() }
}

#[test]
fn full_queue_drops_whole_batches_and_counts_their_entries() {
    let metrics = Metrics::new();
    let (sink, gate) = gated();
    let log = AccessLog::with_sink(sink, options(2), &metrics, |_| {}).unwrap();
    let mut handle = log.handle();
    let mut flush_entries = |n: u64| {
        (0..n).for_each(|_| handle.log(&entry(n)));
        handle.flush();
    };
    flush_entries(1);
    // The writing thread holds this batch and waits; two more fit into the queue.
    gate.begun.recv().unwrap();
    flush_entries(2);
    flush_entries(3);
    assert_eq!(metrics.total(Metric::LogEntriesDropped), 0);
    flush_entries(4);
    flush_entries(5);
    assert_eq!(metrics.total(Metric::LogEntriesDropped), 9);
    (0..3).for_each(|_| gate.outcomes.send(Ok(())).unwrap());
    drop(handle);
    log.close();
    assert_eq!(metrics.total(Metric::LogEntriesWritten), 6);
    assert_eq!(metrics.total(Metric::LogEntriesDropped), 9);
    let written: usize = gate.begun.iter().map(|lines| lines.iter().filter(|&&b| b == b'\n').count()).sum();
    assert_eq!(written, 5, "the two queued batches after the first");
}

#[test]
fn batch_is_handed_over_when_it_is_large_enough() {
    let metrics = Metrics::new();
    let (sink, gate) = gated();
    let options = AccessLogOptions { batch_bytes: 1000, ..options(8) };
    let log = AccessLog::with_sink(sink, options, &metrics, |_| {}).unwrap();
    let mut handle = log.handle();
    let line_bytes = {
        handle.log(&entry(1));
        handle.lines.len()
    };
    let needed = 1000_usize.div_ceil(line_bytes);
    (1..needed - 1).for_each(|_| handle.log(&entry(1)));
    assert_eq!(handle.entries, needed as u64 - 1, "not yet");
    let buffer = handle.lines.capacity();
    handle.log(&entry(1));
    assert_eq!(handle.entries, 0);
    assert!(buffer >= line_bytes * needed, "the buffer never grew");
    gate.outcomes.send(Ok(())).unwrap();
    assert_eq!(gate.begun.recv().unwrap().len(), line_bytes * needed);
    log.close();
    assert_eq!(metrics.total(Metric::LogBytesWritten), (line_bytes * needed) as i64);
}

#[test]
fn write_errors_are_counted_and_told_once_a_minute() {
    let metrics = Metrics::new();
    let (sink, gate) = gated();
    let faults = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&faults);
    let on_fault = move |fault: super::LogFault| told.lock().push((fault.failed_writes, fault.lost_entries));
    let log = AccessLog::with_sink(sink, options(8), &metrics, on_fault).unwrap();
    let mut handle = log.handle();
    for (second, entries) in [(1000, 1), (1030, 2), (1059, 3), (1060, 4), (1061, 5)] {
        (0..entries).for_each(|_| handle.log(&entry(second)));
        handle.flush();
        gate.outcomes.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
    }
    handle.log(&entry(1062));
    handle.flush();
    gate.outcomes.send(Ok(())).unwrap();
    log.close();
    assert_eq!(*faults.lock(), [(1, 1), (3, 9)], "at 1000 and at 1060");
    assert_eq!(metrics.total(Metric::LogWriteErrors), 5);
    assert_eq!(metrics.total(Metric::LogEntriesDropped), 15);
    assert_eq!(metrics.total(Metric::LogEntriesWritten), 1);
}

#[test]
fn reopen_gets_through_a_full_queue_and_tells_its_outcome() {
    let metrics = Metrics::new();
    let (sink, gate) = gated();
    let faults = Arc::new(Mutex::new(0));
    let told = Arc::clone(&faults);
    let log = AccessLog::with_sink(sink, options(1), &metrics, move |_| *told.lock() += 1).unwrap();
    let mut handle = log.handle();
    for second in 0..2 {
        handle.log(&entry(second));
        handle.flush();
        if second == 0 {
            gate.begun.recv().unwrap();
        }
    }
    let reopening = log.reopen();
    (0..2).for_each(|_| gate.outcomes.send(Ok(())).unwrap());
    assert_eq!(reopening.wait().unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    drop(handle);
    log.close();
    assert_eq!(*faults.lock(), 1);
    assert_eq!(metrics.total(Metric::LogEntriesWritten), 2, "a failed reopen loses nothing");
}

#[test]
fn entries_logged_after_closing_count_as_dropped() {
    let metrics = Metrics::new();
    let (sink, _gate) = gated();
    let log = AccessLog::with_sink(sink, options(1), &metrics, |_| {}).unwrap();
    let mut handle = log.handle();
    log.close();
    handle.log(&entry(1));
    drop(handle);
    assert_eq!(metrics.total(Metric::LogEntriesDropped), 1);
    assert_eq!(metrics.total(Metric::LogEntriesWritten), 0);
}

#[test]
fn lines_of_all_threads_reach_the_file_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("access.log");
    std::fs::write(&path, "before\n").unwrap();
    let metrics = Metrics::new();
    let log = AccessLog::open(&path, options(1000), &metrics, |_| {}).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..3_u64 {
            let mut handle = log.handle();
            scope.spawn(move || {
                for i in 0..200 {
                    handle.log(&entry(thread * 1000 + i));
                    if i % 10 == 0 {
                        handle.flush();
                    }
                }
            });
        }
    });
    log.close();
    let text = std::fs::read_to_string(&path).unwrap();
    let (first, rest) = text.split_once('\n').unwrap();
    assert_eq!(first, "before", "the file is appended to");
    let mut seconds: Vec<u64> =
        rest.lines().map(|line| line.split_once(".000 0 0.0.0.0 ").unwrap().0.parse().unwrap()).collect();
    for thread in 0..3 {
        let own: Vec<_> = seconds.iter().filter(|&&s| s / 1000 == thread).collect();
        assert!(own.is_sorted(), "a thread's entries stay in order");
    }
    seconds.sort_unstable();
    let expected: Vec<u64> = (0..3).flat_map(|thread| (0..200).map(move |i| thread * 1000 + i)).collect();
    assert_eq!(seconds, expected);
    assert_eq!(metrics.total(Metric::LogEntriesWritten), 600);
}

#[test]
fn reopened_log_writes_to_a_new_file_after_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let (path, rotated) = (dir.path().join("access.log"), dir.path().join("access.log.1"));
    let metrics = Metrics::new();
    let log = AccessLog::open(&path, options(8), &metrics, |_| {}).unwrap();
    let mut handle = log.handle();
    handle.log(&entry(1));
    handle.flush();
    // The first line is in the old file for certain once a reopening has been answered after it.
    log.reopen().wait().unwrap();
    handle.log(&entry(2));
    handle.flush();
    log.reopen().wait().unwrap();
    handle.log(&entry(3));
    handle.flush();
    drop(handle);
    log.close();
    let all = std::fs::read_to_string(&path).unwrap();
    assert_eq!(all.lines().count(), 3, "reopening the same file appends");

    let log = AccessLog::open(&path, options(8), &metrics, |_| {}).unwrap();
    std::fs::rename(&path, &rotated).unwrap();
    log.reopen().wait().unwrap();
    let mut handle = log.handle();
    handle.log(&entry(4));
    drop(handle);
    log.close();
    assert_eq!(std::fs::read_to_string(&rotated).unwrap(), all);
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("4.000 "));
}

#[test]
fn log_that_cannot_be_opened_names_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing").join("access.log");
    let error = AccessLog::open(&path, options(1), &Metrics::new(), |_| {}).unwrap_err();
    assert!(matches!(error, LogOpenError::File { .. }));
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
}
