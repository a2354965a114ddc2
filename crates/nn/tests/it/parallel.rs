//! Data-parallel training: the bits are those of the shards, whichever process has them.

use lossgraph_autograd::{Gradients, Parameter, Tape, Var};
use lossgraph_nn::parallel::{Communicator, DataParallel, Local, Shard};
use lossgraph_nn::{
    Activation, Adam, BatchNorm, Checkpoint, Dropout, Error, Generator, Layer, Linear, Mode,
    Module, Optimizer, Result, Sequential, Sgd, Training, UpdateRule, module,
};
use lossgraph_tensor::{DType, Tensor};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// What each of so many processes makes, each a thread.
fn each<R: Send>(size: usize, program: impl Fn(&Local) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let program = &program;
        let spawn = |world| scope.spawn(move || program(&world));
        let threads: Vec<_> = Local::processes(size).into_iter().map(spawn).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// A net with dropout, and with batch norm where a shard has more than one example.
fn net(seed: u64, dtype: DType, examples: usize) -> Sequential {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let first = Sequential::new().then(Linear::new(6, 16, &mut rng).unwrap());
    let normalized = match examples {
        0..2 => first,
        _ => first.then(BatchNorm::new(16).unwrap()),
    };
    normalized
        .then(Activation::Relu)
        .then(Dropout::new(0.3, 5).unwrap())
        .then(Linear::new(16, 3, &mut rng).unwrap())
        .with_dtype(dtype)
}

fn data(examples: usize, dtype: DType) -> (Tensor, Tensor) {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let x = Tensor::randn([examples, 6], dtype, &mut rng).unwrap();
    let y = Tensor::randn([examples, 3], dtype, &mut rng).unwrap();
    (x, y)
}

fn tape(dtype: DType) -> Tape {
    if dtype == DType::F32 { Tape::new() } else { Tape::f64() }
}

fn mse(model: &impl Layer, x: Tensor, y: Tensor) -> Result<Gradients> {
    let tape = tape(x.dtype());
    let error = model.forward_train(tape.constant(x)) - tape.constant(y);
    Ok(error.square().mean(..).backward()?)
}

/// The bytes of a training of some steps: model, optimizer, and generators of layers.
fn train(
    world: &dyn Communicator,
    (shards, sizes, dtype): (usize, &[usize], DType),
    name: &str,
) -> Vec<u8> {
    // Process 0 alone has the model of the run; the others are given it.
    let model = net(world.rank() as u64, dtype, sizes[0] / shards);
    let parallel = DataParallel::new(world, shards).unwrap();
    parallel.broadcast(&model).unwrap();
    let mut optimizer = Adam { lr: 0.01, ..Adam::default() }.over(&model).unwrap();
    for &examples in sizes.iter().cycle().take(6) {
        let (x, y) = data(examples, dtype);
        let gradients = parallel
            .backward(&model, examples, |shard| mse(&model, shard.of(&x)?, shard.of(&y)?))
            .unwrap();
        optimizer.step(&gradients).unwrap();
    }
    bytes(&model, &mut optimizer, &format!("{name}-{}-of-{}", world.rank(), world.size()))
}

fn bytes(model: &Sequential, optimizer: &mut Optimizer<Adam>, name: &str) -> Vec<u8> {
    let path =
        std::env::temp_dir().join(format!("lossgraph-parallel-{name}-{}", std::process::id()));
    Training::of(model).with("optimizer", optimizer).save(&[], &path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    bytes
}

#[test]
fn the_bytes_of_a_training_do_not_depend_on_the_number_of_processes() {
    // Batches that shards divide, that they do not, and that leave some empty.
    for (shards, sizes) in [(8, &[32, 29][..]), (6, &[24, 13]), (12, &[36]), (4, &[5, 2, 11])] {
        for dtype in [DType::F32, DType::F64] {
            let name = format!("{shards}-{dtype}");
            let of = |size| each(size, |world| train(world, (shards, sizes, dtype), &name));
            let alone = of(1).remove(0);
            for size in (2..=shards).filter(|size| shards % size == 0) {
                for (rank, bytes) in of(size).into_iter().enumerate() {
                    assert!(bytes == alone, "process {rank} of {size}, {shards} shards of {dtype}");
                }
            }
        }
    }
}

#[test]
fn other_shards_are_another_rounding_of_the_same_gradients() {
    let model = Linear::new(6, 3, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
    let model = model.with_dtype(DType::F64);
    let (x, y) = data(10, DType::F64);
    let whole = mse(&model, x.clone(), y.clone()).unwrap();
    for shards in [2, 3, 4, 16] {
        let world = Local::alone();
        let parallel = DataParallel::new(&world, shards).unwrap();
        let program = |shard: &Shard| mse(&model, shard.of(&x)?, shard.of(&y)?);
        let shared = parallel.backward(&model, 10, program).unwrap();
        assert!((shared.loss() - whole.loss()).abs() < 1e-14);
        for (_, parameter) in model.parameters() {
            let [a, b] = [&shared, &whole].map(|gradients| gradients.get(&parameter).unwrap());
            assert!(a.allclose(b, 1e-13, 1e-15), "{shards} shards: {a:?} and {b:?}");
        }
    }
}

#[test]
fn one_shard_has_the_bits_of_a_training_that_is_not_shared_out() {
    let shared = train(&Local::alone(), (1, &[16, 9], DType::F32), "one");
    let model = net(0, DType::F32, 16);
    let mut optimizer = Adam { lr: 0.01, ..Adam::default() }.over(&model).unwrap();
    for examples in [16, 9].into_iter().cycle().take(6) {
        let (x, y) = data(examples, DType::F32);
        optimizer.step(&mse(&model, x, y).unwrap()).unwrap();
    }
    assert!(shared == bytes(&model, &mut optimizer, "plain"));
}

#[test]
fn running_statistics_are_the_mean_of_those_of_the_shards_by_their_examples() {
    let layer = BatchNorm::new(1).unwrap().with_dtype(DType::F64);
    let x = Tensor::from([[1.0], [3.0], [2.0], [8.0], [5.0]]);
    let world = Local::alone();
    let parallel = DataParallel::new(&world, 2).unwrap();
    let gradients = parallel.backward(&layer, 5, |shard| {
        let tape = Tape::f64();
        Ok(layer.forward_train(tape.constant(shard.of(&x)?)).square().sum(..).backward()?)
    });
    gradients.unwrap().commit().unwrap();
    // Of means 2 (two examples) and 5 (three), and variances 2 and 9, with a momentum of 0.1.
    let (mean, var) = (layer.running_mean().value(), layer.running_var().value());
    assert!((mean.to_f64s()[0] - 0.1 * (2.0 * 2.0 + 3.0 * 5.0) / 5.0).abs() < 1e-15);
    assert!((var.to_f64s()[0] - (0.9 + 0.1 * (2.0 * 2.0 + 3.0 * 9.0) / 5.0)).abs() < 1e-15);
}

/// Multiplies by a weight, and counts its calls.
struct Counting {
    weight: Parameter,
    unused: Parameter,
    calls: Parameter,
    scale: Parameter,
    generator: Generator,
}

module!(Counting { weight, unused, generator, .. } buffers { calls, scale });

impl Layer for Counting {
    fn record<'t>(&self, x: Var<'t>, _: Mode) -> Var<'t> {
        let tape = x.tape();
        tape.assign(&self.calls, tape.state(&self.calls) + 1);
        tape.assign(&self.scale, tape.state(&self.scale) * 3.0);
        x * tape.parameter(&self.weight)
    }
}

fn counting() -> Counting {
    Counting {
        weight: Parameter::new("weight", 2.0_f32),
        unused: Parameter::new("unused", 2.0_f32),
        calls: Parameter::new("calls", Tensor::from(7_i64)),
        scale: Parameter::new("scale", 0.1_f32),
        generator: Generator::new(1),
    }
}

#[test]
fn a_state_that_all_shards_move_alike_moves_as_in_one() {
    let alone = counting();
    let x = Tensor::from([1.0_f32, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    let record = |model: &Counting, x: Tensor| {
        let tape = Tape::new();
        Ok(model.forward_train(tape.constant(x)).mean(..).backward()?)
    };
    let _: Result<()> = record(&alone, x.clone()).and_then(|g| Ok(g.commit()?));
    let shared = each(3, |world| {
        let model = counting();
        let parallel = DataParallel::new(world, 6).unwrap();
        let gradients =
            parallel.backward(&model, 7, |shard| record(&model, shard.of(&x)?)).unwrap();
        assert!(gradients.get(&model.unused).is_none());
        assert_eq!(gradients.get(&model.weight).unwrap().to_f64s(), [4.0]);
        gradients.commit().unwrap();
        [model.calls.value(), model.scale.value()]
    });
    for state in shared {
        assert_eq!(state, [alone.calls.value(), alone.scale.value()]);
    }
}

#[test]
fn a_parameter_that_only_some_shards_use_has_the_gradient_of_these() {
    let gradients = each(2, |world| {
        let model = counting();
        let x = Tensor::from([1.0_f32, 1.0, 1.0, 1.0]);
        let parallel = DataParallel::new(world, 4).unwrap();
        let gradients = parallel.backward(&model, 4, |shard| {
            let tape = Tape::new();
            let y = tape.constant(shard.of(&x)?) * tape.parameter(&model.weight);
            let y = if shard.index() == 2 { y * tape.parameter(&model.unused) } else { y };
            Ok(y.mean(..).backward()?)
        });
        gradients.unwrap().get(&model.unused).map(Tensor::to_f64s)
    });
    assert_eq!(gradients, [Some(vec![0.5]), Some(vec![0.5])]);
}

#[test]
fn masks_of_shards_differ_and_do_not_come_again() {
    let layer = Dropout::new(0.5, 3).unwrap();
    let weight = Parameter::new("weight", Tensor::ones([64], DType::F32).unwrap());
    let world = Local::alone();
    let parallel = DataParallel::new(&world, 4).unwrap();
    let mut masks = Vec::new();
    for _ in 0..3 {
        let parts: [&dyn Module; 2] = [&layer, &weight];
        let model = parts.to_vec();
        let gradients = parallel.backward(&model, 4, |shard| {
            let tape = Tape::new();
            let y = layer.forward_train(tape.parameter(&weight));
            let gradients = y.sum(..).backward()?;
            masks.push((shard.index(), gradients.get(&weight).unwrap().to_f64s()));
            Ok(gradients)
        });
        gradients.unwrap();
    }
    assert_eq!(masks.len(), 12);
    for (i, (_, mask)) in masks.iter().enumerate() {
        assert!(masks[..i].iter().all(|(_, other)| other != mask));
    }
}

#[test]
fn sums_of_shards_are_the_same_in_all_processes() {
    let numbers: Vec<f64> = (0..29).map(|i| 0.1 * f64::from(i)).collect();
    let sums = |size| {
        each(size, |world| {
            let parallel = DataParallel::new(world, 4).unwrap();
            let sum = parallel.sum(29, |shard| Ok([numbers[shard.rows()].iter().sum(), 1.0]));
            sum.unwrap().map(f64::to_bits)
        })
    };
    let alone = sums(1)[0];
    assert_eq!(f64::from_bits(alone[1]), 4.0);
    for size in [2, 4] {
        assert!(sums(size).iter().all(|&sum| sum == alone));
    }
}

#[test]
fn shards_that_processes_cannot_share_are_refused() {
    for (size, shards, cure) in [(3, 8, "such as 9"), (4, 2, "such as 4"), (2, 0, "such as 2")] {
        for world in Local::processes(size) {
            let error = DataParallel::new(&world, shards).unwrap_err().to_string();
            let expected = format!("{shards} shards cannot be dealt to {size} processes evenly");
            assert!(error.contains(&expected) && error.contains(cure), "{error}");
        }
    }
}

#[test]
fn the_error_of_a_process_is_that_of_all_with_its_name() {
    let errors = each(4, |world| {
        let model = Linear::new(1, 1, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let parallel = DataParallel::new(world, 8).unwrap();
        let error = parallel.backward(&model, 16, |shard| match shard.index() {
            5 => Err(Error::Parallel { why: "label 12 is out of range".to_owned() }),
            _ => mse(&model, Tensor::from([[1.0_f32]]), Tensor::from([[1.0_f32]])),
        });
        error.unwrap_err().to_string()
    });
    for error in errors {
        assert_eq!(error, "data parallel: process 2 of 4: data parallel: label 12 is out of range");
    }
}

#[test]
fn what_processes_do_not_share_is_refused() {
    let told = each(2, |world| {
        let model = Linear::new(1 + world.rank(), 1, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        DataParallel::new(world, 2).unwrap().broadcast(&model).unwrap_err().to_string()
    });
    assert!(told.iter().all(|told| told.contains("the model of process 1 is another one")));
    let told = each(2, |world| {
        let parallel = DataParallel::new(world, 2).unwrap();
        parallel.sum(4 + world.rank(), |_| Ok([1.0])).unwrap_err().to_string()
    });
    assert!(told[0].contains("process 1 has a batch of 5 examples, and process 0 one of 4"));
    let world = Local::alone();
    let parallel = DataParallel::new(&world, 2).unwrap();
    assert!(parallel.sum(0, |_| Ok([1.0])).unwrap_err().to_string().contains("has no examples"));
    let stranger = Parameter::new("stranger", 1.0_f32);
    let model = counting();
    let error = parallel.backward(&model, 2, |_| {
        let tape = Tape::new();
        Ok((tape.parameter(&stranger) * tape.parameter(&model.weight)).backward()?)
    });
    assert!(error.unwrap_err().to_string().contains("`stranger` is no part of the model"));
    let x = Tensor::from([1.0_f32; 3]);
    let error = parallel.backward(&model, 2, |shard| mse(&model, shard.of(&x)?, shard.of(&x)?));
    assert!(error.unwrap_err().to_string().contains("[3], expected one with the 2 rows"));
}

#[test]
fn a_failed_batch_leaves_the_generators_where_they_were() {
    let layer = Dropout::new(0.5, 3).unwrap();
    let before = layer.generators()[0].1.value();
    let world = Local::alone();
    let parallel = DataParallel::new(&world, 2).unwrap();
    let failed = parallel.backward(&layer, 2, |shard| {
        let _ = layer.forward_train(Tape::new().fill([4], 1.0));
        Err(Error::Parallel { why: format!("shard {}", shard.index()) })
    });
    assert_eq!(failed.unwrap_err().to_string(), "data parallel: shard 0");
    assert_eq!(layer.generators()[0].1.value(), before);
}

#[test]
fn sgd_over_shards_learns_what_it_learns_in_one() {
    let learned = |shards| {
        let world = Local::alone();
        let parallel = DataParallel::new(&world, shards).unwrap();
        let model = Linear::new(6, 3, &mut ChaCha8Rng::seed_from_u64(1)).unwrap();
        let mut optimizer = Sgd { lr: 0.1, ..Sgd::default() }.over(&model).unwrap();
        let (x, y) = data(32, DType::F32);
        for _ in 0..50 {
            let program = |shard: &Shard| mse(&model, shard.of(&x)?, shard.of(&y)?);
            optimizer.step(&parallel.backward(&model, 32, program).unwrap()).unwrap();
        }
        Checkpoint::of(&model).unwrap().tensors
    };
    for (name, one) in learned(1) {
        assert!(one.allclose(&learned(8)[&name], 1e-4, 1e-5), "{name}");
    }
}
