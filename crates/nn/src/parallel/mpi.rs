//! Processes of one or more machines, over the MPI library that is installed.

use std::fmt::{self, Display};
use std::time::Duration;

use lossgraph_tensor::kernels::threads;
use mpi::Threading;
use mpi::environment::{Universe, initialize_with_threading, processor_name};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, CommunicatorCollectives as _, Root as _};

use super::Communicator;
use crate::error::{Error, Result};

/// The processes that `mpirun` or `srun` started.
pub struct Mpi {
    world: SimpleCommunicator,
    rank: usize,
    size: usize,
    host: String,
}

/// Runs a program as one of the processes that `mpirun` or `srun` started; by itself, it is the only
/// one.
///
/// A process that returns an error, panics or is killed ends them all: of an error, its name is told
/// on standard error. Where several processes share a machine, each uses one thread, unless
/// `LOSSGRAPH_THREADS` says how many.
///
/// ```no_run
/// use lossgraph_nn::parallel::{DataParallel, mpi};
///
/// fn main() -> lossgraph_nn::Result<()> {
///     mpi::run(|world| {
///         let parallel = DataParallel::new(world, 8)?;
///         // the model, `parallel.broadcast`, and steps by `parallel.backward`
///         Ok(())
///     })
/// }
/// ```
///
/// # Errors
/// That of the program, if there is one process; an MPI library that is running already, or that
/// cannot be used beside threads.
pub fn run<R, E: Display + From<Error>>(
    program: impl FnOnce(&Mpi) -> std::result::Result<R, E>,
) -> std::result::Result<R, E> {
    let fail = |why: &str| Error::Parallel { why: why.to_owned() };
    // Threads compute, and the one that began sends and receives.
    let (universe, threading) = initialize_with_threading(Threading::Funneled)
        .ok_or_else(|| fail("MPI is running already: `mpi::run` is called once in a process"))?;
    if threading < Threading::Funneled {
        return Err(fail("the MPI library cannot be used by a program with threads").into());
    }
    let world = Mpi::of(&universe);
    let neighbors = universe.world().split_shared(0).size();
    if neighbors > 1 && std::env::var_os("LOSSGRAPH_THREADS").is_none() {
        threads::set(1);
    }
    let guard = Panicking(&world);
    let result = program(&world);
    std::mem::forget(guard);
    match result {
        Err(error) if world.size > 1 => world.end(&error),
        result => result,
    }
}

impl Mpi {
    fn of(universe: &Universe) -> Mpi {
        let world = universe.world();
        let [rank, size] =
            [world.rank(), world.size()].map(|count| usize::try_from(count).unwrap_or(0));
        let host = processor_name().unwrap_or_else(|_| "an unnamed machine".to_owned());
        Mpi { world, rank, size, host }
    }

    /// Ends all processes, and tells why.
    fn end(&self, why: &dyn Display) -> ! {
        if self.rank > 0 {
            // Where all met the same error, it is told once.
            std::thread::sleep(Duration::from_secs(5));
        }
        eprintln!("error: {why}\n{} ends the run", self.name());
        self.world.abort(1)
    }
}

/// Ends all processes where this one panics.
struct Panicking<'a>(&'a Mpi);

impl Drop for Panicking<'_> {
    fn drop(&mut self) {
        self.0.end(&"a panic, told above");
    }
}

impl fmt::Debug for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

// The library ends the run on an error of its own, so that there is none to return.
impl Communicator for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()> {
        self.world.process_at_rank(root as i32).broadcast_into(bytes);
        Ok(())
    }

    fn allgather(&self, own: &[u8]) -> Result<Vec<u8>> {
        let mut all = vec![0; own.len() * self.size];
        self.world.all_gather_into(own, &mut all[..]);
        Ok(all)
    }

    fn alltoall(&self, own: &[u8]) -> Result<Vec<u8>> {
        let mut received = vec![0; own.len()];
        self.world.all_to_all_into(own, &mut received[..]);
        Ok(received)
    }

    fn name(&self) -> String {
        format!("process {} of {}, on {}", self.rank, self.size, self.host)
    }
}
