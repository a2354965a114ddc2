//! Running a program: tasks of tiles, and micro-ops on the slices of a tile.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Mutex;
use std::thread::LocalKey;

use smallvec::SmallVec;

use super::compile::{At, Code, Place, Ready, Source, Span, Summed};
use super::micro::{self, combine, start};
use super::{Extent, Failure, Places};
use crate::kernels::threads::{Pointer, share};
use crate::kernels::walk::Packer;
use crate::kernels::{Fold, Loops};
use crate::{DType, Elem, Error, Shape, Tensor};

/// Spaces with fewer places stay on the caller's thread.
const ALONE: usize = 1 << 16;

/// Memory of a thread that is kept from run to run.
type Memory = LocalKey<Cell<Vec<f64>>>;

thread_local! {
    /// For registers.
    static REGISTERS: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
    /// For what is computed before all tiles.
    static FIXED: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
}

impl Ready {
    /// Runs the program. `outputs` are overwritten: contiguous tensors that nobody shares, each
    /// with as many elements as its extent says.
    ///
    /// # Errors
    /// An input or output that does not fit; an index without a column.
    pub fn run(
        &self,
        inputs: &[&Tensor],
        indices: &[&Tensor],
        outputs: &mut [Tensor],
    ) -> Result<(), Failure> {
        match self.dtype {
            DType::F64 => Run::<f64>::new(self, inputs, indices, outputs)?.all(),
            _ => Run::<f32>::new(self, inputs, indices, outputs)?.all(),
        }
    }
}

fn misfit(what: &'static str, given: usize, shape: &Shape) -> Failure {
    let error = Error::Length { operation: what, given, shape: shape.clone() };
    Failure { tag: u32::MAX, error: Box::new(error) }
}

