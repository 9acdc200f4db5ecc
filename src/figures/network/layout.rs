//! Where the nodes of a block stand: in rows by the longest way from what the block reads, in columns within a row, and in
//! columns at the side where they lead around others.

use crate::nn::graph::{Node, What};
use std::mem::discriminant;

/// Where all stand.
pub(super) struct Layout {
    /// By node.
    pub(super) places: Vec<Place>,
    /// How many columns there are, without those at the side.
    pub(super) columns: usize,
    /// Ways at the side.
    pub(super) lanes: Vec<Lane>,
    /// Edges from a node to one that reads it, without those at the side.
    pub(super) edges: Vec<[usize; 2]>,
}

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) row: usize,
    /// The first and the last of its columns; `None` at the side.
    pub(super) columns: Option<[usize; 2]>,
}

/// A way at the side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    /// Where it begins; nowhere else than with its first box if this is empty.
    pub(super) from: Vec<usize>,
    /// The nodes on it.
    pub(super) boxes: Vec<usize>,
    /// Where it ends.
    pub(super) to: usize,
    /// Its column, counted outwards.
    pub(super) column: usize,
}

/// Whether a node is drawn as a sign in a circle.
pub(super) fn is_sign(node: &Node) -> bool {
    matches!(node.what, What::Sum | What::Product)
}

impl Layout {
    pub(super) fn new(nodes: &[Node]) -> Self {
        let mut rows: Vec<usize> = Vec::new();
        for node in nodes {
            rows.push(node.inputs.iter().map(|&i| rows[i] + 1).max().unwrap_or(0));
        }
        let mut lanes = around(nodes, &rows);
        let mut side = vec![false; nodes.len()];
        lanes.iter().flat_map(|lane| &lane.boxes).for_each(|&i| side[i] = true);
        for lane in &lanes {
            beside(nodes, &mut rows, &side, lane);
        }
        let main: Vec<usize> = (0..nodes.len()).filter(|&i| !side[i]).collect();
        let (spans, columns) = spans(nodes, &rows, &main);
        let mut edges = Vec::new();
        for &v in &main {
            let shortcuts: Vec<usize> =
                lanes.iter().filter(|l| l.to == v && l.boxes.is_empty()).flat_map(|l| l.from.clone()).collect();
            let mut blocked = Vec::new();
            for &u in nodes[v].inputs.iter().filter(|&u| !side[*u] && !shortcuts.contains(u)) {
                let centre = spans[u][0] + spans[u][1];
                let over = |i: usize| (2 * spans[i][0]..=2 * spans[i][1]).contains(&centre);
                let between = |&i: &usize| (rows[u] + 1..rows[v]).contains(&rows[i]) && over(i);
                match rows[v] == rows[u] + 1 || over(v) && !main.iter().any(between) {
                    true => edges.push([u, v]),
                    false => blocked.push(u),
                }
            }
            if !blocked.is_empty() {
                lanes.push(Lane { from: blocked, boxes: Vec::new(), to: v, column: 0 });
            }
        }
        outwards(&mut lanes, &rows);
        let place = |i: usize| Place { row: rows[i], columns: (!side[i]).then_some(spans[i]) };
        Self { places: (0..nodes.len()).map(place).collect(), columns, lanes, edges }
    }

    /// Rows below a node at the side that nothing else on its way stands in.
    pub(super) fn rows_below(&self, node: usize) -> usize {
        let lane = self.lanes.iter().find(|lane| lane.boxes.contains(&node));
        let next = lane.and_then(|lane| lane.boxes.iter().skip_while(|&&i| i != node).nth(1).or(Some(&lane.to)));
        next.map_or(0, |&next| self.places[next].row.saturating_sub(self.places[node].row + 1))
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.places.iter().map(|p| p.row + 1).max().unwrap_or(0)
    }
}

/// The ways to a sum (or product) that are shorter than its longest, as far as nothing else reads them: shortcuts.
fn around(nodes: &[Node], rows: &[usize]) -> Vec<Lane> {
    let readers = |i: usize| nodes.iter().flat_map(|n| &n.inputs).filter(|&&input| input == i).count();
    let mut lanes = Vec::new();
    for (to, node) in nodes.iter().enumerate().filter(|(_, node)| is_sign(node)) {
        for &input in node.inputs.iter().filter(|&&i| rows[i] + 1 < rows[to]) {
            let (mut at, mut boxes) = (Some(input), Vec::new());
            while let Some(i) = at.filter(|&i| readers(i) == 1 && nodes[i].inputs.len() < 2 && !is_sign(&nodes[i])) {
                boxes.insert(0, i);
                at = nodes[i].inputs.first().copied();
            }
            lanes.push(Lane { from: at.into_iter().collect(), boxes, to, column: 0 });
        }
    }
    lanes
}

/// Moves the boxes of a lane beside their like: convolutions beside the first, all others beside the last.
fn beside(nodes: &[Node], rows: &mut [usize], side: &[bool], lane: &Lane) {
    let mut from = lane.from.first().map_or(0, |&u| rows[u] + 1);
    for (i, &node) in lane.boxes.iter().enumerate() {
        let to = rows[lane.to] - (lane.boxes.len() - i);
        let like = |row: &usize| {
            let same = |&j: &usize| discriminant(&nodes[j].what) == discriminant(&nodes[node].what);
            (0..nodes.len()).filter(|&j| !side[j] && rows[j] == *row).any(|j| same(&j))
        };
        let row = match nodes[node].what {
            _ if nodes[node].inputs.is_empty() => Some(from),
            What::Convolution { .. } => (from..=to).find(like),
            _ => (from..=to).rev().find(like),
        };
        rows[node] = row.unwrap_or(from);
        from = rows[node] + 1;
    }
}

