//! Bi-level routing attention, and its form with deformed agents.
//!
//! ```text
//!   routed:     qkv ─ regions ─▶ each region attends to the t regions it is routed to ─ + DW5(v) ─ project
//!
//!   deformed:   x ─ qkv ─ q ─ offsets ─▶ positions ─▶ agents A⁰ sampled from x
//!               A⁰ ─ project ─▶ each region of agents attends to t regions of tokens          first hop
//!               A¹ = A⁰ + project(that + DW5(v));  A² = A¹ + MLP(LN A¹)
//!               tokens q attend to all agents LN A², with a bias sampled from a table          second hop
//! ```
//!
//! The temperature is C^(−1/2) with all channels, not a head's. One offset moves a point along the diagonal;
//! positions are clipped, padded agents are at the image's centre and valid keys. Zhu et al., "BiFormer", 2023
//! (arXiv 2303.08810); "DeBiFormer", 2024 (arXiv 2410.08582).

use crate::layers::Layers;
use regard_ir::{
    graph::NodeId,
    ops::{Agents, Align, Conv2d, Limit, OffsetPositions, Reference, Route, RoutedAttention, SampledBias},
};

/// Added to variances by the norms of blocks and agents.
pub(crate) const EPS: f64 = 1e-6;
/// Added to variances by the norm of the offset network.
const OFFSET_EPS: f64 = 1e-5;
/// Channels of a head.
pub(crate) const HEAD_DIM: usize = 32;

/// Agents of one stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AgentGrid {
    /// Tokens per agent along each axis.
    pub stride: usize,
    /// Extent of the offset network's kernel.
    pub kernel: usize,
    /// Groups of channels with points of their own.
    pub groups: usize,
    /// Extent of the map that the table of score terms was made for.
    pub table: usize,
    /// Ratio of the agents' MLP.
    pub ratio: usize,
}

fn scale(channels: usize) -> f64 {
    (channels as f64).powf(-0.5)
}

impl Layers {
    /// Regions of queries attend to the `k` regions of keys and values that they are routed to; maps
    /// `[B, H, W, C]`, all cut into side×side regions. Who is routed to all regions attends to all tokens.
    fn attend_regions(&mut self, queries: NodeId, keys: NodeId, values: NodeId, side: usize, k: usize) -> NodeId {
        let [batch, h, w, c] = self.axes(queries);
        if k == side * side {
            let [q, key, v] = [queries, keys, values].map(|map| self.heads(map, c / HEAD_DIM));
            let attended = self.b.attention(q, key, v, None, scale(c));
            let tokens = self.b.merge_heads(attended);
            return self.b.reshape(tokens, &[batch, h, w, c]);
        }
        let [q, key, v] = [queries, keys, values].map(|map| self.regions(map, side));
        let routes = self.b.push(Route { k }, &[q, key]);
        let op = RoutedAttention { heads: c / HEAD_DIM, scale: scale(c).into() };
        let attended = self.b.push(op, &[q, key, v, routes]);
        self.map_of_regions(attended, side, h, w)
    }

    /// Bi-level routing attention of a map `[B, H, W, C]`.
    pub(crate) fn routing_attention(&mut self, x: NodeId, name: &str, side: usize, k: usize) -> NodeId {
        let [_, h, w, c] = self.axes(x);
        let x = self.pad(x, side);
        let qkv = self.linear(x, &format!("{name}.qkv.qkv"), 3 * c);
        let parts = self.b.split(qkv, -1, 3);
        let attended = self.attend_regions(parts[0], parts[1], parts[2], side, k);
        let local = self.depthwise(parts[2], &format!("{name}.lepe"), 5, 1);
        let sum = self.b.add(attended, local);
        let out = self.linear(sum, &format!("{name}.wo"), c);
        let out = self.crop(out, h, w);
        self.label(out, name)
    }

