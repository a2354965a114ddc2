//! Normalisation and attention, against numbers of PyTorch 2.15.

use lossgraph_autograd::{Attention, AttentionMask, Tape, Var};
use lossgraph_tensor::{DType, Tensor};

fn assert_close(y: Var<'_>, expected: &[f64]) {
    let y = y.value().unwrap().to_f64s();
    assert_eq!(y.len(), expected.len());
    for (y, expected) in y.iter().zip(expected) {
        assert!((y - expected).abs() <= 1e-14 * expected.abs().max(1.0), "{y} against {expected}");
    }
}

#[test]
fn groups_of_channels_are_normalised_together() {
    let tape = Tape::f64();
    let x = tape.constant([[[1.0, 3.0], [5.0, 7.0], [0.0, 2.0], [2.0, 4.0]]]);
    let (w, b) = (tape.constant([1.0, 2.0, 3.0, 4.0]), tape.constant([0.0, 0.0, 1.0, 1.0]));
    let [s, t] = [0.2_f64.sqrt(), 2_f64.sqrt()];
    let expected = [-3.0 * s, -s, 2.0 * s, 6.0 * s, 1.0 - 3.0 * t, 1.0, 1.0, 1.0 + 4.0 * t];
    assert_close(x.group_norm(2, Some(w), Some(b), 0.0), &expected);
    let each = x.instance_norm(Some(w), None, 0.0);
    assert_close(each, &[-1.0, 1.0, -2.0, 2.0, -3.0, 3.0, -4.0, 4.0]);
    let same = x.group_norm(4, Some(w), None, 0.0);
    assert_eq!(same.value().unwrap(), each.value().unwrap());
}

#[test]
fn the_root_mean_square_has_the_epsilon_of_its_type() {
    let tape = Tape::f64();
    let x = tape.constant([[3.0, 4.0]]);
    let y = x.rms_norm(&[2], Some(tape.constant([1.0, 2.0])), 0.5);
    assert_close(y, &[0.8320502943378437, 2.2188007849009166]);
    assert_close(tape.fill([1, 2], 1e-9).rms_norm(&[2], None, None), &[0.06695825678799745; 2]);
    let single = Tape::new();
    let y = single.fill([1], 1e-4).rms_norm(&[1], None, None).item().unwrap();
    assert!((y - 1e-4 / (1e-8 + f64::from(f32::EPSILON)).sqrt()).abs() < 1e-7);
}

#[test]
fn neighbouring_channels_inhibit_each_other() {
    let tape = Tape::f64();
    let x = tape.constant([[[1.0], [2.0], [3.0], [4.0]]]);
    let odd = [0.7071067811865475, 1.025978352085154, 1.1504474832710556, 1.6329931618554523];
    assert_close(x.local_response_norm(3, 0.6, 0.5, 1.0), &odd);
    let even = [0.8770580193070292, 1.2649110640673518, 1.355261854357877, 1.3719886811400706];
    assert_close(x.local_response_norm(2, 0.6, 0.5, 1.0), &even);
}

#[test]
fn what_cannot_be_normalised_is_a_fault() {
    let tape = Tape::f64();
    let x = tape.fill([2, 4, 3], 1.0);
    let w = tape.fill([3], 1.0);
    for (y, name, clause) in [
        (x.group_norm(0, None, None, 1e-5), "group_norm", "do not divide"),
        (x.group_norm(3, None, None, 1e-5), "group_norm", "do not divide"),
        (x.group_norm(2, Some(w), None, 1e-5), "group_norm", "one number for each channel"),
        (w.group_norm(1, None, None, 1e-5), "group_norm", "the input is [batch, channels"),
        (tape.fill([1, 2], 1.0).group_norm(2, None, None, 1e-5), "group_norm", "no variance"),
        (x.instance_norm(None, Some(w), 1e-5), "instance_norm", "one number for each channel"),
        (tape.fill([2, 3], 1.0).instance_norm(None, None, 1e-5), "instance_norm", "no variance"),
        (tape.fill([2, 3, 1], 1.0).instance_norm(None, None, 1e-5), "instance_norm", "no variance"),
        (x.rms_norm(&[4], None, None), "rms_norm", "trailing axes [4]"),
        (x.rms_norm(&[], None, None), "rms_norm", "trailing axes []"),
        (x.rms_norm(&[4, 3], Some(w), None), "rms_norm", "trailing axes [4, 3]"),
        (x.local_response_norm(0, 1e-4, 0.75, 1.0), "local_response_norm", "a size of 1"),
        (w.local_response_norm(2, 1e-4, 0.75, 1.0), "local_response_norm", "channels"),
    ] {
        let error = y.value().unwrap_err();
        assert_eq!(error.operation(), name);
        assert!(error.to_string().contains(clause), "{error}");
    }
}

fn parts(tape: &Tape) -> [Var<'_>; 3] {
    [
        tape.variable([[1.0, 0.0], [0.0, 2.0]]),
        tape.variable([[1.0, 1.0], [0.0, 1.0], [2.0, 0.0]]),
        tape.variable([[1.0], [2.0], [4.0]]),
    ]
}

