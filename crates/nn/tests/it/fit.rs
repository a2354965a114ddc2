//! Training by epochs: a run that was interrupted, or killed, ends with the bits of one that was not.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use lossgraph_autograd::{Gradients, Tape};
use lossgraph_nn::fit::{
    Best, BoxResult, Event, Every, Fit, Goal, LAST, LrCurve, LrFinder, Outcome, Stopped, epoch_rng,
};
use lossgraph_nn::optimizer::{self, Average, Averaged, Optimize};
use lossgraph_nn::parallel::{DataParallel, Local};
use lossgraph_nn::schedule::{CosineAnnealing, OneCycle, ReduceOnPlateau, warm_up};
use lossgraph_nn::{
    Activation, BatchNorm, Checkpoint, Dropout, Error, Layer, Linear, Module, Sequential,
    Stateful as _, Training, load,
};
use lossgraph_tensor::{DType, Tensor};
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

/// A folder of a test, without what a run before left.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("lossgraph-fit-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const EXAMPLES: usize = 24;

/// A small net with all that has a state, and data for it.
struct Run {
    model: Sequential,
    optimizer: Box<dyn Optimize>,
    averaged: Averaged,
    /// A sampler that goes on from epoch to epoch.
    sampler: RefCell<ChaCha8Rng>,
    x: Tensor,
    y: Tensor,
}

impl Run {
    fn new(seed: u64) -> Run {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let model = Sequential::new()
            .then(Linear::new(3, 8, &mut rng).unwrap())
            .then(BatchNorm::new(8).unwrap())
            .then(Activation::Relu)
            .then(Dropout::new(0.2, seed).unwrap())
            .then(Linear::new(8, 1, &mut rng).unwrap());
        let options = [("lr", "0.02"), ("weight_decay", "0.01")];
        let optimizer = optimizer::named("nadam").unwrap().over(&model, &options).unwrap();
        let averaged = Averaged::of(&model, Average::Exponential(0.9)).unwrap();
        let mut data = ChaCha8Rng::seed_from_u64(77);
        let x = Tensor::randn([EXAMPLES, 3], DType::F32, &mut data).unwrap();
        let y = x.narrow(1, 0, 1).unwrap().map(|x| (2.0 * x).sin());
        Run { model, optimizer, averaged, sampler: RefCell::new(rng), x, y }
    }

    /// Trains until the end, or until so many steps of this call.
    fn fit(&mut self, folder: &Path, epochs: usize, interrupt_after: Option<usize>) -> Outcome {
        let Run { model, optimizer, averaged, sampler, x, y } = self;
        let (model, sampler, x, y) = (&*model, &*sampler, &*x, &*y);
        let (flag, steps) = (AtomicBool::new(false), AtomicUsize::new(0));
        let mut handle = sampler;
        Fit::new(model, &mut **optimizer)
            .epochs(epochs)
            .schedule(warm_up(4, CosineAnnealing { t_max: Some(60), eta_min: 1e-3 }), Every::Step)
            .accumulate(2)
            .clip_norm(0.5)
            .average(averaged)
            .checkpoints(folder)
            .resume()
            .metadata("task", "sinus")
            .with("sampler", &mut handle)
            .interrupt(&flag)
            .observe(|event| {
                if let Event::Step { .. } = event {
                    let done = steps.fetch_add(1, Ordering::Relaxed) + 1;
                    flag.store(Some(done) == interrupt_after, Ordering::Relaxed);
                }
            })
            .validate(|| {
                let tape = Tape::new();
                let error = (model.forward(tape.constant(x)) - tape.constant(y)).square().mean(..);
                let loss = error.item()?;
                Ok(vec![("loss", loss), ("rmse", loss.sqrt())])
            })
            .run(
                |epoch| {
                    // By the epoch's own generator and by the sampler: both are resumed.
                    let mut order: Vec<usize> = (0..EXAMPLES).collect();
                    order.shuffle(&mut epoch_rng(5, epoch));
                    order.shuffle(&mut *sampler.borrow_mut());
                    let batches: Vec<Vec<usize>> = order.chunks(4).map(<[usize]>::to_vec).collect();
                    Ok(batches.into_iter().map(Ok))
                },
                |batch| gradients(model, x, y, batch),
            )
            .unwrap()
    }

