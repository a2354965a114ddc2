//! Programs of kinds that kernels have got wrong, and all numbers.

use super::*;

/// A space of one column, in which values have an element for each row.
#[test]
fn a_space_of_one_column_may_have_values_of_rows() {
    let rows = 6000;
    let mut program = Program::new(rows, 1, DType::F32);
    let x = program.input(Extent::Full);
    let r = program.input(Extent::Rows);
    let a = program.two("mul", x, r);
    let b = program.two("add", a, x);
    let c = program.one("exp", b);
    program.output(c);
    let (x, r) = (wave(rows), wave(rows + 7).narrow(0, 7, rows).unwrap());
    assert_eq!(compared(&program, &[&x, &r], &[], &[rows]).map(drop), Ok(()));
}

/// One micro-op is a kernel where what it writes is beyond the second cache, and may be written over what it
/// reads; what else reads it afterwards would have to read it from there.
#[test]
fn one_micro_op_by_itself_may_be_written_over_what_it_reads() {
    let run = |[rows, columns]: [usize; 2], sums: bool| {
        let mut program = Program::new(rows, columns, DType::F32);
        let (x, y) = (program.input(Extent::Full), program.input(Extent::Full));
        let sum = program.two("add", x, y);
        program.output(sum);
        if sums {
            program.reduce_columns(ReduceOp::Sum, sum);
        }
        let n = rows * columns;
        let (x, y) = (wave(n), wave(n + 3).narrow(0, 3, n).unwrap());
        let lens: &[usize] = if sums { &[n, columns] } else { &[n] };
        let has_kernel = compared(&program, &[&x, &y], &[], lens).unwrap();
        assert_eq!(program.compile().may_overwrite(0, 1), has_kernel);
        has_kernel
    };
    for [rows, columns] in [[1 << 18, 1], [(1 << 18) + 37, 1], [300, 1000]] {
        assert_eq!(run([rows, columns], false), runs_kernels(), "{rows} × {columns}");
    }
    assert!(!run([(1 << 18) - 1, 1], false));
    assert!(!run([300, 1000], true));
}

/// The same, of reductions.
#[test]
fn a_space_of_one_column_may_have_reductions_of_rows() {
    let rows = 6000;
    let mut program = Program::new(rows, 1, DType::F32);
    let x = program.input(Extent::Full);
    let a = program.one("square", x);
    let largest = program.reduce_row(ReduceOp::Max, a);
    let b = program.two("sub", x, largest);
    let b = program.one("exp", b);
    let s = program.reduce_row(ReduceOp::Sum, b);
    let y = program.two("div", b, s);
    program.output(y);
    program.output(s);
    let x = wave(rows);
    assert_eq!(compared(&program, &[&x], &[], &[rows, rows]).map(drop), Ok(()));
}

/// Tiles are cut along columns, so that the last has fewer than 16.
#[test]
fn a_sum_of_all_of_rows_that_are_cut() {
    for columns in [3073, 3080, 3087, 3088, 3090, 3100, 3500, 4000, 4095, 4096] {
        let rows = 2;
        let mut program = Program::new(rows, columns, DType::F32);
        let x = program.input(Extent::Full);
        let r = program.input(Extent::Rows);
        let a = program.two("mul", x, r);
        let b = program.one("neg", a);
        let sum = program.reduce_all(ReduceOp::Sum, b);
        program.output(b);
        program.output(sum);
        let number = |i: usize| match i % columns {
            0..3072 => 0.0,
            i => [1e8, 1.0, -1e8, 1.0][i % 4],
        };
        let x = (0..rows * columns).map(number).collect::<Vec<f32>>();
        let x = Tensor::new([rows * columns], x).unwrap();
        let r = Tensor::new([rows], vec![1.0_f32; rows]).unwrap();
        let got = compared(&program, &[&x, &r], &[], &[rows * columns, 1]);
        assert_eq!(got.map(drop), Ok(()), "{columns}");
    }
}

