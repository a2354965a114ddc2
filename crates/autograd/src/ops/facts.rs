//! What is known of an op beside its value and its rule: what it costs, how it is written, what a
//! small change of an operand can do. The planner and the explainer ask the op; no list elsewhere
//! names ops.

use lossgraph_tensor::kernels::ReduceOp;

/// The facts of an op, with what holds of most ops as the default.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Facts {
    /// What an element costs.
    pub cost: Cost,
    /// How it is written.
    pub notation: Notation,
    /// Whether its results are numbers of its operands, negated at most: they are not rounded.
    pub exact: bool,
    /// Whether it is 0 for finite operands other than 0 only because of underflow.
    pub zero_by_underflow: bool,
    /// Which sign its results have.
    pub sign: Sign,
    /// Which of the four operations of arithmetic it is.
    pub arithmetic: Option<Arithmetic>,
    /// Which reduction it is.
    pub reduces: Option<ReduceOp>,
    /// For each operand, why no slope comes back where none does: `{x}` stands for the element
    /// of the operand. Empty where the rule itself says it best.
    pub zero_slope: &'static [&'static str],
}

impl Facts {
    /// What holds of an op about which nothing else is said.
    pub const DEFAULT: Facts = Facts {
        cost: Cost::Expensive,
        notation: Notation::Call(""),
        exact: false,
        zero_by_underflow: false,
        sign: Sign::Any,
        arithmetic: None,
        reduces: None,
        zero_slope: &[],
    };

    /// Those of an op that only repeats, regroups or selects numbers.
    pub(crate) const MOVES: Facts = Facts { cost: Cost::Cheap, exact: true, ..Facts::DEFAULT };

    pub(crate) const fn written(self, notation: Notation) -> Facts {
        Facts { notation, ..self }
    }

    pub(crate) const fn zero_slope(self, zero_slope: &'static [&'static str]) -> Facts {
        Facts { zero_slope, ..self }
    }
}

/// What an element costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// About as much as reading the operand from memory.
    Cheap,
    /// More.
    Expensive,
}

/// Which sign the results of an op have. A zero has one; NaN counts as either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// One or the other.
    Any,
    /// None is negative, and none is −0.
    Positive,
    /// That holds if it holds of all operands, as of a square root.
    PositiveOfPositive,
}

/// The four operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// a + b
    Sum,
    /// a − b
    Difference,
    /// a · b
    Product,
    /// a / b
    Quotient,
}

/// How an op is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Notation {
    /// A function: this symbol, or the op's name if it is empty, with the operands and attributes
    /// in brackets.
    Call(&'static str),
    /// A formula, such as `a + b`: the letters a, b and c stand for the operands, p for the
    /// attributes. An operand that binds less tightly than said is put in brackets.
    Formula {
        /// The formula.
        text: &'static str,
        /// How tightly it binds.
        precedence: Precedence,
        /// How tightly each operand has to bind to stand without brackets.
        operands: [Precedence; 3],
    },
    /// As its first operand: nothing happens to the numbers.
    Operand,
}

impl Notation {
    /// A formula of one operand.
    pub const fn unary(text: &'static str, precedence: Precedence, a: Precedence) -> Notation {
        Notation::Formula { text, precedence, operands: [a; 3] }
    }

    /// A formula of two operands.
    pub const fn binary(
        text: &'static str,
        precedence: Precedence,
        a: Precedence,
        b: Precedence,
    ) -> Notation {
        Notation::Formula { text, precedence, operands: [a, b, b] }
    }
}

/// How tightly a piece of a formula binds, loosest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Precedence {
    /// `a < b`, and a choice.
    Comparison,
    /// `a + b`
    Sum,
    /// `a · b`
    Product,
    /// `−a`
    Sign,
    /// `a²`
    Power,
    /// A name, a number, a call.
    Atom,
}

/// What one element of an op's result is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum Element {
    /// The op on one element of each operand, at these indices.
    Map(Vec<Vec<usize>>),
    /// An element of an operand, as it is.
    Copy(Factor),
    /// The reduction of the elements of the first operand at these indices.
    Reduce(Vec<Vec<usize>>),
    /// A sum of products of elements.
    SumOfProducts(Vec<Vec<Factor>>),
}

/// An element of an operand: the number of the operand, and the index.
pub type Factor = (usize, Vec<usize>);
