//! `lossgraph check --self-test`: faults injected on purpose, and what the checker makes of them.
//!
//! A test needs subjects that stay, so that its table can be compared with an earlier one: the
//! programs below are its own choice of losses, and the op whose sum over a broadcast axis is left
//! out is named. The false alarms are counted over the whole catalogue.

use std::time::Instant;

use crate::output;
use lossgraph_autograd::{FaultInjector, Tape, Var};
use lossgraph_check::{Check, Method, Verdict};
use lossgraph_losses::{
    ALL, Case, bce_with_logits, cosine_embedding, cross_entropy, huber, kl_div, mse, triplet_margin,
};
use lossgraph_tensor::{DType, Tensor};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{Format, Result, check, progress};

/// The shapes of the inputs that errors are planted for.
const SIZES: [(usize, usize); 3] = [(8, 32), (64, 32), (256, 256)];

/// Errors planted of each mutation at each size.
const TRIALS: usize = 10;

/// Honest checks, to count false alarms.
const HONEST: usize = 1000;

/// An element whose derivative is smaller than this, of the largest, is not planted in.
const VISIBLE: f64 = 1e-3;

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mutation {
    /// The whole cotangent times a factor.
    Factor(f64),
    /// One element of it times a factor.
    Element(f64),
    /// Its numbers column by column.
    Transposed,
    /// The sum over a broadcast axis takes one slice.
    MissingSum,
    /// Nothing flows.
    Dropped,
}

const MUTATIONS: [(&str, Mutation); 13] = [
    ("rule: sign flipped", Mutation::Factor(-1.0)),
    ("rule: twice", Mutation::Factor(2.0)),
    ("rule: +5 %", Mutation::Factor(1.05)),
    ("rule: +1 %", Mutation::Factor(1.01)),
    ("rule: +0.1 %", Mutation::Factor(1.001)),
    ("rule: transposed", Mutation::Transposed),
    ("rule: missing broadcast sum", Mutation::MissingSum),
    ("rule: dropped path", Mutation::Dropped),
    ("element: sign flipped", Mutation::Element(-1.0)),
    ("element: +100 %", Mutation::Element(2.0)),
    ("element: +5 %", Mutation::Element(1.05)),
    ("element: +1 %", Mutation::Element(1.01)),
    ("element: +0.1 %", Mutation::Element(1.001)),
];

/// What became of the errors of one mutation at one size.
#[derive(Clone, Copy, Default)]
struct Count {
    planted: usize,
    found: usize,
    blamed: usize,
}

/// Runs the self-test, prints its table, and says whether the checker meets its guarantees: all of
/// 1 % and more found, at least half of 0.1 %, no false alarm, and blame right in 95 of 100.
pub fn run(seed: u64, format: Format) -> Result<bool> {
    let faults = MUTATIONS.len() * SIZES.len() * TRIALS;
    let bar = progress((faults + HONEST) as u64);
    let started = Instant::now();
    // Where no bar is seen, nothing else would be for minutes.
    let remark = |text: String| {
        if bar.is_hidden() {
            output::remark(text);
        }
    };
    remark(format!("planting {faults} faults, and running {HONEST} honest checks"));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut table = Vec::new();
    for (name, mutation) in MUTATIONS {
        bar.set_message(name);
        let mut counts = [Count::default(); SIZES.len()];
        for (count, size) in counts.iter_mut().zip(SIZES) {
            for _ in 0..TRIALS {
                trial(mutation, size, &mut rng, count)?;
                bar.inc(1);
            }
        }
        table.push((name, mutation, counts));
    }
    bar.set_message("honest derivatives");
    let (mut honest, mut alarms) = (0, Vec::new());
    for seed in 1.. {
        for case in super::cases(ALL, "", seed..=seed) {
            if honest < HONEST {
                honest += 1;
                alarms.extend(false_alarm(&case?)?);
                bar.inc(1);
            }
        }
        if honest == HONEST {
            break;
        }
    }
    bar.finish_and_clear();
    remark(format!("done in {:.0} s", started.elapsed().as_secs_f64()));
    let outcome = Outcome { table, honest, alarms };
    let text = match format {
        Format::Json => format!("{}\n", outcome.to_json()),
        Format::Text => outcome.to_text(),
    };
    super::conclude(text, outcome.passed())
}