    fn bits(&mut self) -> Vec<(String, Vec<u64>)> {
        let parts = [self.model.parameters(), self.model.buffers(), self.model.generators()];
        let values = parts.concat().into_iter().map(|(name, p)| (name, p.value()));
        let states = [
            self.optimizer.state_dict(),
            self.averaged.state_dict(),
            self.sampler.borrow().state_dict(),
        ];
        let states = states.into_iter().flat_map(|state| state.tensors);
        let bits = |tensor: Tensor| tensor.to_f64s().into_iter().map(f64::to_bits).collect();
        values.chain(states).map(|(name, tensor)| (name, bits(tensor))).collect()
    }
}

fn gradients(model: &dyn Layer, x: &Tensor, y: &Tensor, batch: &[usize]) -> BoxResult<Gradients> {
    let tape = Tape::new();
    let index = tape.labels(batch);
    let [x, y] = [x, y].map(|tensor| tape.constant(tensor).index_select(0, index));
    Ok((model.forward_train(x) - y).square().mean(..).backward()?)
}

#[test]
fn a_run_that_is_interrupted_anywhere_ends_as_one_that_is_not() {
    let whole = Folder::new("whole");
    let mut run = Run::new(1);
    let expected = run.fit(&whole.0, 4, None);
    assert_eq!((expected.stopped, expected.steps), (Stopped::Finished, 12));
    let bits = run.bits();
    // Within an epoch, at its end, at the first step, and one behind another.
    for interrupts in [vec![1], vec![3], vec![4], vec![2, 1, 5], vec![12]] {
        let folder = Folder::new("parts");
        for (i, &steps) in interrupts.iter().enumerate() {
            // Another seed each time: everything that matters comes from the file.
            let seed = if i == 0 { 1 } else { 50 + i as u64 };
            let outcome = Run::new(seed).fit(&folder.0, 4, Some(steps));
            assert!(outcome.history.len() < 4 || steps == 12, "{outcome:?}");
        }
        let mut resumed = Run::new(9);
        let outcome = resumed.fit(&folder.0, 4, None);
        assert_eq!(outcome, expected, "{interrupts:?}");
        assert_eq!(resumed.bits(), bits, "{interrupts:?}");
        for name in ["last.safetensors", "best.safetensors"] {
            let read = |folder: &Folder| std::fs::read(folder.0.join(name)).unwrap();
            assert!(read(&folder) == read(&whole), "{name} {interrupts:?}");
        }
    }
}

#[test]
fn more_epochs_go_on_from_a_finished_run_and_a_checkpoint_has_its_metadata() {
    let folder = Folder::new("more");
    let first = Run::new(1).fit(&folder.0, 2, None);
    let second = Run::new(1).fit(&folder.0, 2, None);
    assert_eq!(first, second);
    let third = Run::new(1).fit(&folder.0, 3, None);
    assert_eq!((third.history.len(), third.history[..2] == first.history[..]), (3, true));
    let other = Run::new(2);
    let metadata = load(&other.model, folder.0.join("best.safetensors")).unwrap();
    assert_eq!(metadata, [("task".to_owned(), "sinus".to_owned())].into());
}

#[test]
fn the_best_checkpoint_has_the_averages_that_were_validated() {
    let folder = Folder::new("best");
    let mut run = Run::new(1);
    let outcome = run.fit(&folder.0, 3, None);
    let Best { figure, .. } = outcome.best.unwrap();
    load(&run.model, folder.0.join("best.safetensors")).unwrap();
    let tape = Tape::new();
    let output = run.model.forward(tape.constant(&run.x));
    let error = (output - tape.constant(&run.y)).square().mean(..).item().unwrap();
    assert_eq!(error.to_bits(), figure.to_bits());
}

/// What the parent kills: it trains and saves without a pause, slowly enough to be met anywhere.
#[test]
#[ignore = "the child of the test below"]
fn child() {
    let Some(folder) = std::env::var_os("LOSSGRAPH_FIT_CHILD") else { return };
    Run::new(1).fit(Path::new(&folder), 400, None);
}

