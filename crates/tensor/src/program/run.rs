//! Running a program: tasks of tiles, and micro-ops on the slices of a tile.

mod resolved;

use std::borrow::Cow;
use std::cell::Cell;

use smallvec::SmallVec;

use super::Failure;
use super::code::{Code, Executable, Slot, Source};
use super::micro;
use super::tile::{Folds, Tile};
use crate::kernels::reduce::{combine, start};
use crate::kernels::scratch::Scratch;
use crate::kernels::threads::{Pointer, try_share};
use crate::kernels::walk::Packer;
use crate::kernels::{Loops, ReduceOp, Rows};
use crate::{DType, Error, Shape, Tensor};
use resolved::{Part, ResolvedSlots};

/// Spaces with fewer places stay on the caller's thread.
const ALONE: usize = 1 << 16;

thread_local! {
    /// For registers.
    static REGISTERS: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
    /// For what is computed before all tiles.
    static FIXED: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

/// Where a run finds an input.
#[derive(Clone, Copy, Debug)]
pub enum Binding<'a> {
    /// In a tensor of any layout.
    Tensor(&'a Tensor),
    /// In the output with this number, which is written over it; see [`Executable::may_overwrite`].
    Output(usize),
    /// As the product of two matrices, some rows of which are computed when the program comes to
    /// them; see [`Executable::by_rows`].
    Product([&'a Tensor; 2]),
}

impl<'a> From<&'a Tensor> for Binding<'a> {
    fn from(tensor: &'a Tensor) -> Binding<'a> {
        Binding::Tensor(tensor)
    }
}

impl Executable {
    /// Runs the program. `outputs` are overwritten: contiguous tensors that nobody shares, each
    /// with as many elements as its extent says.
    ///
    /// # Errors
    /// An input or output that does not fit; an index without a column.
    pub fn run<'a, G: Into<Binding<'a>> + Copy>(
        &self,
        inputs: &[G],
        indices: &[&'a Tensor],
        outputs: &mut [Tensor],
    ) -> Result<(), Failure> {
        let inputs: SmallVec<[Binding<'a>; 8]> = inputs.iter().map(|&given| given.into()).collect();
        match self.dtype {
            DType::F64 => Run::<f64>::new(self, &inputs, indices, outputs)?.all(),
            _ => Run::<f32>::new(self, &inputs, indices, outputs)?.all(),
        }
    }
}

fn misfit(what: &'static str, given: usize, shape: &Shape) -> Failure {
    let error = Error::Length { operation: what, given, shape: shape.clone() };
    Failure { tag: None, error: Box::new(error) }
}

/// An input as a run reads it.
enum Elements<'a, T> {
    Slice(&'a [T]),
    /// Elements that do not lie side by side: packed, a tile at a time. They are few, and a run is
    /// made anew for each pass over what may be sixteen elements: it stays small.
    Packed(Box<Packer<'a, T>>),
    /// Those that an output holds before it is written.
    Output(usize),
    /// Those of a product, to be computed.
    Product(Rows<'a, T>),
}

struct Run<'a, T> {
    executable: &'a Executable,
    inputs: SmallVec<[Elements<'a, T>; 8]>,
    indices: SmallVec<[Cow<'a, [i64]>; 2]>,
    outputs: SmallVec<[(Pointer<T>, usize); 4]>,
}

impl<'a, T: Loops> Run<'a, T> {
    fn new(
        executable: &'a Executable,
        inputs: &[Binding<'a>],
        indices: &[&'a Tensor],
        outputs: &mut [Tensor],
    ) -> Result<Run<'a, T>, Failure> {
        let counts = [inputs.len(), indices.len(), outputs.len()];
        if counts != [executable.inputs.len(), executable.indices, executable.outputs.len()] {
            return Err(misfit("program", inputs.len() + outputs.len(), &Shape::from(())));
        }
        let mut run = Run {
            executable,
            inputs: SmallVec::new(),
            indices: SmallVec::new(),
            outputs: SmallVec::new(),
        };
        for (at, (given, extent)) in inputs.iter().zip(&executable.inputs).enumerate() {
            let expected = extent.len(executable.rows, executable.columns);
            let tensor = match *given {
                Binding::Tensor(tensor) => tensor,
                Binding::Output(output) if executable.may_overwrite(output, at) => {
                    run.inputs.push(Elements::Output(output));
                    continue;
                }
                Binding::Product([a, b])
                    if executable.product_shape(at)
                        == Some([executable.rows, executable.columns]) =>
                {
                    let product = Rows::of(a, b)
                        .map_err(|error| Failure { tag: None, error: Box::new(error) })?;
                    if product.space() != [executable.rows, executable.columns] {
                        return Err(misfit("program: product", expected, a.shape()));
                    }
                    run.inputs.push(Elements::Product(product));
                    continue;
                }
                Binding::Output(_) | Binding::Product(_) => {
                    return Err(misfit("program: input without a tensor", expected, &().into()));
                }
            };
            if tensor.len() != expected || tensor.dtype() != T::DTYPE {
                return Err(misfit("program: input", expected, tensor.shape()));
            }
            let source = match tensor.as_slice::<T>() {
                Some(slice) => Elements::Slice(slice),
                None => {
                    let buffer = tensor.buffer_slice::<T>().unwrap_or(&[]);
                    Elements::Packed(Box::new(Packer::new(buffer, tensor.layout())))
                }
            };
            run.inputs.push(source);
        }
        for tensor in indices {
            if tensor.len() != executable.rows || tensor.dtype() != DType::I64 {
                return Err(misfit("program: index", executable.rows, tensor.shape()));
            }
            run.indices.push(match tensor.as_slice::<i64>() {
                Some(slice) => slice.into(),
                None => tensor.contiguous().to_vec::<i64>().unwrap_or_default().into(),
            });
        }
        for (tensor, (_, len)) in outputs.iter_mut().zip(&executable.outputs) {
            let fits =
                tensor.len() == *len && tensor.layout().is_contiguous() && tensor.is_unique();
            let shape = tensor.shape().clone();
            match tensor.as_mut_slice::<T>() {
                Some(slice) if fits => run.outputs.push((Pointer(slice.as_mut_ptr()), *len)),
                _ => return Err(misfit("program: output", *len, &shape)),
            }
        }
        Ok(run)
    }

    fn all(&mut self) -> Result<(), Failure> {
        let executable = self.executable;
        let mut memory = Scratch::<T>::take(&FIXED, executable.fixed);
        let fixed = memory.start();
        self.before_tiles(fixed)?;
        let fixed = Pointer(fixed);
        let tasks = executable.tasks;
        let mut totals: SmallVec<[f64; 4]> = SmallVec::new();
        for (op, _) in &executable.totals {
            totals.extend(std::iter::repeat_n(start::<f64>(*op), tasks));
        }
        let mut sums: Vec<T> =
            Vec::with_capacity(executable.sums.len() * tasks * executable.columns);
        for op in &executable.sums {
            sums.extend(std::iter::repeat_n(start::<T>(*op), tasks * executable.columns));
        }
        let (all_totals, all_sums) = (Pointer(totals.as_mut_ptr()), Pointer(sums.as_mut_ptr()));
        let run = &*self;
        let task = |task: usize| {
            let folds = Folds {
                totals: all_totals.get().wrapping_add(task),
                between_totals: tasks,
                sums: all_sums.get().wrapping_add(task * executable.columns),
                between_sums: tasks * executable.columns,
            };
            run.task(task, fixed.get(), &folds)
        };
        if executable.rows * executable.columns < ALONE {
            (0..tasks).try_for_each(task)?;
        } else {
            try_share(tasks, task)?;
        }
        self.after_tiles(fixed.get(), &totals, &sums)
    }

    /// Computes what is the same for all tiles.
    fn before_tiles(&self, fixed: *mut T) -> Result<(), Failure> {
        let executable = self.executable;
        for &(input, offset) in &executable.loads {
            let len = executable.inputs[input as usize].len(executable.rows, executable.columns);
            // SAFETY: the compiler gave each load `len` elements of the fixed memory.
            let out = unsafe { std::slice::from_raw_parts_mut(fixed.add(offset), len) };
            match &self.inputs[input as usize] {
                Elements::Slice(slice) => out.copy_from_slice(slice),
                Elements::Packed(packer) => packer.pack(0, out),
                Elements::Output(_) | Elements::Product(_) => {
                    unreachable!("they have an element at each slot")
                }
            }
        }
        for &(number, offset) in &executable.numbers {
            // SAFETY: the compiler gave each number an element of the fixed memory.
            unsafe { *fixed.add(offset) = T::of(number) };
        }
        self.run_fixed(&executable.prologue, fixed)
    }

    /// Runs micro-ops on what is the same for all tiles.
    fn run_fixed(&self, codes: &[Code], fixed: *mut T) -> Result<(), Failure> {
        if codes.is_empty() {
            return Ok(());
        }
        let executable = self.executable;
        let at = |slot: &Slot| match *slot {
            Slot::Fixed(offset) | Slot::FixedColumns(offset) => fixed.wrapping_add(offset),
            _ => std::ptr::null_mut(),
        };
        let slots: SmallVec<[*mut T; 32]> = executable.slots.iter().map(at).collect();
        let tile = Tile {
            slots: &slots,
            rows: executable.tile_rows,
            columns: executable.columns,
            row: 0,
            column: 0,
            folds: &Folds::none(),
            indices: &[],
        };
        codes.iter().try_for_each(|code| tile.step(code))
    }

    /// Runs the tiles of one task.
    fn task(&self, task: usize, fixed: *mut T, folds: &Folds<T>) -> Result<(), Failure> {
        let executable = self.executable;
        let tiles = task * executable.tiles / executable.tasks
            ..(task + 1) * executable.tiles / executable.tasks;
        let rooms: usize = self.inputs.iter().map(|input| self.room(input, tiles.len())).sum();
        let mut memory = Scratch::<T>::take(&REGISTERS, executable.scratch + rooms);
        let mut resolved = ResolvedSlots::of(self, fixed, memory.start(), tiles.len());
        let mut pieced: SmallVec<[*mut T; 32]> = SmallVec::new();
        let indices = &self.indices[..];
        for tile in tiles.clone() {
            let part = Part::of(executable, tile);
            resolved.come_to(self, &part, tile - tiles.start, tiles.end - tile);
            let Part { row, column, rows, columns } = part;
            let slots = &resolved.slots[..];
            for (range, pieces) in &executable.segments {
                let codes = &executable.body[range.clone()];
                if !pieces {
                    let tile = Tile { slots, rows, columns, row, column, folds, indices };
                    codes.iter().try_for_each(|code| tile.step(code))?;
                    continue;
                }
                for column in (0..columns).step_by(executable.piece) {
                    pieced.clear();
                    let moved = slots.iter().zip(&executable.advances);
                    pieced.extend(
                        moved.map(|(p, &advances)| {
                            p.wrapping_add(if advances { column } else { 0 })
                        }),
                    );
                    let columns = executable.piece.min(columns - column);
                    let tile = Tile { slots: &pieced, rows, columns, row, column, folds, indices };
                    codes.iter().try_for_each(|code| tile.step(code))?;
                }
            }
        }
        if executable.body.iter().any(|code| matches!(code, Code::Stream { .. })) {
            micro::fence();
        }
        Ok(())
    }

    /// Combines what the tasks have folded, in their order, and writes what no tile wrote.
    fn after_tiles(&self, fixed: *mut T, totals: &[f64], sums: &[T]) -> Result<(), Failure> {
        let executable = self.executable;
        for (&(op, offset), tasks) in
            executable.totals.iter().zip(totals.chunks_exact(executable.tasks))
        {
            let total = tasks.iter().fold(start(op), |a, &b| combine(op, a, b));
            // SAFETY: the compiler gave each total an element of the fixed memory.
            unsafe { *fixed.add(offset) = T::of(total) };
        }
        self.run_fixed(&executable.epilogue, fixed)?;
        for ((source, len), (out, _)) in executable.outputs.iter().zip(&self.outputs) {
            // SAFETY: the output has `len` elements, which the tasks, now over, did not write to.
            let write = || unsafe { std::slice::from_raw_parts_mut(out.get(), *len) };
            match *source {
                Source::Tiles => {}
                Source::Sums(nth) => {
                    let op: ReduceOp = executable.sums[nth];
                    let len = executable.columns * executable.tasks;
                    let out = write();
                    out.fill(start(op));
                    micro::reduce_columns(op, &sums[nth * len..(nth + 1) * len], out);
                }
                Source::Fixed(offset) => {
                    // SAFETY: the fixed memory holds `len` elements of this value.
                    let value = unsafe { std::slice::from_raw_parts(fixed.add(offset), *len) };
                    write().copy_from_slice(value);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
