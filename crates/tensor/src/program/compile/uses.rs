//! What reads the values of a program, and what takes no register since a single reader takes its place.

use crate::kernels::ReduceOp;
use crate::program::{Extent, Micro, NARROW, Program, Value};

/// What reads the values of a program.
pub(super) struct Uses {
    count: Vec<usize>,
    /// The last definition that reads a value; behind all of them for an output.
    pub last: Vec<usize>,
}

impl Uses {
    pub fn of(program: &Program) -> Uses {
        let defs = program.defs.len();
        let mut uses = Uses { count: vec![0; defs], last: vec![0; defs] };
        for (at, def) in program.defs.iter().enumerate() {
            for x in Program::operands(&def.micro) {
                uses.note(x, at);
            }
        }
        program.outputs.iter().for_each(|&x| uses.note(x, defs));
        uses
    }

    fn note(&mut self, x: Value, at: usize) {
        self.count[x.0 as usize] += 1;
        self.last[x.0 as usize] = at.max(self.last[x.0 as usize]);
    }

    fn is_only(&self, x: Value) -> bool {
        self.count[x.0 as usize] == 1
    }
}

impl Program {
    /// For a value that a scatter adds to and nothing else reads, the scatter.
    pub(super) fn coalesced(&self, uses: &Uses) -> Vec<Option<usize>> {
        let mut coalesced = vec![None; self.defs.len()];
        for (at, def) in self.defs.iter().enumerate() {
            if let Micro::Scatter(Some(onto), ..) = def.micro {
                let computed = !matches!(self.defs[onto.0 as usize].micro, Micro::Input(_));
                if uses.is_only(onto) && computed {
                    coalesced[onto.0 as usize] = Some(at);
                }
            }
        }
        coalesced
    }

    /// The maps that only a sum reads: it reads their operands instead.
    pub(super) fn fused_into_sums(&self, uses: &mut Uses) -> Vec<bool> {
        let (_, columns) = self.space();
        let mut fused = vec![false; self.defs.len()];
        for (at, def) in self.defs.iter().enumerate() {
            let x = match def.micro {
                Micro::ReduceRow(ReduceOp::Sum, x) if columns >= NARROW => x,
                Micro::ReduceAll(ReduceOp::Sum, x) => x,
                _ => continue,
            };
            let map = &self.defs[x.0 as usize];
            let tiled = |x: &Value| matches!(self.extent(*x), Extent::Full | Extent::Columns);
            let fits = match &map.micro {
                Micro::Map1(_, _, x) => tiled(x),
                Micro::Map2(_, operands) => operands.iter().all(tiled),
                Micro::Map3(_, operands) => operands.iter().all(tiled),
                _ => false,
            };
            if fits && map.extent == Extent::Full && uses.is_only(x) {
                fused[x.0 as usize] = true;
                for operand in Program::operands(&map.micro) {
                    uses.note(operand, at);
                }
            }
        }
        fused
    }
}
