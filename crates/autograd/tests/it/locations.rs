//! Every public function that can refuse its arguments names the caller's line, and itself.

use lossgraph_autograd::{
    Binary, Conv, Fault, Function, Padding, Pool, Tape, Unary, Var, concat, keep, stack,
};
use lossgraph_tensor::kernels::Order;
use lossgraph_tensor::{Shape, Slice, Tensor, Window, map1, map2};
use std::sync::Arc;

static HALF: Unary = Unary::new("half", "x / 2", map1!(|x, _p| x / (T::ONE + T::ONE)));
static FIRST: Binary = Binary::new("first", "a", map2!(|a, b| a + b - b));

struct Refuses;

impl Function for Refuses {
    fn name(&self) -> &'static str {
        "refuses"
    }

    fn shape(&self, _: &[Shape]) -> Result<Shape, String> {
        Err("nothing fits".to_owned())
    }

    fn forward(&self, _: &[&Tensor]) -> Result<Tensor, String> {
        Err("nothing fits".to_owned())
    }

    fn vjp<'t>(&self, _: Var<'t>, _: &[Var<'t>], _: Var<'t>) -> Vec<Option<Var<'t>>> {
        vec![]
    }
}

/// Calls that are refused: the name of the function, the line, and what it gave.
macro_rules! calls {
    ($($name:literal $call:expr;)*) => { vec![$(($name, $call)),*] };
}

