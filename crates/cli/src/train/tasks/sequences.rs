//! Sequences: strings of digits, written side by side, are read from left to right.

use lossgraph_autograd::{Conv, Module, Padding, Tape, Var};
use lossgraph_data::{Dataset, Rows};
use lossgraph_losses::Loss;
use lossgraph_nn::{Activation, Conv1d, Embedding, Layer, Linear, Mode, Sequential, module};
use lossgraph_tensor::Tensor;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Answers, Defaults, Operands, Problem, Split, Step};
use crate::train::Result;
use crate::train::objective::Objective;

const LONGEST: usize = 3;
const SIDE: usize = 8;
/// What stands between symbols, and the ten digits.
const SYMBOLS: usize = 11;
const BLANK: usize = 0;
const HIDDEN: usize = 32;
/// Columns of a picture that become one frame.
const STRIDE: usize = 2;
const FRAMES: usize = LONGEST * SIDE / STRIDE;

/// A net that reads pictures column by column; a transducer, which also reads what it wrote before, if
/// the loss asks for symbols at each place of both.
pub struct Sequences {
    split: Split,
    model: Reader,
}

struct Reader {
    frames: Sequential,
    symbols: Linear,
    written: Option<Embedding>,
}

module!(Reader { frames, symbols, written });

impl Sequences {
    pub fn new(loss: &'static Loss, seed: u64) -> Result<Sequences> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let padding = Padding::Each([2]);
        let narrow = Conv { stride: [STRIDE], padding, ..Conv::default() };
        let same = Conv { padding, ..Conv::default() };
        let frames = Sequential::new()
            .then(Conv1d::with(SIDE, HIDDEN, [5], narrow, &mut rng)?)
            .then(Activation::Relu)
            .then(Conv1d::with(HIDDEN, HIDDEN, [5], same, &mut rng)?)
            .then(Activation::Relu);
        let symbols = Linear::new(HIDDEN, SYMBOLS, &mut rng)?;
        let is_transducer = loss.inputs.first().is_some_and(|scores| scores.shape.len() == 4);
        let written =
            is_transducer.then(|| Embedding::new(SYMBOLS, HIDDEN, &mut rng)).transpose()?;
        let digits = Split::digits()?;
        let model = Reader { frames, symbols, written };
        let (train, test) = (strings(&digits.train, 512, 1)?, strings(&digits.test, 128, 2)?);
        Ok(Sequences { split: Split { train, test }, model })
    }
}

/// Pictures `[count, 8, 24]` of one to three digits from the left, with the digits.
fn strings(digits: &Dataset, count: usize, seed: u64) -> Result<Dataset> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let pixels = digits.inputs().to_vec::<f32>()?;
    let width = LONGEST * SIDE;
    let mut pictures = vec![0.0_f32; count * SIDE * width];
    let mut targets = Vec::new();
    for picture in pictures.chunks_mut(SIDE * width) {
        let mut string = Vec::new();
        for place in 0..rng.random_range(1..=LONGEST) {
            let drawn = rng.random_range(0..digits.len());
            string.push(digits.labels()[drawn] as i64 + 1);
            for y in 0..SIDE {
                let row = &pixels[drawn * SIDE * SIDE + y * SIDE..][..SIDE];
                picture[y * width + place * SIDE..][..SIDE].copy_from_slice(row);
            }
        }
        targets.push(Tensor::from(string));
    }
    let pictures = Tensor::new([count, SIDE, width], pictures)?;
    // Padding is a symbol that there is, though nobody looks at it.
    Ok(Dataset::pairs(pictures, Rows::padded(&targets, 1.0)?)?)
}

impl Reader {
    /// `[batch, frames, hidden]`
    fn read<'t>(&self, pictures: Var<'t>, mode: Mode) -> Var<'t> {
        self.frames.forward_in(pictures, mode).permute([0, 2, 1])
    }

    /// The scores of symbols, after a frame and what was written before.
    fn scores<'t>(&self, frames: Var<'t>, written: Option<Var<'t>>, mode: Mode) -> Var<'t> {
        let seen = match written {
            Some(written) => (frames + written).tanh(),
            None => frames,
        };
        self.symbols.forward_in(seen, mode)
    }

    /// What a picture says, by the best symbol at each place.
    fn spell(&self, pictures: &Tensor, lengths: &[usize]) -> Result<Vec<Vec<i64>>> {
        let tape = Tape::new();
        let frames = self.read(tape.constant(pictures), Mode::Evaluate);
        match &self.written {
            None => {
                let best = self.scores(frames, None, Mode::Evaluate).argmax(-1).value()?;
                let best = best.to_vec::<i64>()?;
                let all = best.chunks(FRAMES).zip(lengths);
                Ok(all.map(|(symbols, &length)| collapsed(&symbols[..length])).collect())
            }
            Some(written) => self.transduce(written, &frames.value()?, lengths),
        }
    }

    fn transduce(
        &self,
        written: &Embedding,
        frames: &Tensor,
        lengths: &[usize],
    ) -> Result<Vec<Vec<i64>>> {
        let mut spelled: Vec<Vec<i64>> = vec![Vec::new(); lengths.len()];
        let mut frame = vec![0; lengths.len()];
        let flat = frames.reshape([lengths.len() * FRAMES, HIDDEN])?;
        // Each step goes on by a frame or writes a symbol, of which more than twice as many as there
        // can be are too many.
        for _ in 0..FRAMES + 2 * LONGEST {
            let tape = Tape::new();
            let at = frame
                .iter()
                .enumerate()
                .map(|(i, &t): (usize, &usize)| (i * FRAMES + t.min(FRAMES - 1)) as i64);
            let at: Vec<i64> = at.collect();
            let last = |symbols: &Vec<i64>| symbols.last().copied().unwrap_or(BLANK as i64);
            let last: Vec<i64> = spelled.iter().map(last).collect();
            let seen = tape.constant(&flat).index_select(0, tape.constant(at));
            let before = written.forward(tape.constant(last));
            let best = self.scores(seen, Some(before), Mode::Evaluate).argmax(-1).value()?;
            for (i, symbol) in best.to_vec::<i64>()?.into_iter().enumerate() {
                if frame[i] >= lengths[i] {
                    continue;
                }
                match symbol as usize {
                    BLANK => frame[i] += 1,
                    _ if spelled[i].len() > 2 * LONGEST => frame[i] += 1,
                    _ => spelled[i].push(symbol),
                }
            }
        }
        Ok(spelled)
    }
}

