//! LeViT.
//!
//! | here (Facebook)                     | timm                                                  | transformers |
//! |-------------------------------------|-------------------------------------------------------|--------------|
//! | `patch_embed.{0,2,4,6}.{c,bn}`      | `stem.conv{1…4}.{linear,bn}`                          | `levit.patch_embeddings.embedding_layer_{1…4}.{convolution,batch_norm}` |
//! | `blocks.i.m.{qkv,proj.1}.{c,bn}`    | `stages.s.blocks.b.attn.{qkv,proj.ln}.{linear,bn}`    | `levit.encoder.stages.s.layers.j.module.{queries_keys_values,projection}.{linear,batch_norm}` |
//! | `blocks.i.m.{0,2}.{c,bn}`           | `stages.s.blocks.b.mlp.{ln1,ln2}.{linear,bn}`         | `….module.{linear_up,linear_down}.…` |
//! | `blocks.{4,12}.{kv,q.1,proj.1}.…`   | `stages.s.downsample.attn_downsample.{kv,q.ln,proj.ln}.…` | `….layers.j.{keys_values,queries,projection}.…` |
//! | `blocks.{5,13}.m.…`                 | `stages.s.downsample.mlp.…`                           | `….layers.j.module.…` |
//! | `head.l`, `head_dist.l`             | `head.linear`, `head_dist.linear`                     | `classifier.linear`, `classifier_distill.linear` |
//!
//! Transformers counts the layers of a stage with the downsampling at its end: blocks 0 to 5, 6 to 13, 14 to 21.

/// First block of each stage that is not a downsampling, as timm counts.
const TIMM: [usize; 3] = [0, 6, 14];

/// A tensor's module, and its leaf with whether that is a linear layer or a norm.
fn parts(name: &str) -> Option<(&str, Leaf<'_>)> {
    if let Some((module, leaf)) = name.split_once(".c.").or_else(|| name.split_once(".l.")) {
        return Some((module, Leaf::Linear(leaf)));
    }
    match name.split_once(".bn.") {
        Some((module, leaf)) => Some((module, Leaf::Norm(leaf))),
        None => Some((name.strip_suffix(".attention_biases")?, Leaf::Biases)),
    }
}

