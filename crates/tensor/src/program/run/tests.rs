use crate::kernels::{Map1, Map2, Map3, ReduceOp, threads};
use crate::program::{Binding, Extent, Program};
use crate::{DType, Shape, Tensor, map1, map2, map3};

static ADD: Map2 = map2!(|a, b| a + b);
static MUL: Map2 = map2!(|a, b| a * b);
static TWICE: Map1 = map1!(|x, _p| x + x);
static PICK: Map3 = map3!(|m, a, b| if m > T::ZERO { a } else { b });

fn ramp(shape: impl Into<Shape>) -> Tensor {
    let shape = shape.into();
    Tensor::new(shape.clone(), (0..shape.numel()).map(|i| (i % 23) as f64 - 11.0).collect())
        .unwrap()
}

/// `x · row + column`, its row sums, its column sums, and the sum of all.
fn everything(rows: usize, columns: usize) -> Program {
    let mut program = Program::new(rows, columns, DType::F64);
    let x = program.input(Extent::Full);
    let row = program.input(Extent::Rows);
    let column = program.input(Extent::Columns);
    let one = program.constant(2.0);
    let column = program.map2("mul", &MUL, column, one);
    let scaled = program.map2("mul", &MUL, x, row);
    let y = program.map2("add", &ADD, scaled, column);
    let sums = program.reduce_row(ReduceOp::Sum, y);
    program.output(y);
    program.output(sums);
    program.reduce_columns(ReduceOp::Sum, y);
    let total = program.reduce_all(ReduceOp::Sum, y);
    program.output(total);
    let total = program.reduce_all(ReduceOp::Max, sums);
    program.output(total);
    program
}

#[test]
fn values_are_broadcast_and_reduced_over_spaces_of_all_proportions() {
    for (rows, columns) in
        [(1, 1), (1, 5000), (3, 7), (700, 3), (64, 100), (5, 3000), (3, 9001), (5000, 1)]
    {
        let (x, row, column) = (ramp([rows, columns]), ramp([rows, 1]), ramp([columns]));
        let lens = [rows * columns, rows, columns, 1, 1];
        let mut out = lens.map(|n| Tensor::zeros([n], DType::F64).unwrap());
        everything(rows, columns).compile().run(&[&x, &row, &column], &[], &mut out).unwrap();
        let [x, row, column] = [x, row, column].map(|t| t.to_f64s());
        let y: Vec<f64> = (0..rows * columns)
            .map(|i| x[i] * row[i / columns] + 2.0 * column[i % columns])
            .collect();
        let sums: Vec<f64> = y.chunks(columns).map(|row| row.iter().sum()).collect();
        let down = |c: usize| (0..rows).map(|r| y[r * columns + c]).sum::<f64>();
        assert_eq!(out[0].to_f64s(), y, "{rows} {columns}");
        assert_eq!(out[1].to_f64s(), sums);
        assert_eq!(out[2].to_f64s(), (0..columns).map(down).collect::<Vec<_>>());
        assert_eq!(out[3].to_f64s(), [y.iter().sum::<f64>()]);
        assert_eq!(out[4].to_f64s(), [sums.iter().copied().fold(f64::NEG_INFINITY, f64::max)]);
    }
}

#[test]
fn inputs_of_any_layout_are_packed_as_tiles_need_them() {
    let (rows, columns) = (90, 110);
    let plain = [ramp([rows, columns]), ramp([rows]), ramp([columns])];
    let flipped = [
        ramp([rows, columns]).t().unwrap().contiguous().t().unwrap(),
        ramp([rows]).flip(0).unwrap().contiguous().flip(0).unwrap(),
        ramp([columns]).flip(0).unwrap().contiguous().flip(0).unwrap(),
    ];
    assert!(flipped.iter().all(|x| !x.layout().is_contiguous()));
    let results = [plain, flipped].map(|inputs| {
        let lens = [rows * columns, rows, columns, 1, 1];
        let mut out = lens.map(|n| Tensor::zeros([n], DType::F64).unwrap());
        let program = everything(rows, columns).compile();
        program.run(&inputs.each_ref(), &[], &mut out).unwrap();
        out
    });
    assert!(results[0] == results[1]);
}

