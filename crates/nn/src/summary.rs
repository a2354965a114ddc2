//! The table of a model: its layers, with the shapes of their outputs and their parameters.

use std::fmt;

use lossgraph_autograd::{Leaf, NodeInfo, Tape};
use lossgraph_tensor::{DType, Shape, Tensor};

use crate::error::Result;
use crate::layer::{Layer, Mode};

/// A table of the layers of a model, in the order in which they are recorded. Prints as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The shape of the input.
    pub input: Shape,
    /// The layers.
    pub rows: Vec<SummaryRow>,
    /// The number of all parameters of the model.
    pub parameters: usize,
}

/// A layer in a [`Summary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SummaryRow {
    /// The layer, as its scope on a tape is called; an op, where it has none.
    pub layer: String,
    /// How many layers it is within.
    pub depth: usize,
    /// The shape of its output.
    pub output: Shape,
    /// How many parameters it meets first; of a layer with layers in it, theirs are among them.
    pub parameters: usize,
}

impl Summary {
    /// The table for an input: labels, for a model that begins with an embedding. Nothing is computed:
    /// the model is recorded, as for evaluation.
    ///
    /// # Errors
    /// An input that the model does not take.
    #[track_caller]
    pub fn of(model: &(impl Layer + ?Sized), input: &Tensor) -> Result<Summary> {
        let first = model.parameters().into_iter().next();
        let dtype = first.map_or(DType::F32, |(_, parameter)| parameter.value().dtype());
        let tape = Tape::with_dtype(dtype);
        let output = model.forward_in(tape.constant(input), Mode::Evaluate);
        if output.is_faulty() {
            output.value()?;
        }
        let (input, parameters) = (input.shape().clone(), model.num_parameters());
        Ok(Summary { input, rows: rows(&tape, output.number()), parameters })
    }
}

/// The parameters that a node is, of which there may be none.
fn parameters(node: &NodeInfo) -> usize {
    match node.leaf {
        Some(Leaf::Parameter) => node.shape.iter().product(),
        _ => 0,
    }
}

/// Where the parameters of a scope are.
#[derive(Default, Clone)]
struct Met {
    /// Whether it meets parameters itself.
    owns: bool,
    /// Whether a scope within it does.
    contains: bool,
}

