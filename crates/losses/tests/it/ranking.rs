//! Lists of different lengths in one batch: padding is in no list.

use lossgraph_autograd::{Tape, Var};
use lossgraph_losses::{ALL, Case, Loss, Reduction, Terms};
use lossgraph_tensor::Tensor;

const INF: f64 = f64::INFINITY;
const NAN: f64 = f64::NAN;

/// The losses of lists that can be padded, in every setting that leaves the padding open.
fn cases(seed: u64) -> Vec<Case> {
    let padded = |loss: &&&'static Loss| loss.inputs.iter().any(|input| input.padded);
    let grid = ALL.iter().filter(padded).flat_map(|loss| Case::grid(loss, seed).unwrap());
    grid.filter(|case| case.index_of("keep").is_none()).collect()
}

#[test]
fn a_row_says_which_input_is_padded_by_minus_infinity() {
    for loss in ALL {
        let has_padding = loss.inputs.iter().any(|input| input.name == "keep");
        let padded: Vec<&str> =
            loss.inputs.iter().filter(|input| input.padded).map(|input| input.name).collect();
        assert_eq!(padded, if has_padding { vec!["scores"] } else { vec![] }, "{}", loss.name);
    }
}

/// The value by a reduction, and the slopes of scores and relevance, where they have any.
fn differentiated(
    case: &Case,
    inputs: &[Tensor],
    keep: Option<&Tensor>,
    by: Reduction,
) -> (f64, Vec<Vec<f64>>) {
    let tape = Tape::f64();
    let mut vars: Vec<(&str, Var<'_>)> =
        case.names().zip(inputs).map(|(name, x)| (name, tape.variable(x))).collect();
    let setting = match keep {
        Some(keep) => {
            vars.push(("keep", tape.constant(keep)));
            format!("{} keep", case.setting)
        }
        None => case.setting.clone(),
    };
    let terms: Terms<'_> = case.loss.record(&tape, &vars, &setting);
    let loss = terms.reduce(by);
    let sloping = (0..2).filter(|&i| case.samples[i].is_differentiable());
    let sloping: Vec<Var<'_>> = sloping.map(|i| vars[i].1).collect();
    let slopes = tape.grad(loss, &sloping).into_iter();
    (loss.item().unwrap(), slopes.map(|slope| slope.value().unwrap().to_f64s()).collect())
}

/// The numbers of each input at some items of a list.
fn at(case: &Case, list: usize, items: &[usize]) -> Vec<Tensor> {
    let of_input = |x: &Tensor| {
        let (numbers, width) = (x.to_f64s(), x.shape()[1]);
        let numbers = items.iter().map(|&item| numbers[list * width + item]).collect();
        Tensor::new([1, items.len()], numbers).unwrap()
    };
    case.inputs.iter().map(of_input).collect()
}

/// The same items among padding that holds `score` and NaN.
fn padded(case: &Case, list: usize, items: &[usize], score: f64) -> Vec<Tensor> {
    let of_input = |(i, x): (usize, &Tensor)| {
        let (numbers, width) = (x.to_f64s(), x.shape()[1]);
        let hole = if i == 0 { score } else { NAN };
        let at = |item| if items.contains(&item) { numbers[list * width + item] } else { hole };
        Tensor::new([1, width], (0..width).map(at).collect()).unwrap()
    };
    case.inputs.iter().enumerate().map(of_input).collect()
}

const KEPT: [&[usize]; 4] = [&[0, 1, 2, 3, 4], &[0, 2, 3], &[1, 4], &[3]];

fn near(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-12 * b.abs().max(1.0)
}

#[test]
fn a_padded_list_has_the_value_and_the_slopes_of_the_list() {
    let mut count = 0;
    for case in (0..3).flat_map(cases) {
        for (list, items) in KEPT.into_iter().enumerate() {
            let mask = (0..5).map(|item| f64::from(u8::from(items.contains(&item)))).collect();
            let mask = Tensor::new([1, 5], mask).unwrap();
            for by in [Reduction::Sum, Reduction::MeanOrZero, Reduction::Mean] {
                let (value, slopes) = differentiated(&case, &at(&case, list, items), None, by);
                let masked = [0.0, 1e300, -1e300, INF, NAN].map(|score| (score, Some(&mask)));
                for (score, keep) in masked.into_iter().chain([(-INF, None), (-INF, Some(&mask))]) {
                    let inputs = padded(&case, list, items, score);
                    let (got, got_slopes) = differentiated(&case, &inputs, keep, by);
                    let what = format!("{}, {items:?}, {by:?}, {score}", case.title());
                    assert!(near(got, value), "{what}: {got}, not {value}");
                    for (got, expected) in got_slopes.iter().zip(&slopes) {
                        let mut expected = expected.iter();
                        for (item, &got) in got.iter().enumerate() {
                            match items.contains(&item) {
                                true => assert!(near(got, *expected.next().unwrap()), "{what}"),
                                false => assert_eq!(got, 0.0, "{what}: item {item}"),
                            }
                        }
                    }
                    count += 1;
                }
            }
        }
    }
    assert!(count > 1000, "{count}");
}

#[test]
fn lists_of_different_lengths_count_alike_in_one_batch() {
    for case in cases(5) {
        let mask = |list: usize| (0..5).map(move |item| KEPT[list].contains(&item));
        let mask = (0..4).flat_map(mask).map(|kept| f64::from(u8::from(kept))).collect();
        let mask = Tensor::new([4, 5], mask).unwrap();
        let lists = KEPT.into_iter().enumerate();
        let each = lists.map(|(list, items)| at(&case, list, items));
        let each: Vec<f64> =
            each.map(|list| differentiated(&case, &list, None, Reduction::Sum).0).collect();
        let by = |by| differentiated(&case, &case.inputs, Some(&mask), by).0;
        let sum: f64 = each.iter().sum();
        assert!(near(by(Reduction::Sum), sum), "{}", case.title());
        assert!(near(by(Reduction::BatchMean), sum / 4.0), "{}", case.title());
    }
}

#[test]
fn a_list_of_padding_alone_counts_nothing() {
    for case in cases(2) {
        let alone = at(&case, 0, &[0, 1, 2, 3, 4]);
        let mask = Tensor::new([4, 5], [vec![1.0; 5], vec![0.0; 15]].concat()).unwrap();
        for by in [Reduction::Sum, Reduction::Mean, Reduction::MeanOrZero] {
            let (value, slopes) = differentiated(&case, &alone, None, by);
            let (got, got_slopes) = differentiated(&case, &case.inputs, Some(&mask), by);
            assert!(near(got, value), "{}, {by:?}: {got}, not {value}", case.title());
            for (got, expected) in got_slopes.iter().zip(&slopes) {
                assert!(got.iter().zip(expected).all(|(a, b)| near(*a, *b)), "{}", case.title());
                assert_eq!(got[5..], [0.0; 15], "{}", case.title());
            }
        }
    }
}

#[test]
fn nothing_but_padding_is_0_or_the_mean_of_nothing() {
    for case in cases(2) {
        let mask = Tensor::new([4, 5], vec![0.0; 20]).unwrap();
        let empty: Vec<Tensor> = case.inputs.iter().map(|x| x.narrow(1, 0, 0).unwrap()).collect();
        for (inputs, keep) in [(&case.inputs, Some(&mask)), (&empty, None)] {
            for by in [Reduction::Sum, Reduction::MeanOrZero, Reduction::NonZeroMean] {
                let (value, slopes) = differentiated(&case, inputs, keep, by);
                assert_eq!(value, 0.0, "{}, {by:?}", case.title());
                assert!(slopes.concat().iter().all(|&slope| slope == 0.0), "{}", case.title());
            }
            let (mean, slopes) = differentiated(&case, inputs, keep, Reduction::Mean);
            assert!(mean.is_nan(), "{}", case.title());
            assert!(slopes.concat().iter().all(|&slope| slope == 0.0), "{}", case.title());
        }
    }
}
