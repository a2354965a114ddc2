//! The checkpoints of a training.

use std::path::Path;

use super::event::Event;
use super::progress::Progress;
use super::{Every, Fit, Resume};
use crate::checkpoint::{Checkpoint, Stateful, Training};
use crate::error::{Error, Result};
use crate::schedule::Scheduler;

/// The name of the checkpoint to go on from.
pub const LAST: &str = "last.safetensors";

/// The name of the checkpoint to use: that of the best epoch.
pub const BEST: &str = "best.safetensors";

impl Fit<'_> {
    fn is_leader(&self) -> bool {
        self.parallel.as_ref().is_none_or(|parallel| parallel.world().is_leader())
    }

    /// Writes a checkpoint, if there is a folder for it. Within an epoch, parts have the state that
    /// they began it with.
    pub(super) fn save(
        &mut self,
        name: &str,
        progress: &Progress,
        scheduler: &mut Option<(Scheduler, Every)>,
        begun: Option<&[Checkpoint]>,
    ) -> Result<()> {
        let Some(path) = self.folder.as_ref().map(|folder| folder.join(name)) else {
            return Ok(());
        };
        let saved =
            if self.is_leader() { self.write(&path, progress, scheduler, begun) } else { Ok(()) };
        match &self.parallel {
            Some(parallel) => parallel.all_ok(saved)?,
            None => saved?,
        }
        (self.observe)(&Event::Saved(&path));
        Ok(())
    }

    fn write(
        &mut self,
        path: &Path,
        progress: &Progress,
        scheduler: &mut Option<(Scheduler, Every)>,
        begun: Option<&[Checkpoint]>,
    ) -> Result<()> {
        if let Some(folder) = path.parent() {
            let failed = |error: std::io::Error| {
                let why = format!("the folder cannot be made: {error}");
                Error::File { path: folder.to_owned(), why }
            };
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let metadata = self.metadata.clone();
        let metadata: Vec<(&str, &str)> =
            metadata.iter().map(|(key, value)| (&key[..], &value[..])).collect();
        let mut progress = progress.clone();
        let mut held: Vec<Held> = begun.into_iter().flatten().cloned().map(Held).collect();
        self.training(&mut progress, scheduler, &mut held).save(&metadata, path)
    }

    /// All that a checkpoint has. What is held stands for the parts, where it is given.
    fn training<'s>(
        &'s mut self,
        progress: &'s mut Progress,
        scheduler: &'s mut Option<(Scheduler, Every)>,
        held: &'s mut [Held],
    ) -> Training<'s> {
        let mut training = Training::of(self.model)
            .with("optimizer", &mut *self.optimizer)
            .with("progress", progress);
        if let Some((scheduler, _)) = scheduler {
            training = training.with("schedule", scheduler);
        }
        if let Some(average) = &mut self.average {
            training = training.with("average", &mut **average);
        }
        let mut held = held.iter_mut();
        for (name, part) in &mut self.parts {
            training = match held.next() {
                Some(held) => training.with(name, held),
                None => training.with(name, &mut **part),
            };
        }
        training
    }

    /// Goes on from a checkpoint, if that is wanted and there is one.
    pub(super) fn go_on(
        &mut self,
        progress: &mut Progress,
        scheduler: &mut Option<(Scheduler, Every)>,
    ) -> Result<()> {
        let path = match (&self.resume, &self.folder) {
            (Resume::From(path), _) => path.clone(),
            (Resume::Last, Some(folder)) => folder.join(LAST),
            _ => return Ok(()),
        };
        let bytes = match (self.read(&path)?, &self.resume) {
            (Some(bytes), _) => bytes,
            (None, Resume::From(_)) => {
                return Err(Error::File { path, why: "there is no such file".to_owned() });
            }
            (None, _) => return Ok(()),
        };
        self.training(progress, scheduler, &mut []).load_bytes(&path, &bytes)?;
        match scheduler {
            Some((scheduler, _)) => scheduler.apply(self.optimizer),
            None => Ok(()),
        }
    }

    /// The bytes of a file, as process 0 has it; `None` if there is none.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        // A first byte tells an empty file, which is damaged, from none.
        let read = || match std::fs::read(path) {
            Ok(bytes) => Ok([&[1], &bytes[..]].concat()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => {
                let why = format!("it cannot be read: {error}");
                Err(Error::File { path: path.to_owned(), why })
            }
        };
        let bytes = match &self.parallel {
            None => read()?,
            Some(parallel) => {
                let own = if self.is_leader() { read() } else { Ok(Vec::new()) };
                parallel.from_leader(parallel.all_ok(own)?)?
            }
        };
        Ok(bytes.split_first().map(|(_, bytes)| bytes.to_vec()))
    }
}

/// The state that a part had.
struct Held(Checkpoint);

impl Stateful for Held {
    fn state_dict(&self) -> Checkpoint {
        self.0.clone()
    }

    fn load_state_dict(&mut self, state: &Checkpoint) -> Result<()> {
        self.0 = state.clone();
        Ok(())
    }
}
