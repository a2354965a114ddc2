//! What all views are made from: the graph of a loss with values, gradients, and cotangents.

use std::panic::Location;

use lossgraph_autograd::{NodeInfo, Result, ScopeInfo, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};

use crate::expression::{Expression, Role};
use crate::operation::Operation;

/// The computation graph of a loss, with all values and gradients computed.
///
/// Nodes and groups are numbered by their indices in these lists, which are in topological order:
/// inputs come before their readers, and outer groups before inner ones.
///
/// ```
/// # use lossgraph_autograd::Tape;
/// # use lossgraph_explain::Graph;
/// let tape = Tape::f64();
/// let x = tape.variable([3.0, 4.0]);
/// let graph = Graph::of(x.square().sum(..))?;
/// let square = &graph.nodes[1];
/// assert_eq!(square.value.to_f64s(), [9.0, 16.0]);
/// let flow = square.inputs[0].flow.as_ref().unwrap();
/// assert_eq!(flow.value.to_f64s(), [6.0, 8.0]);
/// assert_eq!(flow.rule.to_string(), "g · 2 · a"); // as it is recorded for a square
/// # Ok::<(), lossgraph_autograd::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Graph {
    /// The nodes that the loss depends on, in the order of recording; the last one is the loss.
    pub nodes: Vec<Node>,
    /// The scopes that some of these nodes are in.
    pub groups: Vec<Group>,
    /// The [`Tape::id`] of the tape that the loss is on.
    pub(crate) tape: u64,
    /// The edges that read each node: see [`Graph::readers`].
    readers: Vec<Vec<(usize, usize)>>,
}

/// A node of a [`Graph`].
#[derive(Clone, Debug)]
pub struct Node {
    /// Its number on the tape.
    pub number: usize,
    /// Its name, if it has one: see [`Graph::name`]; a parameter has its own.
    pub name: Option<String>,
    /// The op's name.
    pub op: &'static str,
    /// The op's attributes: the axes of a reduction, the bounds of a clamp.
    pub attributes: String,
    /// Its incoming edges, one for each operand.
    pub inputs: Vec<Input>,
    /// The shape of its value.
    pub shape: Shape,
    /// Its value.
    pub value: Tensor,
    /// How its value is computed from its inputs.
    pub formula: Expression,
    /// The gradient of the loss with respect to it; `None` where none flows.
    pub gradient: Option<Tensor>,
    /// The innermost group around it.
    pub group: Option<usize>,
    /// The location in the program that recorded it.
    pub location: &'static Location<'static>,
    /// Its op, to be recorded standalone on other inputs, or what kind of leaf it is.
    pub(crate) operation: Operation,
}

/// An edge: an operand of a node, and the cotangent that flows back along it.
#[derive(Clone, Debug)]
pub struct Input {
    /// The node that is read.
    pub node: usize,
    /// Its contribution to that node's gradient; `None` where none flows.
    pub flow: Option<Flow>,
}

/// What flows back along an edge: the vector-Jacobian product of one op for one input.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its numbers, in the shape of the input.
    pub value: Tensor,
    /// How it is computed: the op's own rule, as it was recorded.
    pub rule: Expression,
}

/// A scope of the program: a loss, a layer, whatever was recorded under a name.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The group around it.
    pub parent: Option<usize>,
    /// The location in the program that opened it.
    pub location: &'static Location<'static>,
}