/// A map that no kernel has is fused into a sum that a kernel has.
#[test]
fn a_sum_of_what_comes_before_the_kernel() {
    let [rows, columns] = [100, 100];
    let mut program = Program::new(rows, columns, DType::F32);
    let x = program.input(Extent::Full);
    let t = program.one("tanh", x);
    let s = program.reduce_row(ReduceOp::Sum, t);
    let a = program.two("sub", x, s);
    let a = program.one("exp", a);
    program.output(a);
    assert_eq!(compared(&program, &[&wave(10_000)], &[], &[10_000]).map(drop), Ok(()));
}

/// The interpreter distributes loops, and then adds other rows up together.
#[test]
fn sums_of_columns_where_the_interpreter_distributes_loops() {
    for columns in [100, 130, 300] {
        let rows = 200;
        let mut program = Program::new(rows, columns, DType::F32);
        let x = program.input(Extent::Full);
        let a = program.one("exp", x);
        let mut s = program.reduce_row(ReduceOp::Sum, a);
        for _ in 0..8 {
            s = program.two("mul", s, s);
            s = program.one("sqrt", s);
            s = program.one("abs", s);
        }
        let y = program.two("div", a, s);
        program.output(y);
        program.reduce_columns(ReduceOp::Sum, y);
        let all = program.reduce_all(ReduceOp::Max, y);
        program.output(all);
        let n = rows * columns;
        // Sums of columns come before all that is made an output behind them.
        assert_eq!(
            compared(&program, &[&wave(n)], &[], &[n, columns, 1]).map(drop),
            Ok(()),
            "{columns}"
        );
    }
}

/// Nothing reads what is gathered; the interpreter says nevertheless that an index is wrong.
#[test]
fn an_index_out_of_range_is_an_error_even_if_nothing_reads_what_it_gathers() {
    let [rows, columns] = [100, 100];
    let mut program = Program::new(rows, columns, DType::F32);
    let x = program.input(Extent::Full);
    let index = program.index();
    let _ = program.gather(x, index, Shape::from([rows, 1]), 5);
    let a = program.one("exp", x);
    let b = program.two("add", a, x);
    program.output(b);
    let indices = Tensor::from(vec![100_i64; rows]);
    assert_eq!(compared(&program, &[&wave(10_000)], &[&indices], &[10_000]).map(drop), Ok(()));
}

/// Which of several wrong indices is reported.
#[test]
fn of_several_wrong_indices_the_first_of_the_program_is_reported() {
    let [rows, columns] = [100, 100];
    let mut program = Program::new(rows, columns, DType::F32);
    let x = program.input(Extent::Full);
    let [first, _, third] = [(); 3].map(|()| program.index());
    let shape = || Shape::from([rows, 1]);
    let g = program.gather(x, first, shape(), 5);
    let h = program.gather(x, third, shape(), 6);
    let a = program.one("exp", x);
    let b = program.two("add", a, g);
    let b = program.two("add", b, h);
    program.output(b);
    let good = Tensor::from(vec![0_i64; rows]);
    let bad = Tensor::from(vec![100_i64; rows]);
    let got = compared(&program, &[&wave(10_000)], &[&bad, &good, &bad], &[10_000]);
    assert_eq!(got.map(drop), Ok(()));
}

/// Results that are copied past the caches.
#[test]
fn wide_rows_may_be_copied_past_the_caches() {
    let [rows, columns] = [420, 8192];
    let mut program = Program::new(rows, columns, DType::F32);
    let x = program.input(Extent::Full);
    let a = program.one("exp", x);
    let s = program.reduce_row(ReduceOp::Sum, a);
    let y = program.two("div", a, s);
    let t = program.one("tanh", y);
    program.output(y);
    program.output(s);
    program.output(t);
    program.reduce_columns(ReduceOp::Sum, t);
    let n = rows * columns;
    // Outputs are in the order in which they were asked for.
    assert_eq!(compared(&program, &[&wave(n)], &[], &[n, rows, n, columns]), Ok(true));
}