/// The rows for the layers on a tape, of which a node is the output of the model.
fn rows(tape: &Tape, output: usize) -> Vec<SummaryRow> {
    let scopes = tape.scopes();
    let around = |scope: Option<usize>| std::iter::successors(scope, |&scope| scopes[scope].parent);
    let mut met = vec![Met::default(); scopes.len()];
    let mut row_of: Vec<Option<usize>> = vec![None; scopes.len()];
    let nodes: Vec<NodeInfo> = (0..tape.len()).filter_map(|id| tape.node(id)).collect();
    for node in nodes.iter().filter(|node| parameters(node) > 0) {
        let mut scopes = around(node.scope);
        if let Some(own) = scopes.next() {
            met[own].owns = true;
        }
        scopes.for_each(|outer| met[outer].contains = true);
    }
    // The output of a layer is the last of its nodes that those around it read: a recurrent layer
    // computes its state, too.
    let mut outputs: Vec<Option<usize>> = vec![None; scopes.len()];
    let reads = nodes.iter().flat_map(|node| node.inputs.iter().map(|&input| (input, node.scope)));
    for (read, reader) in reads.chain([(output, None)]) {
        let readers: Vec<usize> = around(reader).collect();
        for scope in around(nodes[read].scope).take_while(|scope| !readers.contains(scope)) {
            outputs[scope] = outputs[scope].max(Some(read));
        }
    }
    let mut rows: Vec<SummaryRow> = Vec::new();
    for node in &nodes {
        // The scopes around it, the outermost first. What is within a layer of parameters of its own,
        // or within one without any layer, is that layer's.
        let mut path: Vec<usize> = around(node.scope).collect();
        path.reverse();
        let is_layer = |&&scope: &&usize| met[scope].owns || !met[scope].contains;
        let depth = path.iter().position(|scope| is_layer(&scope)).map_or(path.len(), |at| at + 1);
        for (depth, &scope) in path[..depth].iter().enumerate() {
            let row = *row_of[scope].get_or_insert_with(|| {
                let (layer, output) = (scopes[scope].name.clone(), node.shape.clone());
                rows.push(SummaryRow { layer, depth, output, parameters: 0 });
                rows.len() - 1
            });
            rows[row].parameters += parameters(node);
            match outputs[scope] {
                Some(output) => rows[row].output = nodes[output].shape.clone(),
                // One that nobody reads.
                None if node.leaf.is_none() => rows[row].output = node.shape.clone(),
                None => {}
            }
        }
        let within_layer = path[..depth].last().is_some_and(|scope| is_layer(&scope));
        let is_op = node.leaf.is_none() && node.fill.is_none();
        if !within_layer && (is_op || parameters(node) > 0) {
            let (layer, output) = (node.op.to_owned(), node.shape.clone());
            rows.push(SummaryRow { layer, depth, output, parameters: parameters(node) });
        }
    }
    rows
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![["layer".to_owned(), "output".to_owned(), "parameters".to_owned()]];
        lines.push(["input".to_owned(), self.input.to_string(), String::new()]);
        for row in &self.rows {
            let layer = format!("{:indent$}{}", "", row.layer, indent = 2 * row.depth);
            let count =
                if row.parameters == 0 { String::new() } else { row.parameters.to_string() };
            lines.push([layer, row.output.to_string(), count]);
        }
        lines.push(["all".to_owned(), String::new(), self.parameters.to_string()]);
        let width = |column: usize| {
            lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
        };
        let [first, second, third] = [0, 1, 2].map(width);
        for [layer, output, count] in &lines {
            let line = format!("{layer:<first$}  {output:<second$}  {count:>third$}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Activation, Conv2d, Embedding, Flatten, Gru, Linear, Lstm, MaxPool2d, Mlp,
        MultiHeadAttention, Recurrent, Rnn, Sequential, TransformerBlock,
    };
    use lossgraph_autograd::{Module, Pool};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn a_summary_lists_layers_shapes_and_parameters() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let model = Sequential::new()
            .then(Conv2d::new(1, 4, 3, &mut rng).unwrap())
            .then(Activation::Relu)
            .then(MaxPool2d(Pool::new([2, 2])))
            .then(Flatten)
            .then(Mlp::new(&[36, 8, 2], &mut rng).unwrap());
        let expected = "\
layer         output        parameters
input         [5, 1, 8, 8]
conv2d        [5, 4, 6, 6]          40
relu          [5, 4, 6, 6]
max_pool2d    [5, 4, 3, 3]
reshape       [5, 36]
mlp           [5, 2]               314
  linear      [5, 8]               296
  relu        [5, 8]
  linear      [5, 2]                18
all                                354
";
        let summary = model.summary(&[5, 1, 8, 8]).unwrap();
        let squeezed = |text: &str| {
            text.lines()
                .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
                .collect::<Vec<_>>()
        };
        assert_eq!(squeezed(&summary.to_string()), squeezed(expected));
        assert_eq!(summary.rows[5].depth, 1);
    }

    /// The layers of a model with the shapes of their outputs and their parameters.
    fn table(model: &dyn Layer, input: &[usize]) -> Vec<(String, Vec<usize>, usize)> {
        let summary = model.summary(input).unwrap();
        assert_eq!(summary.parameters, model.num_parameters());
        let row = |row: SummaryRow| (row.layer, row.output.to_vec(), row.parameters);
        summary.rows.into_iter().map(row).collect()
    }

    #[test]
    fn a_recurrent_layer_is_one_row_however_many_steps_it_takes() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        // Gates times the weights of inputs and state, and two biases.
        let row = |name: &str, gates: usize| (name.to_owned(), vec![2, 5, 3], gates * (12 + 9 + 6));
        assert_eq!(table(&Rnn::new(4, 3, &mut rng).unwrap(), &[2, 5, 4]), [row("rnn", 1)]);
        assert_eq!(table(&Gru::new(4, 3, &mut rng).unwrap(), &[2, 5, 4]), [row("gru", 3)]);
        assert_eq!(table(&Lstm::new(4, 3, &mut rng).unwrap(), &[2, 5, 4]), [row("lstm", 4)]);
        let two = Recurrent { layers: 2, bidirectional: true, ..Recurrent::default() };
        let model = Sequential::new()
            .then(Gru::with(4, 3, two, &mut rng).unwrap())
            .then(Linear::new(6, 2, &mut rng).unwrap());
        let of_gru = 2 * 3 * (12 + 9 + 6) + 2 * 3 * (18 + 9 + 6);
        let expected = [("gru", vec![2, 5, 6], of_gru), ("linear", vec![2, 5, 2], 14)];
        let expected = expected.map(|(name, shape, count)| (name.to_owned(), shape, count));
        assert_eq!(table(&model, &[2, 5, 4]), expected);
    }

    #[test]
    fn attention_is_a_layer_and_a_transformer_block_holds_it() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let attention = MultiHeadAttention::new(8, 2, &mut rng).unwrap();
        let of_attention = 4 * (8 * 8 + 8);
        let rows = table(&attention, &[3, 5, 8]);
        let first = ("multi_head_attention".to_owned(), vec![3, 5, 8], of_attention);
        assert_eq!(rows[0], first);
        let block = TransformerBlock::new(8, 2, &mut rng).unwrap();
        let rows = table(&block, &[3, 5, 8]);
        assert_eq!(
            rows[0],
            ("transformer_block".to_owned(), vec![3, 5, 8], block.num_parameters())
        );
        assert!(rows.contains(&first), "{rows:?}");
        // The norms and the perceptron of the block are layers as well.
        let norm = ("layer_norm".to_owned(), vec![3, 5, 8], 16);
        assert_eq!(rows.iter().filter(|row| **row == norm).count(), 2, "{rows:?}");
    }

    #[test]
    fn an_activation_is_one_row_however_many_ops_it_is_made_of() {
        use Activation::*;
        for activation in [
            Relu,
            LeakyRelu(0.1),
            Elu(1.0),
            Relu6,
            Gelu,
            GeluTanh,
            Mish,
            Selu,
            Celu(2.0),
            Silu,
            Tanh,
            Softsign,
            Hardtanh(-1.0, 1.0),
            Sigmoid,
            LogSigmoid,
            Hardsigmoid,
            Hardswish,
            Softplus,
        ] {
            let rows = table(&activation, &[2, 3]);
            let name: String = format!("{activation:?}").to_lowercase();
            let name = name.split('(').next().unwrap();
            assert_eq!(rows.len(), 1, "{activation:?}: {rows:?}");
            assert_eq!(rows[0].0.replace('_', ""), name);
        }
    }

    #[test]
    fn an_input_that_does_not_fit_is_the_error_of_the_layer_at_the_line_of_the_caller() {
        let model = Linear::new(3, 2, &mut ChaCha8Rng::seed_from_u64(0)).unwrap();
        let line = line!() + 1;
        let error = model.summary(&[4, 5]).unwrap_err().to_string();
        assert!(error.starts_with("linear: "), "{error}");
        assert!(error.contains(&format!("summary.rs:{line}")), "{error}");
    }

    #[test]
    fn labels_go_into_an_embedding() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let embedding = Embedding::new(10, 4, &mut rng).unwrap();
        let summary = Summary::of(&embedding, &Tensor::from([[1_i64, 2, 3]])).unwrap();
        assert_eq!((summary.rows.len(), summary.rows[0].parameters), (1, 40));
        assert_eq!(summary.rows[0].output[..], [1, 3, 4]);
    }
}
