//! Causal self-attention: one block of a transformer learns three sentences letter by letter, and goes
//! on from the beginning of one. The mask is a comparison of positions, heads are an axis.
//!
//! Prints the loss as it falls, in nats a letter, how much earlier outputs change if later letters
//! do, and the text that it writes.
//!
//! Expect a loss that begins near ln 29 ≈ 3.4 and ends below 0.5, a change of 0, and a text of
//! the sentences' own words.

use lossgraph::prelude::*;

const TEXT: &str = "the quick brown fox jumps over the lazy dog. \
                    a small step for a man is a giant leap for mankind. \
                    to be or not to be, that is the question. ";
const TIME: usize = 16;
const CHANNELS: usize = 32;
const HEADS: usize = 4;
const BATCH: usize = 16;
const STEPS: usize = 400;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Attention {
    queries_keys_values: Linear,
    out: Linear,
}

module!(Attention { queries_keys_values, out });

impl Attention {
    /// From `[batch, time, channel]` to the same.
    fn forward<'t>(&self, x: Var<'t>) -> Var<'t> {
        let (batch, time) = (x.dim(0), x.dim(1));
        let all = self.queries_keys_values.forward(x);
        // [batch, head, time, channel of the head]
        let [q, k, v] = [0, 1, 2].map(|i| {
            let part = all.slice(-1, i * CHANNELS..(i + 1) * CHANNELS);
            part.reshape([batch, time, HEADS, CHANNELS / HEADS]).permute([0, 2, 1, 3])
        });
        let scores = q.matmul(k.t()) / ((CHANNELS / HEADS) as f64).sqrt();
        let position = x.tape().constant(Tensor::arange(time, DType::F32));
        let is_past = position.unsqueeze(1).ge(position.unsqueeze(0));
        let weights = is_past.select(scores, f64::NEG_INFINITY).softmax(-1);
        let heads = weights.matmul(v).permute([0, 2, 1, 3]);
        self.out.forward(heads.reshape([batch, time, CHANNELS]))
    }
}

struct Model {
    letters: Parameter,
    positions: Parameter,
    norms: [LayerNorm; 3],
    attention: Attention,
    mlp: Mlp,
    head: Linear,
}

module!(Model { letters, positions, norms, attention, mlp, head });

impl Model {
    fn new(letters: usize, rng: &mut lossgraph::ChaCha8Rng) -> Result<Model> {
        let norm = || LayerNorm::new(&[CHANNELS]);
        Ok(Model {
            letters: Parameter::new(
                "letters",
                Tensor::normal([letters, CHANNELS], 0.0, 1.0, DType::F32, rng)?,
            ),
            positions: Parameter::new(
                "positions",
                Tensor::normal([TIME, CHANNELS], 0.0, 0.1, DType::F32, rng)?,
            ),
            norms: [norm()?, norm()?, norm()?],
            attention: Attention {
                queries_keys_values: Linear::new(CHANNELS, 3 * CHANNELS, rng)?,
                out: Linear::new(CHANNELS, CHANNELS, rng)?,
            },
            mlp: Mlp::new(&[CHANNELS, 4 * CHANNELS, CHANNELS], rng)?,
            head: Linear::new(CHANNELS, letters, rng)?,
        })
    }

    /// From `[batch, time]`, the numbers of letters, to the scores of the next ones, `[batch, time,
    /// letter]`.
    fn forward<'t>(&self, ids: Var<'t>) -> Var<'t> {
        let tape = ids.tape();
        let positions = tape.parameter(&self.positions).slice(0, ..ids.dim(1));
        let x = tape.parameter(&self.letters).embedding(ids) + positions;
        let x = x + self.attention.forward(self.norms[0].forward(x));
        let x = x + self.mlp.forward(self.norms[1].forward(x));
        self.head.forward(self.norms[2].forward(x))
    }
}

fn main() -> Result<()> {
    let mut letters: Vec<char> = TEXT.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    let numbered = TEXT.chars().filter_map(|c| letters.binary_search(&c).ok());
    let ids: Vec<i64> = numbered.map(|id| id as i64).collect();
    let rng = &mut lossgraph::rng(0);
    let model = Model::new(letters.len(), rng)?;
    let mut optimizer = AdamW { lr: 3e-3, ..AdamW::default() }.over(&model)?;
    println!("{} letters, {} parameters\nstep  loss", letters.len(), model.num_parameters());
    for step in 0..=STEPS {
        let starts =
            Tensor::integers([BATCH], 0..(ids.len() - TIME) as i64, rng)?.to_vec::<i64>()?;
        let windows = |shift: usize| -> Vec<i64> {
            let window = |&start: &i64| &ids[start as usize + shift..][..TIME];
            starts.iter().flat_map(window).copied().collect()
        };
        let tape = Tape::new();
        let scores = model.forward(tape.constant(Tensor::new([BATCH, TIME], windows(0))?));
        let scores = scores.reshape([BATCH * TIME, letters.len()]);
        let gradients = cross_entropy(scores, tape.labels(windows(1))).mean().backward()?;
        if step % 100 == 0 {
            println!("{step:4}  {:.3}", gradients.loss());
        }
        optimizer.step(&gradients)?;
    }

    let scores = |ids: &[i64]| -> Result<Tensor> {
        let tape = Tape::new();
        Ok(model.forward(tape.constant(ids).unsqueeze(0)).value()?)
    };
    let mut changed = ids[..TIME].to_vec();
    changed[TIME / 2..].fill(0);
    let [before, after] =
        [scores(&ids[..TIME])?, scores(&changed)?].map(|x| x.slice(1, ..TIME / 2));
    let change = (before? - after?)?;
    println!("\nchange of earlier outputs  {}", change.max(..)?.item()? - change.min(..)?.item()?);

    let mut text = ids[..6].to_vec();
    while text.len() < 60 {
        let window = &text[text.len().saturating_sub(TIME)..];
        let next = scores(window)?.select(1, -1)?.argmax(-1)?;
        text.push(next.item()? as i64);
    }
    println!("{}", text.iter().map(|&id| letters[id as usize]).collect::<String>());
    Ok(())
}
