//! The picture of a loss as a self-contained SVG file.

use std::collections::HashSet;
use std::fmt::Write;

use crate::caption::Caption;
use crate::graph::Graph;
use crate::level::{Block, Content, Level};
use crate::number::counted;

/// The style sheet of a picture; its colors can be told apart with any color vision (Okabe and Ito,
/// 2008), on a light and on a dark background.
const STYLE: &str = "\
svg { background: #ffffff; font-family: ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; }
.box { fill: #f4f6f8; stroke: #8a949e; }
.leaf { fill: #fdf3dc; stroke: #b58a00; }
.group { fill: #e3f0fa; stroke: #0072b2; stroke-width: 1.5; }
.frame { fill: #0072b2; fill-opacity: 0.05; stroke: #0072b2; stroke-opacity: 0.6; }
.edge { fill: none; stroke: #6b7580; stroke-width: 1.2; }
.head { fill: #6b7580; }
.title { fill: #16191c; font-weight: 600; }
.name { fill: #00507d; font-weight: 600; paint-order: stroke; stroke: #ffffff; stroke-width: 3; }
.shape { fill: #5d666f; }
.value { fill: #16191c; }
.gradient { fill: #b04a00; }
@media (prefers-color-scheme: dark) {
svg { background: #15191d; }
.box { fill: #22282e; stroke: #6d7883; }
.leaf { fill: #342b12; stroke: #c39a20; }
.group { fill: #12303f; stroke: #56b4e9; }
.frame { fill: #56b4e9; stroke: #56b4e9; }
.edge { stroke: #98a3ad; }
.head { fill: #98a3ad; }
.title, .value { fill: #eef1f4; }
.name { fill: #8fd0f5; stroke: #15191d; }
.shape { fill: #a7b1ba; }
.gradient { fill: #ffa65c; }
}
";

/// The space around the picture.
const MARGIN: f64 = 16.0;

impl Graph {
    /// The loss as a picture: a self-contained SVG file, readable on a light and on a dark
    /// background. Groups are expanded to a nesting of `depth`: with 0 each is one box, with
    /// [`usize::MAX`] all are expanded. A box shows the value (`=`) and the gradient of the loss (`∂`).
    ///
    /// ```
    /// # use lossgraph_autograd::Tape;
    /// # use lossgraph_explain::Graph;
    /// let tape = Tape::f64();
    /// let x = tape.variable([3.0, 4.0]);
    /// let svg = Graph::of(x.square().sum(..))?.svg(usize::MAX);
    /// assert!(svg.starts_with("<svg ") && svg.contains("∂ [6, 8]"));
    /// # Ok::<(), lossgraph_autograd::Error>(())
    /// ```
    pub fn svg(&self, depth: usize) -> String {
        let level = self.level(None, depth);
        let [width, height] = [level.width, level.height].map(|side| (side + 2.0 * MARGIN).ceil());
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" font-size=\"{}\" role=\"img\" \
             aria-labelledby=\"title desc\">\n",
            Caption::FONT_SIZE
        );
        let listing = self.listing().to_string();
        // Writing to a string does not fail.
        let _ = writeln!(svg, "<title id=\"title\">{}</title>", escaped(&self.title()));
        let _ = writeln!(svg, "<desc id=\"desc\">{}</desc>", escaped(&listing));
        let _ = writeln!(svg, "<style>\n{STYLE}</style>");
        svg += "<marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" \
                markerHeight=\"7\" orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8Z\"/></marker>\n";
        let _ = writeln!(svg, "<g transform=\"translate({MARGIN} {MARGIN})\">");
        let mut shown = Shown::default();
        shown.add(&level);
        self.draw(&level, &shown, &mut svg);
        svg += "</g>\n</svg>\n";
        svg
    }

    /// The title of the picture: the loss, by the group that computes it.
    fn title(&self) -> String {
        let loss = self.nodes.len() - 1;
        let group = self.path(self.nodes[loss].group).first().copied();
        let name = group.map_or(self.nodes[loss].op, |group| &self.groups[group].name);
        format!("{name}: {}", counted(self.nodes.len() as f64, "node"))
    }

    fn draw(&self, level: &Level, shown: &Shown, svg: &mut String) {
        for block in &level.boxes {
            // A reference is a link to the box of its node, if that is drawn at all.
            let anchor = match block.content {
                Content::Reference(node) if shown.nodes.contains(&node) => {
                    format!("<a href=\"#node-{node}\">")
                }
                Content::Node(node) if shown.referred_to.contains(&node) => {
                    format!("<a id=\"node-{node}\">")
                }
                _ => String::new(),
            };
            svg.push_str(&anchor);
            self.draw_block(block, shown, svg);
            svg.push_str(if anchor.is_empty() { "" } else { "</a>\n" });
        }
        for edge in &level.edges {
            let ends_inside = level.boxes[edge.to].inside.is_some();
            let port = matches!(level.boxes[edge.to].content, Content::OutputPort(_));
            let marker = if ends_inside || port { "" } else { " marker-end=\"url(#arrow)\"" };
            let _ = writeln!(svg, "<path class=\"edge\" d=\"{}\"{marker}/>", edge.path());
        }
    }

    fn draw_block(&self, block: &Block, shown: &Shown, svg: &mut String) {
        let Block { x, y, width, height, .. } = block;
        if matches!(block.content, Content::InputPort(_) | Content::OutputPort(_)) {
            return;
        }
        let _ = writeln!(svg, "<g transform=\"translate({x:.1} {y:.1})\">");
        let class = match &block.content {
            _ if block.inside.is_some() => "frame",
            Content::Group(..) => "group",
            Content::Node(node) | Content::Reference(node)
                if self.nodes[*node].inputs.is_empty() =>
            {
                "leaf"
            }
            _ => "box",
        };
        let dashes = match &block.content {
            Content::Reference(_) => " stroke-dasharray=\"5 3\"",
            _ => "",
        };
        let _ = writeln!(
            svg,
            "<rect class=\"{class}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"5\"{dashes}/>"
        );
        let [left, right, top] = [Caption::PADDING, width - Caption::PADDING, Caption::LINE_HEIGHT];
        match (&block.inside, &block.content) {
            (Some(inside), Content::Group(group, _)) => {
                self.draw(inside, shown, svg);
                let name = escaped(&self.groups[*group].name);
                let _ =
                    writeln!(svg, "<text class=\"name\" x=\"{left}\" y=\"{top}\">{name}</text>");
            }
            _ => {
                let Caption { title, shape, lines } = Caption::of(self, &block.content);
                let title = escaped(&title);
                let _ =
                    writeln!(svg, "<text class=\"title\" x=\"{left}\" y=\"{top}\">{title}</text>");
                if !shape.is_empty() {
                    let _ = writeln!(
                        svg,
                        "<text class=\"shape\" x=\"{right:.1}\" y=\"{top}\" text-anchor=\"end\">{shape}</text>"
                    );
                }
                for (i, line) in lines.iter().enumerate() {
                    let y = top + (i + 1) as f64 * Caption::LINE_HEIGHT;
                    let class = if line.starts_with('∂') { "gradient" } else { "value" };
                    let _ = writeln!(
                        svg,
                        "<text class=\"{class}\" x=\"{left}\" y=\"{y}\">{}</text>",
                        escaped(line)
                    );
                }
            }
        }
        svg.push_str("</g>\n");
    }
}

/// The nodes of which a picture has boxes or references, on any of its levels.
#[derive(Default)]
struct Shown {
    nodes: HashSet<usize>,
    referred_to: HashSet<usize>,
}

impl Shown {
    fn add(&mut self, level: &Level) {
        for block in &level.boxes {
            match block.content {
                Content::Node(node) => drop(self.nodes.insert(node)),
                Content::Reference(node) => drop(self.referred_to.insert(node)),
                _ => {}
            }
            block.inside.iter().for_each(|inside| self.add(inside));
        }
    }
}

/// Text as it stands in XML and HTML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