#[derive(Clone, Copy)]
enum Leaf<'a> {
    Linear(&'a str),
    Norm(&'a str),
    Biases,
}

/// Where timm keeps block `i` of LeViT-128S.
fn timm_block(i: usize) -> String {
    match i {
        4 | 12 => format!("stages.{}.downsample.attn_downsample", i / 4 - i / 12),
        5 | 13 => format!("stages.{}.downsample.mlp", i / 4 - i / 12),
        _ => {
            let stage = TIMM.iter().rposition(|&first| first <= i).unwrap_or(0);
            let (at, part) = ((i - TIMM[stage]) / 2, if i.is_multiple_of(2) { "attn" } else { "mlp" });
            format!("stages.{stage}.blocks.{at}.{part}")
        }
    }
}

/// What timm calls a tensor of LeViT; `None` where the name is not one of LeViT's.
pub(crate) fn timm(name: &str) -> Option<String> {
    let (module, leaf) = parts(name)?;
    let leaf = match leaf {
        Leaf::Linear(leaf) => format!(".linear.{leaf}"),
        Leaf::Norm(leaf) => format!(".bn.{leaf}"),
        Leaf::Biases => ".attention_biases".into(),
    };
    if let Some(place) = module.strip_prefix("patch_embed.") {
        return Some(format!("stem.conv{}{leaf}", place.parse::<usize>().ok()? / 2 + 1));
    }
    let Some(rest) = module.strip_prefix("blocks.") else {
        return matches!(module, "head" | "head_dist").then(|| format!("{module}{leaf}"));
    };
    let (block, inner) = rest.split_once('.').unwrap_or((rest, ""));
    let inner = match inner.strip_prefix("m.").unwrap_or(inner) {
        "" | "m" => "",
        "0" => ".ln1",
        "2" => ".ln2",
        "q.1" => ".q.ln",
        "proj.1" => ".proj.ln",
        "qkv" => ".qkv",
        "kv" => ".kv",
        _ => return None,
    };
    Some(format!("{}{inner}{leaf}", timm_block(block.parse().ok()?)))
}

/// What transformers calls a tensor of LeViT; `None` where the name is not one of LeViT's.
pub(crate) fn transformers(name: &str) -> Option<String> {
    let (module, leaf) = parts(name)?;
    let leaf = |linear: &str| match leaf {
        Leaf::Linear(leaf) => format!(".{linear}.{leaf}"),
        Leaf::Norm(leaf) => format!(".batch_norm.{leaf}"),
        Leaf::Biases => ".attention_biases".into(),
    };
    if let Some(place) = module.strip_prefix("patch_embed.") {
        let layer = place.parse::<usize>().ok()? / 2 + 1;
        return Some(format!("levit.patch_embeddings.embedding_layer_{layer}{}", leaf("convolution")));
    }
    match module {
        "head" => return Some(format!("classifier{}", leaf("linear"))),
        "head_dist" => return Some(format!("classifier_distill{}", leaf("linear"))),
        _ => {}
    }
    let (block, inner) =
        module.strip_prefix("blocks.")?.split_once('.').unwrap_or((module.strip_prefix("blocks.")?, ""));
    let block: usize = block.parse().ok()?;
    let (stage, first) = [(2, 14), (1, 6), (0, 0)].into_iter().find(|(_, first)| *first <= block)?;
    let at = format!("levit.encoder.stages.{stage}.layers.{}", block - first);
    let (residual, inner) = match inner.strip_prefix('m') {
        Some(inner) => (".module", inner.strip_prefix('.').unwrap_or(inner)),
        None => ("", inner),
    };
    let inner = match inner {
        "" => "",
        "0" => ".linear_up",
        "2" => ".linear_down",
        "q.1" => ".queries",
        "proj.1" => ".projection",
        "qkv" => ".queries_keys_values",
        "kv" => ".keys_values",
        _ => return None,
    };
    Some(format!("{at}{residual}{inner}{}", leaf("linear")))
}

#[cfg(test)]
mod tests {
    use crate::names::Style;

    #[test]
    fn libraries_name_the_layers_of_levit() {
        let table = [
            (
                "patch_embed.6.bn.running_var",
                "stem.conv4.bn.running_var",
                "levit.patch_embeddings.embedding_layer_4.batch_norm.running_var",
            ),
            (
                "blocks.2.m.attention_biases",
                "stages.0.blocks.1.attn.attention_biases",
                "levit.encoder.stages.0.layers.2.module.attention_biases",
            ),
            (
                "blocks.3.m.2.c.weight",
                "stages.0.blocks.1.mlp.ln2.linear.weight",
                "levit.encoder.stages.0.layers.3.module.linear_down.linear.weight",
            ),
            (
                "blocks.4.attention_biases",
                "stages.1.downsample.attn_downsample.attention_biases",
                "levit.encoder.stages.0.layers.4.attention_biases",
            ),
            (
                "blocks.4.q.1.c.weight",
                "stages.1.downsample.attn_downsample.q.ln.linear.weight",
                "levit.encoder.stages.0.layers.4.queries.linear.weight",
            ),
            (
                "blocks.5.m.0.bn.bias",
                "stages.1.downsample.mlp.ln1.bn.bias",
                "levit.encoder.stages.0.layers.5.module.linear_up.batch_norm.bias",
            ),
            (
                "blocks.6.m.qkv.c.weight",
                "stages.1.blocks.0.attn.qkv.linear.weight",
                "levit.encoder.stages.1.layers.0.module.queries_keys_values.linear.weight",
            ),
            (
                "blocks.12.kv.bn.weight",
                "stages.2.downsample.attn_downsample.kv.bn.weight",
                "levit.encoder.stages.1.layers.6.keys_values.batch_norm.weight",
            ),
            (
                "blocks.13.m.2.bn.bias",
                "stages.2.downsample.mlp.ln2.bn.bias",
                "levit.encoder.stages.1.layers.7.module.linear_down.batch_norm.bias",
            ),
            (
                "blocks.20.m.proj.1.c.weight",
                "stages.2.blocks.3.attn.proj.ln.linear.weight",
                "levit.encoder.stages.2.layers.6.module.projection.linear.weight",
            ),
            ("head_dist.l.bias", "head_dist.linear.bias", "classifier_distill.linear.bias"),
            ("head.bn.weight", "head.bn.weight", "classifier.batch_norm.weight"),
        ];
        for (here, timm, transformers) in table {
            assert_eq!(Style::Timm.origin(here).parts, [timm]);
            assert_eq!(Style::Transformers.origin(here).parts, [transformers]);
        }
    }
}
