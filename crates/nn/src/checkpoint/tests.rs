//! What is promised of files, in folders of one test each.

use std::fs;
use std::path::PathBuf;

use lossgraph_autograd::{Parameter, Tape};
use lossgraph_tensor::DType;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::*;
use crate::{
    Adam, AdamW, BatchNorm, Dropout, Generator, Layer, Linear, Mlp, Optimizer, Sequential,
    UpdateRule,
};

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("lossgraph-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn model(sizes: &[usize], seed: u64) -> Mlp {
    Mlp::new(sizes, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap()
}

#[test]
fn a_model_comes_back_as_it_was_saved() {
    let folder = Folder::new("round");
    let (path, other) = (folder.0.join("a.safetensors"), folder.0.join("b.safetensors"));
    let saved = model(&[3, 4, 2], 1);
    save(&saved, &[("sizes", "3,4,2"), ("a=b\n", "c\r\nd\\")], &path).unwrap();
    save(&saved, &[("a=b\n", "c\r\nd\\"), ("sizes", "3,4,2")], &other).unwrap();
    assert_eq!(fs::read(&path).unwrap(), fs::read(&other).unwrap());
    let loaded = model(&[3, 4, 2], 2);
    let metadata = load(&loaded, &path).unwrap();
    assert_eq!((metadata["sizes"].as_str(), metadata["a=b\n"].as_str()), ("3,4,2", "c\r\nd\\"));
    for ((_, a), (_, b)) in saved.parameters().iter().zip(loaded.parameters()) {
        assert_eq!(a.value(), b.value());
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 2);
}

#[test]
fn damaged_and_foreign_files_are_refused_and_change_nothing() {
    let folder = Folder::new("damaged");
    let path = folder.0.join("a.safetensors");
    let saved = model(&[3, 4, 2], 1);
    save(&saved, &[], &path).unwrap();
    let whole = fs::read(&path).unwrap();
    let target = model(&[3, 4, 2], 2);
    let before = target.parameters()[0].1.value();
    for (bytes, told) in [
        (&whole[..whole.len() / 2], ", or a damaged one"),
        (&[], ", or a damaged one"),
        (b"not a checkpoint", ", but text"),
        (
            b"PK\x03\x04\0",
            ", but a ZIP file, as `torch.save` and `numpy.savez` write them: in PyTorch, `saf",
        ),
    ] {
        fs::write(&path, bytes).unwrap();
        let error = load(&target, &path).unwrap_err().to_string();
        assert!(error.contains(&format!("it is no safetensors checkpoint{told}")), "{error}");
    }
    assert_eq!(target.parameters()[0].1.value(), before);
    let error = load(&target, folder.0.join("none")).unwrap_err().to_string();
    assert!(error.contains("there is no such file"), "{error}");
}

#[test]
fn a_checkpoint_of_another_model_is_named_tensor_by_tensor() {
    let folder = Folder::new("other");
    let path = folder.0.join("a.safetensors");
    save(&model(&[3, 4, 2], 1), &[], &path).unwrap();
    let error = load(&model(&[3, 5, 2, 2], 1), &path).unwrap_err().to_string();
    for part in ["`0.weight` is [4, 3], expected [5, 3] as in the model", "`4.weight` is missing"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn running_statistics_come_back_and_doubles_fit_into_singles() {
    let folder = Folder::new("statistics");
    let path = folder.0.join("a.safetensors");
    let [saved, loaded] = [(); 2].map(|()| BatchNorm::new(2).unwrap());
    let tape = Tape::new();
    let y = saved.forward_train(tape.constant([[1.0, 10.0], [3.0, 30.0]]));
    y.square().sum(..).backward().unwrap().commit().unwrap();
    assert_ne!(saved.running_mean().value(), loaded.running_mean().value());
    let doubles = all(&saved).into_iter().map(|(name, p)| (name, p.value().to_dtype(DType::F64)));
    let checkpoint = Checkpoint { tensors: doubles.collect(), ..Checkpoint::default() };
    checkpoint.write(&path).unwrap();
    // What a killed run left behind disturbs nobody.
    fs::write(folder.0.join(".lossgraph-1-0.part"), "half").unwrap();
    load(&loaded, &path).unwrap();
    for ((_, a), (_, b)) in saved.buffers().iter().zip(loaded.buffers()) {
        assert_eq!(a.value(), b.value());
    }
}

#[test]
fn a_copy_has_the_values_and_not_the_parameters_of_its_origin() {
    let [from, to] = [1, 2].map(|seed| model(&[3, 4, 2], seed));
    copy_parameters(&from, &to).unwrap();
    let values = |model: &Mlp| all(model).iter().map(|p| p.1.value()).collect::<Vec<_>>();
    assert_eq!(values(&from), values(&to));
    let before = values(&to);
    from.parameters()[0].1.update(|value| *value = value.to_dtype(DType::F64));
    from.parameters()[1].1.update(|value| value.as_mut_slice::<f32>().unwrap().fill(0.0));
    assert_eq!(values(&to), before);
}

#[test]
fn a_copy_between_models_that_differ_names_what_differs_and_changes_nothing() {
    let [from, to] = [&[3, 4, 2][..], &[3, 5, 2, 2]].map(|sizes| model(sizes, 1));
    let before = to.parameters()[0].1.value();
    let error = copy_parameters(&from, &to).unwrap_err().to_string();
    let expected = "copy_parameters: the models differ: `0.weight` is [4, 3], expected [5, 3] as \
                    in the model; ";
    assert!(error.starts_with(expected), "{error}");
    assert!(error.contains("`4.weight` is missing"), "{error}");
    assert_eq!(to.parameters()[0].1.value(), before);
}

#[test]
fn a_folder_that_does_not_exist_is_named() {
    let error = save(&model(&[1, 1], 1), &[], "no/such/folder/a.safetensors").unwrap_err();
    assert!(error.to_string().contains("the folder no/such/folder does not exist"), "{error}");
}

/// A model that lists its parameters itself.
struct Listed(Vec<(String, Parameter)>);

impl Module for Listed {
    fn parameters(&self) -> Vec<(String, Parameter)> {
        self.0.clone()
    }
}

fn listed<const N: usize>(parameters: [(&str, &Parameter); N]) -> Listed {
    Listed(parameters.map(|(name, parameter)| (name.to_owned(), parameter.clone())).into())
}

/// A file as somebody else may have written it.
fn foreign(path: &Path, tensors: &[(&str, Dtype, &[usize], &[u8])]) {
    let views = tensors.iter().map(|&(name, dtype, shape, data)| {
        (name, TensorView::new(dtype, shape.to_vec(), data).unwrap())
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn what_would_not_come_back_is_refused_and_the_old_file_stays() {
    let folder = Folder::new("refused");
    let path = folder.0.join("a.safetensors");
    let [a, b] = [1.0, 2.0].map(|x| Parameter::new("w", [x]));
    save(&a, &[], &path).unwrap();
    let before = fs::read(&path).unwrap();
    type Metadata = &'static [(&'static str, &'static str)];
    let cases: [(Listed, Metadata, &str); 5] = [
        (listed([("w", &a), ("w", &b)]), &[], "the model has two parameters named `w`"),
        (listed([("__metadata__", &a)]), &[], "no tensor can be named `__metadata__`"),
        (listed([("lossgraph/w", &a)]), &[], "`lossgraph/w` begins like the state of a training"),
        (listed([("w", &a)]), &[("k", "1"), ("k", "2")], "metadata `k` is given twice"),
        (listed([("w", &a)]), &[("lossgraph/k", "1")], "metadata `lossgraph/k` begins like"),
    ];
    for (model, metadata, why) in cases {
        let error = save(&model, metadata, &path).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    let linear = || Linear::new(2, 2, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
    let concat = Listed([linear().parameters(), linear().parameters()].concat());
    for error in [
        save(&concat, &[], &path).unwrap_err(),
        load(&concat, &path).unwrap_err(),
        load_matching(&concat, &path).unwrap_err(),
        Checkpoint::of(&concat).unwrap_err(),
        copy_parameters(&concat, &linear()).unwrap_err(),
        copy_parameters(&linear(), &concat).unwrap_err(),
    ] {
        let error = error.to_string();
        assert!(error.contains("the model has two parameters named `weight`"), "{error}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
}

#[test]
fn names_and_shapes_of_any_kind_come_back() {
    let folder = Folder::new("names");
    let path = folder.0.join("a.safetensors");
    let names =
        ["", " ", ".", "a\"b", "\\u0000", "\0", "日本", "🦀", "__metadata", "lossgraph", "w\n"];
    let shapes: [&[usize]; 6] = [&[], &[0], &[1, 1, 1, 1, 1], &[3, 0, 2], &[2, 3], &[0, 1 << 40]];
    let numbers = [f64::NAN, -0.0, f64::INFINITY, f64::MIN_POSITIVE / 8.0, 1.5, f64::MAX];
    let mut all = Vec::new();
    for (i, name) in names.into_iter().enumerate() {
        let shape = shapes[i % shapes.len()];
        let len: usize = shape.iter().product();
        let data = (0..len).map(|k| numbers[(i + k) % numbers.len()]).collect::<Vec<f64>>();
        let dtype = [DType::F32, DType::F64, DType::I64][i % 3];
        let value = Tensor::new(shape, data).unwrap().to_dtype(dtype);
        all.push((name.to_owned(), Parameter::new("p", value)));
    }
    let metadata = [("", ""), ("lossgraph", "{}"), ("format", "pt"), ("__metadata__", "\0")];
    save(&Listed(all.clone()), &metadata, &path).unwrap();
    let zeros = |(name, p): &(String, Parameter)| {
        let zeros = Tensor::zeros(p.shape(), p.value().dtype()).unwrap();
        (name.clone(), Parameter::new("p", zeros))
    };
    let loaded = Listed(all.iter().map(zeros).collect());
    let read = load(&loaded, &path).unwrap();
    assert_eq!(read.len(), 4);
    assert!(metadata.iter().all(|(key, value)| read[*key] == *value));
    for ((name, a), (_, b)) in all.iter().zip(&loaded.0) {
        assert_eq!(format::bytes(&a.value()), format::bytes(&b.value()), "{name:?}");
    }
}

#[test]
fn metadata_of_others_stay_whatever_they_are() {
    let folder = Folder::new("metadata");
    let path = folder.0.join("a.safetensors");
    let metadata = [("lossgraph", "no json"), ("format", "pt")];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let none: [(&str, TensorView<'_>); 0] = [];
    let file = safetensors::serialize(none, Some(metadata.clone().into_iter().collect())).unwrap();
    fs::write(&path, file).unwrap();
    let checkpoint = Checkpoint::read(&path).unwrap();
    assert_eq!(checkpoint.metadata, metadata.clone().into());
    checkpoint.write(&path).unwrap();
    assert_eq!(Checkpoint::read(&path).unwrap().metadata, metadata.into());
}

#[test]
fn tied_weights_are_saved_under_both_names_and_loaded_by_any() {
    let folder = Folder::new("tied");
    let path = folder.0.join("a.safetensors");
    let tied = |seed| {
        let shared =
            Linear::new(2, 2, &mut ChaCha8Rng::seed_from_u64(seed)).unwrap().without_bias();
        Sequential::new().then(shared.clone()).then(Dropout::new(0.5, 0).unwrap()).then(shared)
    };
    let (saved, loaded) = (tied(1), tied(2));
    assert_eq!(saved.parameters().len(), 1);
    save(&saved, &[], &path).unwrap();
    let mut checkpoint = Checkpoint::read(&path).unwrap();
    assert_eq!(checkpoint.tensors.keys().collect::<Vec<_>>(), ["0.weight", "2.weight"]);
    assert_eq!(checkpoint.tensors["0.weight"], checkpoint.tensors["2.weight"]);
    load(&loaded, &path).unwrap();
    let weight = |model: &Sequential| model.parameters()[0].1.value();
    assert_eq!(weight(&loaded), weight(&saved));
    // Into a model that is not tied, each gets its value.
    let linear = || Linear::new(2, 2, &mut ChaCha8Rng::seed_from_u64(3)).unwrap().without_bias();
    let untied =
        Sequential::new().then(linear()).then(Dropout::new(0.5, 0).unwrap()).then(linear());
    load(&untied, &path).unwrap();
    assert!(untied.parameters().iter().all(|(_, p)| p.value() == weight(&saved)));
    // One name is enough.
    let other = checkpoint.tensors.remove("0.weight").unwrap();
    let again = tied(4);
    checkpoint.load(&again).unwrap();
    assert_eq!(weight(&again), weight(&saved));
    // Two values are not.
    checkpoint.tensors.insert("0.weight".to_owned(), (other * 2.0_f32).unwrap());
    for error in
        [checkpoint.load(&loaded).unwrap_err(), checkpoint.load_matching(&loaded).unwrap_err()]
    {
        let error = error.to_string();
        let expected = "`0.weight` and `2.weight` are one parameter in the model, and differ";
        assert!(error.contains(expected), "{error}");
    }
    assert_eq!(weight(&loaded), weight(&saved));
}

#[test]
fn a_checkpoint_of_pytorch_is_loaded_with_what_it_counts_besides() {
    let folder = Folder::new("pytorch");
    let path = folder.0.join("a.safetensors");
    let singles = |x: [f32; 2]| x.map(f32::to_le_bytes).concat();
    // 1.5 and the smallest subnormal; −2 and ∞.
    let half = [0x3e00_u16, 1].map(u16::to_le_bytes).concat();
    let brain = [0xc000_u16, 0x7f80].map(u16::to_le_bytes).concat();
    let (mean, count) = (singles([3.0, 4.0]), 7_i64.to_le_bytes());
    let var = [5.0_f64, 1.0 / 3.0].map(f64::to_le_bytes).concat();
    let shape: &[usize] = &[2];
    let tensors: Vec<(&str, Dtype, &[usize], &[u8])> = vec![
        ("1.weight", Dtype::F16, shape, &half),
        ("1.bias", Dtype::BF16, shape, &brain),
        ("1.running_mean", Dtype::F32, shape, &mean),
        ("1.running_var", Dtype::F64, shape, &var),
        ("1.num_batches_tracked", Dtype::I64, &[], &count),
    ];
    foreign(&path, &tensors);
    let norm = BatchNorm::new(2).unwrap();
    let model = Sequential::new().then(Dropout::new(0.5, 1).unwrap()).then(norm.clone());
    load(&model, &path).unwrap();
    assert_eq!(norm.weight().value().to_f64s(), [1.5, 2.0_f64.powi(-24)]);
    assert_eq!(norm.bias().value().to_f64s(), [-2.0, f64::INFINITY]);
    assert_eq!(norm.running_mean().value().to_f64s(), [3.0, 4.0]);
    // What is wider than the model's type is rounded to the nearest.
    assert_eq!(norm.running_var().value(), Tensor::from([5.0_f32, 1.0 / 3.0]));
    let model = model.with_dtype(DType::F64);
    load(&model, &path).unwrap();
    assert_eq!(norm.running_var().value().to_f64s(), [5.0, 1.0 / 3.0]);
    // Other counts are no such thing.
    let others: [(&str, &[usize], usize); 2] =
        [("1.num_batches", &[], 1), ("2.num_batches_tracked", &[2], 2)];
    for (name, shape, count) in others {
        let data = vec![0; 8 * count];
        foreign(&path, &[&tensors[..], &[(name, Dtype::I64, shape, &data)]].concat());
        let error = load(&model, &path).unwrap_err().to_string();
        assert!(error.contains(&format!("`{name}` is not in the model")), "{error}");
    }
}

#[test]
fn integers_of_every_width_are_read_exactly_and_are_no_floats() {
    let folder = Folder::new("integers");
    let path = folder.0.join("a.safetensors");
    let shape: &[usize] = &[1];
    foreign(
        &path,
        &[
            ("bool", Dtype::BOOL, shape, &[1]),
            ("u8", Dtype::U8, shape, &[255]),
            ("i8", Dtype::I8, shape, &[255]),
            ("u16", Dtype::U16, shape, &[255; 2]),
            ("i16", Dtype::I16, shape, &[254, 255]),
            ("u32", Dtype::U32, shape, &[255; 4]),
            ("i32", Dtype::I32, shape, &[255; 4]),
        ],
    );
    let read = Checkpoint::read(&path).unwrap();
    let expected = [
        ("bool", 1),
        ("u8", 255),
        ("i8", -1),
        ("u16", 65_535),
        ("i16", -2),
        ("u32", u32::MAX as i64),
        ("i32", -1),
    ];
    for (name, number) in expected {
        assert_eq!(read.tensors[name], Tensor::from(vec![number]), "{name}");
    }
    let error =
        load(&listed([("i8", &Parameter::new("w", [0.0]))]), &path).unwrap_err().to_string();
    assert!(error.contains("`i8` is i64, expected f64 as in the model"), "{error}");
}

#[test]
fn a_number_beyond_the_range_of_the_model_is_refused() {
    let w = Parameter::new("w", [0.5_f32, 0.5]);
    let model = listed([("w", &w)]);
    let mut checkpoint = Checkpoint::default();
    checkpoint.tensors.insert("w".to_owned(), Tensor::from([1.0, -1e300]));
    let error = checkpoint.load(&model).unwrap_err().to_string();
    assert!(error.contains("`w` has -1e300 in it, which is beyond f32"), "{error}");
    assert_eq!(w.value().to_f64s(), [0.5, 0.5]);
    checkpoint.tensors.insert("w".to_owned(), Tensor::from([f64::NEG_INFINITY, 1e-300]));
    checkpoint.load(&model).unwrap();
    assert_eq!(w.value().to_f64s(), [f64::NEG_INFINITY, 0.0]);
}

#[test]
fn a_part_of_a_model_is_loaded_by_the_names_that_match() {
    let folder = Folder::new("matching");
    let path = folder.0.join("a.safetensors");
    let (pretrained, target) = (model(&[3, 4, 2], 1), model(&[3, 4, 2, 5], 2));
    save(&pretrained, &[("epoch", "9")], &path).unwrap();
    // A tensor of elements that we do not have is in nobody's way.
    let mut tensors = Checkpoint::read(&path).unwrap();
    tensors.tensors.insert("head.weight".to_owned(), Tensor::from([1.0_f32]));
    tensors.write(&path).unwrap();
    let before = target.parameters()[4].1.value();
    let matching = load_matching(&target, &path).unwrap();
    assert_eq!(matching.loaded, ["0.weight", "0.bias", "2.weight", "2.bias"]);
    assert_eq!(matching.missing, ["4.weight", "4.bias"]);
    assert_eq!(matching.unexpected, ["head.weight"]);
    assert_eq!(matching.metadata["epoch"], "9");
    for ((_, a), (_, b)) in pretrained.parameters().iter().zip(target.parameters()) {
        assert_eq!(a.value(), b.value());
    }
    assert_eq!(target.parameters()[4].1.value(), before);
    // A name that matches a tensor of another shape is no match.
    let other = model(&[3, 5, 2], 3);
    let before = other.parameters()[3].1.value();
    let error = load_matching(&other, &path).unwrap_err().to_string();
    assert!(error.contains("`0.weight` is [4, 3], expected [5, 3] as in the model"), "{error}");
    assert_eq!(other.parameters()[3].1.value(), before);
}

#[test]
fn elements_that_we_do_not_have_are_refused_where_they_are_needed_and_nowhere_else() {
    let folder = Folder::new("float8");
    let path = folder.0.join("a.safetensors");
    let one = 1.0_f32.to_le_bytes();
    foreign(&path, &[("w", Dtype::F32, &[1], &one), ("v", Dtype::F8_E4M3, &[1], &[0])]);
    let [w, v] = ["w", "v"].map(|name| Parameter::new(name, [0.0_f32]));
    let matching = load_matching(&listed([("w", &w)]), &path).unwrap();
    assert_eq!((matching.loaded, matching.unexpected), (vec!["w".into()], vec!["v".into()]));
    assert_eq!(w.value().to_f64s(), [1.0]);
    for error in [
        Checkpoint::read(&path).unwrap_err(),
        load(&listed([("w", &w), ("v", &v)]), &path).unwrap_err(),
        load_matching(&listed([("v", &v)]), &path).unwrap_err(),
    ] {
        assert!(error.to_string().contains("has elements of F8_E4M3"), "{error}");
    }
}

/// A small net with dropout, and 12 examples.
struct Run {
    model: Sequential,
    optimizer: Optimizer<Adam>,
    batches: ChaCha8Rng,
    noise: Generator,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let model = Sequential::new()
            .then(Linear::new(2, 5, &mut rng).unwrap())
            .then(Dropout::new(0.4, seed).unwrap())
            .then(BatchNorm::new(5).unwrap())
            .then(Linear::new(5, 1, &mut rng).unwrap());
        let optimizer = Adam { lr: 0.05, amsgrad: true, ..Adam::default() }.over(&model).unwrap();
        Run { model, optimizer, batches: rng, noise: Generator::new(seed) }
    }

    fn epoch(&mut self) -> Vec<u64> {
        use rand::seq::SliceRandom;
        let mut order: Vec<usize> = (0..12).collect();
        order.shuffle(&mut self.batches);
        let mut losses = Vec::new();
        for batch in order.chunks(4) {
            let tape = Tape::new();
            let noise = self.noise.draw(|rng| Tensor::randn([4, 2], DType::F32, rng)).unwrap();
            let x: Vec<[f32; 2]> =
                batch.iter().map(|&i| [i as f32 / 6.0, (i as f32).sin()]).collect();
            let x = tape.constant(Tensor::from(x)) + tape.constant(noise) * 0.1;
            let y = self.model.forward_train(x);
            let gradients = (y - x.slice(1, 0..1).sin()).square().mean(..).backward().unwrap();
            self.optimizer.step(&gradients).unwrap();
            losses.push(gradients.loss().to_bits());
        }
        let lr = self.optimizer.lr();
        self.optimizer.set_lr(lr * 0.9).unwrap();
        losses
    }

    /// All bits that there are.
    fn bits(&self) -> Vec<Vec<u8>> {
        let values = all(&self.model).into_iter().chain(self.model.generators());
        let values = values.map(|(_, p)| p.value()).collect::<Vec<_>>();
        let states = [self.optimizer.state_dict(), self.batches.state_dict()];
        let states = states.into_iter().flat_map(|state| state.tensors.into_values());
        values.iter().map(format::bytes).chain(states.map(|state| format::bytes(&state))).collect()
    }

    fn training(&mut self) -> Training<'_> {
        Training::of(&self.model)
            .with("optimizer", &mut self.optimizer)
            .with("batches", &mut self.batches)
    }
}

/// The generator of a noise that no layer has.
impl Stateful for Generator {
    fn state_dict(&self) -> Checkpoint {
        let state = self.generators()[0].1.value();
        Checkpoint { tensors: [("state".to_owned(), state)].into(), ..Checkpoint::default() }
    }

    fn load_state_dict(&mut self, state: &Checkpoint) -> Result<()> {
        self.generators()[0].1.set(state.tensors["state"].clone())?;
        Ok(())
    }
}

#[test]
fn a_resumed_run_is_that_without_an_interruption_bit_for_bit() {
    let folder = Folder::new("resumed");
    let path = folder.0.join("a.safetensors");
    let mut whole = Run::new(1);
    let first: Vec<_> = (0..3).map(|_| whole.epoch()).collect();
    let mut noise = whole.noise.clone();
    whole.training().with("noise", &mut noise).save(&[("epoch", "3")], &path).unwrap();
    let rest: Vec<_> = (0..4).map(|_| whole.epoch()).collect();
    // Another seed: everything that matters comes from the file.
    let mut resumed = Run::new(2);
    assert_ne!(first[0], resumed.epoch());
    let mut noise = resumed.noise.clone();
    let metadata = resumed.training().with("noise", &mut noise).load(&path).unwrap();
    assert_eq!(metadata, [("epoch".to_owned(), "3".to_owned())].into());
    assert_eq!(rest, (0..4).map(|_| resumed.epoch()).collect::<Vec<_>>());
    assert_eq!(whole.bits(), resumed.bits());
    // The model alone is in the file, too.
    let other = Run::new(3);
    assert_eq!(load(&other.model, &path).unwrap(), metadata);
    assert_eq!(load_matching(&other.model, &path).unwrap().unexpected, [""; 0]);
}

#[test]
fn the_state_of_another_training_is_refused_and_changes_nothing() {
    let folder = Folder::new("another");
    let path = folder.0.join("a.safetensors");
    let mut saved = Run::new(1);
    saved.epoch();
    saved.training().save(&[], &path).unwrap();
    let mut run = Run::new(2);
    run.epoch();
    let before = run.bits();
    let refused = |run: &mut Run, training: &dyn Fn(&mut Run) -> String, expected: &str| {
        let error = training(run);
        assert!(error.contains(expected), "{error}");
        assert_eq!(run.bits(), before, "{expected}");
    };
    let load_of = |mut training: Training<'_>| training.load(&path).unwrap_err().to_string();
    let adamw = |run: &mut Run| {
        let mut adamw = AdamW::default().over(&run.model).unwrap();
        load_of(
            Training::of(&run.model)
                .with("batches", &mut run.batches)
                .with("optimizer", &mut adamw),
        )
    };
    refused(&mut run, &adamw, "`optimizer`: load_state_dict: adamw: the state is that of adam");
    let fewer = |run: &mut Run| {
        let mut adam = Adam::default().over(run.model.layers().next().unwrap()).unwrap();
        load_of(
            Training::of(&run.model).with("batches", &mut run.batches).with("optimizer", &mut adam),
        )
    };
    refused(&mut run, &fewer, "`0.2.2.weight.step` is not in the optimizer");
    let forgotten =
        |run: &mut Run| load_of(Training::of(&run.model).with("optimizer", &mut run.optimizer));
    refused(&mut run, &forgotten, "it has a state besides, `lossgraph/parts/batches/state`");
    let more = |run: &mut Run| {
        let mut more = ChaCha8Rng::seed_from_u64(0);
        load_of(run.training().with("more", &mut more))
    };
    refused(&mut run, &more, "`more`: it has no such state");
    let names = |run: &mut Run| {
        let mut more = ChaCha8Rng::seed_from_u64(0);
        load_of(run.training().with("batches", &mut more))
    };
    refused(&mut run, &names, "two parts of the training are named `batches`");
    let plain = |run: &mut Run| {
        let path = folder.0.join("b.safetensors");
        save(&run.model, &[], &path).unwrap();
        run.training().load(&path).unwrap_err().to_string()
    };
    refused(&mut run, &plain, "generators of layers: `1.generator` is missing");
    // A file whose optimizer has another shape, or a count that is none.
    for (key, tensor, expected) in [
        ("0.0.0.weight.1", Tensor::from([1.0_f32]), "is [1] f32, expected [5, 2] f32"),
        ("0.0.0.weight.step", Tensor::from(-1_i64), "is -1, expected a count of steps"),
        ("0.0.0.weight.step", Tensor::from(i64::MAX), "expected a count of steps"),
        ("0.lr", Tensor::from(f64::NAN), "lr is NaN, expected 0 or more, and finite"),
    ] {
        let mut checkpoint = Checkpoint::read(&path).unwrap();
        let key = format!("lossgraph/parts/optimizer/{key}");
        assert!(checkpoint.tensors.insert(key, tensor).is_some());
        let path = folder.0.join("c.safetensors");
        checkpoint.write(&path).unwrap();
        let load = |run: &mut Run| run.training().load(&path).unwrap_err().to_string();
        refused(&mut run, &load, expected);
    }
    run.training().load(&path).unwrap();
    assert_eq!(run.bits(), saved.bits());
}