    /// Deformable bi-level routing attention of a map `[B, H, W, C]`.
    pub(crate) fn agent_attention(&mut self, x: NodeId, name: &str, side: usize, k: usize, grid: AgentGrid) -> NodeId {
        let [batch, h, w, c] = self.axes(x);
        let heads = c / HEAD_DIM;
        let x = self.pad(x, side);
        let [_, height, width, _] = self.axes(x);
        let qkv = self.pointwise(x, &format!("{name}.qkv_conv.qkv"), 3 * c);
        let [q, key, v] = <[NodeId; 3]>::try_from(self.b.split(qkv, -1, 3)).expect("three parts");
        let local = self.depthwise(v, &format!("{name}.lepe1"), 5, grid.stride);
        let positions = self.positions(q, name, grid);
        let agents = self.b.push(Agents, &[x, positions]);
        let [agents, local] = [agents, local].map(|map| self.pad(map, side));
        let positions = self.pad_positions(positions, side);
        let queries = self.pointwise(agents, &format!("{name}.proj_q"), c);
        let attended = self.attend_regions(queries, key, v, side, k);
        let sum = self.b.add(attended, local);
        let unified = self.pointwise(sum, &format!("{name}.unifyheads1"), c);
        let agents = self.b.add(agents, unified);
        let normed = self.norm(agents, &format!("{name}.norm2"), EPS);
        let hidden = self.conv_mlp(normed, &format!("{name}.mlp"), grid.ratio);
        let agents = self.b.add(agents, hidden);
        let normed = self.norm(agents, &format!("{name}.norm"), EPS);
        let [keys, values] = ["proj_k", "proj_v"].map(|part| self.pointwise(normed, &format!("{name}.{part}"), c));
        let extent = 2 * grid.table - 1;
        let table = self.weight(&format!("{name}.rpe_table"), &[heads, extent, extent]);
        let bias = self.b.push(SampledBias { height, width, query: Align::Corners }, &[table, positions]);
        let [q, keys, values] = [q, keys, values].map(|map| self.heads(map, heads));
        let attended = self.b.attention(q, keys, values, Some(bias), scale(c));
        let merged = self.b.merge_heads(attended);
        let map = self.b.reshape(merged, &[batch, height, width, c]);
        let out = self.pointwise(map, &format!("{name}.proj_out"), c);
        let out = self.crop(out, h, w);
        self.label(out, name)
    }

    /// Where each group's points are: queries `[B, H, W, C]` → `[B, groups, agents down, agents across, 2]`.
    fn positions(&mut self, queries: NodeId, name: &str, grid: AgentGrid) -> NodeId {
        let [batch, .., c] = self.axes::<4>(queries);
        let (groups, width) = (grid.groups, c / grid.groups);
        let maps = self.maps_of_groups(queries, groups);
        let maps = self.channels_first(maps);
        let op = Conv2d::new(grid.stride, grid.kernel / 2).in_groups(width);
        let near = self.b.conv(maps, &format!("{name}.conv_offset_q.0"), [width, grid.kernel], op);
        let near = self.channels_last(near);
        let normed = self.norm(near, &format!("{name}.conv_offset_q.1.norm"), OFFSET_EPS);
        let active = self.b.gelu(normed);
        let weight = self.weight(&format!("{name}.conv_offset_q.3.weight"), &[1, width, 1, 1]);
        let weight = self.b.reshape(weight, &[width]);
        let weighted = self.b.mul(active, weight);
        let offsets = self.b.sum(weighted, -1);
        let op = OffsetPositions { reference: Reference::Centres, limit: Limit::Clamp, factor: 0.0.into() };
        let positions = self.b.push(op, &[offsets]);
        let [_, down, across, _] = self.axes(positions);
        self.b.reshape(positions, &[batch, groups, down, across, 2])
    }

    /// Positions of padded agents: the centre.
    fn pad_positions(&mut self, positions: NodeId, side: usize) -> NodeId {
        let [batch, groups, down, across, _] = self.axes(positions);
        let maps = self.b.reshape(positions, &[batch * groups, down, across, 2]);
        let padded = self.pad(maps, side);
        let [_, down, across, _] = self.axes(padded);
        self.b.reshape(padded, &[batch, groups, down, across, 2])
    }
}