#[test]
fn every_function_that_refuses_names_the_callers_line_and_itself() {
    let tape = Tape::f64();
    let x = tape.variable([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]);
    let picture = tape.variable(vec![1.0; 16]).reshape([1, 1, 4, 4]);
    let signal = tape.variable(vec![1.0; 8]).reshape([1, 2, 4]);
    let five = tape.variable([1.0; 5]);
    let index = tape.constant([[0_i64, 1], [1, 0]]);
    let empty = tape.variable(vec![0.0; 0]).reshape([0, 3]);
    let refuses: Arc<dyn Function> = Arc::new(Refuses);
    let first = line!();
    let calls = calls! {
        "add" x + five;
        "sub" x - five;
        "mul" x * five;
        "div" x / five;
        "add" x + Tensor::from([1.0; 5]);
        "pow" x.pow(five);
        "maximum" x.maximum(five);
        "lt" x.lt(five);
        "first" x.binary(&FIRST, five);
        "half" x.unary(&HALF, [f64::NAN, 0.0]);
        "clamp" x.clamp(f64::NAN, 1.0);
        "powf" x.powf(f64::NAN);
        "select" x.select(five, 0.0);
        "sum" x.sum(2);
        "max" x.max(2);
        "min" x.min([0, 0]);
        "max" empty.max(0);
        "min" empty.min(..);
        "prod" x.prod(-3);
        "mean" x.mean(2);
        "var" x.var(2, 0.0);
        "std" x.std(2, 0.0);
        "norm" x.norm(2.0, 2);
        "log_sum_exp" x.log_sum_exp(2);
        "softmax" x.softmax(2);
        "softmax" x.softmax(5_usize);
        "log_softmax" x.log_softmax(-3);
        "cumsum" x.cumsum(2);
        "reshape" x.reshape([4, -1]);
        "reshape" x.reshape((7,));
        "expand" x.expand([2, 2]);
        "sum_to" x.sum_to([2, 2]);
        "permute" x.permute(&[0, 0]);
        "transpose" x.transpose(0, 2);
        "t" five.t();
        "squeeze" x.squeeze(0);
        "squeeze" x.squeeze(4);
        "unsqueeze" x.unsqueeze(5);
        "slice" x.slice(2, 0..1);
        "slices" x.slices(&[Slice { start: 0, len: 5, step: 1 }]);
        "index" x.index(0, 2);
        "index" x.index(3, 0);
        "flip" x.flip(2);
        "diagonal" x.diagonal(0, 0, 0);
        "diagonal" x.diagonal(0, 0, 2);
        "windows" x.windows(1, Window { size: 4, stride: 1, dilation: 1 });
        "windows" x.windows(1, Window { size: usize::MAX, stride: usize::MAX, dilation: usize::MAX });
        "pad" x.pad(&[(1, 1)], 0.0);
        "pad" x.pad(&[(usize::MAX, 1), (0, 0)], 0.0);
        "shift" x.shift(2, 1, 0.0);
        "concat" concat(&[x, five], 0);
        "concat" concat(&[x, x], 2);
        "concat" concat(&[], 0);
        "stack" stack(&[x, five], 0);
        "stack" stack(&[x, x], 4);
        "stack" stack(&[], 0);
        "gather" x.gather(2, index);
        "gather" x.gather(0, five);
        "gather" five.gather(0, index);
        "scatter_add" x.scatter_add(0, index, five);
        "scatter_add" x.scatter_add(2, index, x);
        "index_select" x.index_select(2, index);
        "index_select" x.index_select(0, five);
        "embedding" x.embedding(five);
        "one_hot" x.one_hot(3);
        "argmax" x.argmax(2);
        "argmin" empty.argmin(0);
        "argsort" x.argsort(2, Order::Ascending);
        "sort" x.sort(2, Order::Ascending);
        "matmul" x.matmul(five);
        "matmul" tape.variable(1.0).matmul(x);
        "linear" x.linear(five, None);
        "linear" x.linear(tape.variable([[1.0; 5]; 4]), None);
        "linear" x.linear(x, Some(five));
        "conv1d" signal.conv1d(x, None, Conv::default());
        "conv1d" signal.conv1d(signal.slice(1, ..1), None, Conv::default());
        "conv2d" picture.conv2d(x, None, Conv::default());
        "conv2d" picture.conv2d(picture, Some(x), Conv::default());
        "conv2d" picture.conv2d(picture, None, Conv { stride: [0, 1], ..Conv::default() });
        "conv2d" picture.conv2d(picture, None, Conv { stride: [2, 2], padding: Padding::Same, ..Conv::default() });
        "max_pool2d" x.max_pool2d(Pool::new([5, 5]));
        "avg_pool2d" picture.avg_pool2d(Pool::new([9, 9]));
        "layer_norm" x.layer_norm(&[4], None, None, 1e-5);
        "layer_norm" x.layer_norm(&[3], Some(five), None, 1e-5);
        "batch_norm" five.batch_norm(None, None, 1e-5);
        "batch_norm" x.batch_norm(Some(five), None, 1e-5);
        "batch_norm_with" x.batch_norm_with(five, five, None, None, 1e-5);
        "normalize" x.normalize(2.0, 2, 1e-12);
        "standardize" x.standardize(2, 1e-5);
        "grad" tape.grad(x, &[x])[0];
        "grad" tape.grad(x.detach().sum(..), &[x])[0];
        "vjp" tape.vjp(x, five, &[x])[0];
        "jvp" tape.jvp(x, &[x], &[])    ;
        "jvp" tape.jvp(x, &[x], &[five]);
        "hvp" tape.hvp(x.sum(..), &[x], &[five])[0];
        "hessian" tape.hessian(x, x);
        "refuses" tape.apply(&refuses, &[x]);
        "mine" tape.fault(Fault::new("mine", "it is wrong"));
    };
    let last = line!();
    let mut wrong = Vec::new();
    for (at, (name, var)) in calls.into_iter().enumerate() {
        let error = var.value().expect_err(name);
        let location = error.location().unwrap_or_default();
        let (file, line) = location.rsplit_once(':').unwrap_or_default();
        let expected = first + 2 + at as u32;
        assert!(first < expected && expected < last);
        if (file, line, error.operation()) != (file!(), &*expected.to_string(), name) {
            wrong.push(format!("line {expected}, {name}: {error:?}"));
        }
        // Of indices, windows and channels, what would fit is known.
        let knows_a_cure = ["gather", "scatter_add", "index_select", "embedding", "conv", "pool2d"];
        let is_cured = format!("{error:?}").contains("\nperhaps: ");
        if knows_a_cure.iter().any(|part| name.contains(part)) && !is_cured {
            wrong.push(format!("no cure: {error:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn requests_name_the_callers_line() {
    let tape = Tape::f64();
    let x = tape.variable([1.0, 2.0]);
    let there = |line: u32| Some(format!("{}:{line}", file!()));
    assert_eq!(x.backward().unwrap_err().location(), there(line!()));
    let without = Tape::f64();
    let constant = without.constant(1.0);
    assert_eq!(constant.backward().unwrap_err().location(), there(line!()));
    let cut = Tape::f64();
    let error = cut.variable([1.0, 2.0]).detach().sum(..).backward().unwrap_err();
    let text = error.to_string();
    assert_eq!(error.location(), there(line!() - 2), "{text}");
    let other = Tape::f64();
    let (y, line) = (other.variable(1.0) + x.sum(..), line!());
    assert_eq!(y.item().unwrap_err().location(), there(line));
    assert_eq!(tape.eval(&[y]).unwrap_err().location(), there(line!()));
    assert_eq!(x.item().unwrap_err().location(), there(line!()));
    assert!(tape.grad(x.sum(keep(0)), &[x])[0].value().is_ok());
}