/// First and last column of every node, and how many columns there are: one for each node of the longest row; above it a node
/// is as wide as what reads it, below as what it reads.
fn spans(nodes: &[Node], rows: &[usize], main: &[usize]) -> (Vec<[usize; 2]>, usize) {
    let last = main.iter().map(|&i| rows[i]).max().unwrap_or(0);
    let row = |r: usize| main.iter().copied().filter(move |&i| rows[i] == r).collect::<Vec<usize>>();
    let longest = (0..=last).rev().max_by_key(|&r| row(r).len()).unwrap_or(0);
    let columns = row(longest).len().max(1);
    let mut spans: Vec<Option<[usize; 2]>> = vec![None; nodes.len()];
    for r in (0..=longest).rev().chain(longest + 1..=last) {
        let own = row(r);
        for (column, &i) in own.iter().enumerate() {
            let near = |&j: &usize| match r < longest {
                true => nodes[j].inputs.contains(&i),
                false => nodes[i].inputs.contains(&j),
            };
            let near = main.iter().filter(|j| near(j)).filter_map(|&j| spans[j]);
            spans[i] = match r == longest {
                true => Some([column, column]),
                false => near.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]).or(Some([0, columns - 1])),
            };
        }
        let apart = own.windows(2).all(|pair| spans[pair[0]].map(|s| s[1]) < spans[pair[1]].map(|s| s[0]));
        if !apart {
            for (k, &i) in own.iter().enumerate() {
                spans[i] = Some([k * columns / own.len(), (k + 1) * columns / own.len() - 1]);
            }
        }
    }
    (spans.into_iter().map(|span| span.unwrap_or([0, columns - 1])).collect(), columns)
}

/// Gives lanes their columns, the shortest inside; those that do not meet share one.
fn outwards(lanes: &mut [Lane], rows: &[usize]) {
    let reach = |lane: &Lane| [lane.from.iter().chain(&lane.boxes).map(|&i| rows[i]).min().unwrap_or(0), rows[lane.to]];
    lanes.sort_by_key(|lane| reach(lane)[1] - reach(lane)[0]);
    for i in 0..lanes.len() {
        let [from, to] = reach(&lanes[i]);
        let meets = |other: &&Lane| reach(other)[0] <= to && from <= reach(other)[1];
        let taken: Vec<usize> = lanes[..i].iter().filter(meets).map(|lane| lane.column).collect();
        lanes[i].column = taken.iter().map(|column| column + 1).max().unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes from what they read.
    fn nodes(of: &[(What, &[usize])]) -> Vec<Node> {
        let one = |(what, inputs): &(What, &[usize])| Node {
            what: what.clone(),
            inputs: inputs.to_vec(),
            output: vec![8, 100],
            parameters: 0,
        };
        of.iter().map(one).collect()
    }

    fn conv() -> What {
        What::Convolution { channels: [8, 8], kernel: 3, stride: 1, dilation: 1 }
    }

    #[test]
    fn what_leads_around_stands_at_the_side() {
        let all = nodes(&[
            (What::Input, &[]),
            (conv(), &[0]),
            (conv(), &[0]),
            (What::Concat, &[1, 2]),
            (What::BatchNorm, &[3]),
            (conv(), &[0]),
            (What::BatchNorm, &[5]),
            (What::Sum, &[4, 6]),
            (What::Output, &[7]),
        ]);
        let layout = Layout::new(&all);
        assert_eq!((layout.columns, layout.rows()), (2, 6));
        assert_eq!(layout.lanes, [Lane { from: vec![0], boxes: vec![5, 6], to: 7, column: 0 }]);
        let at = |i: usize| (layout.places[i].row, layout.places[i].columns);
        assert_eq!([1, 2].map(at), [(1, Some([0, 0])), (1, Some([1, 1]))]);
        assert_eq!([0, 3, 8].map(at), [(0, Some([0, 1])), (2, Some([0, 1])), (5, Some([0, 1]))]);
        assert_eq!([5, 6].map(at), [(1, None), (3, None)], "beside their like");
        assert_eq!(layout.edges, [[0, 1], [0, 2], [1, 3], [2, 3], [3, 4], [4, 7], [7, 8]]);
    }

    #[test]
    fn what_skips_rows_goes_straight_where_it_can() {
        // three convolutions of a chain are concatenated, and the input is added
        let all = nodes(&[
            (What::Input, &[]),
            (conv(), &[0]),
            (conv(), &[1]),
            (conv(), &[2]),
            (What::Concat, &[1, 2, 3]),
            (What::Sum, &[4, 0]),
        ]);
        let layout = Layout::new(&all);
        let lanes = [
            Lane { from: vec![1, 2], boxes: vec![], to: 4, column: 0 },
            Lane { from: vec![0], boxes: vec![], to: 5, column: 1 },
        ];
        assert_eq!((layout.columns, layout.lanes), (1, lanes.to_vec()));
        assert_eq!(layout.edges, [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]);
        // nothing stands below the first convolution
        let all = nodes(&[(What::Input, &[]), (conv(), &[0]), (conv(), &[0]), (conv(), &[2]), (What::Concat, &[1, 3])]);
        let layout = Layout::new(&all);
        assert_eq!((layout.columns, layout.lanes.len()), (2, 0));
        assert!(layout.edges.contains(&[1, 4]), "{:?}", layout.edges);
    }
}
