//! Reading without being told where: pictures show one to four digits somewhere in a line, and all
//! that is said of each are its digits in their order. CTC sums over all ways in which they may lie
//! along the picture, so nobody has to cut it into pieces.
//!
//! A net of convolutions gives the scores of ten digits and of a blank at each fourth column. Prints
//! what share of lines it reads without a mistake, and of digits, on lines of digits by other hands
//! than those it learned from; then some lines, with what it reads at each frame.
//!
//! Expect nothing but blanks in the first epoch, and seven lines of eight in the last, with seed 0.
//!
//! ```console
//! $ cargo run --release --example ctc
//! epoch  loss a digit  lines right  digits right
//!     1         3.280        0.0 %         0.0 %
//!     2         2.233       23.4 %        52.3 %
//!     3         0.942       62.9 %        81.4 %
//!     4         0.419       82.0 %        91.5 %
//!     5         0.215       80.9 %        91.6 %
//!     6         0.149       87.1 %        94.6 %
//!     7         0.090       88.7 %        94.9 %
//!     8         0.052       88.3 %        94.9 %
//! 5-----------  is read as 5      and says 5
//! 6--0-00-----  is read as 600    and says 600
//! 0-6-5-7-----  is read as 0657   and says 0657
//! 8-----------  is read as 8      and says 8
//! ```

use lossgraph::data::{Dataset, Rows, digits};
use lossgraph::nn::Conv1d;
use lossgraph::nn::metrics::edit_distance;
use lossgraph::prelude::*;

const SEED: u64 = 0;
const SIDE: usize = 8;
const LONGEST: usize = 4;
/// Room for the digits and the gaps between them.
const WIDTH: usize = 48;
const STRIDE: usize = 4;
const FRAMES: usize = WIDTH / STRIDE;
/// Class 0 is the blank, and the digit `d` is class `d + 1`.
const BLANK: i64 = 0;
const CLASSES: usize = 11;
const BATCH: usize = 16;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let (examples, epochs) = if short { (256, 1) } else { (1600, 8) };
    let (train, test) = digits()?.split(0.2, SEED)?;
    let (train, test) = (lines(&train, examples, 1)?, lines(&test, 256, 2)?);
    let model = reader(&mut lossgraph::rng(SEED))?;
    let mut optimizer = AdamW { lr: 5e-3, ..AdamW::default() }.over(&model)?;
    println!("epoch  loss a digit  lines right  digits right");
    for epoch in 0..epochs {
        let (mut sum, mut steps) = (0.0, 0);
        for batch in train.batches(BATCH, SEED, epoch)? {
            let tape = Tape::new();
            let scores = model.forward_train(tape.constant(&batch.inputs));
            // All pictures have the same number of frames.
            let frames = tape.constant(vec![FRAMES as i64; scores.dim(0)]);
            let counts = batch.label_lengths.ok_or("lines have lengths")?;
            let loss = Ctc::default().of_logits(
                scores.transpose(0, 1),
                tape.constant(batch.labels),
                frames,
                tape.constant(counts),
            );
            let gradients = loss.mean().backward()?;
            optimizer.step(&gradients)?;
            (sum, steps) = (sum + gradients.loss(), steps + 1);
        }
        let [lines, digits] = right(&model, &test)?.map(|share| 100.0 * share);
        let loss = sum / f64::from(steps);
        println!("{:5}  {loss:12.3}  {lines:9.1} %  {digits:10.1} %", epoch + 1);
    }
    for (frames, truth) in spelled(&model, &test)?.iter().zip(truth(&test)?).take(4) {
        let symbol = |&class: &i64| if class == BLANK { '-' } else { digit(class) };
        let [at_frames, read, truth] = [frames, &collapsed(frames), &truth]
            .map(|classes| classes.iter().map(symbol).collect::<String>());
        println!("{at_frames}  is read as {read:<5}  and says {truth}");
    }
    Ok(())
}

fn digit(class: i64) -> char {
    char::from(b'0' + (class - 1) as u8)
}

