//! A variational autoencoder of the digits: a model with two heads, a noise of each step that is data,
//! and a loss of two parts, whose weight changes from step to step and leaves the plan as it is.
//!
//! Prints both parts as they go, how well the test part is reconstructed, and a digit that nobody wrote.
//!
//! Expect a reconstruction error that falls while the divergence settles, and reconstructions of the
//! test part at two fifths of the error of the mean digit.

use lossgraph::data::digits;
use lossgraph::distributions::{Normal, Reparametrized, kl_divergence};
use lossgraph::prelude::*;

const LATENT: usize = 8;
const EPOCHS: u64 = 30;
/// Over how many epochs the divergence comes in (Bowman et al., 2016).
const WARM_UP: f64 = 10.0;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Vae {
    hidden: Linear,
    mean: Linear,
    log_scale: Linear,
    decoder: Mlp,
}

module!(Vae { hidden, mean, log_scale, decoder });

impl Vae {
    fn new(rng: &mut lossgraph::ChaCha8Rng) -> Result<Vae> {
        Ok(Vae {
            hidden: Linear::new(64, 128, rng)?,
            mean: Linear::new(128, LATENT, rng)?,
            log_scale: Linear::new(128, LATENT, rng)?,
            decoder: Mlp::new(&[LATENT, 128, 64], rng)?,
        })
    }

    /// The distribution of each latent number.
    fn encode<'t>(&self, x: Var<'t>) -> Normal<'t> {
        let h = self.hidden.forward(x).relu();
        Normal::new(self.mean.forward(h), self.log_scale.forward(h).exp())
    }
}

fn main() -> Result<()> {
    let (train, test) = digits()?.split(0.2, 0)?;
    let rng = &mut lossgraph::rng(0);
    let model = Vae::new(rng)?;
    let mut optimizer = Adam { lr: 2e-3, ..Adam::default() }.over(&model)?;
    println!("{} parameters\nepoch  reconstruction  divergence", model.num_parameters());
    for epoch in 0..EPOCHS {
        let (mut sums, mut batches) = ([0.0; 2], 0.0);
        for batch in train.batches(64, 0, epoch)? {
            let tape = Tape::new();
            let x = tape.constant(batch.inputs);
            let (posterior, prior) = (model.encode(x), Normal::new(tape.scalar(0.0), 1.0));
            let z = posterior.rsample([], rng);
            let reconstruction = bce_with_logits(model.decoder.forward_train(z), x).batch_mean();
            let divergence = kl_divergence(&posterior, &prior).sum(1).mean(..);
            let beta = tape.scalar((epoch as f64 / WARM_UP).min(1.0));
            optimizer.step(&(reconstruction + beta * divergence).backward()?)?;
            let parts = tape.eval(&[reconstruction, divergence])?;
            for (sum, part) in sums.iter_mut().zip(parts) {
                *sum += part.item()?;
            }
            batches += 1.0;
        }
        if epoch % 5 == 4 {
            let [reconstruction, divergence] = sums.map(|sum| sum / batches);
            println!("{:5}  {reconstruction:14.3}  {divergence:10.3}", epoch + 1);
        }
    }
    let tape = Tape::new();
    let x = tape.constant(test.inputs());
    let reconstructed = model.decoder.forward(model.encode(x).loc).sigmoid();
    let of_mean = mse(tape.constant(train.inputs().mean(0)).expand(x.shape()), x).mean();
    println!("\nsquared error on the test part");
    println!("reconstructed   {:.4}", mse(reconstructed, x).mean().item()?);
    println!("the mean digit  {:.4}\n", of_mean.item()?);
    let z = Tensor::randn([1, LATENT], DType::F32, rng)?;
    let sample = model.decoder.forward(tape.constant(z)).sigmoid().reshape([8, 8]).value()?;
    for row in sample.rows() {
        let shade = |ink: f64| [' ', '.', 'o', '#'][((ink * 4.0) as usize).min(3)];
        println!("{}", row.iter_f64().map(shade).collect::<String>());
    }
    Ok(())
}
