//! The tile interpreter: a list of micro-ops that runs over an iteration space of rows and
//! columns, a tile at a time.
//!
//! A [`Program`] reads its inputs once and writes its outputs once; whatever lies between stays in
//! tiles that fit the L1 cache. A value has one element for each point of the iteration space, or
//! one for each row, or one for each column, or one in all ([`Extent`]); what is constant along an
//! axis is broadcast as it is read, not materialized. Reductions along rows are part of the pass.
//! Reductions over rows are outputs, since nothing can read them before the pass is over; what is
//! computed from reductions over everything runs after it, as an epilogue.
//!
//! [`Program::compile`] cuts the space into tiles and tasks, allocates registers, and gives an
//! [`Executable`].
//!
//! ```
//! use lossgraph_tensor::kernels::ReduceOp;
//! use lossgraph_tensor::program::{Extent, Program};
//! use lossgraph_tensor::{DType, Tensor, map2};
//!
//! static SUB: lossgraph_tensor::kernels::Map2 = map2!(|a, b| a - b);
//!
//! // Each row without its maximum, in one pass.
//! let mut program = Program::new(2, 3, DType::F64);
//! let x = program.input(Extent::Full);
//! let largest = program.reduce_row(ReduceOp::Max, x);
//! let shifted = program.map2("sub", &SUB, x, largest);
//! program.output(shifted);
//! let x = Tensor::from([[1.0, 3.0, 2.0], [5.0, 4.0, 6.0]]);
//! let mut out = [Tensor::zeros([2, 3], DType::F64)?];
//! program.compile().run(&[&x], &[], &mut out)?;
//! assert_eq!(out[0].to_f64s(), [-2.0, 0.0, -1.0, -1.0, -2.0, 0.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod code;
mod compile;
#[cfg(target_arch = "x86_64")]
mod jit;
mod micro;
mod run;
mod tile;

use std::collections::HashMap;
use std::fmt;

use smallvec::SmallVec;

use crate::kernels::{Map1, Map2, Map3, ReduceOp};
use crate::shape::checked_len;
use crate::{DType, Error, Shape};

pub use code::Executable;
#[cfg(target_arch = "x86_64")]
pub(crate) use jit::trace::Traced;
pub use run::Binding;

/// Rows with fewer columns are not worth a call of their own: what is constant along them is
/// broadcast to a whole tile instead.
pub const NARROW: usize = 64;

/// A value of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Value(u32);

/// Along which axes of the iteration space a value extends; along the others it is broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    /// An element for each point, row by row.
    Full,
    /// An element for each row.
    Rows,
    /// An element for each column.
    Columns,
    /// One element.
    One,
}

impl Extent {
    /// How many elements it has in an iteration space.
    pub(crate) fn len(self, rows: usize, columns: usize) -> usize {
        match self {
            Extent::Full => rows * columns,
            Extent::Rows => rows,
            Extent::Columns => columns,
            Extent::One => 1,
        }
    }
}

