//! What formulas call the inputs and options of a loss.

use super::row::Loss;

/// What formulas call an input, by convention: the symbols that may stand for it, in LaTeX.
const INPUTS: [(&str, &[&str]); 25] = [
    ("prediction", &["p", r"\ell"]),
    ("target", &["t", "y", "q"]),
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
    ("weights", &["w"]),
    ("pos_weight", &["c"]),
    // A logarithm of a probability is no probability.
    ("log_p", &[r"\ell"]),
    ("pictures", &["p"]),
    ("distance", &["d"]),
    ("features", &["x"]),
    ("matrix", &["W"]),
    ("bias", &["b"]),
    ("signs", &["t"]),
];

/// The same for options, beside those that are called by their name, if that is a letter.
const OPTIONS: [(&str, &[&str]); 17] = [
    ("eps", &[r"\epsilon", r"\varepsilon"]),
    ("epsilon", &[r"\varepsilon"]),
    ("margin", &["m", r"\delta"]),
    ("temperature", &["T"]),
    ("smooth", &["s"]),
    ("scale", &["s", r"\alpha"]),
    ("quantile", &["q"]),
    ("power", &["k"]),
    ("l1_ratio", &["r"]),
    ("clip", &["c"]),
    ("log_zero", &["A"]),
    ("data_range", &["R"]),
    ("base", &[r"\lambda"]),
    ("la", &[r"\lambda"]),
    ("invariance", &[r"\lambda"]),
    ("variance", &[r"\mu"]),
    ("covariance", &[r"\nu"]),
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
        let is_input = self.inputs.iter().any(|input| input.name == name);
        let table: &[(&str, &[&str])] = if is_input { &INPUTS } else { &OPTIONS };
        let row = table.iter().find(|(each, _)| *each == name);
        let by_convention = row.iter().flat_map(|(_, symbols)| symbols.iter().copied());
        let own = [format!(r"\{name}"), name.to_owned()];
        let own = own.into_iter().filter(|symbol| {
            symbol.starts_with('\\') || (!is_input && symbol.chars().count() == 1)
        });
        by_convention.map(str::to_owned).chain(own).find(|symbol| {
            // An exponent `p` is not the `p` of an input.
            let taken = || self.inputs.iter().any(|i| self.symbol(i.name).as_ref() == Some(symbol));
            self.writes(symbol) && (is_input || !taken())
        })
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
    fn an_option_has_no_symbol_of_an_input() {
        let triplet = find("triplet_margin").unwrap();
        assert_eq!(triplet.symbol("positive"), Some("p".to_owned()));
        assert_eq!(triplet.symbol("p"), None);
        assert_eq!(find("multi_margin").unwrap().symbol("p"), Some("p".to_owned()));
    }

    /// Names of letters in LaTeX, and the letters.
    const GREEK: [(&str, char); 19] = [
        ("alpha", 'α'),
        ("beta", 'β'),
        ("gamma", 'γ'),
        ("delta", 'δ'),
        ("Delta", 'Δ'),
        ("epsilon", 'ϵ'),
        ("varepsilon", 'ε'),
        ("lambda", 'λ'),
        ("mu", 'μ'),
        ("nu", 'ν'),
        ("omega", 'ω'),
        ("psi", 'ψ'),
        ("rho", 'ρ'),
        ("sigma", 'σ'),
        ("theta", 'θ'),
        ("ell", 'ℓ'),
        ("phi", 'φ'),
        ("tau", 'τ'),
        ("kappa", 'κ'),
    ];

    /// The letters of a formula but for subscripts, words and what has a fixed meaning.
    fn letters(latex: &str) -> Vec<(String, char)> {
        let mut found = Vec::new();
        let mut rest = latex;
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            match c {
                '_' => rest = past_group(rest),
                '\\' => {
                    let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
                    let (name, after) = rest.split_at(end);
                    rest = after;
                    if ["mathrm", "operatorname", "text", "begin", "end", "mathcal"].contains(&name)
                    {
                        rest = past_group(rest);
                    }
                    if let Some((_, letter)) = GREEK.iter().find(|(each, _)| *each == name) {
                        found.push((format!("\\{name}"), *letter));
                    }
                }
                // Euler's number.
                'e' => {}
                c if c.is_alphabetic() => found.push((c.to_string(), c)),
                _ => {}
            }
        }
        found
    }

    /// What comes after a group in braces, or after one letter or command.
    fn past_group(text: &str) -> &str {
        let mut depth = 0;
        for (at, c) in text.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                '\\' if depth == 0 => {
                    let name = text[at + 1..].find(|c: char| !c.is_alphabetic());
                    return &text[name.map_or(text.len(), |end| at + 1 + end)..];
                }
                _ => {}
            }
            if depth == 0 {
                return &text[at + c.len_utf8()..];
            }
        }
        ""
    }

    #[test]
    fn every_letter_of_a_formula_is_an_input_an_option_an_index_or_explained() {
        assert_eq!(letters(r"w_{y_i} e^{\mathrm{TP}}_\pi \rho").len(), 2);
        for loss in crate::ALL {
            let inputs = loss.inputs.iter().map(|input| input.name);
            let names = inputs.chain(loss.options.iter().map(|choice| choice.name));
            let symbols: Vec<String> = names.filter_map(|name| loss.symbol(name)).collect();
            let defined: Vec<&str> = loss.latex.split(r"\quad").skip(1).map(str::trim).collect();
            for (symbol, letter) in letters(loss.latex) {
                let is_explained = symbols.iter().any(|each| each.starts_with(&symbol))
                    || ['i', 'j', 'k', 'n'].contains(&letter)
                    || loss.letters.iter().any(|(letters, _)| letters.contains(letter))
                    || defined
                        .iter()
                        .any(|each| each.trim_start_matches(r"\hat{").starts_with(&symbol));
                assert!(is_explained, "{}: {letter} in {}", loss.name, loss.latex);
            }
        }
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
