//! What formulas call the inputs and options of a loss.

use super::row::Loss;

/// What an input is called in formulas, by convention: the symbols that may stand for it, in LaTeX.
const INPUTS: [(&str, &[&str]); 20] = [
    ("prediction", &["p"]),
    ("target", &["t", "y"]),
    ("targets", &["y"]),
    ("logits", &["z"]),
    ("labels", &["y"]),
    ("scores", &["s", "z"]),
    ("relevance", &["t"]),
    ("anchor", &["a"]),
    ("positive", &["p"]),
    ("negative", &["n"]),
    ("query", &["q"]),
    ("first", &["a"]),
    ("second", &["b"]),
    ("a", &["a"]),
    ("b", &["b"]),
    ("weight", &["w"]),
    ("pos_weight", &["c"]),
    ("log_p", &["p"]),
    ("log_rate", &["x"]),
    ("pictures", &["p"]),
];

/// The same for options, beside those that are called by the Greek letter of their name.
const OPTIONS: [(&str, &str); 6] = [
    ("eps", r"\epsilon"),
    ("margin", "m"),
    ("temperature", "T"),
    ("smooth", "s"),
    ("scale", "s"),
    ("quantile", "q"),
];

impl Loss {
    /// The symbol that the formula has for an input or an option, as LaTeX; `None` where it has none.
    ///
    /// ```
    /// use lossgraph_losses::find;
    ///
    /// let huber = find("huber").unwrap();
    /// assert_eq!(huber.symbol("prediction"), Some("p".to_owned()));
    /// assert_eq!(huber.symbol("delta"), Some(r"\delta".to_owned()));
    /// assert_eq!(huber.symbol("weight"), None);
    /// ```
    pub fn symbol(&self, name: &str) -> Option<String> {
        let inputs = INPUTS.iter().filter(|(each, _)| *each == name);
        let options = OPTIONS.iter().filter(|(each, _)| *each == name);
        let by_convention = inputs
            .flat_map(|(_, symbols)| symbols.iter().map(|&symbol| symbol.to_owned()))
            .chain(options.map(|&(_, symbol)| symbol.to_owned()));
        by_convention.chain([format!(r"\{name}")]).find(|symbol| self.writes(symbol))
    }

    /// Whether the formula has a symbol, not as a part of a word.
    fn writes(&self, symbol: &str) -> bool {
        let is_letter = |c: Option<char>| c.is_some_and(char::is_alphabetic);
        let is_command = |before: &str| {
            before.trim_end_matches(char::is_alphabetic).ends_with('\\')
                || before.trim_end_matches(char::is_alphabetic).ends_with("rm{")
        };
        self.latex.match_indices(symbol).any(|(at, _)| {
            let (before, after) = (&self.latex[..at], &self.latex[at + symbol.len()..]);
            !is_letter(after.chars().next())
                && !is_letter(before.chars().next_back())
                && !is_command(before)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::find;

    #[test]
    fn a_symbol_is_one_that_the_formula_has() {
        let of = |loss: &str, name: &str| find(loss).unwrap().symbol(name);
        assert_eq!(of("cross_entropy", "logits"), Some("z".to_owned()));
        assert_eq!(of("cross_entropy", "labels"), Some("y".to_owned()));
        assert_eq!(of("mse", "target"), Some("t".to_owned()));
        assert_eq!(of("cross_entropy", "ignore_index"), None);
    }

    #[test]
    fn no_two_inputs_of_a_loss_share_a_symbol() {
        for loss in crate::ALL {
            let needed = loss.inputs.iter().filter(|input| !input.optional);
            let mut symbols: Vec<String> = needed.filter_map(|i| loss.symbol(i.name)).collect();
            let count = symbols.len();
            symbols.sort();
            symbols.dedup();
            assert_eq!(symbols.len(), count, "{}", loss.name);
        }
    }
}