impl Graph {
    /// Evaluates a loss with all gradients. The tape stays as it is.
    ///
    /// # Errors
    /// An error of the program, such as shapes that differ, or a loss with more than one element.
    #[track_caller]
    pub fn of(loss: Var<'_>) -> Result<Graph> {
        let infos = needed(loss);
        // What is looked at is recorded on a copy: looking at a tape does not change it.
        let tape = loss.tape().copy();
        let vars: Vec<Var<'_>> = infos.iter().filter_map(|info| tape.var(info.id)).collect();
        let values = tape.eval(&vars)?;
        let gradients = gradients(&tape, &vars)?;
        let (groups, group_of) = groups(&tape.scopes(), &infos);
        let index = |number: usize| infos.partition_point(|info| info.id < number);
        let mut nodes: Vec<Node> = infos
            .iter()
            .zip(values)
            .zip(gradients)
            .map(|((info, value), gradient)| Node {
                number: info.id,
                name: info.parameter.clone(),
                op: info.op,
                attributes: info.attributes.clone(),
                inputs: info
                    .inputs
                    .iter()
                    .map(|&input| Input { node: index(input), flow: None })
                    .collect(),
                shape: info.shape.clone(),
                value,
                formula: Expression::Symbol(Role::Output),
                gradient,
                group: info.scope.and_then(|scope| group_of[scope]),
                location: info.location,
                operation: Operation::of(&tape, info),
            })
            .collect();
        flow_back(&tape, &mut nodes)?;
        let mut readers = vec![Vec::new(); nodes.len()];
        for (reader, node) in nodes.iter().enumerate() {
            for (slot, input) in node.inputs.iter().enumerate() {
                readers[input.node].push((reader, slot));
            }
        }
        Ok(Graph { nodes, groups, tape: loss.tape().id(), readers })
    }

    /// Names a node, for instance as the argument of the loss that it is. A variable that the loss
    /// does not depend on, such as one of another tape, is ignored.
    pub fn name(mut self, var: Var<'_>, name: &str) -> Graph {
        if let Some(node) = self.number_of(var) {
            self.nodes[node].name = Some(name.to_owned());
        }
        self
    }

    /// Which of the nodes a node of the tape is, if it is one.
    pub(crate) fn number_of(&self, var: Var<'_>) -> Option<usize> {
        let is_same = |node: &Node| node.number == var.number() && self.tape == var.tape().id();
        self.nodes.iter().position(is_same)
    }

    /// What a node is called in texts: its name, or its number on the tape as `%3`.
    pub(crate) fn label(&self, node: usize) -> String {
        let Node { name, number, .. } = &self.nodes[node];
        name.clone().unwrap_or_else(|| format!("%{number}"))
    }

    /// The groups around a group or node in `innermost`, outermost first, that one included.
    pub fn path(&self, innermost: Option<usize>) -> Vec<usize> {
        let mut path: Vec<usize> =
            std::iter::successors(innermost, |&group| self.groups.get(group)?.parent).collect();
        path.reverse();
        path
    }

    /// A node in a sentence: its op and location, and the groups around it with the location that
    /// opened them.
    pub(crate) fn described(&self, node: usize) -> String {
        let Node { op, location, group, .. } = &self.nodes[node];
        let mut text =
            format!("{op} {} at {}:{}", self.label(node), location.file(), location.line());
        let path = self.path(*group);
        if let Some(&outer) = path.first() {
            let names: Vec<&str> =
                path.iter().map(|&group| self.groups[group].name.as_str()).collect();
            let location = self.groups[outer].location;
            text +=
                &format!(", in {} from {}:{}", names.join("/"), location.file(), location.line());
        }
        text
    }

    /// The arithmetic of one element of a node's value, with the numbers themselves: `exp(2)`.
    pub fn arithmetic(&self, node: usize, index: &[usize]) -> Option<String> {
        self.nodes[node].formula.text_at(index, &|role| self.value_of(node, role))
    }

    /// The arithmetic of one element of what flows back to an input of a node: `0.5 · 2.718`.
    pub fn backward_arithmetic(&self, node: usize, slot: usize, index: &[usize]) -> Option<String> {
        let flow = self.nodes[node].inputs.get(slot)?.flow.as_ref()?;
        flow.rule.text_at(index, &|role| self.value_of(node, role))
    }

    /// The value of a symbol of a node's formula or rule.
    fn value_of(&self, node: usize, role: Role) -> Option<Tensor> {
        let node = &self.nodes[node];
        match role {
            Role::Input(slot) => Some(self.nodes[node.inputs.get(slot)?.node].value.clone()),
            Role::Output => Some(node.value.clone()),
            Role::Gradient => node.gradient.clone(),
        }
    }

