//! Formulas: LaTeX as MathML, which browsers draw by themselves.

use pulldown_latex::{Parser, RenderConfig, Storage, push_mathml};

use super::Result;

/// A formula as an element of MathML.
pub fn mathml(latex: &str) -> Result<String> {
    let storage = Storage::new();
    let events = Parser::new(latex, &storage).collect::<std::result::Result<Vec<_>, _>>();
    let events = events.map_err(|error| format!("the formula {latex} cannot be read: {error}"))?;
    let mut text = String::new();
    let none = events.into_iter().map(Ok::<_, std::convert::Infallible>);
    push_mathml(&mut text, none, RenderConfig::default())?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use lossgraph_losses::ALL;

    use super::*;

    #[test]
    fn the_formula_of_every_loss_can_be_drawn() {
        for loss in ALL {
            let text = mathml(loss.latex).unwrap_or_else(|error| panic!("{}: {error}", loss.name));
            assert!(text.starts_with("<math") && !text.contains("merror"), "{}: {text}", loss.name);
            assert!(!text.contains('\\'), "a command was left as text in {}: {text}", loss.name);
        }
    }

    #[test]
    fn what_is_no_latex_is_an_error() {
        assert!(mathml(r"\frac{1}{").is_err());
    }
}
