//! Where the graph of a gradient ends that should go on.

use lossgraph_autograd::Tape;

use crate::blame::Blame;
use crate::function::Function;

/// The op that cuts a gradient off from what it depends on: the first `detach` that the gradient has
/// and the program has not. `None` if there is none: the second derivative is then wrong for
/// another reason.
pub(crate) fn of_gradient(program: &Function<'_>, slope: &Function<'_>) -> Option<Blame> {
    let end_of = |function: &Function<'_>, tape: &Tape| function.record(tape).1.number();
    let (forward, tape) = (program.tape(), slope.tape());
    let recorded = end_of(program, &forward);
    let last = end_of(slope, &tape);
    let mut needed = vec![false; last + 1];
    needed[last] = true;
    let mut end = None;
    for id in (recorded + 1..=last).rev() {
        let (true, Some(node)) = (needed[id], tape.node(id)) else { continue };
        node.inputs.iter().for_each(|&input| needed[input] = true);
        if node.op == "detach" {
            end = Some(Blame::of_node(&tape, &node));
        }
    }
    end
}
