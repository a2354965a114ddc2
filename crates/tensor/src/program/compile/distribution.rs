//! Loop distribution: what a row has one of is computed for many rows at a time, apart from what it
//! has an element at each point of.
//!
//! A strip of a few rows fits the L1 cache with all that is computed of it, and is too short for micro-ops
//! on one number a row: each takes as long to start as to run through a whole row. So where a program has
//! many of these, its tiles are many strips high. Its micro-ops go by phases: first those on points that
//! need none of them, strip by strip, then those on rows for the whole tile, then the points that needed
//! these, and so on. What a later phase reads of the points of an earlier one is kept for the whole tile,
//! in the L2 cache. That is what distribution costs.

use crate::program::{Def, Extent, Micro, Program, Value};

/// How many micro-ops on rows pay for one value that is kept for a whole tile.
const ROWS_PER_KEPT: usize = 6;

/// A program in the order of its phases.
pub(super) struct Distribution {
    pub program: Program,
    /// The phase of each definition: even ones run on points, strip by strip, odd ones on rows.
    pub phases: Vec<usize>,
    /// Whether a later phase reads it at each point.
    pub kept: Vec<bool>,
}

impl Distribution {
    /// The distribution of a program, if it pays.
    pub fn of(program: &Program) -> Option<Distribution> {
        let phases = phases(program);
        let on_rows = phases.iter().filter(|&phase| phase % 2 == 1).count();
        if on_rows < ROWS_PER_KEPT {
            return None;
        }
        let mut order: Vec<usize> = (0..phases.len()).collect();
        order.sort_by_key(|&at| phases[at]);
        let mut place = vec![0; order.len()];
        for (at, &from) in order.iter().enumerate() {
            place[from] = at;
        }
        let distributed = Distribution {
            program: program.reordered(&order, |x| Value(place[x.0 as usize] as u32)),
            phases: order.iter().map(|&at| phases[at]).collect(),
            kept: vec![],
        };
        let kept = distributed.kept();
        let pays = on_rows >= ROWS_PER_KEPT * (1 + kept.iter().filter(|&&kept| kept).count());
        pays.then_some(Distribution { kept, ..distributed })
    }

    /// What a later phase reads, and what becomes an output before the last phase.
    fn kept(&self) -> Vec<bool> {
        let Program { defs, outputs, .. } = &self.program;
        let is_kept = |x: &Value, phase: usize| {
            let Def { micro, extent, .. } = &defs[x.0 as usize];
            let computed = !matches!(micro, Micro::Input(_));
            computed && *extent == Extent::Full && self.phases[x.0 as usize] < phase
        };
        let mut kept = vec![false; defs.len()];
        for (def, &phase) in defs.iter().zip(&self.phases) {
            for x in Program::operands(&def.micro).filter(|x| is_kept(x, phase)) {
                kept[x.0 as usize] = true;
            }
        }
        for x in outputs.iter().filter(|x| is_kept(x, self.last_phase())) {
            kept[x.0 as usize] = true;
        }
        kept
    }

    /// The last phase, of points: outputs that are copied are copied then.
    pub fn last_phase(&self) -> usize {
        self.phases.last().copied().unwrap_or(0).next_multiple_of(2)
    }
}

/// The phase of each definition: as early as its operands allow.
fn phases(program: &Program) -> Vec<usize> {
    let mut phases: Vec<usize> = Vec::with_capacity(program.defs.len());
    for def in &program.defs {
        let operands = Program::operands(&def.micro);
        let earliest = operands.map(|x| phases[x.0 as usize]).max().unwrap_or(0);
        // Points follow the rows that they read.
        let points = earliest.next_multiple_of(2);
        phases.push(if on_rows(program, def) { earliest | 1 } else { points });
    }
    phases
}

