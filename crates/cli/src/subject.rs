//! Which loss a command is about, and in which setting.

use std::collections::HashSet;

use clap::Args;
use lossgraph_losses::{Loss, UnknownLoss, find};

/// The options of a loss, as all commands take them.
#[derive(Args, Clone, Debug, Default)]
pub struct Setting {
    /// Options of the loss: NAME=VALUE, or the name alone of a flag or of a tensor that is an option. A
    /// training takes such a tensor as numbers, one for each class: weight=1,2.5,1. `lossgraph losses
    /// LOSS` lists them.
    #[arg(long, num_args = 1.., value_name = "NAME=VALUE")]
    set: Vec<String>,
}

impl Setting {
    /// Of some words.
    pub fn of(set: Vec<String>) -> Setting {
        Setting { set }
    }

    /// As `Loss::setting` reads it: `delta=2 weight`.
    ///
    /// # Errors
    /// An option that is said twice.
    pub fn text(&self) -> Result<String, String> {
        // A list is one word, however it is written: `weight=[1, 2]`.
        let is_list = |word: &&String| word.contains("=[");
        let plain = |word: &String| match is_list(&word) {
            true => word.split_whitespace().collect(),
            false => word.clone(),
        };
        let text = self.set.iter().map(plain).collect::<Vec<String>>().join(" ");
        let mut names = HashSet::new();
        let mut said = text.split_whitespace().map(|word| word.split('=').next().unwrap_or(word));
        match said.find(|name| !names.insert(*name)) {
            Some(twice) => Err(format!("--set: `{twice}` is said twice")),
            None => Ok(text),
        }
    }

    /// As they were given.
    pub fn words(&self) -> &[String] {
        &self.set
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }
}

/// The loss with a name; else what to do about it, also for a loss that is not in the catalogue.
/// `own` says how to do the same for that.
pub fn named(name: &str, own: &str) -> Result<&'static Loss, String> {
    find(name).map_err(|UnknownLoss { nearest, .. }| {
        let near = nearest.map(|nearest| format!("; the nearest is `{nearest}`, and"));
        let near = near.unwrap_or_else(|| ":".to_owned());
        format!(
            "there is no loss `{name}`{near} `lossgraph losses` lists all\n\
             for a loss of your own, {own}"
        )
    })
}
