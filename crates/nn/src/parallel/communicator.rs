//! How processes exchange bytes, and processes that are threads of one.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use crate::error::{Error, Result};

/// The processes of a run, as one of them sees them. All call the same methods in the same order,
/// with messages of the same length.
///
/// Numbers are sent as their bytes: the machines have one byte order.
pub trait Communicator {
    /// The number of this process, from 0 on.
    fn rank(&self) -> usize;

    /// How many processes there are.
    #[doc(alias = "world_size")]
    fn size(&self) -> usize;

    /// Gives all processes the bytes that process `root` has.
    ///
    /// # Errors
    /// A process that has ended.
    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()>;

    /// What each process gives, in the order of their numbers.
    ///
    /// # Errors
    /// A process that has ended.
    #[doc(alias = "all_gather")]
    fn allgather(&self, own: &[u8]) -> Result<Vec<u8>>;

    /// Sends a piece to each process: `own` has them in the order of their numbers, all of one length.
    /// Gives the pieces that they send to this one.
    ///
    /// # Errors
    /// A process that has ended.
    #[doc(alias = "all_to_all")]
    fn alltoall(&self, own: &[u8]) -> Result<Vec<u8>>;

    /// The name of this process in messages.
    fn name(&self) -> String {
        format!("process {} of {}", self.rank(), self.size())
    }

    /// Whether this is process 0, the one that prints and writes files.
    fn is_leader(&self) -> bool {
        self.rank() == 0
    }
}

/// One process, or several that are threads of one: for tests, and for programs that run with MPI
/// and without.
///
/// ```
/// use lossgraph_nn::parallel::{Communicator, Local};
///
/// std::thread::scope(|scope| {
///     for world in Local::processes(4) {
///         scope.spawn(move || {
///             let all = world.allgather(&[world.rank() as u8]).unwrap();
///             assert_eq!(all, [0, 1, 2, 3]);
///         });
///     }
/// });
/// ```
pub struct Local {
    rank: usize,
    size: usize,
    meeting: Arc<Meeting>,
}

/// Where the threads meet: all give a message, and then all take those of all.
#[derive(Default)]
struct Meeting {
    round: Mutex<Round>,
    changed: Condvar,
}

#[derive(Default)]
struct Round {
    given: Vec<Option<Arc<[u8]>>>,
    taken: usize,
    ended: Option<usize>,
}

impl Local {
    /// The only process.
    pub fn alone() -> Local {
        Local { rank: 0, size: 1, meeting: Meeting::of(1) }
    }

    /// So many processes, each for a thread of its own.
    pub fn processes(size: usize) -> Vec<Local> {
        let meeting = Meeting::of(size);
        (0..size).map(|rank| Local { rank, size, meeting: Arc::clone(&meeting) }).collect()
    }

    /// The messages of all processes.
    fn exchange(&self, own: &[u8]) -> Result<Vec<Arc<[u8]>>> {
        let mut round = self.meeting.lock();
        // The messages of a round are there until all have taken them.
        while round.given[self.rank].is_some() {
            round = self.meeting.wait(round)?;
        }
        round.given[self.rank] = Some(own.into());
        self.meeting.changed.notify_all();
        let all = loop {
            match round.given.iter().cloned().collect::<Option<Vec<_>>>() {
                Some(all) => break all,
                None => round = self.meeting.wait(round)?,
            }
        };
        round.taken += 1;
        if round.taken == self.size {
            round.given.fill(None);
            round.taken = 0;
            self.meeting.changed.notify_all();
        }
        Ok(all)
    }
}

impl Meeting {
    fn of(size: usize) -> Arc<Meeting> {
        let meeting = Meeting::default();
        meeting.lock().given = vec![None; size];
        Arc::new(meeting)
    }

    fn lock(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait<'a>(&self, round: MutexGuard<'a, Round>) -> Result<MutexGuard<'a, Round>> {
        if let Some(rank) = round.ended {
            let why = format!("process {rank} has ended, and others wait for its message");
            return Err(Error::Parallel { why });
        }
        Ok(self.changed.wait(round).unwrap_or_else(|poisoned| poisoned.into_inner()))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        self.meeting.lock().ended.get_or_insert(self.rank);
        self.meeting.changed.notify_all();
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Communicator for Local {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn broadcast(&self, root: usize, bytes: &mut [u8]) -> Result<()> {
        let own: &[u8] = if self.rank == root { bytes } else { &[] };
        let all = self.exchange(own)?;
        bytes.copy_from_slice(of_length(&all[root], bytes.len())?);
        Ok(())
    }

    fn allgather(&self, own: &[u8]) -> Result<Vec<u8>> {
        let all = self.exchange(own)?;
        let messages: Vec<&[u8]> =
            all.iter().map(|message| of_length(message, own.len())).collect::<Result<_>>()?;
        Ok(messages.concat())
    }

    fn alltoall(&self, own: &[u8]) -> Result<Vec<u8>> {
        let all = self.exchange(own)?;
        let piece = own.len() / self.size;
        of_length(own, piece * self.size)?;
        let pieces = all.iter().map(|message| {
            let message = of_length(message, own.len())?;
            Ok(&message[self.rank * piece..(self.rank + 1) * piece])
        });
        Ok(pieces.collect::<Result<Vec<&[u8]>>>()?.concat())
    }
}

fn of_length(message: &[u8], expected: usize) -> Result<&[u8]> {
    if message.len() == expected {
        return Ok(message);
    }
    let why = format!("a message has {} bytes, expected {expected}", message.len());
    Err(Error::Parallel { why })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each of so many processes makes.
    fn each<R: Send>(size: usize, program: impl Fn(Local) -> R + Sync) -> Vec<R> {
        std::thread::scope(|scope| {
            let spawn = |world| scope.spawn(|| program(world));
            let threads: Vec<_> = Local::processes(size).into_iter().map(spawn).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn messages_of_many_rounds_come_in_the_order_of_the_processes() {
        each(3, |world| {
            for round in 0..200_u8 {
                let rank = world.rank() as u8;
                assert_eq!(
                    world.allgather(&[rank, round]).unwrap(),
                    [0, round, 1, round, 2, round]
                );
                let pieces = [0, 1, 2].map(|to| 10 * rank + to);
                assert_eq!(world.alltoall(&pieces).unwrap(), [rank, 10 + rank, 20 + rank]);
                let mut told = [rank];
                world.broadcast(2, &mut told).unwrap();
                assert_eq!(told, [2]);
            }
        });
    }

    #[test]
    fn who_waits_for_a_process_that_ended_is_told() {
        let told = each(3, |world| match world.rank() {
            1 => None,
            _ => Some(world.allgather(&[0]).unwrap_err().to_string()),
        });
        // The second one may wait for the first, which was told and ended.
        for told in told.into_iter().flatten() {
            assert!(told.contains("has ended, and others wait for its message"), "{told}");
        }
    }

    #[test]
    fn messages_of_different_lengths_are_refused() {
        let told =
            each(2, |world| world.allgather(&vec![0; world.rank()]).unwrap_err().to_string());
        assert_eq!(told[0], "data parallel: a message has 1 bytes, expected 0");
    }
}