#[test]
fn attention_is_that_of_pytorch() {
    let tape = Tape::f64();
    let [q, k, v] = parts(&tape);
    let all = q.scaled_dot_product_attention(k, v, AttentionMask::None);
    assert_close(all, &[2.8679552806894635, 1.7709586294619835]);
    let causal = q.scaled_dot_product_attention(
        k,
        v,
        Attention { mask: AttentionMask::Causal, scale: Some(1.0), ..Attention::default() },
    );
    assert_close(causal, &[1.0, 1.5]);
    let far = f64::NEG_INFINITY;
    let keep = tape.constant([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]);
    let add = tape.constant([[0.0, far, far], [0.0, 0.0, far]]);
    for mask in [AttentionMask::Keep(keep), AttentionMask::Add(add)] {
        let y = q.scaled_dot_product_attention(
            k,
            v,
            Attention { mask, scale: Some(1.0), ..Attention::default() },
        );
        assert_eq!(y.value().unwrap(), causal.value().unwrap());
    }
    let heads = [q, k, v].map(|x| x.unsqueeze(0).expand([3, x.dim(0), x.dim(1)]));
    let y = heads[0].scaled_dot_product_attention(heads[1], v, AttentionMask::None);
    assert_eq!(y.shape()[..], [3, 2, 1]);
}

#[test]
fn a_query_without_keys_has_the_result_0_and_slope_0() {
    let tape = Tape::f64();
    let [q, k, v] = parts(&tape);
    let far = f64::NEG_INFINITY;
    let keep = tape.constant([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]);
    let add = tape.variable([[0.0, far, 0.0], [far, far, far]]);
    for mask in [AttentionMask::Keep(keep), AttentionMask::Add(add)] {
        let y = q.scaled_dot_product_attention(k, v, mask);
        assert_eq!(y.value().unwrap().to_f64s()[1], 0.0);
        let first = tape.grad((y.square()).sum(..), &[q, k, v]);
        assert_eq!(first[0].value().unwrap().to_f64s()[2..], [0.0, 0.0]);
        let second = tape.grad(first[0].square().sum(..) + first[1].sum(..), &[q, k, v]);
        for slope in first.into_iter().chain(second) {
            assert!(slope.value().unwrap().to_f64s().iter().all(|x| x.is_finite()));
        }
    }
    let y = q.scaled_dot_product_attention(k, v, AttentionMask::Add(add));
    let slope = tape.grad(y.sum(..), &[add])[0].value().unwrap().to_f64s();
    assert!(slope.iter().all(|x| x.is_finite()) && slope[3..] == [0.0; 3]);
}

#[test]
fn parts_that_do_not_fit_are_faults_with_a_cure() {
    let tape = Tape::f64();
    let [q, k, v] = parts(&tape);
    let mask = AttentionMask::Keep(tape.fill([3, 2], 1.0));
    let wide = tape.fill([3, 3], 1.0);
    for y in [
        q.scaled_dot_product_attention(wide, v, AttentionMask::None),
        q.scaled_dot_product_attention(k, q, AttentionMask::None),
        q.scaled_dot_product_attention(k, v, mask),
        q.index(0, 0).scaled_dot_product_attention(k, v, AttentionMask::None),
    ] {
        let error = y.value().unwrap_err();
        assert_eq!(error.operation(), "scaled_dot_product_attention");
        assert!(format!("{error:?}").contains("perhaps"), "{error:?}");
    }
    let empty = tape.constant(Tensor::zeros([0, 2], DType::F64).unwrap());
    let y = empty.scaled_dot_product_attention(k, v, AttentionMask::Causal);
    assert_eq!(y.value().unwrap().shape()[..], [0, 1]);
}

#[test]
fn weights_of_attention_are_dropped_and_heads_are_shared() {
    let tape = Tape::f64();
    let (q, k) = (tape.variable([[1.0], [0.0]]), tape.constant([[0.0], [0.0]]));
    let v = tape.constant([[2.0], [4.0]]);
    let dropout = Some(tape.constant([[2.0, 0.0], [0.0, 2.0]]));
    let y = q.scaled_dot_product_attention(k, v, Attention { dropout, ..Attention::default() });
    assert_close(y, &[2.0, 4.0]);
    let wrong = Attention { dropout: Some(tape.fill([3], 1.0)), ..Attention::default() };
    assert!(q.scaled_dot_product_attention(k, v, wrong).is_faulty());
    // Four heads of queries, two of keys: the first two share the first.
    let heads = |n: usize, size: usize| {
        let numbers: Vec<f64> = (0..n * size).map(|i| (i as f64).sin()).collect();
        tape.constant(Tensor::new([n, size / 2, 2], numbers).unwrap())
    };
    let (q, k, v) = (heads(4, 6), heads(2, 4), heads(2, 4));
    let grouped = Attention { grouped: true, ..Attention::default() };
    let y = q.scaled_dot_product_attention(k, v, grouped);
    let repeated = [k, v].map(|x| x.repeat_interleave(2, 0));
    let expected = q.scaled_dot_product_attention(repeated[0], repeated[1], Attention::default());
    assert_close(y, &expected.value().unwrap().to_f64s());
    assert!(q.scaled_dot_product_attention(k, v, Attention::default()).is_faulty());
    let three = heads(3, 4);
    assert!(q.scaled_dot_product_attention(three, three, grouped).is_faulty());
}
