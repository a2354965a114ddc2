//! Embeddings by many losses, compared on classes that none of them has seen: a net learns to tell six
//! kinds of clothes apart, and is asked which of four other kinds, pullovers, coats, shirts and boots,
//! lie nearest to each other.
//!
//! Prints recall@1, the share of pictures whose nearest neighbor is of the same class, for the classes
//! of training and for the new ones; beside it that of the net before
//! training. All
//! train in equally many steps from the same beginning.
//!
//! Expect all of them to be better than the untrained net at what they were taught, and most to be worse at
//! what they were not: six kinds of clothes teach little about others. ArcFace is the best of them there.
//!
//! ```console
//! $ cargo run --release --example metric_learning
//! recall@1                   seen   unseen
//! untrained                85.8 %   72.0 %
//! triplet, all             92.9 %   68.4 %
//! triplet, hard            90.8 %   70.6 %
//! triplet, semi-hard       91.2 %   73.4 %
//! triplet, by distance     92.1 %   71.2 %
//! triplet, similar         90.0 %   69.8 %
//! contrastive              91.7 %   71.9 %
//! nt_xent                  90.0 %   73.0 %
//! arc_face                 92.5 %   75.6 %
//! proxy_nca                92.1 %   72.5 %
//! proxy_anchor             92.9 %   70.8 %
//! ```

use lossgraph::data::{Dataset, fashion_mnist_2000};
use lossgraph::prelude::*;

const SEED: u64 = 0;
/// T-shirt, trouser, dress, sandal, sneaker, bag.
const SEEN: [usize; 6] = [0, 1, 3, 5, 7, 8];
const UNSEEN: [usize; 4] = [2, 4, 6, 9];
const FEATURES: usize = 32;
const PER_CLASS: usize = 10;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
/// A loss of embeddings, vectors that stand for classes, and labels.
type Loss = for<'t> fn(Var<'t>, Var<'t>, Var<'t>) -> Var<'t>;

const LOSSES: [(&str, Loss); 10] = [
    ("triplet, all", |e, _, y| triplet(e, y, Miner::All)),
    ("triplet, hard", |e, _, y| triplet(e, y, Miner::Hard)),
    ("triplet, semi-hard", |e, _, y| triplet(e, y, Miner::SemiHard { margin: MARGIN })),
    ("triplet, by distance", |e, _, y| {
        triplet(e, y, Miner::DistanceWeighted { nearest: 0.5, farthest: 1.4, seed: SEED })
    }),
    ("triplet, similar", |e, _, y| triplet(e, y, Miner::MultiSimilarity { epsilon: 0.1 })),
    ("contrastive", |e, _, y| contrastive(e, y, 0.5).mean()),
    ("nt_xent", |e, _, y| nt_xent(e, y, 0.1).mean()),
    ("arc_face", |e, vectors, y| {
        ArcFace { margin: 0.3, scale: 16.0, ..ArcFace::default() }.forward(e, vectors, y).mean()
    }),
    ("proxy_nca", |e, proxies, y| proxy_nca(e, proxies, y, 8.0).mean()),
    ("proxy_anchor", |e, proxies, y| proxy_anchor(e, proxies, y).mean()),
];

const MARGIN: f64 = 0.2;

fn triplet<'t>(embeddings: Var<'t>, labels: Var<'t>, miner: Miner) -> Var<'t> {
    let mined = miner.triplets(Pairs::of(embeddings, labels), Distance::UNIT);
    let loss = TripletMargin { margin: MARGIN, distance: Distance::UNIT, ..Default::default() };
    // A batch in which all triplets are as they should be teaches nothing.
    loss.over(&mined).reduce(Reduction::NonZeroMean)
}

struct Model {
    encoder: Sequential,
    class_vectors: ClassVectors,
}

module!(Model { encoder, class_vectors });

fn main() -> Result<()> {
    let short = std::env::args().any(|argument| argument == "--short");
    let steps = if short { 5 } else { 100 };
    let all = fashion_mnist_2000()?;
    let (train, test) = classes(&all, &SEEN)?.split(0.2, SEED)?;
    let unseen = classes(&all, &UNSEEN)?;
    println!("recall@1                   seen   unseen");
    let print = |name: &str, recall: &dyn Fn(&Dataset) -> Result<f64>| -> Result<()> {
        let [seen, unseen] = [recall(&test)?, recall(&unseen)?].map(|share| 100.0 * share);
        println!("{name:<22} {seen:6.1} % {unseen:6.1} %");
        Ok(())
    };
    print("untrained", &|data| recall(&Model::new()?, data))?;
    for (name, loss) in LOSSES {
        let model = trained(loss, &train, steps)?;
        print(name, &|data| recall(&model, data))?;
    }
    Ok(())
}

impl Model {
    fn new() -> Result<Model> {
        let rng = &mut lossgraph::rng(SEED);
        let halving = Conv { stride: [2, 2], padding: Padding::Each([1, 1]), ..Conv::default() };
        let encoder = Sequential::new()
            .then(Conv2d::with(1, 16, [3, 3], halving, rng)?)
            .then(Activation::Relu)
            .then(Conv2d::with(16, 32, [3, 3], halving, rng)?)
            .then(Activation::Relu)
            .then(Flatten)
            .then(Linear::new(32 * 7 * 7, FEATURES, rng)?);
        Ok(Model { encoder, class_vectors: ClassVectors::new(SEEN.len(), FEATURES, rng)? })
    }
}

fn trained(loss: Loss, data: &Dataset, steps: usize) -> Result<Model> {
    let model = Model::new()?;
    let mut optimizer = Adam::default().over(&model)?;
    // Equally many examples of each class, so that there are pairs and triplets.
    for batch in data.balanced(PER_CLASS, SEED)?.take(steps) {
        let tape = Tape::new();
        let embeddings = model.encoder.forward_train(tape.constant(batch.inputs));
        let vectors = model.class_vectors.on(&tape);
        let loss = loss(embeddings, vectors, tape.constant(batch.labels));
        optimizer.step(&loss.backward()?)?;
    }
    Ok(model)
}

/// By the angles of embeddings.
fn recall(model: &Model, data: &Dataset) -> Result<f64> {
    let tape = Tape::new();
    let embeddings = model.encoder.forward(tape.constant(data.inputs()));
    let directions = embeddings.normalize(2.0, -1, 1e-12).value()?;
    Ok(recall_at_k(&directions, data.labels(), 1)?)
}

/// The examples of some classes, numbered from 0.
fn classes(data: &Dataset, chosen: &[usize]) -> Result<Dataset> {
    let number = |label: usize| chosen.iter().position(|&class| class == label);
    let is_chosen = |index: &usize| number(data.labels()[*index]).is_some();
    let part = data.select(&(0..data.len()).filter(is_chosen).collect::<Vec<usize>>())?;
    let labels = part.labels().iter().filter_map(|&label| number(label)).collect();
    Ok(Dataset::new(part.inputs().clone(), labels, chosen.len())?)
}
