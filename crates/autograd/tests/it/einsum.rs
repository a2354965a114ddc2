//! Sums of products by the names of axes.

use lossgraph_autograd::{Tape, Var, einsum, stack};
use lossgraph_tensor::Tensor;

fn counted(shape: &[usize]) -> Tensor {
    let len: usize = shape.iter().product();
    Tensor::new(shape, (0..len).map(|i| (i as f64 * 0.7 + 0.3).sin()).collect()).unwrap()
}

/// The sum as the definition has it: over all values of all letters.
fn naive(equation: &str, operands: &[Tensor]) -> Vec<f64> {
    let (terms, result) = equation.split_once("->").unwrap();
    let terms: Vec<Vec<char>> = terms.split(',').map(|term| term.chars().collect()).collect();
    let result: Vec<char> = result.chars().collect();
    let mut letters = result.clone();
    terms.iter().flatten().for_each(|l| {
        if !letters.contains(l) {
            letters.push(*l)
        }
    });
    let length = |letter: char| {
        let of = |(term, x): (&Vec<char>, &Tensor)| {
            term.iter().zip(x.shape().iter()).filter(|(l, _)| **l == letter).map(|(_, &n)| n).max()
        };
        terms.iter().zip(operands).filter_map(of).max().unwrap()
    };
    let lengths: Vec<usize> = letters.iter().map(|&l| length(l)).collect();
    let kept: usize = lengths[..result.len()].iter().product();
    let summed: usize = lengths[result.len()..].iter().product();
    let mut sums = vec![0.0; kept];
    for (sum, i) in sums.iter_mut().zip(0..) {
        for j in 0..summed {
            let mut flat = i * summed + j;
            let mut index = vec![0; letters.len()];
            for at in (0..letters.len()).rev() {
                index[at] = flat % lengths[at];
                flat /= lengths[at];
            }
            let value = |(term, x): (&Vec<char>, &Tensor)| {
                let at = |(l, &n): (&char, &usize)| {
                    index[letters.iter().position(|k| k == l).unwrap()] % n
                };
                let at: Vec<usize> = term.iter().zip(x.shape().iter()).map(at).collect();
                x.get(&at[..]).unwrap()
            };
            *sum += terms.iter().zip(operands).map(value).product::<f64>();
        }
    }
    sums
}

#[test]
fn an_equation_gives_the_sum_of_its_definition() {
    for (equation, shapes) in [
        ("ij->ji", &[&[2, 3][..]][..]),
        ("ij->", &[&[2, 3]]),
        ("ii->i", &[&[3, 3]]),
        ("iji->j", &[&[2, 3, 2]]),
        ("ij,jk->ik", &[&[2, 3], &[3, 4]]),
        ("ij,kj->ki", &[&[2, 3], &[4, 3]]),
        ("bij,bjk->bik", &[&[2, 3, 4], &[2, 4, 5]]),
        ("bij,bjk->kbi", &[&[2, 3, 4], &[2, 4, 5]]),
        ("i,j->ij", &[&[2], &[3]]),
        ("i,i->i", &[&[3], &[3]]),
        ("i,i->", &[&[3], &[3]]),
        ("ij,jk,kl->il", &[&[2, 3], &[3, 4], &[4, 2]]),
        ("abc,cd,bd->a", &[&[2, 3, 4], &[4, 5], &[3, 5]]),
        ("ij,ij->i", &[&[2, 3], &[1, 3]]),
        ("ij,jk->ik", &[&[2, 1], &[3, 4]]),
        ("ij,k->k", &[&[2, 3], &[4]]),
        (",i->i", &[&[], &[3]]),
        ("bqhd,bkhd->bhqk", &[&[2, 3, 2, 4], &[2, 5, 2, 4]]),
        ("ij,j->i", &[&[0, 3], &[3]]),
        ("ij,j->i", &[&[2, 0], &[0]]),
    ] {
        let operands: Vec<Tensor> = shapes.iter().map(|shape| counted(shape)).collect();
        let tape = Tape::f64();
        let vars: Vec<Var<'_>> = operands.iter().map(|x| tape.variable(x)).collect();
        let y = einsum(equation, &vars).value().unwrap();
        let expected = naive(equation, &operands);
        assert_eq!(y.len(), expected.len(), "{equation}");
        for (a, b) in y.to_f64s().iter().zip(&expected) {
            assert!((a - b).abs() < 1e-12, "{equation}: {a} and {b}");
        }
    }
}

#[test]
fn without_an_arrow_letters_that_occur_once_are_kept_in_their_order() {
    let tape = Tape::f64();
    let [a, b] = [tape.variable(counted(&[2, 3])), tape.variable(counted(&[3, 4]))];
    for (implicit, explicit) in
        [("ij,jk", "ij,jk->ik"), ("ba,ac", "ba,ac->bc"), ("ja,ai", "ja,ai->ij")]
    {
        let [x, y] = [implicit, explicit].map(|e| einsum(e, &[a, b]).value().unwrap());
        assert_eq!(x, y, "{implicit}");
    }
    assert_eq!(einsum("ba", &[a]).value().unwrap(), a.t().value().unwrap());
}

#[test]
fn an_ellipsis_is_a_batch_that_broadcasts_from_its_end() {
    let tape = Tape::f64();
    let a = tape.variable(counted(&[5, 2, 3, 4]));
    let b = tape.variable(counted(&[2, 4, 3]));
    let y = einsum("...ij,...jk", &[a, b]).value().unwrap();
    assert_eq!(y, a.matmul(b).value().unwrap());
    let rows = einsum("i...->...", &[b]).value().unwrap();
    assert!(rows.allclose(&b.sum(0).value().unwrap(), 1e-12, 0.0));
    let all = stack(&[b, b], 0);
    assert_eq!(einsum("...->...", &[all]).value().unwrap(), all.value().unwrap());
}

#[test]
fn an_equation_that_does_not_fit_is_refused_with_the_reason() {
    let tape = Tape::f64();
    let (a, b) = (tape.variable(counted(&[2, 3])), tape.variable(counted(&[4, 5])));
    for (equation, why) in [
        ("ij", "it has 1 terms for 2 operands"),
        ("ijk,kl->l", "`ijk` names 3 axes of an operand with 2"),
        ("ij,jk->ik", "axis `j` has lengths 3 and 4"),
        ("ii,kl->k", "axis `i` has lengths 2 and 3"),
        ("ij,kl->x", "no operand has the axis `x` of the result"),
        ("ij,kl->ii", "the result names `i` twice"),
        ("i1,kl->i", "`1` is no letter"),
    ] {
        let error = einsum(equation, &[a, b]).value().unwrap_err().to_string();
        assert!(error.contains(why), "{equation}: {error}");
    }
    assert!(einsum("i->i", &[]).value().is_err());
}
