//! The engine as a module of WebAssembly: text goes in and out through two buffers.
//!
//! The page calls `request(length)` for a place to write the request to, `reply()`, which gives the
//! length of the reply, and `reply_at()`, which gives its place.

#![cfg(target_arch = "wasm32")]

use std::cell::RefCell;

thread_local! {
    static REQUEST: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static REPLY: RefCell<String> = const { RefCell::new(String::new()) };
}

// The names are the page's, and nothing else in the module has them.
#[unsafe(no_mangle)]
extern "C" fn request(length: usize) -> *mut u8 {
    REQUEST.with_borrow_mut(|request| {
        request.clear();
        request.resize(length, 0);
        request.as_mut_ptr()
    })
}

#[unsafe(no_mangle)]
extern "C" fn reply() -> usize {
    let reply = REQUEST.with_borrow(|request| crate::answer(&String::from_utf8_lossy(request)));
    let length = reply.len();
    REPLY.set(reply);
    length
}

#[unsafe(no_mangle)]
extern "C" fn reply_at() -> *const u8 {
    REPLY.with_borrow(|reply| reply.as_ptr())
}
