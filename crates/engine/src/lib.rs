//! What a page of the catalogue computes: a loss in a setting, on inputs that a reader can change.
//!
//! The program `lossgraph` calls it when it writes a page, and each page carries it as WebAssembly
//! (`crates/engine/build`), so that the numbers on both ways come from the same code. [`answer`]
//! takes a request and gives a reply, both as JSON:
//!
//! | request | reply |
//! |---|---|
//! | `{"page": {…case}}` | the data of the page |
//! | `{…, "curves": [["logits", 0]]}` | the same, with the paths and curves of these elements alone |
//! | `{…, "steps": [[4], [4, 0]]}` | the same, with the arithmetic of these steps alone: a node, or what flows back from it to one of its inputs |
//! | `{…, "shows": ["ops", 2]}` | what is seen of it while a number moves: of the view `teaching` or `ops`, the outermost level and a group by its number, or `"all"`; no listing, and no comparison with differences |
//! | `{"check": {…case}, "node": 4}` | whether differences confirm the gradient of a node: of a page, what takes longest |
//! | `{"rest": {…case}, "checks": […]}` | what such a page lacks besides: the line about the checks of all nodes, and the listing |
//! | `{"draw": {…case}, "seed": 1}` | inputs that are drawn for the loss |
//! | `{"descend": {…case}, "optimizer": "sgd", "rate": 0.1, "steps": 50}` | the inputs and the loss after each step, how it ended, and which inputs stay distributions |
//! | `{"surface": {…case}, "across": ["logits", 0], "up": ["logits", 1]}` | the loss on a grid of two elements |
//!
//! where a case is `{"loss": "huber", "setting": "delta=2", "inputs": {"prediction": [1, 2], …}}`. A
//! request that cannot be served gives `{"error": "…"}`.

mod controls;
mod descent;
mod exports;
mod figure;
mod inputs;
pub mod json;
mod landscape;
mod lessons;
mod request;
mod subject;

use std::error::Error;

pub use controls::controls;
pub use figure::Drawing;
pub use inputs::{Entries, Inputs, have_common_names, parse};
pub use lessons::{Lesson, Program, find as lesson};
pub use request::answer;
pub use subject::{Named, Subject, Takes};

/// What fails here, fails with a sentence for whoever wrote the request.
pub type Result<T> = std::result::Result<T, Box<dyn Error>>;