    /// The edges that read a node, each as the reader and which of its inputs it is, in the order of
    /// recording.
    pub fn readers(&self, node: usize) -> impl DoubleEndedIterator<Item = (usize, usize)> {
        self.readers.get(node).into_iter().flatten().copied()
    }

    /// Which nodes no variable and no parameter is behind: what is made of constants, masks, counts. Of
    /// a program without variables, none.
    pub(crate) fn passive(&self) -> Vec<bool> {
        let mut passive: Vec<bool> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let is_variable = matches!(node.operation, Operation::Variable);
            passive.push(!is_variable && node.inputs.iter().all(|input| passive[input.node]));
        }
        match passive.last() {
            Some(true) => vec![false; self.nodes.len()],
            _ => passive,
        }
    }

    /// Whether a cotangent flows along an edge, given as a reader and which of its inputs it is.
    pub(crate) fn flows(&self, (reader, slot): (usize, usize)) -> bool {
        self.nodes[reader].inputs[slot].flow.is_some()
    }
}

/// The nodes that a loss depends on, ascending.
fn needed(loss: Var<'_>) -> Vec<NodeInfo> {
    let mut wanted = vec![false; loss.number() + 1];
    wanted[loss.number()] = true;
    let mut nodes = Vec::new();
    for id in (0..=loss.number()).rev().filter(|&id| loss.tape().var(id).is_some()) {
        if let (true, Some(node)) = (wanted[id], loss.tape().node(id)) {
            node.inputs.iter().for_each(|&input| wanted[input] = true);
            nodes.push(node);
        }
    }
    nodes.reverse();
    nodes
}

/// The gradient of the last of some nodes with respect to each.
#[track_caller]
fn gradients<'t>(tape: &'t Tape, vars: &[Var<'t>]) -> Result<Vec<Option<Tensor>>> {
    let Some(&loss) = vars.last() else { return Ok(Vec::new()) };
    // A node beyond a detach has a faulty gradient, shown as none; a loss that cannot be
    // differentiated at all is an error.
    tape.eval(&tape.grad(loss, &[loss]))?;
    let floats: Vec<Var<'_>> = vars.iter().copied().filter(|var| var.dtype().is_float()).collect();
    let mut found = tape.grad(loss, &floats).into_iter();
    let each: Vec<Option<Var<'_>>> = vars
        .iter()
        .map(|var| if var.dtype().is_float() { found.next() } else { None })
        .map(|gradient| gradient.filter(|gradient| !gradient.is_faulty()))
        .collect();
    let mut values = tape.eval(&each.iter().flatten().copied().collect::<Vec<_>>())?.into_iter();
    Ok(each.iter().map(|gradient| gradient.and_then(|_| values.next())).collect())
}

/// The scopes that nodes are in, and for each scope of the tape which of these it is.
fn groups(scopes: &[ScopeInfo], infos: &[NodeInfo]) -> (Vec<Group>, Vec<Option<usize>>) {
    let mut inhabited = vec![false; scopes.len()];
    for info in infos {
        for scope in std::iter::successors(info.scope, |&scope| scopes[scope].parent) {
            inhabited[scope] = true;
        }
    }
    let mut groups = Vec::new();
    let mut group_of: Vec<Option<usize>> = vec![None; scopes.len()];
    for (number, scope) in scopes.iter().enumerate().filter(|(number, _)| inhabited[*number]) {
        group_of[number] = Some(groups.len());
        let parent = scope.parent.and_then(|parent| group_of[parent]);
        groups.push(Group { name: scope.name.clone(), parent, location: scope.location });
    }
    (groups, group_of)
}

