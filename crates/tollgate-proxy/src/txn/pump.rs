//! The origin's body on its way to the store, beside the response to the client.
//!
//! Responsible for: reading the body for the object and all that wait for it, reading on when the client has left,
//! running both until the transaction may end.
//! Not responsible for: whether a response is stored (`deliver`).
//! Invariants: an incomplete body is never stored; an object is in the store before any client has seen its last byte.

use super::Stop;
use crate::body::ResponseBody;
use crate::disk::DiskSink;
use crate::thread::EngineThread;
use bytes::Bytes;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use tollgate_cache::{AbortReason, CacheKey, FillWriter, StoredHead, StoredObject, part};
use tollgate_obs::metrics::Metric;
use tollgate_obs::outcome::TransactionEnd;
use tollgate_plugin::BodyError;

/// How a fill went.
pub(super) enum Filled {
    Stored,
    NotStored,
    Aborted,
}

/// Runs the fill and the delivery to this client. The delivery's result counts; the fill may outlive the client.
/// A client that has left keeps its transaction; one that has its answer does not wait for a fill it does not read.
/// Also told: whether the fill went on without the client.
pub(super) async fn run_both(
    pump: impl Future<Output = Filled> + 'static,
    deliver: impl Future<Output = Result<TransactionEnd, Stop>>,
) -> (Result<TransactionEnd, Stop>, bool) {
    let mut pump = Box::pin(pump);
    let mut deliver = pin!(deliver);
    let mut filled = None;
    let mut delivered = None;
    poll_fn(|cx| {
        if filled.is_none()
            && let Poll::Ready(result) = pump.as_mut().poll(cx)
        {
            filled = Some(result);
        }
        if delivered.is_none()
            && let Poll::Ready(result) = deliver.as_mut().poll(cx)
        {
            delivered = Some(result);
        }
        if filled.is_none() && delivered.is_some() {
            // The reader has just been dropped: the fill decides whether it goes on.
            if let Poll::Ready(result) = pump.as_mut().poll(cx) {
                filled = Some(result);
            }
        }
        let has_left = |end: &Result<TransactionEnd, Stop>| {
            matches!(end, Ok(TransactionEnd::ClientAborted | TransactionEnd::ClientTimeout))
        };
        match &delivered {
            Some(end) if filled.is_some() || !has_left(end) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    })
    .await;
    if filled.is_none() {
        tollgate_event::spawn_local(async move {
            // Its result is in the cache and the metrics.
            let _: Filled = pump.await;
        });
    }
    let left = matches!(delivered, Some(Ok(TransactionEnd::ClientAborted | TransactionEnd::ClientTimeout)));
    let went_on = left && !matches!(filled, Some(Filled::Aborted));
    let result = match (delivered, filled) {
        (Some(Ok(TransactionEnd::Completed)), Some(Filled::Aborted)) => Ok(TransactionEnd::OriginBodyAborted),
        (Some(result), _) => result,
        (None, _) => Ok(TransactionEnd::Internal),
    };
    (result, went_on)
}

/// Whether the fetch goes on when the client has left (`background_fill_completed_threshold`).
pub(super) fn may_fill_behind(received: u64, length: Option<u64>, threshold: f64) -> bool {
    match length {
        Some(length) if length > 0 => received as f64 / length as f64 >= threshold,
        _ => threshold <= 0.0,
    }
}

/// A body and its length, if known.
pub(super) struct Arriving {
    pub(super) body: ResponseBody,
    pub(super) length: Option<u64>,
    /// What comes of it may be kept without the rest.
    pub(super) is_kept_in_part: bool,
}

/// Reads the body into the fill until its end, and stores the object.
pub(super) async fn pump(
    thread: Rc<EngineThread>,
    key: Option<CacheKey>,
    head: Arc<StoredHead>,
    Arriving { mut body, length, is_kept_in_part }: Arriving,
    mut writer: FillWriter,
    mut sink: Option<DiskSink>,
    may_go_on: impl Fn(u64) -> bool,
) -> Filled {
    let mut behind = None;
    let has_memory = thread.engine.store.settings().budget_bytes > 0;
    // What the disk keeps of parts is all that is kept of them.
    let is_part = sink.as_ref().is_some_and(DiskSink::is_part);
    loop {
        if !writer.has_readers() && behind.is_none() {
            let received = writer.total_bytes();
            if length != Some(received) {
                let is_of_use = !writer.has_overflowed() || sink.as_ref().is_some_and(DiskSink::is_writing);
                if !is_of_use || !may_go_on(received) {
                    keep(&thread, key.as_ref().filter(|_| is_kept_in_part), sink, &writer).await;
                    writer.abort(AbortReason::NoReaders);
                    thread.metrics.inc(Metric::CacheStoreAborts);
                    return Filled::NotStored;
                }
                thread.metrics.inc(Metric::BackgroundFills);
                behind = Some(thread.metrics.hold(Metric::BackgroundFillsActive));
            }
        }
        let next = next_piece(&mut body, &mut writer, behind.is_some()).await;
        match next {
            Next::Piece(piece) if length.is_some_and(|n| writer.total_bytes() + piece.len() as u64 > n) => {
                if let Some(sink) = sink {
                    sink.discard();
                }
                writer.abort(AbortReason::OriginBodyAborted);
                thread.metrics.inc(Metric::CacheStoreAborts);
                return Filled::Aborted;
            }
            Next::Piece(piece) => {
                let is_last = length == Some(writer.total_bytes() + piece.len() as u64);
                if let Some(open) = sink.take() {
                    let is_kept = has_memory && !is_part && writer.keeps(piece.len() as u64);
                    sink = feed(open, &mut writer, piece, is_last, is_kept).await;
                } else {
                    writer.append(piece);
                }
                if let Some(key) = &key {
                    // Purges are kept for a while only: a long fetch is judged as it goes. What was found is acted
                    // on when the object is stored.
                    thread.engine.store.purges().judge(key, head.mark());
                }
            }
            Next::Readers => {}
            Next::End if length.is_none_or(|n| n == writer.total_bytes()) => break,
            Next::End | Next::Fault => {
                keep(&thread, key.as_ref().filter(|_| is_kept_in_part), sink, &writer).await;
                writer.abort(AbortReason::OriginBodyAborted);
                thread.metrics.inc(Metric::CacheStoreAborts);
                return Filled::Aborted;
            }
        }
    }
    if (is_part || !(has_memory && writer.keeps(0)))
        && let Some(sink) = sink.take()
    {
        sink.commit().await;
    }
    let stored = writer.finish(|object| {
        let Some(key) = key.as_ref().filter(|_| !is_part) else { return };
        if store(&thread, key, object) {
            thread.metrics.inc(Metric::CacheStores);
        }
    });
    if let Some((sink, object)) = sink.zip(stored.as_ref()) {
        sink.commit_behind(Arc::clone(object));
    }
    if stored.is_some() { Filled::Stored } else { Filled::NotStored }
}

/// Takes an object into memory; tells whether it is there.
fn store(thread: &EngineThread, key: &CacheKey, object: &Arc<StoredObject>) -> bool {
    let store = &thread.engine.store;
    let object = match object.head().is_part() {
        true => part::to_store(&store.alternates(key), object),
        false => Some(Arc::clone(object)),
    };
    object.is_some_and(|object| store.insert(key, object).is_ok())
}

/// The body will not come to its end: what came may be of use. It is found before the readers know.
async fn keep(thread: &EngineThread, key: Option<&CacheKey>, sink: Option<DiskSink>, writer: &FillWriter) {
    if let Some(sink) = sink {
        return sink.keep().await;
    }
    if let Some(key) = key
        && thread.engine.disk.store().is_none()
        && let Some((head, chunks)) = writer.so_far()
        && let Some(object) = part::cut_off(&head, &chunks)
    {
        store(thread, key, &Arc::new(object));
    }
}

/// Gives a piece to the disk and to the readers. An object that only the disk keeps is found there before the readers
/// have its last piece.
async fn feed(
    mut sink: DiskSink,
    writer: &mut FillWriter,
    piece: Bytes,
    is_last: bool,
    is_kept: bool,
) -> Option<DiskSink> {
    if !is_last {
        writer.append(piece.clone());
        sink.take(piece).await;
        match sink.is_writing() {
            true => writer.note_spilled(),
            false => writer.end_spill(),
        }
        return Some(sink);
    }
    sink.take(piece.clone()).await;
    let left = if is_kept {
        Some(sink)
    } else {
        sink.commit().await;
        None
    };
    writer.append(piece);
    left
}

enum Next {
    Piece(Bytes),
    /// The last reader has gone.
    Readers,
    End,
    Fault,
}

/// The next piece once the fill may take it, or the news that nobody reads any more.
async fn next_piece(body: &mut ResponseBody, writer: &mut FillWriter, behind: bool) -> Next {
    let piece = |result: Result<Option<Bytes>, BodyError>| match result {
        Ok(Some(piece)) => Next::Piece(piece),
        Ok(None) => Next::End,
        Err(_) => Next::Fault,
    };
    if !body.can_poll() {
        poll_fn(|cx| writer.poll_ready(cx)).await;
        return piece(body.next_piece().await);
    }
    poll_fn(|cx| {
        if writer.poll_ready(cx).is_ready()
            && let Poll::Ready(result) = body.poll_next(cx)
        {
            return Poll::Ready(piece(result));
        }
        if !behind && writer.poll_no_readers(cx).is_ready() {
            return Poll::Ready(Next::Readers);
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tests::with_pair;
    use std::cell::Cell;
    use tollgate_event::yield_now;

    /// A fill that is over when `go` says so, and then says so.
    async fn fill(go: Rc<Cell<bool>>, done: Rc<Cell<bool>>, result: Filled) -> Filled {
        while !go.get() {
            yield_now().await;
        }
        done.set(true);
        result
    }

    fn flags() -> (Rc<Cell<bool>>, Rc<Cell<bool>>) {
        Default::default()
    }

    #[test]
    fn a_client_that_has_its_answer_does_not_wait_for_the_fill() {
        with_pair(|_, _| async {
            let (go, done) = flags();
            let pump = fill(Rc::clone(&go), Rc::clone(&done), Filled::Stored);
            let (ended, went_on) = run_both(pump, async { Ok(TransactionEnd::Completed) }).await;
            assert!(matches!(ended, Ok(TransactionEnd::Completed)) && !done.get() && !went_on);
            go.set(true);
            while !done.get() {
                yield_now().await;
            }
        });
    }

    #[test]
    fn a_client_that_has_left_keeps_its_transaction_until_the_fill_is_over() {
        for end in [TransactionEnd::ClientAborted, TransactionEnd::ClientTimeout] {
            with_pair(move |_, _| async move {
                let (go, done) = flags();
                let release = Rc::clone(&go);
                let pump = fill(go, Rc::clone(&done), Filled::NotStored);
                let deliver = async move {
                    tollgate_event::spawn_local(async move {
                        yield_now().await;
                        release.set(true);
                    });
                    Ok(end)
                };
                let (ended, went_on) = run_both(pump, deliver).await;
                assert!(matches!(ended, Ok(e) if e == end) && done.get() && went_on);
            });
        }
    }

    #[test]
    fn a_response_whose_fill_was_cut_off_is_not_complete() {
        with_pair(|_, _| async {
            let (go, done) = flags();
            go.set(true);
            let pump = fill(go, done, Filled::Aborted);
            let (ended, went_on) = run_both(pump, async { Ok(TransactionEnd::Completed) }).await;
            assert!(matches!(ended, Ok(TransactionEnd::OriginBodyAborted)) && !went_on);
        });
    }

    #[test]
    fn a_delivery_that_stops_does_not_wait_for_the_fill() {
        with_pair(|_, _| async {
            let (go, done) = flags();
            let pump = fill(go, Rc::clone(&done), Filled::Stored);
            let (ended, went_on) =
                run_both(pump, async { Err(Stop::Abort(TransactionEnd::PluginFailed)) }).await;
            assert!(
                matches!(ended, Err(Stop::Abort(TransactionEnd::PluginFailed))) && !done.get() && !went_on
            );
        });
    }
}