/// A micro-op: how a value is computed.
#[derive(Clone, Debug)]
enum Micro {
    Input(u32),
    Constant(f64),
    Map1(&'static Map1, [f64; 2], Value),
    Map2(&'static Map2, [Value; 2]),
    Map3(&'static Map3, [Value; 3]),
    /// `a · s`, where the mask is set, or the sum of two such products: `[a, s, b, t]`, and masks behind.
    Weighted(SmallVec<[Value; 6]>),
    /// What is constant along an axis, materialized.
    Broadcast(Value),
    ReduceRow(ReduceOp, Value),
    ReduceAll(ReduceOp, Value),
    ReduceColumns(ReduceOp, Value),
    Gather(Value, RowIndex),
    Scatter(Option<Value>, Value, RowIndex),
}

/// An index input: one column for each row.
#[derive(Clone, Debug)]
struct RowIndex {
    index: u32,
    /// The shape of the index tensor, and the tag that comes back with an error.
    shape: Shape,
    tag: u32,
}

/// The definition of a value.
#[derive(Clone, Debug)]
struct Def {
    label: &'static str,
    micro: Micro,
    extent: Extent,
    /// Whether it is computed after all tiles: a reduction over everything, or a function of some.
    epilogue: bool,
}

/// A list of micro-ops over an iteration space, in the order in which they run.
#[derive(Clone, Debug)]
pub struct Program {
    rows: usize,
    columns: usize,
    dtype: DType,
    inputs: Vec<Extent>,
    indices: u32,
    defs: Vec<Def>,
    outputs: Vec<Value>,
    /// Values that were materialized, with the result.
    broadcasts: HashMap<Value, Value>,
}

/// An error while an executable runs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{error}")]
pub struct RunError {
    /// The tag of the micro-op that failed; `None` if an argument does not fit the program.
    pub tag: Option<u32>,
    /// What went wrong.
    pub error: Box<Error>,
}

impl Program {
    /// An empty program over an iteration space of `rows × columns` points, computing in a float
    /// type.
    ///
    /// # Panics
    /// If the space is empty, or larger than memory has addresses: a mistake of the caller, since a
    /// reduction of nothing needs no pass, and no tensor is as large.
    pub fn new(rows: usize, columns: usize, dtype: DType) -> Program {
        assert!(rows > 0 && columns > 0, "the iteration space of a program is not empty");
        // What runs reads and writes by pointers, up to the product of these.
        let points = checked_len(&Shape::from([rows, columns]));
        assert!(points.is_ok(), "the iteration space of a program has addresses");
        let (inputs, defs, outputs, broadcasts) = (vec![], vec![], vec![], HashMap::new());
        Program { rows, columns, dtype, inputs, indices: 0, defs, outputs, broadcasts }
    }

    /// Compiles programs without kernels of machine code, so that the interpreter runs all of what the
    /// closure compiles: to compare the two.
    pub fn without_jit<R>(f: impl FnOnce() -> R) -> R {
        #[cfg(target_arch = "x86_64")]
        return jit::without(f);
        #[cfg(not(target_arch = "x86_64"))]
        f()
    }

    /// How many micro-ops there are, inputs and constants not counted.
    pub fn ops(&self) -> usize {
        let computes = |def: &&Def| !matches!(def.micro, Micro::Input(_) | Micro::Constant(_));
        self.defs.iter().filter(computes).count()
    }

    /// Along which axes of the iteration space a value extends.
    pub fn extent(&self, value: Value) -> Extent {
        self.defs[value.0 as usize].extent
    }

    fn define(&mut self, label: &'static str, micro: Micro, extent: Extent) -> Value {
        let of_epilogue = Program::operands(&micro).any(|x| self.defs[x.0 as usize].epilogue);
        assert!(
            !of_epilogue || extent == Extent::One,
            "no tile can read a reduction over all tiles"
        );
        let epilogue = of_epilogue || matches!(micro, Micro::ReduceAll(..));
        self.defs.push(Def { label, micro, extent, epilogue });
        Value(self.defs.len() as u32 - 1)
    }

    /// The next input: a tensor of any shape and layout with as many elements as its extent says.
    pub fn input(&mut self, extent: Extent) -> Value {
        self.inputs.push(extent);
        self.define("input", Micro::Input(self.inputs.len() as u32 - 1), extent)
    }

    /// The next index input: an `I64` tensor with a column for each row.
    pub fn index(&mut self) -> u32 {
        self.indices += 1;
        self.indices - 1
    }

    /// A constant of the program.
    pub fn constant(&mut self, value: f64) -> Value {
        self.define("constant", Micro::Constant(value), Extent::One)
    }

    /// `f(x; p)`, element by element.
    pub fn map1(&mut self, label: &'static str, f: &'static Map1, p: [f64; 2], x: Value) -> Value {
        self.define(label, Micro::Map1(f, p, x), self.extent(x))
    }

    /// `f(a, b)`, element by element; what is constant along an axis is broadcast.
    pub fn map2(&mut self, label: &'static str, f: &'static Map2, a: Value, b: Value) -> Value {
        let extent = self.joined(&[a, b]);
        // There is a loop for one operand that is a number in each row, and none for two.
        let operands = [a, b].map(|x| self.operand(extent, x));
        self.define(label, Micro::Map2(f, operands), extent)
    }

    /// `f(a, b, c)`, element by element; what is constant along an axis is broadcast. A label with
    /// a space in it, or a dot, is a formula of a, b and c, with which listings show it.
    pub fn map3(&mut self, label: &'static str, f: &'static Map3, x: [Value; 3]) -> Value {
        let extent = self.joined(&x);
        let [a, b, c] = x;
        let operands =
            [self.broadcast_to(extent, a), self.operand(extent, b), self.operand(extent, c)];
        self.define(label, Micro::Map3(f, operands), extent)
    }

    /// `a · s + b · t` at each point, where s and t are numbers, one in all or one for each row.
    ///
    /// # Panics
    /// If s or t extends along columns: a mistake of the caller.
    pub fn weighted(&mut self, [a, s, b, t]: [Value; 4]) -> Value {
        let [a, b] = [a, b].map(|x| self.full(x));
        self.weigh("a·b + c·d", [a, s, b, t].into_iter().collect(), [s, t])
    }

    /// `a · s` in the rows in which the mask m is set, and 0 in the others, for `[a, s, m]`.
    ///
    /// # Panics
    /// As [`weighted`](Program::weighted).
    pub fn masked_product(&mut self, [a, s, m]: [Value; 3]) -> Value {
        let a = self.full(a);
        self.weigh("c ? a·b : 0", [a, s, m].into_iter().collect(), [s, m])
    }

    /// The sum of two masked products, for `[a, s, m]` and `[b, t, n]`.
    ///
    /// # Panics
    /// As [`weighted`](Program::weighted).
    pub fn masked_weighted(&mut self, [[a, s, m], [b, t, n]]: [[Value; 3]; 2]) -> Value {
        let [a, b] = [a, b].map(|x| self.full(x));
        let operands = [a, s, b, t, m, n].into_iter().collect();
        self.weigh("(e ? a·b : 0) + (f ? c·d : 0)", operands, [s, t, m, n])
    }

    fn weigh<const N: usize>(
        &mut self,
        label: &'static str,
        operands: SmallVec<[Value; 6]>,
        numbers: [Value; N],
    ) -> Value {
        let is_number = |x: &Value| matches!(self.extent(*x), Extent::Rows | Extent::One);
        assert!(numbers.iter().all(is_number), "there is one weight in all, or one for each row");
        self.define(label, Micro::Weighted(operands), Extent::Full)
    }

    /// An operand of a map: over narrow rows, one element for each row is materialized.
    fn operand(&mut self, extent: Extent, x: Value) -> Value {
        let narrow = self.columns < NARROW;
        match self.extent(x) {
            Extent::Rows if extent == Extent::Full && narrow => self.full(x),
            _ => x,
        }
    }

    /// A value broadcast to an extent, if it is constant along one of its axes. Columns are read
    /// in place by each row of a tile.
    fn broadcast_to(&mut self, extent: Extent, x: Value) -> Value {
        let tiled = extent == Extent::Full && self.extent(x) == Extent::Columns;
        if self.extent(x) == extent || tiled {
            return x;
        }
        if extent == Extent::Full {
            return self.full(x);
        }
        self.define("broadcast", Micro::Broadcast(x), extent)
    }

    /// The extent of a function of values: their common broadcast.
    fn joined(&self, values: &[Value]) -> Extent {
        values.iter().fold(Extent::One, |joined, &x| match (joined, self.extent(x)) {
            (a, b) if a == b => a,
            (Extent::One, other) | (other, Extent::One) => other,
            _ => Extent::Full,
        })
    }

    /// A value materialized at each point.
    pub fn full(&mut self, x: Value) -> Value {
        if self.extent(x) == Extent::Full {
            return x;
        }
        if let Some(&full) = self.broadcasts.get(&x) {
            return full;
        }
        let full = self.define("broadcast", Micro::Broadcast(x), Extent::Full);
        self.broadcasts.insert(x, full);
        full
    }

    /// The reduction of each row.
    pub fn reduce_row(&mut self, op: ReduceOp, x: Value) -> Value {
        let x = self.full(x);
        self.define("row", Micro::ReduceRow(op, x), Extent::Rows)
    }

    /// The reduction of all elements of a value that has one for each point or for each row. Only
    /// values of extent [`One`](Extent::One) can be computed from it, since it is known when all
    /// tiles are done.
    pub fn reduce_all(&mut self, op: ReduceOp, x: Value) -> Value {
        let x = if self.extent(x) == Extent::Rows { x } else { self.full(x) };
        self.define("all", Micro::ReduceAll(op, x), Extent::One)
    }

    /// Makes the reduction of each column an output.
    pub fn reduce_columns(&mut self, op: ReduceOp, x: Value) {
        let x = self.full(x);
        let reduced = self.define("columns", Micro::ReduceColumns(op, x), Extent::Columns);
        self.outputs.push(reduced);
    }

    /// In each row the element at the column `index`. `shape` is that of the index tensor, and
    /// `tag` comes back with the error if a column is out of range.
    ///
    /// # Panics
    /// If the program has no such index: a mistake of the caller.
    pub fn gather(&mut self, x: Value, index: u32, shape: Shape, tag: u32) -> Value {
        assert!(index < self.indices, "an index of the program");
        let x = self.full(x);
        self.define("gather", Micro::Gather(x, RowIndex { index, shape, tag }), Extent::Rows)
    }

    /// `onto`, or zeros, with an element of `added` added in each row at the column `index`; see
    /// [`gather`](Program::gather).
    ///
    /// # Panics
    /// If `added` extends along columns, or if the program has no such index: a mistake of the caller.
    pub fn scatter(
        &mut self,
        onto: Option<Value>,
        added: Value,
        index: u32,
        shape: Shape,
        tag: u32,
    ) -> Value {
        assert!(index < self.indices, "an index of the program");
        let extent = self.extent(added);
        assert!(matches!(extent, Extent::Rows | Extent::One), "scatter adds one element a row");
        let onto = onto.map(|onto| self.full(onto));
        let added = self.broadcast_to(Extent::Rows, added);
        let row_index = RowIndex { index, shape, tag };
        self.define("scatter", Micro::Scatter(onto, added, row_index), Extent::Full)
    }

    /// The same micro-ops in another order, with the values renamed.
    fn reordered(&self, order: &[usize], rename: impl Fn(Value) -> Value) -> Program {
        let mut defs: Vec<Def> = order.iter().map(|&at| self.defs[at].clone()).collect();
        for def in &mut defs {
            Program::operands_mut(&mut def.micro).for_each(|x| *x = rename(*x));
        }
        let outputs = self.outputs.iter().map(|&x| rename(x)).collect();
        Program { defs, outputs, broadcasts: HashMap::new(), inputs: self.inputs.clone(), ..*self }
    }

    /// What is gathered and scattered, in the order of the micro-ops.
    fn row_indices(&self) -> Vec<(&'static str, RowIndex)> {
        let row_index = |def: &Def| match &def.micro {
            Micro::Gather(_, row_index) => Some(("gather", row_index.clone())),
            Micro::Scatter(_, _, row_index) => Some(("scatter_add", row_index.clone())),
            _ => None,
        };
        self.defs.iter().filter_map(row_index).collect()
    }

    /// The output that each value is, the first of several.
    fn output_of(&self) -> Vec<Option<u32>> {
        let mut output_of = vec![None; self.defs.len()];
        for (output, x) in self.outputs.iter().enumerate().rev() {
            output_of[x.0 as usize] = Some(output as u32);
        }
        output_of
    }

    /// How many bytes of memory it takes, about.
    pub fn bytes(&self) -> usize {
        size_of::<Program>() + self.defs.len() * size_of::<Def>()
    }

    /// Makes a value an output.
    pub fn output(&mut self, x: Value) {
        self.outputs.push(x);
    }

    /// The values that a micro-op reads.
    fn operands(micro: &Micro) -> impl Iterator<Item = Value> {
        let operands: SmallVec<[Value; 6]> = match micro {
            Micro::Input(_) | Micro::Constant(_) => SmallVec::new(),
            Micro::Map1(_, _, x)
            | Micro::Broadcast(x)
            | Micro::ReduceRow(_, x)
            | Micro::ReduceAll(_, x)
            | Micro::ReduceColumns(_, x)
            | Micro::Gather(x, _) => [*x].into_iter().collect(),
            Micro::Map2(_, x) => x.iter().copied().collect(),
            Micro::Map3(_, x) => x.iter().copied().collect(),
            Micro::Weighted(x) => x.clone(),
            Micro::Scatter(onto, added, _) => onto.iter().chain([added]).copied().collect(),
        };
        operands.into_iter()
    }

    /// The values that a micro-op reads, to be renamed.
    fn operands_mut(micro: &mut Micro) -> impl Iterator<Item = &mut Value> {
        let operands: SmallVec<[&mut Value; 6]> = match micro {
            Micro::Input(_) | Micro::Constant(_) => SmallVec::new(),
            Micro::Map1(_, _, x)
            | Micro::Broadcast(x)
            | Micro::ReduceRow(_, x)
            | Micro::ReduceAll(_, x)
            | Micro::ReduceColumns(_, x)
            | Micro::Gather(x, _) => [x].into_iter().collect(),
            Micro::Map2(_, x) => x.iter_mut().collect(),
            Micro::Map3(_, x) => x.iter_mut().collect(),
            Micro::Weighted(x) => x.iter_mut().collect(),
            Micro::Scatter(onto, added, _) => onto.iter_mut().chain([added]).collect(),
        };
        operands.into_iter()
    }
}

impl fmt::Display for Program {
    /// A line for each micro-op: the value, along which axes it extends, and its expression.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |value: Value| match self.defs[value.0 as usize].micro {
            Micro::Input(input) => format!("in{input}"),
            Micro::Constant(number) => format!("{number:?}"),
            _ => format!("v{}", value.0),
        };
        let output_of = self.output_of();
        for (at, def) in self.defs.iter().enumerate() {
            if matches!(def.micro, Micro::Input(_) | Micro::Constant(_)) {
                continue;
            }
            let mut operands: Vec<String> = Program::operands(&def.micro).map(name).collect();
            match &def.micro {
                Micro::Map1(_, p, _) if *p != [0.0; 2] => {
                    operands.extend(p.iter().map(|p| format!("{p:?}")));
                }
                Micro::Gather(_, row_index) | Micro::Scatter(_, _, row_index) => {
                    operands.push(format!("index{}", row_index.index));
                }
                _ => {}
            }
            let call = |label: &str| format!("{label}({})", operands.join(", "));
            let expression = match def.micro {
                Micro::ReduceRow(op, _) => call(&format!("row_{}", op.name())),
                Micro::ReduceAll(op, _) => call(&format!("all_{}", op.name())),
                Micro::ReduceColumns(op, _) => call(&format!("column_{}", op.name())),
                _ if def.label.contains([' ', '·']) => formula(def.label, &operands),
                _ => call(def.label),
            };
            let extent = match def.extent {
                Extent::Full => "full",
                Extent::Rows => "rows",
                Extent::Columns => "columns",
                Extent::One => "one",
            };
            let output = output_of[at].map_or(String::new(), |output| format!("  → out{output}"));
            writeln!(f, "v{at:<3} {extent:<7} {expression}{output}")?;
        }
        Ok(())
    }
}

/// A formula of a, b, c and so on, with the operands substituted.
fn formula(label: &str, operands: &[String]) -> String {
    let operand = |letter: char| match letter {
        'a'..='f' => operands.get(letter as usize - 'a' as usize).cloned(),
        _ => None,
    };
    label.chars().map(|c| operand(c).unwrap_or_else(|| c.into())).collect()
}
