//! `mpirun lossgraph train`: the same bytes from any number of processes, and what a death leaves.
//!
//! Needs Open MPI: `cargo test --workspace --features lossgraph-cli/mpi --test mpi`.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use lossgraph_nn::Checkpoint;

/// A folder of one test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path =
            std::env::temp_dir().join(format!("lossgraph-mpi-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// `train` as so many processes, more than there are cores if need be.
    fn command(&self, processes: usize, arguments: &[&str]) -> Command {
        let mut command = Command::new("mpirun");
        command.current_dir(&self.0);
        // Containers mostly have no other user.
        command.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
        command.args(["-n", &processes.to_string(), "--oversubscribe"]);
        command.arg(env!("CARGO_BIN_EXE_lossgraph")).arg("train").args(arguments);
        command
    }

    /// The checkpoint of a training, and what it printed.
    fn train(&self, processes: usize, arguments: &[&str]) -> (Vec<u8>, String) {
        let output = self.command(processes, arguments).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        (self.checkpoint(arguments), text(&output.stdout))
    }

    fn checkpoint(&self, arguments: &[&str]) -> Vec<u8> {
        let task = if arguments.contains(&"embedding") { "embedding" } else { "classifier" };
        fs::read(self.0.join("out").join(format!("digits-{task}.safetensors"))).unwrap()
    }

    fn refused(&self, processes: usize, arguments: &[&str]) -> String {
        let Output { status, stderr, .. } = self.command(processes, arguments).output().unwrap();
        let told = text(&stderr);
        assert!(!status.success() && !told.contains("panicked"), "{arguments:?}: {told}");
        told
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_net_with_batch_norm_and_dropout_is_the_same_file_from_1_2_and_4_processes() {
    let folder = Folder::new("classifier");
    let arguments = ["--batch-norm", "--epochs", "2"];
    let (alone, _) = folder.train(1, &arguments);
    for processes in [2, 4] {
        let (bytes, printed) = folder.train(processes, &arguments);
        assert!(bytes == alone, "{processes} processes");
        // Process 0 alone prints.
        assert_eq!(printed.matches("digits to train on").count(), 1, "{printed}");
        assert!(printed.contains(&format!("8 shards, processes: {processes}")), "{printed}");
    }
    // Without a launcher, the number of shards is to be said.
    let mut command = Command::new(env!("CARGO_BIN_EXE_lossgraph"));
    command.current_dir(&folder.0).arg("train").args(arguments).args(["--shards", "8"]);
    assert!(command.output().unwrap().status.success());
    assert!(folder.checkpoint(&arguments) == alone);
}

#[test]
fn an_embedding_is_the_same_file_from_1_2_and_3_processes() {
    let folder = Folder::new("embedding");
    let arguments = ["--task", "embedding", "--epochs", "1", "--shards", "6", "--seed", "4"];
    let (alone, _) = folder.train(1, &arguments);
    for processes in [2, 3] {
        assert!(folder.train(processes, &arguments).0 == alone, "{processes} processes");
    }
}

#[test]
fn what_all_processes_refuse_is_told_once() {
    let folder = Folder::new("refused");
    for (processes, arguments, expected) in [
        (3, &[][..], "8 shards cannot be dealt to 3 processes evenly, expected a multiple of 3"),
        (2, &["--set", "label_smoothing=7"], "label_smoothing is 7"),
        (2, &["--loss", "mse", "--lr", "1e30"], "is not finite"),
    ] {
        let told = folder.refused(processes, arguments);
        assert_eq!(told.matches(expected).count(), 1, "{arguments:?}: {told}");
        assert!(told.contains(&format!("process 0 of {processes}")), "{told}");
    }
}

#[test]
fn an_error_of_the_process_that_writes_ends_the_others() {
    let folder = Folder::new("writes");
    fs::write(folder.0.join("file"), "no folder").unwrap();
    let told = folder.refused(2, &["--out", "file"]);
    assert!(told.contains("the folder file cannot be made"), "{told}");
    assert!(told.contains("process 0 of 2"), "{told}");
}

/// Waits for something that is to come.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(240), "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The processes that `mpirun` started, by their ranks.
fn children(of: u32) -> Vec<(String, String)> {
    let folders = fs::read_dir("/proc").unwrap().flatten();
    let child = |folder: fs::DirEntry| {
        let stat = fs::read_to_string(folder.path().join("stat")).ok()?;
        // The name of a program, in parentheses, may have spaces.
        let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.to_owned();
        let variables = text(&fs::read(folder.path().join("environ")).ok()?);
        let rank =
            variables.split('\0').find_map(|line| line.strip_prefix("OMPI_COMM_WORLD_RANK="))?;
        let pid = folder.file_name().to_string_lossy().into_owned();
        (parent == of.to_string()).then(|| (rank.to_owned(), pid))
    };
    folders.filter_map(child).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_process_that_is_killed_ends_the_run_with_its_name_and_leaves_the_checkpoint_whole() {
    let folder = Folder::new("killed");
    let mut command = folder.command(4, &["--epochs", "1000000", "--save-every", "1"]);
    let run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let file = folder.0.join("out/digits-classifier.safetensors");
    // The second checkpoint at least: one has been written over another.
    let epochs = || Checkpoint::read(&file).ok()?.metadata.get("epochs")?.parse::<u64>().ok();
    until("a checkpoint", || epochs().filter(|&epochs| epochs >= 2));
    let all = children(run.id());
    let mut ranks: Vec<&str> = all.iter().map(|(rank, _)| rank.as_str()).collect();
    ranks.sort_unstable();
    assert_eq!(ranks, ["0", "1", "2", "3"]);
    let (_, killed) = all.iter().find(|(rank, _)| rank == "2").unwrap();
    assert!(Command::new("kill").args(["-9", killed]).status().unwrap().success());
    let output = run.wait_with_output().unwrap();
    let told = text(&output.stderr);
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("process rank 2") && told.contains("signal 9"), "{told}");
    // Nobody trains on.
    until("the end of all", || {
        all.iter().all(|(_, pid)| !PathBuf::from(format!("/proc/{pid}")).exists()).then_some(())
    });
    let checkpoint = Checkpoint::read(&file).unwrap();
    assert!(checkpoint.metadata["epochs"].parse::<u64>().unwrap() >= 2);
    assert_eq!(checkpoint.tensors.len(), 4);
}