#[test]
fn results_are_bitwise_equal_for_any_number_of_threads() {
    let shape = [900, 333];
    let x = Tensor::new(shape, (0..shape[0] * shape[1]).map(|i| (i as f64).sin()).collect());
    let (x, row, column) = (x.unwrap(), ramp([900]), ramp([333]));
    let run = |count: usize| {
        threads::with(count, || {
            let mut out =
                [900 * 333, 900, 333, 1, 1].map(|n| Tensor::zeros([n], DType::F64).unwrap());
            everything(900, 333).compile().run(&[&x, &row, &column], &[], &mut out).unwrap();
            out
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(7));
}

#[test]
fn elements_are_gathered_and_scattered_row_by_row() {
    let mut program = Program::new(3, 4, DType::F64);
    let x = program.input(Extent::Full);
    let index = program.index();
    let chosen = program.gather(x, index, Shape::from([3, 1]), 5);
    let doubled = program.map1("twice", &TWICE, [0.0; 2], x);
    let y = program.scatter(Some(doubled), chosen, index, Shape::from([3, 1]), 5);
    let standalone = program.scatter(None, chosen, index, Shape::from([3, 1]), 5);
    program.output(y);
    program.output(standalone);
    let executable = program.compile();
    let x = Tensor::new([3, 4], (0..12).map(f64::from).collect()).unwrap();
    let mut out = [(); 2].map(|()| Tensor::zeros([3, 4], DType::F64).unwrap());
    executable.run(&[&x], &[&Tensor::from([1_i64, 0, 3])], &mut out).unwrap();
    assert_eq!(out[0].to_f64s(), [0., 3., 4., 6., 12., 10., 12., 14., 16., 18., 20., 33.]);
    assert_eq!(out[1].to_f64s(), [0., 1., 0., 0., 4., 0., 0., 0., 0., 0., 0., 11.]);
    let failed = executable.run(&[&x], &[&Tensor::from([1_i64, 4, 9])], &mut out).unwrap_err();
    assert_eq!(failed.tag, Some(5));
    assert_eq!(
        failed.to_string(),
        "gather: index 4, at [1, 0] of the indices, is out of range 0..4"
    );
}

#[test]
fn a_choice_takes_numbers_rows_and_columns() {
    let mut program = Program::new(2, 3, DType::F64);
    let row = program.input(Extent::Rows);
    let column = program.input(Extent::Columns);
    let zero = program.constant(0.0);
    let nine = program.constant(9.0);
    let all = [
        program.map3("pick", &PICK, [column, row, zero]),
        program.map3("pick", &PICK, [row, nine, zero]),
        program.map3("pick", &PICK, [nine, column, row]),
        program.map3("pick", &PICK, [nine, zero, nine]),
    ];
    let all = all.map(|x| program.full(x));
    all.iter().for_each(|&x| program.output(x));
    let mut out = [(); 4].map(|()| Tensor::zeros([2, 3], DType::F64).unwrap());
    let inputs = [Tensor::from([1.0, -2.0]), Tensor::from([5.0, -6.0, 7.0])];
    program.compile().run(&[&inputs[0], &inputs[1]], &[], &mut out).unwrap();
    let expected = [
        [1.0, 0.0, 1.0, -2.0, 0.0, -2.0],
        [9.0, 9.0, 9.0, 0.0, 0.0, 0.0],
        [5.0, -6.0, 7.0, 5.0, -6.0, 7.0],
        [0.0; 6],
    ];
    assert_eq!(out.map(|x| x.to_f64s()), expected.map(Vec::from));
}

#[test]
fn large_results_bypass_the_caches_unchanged() {
    let (rows, columns) = (1100, 2001);
    let mut program = Program::new(rows, columns, DType::F64);
    let x = program.input(Extent::Full);
    let y = program.map1("twice", &TWICE, [0.0; 2], x);
    let sums = program.reduce_row(ReduceOp::Sum, y);
    program.output(y);
    program.output(sums);
    let x = ramp([rows, columns]);
    let mut out = [rows * columns, rows].map(|n| Tensor::zeros([n], DType::F64).unwrap());
    program.compile().run(&[&x], &[], &mut out).unwrap();
    assert!(out[0].to_f64s().iter().zip(x.to_f64s()).all(|(&y, x)| y == x + x));
}

#[test]
fn an_output_is_written_over_an_input_that_nothing_reads_any_more() {
    // Small, in tiles of rows, in strip-mined rows, and past the caches.
    for (rows, columns) in [(2, 3), (700, 130), (3, 9001), (1100, 2001)] {
        let mut program = Program::new(rows, columns, DType::F64);
        let x = program.input(Extent::Full);
        let row = program.input(Extent::Rows);
        let scaled = program.map2("mul", &MUL, x, row);
        let largest = program.reduce_row(ReduceOp::Max, scaled);
        let y = program.map2("add", &ADD, scaled, largest);
        program.output(y);
        let executable = program.compile();
        let (x, row) = (ramp([rows, columns]), ramp([rows]));
        let mut beside = [Tensor::zeros([rows, columns], DType::F64).unwrap()];
        executable.run(&[&x, &row], &[], &mut beside).unwrap();
        assert!(executable.may_overwrite(0, 0) && !executable.may_overwrite(0, 1));
        let mut over = [x];
        executable.run(&[Binding::Output(0), Binding::Tensor(&row)], &[], &mut over).unwrap();
        assert!(over == beside, "{rows} {columns}");
        let refused =
            executable.run(&[Binding::Tensor(&beside[0]), Binding::Output(0)], &[], &mut over);
        assert!(refused.is_err());
    }
}

#[test]
fn an_input_is_computed_as_a_product_block_by_block() {
    // One tile, many blocks that the rows do not fill, and strip-mined rows.
    for (rows, inner, columns) in [(2, 5, 3), (5003, 4, 70), (300, 3, 700), (5, 2, 9001)] {
        let mut program = Program::new(rows, columns, DType::F64);
        let x = program.input(Extent::Full);
        let row = program.input(Extent::Rows);
        let largest = program.reduce_row(ReduceOp::Max, x);
        let scaled = program.map2("mul", &MUL, x, row);
        let y = program.map2("add", &ADD, scaled, largest);
        program.output(y);
        program.reduce_columns(ReduceOp::Sum, y);
        let executable = program.compile();
        assert_eq!(executable.product_shape(0), Some([rows, columns]));
        assert_eq!([executable.product_shape(1), executable.product_shape(2)], [None, None]);
        // Whole numbers, whose sums are exact; the second factor lies column by column.
        let a = ramp([rows, inner]);
        let b = ramp([columns, inner]).t().unwrap();
        let mut product = Tensor::zeros([rows, columns], DType::F64).unwrap();
        crate::kernels::matmul(&a, &b, &mut product).unwrap();
        let row = ramp([rows]);
        let run = |x: Binding<'_>, threads: usize| {
            let mut out =
                [rows * columns, columns].map(|n| Tensor::zeros([n], DType::F64).unwrap());
            let bindings = [x, Binding::Tensor(&row)];
            threads::with(threads, || executable.run(&bindings, &[], &mut out)).map(|()| out)
        };
        let apart = run(Binding::Tensor(&product), 1).unwrap();
        for threads in [1, 3] {
            let by_rows = run(Binding::Product([&a, &b]), threads).unwrap();
            assert!(by_rows == apart, "{rows} {inner} {columns}, {threads} threads");
        }
        assert!(run(Binding::Product([&b, &a]), 1).is_err());
    }
}

#[test]
fn an_input_that_is_not_read_in_whole_rows_is_no_product() {
    let mut program = Program::new(3, 9001, DType::F64);
    let x = program.input(Extent::Full);
    let column = program.input(Extent::Columns);
    let y = program.map2("add", &ADD, x, column);
    program.output(y);
    let executable = program.compile();
    assert_eq!(executable.product_shape(0), None);
    let (a, b, column) = (ramp([3, 2]), ramp([2, 9001]), ramp([9001]));
    let mut out = [Tensor::zeros([3 * 9001], DType::F64).unwrap()];
    let bindings = [Binding::Product([&a, &b]), Binding::Tensor(&column)];
    assert!(executable.run(&bindings, &[], &mut out).is_err());
}

#[test]
fn an_input_that_is_read_while_or_after_an_output_is_written_is_kept() {
    let mut program = Program::new(2, 3, DType::F64);
    let x = program.input(Extent::Full);
    let twice = program.map1("twice", &TWICE, [0.0; 2], x);
    let both = program.map2("add", &ADD, twice, x);
    program.output(twice);
    program.output(both);
    let executable = program.compile();
    assert!(!executable.may_overwrite(0, 0) && !executable.may_overwrite(1, 0));
}

#[test]
fn a_listing_shows_extents_operands_and_outputs() {
    let mut program = Program::new(2, 3, DType::F64);
    let x = program.input(Extent::Full);
    let largest = program.reduce_row(ReduceOp::Max, x);
    let y = program.map2("add", &ADD, x, largest);
    program.output(y);
    let listing = "\
v1   rows    row_max(in0)
v2   full    broadcast(v1)
v3   full    add(in0, v2)  → out0
";
    assert_eq!(program.to_string(), listing);
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let executable = everything(2, 3).compile();
    let good = [ramp([2, 3]), ramp([2]), ramp([3])];
    let outputs = || [6, 2, 3, 1, 1].map(|n| Tensor::zeros([n], DType::F64).unwrap());
    let run = |inputs: &[&Tensor], mut out: [Tensor; 5]| executable.run(inputs, &[], &mut out);
    assert!(run(&good.each_ref(), outputs()).is_ok());
    assert!(run(&[&good[0], &good[1]], outputs()).is_err());
    let error = run(&[&good[0], &good[2], &good[1]], outputs()).unwrap_err().to_string();
    assert_eq!(error, "program: input 1 is [3] of f64, expected 2 elements of f64");
    assert!(run(&[&good[0].to_dtype(DType::F32), &good[1], &good[2]], outputs()).is_err());
    let shared = outputs();
    let held = shared[0].clone();
    assert!(run(&good.each_ref(), shared).is_err());
    drop(held);
}
