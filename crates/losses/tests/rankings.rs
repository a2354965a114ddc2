//! The losses of lists at their edges: no relevant items, masked lists, ties, single lists.

use lossgraph_autograd::Tape;
use lossgraph_losses::{
    ApproxNdcg, LambdaRank, ListMle, ListNet, RankNet, SoftmaxRanking, Terms, approx_ndcg,
    lambda_rank, list_mle, list_net, rank_net, softmax_ranking,
};

#[test]
fn lists_without_anything_to_order_are_finite_with_slope_0() {
    let tape = Tape::f64();
    let scores = tape.variable([[1.0, 2.0]]);
    let none = tape.constant([[0.0, 0.0]]);
    for (terms, loss) in [
        (rank_net(scores, none), 0.0),
        (lambda_rank(scores, none), 0.0),
        (softmax_ranking(scores, none), 0.0),
        (approx_ndcg(scores, none, 1.0), 1.0),
    ] {
        let gradients = terms.sum().backward().unwrap();
        assert_eq!(gradients.loss(), loss);
        assert_eq!(gradients.of(scores).unwrap().to_f64s(), [0.0, 0.0]);
    }
    assert!(rank_net(scores, none).mean().item().unwrap().is_nan());
}

#[test]
fn what_a_mask_leaves_out_is_as_if_it_were_not_there() {
    let tape = Tape::f64();
    // A masked item may hold anything; a list may be masked as a whole.
    let scores = tape.variable([[1.0, f64::NAN, 0.5], [f64::NAN; 3]]);
    let relevance = tape.constant([[0.0, 9.0, 2.0], [1.0, 2.0, 3.0]]);
    let mask = Some(tape.constant([[1.0, 0.0, 1.0], [0.0; 3]]));
    let short = [tape.constant([1.0, 0.5]), tape.constant([0.0, 2.0])];
    let ndcg = ApproxNdcg { temperature: 1.0, ..ApproxNdcg::default() };
    let pairs: [(Terms<'_>, Terms<'_>, f64); 6] = [
        (
            RankNet { mask, ..RankNet::default() }.forward(scores, relevance),
            rank_net(short[0], short[1]),
            0.0,
        ),
        (
            LambdaRank { mask, ..LambdaRank::default() }.forward(scores, relevance),
            lambda_rank(short[0], short[1]),
            0.0,
        ),
        (ListNet { mask }.forward(scores, relevance), list_net(short[0], short[1]), 0.0),
        (ListMle { mask }.forward(scores, relevance), list_mle(short[0], short[1]), 0.0),
        (
            SoftmaxRanking { mask, ..SoftmaxRanking::default() }.forward(scores, relevance),
            softmax_ranking(short[0], short[1]),
            0.0,
        ),
        (
            ApproxNdcg { mask, ..ndcg }.forward(scores, relevance),
            ndcg.forward(short[0], short[1]),
            1.0,
        ),
    ];
    for (masked, plain, of_no_items) in pairs {
        let gradients = masked.sum().backward().unwrap();
        let expected = plain.sum().item().unwrap() + of_no_items;
        approx::assert_relative_eq!(gradients.loss(), expected, max_relative = 1e-14);
        let slope = gradients.of(scores).unwrap().to_f64s();
        assert!(slope[0] != 0.0 && slope[2] != 0.0, "{slope:?}");
        assert_eq!([&slope[1..2], &slope[3..]].concat(), [0.0; 4]);
    }
}

#[test]
fn list_mle_is_exact_where_sums_of_exponentials_would_vanish() {
    let tape = Tape::new();
    let scores = tape.variable([-300.0, -301.0, 300.0]);
    let loss = list_mle(scores, tape.constant([2.0, 1.0, 3.0])).mean();
    let gradients = loss.backward().unwrap();
    // The best is drawn for certain; of the others, one is e times likelier.
    let second = (-1.0_f64).exp().ln_1p();
    assert!((gradients.loss() - second).abs() < 1e-4);
    assert!(gradients.of(scores).unwrap().to_f64s().iter().all(|slope| slope.is_finite()));
}

#[test]
fn lists_and_hyper_parameters_that_make_no_sense_are_refused() {
    let tape = Tape::f64();
    let [x, y] = [tape.constant([1.0, 2.0]), tape.constant([1.0])];
    let single = tape.constant(1.0);
    let mask = Some(y);
    for terms in [
        rank_net(x, y),
        list_net(single, single),
        RankNet { sigma: 0.0, ..RankNet::default() }.forward(x, x),
        LambdaRank { sigma: f64::NAN, ..LambdaRank::default() }.forward(x, x),
        approx_ndcg(x, x, -1.0),
        ListMle { mask }.forward(x, x),
        SoftmaxRanking { weight: mask, ..SoftmaxRanking::default() }.forward(x, x),
    ] {
        assert!(terms.mean().item().is_err());
    }
}