/// What a self-test counts.
struct Outcome {
    table: Vec<(&'static str, Mutation, [Count; SIZES.len()])>,
    honest: usize,
    alarms: Vec<String>,
}

impl Outcome {
    fn passed(&self) -> bool {
        let faint = |mutation: Mutation| {
            matches!(mutation, Mutation::Factor(1.001) | Mutation::Element(1.001))
        };
        let enough = self.table.iter().all(|(_, mutation, counts)| {
            counts.iter().all(|count| match faint(*mutation) {
                true => 2 * count.found >= count.planted,
                false => count.found == count.planted,
            })
        });
        let counts = || self.table.iter().flat_map(|(_, _, counts)| counts);
        let found: usize = counts().map(|count| count.found).sum();
        let blamed: usize = counts().map(|count| count.blamed).sum();
        enough && blamed * 100 >= found * 95 && self.alarms.is_empty()
    }

    fn to_json(&self) -> Value {
        let rows = self.table.iter().map(|(name, _, counts)| {
            let sizes = SIZES.iter().zip(counts).map(|((rows, columns), count)| {
                json!({
                    "size": format!("{rows}x{columns}"),
                    "planted": count.planted,
                    "found": count.found,
                    "blame_right": count.blamed,
                })
            });
            json!({ "error": name, "sizes": sizes.collect::<Vec<_>>() })
        });
        json!({
            "passed": self.passed(),
            "planted": rows.collect::<Vec<_>>(),
            "honest": self.honest,
            "false_alarms": self.alarms,
        })
    }

