//! Running a program: tasks of tiles, and micro-ops on the slices of a tile.

mod located;

use std::borrow::Cow;
use std::cell::Cell;

use smallvec::SmallVec;

use super::Failure;
use super::code::{Code, Place, Ready, Source};
use super::micro;
use super::tile::{Folds, Tile};
use crate::kernels::fold::{combine, start};
use crate::kernels::scratch::Scratch;
use crate::kernels::threads::{Pointer, try_share};
use crate::kernels::walk::Packer;
use crate::kernels::{Fold, Loops, Rows};
use crate::{DType, Error, Shape, Tensor};
use located::{Located, Part};

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
pub enum Given<'a> {
    /// In a tensor of any layout.
    Tensor(&'a Tensor),
    /// In the output with this number, which is written over it; see [`Ready::may_overwrite`].
    Output(usize),
    /// As the product of two matrices, some rows of which are computed when the program comes to
    /// them; see [`Ready::in_rows`].
    Product([&'a Tensor; 2]),
}

impl<'a> From<&'a Tensor> for Given<'a> {
    fn from(tensor: &'a Tensor) -> Given<'a> {
        Given::Tensor(tensor)
    }
}

impl Ready {
    /// Runs the program. `outputs` are overwritten: contiguous tensors that nobody shares, each
    /// with as many elements as its extent says.
    ///
    /// # Errors
    /// An input or output that does not fit; an index without a column.
    pub fn run<'a, G: Into<Given<'a>> + Copy>(
        &self,
        inputs: &[G],
        indices: &[&'a Tensor],
        outputs: &mut [Tensor],
    ) -> Result<(), Failure> {
        let inputs: SmallVec<[Given<'a>; 8]> = inputs.iter().map(|&given| given.into()).collect();
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
    ready: &'a Ready,
    inputs: SmallVec<[Elements<'a, T>; 8]>,
    indices: SmallVec<[Cow<'a, [i64]>; 2]>,
    outputs: SmallVec<[(Pointer<T>, usize); 4]>,
}

impl<'a, T: Loops> Run<'a, T> {
    fn new(
        ready: &'a Ready,
        inputs: &[Given<'a>],
        indices: &[&'a Tensor],
        outputs: &mut [Tensor],
    ) -> Result<Run<'a, T>, Failure> {
        let counts = [inputs.len(), indices.len(), outputs.len()];
        if counts != [ready.inputs.len(), ready.indices, ready.outputs.len()] {
            return Err(misfit("program", inputs.len() + outputs.len(), &Shape::from(())));
        }
        let mut run = Run {
            ready,
            inputs: SmallVec::new(),
            indices: SmallVec::new(),
            outputs: SmallVec::new(),
        };
        for (at, (given, extent)) in inputs.iter().zip(&ready.inputs).enumerate() {
            let expected = extent.len(ready.rows, ready.columns);
            let tensor = match *given {
                Given::Tensor(tensor) => tensor,
                Given::Output(output) if ready.may_overwrite(output, at) => {
                    run.inputs.push(Elements::Output(output));
                    continue;
                }
                Given::Product([a, b])
                    if ready.in_rows(at) == Some([ready.rows, ready.columns]) =>
                {
                    let product = Rows::of(a, b)
                        .map_err(|error| Failure { tag: None, error: Box::new(error) })?;
                    if product.space() != [ready.rows, ready.columns] {
                        return Err(misfit("program: product", expected, a.shape()));
                    }
                    run.inputs.push(Elements::Product(product));
                    continue;
                }
                Given::Output(_) | Given::Product(_) => {
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
            if tensor.len() != ready.rows || tensor.dtype() != DType::I64 {
                return Err(misfit("program: index", ready.rows, tensor.shape()));
            }
            run.indices.push(match tensor.as_slice::<i64>() {
                Some(slice) => slice.into(),
                None => tensor.contiguous().to_vec::<i64>().unwrap_or_default().into(),
            });
        }
        for (tensor, (_, len)) in outputs.iter_mut().zip(&ready.outputs) {
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
        let ready = self.ready;
        let mut memory = Scratch::<T>::take(&FIXED, ready.fixed);
        let fixed = memory.start();
        self.before_tiles(fixed)?;
        let fixed = Pointer(fixed);
        let tasks = ready.tasks;
        let mut totals: SmallVec<[f64; 4]> = SmallVec::new();
        for (fold, _) in &ready.totals {
            totals.extend(std::iter::repeat_n(start::<f64>(*fold), tasks));
        }
        let mut sums: Vec<T> = Vec::with_capacity(ready.sums.len() * tasks * ready.columns);
        for fold in &ready.sums {
            sums.extend(std::iter::repeat_n(start::<T>(*fold), tasks * ready.columns));
        }
        let (all_totals, all_sums) = (Pointer(totals.as_mut_ptr()), Pointer(sums.as_mut_ptr()));
        let run = &*self;
        let task = |task: usize| {
            let folds = Folds {
                totals: all_totals.get().wrapping_add(task),
                between_totals: tasks,
                sums: all_sums.get().wrapping_add(task * ready.columns),
                between_sums: tasks * ready.columns,
            };
            run.task(task, fixed.get(), &folds)
        };
        if ready.rows * ready.columns < ALONE {
            (0..tasks).try_for_each(task)?;
        } else {
            try_share(tasks, task)?;
        }
        self.after_tiles(fixed.get(), &totals, &sums)
    }

    /// Computes what is the same for all tiles.
    fn before_tiles(&self, fixed: *mut T) -> Result<(), Failure> {
        let ready = self.ready;
        for &(input, offset) in &ready.loads {
            let len = ready.inputs[input as usize].len(ready.rows, ready.columns);
            // SAFETY: the compiler gave each load `len` elements of the fixed memory.
            let out = unsafe { std::slice::from_raw_parts_mut(fixed.add(offset), len) };
            match &self.inputs[input as usize] {
                Elements::Slice(slice) => out.copy_from_slice(slice),
                Elements::Packed(packer) => packer.pack(0, out),
                Elements::Output(_) | Elements::Product(_) => {
                    unreachable!("they have an element at each place")
                }
            }
        }
        for &(number, offset) in &ready.numbers {
            // SAFETY: the compiler gave each number an element of the fixed memory.
            unsafe { *fixed.add(offset) = T::of(number) };
        }
        self.run_fixed(&ready.prologue, fixed)
    }

    /// Runs micro-ops on what is the same for all tiles.
    fn run_fixed(&self, codes: &[Code], fixed: *mut T) -> Result<(), Failure> {
        if codes.is_empty() {
            return Ok(());
        }
        let ready = self.ready;
        let at = |place: &Place| match *place {
            Place::Fixed(offset) | Place::FixedColumns(offset) => fixed.wrapping_add(offset),
            _ => std::ptr::null_mut(),
        };
        let places: SmallVec<[*mut T; 32]> = ready.places.iter().map(at).collect();
        let tile = Tile {
            places: &places,
            rows: ready.tile_rows,
            columns: ready.columns,
            row: 0,
            column: 0,
            folds: &Folds::none(),
            indices: &[],
        };
        codes.iter().try_for_each(|code| tile.step(code))
    }

    /// Runs the tiles of one task.
    fn task(&self, task: usize, fixed: *mut T, folds: &Folds<T>) -> Result<(), Failure> {
        let ready = self.ready;
        let tiles = task * ready.tiles / ready.tasks..(task + 1) * ready.tiles / ready.tasks;
        let rooms: usize = self.inputs.iter().map(|input| self.room(input, tiles.len())).sum();
        let mut memory = Scratch::<T>::take(&REGISTERS, ready.scratch + rooms);
        let mut located = Located::of(self, fixed, memory.start(), tiles.len());
        let mut pieced: SmallVec<[*mut T; 32]> = SmallVec::new();
        let indices = &self.indices[..];
        for tile in tiles.clone() {
            let part = Part::of(ready, tile);
            located.come_to(self, &part, tile - tiles.start, tiles.end - tile);
            let Part { row, column, rows, columns } = part;
            let places = &located.places[..];
            for (range, pieces) in &ready.segments {
                let codes = &ready.body[range.clone()];
                if !pieces {
                    let tile = Tile { places, rows, columns, row, column, folds, indices };
                    codes.iter().try_for_each(|code| tile.step(code))?;
                    continue;
                }
                for column in (0..columns).step_by(ready.piece) {
                    pieced.clear();
                    let moved = places.iter().zip(&ready.moves);
                    pieced.extend(
                        moved.map(|(p, &moves)| p.wrapping_add(if moves { column } else { 0 })),
                    );
                    let columns = ready.piece.min(columns - column);
                    let tile = Tile { places: &pieced, rows, columns, row, column, folds, indices };
                    codes.iter().try_for_each(|code| tile.step(code))?;
                }
            }
        }
        if ready.body.iter().any(|code| matches!(code, Code::Stream { .. })) {
            micro::fence();
        }
        Ok(())
    }

    /// Combines what the tasks have folded, in their order, and writes what no tile wrote.
    fn after_tiles(&self, fixed: *mut T, totals: &[f64], sums: &[T]) -> Result<(), Failure> {
        let ready = self.ready;
        for (&(fold, offset), tasks) in ready.totals.iter().zip(totals.chunks_exact(ready.tasks)) {
            let total = tasks.iter().fold(start(fold), |a, &b| combine(fold, a, b));
            // SAFETY: the compiler gave each total an element of the fixed memory.
            unsafe { *fixed.add(offset) = T::of(total) };
        }
        self.run_fixed(&ready.epilogue, fixed)?;
        for ((source, len), (out, _)) in ready.outputs.iter().zip(&self.outputs) {
            // SAFETY: the output has `len` elements, which the tasks, now over, did not write to.
            let write = || unsafe { std::slice::from_raw_parts_mut(out.get(), *len) };
            match *source {
                Source::Tiles => {}
                Source::Sums(nth) => {
                    let fold: Fold = ready.sums[nth];
                    let len = ready.columns * ready.tasks;
                    let out = write();
                    out.fill(start(fold));
                    micro::fold_columns(fold, &sums[nth * len..(nth + 1) * len], out);
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