/// From pictures `[batch, row, column]` to scores `[batch, frame, class]`: rows are channels.
fn reader(rng: &mut lossgraph::ChaCha8Rng) -> Result<impl Layer + use<>> {
    let same = Conv { padding: Padding::Each([2]), ..Conv::default() };
    let narrow = Conv { stride: [STRIDE], ..same };
    Ok(Sequential::new()
        .then(Conv1d::with(SIDE, 64, [5], same, rng)?)
        .then(Activation::Relu)
        .then(Conv1d::with(64, 64, [5], narrow, rng)?)
        .then(Activation::Relu)
        .then(Conv1d::with(64, 64, [5], same, rng)?)
        .then(Activation::Relu)
        .then(Transposed)
        .then(Linear::new(64, CLASSES, rng)?))
}

/// From `[batch, channel, frame]` to `[batch, frame, channel]`.
struct Transposed;

module!(Transposed {});

impl Layer for Transposed {
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        x.transpose(1, 2)
    }
}

/// Pictures `[count, row, column]` of digits with gaps of 0 to 4 columns, and the classes of their
/// digits.
fn lines(digits: &Dataset, count: usize, seed: u64) -> Result<Dataset> {
    let mut rng = lossgraph::rng(seed);
    let pixels = digits.inputs().to_vec::<f32>()?;
    let mut pictures = vec![0.0_f32; count * SIDE * WIDTH];
    let mut strings = Vec::new();
    for picture in pictures.chunks_mut(SIDE * WIDTH) {
        let (mut string, mut left) = (Vec::new(), 0);
        for _ in 0..rng.random_range(1..=LONGEST) {
            let drawn = rng.random_range(0..digits.len());
            left += rng.random_range(0..=4);
            string.push(digits.labels()[drawn] as i64 + 1);
            for (y, row) in pixels[drawn * SIDE * SIDE..][..SIDE * SIDE].chunks(SIDE).enumerate() {
                picture[y * WIDTH + left..][..SIDE].copy_from_slice(row);
            }
            left += SIDE;
        }
        strings.push(Tensor::from(string));
    }
    let pictures = Tensor::new([count, SIDE, WIDTH], pictures)?;
    // Padding is a class that there is, though nobody looks at it.
    Ok(Dataset::pairs(pictures, Rows::padded(&strings, 1.0)?)?)
}

/// The likeliest class at each frame of each picture.
fn spelled(model: &impl Layer, data: &Dataset) -> Result<Vec<Vec<i64>>> {
    let tape = Tape::new();
    let best = model.forward(tape.constant(data.inputs())).argmax(-1).value()?.to_vec::<i64>()?;
    Ok(best.chunks(FRAMES).map(<[i64]>::to_vec).collect())
}

/// Repeated classes once, and then no blanks.
fn collapsed(frames: &[i64]) -> Vec<i64> {
    let mut classes = frames.to_vec();
    classes.dedup();
    classes.retain(|&class| class != BLANK);
    classes
}

/// What the pictures say.
fn truth(data: &Dataset) -> Result<Vec<Vec<i64>>> {
    let counts = data.target_lengths().ok_or("lines have lengths")?.to_vec::<i64>()?;
    let rows = data.targets().rows().zip(counts);
    rows.map(|(row, count)| Ok(row.to_vec::<i64>()?[..count as usize].to_vec())).collect()
}

/// The share of lines that are read without a mistake, and of digits: one less the digits to put in,
/// take out or change.
fn right(model: &impl Layer, data: &Dataset) -> Result<[f64; 2]> {
    let (mut lines, mut edits, mut digits) = (0, 0, 0);
    let truth = truth(data)?;
    for (frames, truth) in spelled(model, data)?.iter().zip(&truth) {
        let distance = edit_distance(&collapsed(frames), truth);
        lines += usize::from(distance == 0);
        (edits, digits) = (edits + distance, digits + truth.len());
    }
    Ok([lines as f64 / truth.len() as f64, 1.0 - edits as f64 / digits as f64])
}