#[test]
fn a_process_that_is_killed_loses_at_most_an_epoch_and_no_checkpoint() {
    let folder = Folder::new("killed");
    let last = folder.0.join("last.safetensors");
    let epochs = || {
        let checkpoint = Checkpoint::read(&last).unwrap();
        let counts = &checkpoint.tensors["lossgraph/parts/progress/counts"];
        counts.to_f64s()[0] as usize
    };
    let mut reached = 0;
    for kill in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "fit::child", "--ignored"])
            .env("LOSSGRAPH_FIT_CHILD", &folder.0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // After it has gone on for some epochs, at no moment in particular: that of a write as well.
        while !last.exists() || epochs() <= reached {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_micros(700 * kill));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = epochs();
        assert!(now > reached);
        reached = now;
        // The best is a whole file, and is not of an epoch that the last one has not seen and lost.
        load(&Run::new(3).model, folder.0.join("best.safetensors")).unwrap();
    }
    let mut resumed = Run::new(9);
    let outcome = resumed.fit(&folder.0, reached + 2, None);
    let whole = Folder::new("not-killed");
    let mut run = Run::new(1);
    assert_eq!(outcome, run.fit(&whole.0, reached + 2, None));
    assert_eq!(resumed.bits(), run.bits());
}

/// A line through points, for trainings whose figures are given.
fn line() -> (Linear, Box<dyn Optimize>) {
    let model = Linear::of(Tensor::from([[0.0_f32]]), None);
    let sgd = optimizer::named("sgd").unwrap().over(&model, &[("lr", "0.1")]).unwrap();
    (model, sgd)
}

fn one_batch(_: usize) -> BoxResult<[BoxResult<f64>; 1]> {
    Ok([Ok(1.0)])
}

fn towards(model: &Linear, target: f64) -> BoxResult<Gradients> {
    let tape = Tape::new();
    let output = model.forward_train(tape.constant([[1.0]]));
    Ok((output - target).square().mean(..).backward()?)
}

#[test]
fn a_training_stops_when_its_figure_does_not_get_better() {
    let (model, mut sgd) = line();
    let figures = [0.1, 0.4, 0.3, 0.4, 0.39, 0.9];
    let mut next = figures.into_iter();
    let outcome = Fit::new(&model, &mut *sgd)
        .epochs(6)
        .monitor("accuracy", Goal::Maximize)
        .patience(3)
        .validate(|| Ok(vec![("loss", 1.0), ("accuracy", next.next().unwrap())]))
        .run(one_batch, |target| towards(&model, *target))
        .unwrap();
    assert_eq!(outcome.stopped, Stopped::Early);
    assert_eq!(outcome.best, Some(Best { epoch: 1, figure: 0.4 }));
    assert_eq!(outcome.history.len(), 5);
    assert_eq!(outcome.history[2].figure("accuracy"), Some(0.3));
}

#[test]
fn a_figure_that_is_nan_is_never_the_best() {
    let (model, mut sgd) = line();
    let mut next = [f64::NAN, 2.0, f64::NAN].into_iter();
    let outcome = Fit::new(&model, &mut *sgd)
        .epochs(3)
        .validate(|| Ok(vec![("loss", next.next().unwrap())]))
        .run(one_batch, |target| towards(&model, *target))
        .unwrap();
    assert_eq!(outcome.best, Some(Best { epoch: 1, figure: 2.0 }));
}

#[test]
fn a_plateau_takes_the_figure_of_each_epoch() {
    let (model, mut sgd) = line();
    let plateau = ReduceOnPlateau { patience: 0, factor: 0.5, ..ReduceOnPlateau::default() };
    let outcome = Fit::new(&model, &mut *sgd)
        .epochs(4)
        .schedule(plateau, Every::Epoch)
        .validate(|| Ok(vec![("loss", 1.0)]))
        .run(one_batch, |target| towards(&model, *target))
        .unwrap();
    let lrs: Vec<f64> = outcome.history.iter().map(|epoch| epoch.lr).collect();
    assert_eq!(lrs, [0.1, 0.1, 0.05, 0.025]);
}

#[test]
fn a_schedule_observes_the_figure_that_it_is_told_to() {
    let (model, mut sgd) = line();
    let plateau = ReduceOnPlateau { patience: 0, factor: 0.5, ..ReduceOnPlateau::default() };
    let mut accuracies = [0.1, 0.2, 0.3, 0.4].into_iter();
    let outcome = Fit::new(&model, &mut *sgd)
        .epochs(4)
        .schedule(plateau, Every::Epoch)
        // The loss falls with every epoch; the accuracy, which grows, would halve the rate.
        .schedule_figure("loss")
        .monitor("accuracy", Goal::Maximize)
        .validate(|| Ok(vec![("accuracy", accuracies.next().unwrap())]))
        .run(one_batch, |target| towards(&model, *target))
        .unwrap();
    assert!(outcome.history.iter().all(|epoch| epoch.lr == 0.1), "{:?}", outcome.history);
    assert_eq!(outcome.best, Some(Best { epoch: 3, figure: 0.4 }));
}