    fn to_text(&self) -> String {
        let sizes = SIZES.map(|(rows, columns)| format!("{rows}x{columns}"));
        let mut text =
            "found of planted, and of the found those whose op is named rightly\n".to_owned();
        let [a, b, c] = sizes;
        text += &format!("{:<28}  {a:>16}  {b:>16}  {c:>16}\n", "planted");
        for (name, _, counts) in &self.table {
            let cell = |count: &Count| {
                format!("{}/{}, {}/{}", count.found, count.planted, count.blamed, count.found)
            };
            let [a, b, c] = [&counts[0], &counts[1], &counts[2]].map(cell);
            text += &format!("{name:<28}  {a:>16}  {b:>16}  {c:>16}\n");
        }
        let (alarms, honest) = (self.alarms.len(), self.honest);
        text += &format!("\n{alarms} false alarms in {honest} honest checks over the catalogue\n");
        self.alarms.iter().for_each(|alarm| text += &format!("{alarm}\n"));
        text
    }
}

/// The report of an honest case that is blamed.
fn false_alarm(case: &Case) -> Result<Option<String>> {
    let report = check(case, Method::Quick, 2)?;
    Ok((report.verdict() == Verdict::Fail).then(|| report.to_string()))
}

/// The programs that errors are planted in, on two tensors of one shape.
type Program = for<'t> fn(&'t Tape, &[Var<'t>]) -> Var<'t>;

const PROGRAMS: [Program; 8] = [
    |tape, x| cross_entropy(x[0], labels(tape, x[0])).mean(),
    |_, x| mse(x[0], x[1]).mean(),
    |_, x| huber(x[0].tanh() * 2.0, x[1], 0.7).sum(),
    |_, x| bce_with_logits(x[0], x[1].sigmoid()).mean(),
    |_, x| kl_div(x[0].log_softmax(-1), x[1].softmax(-1)).batch_mean(),
    |_, x| triplet_margin(x[0], x[1], x[1].flip(0), 9.0).mean(),
    |tape, x| {
        let similar = tape
            .constant(Tensor::full([x[0].dim(0)], 1.0, DType::F64).unwrap_or_else(|_| 1.0.into()));
        cosine_embedding(x[0], x[1], similar, 0.0).mean()
    },
    |_, x| {
        // A layer: one weight and one bias for each column, broadcast to the rows.
        let (weight, bias) = (x[1].slice(0, 0..1), x[1].slice(0, 1..2));
        mse((x[0] * weight + bias).tanh(), x[1].detach()).mean()
    },
];

fn labels<'t>(tape: &'t Tape, scores: Var<'t>) -> Var<'t> {
    let (rows, classes) = (scores.dim(0), scores.dim(1));
    tape.labels(&(0..rows).map(|row| row * 7 % classes).collect::<Vec<_>>())
}

/// Plants one error in one rule of one program, and looks whether it is found.
fn trial(
    mutation: Mutation,
    (rows, columns): (usize, usize),
    rng: &mut impl Rng,
    count: &mut Count,
) -> Result<()> {
    loop {
        let program = PROGRAMS[rng.random_range(0..PROGRAMS.len())];
        let mut draw = || -> Result<Tensor> {
            let numbers = (0..rows * columns).map(|_| rng.random_range(-2.0..2.0)).collect();
            Ok(Tensor::new([rows, columns], numbers)?)
        };
        let inputs = [draw()?, draw()?];
        let Some((op, input)) = rule(program, &inputs, mutation, rng) else { continue };
        let element = rng.random_range(0..rows * columns);
        let injector = planted(mutation, op, input, element);
        if !shows(program, &inputs, &injector, mutation)? {
            continue;
        }
        let seed = rng.random_range(0..u64::from(u32::MAX));
        let check =
            Check { injector: Some(injector), orders: 1, seed, shrink: false, ..Check::default() };
        let report = check.run(program, &inputs)?;
        count.planted += 1;
        if !report.passed() {
            count.found += 1;
            let failed = report.rows.iter().find(|row| row.verdict == Verdict::Fail);
            let blame = failed.and_then(|row| row.failure.as_ref()?.blame.as_ref());
            count.blamed += usize::from(blame.is_some_and(|blame| blame.op == op));
        }
        return Ok(());
    }
}

/// An op of the program, and one of its inputs, whose rule can be wrong in this way.
fn rule(
    program: Program,
    inputs: &[Tensor],
    mutation: Mutation,
    rng: &mut impl Rng,
) -> Option<(&'static str, usize)> {
    let tape = Tape::f64();
    let vars: Vec<Var<'_>> = inputs.iter().map(|data| tape.input(data)).collect();
    let y = program(&tape, &vars);
    let ops: Vec<(&'static str, usize)> = (0..=y.number())
        .filter_map(|id| tape.node(id))
        .filter(|node| mutation != Mutation::MissingSum || node.op == "expand")
        .flat_map(|node| (0..node.inputs.len()).map(move |input| (node.op, input)))
        .collect();
    (!ops.is_empty()).then(|| ops[rng.random_range(0..ops.len())])
}

fn planted(mutation: Mutation, op: &'static str, input: usize, element: usize) -> FaultInjector {
    FaultInjector::new(move |name, i, of_output, g| {
        if name != op || i != input {
            return g;
        }
        match mutation {
            Mutation::Factor(factor) => g * factor,
            Mutation::Dropped => g * 0.0,
            Mutation::Transposed if g.rank() == 2 => g.t().reshape(g.shape()),
            Mutation::Transposed => g,
            Mutation::MissingSum => first_slice(of_output, g),
            Mutation::Element(factor) => {
                let mut factors = vec![1.0; g.len()];
                if let Some(one) = factors.get_mut(element % g.len().max(1)) {
                    *one = factor;
                }
                match Tensor::new(g.shape(), factors) {
                    Ok(factors) => g * g.tape().constant(factors),
                    Err(_) => g,
                }
            }
        }
    })
}

/// The first slice of a cotangent along all axes that were broadcast, in the shape of `of_input`.
fn first_slice<'t>(of_output: Var<'t>, of_input: Var<'t>) -> Var<'t> {
    let (long, short) = (of_output.shape(), of_input.shape());
    let added = long.rank() - short.rank();
    let axes = (0..long.rank()).filter(|&axis| axis < added || short[axis - added] != long[axis]);
    axes.fold(of_output, |g, axis| g.slice(axis as isize, 0..1)).reshape(short)
}

/// Whether a planted error shows in a gradient as what it is called: in an element that is not lost
/// beside the largest, by at least half of its size.
fn shows(
    program: Program,
    inputs: &[Tensor],
    injector: &FaultInjector,
    mutation: Mutation,
) -> Result<bool> {
    let gradients = |tape: Tape| -> Result<Vec<Vec<f64>>> {
        let vars: Vec<Var<'_>> = inputs.iter().map(|data| tape.input(data)).collect();
        let y = program(&tape, &vars);
        let gradients = tape.grad(y, &vars).into_iter().filter(|g| !g.is_faulty());
        gradients.map(|g| Ok(g.value()?.to_f64s())).collect()
    };
    let right = gradients(Tape::f64())?;
    let wrong = gradients(Tape::f64().with_faults(injector.clone()))?;
    let size = match mutation {
        Mutation::Factor(factor) | Mutation::Element(factor) => 0.5 * (factor - 1.0).abs(),
        _ => 1e-2,
    };
    Ok(right.iter().zip(&wrong).any(|(right, wrong)| {
        let largest = right.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
        right
            .iter()
            .zip(wrong)
            .any(|(r, w)| r.abs() > VISIBLE * largest && (w - r).abs() > size * r.abs())
    }))
}
