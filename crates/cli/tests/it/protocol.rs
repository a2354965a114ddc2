//! The exchange in docs/protocol.md is one that takes place.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.md");

/// The page up to the exchange, the lines of that, and the rest.
fn parts(page: &str) -> (&str, Vec<&str>, &str) {
    let begin = page.find("```text\n←").unwrap() + "```text\n".len();
    let end = begin + page[begin..].find("```").unwrap();
    (&page[..begin], page[begin..end].lines().collect(), &page[end..])
}

fn check(program: &str, folder: &Path) -> Output {
    let inputs = folder.join("x.json");
    fs::write(&inputs, "{\"x\": [3.0]}").unwrap();
    let mut lossgraph = Command::new(env!("CARGO_BIN_EXE_lossgraph"));
    lossgraph.args(["check", "--order", "1", "--program", program, "--inputs"]).arg(inputs);
    lossgraph.output().unwrap()
}

/// Computes x², and writes down what it reads and answers.
const SQUARE: &str = r#"
import json, sys
log = open(sys.argv[1], "w")
def write(line):
    print(line, flush=True)
    print("←", line, file=log, flush=True)
write('{"lossgraph": 1, "features": ["points"]}')
for line in sys.stdin:
    print("→", line.strip(), file=log)
    r = json.loads(line)
    x = r["inputs"][0]["data"][0]
    if r["request"] == "points":
        values = [(x + t * r["steps"][0]["data"][0]) ** 2 for t in r["multiples"]]
        write(json.dumps({"id": r["id"], "values": values}))
    else:
        write(json.dumps({"id": r["id"], "value": x * x, "gradients": [[2 * x]]}))
"#;

#[test]
fn the_exchange_of_the_page_takes_place() {
    let folder = std::env::temp_dir().join(format!("lossgraph-protocol-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, exchange, after) = parts(&page);
    if std::env::var_os("LOSSGRAPH_BLESS").is_some() {
        fs::write(file("square.py"), SQUARE).unwrap();
        check(&format!("python3 {} {}", file("square.py"), file("log")), &folder);
        let log = fs::read_to_string(file("log")).unwrap();
        fs::write(PAGE, format!("{before}{log}{after}")).unwrap();
    } else {
        // A program that gives the answers of the page, whatever it is asked.
        let answers = exchange.iter().filter_map(|line| line.strip_prefix("← "));
        let mut script = String::new();
        for (at, answer) in answers.enumerate() {
            if at > 0 {
                script += &format!("read -r line; printf '%s\\n' \"$line\" >> {}\n", file("asked"));
            }
            script += &format!("echo '{answer}'\n");
        }
        fs::write(file("replay.sh"), script + "cat > /dev/null\n").unwrap();
        let output = check(&format!("sh {}", file("replay.sh")), &folder);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("PASS"));
        let asked = fs::read_to_string(file("asked")).unwrap();
        let expected: Vec<&str> =
            exchange.iter().filter_map(|line| line.strip_prefix("→ ")).collect();
        let cure =
            "LOSSGRAPH_BLESS=1 cargo test -p lossgraph-cli --test it protocol writes the exchange";
        assert_eq!(asked.lines().collect::<Vec<_>>(), expected, "{cure}");
    }
    fs::remove_dir_all(&folder).unwrap();
}
