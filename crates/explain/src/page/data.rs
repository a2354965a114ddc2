//! The data of a page, to be written as JSON.

use lossgraph_autograd::Result;
use serde::Serialize;
use serde_json::Value;

use super::elements::{self, elements};
use super::levels::Levels;
use super::nodes::{Node, nodes};
use super::verdict::{Summary, summary, verdicts, words};
use super::{Opened, Step, View};
use crate::graph::Graph;

/// What is seen of a page.
pub(super) struct Seen {
    /// The elements of nodes whose paths and curves are seen, if not all are.
    pub curves: Option<Vec<(usize, usize)>>,
    /// The steps whose arithmetic is seen, if that of all is not.
    pub steps: Option<Vec<Step>>,
    /// The view that is seen, and which of its levels, if not all are laid out.
    pub level: Option<(View, Opened)>,
    /// Whether the listing and the comparison with finite differences can wait.
    pub is_sketch: bool,
    /// Whether it says where ops were recorded.
    pub locations: bool,
}

/// What the page of a loss shows.
#[derive(Serialize)]
pub(super) struct Data {
    pub nodes: Vec<Node>,
    pub views: Views,
    pub inputs: Vec<elements::Input>,
    pub checked: Option<Summary>,
    pub listing: Option<String>,
    pub title: String,
    pub formula: String,
    pub notes: Vec<String>,
    /// The controls of a live page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<Value>,
}

#[derive(Serialize)]
pub(super) struct Views {
    teaching: Option<Levels>,
    ops: Option<Levels>,
}

impl Data {
    /// What is seen of a graph, under no title.
    pub(super) fn of(graph: &Graph, seen: &Seen) -> Result<Data> {
        let mut nodes = nodes(graph, seen);
        let mut checked = None;
        if !seen.is_sketch {
            let verdicts = verdicts(graph)?;
            checked = summary(graph, &words(&verdicts));
            nodes.iter_mut().zip(verdicts).for_each(|(node, verdict)| node.check = verdict);
        }
        let is_seen = |view: View| seen.level.is_none_or(|(seen, _)| seen == view);
        let opened = seen.level.map(|(_, opened)| opened);
        Ok(Data {
            nodes,
            views: Views {
                teaching: is_seen(View::Teaching).then(|| Levels::of(&graph.taught(), opened)),
                ops: is_seen(View::EveryOp).then(|| Levels::of(graph, opened)),
            },
            inputs: elements(graph, seen.curves.as_deref())?,
            checked,
            listing: (!seen.is_sketch).then(|| listing(graph, seen.locations)),
            title: String::new(),
            formula: String::new(),
            notes: Vec::new(),
            live: None,
        })
    }
}

/// The graph as text.
pub(super) fn listing(graph: &Graph, locations: bool) -> String {
    let listing = graph.listing();
    if locations { listing.with_locations().to_string() } else { listing.to_string() }
}