/// An input as a run reads it.
enum Source1<'a, T> {
    Slice(&'a [T]),
    /// Elements that do not lie side by side: packed, a tile at a time.
    Packed(Packer<'a, T>),
}

struct Run<'a, T> {
    ready: &'a Ready,
    inputs: SmallVec<[Source1<'a, T>; 8]>,
    indices: SmallVec<[std::borrow::Cow<'a, [i64]>; 2]>,
    outputs: SmallVec<[(Pointer<T>, usize); 4]>,
}

impl<'a, T: Loops> Run<'a, T> {
    fn new(
        ready: &'a Ready,
        inputs: &[&'a Tensor],
        indices: &[&'a Tensor],
        outputs: &'a mut [Tensor],
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
        for (tensor, extent) in inputs.iter().zip(&ready.inputs) {
            let expected = match extent {
                Extent::Full => ready.rows * ready.columns,
                Extent::Rows => ready.rows,
                Extent::Columns => ready.columns,
                Extent::One => 1,
            };
            if tensor.len() != expected || tensor.dtype() != T::DTYPE {
                return Err(misfit("program: input", expected, tensor.shape()));
            }
            let source = match tensor.as_slice::<T>() {
                Some(slice) => Source1::Slice(slice),
                None => {
                    let buffer = tensor.buffer_slice::<T>().unwrap_or(&[]);
                    Source1::Packed(Packer::new(buffer, tensor.layout()))
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
        for fold in &ready.totals {
            totals.extend(std::iter::repeat_n(start::<f64>(*fold), tasks));
        }
        let mut sums: Vec<T> = Vec::with_capacity(ready.sums.len() * tasks * ready.columns);
        for fold in &ready.sums {
            sums.extend(std::iter::repeat_n(start::<T>(*fold), tasks * ready.columns));
        }
        let (all_totals, all_sums) = (Pointer(totals.as_mut_ptr()), Pointer(sums.as_mut_ptr()));
        let failure: Mutex<Option<(usize, Failure)>> = Mutex::new(None);
        let run = &*self;
        let task = |task: usize| {
            let folds = Folds {
                totals: all_totals.get().wrapping_add(task),
                between_totals: tasks,
                sums: all_sums.get().wrapping_add(task * ready.columns),
                between_sums: tasks * ready.columns,
            };
            if let Err(failed) = run.task(task, fixed.get(), &folds) {
                let mut first = failure.lock().unwrap_or_else(|held| held.into_inner());
                if first.as_ref().is_none_or(|(earlier, _)| task < *earlier) {
                    *first = Some((task, failed));
                }
            }
        };
        if ready.rows * ready.columns < ALONE {
            (0..tasks).for_each(task);
        } else {
            share(tasks, task);
        }
        if let Some((_, failed)) = failure.into_inner().unwrap_or_else(|held| held.into_inner()) {
            return Err(failed);
        }
        self.after_tiles(fixed.get(), &totals, &sums);
        Ok(())
    }

    /// Computes what is the same for all tiles.
    fn before_tiles(&self, fixed: *mut T) -> Result<(), Failure> {
        let ready = self.ready;
        for &(input, offset) in &ready.loads {
            let len = if ready.inputs[input as usize] == Extent::One { 1 } else { ready.columns };
            // SAFETY: the compiler gave each load `len` elements of the fixed memory.
            let out = unsafe { std::slice::from_raw_parts_mut(fixed.add(offset), len) };
            match &self.inputs[input as usize] {
                Source1::Slice(slice) => out.copy_from_slice(slice),
                Source1::Packed(packer) => packer.pack(0, out),
            }
        }
        for &(number, offset) in &ready.numbers {
            // SAFETY: the compiler gave each number an element of the fixed memory.
            unsafe { *fixed.add(offset) = T::of(number) };
        }
        if ready.prologue.is_empty() {
            return Ok(());
        }
        let at = |place: &Place| match *place {
            Place::Fixed(offset) | Place::FixedColumns(offset) => fixed.wrapping_add(offset),
            _ => std::ptr::null_mut(),
        };
        let places: SmallVec<[*mut T; 32]> = ready.places.iter().map(at).collect();
        let mut tile = Tile {
            places: &places,
            rows: ready.tile_rows,
            columns: ready.columns,
            row: 0,
            column: 0,
            folds: &Folds::none(),
        };
        ready.prologue.iter().try_for_each(|code| self.step(code, &mut tile))
    }

    /// Runs the tiles of one task.
    fn task(&self, task: usize, fixed: *mut T, folds: &Folds<T>) -> Result<(), Failure> {
        let ready = self.ready;
        // Inputs that have to be packed get a register each behind the others.
        let packed = |(i, source): (usize, &Source1<'a, T>)| {
            let streams = matches!(ready.inputs[i], Extent::Full | Extent::Rows);
            matches!(source, Source1::Packed(_) if streams).then_some(i)
        };
        let packed: SmallVec<[usize; 4]> =
            self.inputs.iter().enumerate().filter_map(packed).collect();
        let tile_len = (ready.tile_rows * ready.tile_columns).next_multiple_of(16) + 16;
        let mut memory = Scratch::<T>::take(&REGISTERS, ready.scratch + packed.len() * tile_len);
        let scratch = memory.start();
        let register = |i: usize| {
            let nth = packed.iter().position(|&p| p == i)?;
            Some(scratch.wrapping_add(ready.scratch + nth * tile_len))
        };
        let mut places: SmallVec<[*mut T; 32]> = SmallVec::with_capacity(ready.places.len());
        // The places that move from tile to tile.
        let mut moving: SmallVec<[(usize, *mut T, Move); 8]> = SmallVec::new();
        for (at, place) in ready.places.iter().enumerate() {
            let (start, step) = match *place {
                Place::Input(i) | Place::RowInput(i) => match &self.inputs[i as usize] {
                    Source1::Slice(slice) => {
                        let rows = matches!(place, Place::RowInput(_));
                        let step = if rows { Move::Rows } else { Move::Places };
                        (slice.as_ptr().cast_mut(), Some(step))
                    }
                    Source1::Packed(_) => (register(i as usize).unwrap_or(scratch), None),
                },
                Place::Output(o) => (self.outputs[o as usize].0.get(), Some(Move::Places)),
                Place::RowOutput(o) => (self.outputs[o as usize].0.get(), Some(Move::Rows)),
                Place::Register(offset) => (scratch.wrapping_add(offset), None),
                Place::Fixed(offset) => (fixed.wrapping_add(offset), None),
                Place::FixedColumns(offset) => (fixed.wrapping_add(offset), Some(Move::Columns)),
            };
            places.push(start);
            if let Some(step) = step {
                moving.push((at, start, step));
            }
        }
        let mut pieced: SmallVec<[*mut T; 32]> = SmallVec::new();
        let across = ready.columns.div_ceil(ready.tile_columns.max(1));
        let first = task * ready.tiles / ready.tasks;
        let last = (task + 1) * ready.tiles / ready.tasks;
        for tile in first..last {
            let row = tile / across * ready.tile_rows;
            let column = tile % across * ready.tile_columns;
            let rows = ready.tile_rows.min(ready.rows - row);
            let columns = ready.tile_columns.min(ready.columns - column);
            for &(at, start, step) in &moving {
                places[at] = start.wrapping_add(match step {
                    Move::Places => row * ready.columns + column,
                    Move::Rows => row,
                    Move::Columns => column,
                });
            }
            for &i in &packed {
                let (Source1::Packed(packer), Some(start)) = (&self.inputs[i], register(i)) else {
                    continue;
                };
                let (from, len) = match ready.inputs[i] {
                    Extent::Rows => (row, rows),
                    _ => (row * ready.columns + column, rows * columns),
                };
                // SAFETY: the register has room for a tile, and is read by this task alone.
                packer.pack(from, unsafe { std::slice::from_raw_parts_mut(start, len) });
            }
            for (range, pieces) in &ready.segments {
                let codes = &ready.body[range.clone()];
                if !pieces {
                    let mut tile = Tile { places: &places, rows, columns, row, column, folds };
                    codes.iter().try_for_each(|code| self.step(code, &mut tile))?;
                    continue;
                }
                for column in (0..columns).step_by(ready.piece) {
                    pieced.clear();
                    let moved = places.iter().zip(&ready.moves);
                    pieced.extend(
                        moved.map(|(p, &moves)| p.wrapping_add(if moves { column } else { 0 })),
                    );
                    let columns = ready.piece.min(columns - column);
                    let mut tile = Tile { places: &pieced, rows, columns, row, column, folds };
                    codes.iter().try_for_each(|code| self.step(code, &mut tile))?;
                }
            }
        }
        if ready.body.iter().any(|code| matches!(code, Code::Stream { .. })) {
            micro::fence();
        }
        Ok(())
    }

    /// Runs one micro-op on a tile.
    #[inline]
    fn step(&self, code: &Code, tile: &mut Tile<'_, T>) -> Result<(), Failure> {
        match code {
            Code::Map1 { f, p, x, out, span } => {
                let n = tile.len(*span);
                let (x, out) = tile.read_write(*x, *out, n);
                (T::loops1(f).slice)(x, p.map(T::of), out);
            }
            Code::Map2 { f, a, b, out, span } => {
                let n = tile.len(*span);
                let (b, (a, out)) = (tile.read(*b, n), tile.read_write(*a, *out, n));
                (T::loops2(f).slices)(a, b, out);
            }
            Code::Number2 { f, a, b, left, out, span } => {
                let n = tile.len(*span);
                if *left {
                    let (number, (b, out)) = (tile.read(*a, 1)[0], tile.read_write(*b, *out, n));
                    (T::loops2(f).number_left)(number, b, out);
                } else {
                    let (number, (a, out)) = (tile.read(*b, 1)[0], tile.read_write(*a, *out, n));
                    (T::loops2(f).number_right)(a, number, out);
                }
            }
            Code::Row2 { f, a, b, left, out } => {
                let (rows, each) = if *left { (*a, *b) } else { (*b, *a) };
                let numbers = tile.read(rows, tile.rows);
                let (x, out) = tile.read_write(each, *out, tile.rows * tile.columns);
                let pairs = x.chunks_exact(tile.columns).zip(out.chunks_exact_mut(tile.columns));
                for ((x, out), &number) in pairs.zip(numbers) {
                    if *left {
                        (T::loops2(f).number_left)(number, x, out);
                    } else {
                        (T::loops2(f).number_right)(x, number, out);
                    }
                }
            }
            Code::Map3 { f, x: [a, b, c], numbers, out, span } => {
                let n = tile.len(*span);
                let ((a, out), loops) = (tile.read_write(*a, *out, n), T::loops3(f));
                let of = |at: At, number: bool| tile.read(at, if number { 1 } else { n });
                let (b, c) = (of(*b, numbers[0]), of(*c, numbers[1]));
                match numbers {
                    [false, false] => (loops.slices)(a, b, c, out),
                    [true, false] => (loops.number_middle)(a, b[0], c, out),
                    [false, true] => (loops.number_right)(a, b, c[0], out),
                    [true, true] => (loops.numbers)(a, b[0], c[0], out),
                }
            }
            Code::SpreadRows { x, out } => {
                let x = tile.read(*x, tile.rows);
                micro::spread_rows(x, tile.columns, tile.write(*out, tile.rows * tile.columns));
            }
            Code::Fill { x, out, span } => {
                let number = tile.read(*x, 1)[0];
                tile.write(*out, tile.len(*span)).fill(number);
            }
            Code::Repeat { x, out } => {
                let (x, out) =
                    (tile.read(*x, tile.columns), tile.write(*out, tile.rows * tile.columns));
                out.chunks_exact_mut(tile.columns).for_each(|row| row.copy_from_slice(x));
            }
            Code::Copy { x, out, span } => {
                let (x, out) = tile.read_write(*x, *out, tile.len(*span));
                out.copy_from_slice(x);
            }
            Code::Stream { x, out } => {
                let (x, out) = tile.read_write(*x, *out, tile.rows * tile.columns);
                micro::stream(x, out);
            }
            Code::FoldRow { fold, x, out } => {
                let x = tile.read(*x, tile.rows * tile.columns);
                let out = tile.write(*out, tile.rows);
                let before = out[0];
                micro::fold_rows(*fold, x, tile.columns, out);
                if tile.column > 0 {
                    // The row goes on from the piece before.
                    out[0] = combine(*fold, before, out[0]);
                }
            }
            Code::SumRow { of, out } => {
                let out = tile.write(*out, tile.rows);
                for (row, y) in out.iter_mut().enumerate() {
                    let sum = tile.sum(of, row * tile.columns, tile.columns);
                    *y = if tile.column > 0 { *y + sum } else { sum };
                }
            }
            Code::SumAll { of, total } => {
                let sum = tile.sum(of, 0, tile.rows * tile.columns);
                // SAFETY: as for other folds over everything.
                unsafe {
                    *tile.folds.totals.add(total * tile.folds.between_totals) += sum.to_f64();
                }
            }
            Code::FoldAll { fold, x, span, total } => {
                let x = micro::fold_all(*fold, tile.read(*x, tile.len(*span)));
                // SAFETY: the totals of this task, one for each fold over everything.
                let total =
                    unsafe { &mut *tile.folds.totals.add(total * tile.folds.between_totals) };
                *total = combine(*fold, *total, x.to_f64());
            }
            Code::FoldColumns { fold, x, sums } => {
                let x = tile.read(*x, tile.rows * tile.columns);
                let start = sums * tile.folds.between_sums + tile.column;
                // SAFETY: the sums of this task, an element for each column.
                let into = unsafe {
                    std::slice::from_raw_parts_mut(tile.folds.sums.add(start), tile.columns)
                };
                micro::fold_columns(*fold, x, into);
            }
            Code::Gather { x, out, places } => {
                let x = tile.read(*x, tile.rows * tile.columns);
                let out = tile.write(*out, tile.rows);
                let indices = self.indices(places, tile);
                for ((row, y), &index) in x.chunks_exact(tile.columns).zip(out).zip(indices) {
                    match row.get(index as usize) {
                        Some(&x) => *y = x,
                        None => return Err(self.no_column("gather", places, tile)),
                    }
                }
            }
            Code::Scatter { clear, added, out, places } => {
                let added = tile.read(*added, tile.rows);
                let out = tile.write(*out, tile.rows * tile.columns);
                if *clear {
                    out.fill(T::ZERO);
                }
                let indices = self.indices(places, tile);
                let rows = out.chunks_exact_mut(tile.columns);
                for ((row, &added), &index) in rows.zip(added).zip(indices) {
                    match row.get_mut(index as usize) {
                        Some(y) => *y = *y + added,
                        None => return Err(self.no_column("scatter_add", places, tile)),
                    }
                }
            }
        }
        Ok(())
    }

    /// The indices of the rows of a tile. A negative one is, as `usize`, beyond all columns.
    fn indices(&self, places: &Places, tile: &Tile<'_, T>) -> &[i64] {
        &self.indices[places.index as usize][tile.row..tile.row + tile.rows]
    }

    /// The error of the first index of a tile that names no column.
    #[cold]
    fn no_column(&self, operation: &'static str, places: &Places, tile: &Tile<'_, T>) -> Failure {
        let extent = tile.columns;
        let outside = |index: &i64| usize::try_from(*index).map_or(true, |index| index >= extent);
        let indices = self.indices(places, tile);
        let at = indices.iter().position(outside).unwrap_or(0);
        let mut position = vec![0; places.shape.rank()];
        let mut rest = tile.row + at;
        for (at, &dim) in position.iter_mut().zip(places.shape.iter()).rev() {
            (*at, rest) = (rest % dim.max(1), rest / dim.max(1));
        }
        let error = Error::Index { operation, index: indices[at], extent, position };
        Failure { tag: places.tag, error: Box::new(error) }
    }

    /// Combines what the tasks have folded, in their order, and writes what no tile wrote.
    fn after_tiles(&self, fixed: *mut T, totals: &[f64], sums: &[T]) {
        let ready = self.ready;
        for ((source, len), (out, _)) in ready.outputs.iter().zip(&self.outputs) {
            // SAFETY: the output has `len` elements, which the tasks, now over, did not write to.
            let write = || unsafe { std::slice::from_raw_parts_mut(out.get(), *len) };
            match *source {
                Source::Tiles => {}
                Source::Total(nth) => {
                    let fold = ready.totals[nth];
                    let tasks = &totals[nth * ready.tasks..(nth + 1) * ready.tasks];
                    let total = tasks.iter().fold(start(fold), |a, &b| combine(fold, a, b));
                    write()[0] = T::of(total);
                }
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
    }
}

/// How a place moves from tile to tile.
#[derive(Clone, Copy)]
enum Move {
    Places,
    Rows,
    Columns,
}

/// Where a task folds to: its own number of each fold over everything, and its own row of columns
/// of each fold over rows.
struct Folds<T> {
    totals: *mut f64,
    between_totals: usize,
    sums: *mut T,
    between_sums: usize,
}

impl<T> Folds<T> {
    fn none() -> Folds<T> {
        let (totals, sums) = (std::ptr::null_mut(), std::ptr::null_mut());
        Folds { totals, between_totals: 0, sums, between_sums: 0 }
    }
}

/// The tile that micro-ops run on.
struct Tile<'a, T> {
    places: &'a [*mut T],
    rows: usize,
    columns: usize,
    row: usize,
    column: usize,
    folds: &'a Folds<T>,
}

impl<T: Loops> Tile<'_, T> {
    /// The sum of `n` elements of a map, from one on.
    fn sum(&self, of: &Summed, from: usize, n: usize) -> T {
        let part = |at: At| &self.read(at, from + n)[from..];
        match of {
            Summed::Map1 { f, p, x } => (T::loops1(f).sum)(part(*x), p.map(T::of)),
            Summed::Map2 { f, a, b } => (T::loops2(f).sum)(part(*a), part(*b)),
        }
    }
}

impl<'a, T> Tile<'a, T> {
    fn len(&self, span: Span) -> usize {
        match span {
            Span::Tile => self.rows * self.columns,
            Span::Rows => self.rows,
            Span::Columns => self.columns,
            Span::One => 1,
        }
    }

    /// The elements of a place.
    #[inline(always)]
    fn read(&self, at: At, n: usize) -> &'a [T] {
        // SAFETY: the compiler gave the place of a value as many elements as its span has in the
        // largest tile, and inputs and outputs were measured before the run. Nobody writes to them
        // while the slice lives: a micro-op writes to one place, which none of its operands has.
        unsafe { std::slice::from_raw_parts(self.places[at as usize], n) }
    }

    /// The elements of a place to write to.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "the places are disjoint memory, not parts of the tile")]
    fn write(&self, at: At, n: usize) -> &'a mut [T] {
        // SAFETY: as for `read`; the place belongs to this task alone, and no operand of the
        // micro-op has it.
        unsafe { std::slice::from_raw_parts_mut(self.places[at as usize], n) }
    }

    #[inline(always)]
    fn read_write(&self, x: At, out: At, n: usize) -> (&'a [T], &'a mut [T]) {
        debug_assert!(!std::ptr::eq(self.places[x as usize], self.places[out as usize]));
        (self.read(x, n), self.write(out, n))
    }
}

/// Memory of this thread, lent for a while.
struct Scratch<T> {
    owner: &'static Memory,
    memory: Vec<f64>,
    of: PhantomData<T>,
}

impl<T: Elem> Scratch<T> {
    fn take(owner: &'static Memory, len: usize) -> Scratch<T> {
        let mut memory = owner.take();
        // In units of f64, with room to start at a cache line.
        let needed = (len * size_of::<T>()).div_ceil(8) + 8;
        if memory.len() < needed {
            memory = vec![0.0; needed];
        }
        Scratch { owner, memory, of: PhantomData }
    }

    fn start(&mut self) -> *mut T {
        let start = self.memory.as_mut_ptr();
        start.wrapping_add(start.align_offset(64)).cast()
    }
}

impl<T> Drop for Scratch<T> {
    fn drop(&mut self) {
        self.owner.set(std::mem::take(&mut self.memory));
    }
}

#[cfg(test)]
mod tests;
