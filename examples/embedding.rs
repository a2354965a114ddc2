//! An embedding of handwritten digits, learned from triplets: an anchor should be nearer to another
//! picture of its digit than to one of another digit. Prints recall@1 on the test part, which is
//! the share of pictures whose nearest neighbor shows the same digit.

use lossgraph::data::{Dataset, digits, triplets};
use lossgraph::prelude::*;

const SEED: u64 = 0;
const EPOCHS: u64 = 15;
const BATCH: usize = 32;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (train, test) = digits()?.split(0.2, SEED)?;
    let model = Mlp::new(&[64, 128, 32], &mut lossgraph::rng(SEED))?;
    let mut optimizer = AdamW { lr: 3e-3, ..AdamW::default() }.over(&model)?;
    println!("before training: recall@1 {:.4}", recall(&model, &test)?);

    for epoch in 0..EPOCHS {
        // Indices into the training part, one triplet for each picture as anchor.
        let drawn = triplets(train.labels(), SEED, epoch)?;
        let (mut sum, mut steps) = (0.0, 0);
        for at in (0..train.len()).step_by(BATCH) {
            let batch = at..(at + BATCH).min(train.len());
            let tape = Tape::new();
            let embed = |indices: &[usize]| -> Result<_, Box<dyn std::error::Error>> {
                let pictures = train.select(&indices[batch.clone()])?;
                Ok(model.forward_train(tape.constant(pictures.inputs())))
            };
            let anchor = embed(&drawn.anchors)?;
            let positive = embed(&drawn.positives)?;
            let negative = embed(&drawn.negatives)?;
            let loss = triplet_margin(anchor, positive, negative, 1.0).mean();
            let gradients = loss.backward()?;
            optimizer.step(&gradients)?;
            (sum, steps) = (sum + gradients.loss(), steps + 1);
        }
        let recall = recall(&model, &test)?;
        let loss = sum / f64::from(steps);
        println!("epoch {:>2}/{EPOCHS}  loss {loss:.4}  recall@1 {recall:.4}", epoch + 1);
    }
    Ok(())
}

fn recall(model: &Mlp, part: &Dataset) -> Result<f64, Box<dyn std::error::Error>> {
    let tape = Tape::new();
    let points = model.forward(tape.constant(part.inputs())).value()?;
    Ok(recall_at_k(&points, part.labels(), 1)?)
}
