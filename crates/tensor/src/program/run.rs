//! Executing a compiled program: tasks of tiles, on as many threads as there may be.

mod resolved;

use std::borrow::Cow;
use std::cell::Cell;

use smallvec::SmallVec;

use super::RunError;
use super::code::{Executable, Instruction, Segment, Slot, Source};
use super::micro;
use super::tile::{Accumulators, OutOfRange, Tile};
use crate::kernels::accumulate::Compensated;
use crate::kernels::nditer::Packer;
use crate::kernels::reduce::identity;
use crate::kernels::scratch::Scratch;
use crate::kernels::threads::{Pointer, try_parallel_for};
use crate::kernels::{LazyProduct, Loops, ReduceOp};
use crate::{DType, Error, Tensor};
use resolved::{ResolvedSlots, TileBounds};

/// From how much work on tasks run in parallel: what is read, computed and written at points, and
/// multiplications of products. It takes some microseconds.
const PARALLEL_THRESHOLD: usize = 1 << 17;

thread_local! {
    /// For registers.
    static REGISTERS: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
    /// For what is the same for all tiles.
    static INVARIANTS: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

/// What an input of a program is bound to.
#[derive(Clone, Copy, Debug)]
pub enum Binding<'a> {
    /// A tensor of any layout.
    Tensor(&'a Tensor),
    /// What the output with this number holds, which is written over it, in place; see
    /// [`Executable::may_overwrite`].
    Output(usize),
    /// The product of two matrices, whose rows are computed as the program reads them; see
    /// [`Executable::product_shape`].
    Product([&'a Tensor; 2]),
}

impl<'a> From<&'a Tensor> for Binding<'a> {
    fn from(tensor: &'a Tensor) -> Binding<'a> {
        Binding::Tensor(tensor)
    }
}

impl Executable {
    /// Runs the program. `outputs` are overwritten: contiguous tensors whose buffers nobody shares,
    /// each with as many elements as its extent says.
    ///
    /// # Errors
    /// Too many or too few arguments; one with another number or type of elements; a column that is
    /// out of range.
    pub fn run<'a, B: Into<Binding<'a>> + Copy>(
        &self,
        inputs: &[B],
        indices: &[&'a Tensor],
        outputs: &mut [Tensor],
    ) -> Result<(), RunError> {
        let inputs: SmallVec<[Binding<'a>; 8]> = inputs.iter().map(|&input| input.into()).collect();
        self.run_bound(&inputs, indices, outputs)
    }

    /// [`run`](Executable::run), which is generic: this, and all that it calls, is compiled once.
    fn run_bound(
        &self,
        inputs: &[Binding<'_>],
        indices: &[&Tensor],
        outputs: &mut [Tensor],
    ) -> Result<(), RunError> {
        match self.dtype {
            DType::F64 => Run::<f64>::new(self, inputs, indices, outputs)?.execute(),
            _ => Run::<f32>::new(self, inputs, indices, outputs)?.execute(),
        }
    }
}

/// The error of arguments that do not fit the program.
#[cold]
fn argument_error(argument: String, given: String, expected: String) -> RunError {
    let error = Error::Argument { argument, given, expected };
    RunError { tag: None, error: Box::new(error) }
}

fn described(tensor: &Tensor) -> String {
    format!("{} of {}", tensor.shape(), tensor.dtype())
}

/// An input as a run reads it.
enum InputBuffer<'a, T> {
    Slice(&'a [T]),
    /// Elements that are not contiguous: packed, a tile at a time. Boxed, since they are few and
    /// each run, of what may be sixteen elements, makes a list of these.
    Packed(Box<Packer<'a, T>>),
    /// Elements that an output holds before it is written.
    Output(usize),
    /// Elements of a product, to be computed.
    Product(LazyProduct<'a, T>),
}

/// The first row and column of each strip of a tile.
fn starts([rows, columns]: [usize; 2], strip: [usize; 2]) -> impl Iterator<Item = (usize, usize)> {
    let down = (0..rows).step_by(strip[0]);
    down.flat_map(move |y| (0..columns).step_by(strip[1]).map(move |x| (y, x)))
}

struct Run<'a, T> {
    executable: &'a Executable,
    inputs: SmallVec<[InputBuffer<'a, T>; 8]>,
    indices: SmallVec<[Cow<'a, [i64]>; 2]>,
    outputs: SmallVec<[(Pointer<T>, usize); 4]>,
}

impl<'a, T: Loops> Run<'a, T> {
    fn new(
        executable: &'a Executable,
        inputs: &[Binding<'a>],
        indices: &[&'a Tensor],
        outputs: &mut [Tensor],
    ) -> Result<Run<'a, T>, RunError> {
        let given = [inputs.len(), indices.len(), outputs.len()];
        let expected = [executable.inputs.len(), executable.indices, executable.outputs.len()];
        if given != expected {
            let [given, expected] = [given, expected].map(|counts| format!("{counts:?}"));
            let argument = "the number of inputs, indices and outputs".into();
            return Err(argument_error(argument, given, expected));
        }
        let mut run = Run {
            executable,
            inputs: SmallVec::new(),
            indices: SmallVec::new(),
            outputs: SmallVec::new(),
        };
        for (at, (binding, extent)) in inputs.iter().zip(&executable.inputs).enumerate() {
            let expected = extent.len(executable.rows, executable.columns);
            let error = |given: String| {
                let expected = format!("{expected} elements of {}", T::DTYPE);
                argument_error(format!("input {at}"), given, expected)
            };
            let tensor = match *binding {
                Binding::Tensor(tensor) => tensor,
                Binding::Output(output) if executable.may_overwrite(output, at) => {
                    run.inputs.push(InputBuffer::Output(output));
                    continue;
                }
                Binding::Product([a, b])
                    if executable.product_shape(at)
                        == Some([executable.rows, executable.columns]) =>
                {
                    let product = LazyProduct::of(a, b)
                        .map_err(|error| RunError { tag: None, error: Box::new(error) })?;
                    if product.shape() != [executable.rows, executable.columns] {
                        return Err(error(format!("a product of shape {:?}", product.shape())));
                    }
                    run.inputs.push(InputBuffer::Product(product));
                    continue;
                }
                Binding::Output(output) => {
                    return Err(error(format!("output {output}, which may not overwrite it")));
                }
                Binding::Product(_) => {
                    return Err(error("a product, and is not read in whole rows".into()));
                }
            };
            if tensor.len() != expected || tensor.dtype() != T::DTYPE {
                return Err(error(described(tensor)));
            }
            let buffer = match tensor.as_slice::<T>() {
                Some(slice) => InputBuffer::Slice(slice),
                None => {
                    let buffer = tensor.buffer_slice::<T>().unwrap_or(&[]);
                    InputBuffer::Packed(Box::new(Packer::new(buffer, tensor.layout())))
                }
            };
            run.inputs.push(buffer);
        }
        for (at, tensor) in indices.iter().enumerate() {
            if tensor.len() != executable.rows || tensor.dtype() != DType::I64 {
                let expected = format!("{} elements of {}", executable.rows, DType::I64);
                return Err(argument_error(format!("index {at}"), described(tensor), expected));
            }
            run.indices.push(match tensor.as_slice::<i64>() {
                Some(slice) => slice.into(),
                None => tensor.contiguous().to_vec::<i64>().unwrap_or_default().into(),
            });
        }
        for (at, (tensor, (_, len))) in outputs.iter_mut().zip(&executable.outputs).enumerate() {
            let fits = tensor.len() == *len
                && tensor.dtype() == T::DTYPE
                && tensor.layout().is_contiguous()
                && tensor.is_unique();
            let slice = if fits { tensor.as_mut_slice::<T>() } else { None };
            let Some(start) = slice.map(<[T]>::as_mut_ptr) else {
                let expected = format!("{len} elements of {}, contiguous and unshared", T::DTYPE);
                return Err(argument_error(format!("output {at}"), described(tensor), expected));
            };
            run.outputs.push((Pointer(start), *len));
        }
        Ok(run)
    }

    fn execute(&mut self) -> Result<(), RunError> {
        let executable = self.executable;
        let mut memory = Scratch::<T>::take(&INVARIANTS, executable.invariants);
        let invariants = memory.start();
        self.run_prologue(invariants)?;
        let invariants = Pointer(invariants);
        let tasks = executable.tasks;
        // For each reduction, an accumulator for each task.
        let empty = |op: ReduceOp| Compensated { sum: identity(op), lost: 0.0 };
        let mut scalars: SmallVec<[Compensated; 4]> = SmallVec::new();
        for (op, _) in &executable.scalar_accumulators {
            scalars.extend(std::iter::repeat_n(empty(*op), tasks));
        }
        let column_stride = 2 * executable.columns;
        let mut columns: Vec<f64> =
            Vec::with_capacity(executable.column_accumulators.len() * tasks * column_stride);
        for op in &executable.column_accumulators {
            for _ in 0..tasks {
                columns.extend(std::iter::repeat_n(identity::<f64>(*op), executable.columns));
                columns.extend(std::iter::repeat_n(0.0, executable.columns));
            }
        }
        let starts = (Pointer(scalars.as_mut_ptr()), Pointer(columns.as_mut_ptr()));
        let run = &*self;
        let task = |task: usize| {
            let accumulators = Accumulators {
                scalars: starts.0.get().wrapping_add(task),
                scalar_stride: tasks,
                columns: starts.1.get().wrapping_add(task * column_stride),
                column_stride: tasks * column_stride,
                all_columns: executable.columns,
            };
            run.task(task, invariants.get(), &accumulators)
        };
        if self.work() < PARALLEL_THRESHOLD {
            (0..tasks).try_for_each(task)?;
        } else {
            try_parallel_for(tasks, task)?;
        }
        self.run_epilogue(invariants.get(), &scalars, &columns)
    }

    /// How much is read, computed and written at points, and how many multiplications the products take.
    fn work(&self) -> usize {
        let Executable { rows, columns, micro_ops, .. } = self.executable;
        let each = micro_ops + self.inputs.len() + self.outputs.len();
        let products = self.inputs.iter().map(|input| match input {
            InputBuffer::Product(product) => product.work(),
            _ => 0,
        });
        products.fold((rows * columns).saturating_mul(each), usize::saturating_add)
    }

    /// Loads and computes the invariants that tiles read.
    fn run_prologue(&self, invariants: *mut T) -> Result<(), RunError> {
        let executable = self.executable;
        for &(input, offset) in &executable.loads {
            let len = executable.inputs[input as usize].len(executable.rows, executable.columns);
            // SAFETY: the compiler allocated `len` elements of the invariants for each load.
            let out = unsafe { std::slice::from_raw_parts_mut(invariants.add(offset), len) };
            match &self.inputs[input as usize] {
                InputBuffer::Slice(slice) => out.copy_from_slice(slice),
                InputBuffer::Packed(packer) => packer.pack(0, out),
                InputBuffer::Output(_) | InputBuffer::Product(_) => {
                    unreachable!("they have an element for each point")
                }
            }
        }
        for &(number, offset) in &executable.numbers {
            // SAFETY: the compiler allocated an element of the invariants for each number.
            unsafe { *invariants.add(offset) = T::of(number) };
        }
        self.run_invariant(&executable.prologue, invariants)
    }

    /// Runs micro-ops on invariants.
    fn run_invariant(&self, codes: &[Instruction], invariants: *mut T) -> Result<(), RunError> {
        if codes.is_empty() {
            return Ok(());
        }
        let executable = self.executable;
        let at = |slot: &Slot| match *slot {
            Slot::Invariant(offset) | Slot::InvariantColumns(offset) => {
                invariants.wrapping_add(offset)
            }
            _ => std::ptr::null_mut(),
        };
        let slots: SmallVec<[*mut T; 32]> = executable.slots.iter().map(at).collect();
        let tile = Tile {
            slots: &slots,
            rows: executable.strip_rows,
            columns: executable.columns,
            row: 0,
            column: 0,
            accumulators: &Accumulators::none(),
            indices: &[],
        };
        // They have no rows, and so no indices of rows.
        let ran = codes.iter().try_for_each(|code| tile.execute(code));
        ran.map_err(|OutOfRange| self.out_of_range(0, 0))
    }

    /// Runs the tiles of one task.
    fn task(
        &self,
        task: usize,
        invariants: *mut T,
        accumulators: &Accumulators,
    ) -> Result<(), RunError> {
        let executable = self.executable;
        let tiles = task * executable.tiles / executable.tasks
            ..(task + 1) * executable.tiles / executable.tasks;
        let staging: usize =
            self.inputs.iter().map(|input| self.staging_len(input, tiles.len())).sum();
        let mut memory = Scratch::<T>::take(&REGISTERS, executable.scratch + staging);
        let mut resolved = ResolvedSlots::of(self, invariants, memory.start(), tiles.len());
        let mut strip_slots: SmallVec<[*mut T; 32]> = SmallVec::new();
        let indices = &self.indices[..];
        for tile in tiles.clone() {
            let bounds = TileBounds::of(executable, tile);
            resolved.enter_tile(self, &bounds, tile - tiles.start, tiles.end - tile);
            let TileBounds { row, column, rows, columns } = bounds;
            let slots = &resolved.slots[..];
            for Segment { codes, strip, moves } in &executable.segments {
                let codes = &executable.body[codes.clone()];
                let Some([high, wide]) = *strip else {
                    let tile = Tile { slots, rows, columns, row, column, accumulators, indices };
                    codes
                        .iter()
                        .try_for_each(|code| tile.execute(code))
                        .map_err(|OutOfRange| self.out_of_range(row, rows))?;
                    continue;
                };
                strip_slots.clear();
                strip_slots.extend_from_slice(slots);
                for (y, x) in starts([rows, columns], [high, wide]) {
                    let tile = Tile {
                        slots: &strip_slots,
                        rows: high.min(rows - y),
                        columns: wide.min(columns - x),
                        row: row + y,
                        column: column + x,
                        accumulators,
                        indices,
                    };
                    codes
                        .iter()
                        .try_for_each(|code| tile.execute(code))
                        .map_err(|OutOfRange| self.out_of_range(row, rows))?;
                    for &(slot, step) in moves {
                        let slot = &mut strip_slots[slot as usize];
                        *slot = slot.wrapping_add(step);
                    }
                }
            }
        }
        if executable.body.iter().any(|code| matches!(code, Instruction::Stream { .. })) {
            micro::fence();
        }
        Ok(())
    }

    /// The error of the first index that is out of range in some rows: of the first micro-op of the program
    /// that has one, whichever ran first.
    #[cold]
    fn out_of_range(&self, row: usize, rows: usize) -> RunError {
        let dim = self.executable.columns;
        let outside = |index: &i64| usize::try_from(*index).map_or(true, |index| index >= dim);
        for (operation, row_index) in &self.executable.row_indices {
            let indices = &self.indices[row_index.index as usize][row..row + rows];
            if let Some(at) = indices.iter().position(outside) {
                let position = row_index.shape.unravel_index(row + at);
                let error = Error::Index { operation, index: indices[at], dim, position };
                return RunError { tag: Some(row_index.tag), error: Box::new(error) };
            }
        }
        unreachable!("a micro-op has found an index that is out of range")
    }

    /// Combines the accumulators of the tasks, in their order, runs the epilogue, and writes the
    /// outputs that no tile writes.
    fn run_epilogue(
        &self,
        invariants: *mut T,
        scalars: &[Compensated],
        columns: &[f64],
    ) -> Result<(), RunError> {
        let executable = self.executable;
        for (&(op, offset), tasks) in
            executable.scalar_accumulators.iter().zip(scalars.chunks_exact(executable.tasks))
        {
            let empty = Compensated { sum: identity(op), lost: 0.0 };
            let result = tasks.iter().fold(empty, |a, b| {
                let a = micro::accumulated(op, a, b.sum);
                Compensated { lost: a.lost + b.lost, ..a }
            });
            // SAFETY: the compiler allocated an element of the invariants for each result.
            unsafe { *invariants.add(offset) = T::of(result.rounded()) };
        }
        self.run_invariant(&executable.epilogue, invariants)?;
        for ((source, len), (out, _)) in executable.outputs.iter().zip(&self.outputs) {
            // SAFETY: the output has `len` elements, which the tasks, now over, did not write to.
            let write = || unsafe { std::slice::from_raw_parts_mut(out.get(), *len) };
            match *source {
                Source::Tiles => {}
                Source::ColumnAccumulator(at) => {
                    let op: ReduceOp = executable.column_accumulators[at];
                    let len = 2 * executable.columns * executable.tasks;
                    micro::combine_columns(op, &columns[at * len..(at + 1) * len], write());
                }
                Source::Invariant(offset) => {
                    // SAFETY: the invariants hold `len` elements of this value.
                    let value = unsafe { std::slice::from_raw_parts(invariants.add(offset), *len) };
                    write().copy_from_slice(value);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