#[test]
fn a_run_goes_on_from_a_checkpoint_of_any_name() {
    let (folder, other) = (Folder::new("named"), Folder::new("elsewhere"));
    Run::new(1).fit(&folder.0, 2, None);
    let kept = folder.0.join("kept.safetensors");
    std::fs::copy(folder.0.join(LAST), &kept).unwrap();
    let (model, mut sgd) = line();
    let step = |target: &f64| towards(&model, *target);
    let error = Fit::new(&model, &mut *sgd).resume_from(&kept).run(one_batch, step).unwrap_err();
    assert!(error.to_string().contains("it is of another model"), "{error}");
    let missing = folder.0.join("none.safetensors");
    let error = Fit::new(&model, &mut *sgd).resume_from(missing).run(one_batch, step).unwrap_err();
    assert!(error.to_string().contains("there is no such file"), "{error}");
    Fit::new(&model, &mut *sgd).epochs(2).checkpoints(&other.0).run(one_batch, step).unwrap();
    let weight = model.weight().value().to_f64s();
    let (model, mut sgd) = line();
    let step = |target: &f64| towards(&model, *target);
    let resumed = Fit::new(&model, &mut *sgd).epochs(3).resume_from(other.0.join(LAST));
    let outcome = resumed.run(one_batch, step).unwrap();
    assert_eq!((outcome.history.len(), outcome.steps), (3, 3));
    assert!(model.weight().value().to_f64s() > weight);
}

#[test]
fn a_checkpoint_that_lies_about_its_progress_is_refused() {
    let folder = Folder::new("lies");
    let (model, mut sgd) = line();
    let step = |target: &f64| towards(&model, *target);
    Fit::new(&model, &mut *sgd).epochs(2).checkpoints(&folder.0).run(one_batch, step).unwrap();
    let whole = Checkpoint::read(folder.0.join(LAST)).unwrap();
    for (name, lie) in [
        ("counts", Tensor::from([7_i64, 0, 2])),
        ("counts", Tensor::from([-1_i64, 0, 2])),
        ("history", Tensor::from([1.0])),
        ("history", Tensor::from([0.0; 7])),
        ("best", Tensor::from([9.0, 1.0])),
        ("best", Tensor::from([1.0])),
    ] {
        let mut checkpoint = whole.clone();
        checkpoint.tensors.insert(format!("lossgraph/parts/progress/{name}"), lie);
        checkpoint.write(folder.0.join(LAST)).unwrap();
        let resumed = Fit::new(&model, &mut *sgd).checkpoints(&folder.0).resume();
        let error = resumed.run(one_batch, step).unwrap_err().to_string();
        assert!(error.contains("no state of a training by `fit`"), "{name}: {error}");
    }
}

#[test]
fn batches_that_are_accumulated_are_one_batch() {
    let run = |batches: Vec<Vec<f64>>, accumulate: usize| {
        let (model, mut sgd) = line();
        let outcome = Fit::new(&model, &mut *sgd)
            .epochs(2)
            .accumulate(accumulate)
            .run(
                |_| Ok(batches.clone().into_iter().map(Ok)),
                |batch| {
                    let tape = Tape::new();
                    let x = tape.constant(vec![[1.0]; batch.len()]);
                    let targets: Vec<[f64; 1]> = batch.iter().map(|&y| [y]).collect();
                    let output = model.forward_train(x) - tape.constant(Tensor::from(targets));
                    Ok(output.square().mean(..).backward()?)
                },
            )
            .unwrap();
        (outcome.steps, model.weight().value().to_f64s()[0])
    };
    let whole = run(vec![vec![1.0, 2.0, 3.0, 6.0]], 1);
    let parts = run(vec![vec![1.0], vec![2.0], vec![3.0], vec![6.0]], 4);
    assert_eq!(whole.0, parts.0);
    assert!((whole.1 - parts.1).abs() < 1e-6, "{whole:?} {parts:?}");
}