/// Whether a micro-op computes one number a row of such numbers.
fn on_rows(program: &Program, def: &Def) -> bool {
    let of_rows = |x: Value| program.extent(x) == Extent::Rows;
    match def.micro {
        Micro::Map1(..) | Micro::Map2(..) | Micro::Map3(..) | Micro::Broadcast(_) => {
            def.extent == Extent::Rows
        }
        Micro::ReduceAll(_, x) => of_rows(x),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Compiler, Cut};
    use crate::kernels::{Map2, ReduceOp, threads};
    use crate::program::{Binding, Executable, Extent, Program};
    use crate::{DType, Shape, Tensor, map2};

    static ADD: Map2 = map2!(|a, b| a + b);
    static SUB: Map2 = map2!(|a, b| a - b);
    static LESS: Map2 = map2!(|a, b| if a < b { a } else { b });

    /// Whole numbers, whose sums are exact in any order.
    fn ramp(shape: impl Into<Shape>, step: usize) -> Tensor {
        let shape = shape.into();
        let numbers = (0..shape.numel()).map(|i| (i * step % 23) as f64 - 11.0).collect();
        Tensor::new(shape, numbers).unwrap()
    }

    /// A program of three phases of points: in the first, x without the columns, its rows' sums and
    /// largest; in the second, what is left without a number a row, with an element added; in the third,
    /// that without its least. All of them are outputs, or are summed.
    fn three_phases(rows: usize, columns: usize, ops: usize) -> Program {
        let mut program = Program::new(rows, columns, DType::F64);
        let x = program.input(Extent::Full);
        let row = program.input(Extent::Rows);
        let column = program.input(Extent::Columns);
        let index = program.index();
        let shape = Shape::from([rows, 1]);
        let first = program.map2("sub", &SUB, x, column);
        let mut a = program.reduce_row(ReduceOp::Sum, first);
        let largest = program.reduce_row(ReduceOp::Max, first);
        for _ in 0..ops {
            a = program.map2("less", &LESS, a, largest);
            a = program.map2("sub", &SUB, a, row);
        }
        let second = program.map2("sub", &SUB, first, a);
        let chosen = program.gather(x, index, shape.clone(), 1);
        let scattered = program.scatter(Some(second), chosen, index, shape, 2);
        let mut b = program.reduce_row(ReduceOp::Min, scattered);
        for _ in 0..ops {
            b = program.map2("less", &LESS, b, a);
            b = program.map2("add", &ADD, b, row);
        }
        let third = program.map2("add", &ADD, scattered, b);
        for y in [first, third, b, a] {
            program.output(y);
        }
        program.reduce_columns(ReduceOp::Sum, third);
        let total = program.reduce_all(ReduceOp::Sum, b);
        let all = program.reduce_all(ReduceOp::Max, third);
        let both = program.map2("add", &ADD, total, all);
        program.output(both);
        program
    }

    fn run(executable: &Executable, columns: usize, x: Binding<'_>, out: &mut [Tensor]) {
        let rows = out[0].len() / columns;
        let index = (0..rows).map(|i| (i * 7 % columns) as i64).collect::<Vec<_>>();
        let (row, column) = (ramp([rows], 5), ramp([columns], 3));
        let bindings = [x, Binding::Tensor(&row), Binding::Tensor(&column)];
        executable.run(&bindings, &[&Tensor::from(index)], out).unwrap();
    }

    #[test]
    fn distributed_loops_give_the_same_bits() {
        // Of some tiles and of parts of them, of one row a strip, and past the caches.
        for (rows, columns) in [(32, 64), (33, 100), (700, 130), (257, 768), (1700, 640)] {
            let program = three_phases(rows, columns, 9);
            let (together, distributed) = (
                Compiler::new(&program, &Cut::of(&program, false), None).compile(),
                program.compile(),
            );
            assert!(together.segments.len() == 1 && distributed.segments.len() == 5);
            let lens = [rows * columns, rows * columns, rows, rows, columns, 1];
            let empty = || lens.map(|n| Tensor::zeros([n], DType::F64).unwrap());
            let x = ramp([rows, columns], 1);
            let turned = x.t().unwrap().contiguous().t().unwrap();
            let mut expected = empty();
            run(&together, columns, Binding::Tensor(&x), &mut expected);
            for (x, count) in [(&x, 1), (&x, 3), (&turned, 1)] {
                let mut out = empty();
                threads::with(count, || run(&distributed, columns, Binding::Tensor(x), &mut out));
                assert!(out == expected, "{rows} {columns}, {count} threads");
            }
            // The second output is written last, when nothing reads x any more, and past the caches
            // the first one, too.
            let over = [0, 1].map(|output| distributed.may_overwrite(output, 0));
            assert_eq!(over, [rows == 1700, true]);
            let mut out = empty();
            out[1] = x.reshape([rows * columns]).unwrap().contiguous();
            drop(x);
            run(&distributed, columns, Binding::Output(1), &mut out);
            assert!(out == expected, "{rows} {columns}, in place");
        }
    }

    #[test]
    fn loops_are_distributed_where_that_pays() {
        let segments = |ops: usize| three_phases(100, 200, ops).compile().segments.len();
        // A value of a first phase and one of a second one are kept, and each takes some micro-ops.
        assert_eq!([segments(1), segments(4), segments(5)], [1, 1, 5]);
    }
}
