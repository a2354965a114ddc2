//! From a CSV file to a classifier: the species of penguins by their measures, sex, island and year.
//! Columns of numbers are standardized, words become a number for each category, and values that are
//! missing are the mean, with one more number that says so.
//!
//! Prints how the table becomes numbers, and how many penguins are classified right, of which species.
//!
//! ```console
//! $ cargo run --release --example penguins
//! 344 rows, 7 columns: island, bill_length_mm, bill_depth_mm, flipper_length_mm, body_mass_g, sex, year
//! 15 numbers for each, 3 classes
//!
//!             Adelie  Chinstrap  Gentoo
//! Adelie          29          1       0
//! Chinstrap        0         14       0
//! Gentoo           0          0      25
//!
//! of 69 penguins 98.6 % right, F1 0.983
//! ```

use lossgraph::data::{Columns, Missing, Table, TableEncoder, Target};
use lossgraph::nn::metrics::Averaging;
use lossgraph::prelude::*;

const SEED: u64 = 0;
const EPOCHS: u64 = 30;
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/data/data/penguins.csv");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = Table::read(FILE)?;
    let columns = Columns { missing: Missing::Flag, ..Columns::target("species") };
    let encoder = TableEncoder::fit(&table, &columns)?;
    let Target::Class { classes, .. } = &encoder.target else {
        return Err("species are words".into());
    };
    let data = encoder.examples(&table)?;
    let names: Vec<&str> = encoder.features.iter().map(|feature| &*feature.name).collect();
    println!("{} rows, {} columns: {}", table.len(), names.len(), names.join(", "));
    println!("{} numbers for each, {} classes", encoder.inputs_len(), classes.len());

    let (train, test) = data.split(0.2, SEED)?;
    let model = Mlp::new(&[encoder.inputs_len(), 16, classes.len()], &mut lossgraph::rng(SEED))?;
    let mut optimizer = AdamW { lr: 1e-2, ..AdamW::default() }.over(&model)?;
    for epoch in 0..EPOCHS {
        for batch in train.batches(32, SEED, epoch)? {
            let tape = Tape::new();
            let logits = model.forward_train(tape.constant(batch.inputs));
            let loss = cross_entropy(logits, tape.constant(batch.labels)).mean();
            optimizer.step(&loss.backward()?)?;
        }
    }

    let tape = Tape::new();
    let logits = model.forward(tape.constant(test.inputs())).value()?;
    let confusion = ConfusionMatrix::new(&logits, test.labels())?;
    println!("\n{:<10}  {}", "", classes.join("  "));
    for (label, species) in classes.iter().enumerate() {
        let counts = classes.iter().enumerate();
        let counts =
            counts.map(|(as_, name)| format!("{:>1$}", confusion.count(label, as_), name.len()));
        println!("{species:<10}  {}", counts.collect::<Vec<_>>().join("  "));
    }
    let (right, f1) = (100.0 * confusion.accuracy(), confusion.f1(Averaging::Macro));
    println!("\nof {} penguins {right:.1} % right, F1 {f1:.3}", test.len());
    Ok(())
}