#[test]
fn an_error_says_in_which_epoch_and_behind_which_batch_it_was() {
    let (model, mut sgd) = line();
    let batches = |epoch: usize| Ok((0..3).map(move |i| Ok((epoch, i))));
    let step = |batch: &(usize, usize)| match batch {
        (1, 2) => Err("the picture is torn".into()),
        _ => towards(&model, 1.0),
    };
    let error = Fit::new(&model, &mut *sgd).run(batches, step).unwrap_err();
    assert_eq!(error.to_string(), "epoch 1, behind batch 2: the picture is torn");
    let nan = |_: &(usize, usize)| towards(&model, f64::NAN);
    let error = Fit::new(&model, &mut *sgd).run(batches, nan).unwrap_err();
    let Error::Fit { epoch: 0, batch: 0, source } = error else { panic!("{error}") };
    assert!(matches!(*source, Error::NotFinite { .. }));
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let (model, mut sgd) = line();
    let step = |target: &f64| towards(&model, *target);
    let none = |_: usize| -> BoxResult<[BoxResult<f64>; 0]> { Ok([]) };
    let error = Fit::new(&model, &mut *sgd).run(none, step);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("epoch 0 has no batches"), "{error}");
    assert!(Fit::new(&model, &mut *sgd).accumulate(0).run(one_batch, step).is_err());
    assert!(Fit::new(&model, &mut *sgd).resume().run(one_batch, step).is_err());
    let error = Fit::new(&model, &mut *sgd)
        .schedule(OneCycle::default(), Every::Step)
        .run(one_batch, step)
        .unwrap_err()
        .to_string();
    assert!(error.contains("its length in steps is 0, expected one that is given"), "{error}");
    let short = OneCycle { total_steps: Some(3), ..OneCycle::default() };
    let error = Fit::new(&model, &mut *sgd)
        .epochs(4)
        .schedule(short, Every::Epoch)
        .run(one_batch, |_| unreachable!("it is told before the first step"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("its length in epochs is 3, expected that of the training"), "{error}");
    let error = Fit::new(&model, &mut *sgd)
        .validate(|| Ok(vec![("accuracy", 1.0)]))
        .monitor("acuracy", Goal::Maximize)
        .run(one_batch, step)
        .unwrap_err()
        .to_string();
    assert!(error.contains("the nearest is `accuracy`"), "{error}");
}

#[test]
fn a_checkpoint_of_another_training_is_refused_and_stays() {
    let folder = Folder::new("other");
    Run::new(1).fit(&folder.0, 1, None);
    let path = folder.0.join("last.safetensors");
    let before = std::fs::read(&path).unwrap();
    let (model, mut sgd) = line();
    let error = Fit::new(&model, &mut *sgd)
        .checkpoints(&folder.0)
        .resume()
        .run(one_batch, |target| towards(&model, *target))
        .unwrap_err()
        .to_string();
    assert!(error.contains("it is of another model"), "{error}");
    assert!(std::fs::read(&path).unwrap() == before);
    // A damaged one is no reason to begin anew and to write over it.
    for length in [before.len() / 2, 0] {
        std::fs::write(&path, &before[..length]).unwrap();
        let error = Fit::new(&model, &mut *sgd)
            .checkpoints(&folder.0)
            .resume()
            .run(one_batch, |target| towards(&model, *target))
            .unwrap_err()
            .to_string();
        assert!(error.contains("a damaged one"), "{error}");
    }
}

