//! Learning without labels: two views of the same digit, moved, noisy and with a hole, should lie near
//! each other. SimCLR, BYOL, Barlow Twins and VICReg differ in what keeps all digits from becoming one
//! point. Then a linear probe shows what was learned: a layer on top of the frozen net, taught with ten
//! labels of each digit.
//!
//! Expect all four to be better than the net before training, and BYOL to be better than the pixels. One
//! percent is four of the 359 digits: the order among the four says little.
//!
//! Prints how many digits of the test part the probe recognizes; beside it, probes of the pixels and of
//! the net before it was trained.
//!
//! ```console
//! $ cargo run --release --example two_views
//! linear probe of    right with 10 labels a digit
//! pixels               88.3 %
//! an untrained net     83.3 %
//! SimCLR               88.3 %
//! BYOL                 89.7 %
//! Barlow Twins         87.5 %
//! VICReg               85.2 %
//! ```

use lossgraph::data::{Augmentation, Dataset, digits};
use lossgraph::nn::optimizer::{Average, Averaged};
use lossgraph::prelude::*;

const SEED: u64 = 0;
const FEATURES: usize = 64;
const BATCH: usize = 128;
const LABELED: usize = 10;
const VIEW: [Augmentation; 3] = [
    Augmentation::Shift { pixels: 1 },
    Augmentation::Cutout { side: 3 },
    Augmentation::Noise { deviation: 0.1 },
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The encoder is what is used later. The projection is what the loss sees, and is thrown away; the
/// predictor is BYOL's.
struct Model {
    encoder: Sequential,
    projection: Sequential,
    predictor: Sequential,
}

module!(Model { encoder, projection, predictor });

impl Model {
    fn new() -> Result<Model> {
        let rng = &mut lossgraph::rng(SEED);
        let mut net = |[inputs, hidden, outputs]: [usize; 3]| -> Result<Sequential> {
            Ok(Sequential::new()
                .then(Linear::new(inputs, hidden, rng)?)
                .then(BatchNorm::new(hidden)?)
                .then(Activation::Relu)
                .then(Linear::new(hidden, outputs, rng)?))
        };
        Ok(Model {
            encoder: net([64, 256, FEATURES])?.then(Activation::Relu),
            projection: net([FEATURES, 128, 32])?,
            predictor: net([32, 64, 32])?,
        })
    }

    fn project<'t>(&self, view: Var<'t>) -> Var<'t> {
        self.projection.forward_train(self.encoder.forward_train(view))
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Method {
    SimClr,
    Byol,
    BarlowTwins,
    VicReg,
}

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let epochs = if short { 2 } else { 15 };
    let (train, test) = digits()?.split(0.2, SEED)?;
    println!("linear probe of    right with {LABELED} labels a digit");
    let print = |name: &str, right: f64| println!("{name:<18} {:6.1} %", 100.0 * right);
    print("pixels", probed(&train, &test)?);
    let of_encoder = |model: &Model| {
        let features = |data: &Dataset| -> Result<Dataset> {
            let tape = Tape::new();
            let features = model.encoder.forward(tape.constant(data.inputs())).value()?;
            Ok(data.with_inputs(features)?)
        };
        probed(&features(&train)?, &features(&test)?)
    };
    print("an untrained net", of_encoder(&Model::new()?)?);
    for (name, method) in [
        ("SimCLR", Method::SimClr),
        ("BYOL", Method::Byol),
        ("Barlow Twins", Method::BarlowTwins),
        ("VICReg", Method::VicReg),
    ] {
        print(name, of_encoder(&trained(method, &train, epochs)?)?);
    }
    Ok(())
}

fn trained(method: Method, data: &Dataset, epochs: u64) -> Result<Model> {
    let model = Model::new()?;
    let mut optimizer = Adam { lr: 2e-3, ..Adam::default() }.over(&model)?;
    // BYOL predicts what a slowly moving average of the model says.
    let mut average = Averaged::of(&model, Average::Exponential(0.98))?;
    let rng = &mut lossgraph::rng(SEED);
    for epoch in 0..epochs {
        for batch in data.batches(BATCH, SEED, epoch)? {
            let views = [view(&batch.inputs, rng)?, view(&batch.inputs, rng)?];
            let tape = Tape::new();
            let [z1, z2] = views.each_ref().map(|view| model.project(tape.constant(view)));
            let loss = match method {
                Method::SimClr => nt_xent_simclr(z1, z2, 0.2).mean(),
                Method::BarlowTwins => barlow_twins(z1, z2, 5e-3).mean(),
                Method::VicReg => vicreg(z1, z2).mean(),
                Method::Byol => {
                    let [t1, t2] = views.each_ref().map(|view| {
                        average.with(|| model.project(Tape::new().constant(view)).value())
                    });
                    let [p1, p2] = [z1, z2].map(|z| model.predictor.forward_train(z));
                    // Each view predicts the other one.
                    byol(p1, tape.constant(t2?)).mean() + byol(p2, tape.constant(t1?)).mean()
                }
            };
            optimizer.step(&loss.backward()?)?;
            average.update()?;
        }
    }
    Ok(model)
}

fn view(pictures: &Tensor, rng: &mut lossgraph::ChaCha8Rng) -> Result<Tensor> {
    let count = pictures.shape()[0];
    let mut changed = pictures.reshape([count, 1, 8, 8])?;
    for change in VIEW {
        changed = change.apply(&changed, rng)?;
    }
    Ok(changed.reshape([count, 64])?)
}

/// What share of `test` a linear layer classifies right that saw a few labels of each class.
fn probed(train: &Dataset, test: &Dataset) -> Result<f64> {
    let labeled = train.balanced(LABELED, SEED)?.next().ok_or("there are examples")?;
    let features = labeled.inputs.shape()[1];
    let probe = Linear::new(features, train.classes(), &mut lossgraph::rng(SEED))?;
    let mut optimizer = AdamW { lr: 1e-2, weight_decay: 0.1, ..AdamW::default() }.over(&probe)?;
    for _ in 0..300 {
        let tape = Tape::new();
        let scores = probe.forward_train(tape.constant(&labeled.inputs));
        let loss = cross_entropy(scores, tape.constant(&labeled.labels)).mean();
        optimizer.step(&loss.backward()?)?;
    }
    let tape = Tape::new();
    Ok(accuracy(&probe.forward(tape.constant(test.inputs())).value()?, test.labels())?)
}
