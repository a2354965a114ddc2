//! How far a training is, as a part of its checkpoints.

use lossgraph_tensor::Tensor;

use super::event::{Best, Epoch};
use crate::checkpoint::{Checkpoint, Stateful};
use crate::error::{Error, Result};

/// How far a training is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    /// The epoch that runs, or comes next.
    pub epoch: usize,
    /// How many of its batches were seen.
    pub batch: usize,
    /// The sum of their losses.
    pub loss: f64,
    /// The learning rate of the last step.
    pub lr: f64,
    /// How many steps were taken in all.
    pub steps: usize,
    pub history: Vec<Epoch>,
    pub best: Option<Best>,
}

const NAME: &str = "progress";

impl Progress {
    /// For how many epochs no better figure came.
    pub fn stale(&self) -> usize {
        self.best.map_or(self.epoch, |best| self.epoch - 1 - best.epoch)
    }

    /// The names of the figures, which are those of every epoch.
    fn names(&self) -> Vec<&str> {
        let first = self.history.first();
        first.map_or(Vec::new(), |epoch| epoch.figures.iter().map(|(name, _)| &name[..]).collect())
    }

    /// Ends an epoch.
    ///
    /// # Errors
    /// Figures of other names than those of the epochs before.
    pub fn push(&mut self, epoch: Epoch) -> Result<()> {
        let given: Vec<&str> = epoch.figures.iter().map(|(name, _)| &name[..]).collect();
        if !self.history.is_empty() && self.names() != given {
            let why = format!(
                "the figures of validation are {given:?}, and were {:?} before",
                self.names()
            );
            return Err(Error::StateDict { subject: "fit", why });
        }
        self.history.push(epoch);
        (self.epoch, self.batch, self.loss) = (self.epoch + 1, 0, 0.0);
        Ok(())
    }
}

/// The columns of the history before the figures.
const COLUMNS: usize = 3;

impl Stateful for Progress {
    fn state_dict(&self) -> Checkpoint {
        let mut state = Checkpoint::default();
        let mut put = |name: &str, tensor: Tensor| state.tensors.insert(name.to_owned(), tensor);
        put("counts", Tensor::from([self.epoch, self.batch, self.steps].map(|n| n as i64)));
        put("epoch", Tensor::from([self.loss, self.lr]));
        let best = self.best.map(|best| vec![best.epoch as f64, best.figure]);
        put("best", Tensor::from(best.unwrap_or_default()));
        let rows = self.history.iter().flat_map(|epoch| {
            let own = [epoch.steps as f64, epoch.loss, epoch.lr];
            own.into_iter().chain(epoch.figures.iter().map(|(_, figure)| *figure))
        });
        put("history", Tensor::from(rows.collect::<Vec<f64>>()));
        state.metadata.insert("figures".to_owned(), self.names().join("\n"));
        state
    }

    fn load_state_dict(&mut self, state: &Checkpoint) -> Result<()> {
        let read = || {
            let get = |name: &str| Some(state.tensors.get(name)?.to_f64s());
            let names: Vec<&str> = state.metadata.get("figures")?.lines().collect();
            let [epoch, batch, steps] = get("counts")?[..] else { return None };
            let [loss, lr] = get("epoch")?[..] else { return None };
            let (rows, width) = (get("history")?, COLUMNS + names.len());
            if rows.len() as f64 != epoch * width as f64 {
                return None;
            }
            let rows = rows.chunks_exact(width).enumerate().map(|(epoch, row)| {
                let figures = names.iter().map(|name| name.to_string());
                let figures = figures.zip(row[COLUMNS..].iter().copied()).collect();
                Epoch { epoch, steps: row[0] as usize, loss: row[1], lr: row[2], figures }
            });
            let best = match get("best")?[..] {
                [] => None,
                [best, figure] if (0.0..epoch).contains(&best) => {
                    Some(Best { epoch: best as usize, figure })
                }
                _ => return None,
            };
            Some(Progress {
                epoch: epoch as usize,
                batch: batch as usize,
                steps: steps as usize,
                loss,
                lr,
                history: rows.collect(),
                best,
            })
        };
        let why = "it is no state of a training by `fit`".to_owned();
        *self = read().ok_or(Error::StateDict { subject: NAME, why })?;
        Ok(())
    }
}