/// Records each op standalone, on a tape of its own with the values of its inputs, and its rule for
/// the gradient that the op has: the cotangents of this op's inputs, and the arithmetic of both
/// passes. Ops that are alike share a plan.
fn flow_back(tape: &Tape, nodes: &mut [Node]) -> Result<()> {
    for at in 0..nodes.len() {
        let tape = tape.emptied();
        let node = &nodes[at];
        let inputs: Vec<Var<'_>> =
            node.inputs.iter().map(|input| tape.input(&nodes[input.node].value)).collect();
        let Some(output) = node.operation.record(&tape, &inputs) else { continue };
        let mut roles: Vec<(usize, Role)> =
            inputs.iter().enumerate().map(|(i, input)| (input.number(), Role::Input(i))).collect();
        let formula = Expression::of(output, &roles);
        let mut flows = Vec::new();
        if let Some(gradient) = &node.gradient {
            let cotangent = tape.constant(gradient);
            roles.extend([(output.number(), Role::Output), (cotangent.number(), Role::Gradient)]);
            for (slot, &input) in inputs.iter().enumerate() {
                // A variable that holds integers has no derivative, and a `detach` lets none through.
                let flows_back =
                    input.dtype().is_float() && nodes[node.inputs[slot].node].gradient.is_some();
                let flow = tape.vjp(output, cotangent, &[input])[0];
                if flows_back && !flow.is_faulty() {
                    flows.push((slot, flow, Expression::of(flow, &roles)));
                }
            }
        }
        let values = tape.eval(&flows.iter().map(|(_, flow, _)| *flow).collect::<Vec<_>>())?;
        for ((slot, _, rule), value) in flows.into_iter().zip(values) {
            nodes[at].inputs[slot].flow = Some(Flow { value, rule });
        }
        nodes[at].formula = formula;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gradient_is_the_sum_of_what_flows_back_from_its_readers() {
        let tape = Tape::f64();
        let x = tape.variable([[0.3, -1.2], [2.0, 0.7]]);
        let w = tape.variable([[1.0, 2.0], [-1.0, 0.5]]);
        let loss = tape.scope("loss", || {
            let z = x.matmul(w);
            (z.log_softmax(1) * z.tanh() + x).square().mean(..)
        });
        let before = tape.len();
        let graph = Graph::of(loss).unwrap();
        assert_eq!(tape.len(), before, "looking at a tape does not change it");
        for (at, node) in graph.nodes.iter().enumerate().take(graph.nodes.len() - 1) {
            let Some(gradient) = &node.gradient else { continue };
            let mut total = vec![0.0; node.shape.numel()];
            for (reader, slot) in graph.readers(at) {
                if let Some(flow) = &graph.nodes[reader].inputs[slot].flow {
                    total.iter_mut().zip(flow.value.to_f64s()).for_each(|(sum, x)| *sum += x);
                }
            }
            for (sum, gradient) in total.iter().zip(gradient.to_f64s()) {
                assert!((sum - gradient).abs() < 1e-14, "{} of {}", node.op, node.number);
            }
        }
    }

    #[test]
    fn a_group_without_nodes_of_the_loss_is_left_out() {
        let tape = Tape::f64();
        let x = tape.variable(2.0);
        let _ = tape.scope("aside", || x.exp());
        let loss = tape.scope("outer", || tape.scope("inner", || x.square()));
        let graph = Graph::of(loss).unwrap().name(x, "x");
        let names: Vec<&str> = graph.groups.iter().map(|group| group.name.as_str()).collect();
        assert_eq!(names, ["outer", "inner"]);
        assert_eq!(graph.path(graph.nodes[1].group), [0, 1]);
        assert_eq!((graph.label(0), graph.label(1)), ("x".to_owned(), "%2".to_owned()));
    }

    #[test]
    fn nothing_flows_through_a_detach_or_into_labels() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, 2.0]]);
        let loss = (x.gather(1, tape.constant([[1_i64]])) * x.detach()).sum(..);
        let graph = Graph::of(loss).unwrap();
        let of = |op: &str| graph.nodes.iter().find(|node| node.op == op).unwrap();
        assert!(of("detach").inputs[0].flow.is_none());
        let gather = of("gather");
        assert!(gather.inputs[0].flow.is_some() && gather.inputs[1].flow.is_none());
    }
}