/// An index input that was never declared. The interpreter panics; a kernel read from address 0.
#[test]
#[should_panic]
fn an_index_that_is_none_of_the_program_is_a_mistake_of_the_caller() {
    let [rows, columns] = [100, 100];
    let mut program = Program::new(rows, columns, DType::F32);
    let x = program.input(Extent::Full);
    let g = program.gather(x, 0, Shape::from([rows, 1]), 5);
    let a = program.one("exp", x);
    let b = program.two("add", a, g);
    program.output(b);
    let mut out = [Tensor::zeros([10_000], DType::F32).unwrap()];
    let _ = program.compile().run(&[&wave(10_000)], &[], &mut out);
}

/// A function that has to be right about some order of its operands.
#[test]
fn a_function_may_take_for_granted_that_numbers_are_ordered() {
    static SIGN: Map1 = map1!(|x, _p| {
        if x > T::ZERO {
            T::ONE
        } else if x <= T::ZERO {
            -T::ONE
        } else if x.is_nan() {
            T::ZERO
        } else {
            unreachable!("a number is larger, not larger, or none")
        }
    });
    let mut program = Program::new(100, 100, DType::F32);
    let x = program.input(Extent::Full);
    let a = program.map1("sign", &SIGN, [0.0; 2], x);
    let b = program.two("add", a, x);
    let b = program.one("exp", b);
    program.output(b);
    assert_eq!(compared(&program, &[&wave(10_000)], &[], &[10_000]).map(drop), Ok(()));
}

/// A loop that ends when a comparison holds. While it is traced none does, and it never ends.
#[test]
fn a_function_may_have_a_loop() {
    static FRACTION: Map1 = map1!(|x, _p| {
        let mut y = x.abs();
        loop {
            if y <= T::ONE {
                break;
            }
            y = y * T::of(0.5);
        }
        y
    });
    let mut program = Program::new(100, 100, DType::F32);
    let x = program.input(Extent::Full);
    let a = program.map1("fraction", &FRACTION, [0.0; 2], x);
    let b = program.two("add", a, x);
    let b = program.one("exp", b);
    program.output(b);
    assert_eq!(compared(&program, &[&wave(10_000)], &[], &[10_000]).map(drop), Ok(()));
}

/// A function of one number at all 2³² of them, in a kernel and in the interpreter.
fn sweep(f: &'static Map1) {
    const LEN: usize = 1 << 22;
    let mut program = Program::new(LEN, 1, DType::F32);
    let x = program.input(Extent::Full);
    let y = program.map1("f", f, [0.0; 2], x);
    let y = program.map1("neg", &MAPS1[0].1, [0.0; 2], y);
    program.output(y);
    let (compiled, expected) = (program.compile(), Program::without_jit(|| program.compile()));
    assert!(has_kernel(&compiled) == runs_kernels() && !has_kernel(&expected));
    for start in (0..1_u64 << 32).step_by(LEN) {
        let x: Vec<f32> = (start..start + LEN as u64).map(|i| f32::from_bits(i as u32)).collect();
        let x = Tensor::new([LEN], x).unwrap();
        let run = |executable: &Executable| {
            let mut out = [Tensor::zeros([LEN], DType::F32).unwrap()];
            executable.run(&[&x], &[], &mut out).unwrap();
            out[0].to_vec::<f32>().unwrap()
        };
        let (got, expected) = (run(&compiled), run(&expected));
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let same = got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan();
            assert!(
                same,
                "of {:?}: {got:?}, {expected:?}",
                f32::from_bits(start as u32 + i as u32)
            );
        }
    }
}

#[test]
#[ignore = "takes a minute; for changes of elementary functions"]
fn elementary_functions_are_the_same_for_all_numbers() {
    static LN_1P: Map1 = map1!(|x, _p| x.ln_1p_of_fraction());
    for f in [&MAPS1[6].1, &MAPS1[7].1, &MAPS1[8].1, &MAPS1[9].1, &LN_1P] {
        sweep(f);
    }
}
