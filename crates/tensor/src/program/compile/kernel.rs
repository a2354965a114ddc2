//! Lowering a program with a kernel: its slots, and what runs before and after it.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Compiler, Cut};
use crate::kernels::ReduceOp;
use crate::kernels::reduce::SHORT;
use crate::program::code::{Accesses, Executable, Instruction};
use crate::program::jit::{Buffer, KernelCall, Plan, Rows};
use crate::program::{Def, Extent, Micro, Program};

/// The executable of a program with a kernel, in the cut of the interpreter; `None` if it has no kernel, if
/// that takes more registers than the processor has, or if the system forbids to run it.
pub(super) fn compile(program: &Program, cut: &Cut) -> Option<Executable> {
    // The columns of a tile are added up strip by strip.
    let is_distributed = cut.strip_rows < cut.tile_rows;
    let of_columns = |def: &Def| matches!(def.micro, Micro::ReduceColumns(..));
    if is_distributed && program.defs.iter().any(of_columns) {
        return None;
    }
    let plan = &Plan::of(program)?;
    // A kernel goes over a tile row by row.
    let cut = Cut { strip_rows: cut.tile_rows, ..*cut };
    let mut compiler = Compiler::new(&plan.program, &cut, None);
    // Without rows, what is left for the last tile may be too short for lanes: that is added up one by one.
    let Executable { rows, columns, tile_rows, tile_columns, .. } = compiler.executable;
    let last = if columns == 1 { rows % tile_rows } else { columns % tile_columns };
    if (1..SHORT).contains(&last) {
        return None;
    }
    // A kernel stores where a value belongs: rows are not aligned as stores past the caches have to be. Only
    // wide ones are copied there, since nothing of them is left in the caches anyway.
    compiler.streaming &= super::strip_columns::<f32>(plan.program.space().1).is_some();
    // A kernel adds up what it computes, and reads what was computed before.
    for at in plan.kernel.clone() {
        compiler.fused_into_sum[at] = false;
        for x in Program::operands(&plan.program.defs[at].micro) {
            compiler.fused_into_sum[x.0 as usize] = false;
        }
    }
    for at in 0..plan.kernel.start {
        compiler.lower(at);
        compiler.release(at);
    }
    compiler.lower_kernel(plan)?;
    for at in plan.kernel.clone() {
        compiler.release(at);
    }
    for at in plan.kernel.end..plan.program.defs.len() {
        compiler.lower(at);
        compiler.release(at);
    }
    // Not in the order in which they run.
    compiler.executable.row_indices = program.row_indices();
    Some(compiler.finish())
}

impl Compiler<'_> {
    fn lower_kernel(&mut self, plan: &Plan) -> Option<()> {
        let (mut reads, mut stores) = (HashMap::new(), HashMap::<_, Vec<Buffer>>::new());
        // A kernel reads and writes in each pass, and may write over what it reads last in the same one.
        let mut accesses = Accesses { places: 2 * plan.passes(), ..Accesses::default() };
        for (node, value) in plan.leaves() {
            let slot = self.defined(value);
            let shared = self.program.extent(value) != Extent::Full;
            let rows = if shared { Rows::Shared } else { Rows::OfTile };
            reads.insert(node, Buffer { slot, rows });
            accesses.reads.push((slot, 2 * plan.last_load(node)));
        }
        let mut sums = vec![];
        for at in plan.kernel.clone() {
            let Some(node) = plan.node(at) else { continue };
            let slot = match self.program.defs[at].micro {
                Micro::ReduceAll(..) => {
                    let slot = self.register(Extent::Rows, false);
                    sums.push((slot, self.scalar_accumulator(at, ReduceOp::Sum)));
                    slot
                }
                _ if plan.escapes[at] => self.destination(at),
                _ => continue,
            };
            stores.entry(node).or_default().push(Buffer { slot, rows: Rows::OfTile });
            accesses.writes.push((slot, 2 * plan.store(node) + 1));
        }
        for node in plan.kept(&stores) {
            let slot = self.pair_of_rows();
            stores.insert(node, vec![Buffer { slot, rows: Rows::OfPair }]);
        }
        for (&node, buffers) in &stores {
            reads.entry(node).or_insert(buffers[0]);
        }
        let kernel = Arc::new(plan.generate(reads, stores)?);
        self.executable.body.push(Instruction::Kernel(Box::new(KernelCall {
            kernel,
            accesses,
            sums,
        })));
        Some(())
    }
}
