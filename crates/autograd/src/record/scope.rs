//! Scopes: named, nested groups of nodes. A loss is one node that opens because it is a scope.

use std::panic::Location;

use crate::record::node::Id;
use crate::record::tape::Tape;

/// A scope on a tape: the nodes `first..end`, less those of adjoint passes.
#[derive(Clone, Debug)]
pub struct ScopeInfo {
    /// What the scope was called.
    pub name: String,
    /// The scope around it, as an index into [`Tape::scopes`]; `None` at the top.
    pub parent: Option<usize>,
    /// Where in the caller's program it was opened.
    pub location: &'static Location<'static>,
    /// The number of the first node recorded inside.
    pub first: usize,
    /// The number after that of the last node recorded inside.
    pub end: usize,
}

/// The scope that nodes outside of all scopes have.
pub(crate) const TOP: u32 = u32::MAX;

impl Tape {
    /// Groups what `record` records under `name`. Scopes nest.
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// let tape = Tape::new();
    /// let x = tape.variable([3.0, 4.0]);
    /// let length = tape.scope("length", || x.square().sum(..).sqrt());
    /// assert_eq!(length.item()?, 5.0);
    /// assert_eq!(tape.scopes()[0].name, "length");
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    #[track_caller]
    pub fn scope<R>(&self, name: &str, record: impl FnOnce() -> R) -> R {
        let opened = self.open_scope(name, Location::caller());
        let result = record();
        self.close_scope(opened);
        result
    }

    /// Opens a scope, and gives the one around it and its number. Not a part of [`scope`](Tape::scope), of
    /// which there is one for each closure.
    fn open_scope(&self, name: &str, location: &'static Location<'static>) -> (u32, usize) {
        let mut recording = self.recording_mut();
        let location = recording.call.location.unwrap_or(location);
        let outer = recording.scope;
        let first = recording.nodes.len();
        let opened = recording.scopes.len();
        recording.scopes.push(ScopeInfo {
            name: name.to_owned(),
            parent: (outer != TOP).then_some(outer as usize),
            location,
            first,
            end: first,
        });
        recording.scope = opened as u32;
        (outer, opened)
    }

    fn close_scope(&self, (outer, opened): (u32, usize)) {
        let mut recording = self.recording_mut();
        recording.scopes[opened].end = recording.nodes.len();
        if recording.sealed {
            recording.scopes.truncate(opened);
        }
        recording.scope = outer;
    }

    /// The scopes opened so far, outer before inner.
    pub fn scopes(&self) -> Vec<ScopeInfo> {
        self.recording().scopes.clone()
    }

    /// The names of a scope and those around it: `mlp/cross_entropy`.
    pub(crate) fn scope_path(&self, scope: u32) -> String {
        let recording = self.recording();
        let mut names = Vec::new();
        let mut next = (scope != TOP).then_some(scope as usize);
        while let Some(index) = next {
            names.push(recording.scopes[index].name.as_str());
            next = recording.scopes[index].parent;
        }
        names.reverse();
        names.join("/")
    }
}

/// Where a node comes from: kept beside the nodes, since it is not part of a plan's key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub location: &'static Location<'static>,
    pub scope: u32,
    /// The function that recorded it, if it is not the op alone.
    pub call: Option<&'static str>,
    /// For a node of an adjoint pass, the forward node that it serves.
    pub serves: Option<Id>,
}
