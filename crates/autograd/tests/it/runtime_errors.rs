//! What goes wrong while computing: the error names the function that was called, once, with its line
//! and the likely cure.

use std::sync::Arc;

use lossgraph_autograd::{Function, Tape, Var};
use lossgraph_tensor::{Shape, Tensor};

/// Refuses its input, or gives another shape than it promised, or the wrong number of cotangents.
struct Odd {
    refuses: bool,
}

impl Function for Odd {
    fn name(&self) -> &'static str {
        "odd"
    }

    fn shape(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Ok(inputs[0].clone())
    }

    fn forward(&self, inputs: &[&Tensor]) -> Result<Tensor, String> {
        if self.refuses {
            inputs[0].get([9, 9, 9])?;
        }
        Ok(inputs[0].flatten())
    }

    fn vjp<'t>(&self, _: Var<'t>, _: &[Var<'t>], _: Var<'t>) -> Vec<Option<Var<'t>>> {
        Vec::new()
    }
}

#[test]
fn errors_of_a_run_say_one_name_the_line_and_the_cure() {
    for tape in [Tape::f64(), Tape::f64().unfused()] {
        let x = tape.variable([[1.0, 2.0], [3.0, 4.0]]);
        let far = tape.constant([[7_i64, 0]]);
        let [refusing, odd]: [Arc<dyn Function>; 2] =
            [true, false].map(|refuses| Arc::new(Odd { refuses }) as _);
        let line = line!();
        let all = [
            ("gather", x.gather(0, far)),
            ("scatter_add", x.scatter_add(0, far, x)),
            ("index_select", x.index_select(1, far)),
            ("embedding", x.embedding(far)),
            ("one_hot", far.one_hot(3)),
            ("odd", tape.apply(&refusing, &[x])),
            ("odd", tape.apply(&odd, &[x])),
        ];
        for (at, (name, y)) in (line + 2..).zip(all) {
            // Alone, and as a part of a kernel.
            for y in [y, (y.exp() * 2.0).sum(..)] {
                let error = y.value().unwrap_err();
                let text = error.to_string();
                assert_eq!(error.operation(), name, "{text}");
                assert_eq!(text.matches(&format!("{name}: ")).count(), 1, "{text}");
                assert_eq!(error.location(), Some(format!("{}:{at}", file!())), "{text}");
                assert_eq!(format!("{error:?}").contains("perhaps"), name != "odd", "{error:?}");
            }
        }
    }
}

#[test]
fn a_rule_that_gives_too_few_cotangents_is_named() {
    let tape = Tape::f64();
    let odd: Arc<dyn Function> = Arc::new(Odd { refuses: false });
    let y = tape.apply(&odd, &[tape.variable([1.0])]).sum(..);
    let error = y.backward().unwrap_err().to_string();
    assert!(error.contains("the vjp of `odd` gives 0 cotangents for 1 inputs"), "{error}");
}

#[test]
fn class_numbers_may_be_of_any_integer_type() {
    let tape = Tape::new();
    let expected = Tensor::from([2_i64, 0]);
    for labels in [
        tape.labels(&[2, 0]),
        tape.labels(vec![2_i64, 0]),
        tape.labels(&vec![2_usize, 0]),
        tape.labels(&[2_i64, 0][..]),
        tape.labels(&[2_i32, 0][..]),
        tape.labels([2_u8, 0]),
        tape.labels(&expected),
    ] {
        assert_eq!(labels.value().unwrap(), expected);
    }
    assert_eq!(tape.labels(&[]).shape()[..], [0]);
    let error = tape.labels([0.5]).value().unwrap_err();
    assert!(error.to_string().starts_with("labels: given f64, expected integers"), "{error}");
}

#[test]
fn a_value_that_was_computed_is_data_of_the_next_tape() {
    let (first, second) = (Tape::new(), Tape::new());
    let x = first.constant([1.0, 2.0]);
    assert_eq!(second.constant(x.exp().value()).value().unwrap(), x.exp().value().unwrap());
    let error = second.constant(x.sum(4).value()).value().unwrap_err().to_string();
    assert!(error.starts_with("constant: sum: "), "{error}");
}
