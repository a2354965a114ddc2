//! The losses of sequences at their edges: lengths, blanks, what cannot be, what is refused.

use lossgraph_autograd::{Tape, Var};
use lossgraph_losses::{Ctc, Terms, ctc, rnn_t};
use lossgraph_tensor::{DType, Tensor};

fn integers<'t>(tape: &'t Tape, numbers: &[i64]) -> Var<'t> {
    tape.constant(Tensor::from(numbers.to_vec()))
}

/// Log-probabilities of `[time, batch, class]`.
fn even<'t>(tape: &'t Tape, [time, batch, class]: [usize; 3]) -> Var<'t> {
    let log_p = -(class as f64).ln();
    tape.variable(Tensor::full([time, batch, class], log_p, DType::F64).unwrap())
}

fn values(terms: Terms<'_>) -> Vec<f64> {
    terms.unreduced().value().unwrap().to_f64s()
}

#[test]
fn frames_beyond_an_input_are_not_seen() {
    let tape = Tape::f64();
    let mut numbers = vec![0.5_f64.ln(); 8];
    numbers[4..].fill(f64::NAN);
    let log_p = tape.variable(Tensor::new([4, 1, 2], numbers).unwrap());
    let [frames, labels] = [2, 1].map(|length| integers(&tape, &[length]));
    let gradients = ctc(log_p, tape.constant([[1_i64]]), frames, labels).sum().backward().unwrap();
    approx::assert_relative_eq!(gradients.loss(), -(0.75_f64.ln()), max_relative = 1e-14);
    assert_eq!(gradients.of(log_p).unwrap().to_f64s()[4..], [0.0; 4]);
}

#[test]
fn a_target_that_cannot_be_is_infinite_or_nothing() {
    let tape = Tape::f64();
    let log_p = even(&tape, [2, 2, 3]);
    // Two equal labels need a blank between them, and so three frames.
    let targets = tape.constant([[1_i64, 1], [1, 2]]);
    let lengths = integers(&tape, &[2, 2]);
    let terms = ctc(log_p, targets, lengths, lengths);
    approx::assert_relative_eq!(values(terms)[1], 9.0_f64.ln(), max_relative = 1e-14);
    assert_eq!(values(terms)[0], f64::INFINITY);
    let zero = Ctc { zero_infinity: true, ..Ctc::default() };
    let terms = zero.forward(log_p, targets, lengths, lengths);
    assert_eq!(values(terms)[0], 0.0);
    let slope = terms.sum().backward().unwrap().of(log_p).unwrap().to_f64s();
    assert_eq!(slope, [0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0]);
}

#[test]
fn an_empty_target_is_all_blanks_and_an_input_without_frames_gives_nothing_else() {
    let tape = Tape::f64();
    let log_p = even(&tape, [3, 3, 2]);
    let targets = tape.constant([[1_i64], [1], [1]]);
    let frames = integers(&tape, &[3, 0, 0]);
    let losses = values(ctc(log_p, targets, frames, integers(&tape, &[0, 0, 1])));
    approx::assert_relative_eq!(losses[0], 8.0_f64.ln(), max_relative = 1e-14);
    assert_eq!(losses[1..], [0.0, f64::INFINITY]);
}

#[test]
fn the_mean_of_ctc_is_that_of_the_losses_by_target_length() {
    let tape = Tape::f64();
    let log_p = even(&tape, [4, 2, 3]);
    let [frames, labels] = [[4, 4], [2, 0]].map(|lengths| integers(&tape, &lengths));
    let terms = ctc(log_p, tape.constant([[1_i64, 2], [0, 0]]), frames, labels);
    let each = values(terms);
    let mean = (each[0] / 2.0 + each[1]) / 2.0;
    approx::assert_relative_eq!(terms.mean().item().unwrap(), mean, max_relative = 1e-14);
    let weighted = terms.weighted(tape.constant([3.0, 1.0])).mean().item().unwrap();
    approx::assert_relative_eq!(weighted, (1.5 * each[0] + each[1]) / 4.0, max_relative = 1e-14);
    approx::assert_relative_eq!(
        terms.batch_mean().item().unwrap(),
        (each[0] + each[1]) / 2.0,
        max_relative = 1e-14
    );
}

#[test]
fn impossible_frames_give_no_nan() {
    let tape = Tape::f64();
    let never = f64::NEG_INFINITY;
    let rows = [[0.0, never], [never, 0.0], [0.0, never]];
    let log_p = tape.variable(rows.map(|row| [row]));
    let [frames, labels] = [3, 1].map(|length| integers(&tape, &[length]));
    let gradients = ctc(log_p, tape.constant([[1_i64]]), frames, labels).sum().backward().unwrap();
    assert_eq!(gradients.loss(), 0.0);
    let slope = gradients.of(log_p).unwrap().to_f64s();
    assert_eq!(slope, [-1.0, 0.0, 0.0, -1.0, -1.0, 0.0]);
}

#[test]
fn labels_lengths_and_blanks_that_make_no_sense_are_refused() {
    let tape = Tape::f64();
    let log_p = even(&tape, [4, 1, 3]);
    let [one, two, five] = [1, 2, 5].map(|length| integers(&tape, &[length]));
    let pair = tape.constant([[1_i64, 2]]);
    let refused = |terms: Terms<'_>, name: &str| {
        let why = terms.mean().item().unwrap_err().to_string();
        assert!(why.starts_with(name), "{why}");
    };
    for terms in [
        ctc(log_p, tape.constant([[1_i64, 3]]), two, two),
        ctc(log_p, tape.constant([[1_i64, 0]]), two, two),
        ctc(log_p, tape.constant([[1_i64, -1]]), two, two),
        ctc(log_p, pair, five, two),
        ctc(log_p, pair, two, five),
        ctc(log_p, pair, two, integers(&tape, &[-1])),
        ctc(log_p, pair, integers(&tape, &[2, 2]), two),
        ctc(log_p, integers(&tape, &[1, 2, 1]), two, two),
        ctc(log_p, tape.constant([[1.0, 2.0]]), two, two),
        ctc(log_p.index(2, 0).index(1, 0), pair, two, two),
        Ctc { blank: 3, ..Ctc::default() }.forward(log_p, pair, two, two),
    ] {
        refused(terms, "ctc: ");
    }
    let lattice = log_p.reshape([1, 2, 2, 3]);
    let single = tape.constant([[1_i64]]);
    assert!(rnn_t(lattice, single, two, one).mean().item().is_ok());
    for terms in [
        rnn_t(log_p, single, two, one),
        rnn_t(lattice, tape.constant([[0_i64]]), two, one),
        rnn_t(lattice, tape.constant([[3_i64]]), two, one),
        rnn_t(lattice, single, five, one),
        rnn_t(lattice, single, two, two),
    ] {
        refused(terms, "rnn_t: ");
    }
}

#[test]
fn a_scan_records_a_fixed_number_of_nodes_a_frame() {
    let nodes = |frames: usize| {
        let tape = Tape::f64();
        let log_p = even(&tape, [frames, 2, 3]);
        let lengths = integers(&tape, &[frames as i64; 2]);
        let _ = ctc(log_p, tape.constant([[1_i64], [2]]), lengths, integers(&tape, &[1, 1])).mean();
        tape.len()
    };
    assert_eq!(nodes(30) - nodes(20), nodes(20) - nodes(10));
}