/// Symbols that are not blank, each as often as it begins.
fn collapsed(symbols: &[i64]) -> Vec<i64> {
    let mut written = Vec::new();
    let mut last = BLANK as i64;
    for &symbol in symbols {
        if symbol != last && symbol != BLANK as i64 {
            written.push(symbol);
        }
        last = symbol;
    }
    written
}

impl Problem for Sequences {
    fn split(&self) -> &Split {
        &self.split
    }

    fn about(&self) -> String {
        self.split.about("strings of digits")
    }

    fn model(&self) -> &dyn Module {
        &self.model
    }

    fn sizes(&self) -> [usize; 2] {
        [SYMBOLS, HIDDEN]
    }

    fn defaults(&self) -> Defaults {
        Defaults { epochs: 40, batch: 16, lr: 5e-3 }
    }

    fn operands<'t>(&self, tape: &'t Tape, step: &Step) -> Result<Vec<Operands<'t>>> {
        let (batch, mode) = (step.examples.batch(), step.mode);
        let counts = batch.label_lengths.unwrap_or_else(|| batch.labels.clone());
        let lengths = frames_of(&counts);
        let frames = self.model.read(tape.constant(&batch.inputs), mode);
        let targets = tape.constant(&batch.labels);
        let scores = match &self.model.written {
            // [time, batch, symbol]
            None => self.model.scores(frames, None, mode).permute([1, 0, 2]),
            // [batch, time, 1 + labels, symbol]
            Some(written) => {
                let start = tape.constant(vec![BLANK as i64; step.examples.len()]).unsqueeze(1);
                let before = lossgraph_autograd::concat(&[start, targets], 1);
                let before = written.forward_in(before, mode).unsqueeze(1);
                self.model.scores(frames.unsqueeze(2), Some(before), mode)
            }
        };
        let lengths = lengths.into_iter().map(|length| length as i64).collect::<Vec<i64>>();
        let (lengths, counts) = (tape.constant(lengths), tape.constant(counts));
        Ok(vec![Box::new(move |i, sample| match sample.name {
            "targets" => Some(targets),
            "input_lengths" => Some(lengths),
            "target_lengths" => Some(counts),
            _ if i == 0 => sample.domain.of_scores(scores),
            _ => None,
        })])
    }

    fn takes(&self) -> Option<[usize; 3]> {
        Some([1, SIDE, LONGEST * SIDE])
    }

    /// The digits of each picture, from left to right.
    fn answers(&self, pictures: &Tensor) -> Result<Answers> {
        let count = pictures.shape()[0];
        let pictures = pictures.reshape([count, SIDE, LONGEST * SIDE])?;
        let spelled = self.model.spell(&pictures, &vec![FRAMES; count])?;
        // In quotes, so that nothing read is a line as well, and 07 is not 7.
        let digit = |symbol: &i64| (symbol - 1).to_string();
        let line =
            |symbols: &Vec<i64>| format!("\"{}\"", symbols.iter().map(digit).collect::<String>());
        let lines = spelled.iter().map(line).collect();
        Ok(Answers { header: "digits".to_owned(), lines })
    }

    fn metric(&self) -> &'static str {
        "test_symbols_right"
    }

    /// One less the edits that make what is read right, for each symbol that there is.
    fn score(&self, _: &Objective) -> Result<f64> {
        let batch = self.split.test.batch();
        let counts = batch.label_lengths.unwrap_or_else(|| batch.labels.clone());
        let spelled = self.model.spell(&batch.inputs, &frames_of(&counts))?;
        let targets = batch.labels.to_vec::<i64>()?;
        let longest = batch.labels.shape()[1];
        let (mut edits, mut symbols) = (0, 0);
        for (i, (spelled, count)) in spelled.iter().zip(counts.to_f64s()).enumerate() {
            let target = &targets[i * longest..][..count as usize];
            edits += edit_distance(spelled, target);
            symbols += target.len();
        }
        Ok(1.0 - edits as f64 / symbols as f64)
    }
}

/// How many frames strings of so many digits have.
fn frames_of(counts: &Tensor) -> Vec<usize> {
    counts.to_f64s().into_iter().map(|count| count as usize * SIDE / STRIDE).collect()
}

/// How many symbols have to be put in, taken out or changed to come from `a` to `b`
/// (Levenshtein 1966).
fn edit_distance(a: &[i64], b: &[i64]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let changed = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