#[test]
fn any_number_of_processes_trains_resumes_and_is_interrupted_with_the_same_bits() {
    let train = |size: usize,
                 interrupt: Option<usize>,
                 folder: &Path|
     -> Vec<(Outcome, Vec<u64>)> {
        std::thread::scope(|scope| {
            let spawn = |world: Local| {
                scope.spawn(move || {
                    use lossgraph_nn::parallel::Communicator;
                    let run = Run::new(if world.rank() == 0 { 1 } else { 2 });
                    let Run { model, mut optimizer, x, y, .. } = run;
                    let parallel = DataParallel::new(&world, 4).unwrap();
                    // The last process is told to stop, and the first one alone writes.
                    let last = world.rank() + 1 == size;
                    let (flag, steps) = (AtomicBool::new(false), AtomicUsize::new(0));
                    let outcome = Fit::new(&model, &mut *optimizer)
                        .epochs(3)
                        .checkpoints(folder)
                        .resume()
                        .interrupt(&flag)
                        .parallel(parallel)
                        .observe(|event| {
                            if let Event::Step { .. } = event {
                                let done = steps.fetch_add(1, Ordering::Relaxed) + 1;
                                flag.store(last && Some(done) == interrupt, Ordering::Relaxed);
                            }
                        })
                        // Process 0 alone validates; its figures are those of all.
                        .validate(|| Ok(vec![("loss", if world.rank() == 0 { 0.5 } else { 0.0 })]))
                        .run(
                            |epoch| {
                                let mut order: Vec<usize> = (0..EXAMPLES).collect();
                                order.shuffle(&mut epoch_rng(5, epoch));
                                let batches: Vec<_> = order.chunks(8).map(<[_]>::to_vec).collect();
                                Ok(batches.into_iter().map(Ok))
                            },
                            |batch: &Vec<usize>| {
                                Ok(parallel.backward(&model, batch.len(), |shard| {
                                    let rows = &batch[shard.rows()];
                                    gradients(&model, &x, &y, rows)
                                        .map_err(|error| Error::Parallel { why: error.to_string() })
                                })?)
                            },
                        )
                        .unwrap();
                    let values =
                        model.parameters().into_iter().flat_map(|(_, p)| p.value().to_f64s());
                    (outcome, values.map(f64::to_bits).collect())
                })
            };
            let threads: Vec<_> = Local::processes(size).into_iter().map(spawn).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    };
    let folder = Folder::new("alone");
    let alone = train(1, None, &folder.0).remove(0);
    assert_eq!(alone.0.history.len(), 3);
    for size in [2, 4] {
        let folder = Folder::new(&format!("of-{size}"));
        for (outcome, _) in train(size, Some(4), &folder.0) {
            assert_eq!((outcome.stopped, outcome.steps), (Stopped::Interrupted, 4));
        }
        for result in train(size, None, &folder.0) {
            assert_eq!(result, alone, "{size} processes");
        }
    }
}

#[test]
fn the_finder_leaves_all_as_it_was_and_finds_where_the_loss_falls() {
    let mut run = Run::new(4);
    let before = run.bits();
    let Run { model, optimizer, x, y, .. } = &mut run;
    let (model, x, y) = (&*model, &*x, &*y);
    let batches = |epoch| {
        let mut order: Vec<usize> = (0..EXAMPLES).collect();
        order.shuffle(&mut epoch_rng(5, epoch));
        let batches: Vec<Vec<usize>> = order.chunks(8).map(<[usize]>::to_vec).collect();
        Ok(batches.into_iter().map(Ok))
    };
    let finder = LrFinder { start: 1e-5, end: 100.0, ..LrFinder::default() };
    let curve =
        finder.run(model, &mut **optimizer, batches, |b| gradients(model, x, y, b)).unwrap();
    assert!(curve.lrs.len() > 20 && curve.lrs.len() == curve.losses.len());
    assert_eq!(curve.lrs[0], 1e-5);
    let suggestion = curve.suggestion().unwrap();
    assert!((1e-4..3.0).contains(&suggestion), "{suggestion}");
    assert!(run.bits() == before);
}

#[test]
fn the_suggestion_is_within_the_longest_fall() {
    let lrs: Vec<f64> = (0..12).map(|i| 10_f64.powi(i - 8)).collect();
    let smoothed = vec![5.0, 5.1, 5.0, 4.0, 3.0, 2.0, 1.0, 0.9, 3.0, 9.0, 20.0, 30.0];
    let curve = LrCurve { lrs: lrs.clone(), losses: smoothed.clone(), smoothed };
    // The fall is from step 0 or 1 to step 7; its middle is the steep part.
    let suggestion = curve.suggestion().unwrap();
    assert!((lrs[3]..=lrs[6]).contains(&suggestion), "{suggestion}");
    let flat = LrCurve { lrs, losses: vec![1.0; 12], smoothed: vec![1.0; 12] };
    assert_eq!((flat.suggestion(), flat.steepest()), (None, None));
}

#[test]
fn a_file_of_fit_is_a_training_and_a_model() {
    let folder = Folder::new("file");
    let mut run = Run::new(1);
    run.fit(&folder.0, 1, None);
    let error = Training::of(&run.model).load(folder.0.join("last.safetensors")).unwrap_err();
    assert!(error.to_string().contains("it has a state besides"), "{error}");
    load(&run.model, folder.0.join("last.safetensors")).unwrap();
}
