//! Calls: which line of the caller's program nodes and errors are attributed to.
//!
//! `#[track_caller]` carries a location through functions, but not into closures, nor through
//! trait objects. So a function that is made of others says that it was called: whatever is
//! recorded until it returns has the location of the call, and an error has the function's name.

use std::panic::Location;

use crate::record::tape::Tape;

/// The call that is being recorded.
#[derive(Clone, Copy, Default)]
pub(crate) struct Call {
    /// The line that recorded nodes are attributed to; their own, if there is none.
    pub location: Option<&'static Location<'static>>,
    /// The function that an error is an error of.
    pub name: Option<&'static str>,
    /// The line that a named call is attributed to, if a layer was called there.
    entry: Option<&'static Location<'static>>,
}

/// Ends a call when it is dropped.
pub(crate) struct CallGuard<'t> {
    tape: &'t Tape,
    before: Call,
}

impl Drop for CallGuard<'_> {
    fn drop(&mut self) {
        self.tape.recording_mut().call = self.before;
    }
}

impl Tape {
    /// Says that a function was called: the first one is what the user wrote. It ends when the
    /// result is dropped.
    #[track_caller]
    pub(crate) fn call(&self, name: &'static str) -> CallGuard<'_> {
        let location = Location::caller();
        let before = self.recording().call;
        self.begin(Call {
            location: before.location.or(Some(location)),
            name: before.name.or(Some(name)),
            ..before
        })
    }

    fn begin(&self, call: Call) -> CallGuard<'_> {
        CallGuard { tape: self, before: std::mem::replace(&mut self.recording_mut().call, call) }
    }

    fn begin_unnamed(&self, location: &'static Location<'static>) -> CallGuard<'_> {
        let before = self.recording().call;
        let location = before.location.or(before.entry).unwrap_or(location);
        self.begin(Call { location: Some(location), name: None, ..before })
    }

    /// Groups what `record` records under `name`, as [`scope`](Tape::scope) does, and attributes it
    /// to the line of this call: for functions of a library, such as losses and layers, whose
    /// inside is not what its user wrote.
    ///
    /// ```
    /// # use lossgraph_autograd::{Tape, Var};
    /// #[track_caller]
    /// fn length<'t>(x: Var<'t>) -> Var<'t> {
    ///     x.tape().named_call("length", || x.square().sum(1).sqrt())
    /// }
    ///
    /// let tape = Tape::new();
    /// let x = tape.variable([3.0, 4.0]);
    /// let line = line!() + 1;
    /// let error = length(x).value().unwrap_err();
    /// assert!(error.location().unwrap().ends_with(&format!(":{line}")));
    /// ```
    #[track_caller]
    pub fn named_call<R>(&self, name: &str, record: impl FnOnce() -> R) -> R {
        self.unnamed_call(|| self.scope(name, record))
    }

    /// Attributes what `record` records to the line of this call, as [`named_call`](Tape::named_call)
    /// does, without a scope: for a function that adds nothing to a picture but its ops.
    #[track_caller]
    pub fn unnamed_call<R>(&self, record: impl FnOnce() -> R) -> R {
        let _call = self.begin_unnamed(Location::caller());
        record()
    }

    /// Attributes the named calls of `record` to `location`: for a function that calls others through
    /// trait objects, where the compiler loses track of its caller.
    pub fn called_from<R>(
        &self,
        location: &'static Location<'static>,
        record: impl FnOnce() -> R,
    ) -> R {
        let before = self.recording().call;
        let _call = self.begin(Call { entry: Some(location), ..before });
        record()
    }

    /// Attributes all that `record` records to `location`, as if it had been written there: for a
    /// table of functions, each of which calls the one that the user named.
    ///
    /// ```
    /// # use std::panic::Location;
    /// # use lossgraph_autograd::{Tape, Var};
    /// #[track_caller]
    /// fn apply<'t>(f: fn(Var<'t>) -> Var<'t>, x: Var<'t>) -> Var<'t> {
    ///     x.tape().attributed_to(Location::caller(), || f(x))
    /// }
    ///
    /// let tape = Tape::new();
    /// let line = line!() + 1;
    /// let error = apply(|x| x.sum(7), tape.variable([1.0])).value().unwrap_err();
    /// assert!(error.location().unwrap().ends_with(&format!(":{line}")));
    /// ```
    pub fn attributed_to<R>(
        &self,
        location: &'static Location<'static>,
        record: impl FnOnce() -> R,
    ) -> R {
        let before = self.recording().call;
        let _call = self.begin(Call { location: before.location.or(Some(location)), ..before });
        record()
    }
}
