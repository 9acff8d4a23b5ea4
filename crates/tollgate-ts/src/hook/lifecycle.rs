//! Hooks of the server's life.

use super::global::current_start;
use crate::cont::Cont;
use crate::fence::{Misuse, fence};
use crate::plugin::Plugin;
use crate::slots::Handle;
use parking_lot::Mutex;
use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::Arc;
use tollgate_plugin::hooks::{
    CacheReady, Message, PluginMessage, PortsInitialized, PortsReady, Shutdown, TaskThreadsReady,
};
use tollgate_plugin::{Order, Registrar};

/// `TSLifecycleHookID` and the event of number 0.
const PORTS_INITIALIZED: c_int = 0;
const PORTS_READY: c_int = 1;
const CACHE_READY: c_int = 2;
const MESSAGE: c_int = 5;
const TASK_THREADS_READY: c_int = 6;
const SHUTDOWN: c_int = 7;
const LAST: c_int = 9;
const FIRST_EVENT: c_int = 60100;

struct Added {
    start: u32,
    id: c_int,
    cont: Arc<Cont>,
}

static ADDED: Mutex<Vec<Added>> = Mutex::new(Vec::new());

/// `TSPluginMsg`.
#[repr(C)]
struct PluginMsg {
    tag: *const c_char,
    data: *const c_void,
    data_size: usize,
}

/// Registers one start of a plugin for all of it: what it adds later is found when the time comes.
pub(super) fn register(start: u32, _plugin: &Arc<Plugin>, registrar: &mut Registrar) {
    registrar.on_point::<PortsInitialized>(Order::default(), move |_| fire(start, PORTS_INITIALIZED));
    registrar.on_point::<PortsReady>(Order::default(), move |_| fire(start, PORTS_READY));
    registrar.on_point::<CacheReady>(Order::default(), move |_| fire(start, CACHE_READY));
    registrar.on_point::<TaskThreadsReady>(Order::default(), move |_| fire(start, TASK_THREADS_READY));
    registrar.on_point::<Shutdown>(Order::default(), move |_| fire(start, SHUTDOWN));
    registrar.on_point::<PluginMessage>(Order::default(), move |message| tell(start, message));
}

fn of(start: u32, id: c_int) -> Vec<Arc<Cont>> {
    ADDED.lock().iter().filter(|a| a.start == start && a.id == id).map(|a| Arc::clone(&a.cont)).collect()
}

fn fire(start: u32, id: c_int) {
    for cont in of(start, id) {
        let turn = cont.wait();
        cont.call(&turn, FIRST_EVENT + id, null_mut());
    }
}

fn tell(start: u32, message: &Message) {
    for cont in of(start, MESSAGE) {
        // Each gets a copy: it may write to it.
        let tag = CString::new(message.tag.replace('\0', "")).unwrap_or_default();
        let mut data = message.data.clone();
        let size = data.len();
        data.push(0);
        let mut message = PluginMsg { tag: tag.as_ptr(), data: data.as_mut_ptr().cast(), data_size: size };
        let turn = cont.wait();
        cont.call(&turn, FIRST_EVENT + MESSAGE, (&raw mut message).cast());
    }
}

/// Adds a hook of the server's life.
#[unsafe(no_mangle)]
pub extern "C" fn TSLifecycleHookAdd(id: c_int, cont: Handle) {
    fence("TSLifecycleHookAdd", (), || {
        let cont = Cont::find(cont)?;
        if !(0..LAST).contains(&id) {
            return Err(Misuse::Text("there is no such hook"));
        }
        let start = current_start();
        ADDED.lock().push(Added { start, id, cont });
        Ok(())
    });
}
