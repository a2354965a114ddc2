//! What views ask an op about itself: its notation, what an element of its output is computed
//! from, and its numerical properties.

use lossgraph_autograd::{Kink, NodeInfo, OpInstance, Tape, Var, ops};
use lossgraph_tensor::{Shape, Tensor};

/// An op of a program with its attributes and its shape.
#[derive(Clone, Debug)]
pub(crate) struct OpFacts {
    name: &'static str,
    attributes: String,
    shape: Shape,
    instance: Option<OpInstance>,
}

/// How tightly a written op binds its operands.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) enum Precedence {
    Comparison,
    Sum,
    Product,
    Sign,
    Power,
    Atom,
}

/// How an op is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Notation {
    /// Between its operands: `a + b`; the right one binds at least as tightly as `right`.
    Infix { sign: &'static str, precedence: Precedence, right: Precedence },
    /// Before its operand: `−a`.
    Prefix { sign: &'static str, operand: Precedence, precedence: Precedence },
    /// After its operand: `a²`.
    Postfix(&'static str),
    /// On both sides of its operand: `|a|`.
    Surround(&'static str, &'static str),
    /// `a^n`, where the exponent is the second operand, or else the op's attributes.
    Power,
    /// One operand after the other: `A B`.
    Juxtaposition,
    /// `a if mask, else b`.
    Conditional,
    /// A function of its operands and attributes: `exp(a)`.
    Call(&'static str),
    /// Not written at all: a view that repeats or regroups elements, or a cast.
    Transparent,
}

/// An element of an operand: the number of the operand, and the index of the element in it.
pub(crate) type OperandElement = (usize, Vec<usize>);

/// What an element of an op's output is computed from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Element {
    /// The op itself, applied to the element of each operand at this index.
    Elementwise(Vec<usize>),
    /// A copy of one element.
    Copy(OperandElement),
    /// The elements of the operand that are reduced.
    Reduction(Vec<Vec<usize>>),
    /// A sum of products.
    SumOfProducts(Vec<Vec<OperandElement>>),
    /// Nothing that can be told element by element.
    Opaque,
}

impl OpFacts {
    pub fn of(tape: &Tape, info: &NodeInfo) -> OpFacts {
        OpFacts {
            name: info.op,
            attributes: info.attributes.clone(),
            shape: info.shape.clone(),
            instance: tape.op_instance(info.id),
        }
    }

    pub fn attributes(&self) -> &str {
        &self.attributes
    }

    /// Records the op on other inputs; `None` for a leaf.
    pub fn record<'t>(&self, tape: &'t Tape, inputs: &[Var<'t>]) -> Option<Var<'t>> {
        self.instance.as_ref().map(|instance| instance.record(tape, inputs))
    }

    /// The elements of the output at a point without a derivative, given the inputs' values.
    pub fn kinks(&self, inputs: &[Tensor]) -> Vec<(usize, &'static Kink)> {
        self.instance.as_ref().map_or_else(Vec::new, |instance| instance.kinks(inputs))
    }

    /// Whether it has no inputs: data, or a constant.
    pub fn is_leaf(&self) -> bool {
        self.instance.is_none()
    }

    /// Whether it is a leaf that gradients are taken of.
    pub fn is_variable(&self) -> bool {
        matches!(self.name, "variable" | "parameter")
    }

    /// The number of a constant of the program, the same everywhere; `None` for all other ops.
    pub fn constant(&self) -> Option<f64> {
        if self.name == "fill" { self.attributes.parse().ok() } else { None }
    }

    /// Whether it is the identity, through which no gradient flows.
    pub fn stops_gradient(&self) -> bool {
        self.name == "detach"
    }

    /// Whether it is an element-wise function of one operand without a kink.
    pub fn is_smooth_function(&self) -> bool {
        let row = ops::ALL.iter().find(|row| row.name == self.name);
        row.is_some_and(|row| row.family == "unary" && row.kinks.is_empty())
    }

    /// Whether it gives numbers on without rounding.
    pub fn is_exact(&self) -> bool {
        matches!(
            self.name,
            "expand"
                | "reshape"
                | "permute"
                | "slice"
                | "gather"
                | "index_select"
                | "detach"
                | "neg"
                | "windows"
        )
    }

    /// Whether it gives 0 for finite numbers other than 0 by underflow only.
    pub fn underflows(&self) -> bool {
        matches!(
            self.name,
            "exp"
                | "sigmoid"
                | "softplus"
                | "erfc"
                | "exp_share"
                | "recip"
                | "rsqrt"
                | "square"
                | "powf"
                | "pow"
                | "mul"
                | "div"
        )
    }

    /// Whether it adds or subtracts, so that rounding errors of its operands can dominate.
    pub fn cancels(&self) -> bool {
        matches!(self.name, "add" | "sub")
    }

    /// Whether it divides its first operand by its second.
    pub fn is_quotient(&self) -> bool {
        self.name == "div"
    }

    /// Whether it adds up what it reduces.
    pub fn is_sum(&self) -> bool {
        self.name == "sum"
    }

    /// Why its slope with respect to an input is 0 where that input is `x`, if there is more to say
    /// than the slope itself.
    pub fn zero_slope(&self, input: usize, x: &str) -> Option<String> {
        let name = self.name;
        Some(match (name, input) {
            ("detach", _) => "it lets no gradient through, on purpose".to_owned(),
            ("select", 0) => "a mask has slope 0".to_owned(),
            ("select", _) => "its mask takes the other side here".to_owned(),
            ("mul", _) => "it is multiplied by 0".to_owned(),
            ("max" | "min", _) => {
                format!(
                    "it is {x}, and the {name} is another element: only that one gets a gradient"
                )
            }
            ("maximum" | "minimum", _) => format!("it is {x}, and the other operand is taken"),
            ("gather" | "index_select" | "slice" | "windows", 0) => {
                "this element is not read".to_owned()
            }
            ("relu" | "clamp", _) => format!("its input is {x}, and {name} is flat there"),
            _ => return None,
        })
    }

    pub fn notation(&self) -> Notation {
        use Precedence::{Comparison, Power, Product, Sign, Sum};
        let infix = |sign, precedence, right| Notation::Infix { sign, precedence, right };
        match self.name {
            "expand" | "reshape" | "after" | "to_float" => Notation::Transparent,
            "add" => infix("+", Sum, Sum),
            "sub" => infix("−", Sum, Product),
            "mul" => infix("·", Product, Product),
            "div" => infix("/", Product, Sign),
            "lt" => infix("<", Comparison, Sum),
            "le" => infix("≤", Comparison, Sum),
            "gt" => infix(">", Comparison, Sum),
            "ge" => infix("≥", Comparison, Sum),
            "eq" => infix("=", Comparison, Sum),
            "ne" => infix("≠", Comparison, Sum),
            "neg" => Notation::Prefix { sign: "−", operand: Power, precedence: Sign },
            "recip" => Notation::Prefix { sign: "1 / ", operand: Sign, precedence: Product },
            "sqrt" => {
                Notation::Prefix { sign: "√", operand: Precedence::Atom, precedence: Power }
            }
            "square" => Notation::Postfix("²"),
            "permute" => Notation::Postfix("ᵀ"),
            "powf" | "pow" => Notation::Power,
            "abs" => Notation::Surround("|", "|"),
            "matmul" => Notation::Juxtaposition,
            "select" => Notation::Conditional,
            "sum" => Notation::Call("Σ"),
            "sigmoid" => Notation::Call("σ"),
            "signum" => Notation::Call("sign"),
            name => Notation::Call(name),
        }
    }

    /// What the element of its output at `index` is computed from. `data` reads an element of an
    /// operand of integers, such as an index to gather at.
    pub fn element(
        &self,
        index: &[usize],
        operands: &[&Shape],
        data: &dyn Fn(usize, &[usize]) -> Option<i64>,
    ) -> Element {
        self.computed_from(index, operands, data).unwrap_or(Element::Opaque)
    }

    fn computed_from(
        &self,
        index: &[usize],
        operands: &[&Shape],
        data: &dyn Fn(usize, &[usize]) -> Option<i64>,
    ) -> Option<Element> {
        let axis = || self.attributes.strip_prefix("axis ")?.parse::<usize>().ok();
        let copy = |operand: usize, index: Vec<usize>| Some(Element::Copy((operand, index)));
        let with = |axis: usize, i: usize| {
            let mut at = index.to_vec();
            at[axis] = i;
            at
        };
        let read = |at: &[usize]| usize::try_from(data(1, at)?).ok();
        let first = *operands.first()?;
        match self.name {
            "sum" | "max" | "min" => {
                let belongs = |from: &Vec<usize>| {
                    (0..index.len())
                        .all(|axis| self.shape[axis] != first[axis] || from[axis] == index[axis])
                };
                let all = (0..first.len()).map(|element| first.unravel_index(element));
                Some(Element::Reduction(all.filter(belongs).collect()))
            }
            "expand" => {
                let missing = index.len().checked_sub(first.rank())?;
                let aligned = first.iter().zip(&index[missing..]);
                copy(0, aligned.map(|(&len, &i)| if len == 1 { 0 } else { i }).collect())
            }
            "reshape" => copy(0, first.unravel_index(self.shape.ravel_index(index))),
            "after" => copy(0, index.to_vec()),
            "permute" => {
                let order = self.attributes.strip_prefix("axes ")?.split(", ");
                let mut at = vec![0; index.len()];
                for (&to, from) in index.iter().zip(order) {
                    *at.get_mut(from.parse::<usize>().ok()?)? = to;
                }
                copy(0, at)
            }
            "slice" => {
                let at = index.iter().zip(self.attributes.split(", ")).map(|(&i, slice)| {
                    let (_, start) = slice.split_once(" from ")?;
                    let (start, step) = start.split_once(" by ").unwrap_or((start, "1"));
                    let [start, step] = [start.parse::<isize>().ok()?, step.parse().ok()?];
                    usize::try_from(start + step * i as isize).ok()
                });
                copy(0, at.collect::<Option<_>>()?)
            }
            "gather" => copy(0, with(axis()?, read(index)?)),
            "index_select" => copy(0, with(axis()?, read(&[index[axis()?]])?)),
            // Only what a rule records: the transpose of reading, without a tensor to add to.
            "scatter_add" => {
                let axis = axis()?;
                let from = (0..*first.get(axis)?).map(|i| with(axis, i));
                let here = from.filter(|from| read(from) == Some(index[axis]));
                Some(Element::SumOfProducts(here.map(|from| vec![(0, from)]).collect()))
            }
            "concat" => {
                let axis = axis()?;
                let mut left = index[axis];
                for (operand, shape) in operands.iter().enumerate() {
                    match left.checked_sub(*shape.get(axis)?) {
                        Some(further) => left = further,
                        None => return copy(operand, with(axis, left)),
                    }
                }
                None
            }
            "matmul" => {
                let [row, column] = [index.len().checked_sub(2)?, index.len() - 1];
                let inner = *first.get(column)?;
                let term = |k| vec![(0, with(column, k)), (1, with(row, k))];
                Some(Element::SumOfProducts((0..inner).map(term).collect()))
            }
            // These read or write elsewhere, even if they happen to keep the shape. All others work
            // element by element, a user's own included.
            "cumsum" | "windows" | "pad" | "overlap_add" | "index_add" | "one_hot" | "argmax"
            | "argmin" | "argsort" | "window_argmax" | "convolve" | "convolve_images"
            | "convolve_weights" => None,
            _ => {
                let same = operands.iter().all(|operand| **operand == self.shape);
                same.then(|| Element::Elementwise(index.to_vec()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lossgraph_autograd::{Conv, Padding};

    use super::*;

    fn facts(var: Var<'_>) -> OpFacts {
        OpFacts::of(var.tape(), &var.tape().node(var.number()).unwrap())
    }

    /// What the element of `var` at an index is computed from.
    fn element(var: Var<'_>, index: &[usize], operands: &[Var<'_>]) -> Element {
        let shapes: Vec<Shape> = operands.iter().map(|operand| operand.shape()).collect();
        let shapes: Vec<&Shape> = shapes.iter().collect();
        facts(var).element(index, &shapes, &|_, _| None)
    }

    #[test]
    fn views_are_followed_to_where_they_look() {
        let tape = Tape::f64();
        let x = tape.variable(Tensor::zeros([2, 3, 4], tape.dtype()).unwrap());
        let permuted = x.permute(&[2, 0, 1]);
        assert_eq!(element(permuted, &[3, 1, 2], &[x]), Element::Copy((0, vec![1, 2, 3])));
        let flipped = x.flip(1);
        assert_eq!(element(flipped, &[1, 1, 0], &[x]), Element::Copy((0, vec![1, 1, 0])));
        let sliced = x.slice(2, 3..);
        assert_eq!(element(sliced, &[1, 1, 0], &[x]), Element::Copy((0, vec![1, 1, 3])));
    }

    #[test]
    fn an_op_that_mixes_elements_is_not_element_wise_even_if_all_shapes_are_equal() {
        let tape = Tape::f64();
        let x = tape.variable([[1.0, 2.0], [3.0, 4.0]]).reshape([1, 1, 2, 2]);
        let (kernel, same) = (x * 2.0, Conv { padding: Padding::Same, ..Conv::default() });
        let convolved = x.conv2d(kernel, None, same);
        for var in [convolved, x.cumsum(3), x.flip(3), x.matmul(kernel)] {
            let op = facts(var).name;
            assert_eq!(var.shape(), x.shape(), "{op}");
            let element = element(var, &[0; 4], &[x, kernel]);
            assert!(!matches!(element, Element::Elementwise(_)), "{op}: {element:?}");
        }
    }

    #[test]
    fn an_element_of_a_concatenation_is_copied_from_the_operand_that_holds_it() {
        let tape = Tape::f64();
        let zeros = |shape: [usize; 2]| tape.variable(Tensor::zeros(shape, tape.dtype()).unwrap());
        let parts = [zeros([2, 3]), zeros([2, 2])];
        let both = lossgraph_autograd::concat(&parts, 1);
        assert_eq!(element(both, &[1, 4], &parts), Element::Copy((1, vec![1, 1])));
    }
}
