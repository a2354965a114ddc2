//! `docs/functions.md`: every function of PyTorch's tables, and what it is here. It is made from the
//! rows of the ops and from the reasons for what is left out; `LOSSGRAPH_BLESS=1` writes it.

#[path = "opinfo_runner/left_out.rs"]
mod left_out;
#[path = "support/snapshot.rs"]
mod snapshot;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use left_out::LEFT_OUT;
use lossgraph::autograd::ops::{self, Row, table::Counterpart};
use snapshot::assert_snapshot;

const HEAD: &str = "\
# Functions

What PyTorch's functions are called here. A method of a PyTorch tensor is a method of `Var`, and so is \
a function of `torch.nn.functional` whose first argument is one; what takes several tensors at once, such as \
`concat`, is a function. Where both libraries use a name, it means the same: values, slopes at kinks, and \
options, but for what the last column says. [Losses](https://github.com/lossgraph/lossgraph/blob/main/docs/losses/README.md) have a page of their own, and \
[For PyTorch users](https://github.com/lossgraph/lossgraph/blob/main/docs/for-pytorch-users.md) shows layers, optimizers and training.

`tests/functions.rs` makes this page from the table of ops, and `tests/opinfo.rs` compares every entry of \
PyTorch's own tables, `op_db` and `module_db`, with ours: values, gradients and Hessian-vector products.

";

#[test]
fn the_page_of_functions_is_what_the_tables_say() {
    let mut page = HEAD.to_owned();
    let mut rows: Vec<(&str, &Row)> = Vec::new();
    for row in ops::all() {
        match row.torch {
            Counterpart::Same => rows.push((row.name, row)),
            Counterpart::Named(names) => rows.extend(names.split(", ").map(|name| (name, row))),
            Counterpart::None(_) => {}
        }
    }
    rows.sort_by_key(|(name, row)| (name.to_lowercase(), row.name));
    writeln!(page, "| PyTorch | here | what | |\n|---|---|---|---|").unwrap();
    for (name, row) in rows {
        let formula = row.formula.replace('|', "\\|");
        let differs = match row.differs {
            "" if name == row.name => "same".to_owned(),
            "" => "same, other name".to_owned(),
            how => format!("differs: {how}"),
        };
        writeln!(page, "| `{name}` | `{}` | {formula} | {differs} |", row.name).unwrap();
    }
    writeln!(page, "\n## Ours alone\n\n| | what | |\n|---|---|---|").unwrap();
    for row in ops::all() {
        if let Counterpart::None(what) = row.torch {
            let formula = row.formula.replace('|', "\\|");
            writeln!(page, "| `{}` | {formula} | {what} |", row.name).unwrap();
        }
    }
    writeln!(
        page,
        "\n## Left out\n\nThis is a small framework, and stays one. A star stands for the rest of a name."
    )
    .unwrap();
    for (why, names) in LEFT_OUT {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        writeln!(page, "\n**{}.** {}.", sentence(why), names.join(", ")).unwrap();
    }
    assert_snapshot(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/functions.md"), &page);
}

/// Words with a capital letter at their start.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

#[test]
fn no_name_is_both_a_function_and_left_out() {
    let here: BTreeSet<&str> = ops::all().map(|row| row.name).collect();
    // PyTorch has some functions twice, once with arguments of its own.
    let once = LEFT_OUT.iter().filter(|(why, _)| !why.starts_with("another call"));
    for name in once.flat_map(|(_, names)| names.iter()) {
        assert!(
            !here.contains(name),
            "`{name}` is an op: take it off the list of what is left out"
        );
    }
}
