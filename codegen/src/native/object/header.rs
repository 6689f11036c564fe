//! The C header of an object: what its caller must bring, in C's own words.

use super::{
    check, digest,
    driver::{MISALIGNED, MISSING, scratch_stride},
    guard,
    ready::{OTHER_PROCESSOR, OTHER_WEIGHTS},
};
use crate::{Code, EmitError};
use regard_ir::{
    program::{Port, Program},
    target::Target,
};
use std::fmt::Write;

/// The C header that declares `NAME_run` of [`object`](super::object()), usable from C99 and C++.
///
/// Errors where `name` is not a C identifier or the program contradicts itself.
pub fn header(program: &Program<Code>, name: &str, target: &Target) -> Result<String, EmitError> {
    check(program, name)?;
    let mut text = String::new();
    for part in [opening(program, name, target), ports(program, name), environment(name), closing(name)] {
        text.push_str(&part);
    }
    Ok(text)
}

fn opening(program: &Program<Code>, name: &str, target: &Target) -> String {
    let (weight_bytes, arena_bytes) = (digest::file_bytes(program.constant_bytes), program.arena_bytes);
    let scratch = scratch_stride(program);
    format!(
        "/* {model}, compiled by Regard. Link with the object file of the same name; nothing else is needed.

   The code is for {name}_target: {processor}. On another processor {name}_run
   returns an error. It computes under the usual floating-point control (nothing trapped, round to nearest even,
   subnormals kept) whatever the caller's is, and leaves the caller's and its flags as they were.

   1. Read the {weight_bytes} bytes of packed weights that belong to this object, {name}.weights, into memory.
      Their digest is compared; that of all bytes by the first call that gets them at an address.
   2. Provide an arena of {name}_arena_bytes bytes and, for each worker thread, {name}_scratch_bytes
      bytes of scratch. Their contents do not matter. One arena serves one call at a time.
   3. Fill a {name}_env and call {name}_run with one pointer per input and output, dense and row-major. */
#ifndef REGARD_{name}_H
#define REGARD_{name}_H

#include <stdint.h>

#ifdef __cplusplus
extern \"C\" {{
#endif

/* The instruction set that the code needs. */
#define {name}_target \"{target}\"

/* Sizes in bytes. Weights, arena and scratch start at multiples of {name}_alignment. */
#define {name}_alignment {align}
#define {name}_weight_bytes UINT64_C({weight_bytes})
#define {name}_arena_bytes UINT64_C({arena_bytes})
#define {name}_scratch_bytes UINT64_C({scratch})

",
        model = comment(&program.name),
        target = target.name,
        processor = guard::processor(target),
        align = regard_ir::program::BUFFER_ALIGN,
    )
}

fn ports(program: &Program<Code>, name: &str) -> String {
    let mut text = String::from("/* Inputs and outputs: the pointers of each go into an array in this order. */\n");
    for (kind, ports) in [("input", &program.inputs), ("output", &program.outputs)] {
        writeln!(text, "#define {name}_{kind}_count {}", ports.len()).expect("strings take all");
        for (i, Port { name: port, ty, .. }) in ports.iter().enumerate() {
            let (quoted, bytes) = (quote(port), ty.bytes());
            writeln!(text, "#define {name}_{kind}_{i}_name {quoted}").expect("strings take all");
            writeln!(text, "#define {name}_{kind}_{i}_bytes UINT64_C({bytes}) /* {ty} */").expect("strings take all");
        }
    }
    text.push('\n');
    text
}

fn environment(name: &str) -> String {
    format!(
        "/* Runs blocks first..end of a task. `worker` says whose scratch is used: two calls that may run at the
   same time must have different workers. */
typedef void (*{name}_body)(void *task, uint64_t worker, uint64_t first, uint64_t end);

typedef struct {name}_env {{
    const void *weights; /* {name}_weight_bytes bytes; read only, may be shared by all calls */
    void *arena;         /* {name}_arena_bytes bytes */
    void *scratch;       /* {name}_scratch_bytes bytes for each worker, one after the other */
    /* NULL to run on the calling thread alone (worker 0). Otherwise it must call body(task, worker, first,
       end) so that each block in 0..blocks is in exactly one range, in any order, on any threads, and
       return after all of them have returned. The results do not depend on how it divides the blocks. */
    void (*parallel_for)(void *ctx, {name}_body body, void *task, uint64_t blocks);
    void *ctx;           /* first argument of parallel_for */
}} {name}_env;

"
    )
}

fn closing(name: &str) -> String {
    format!(
        "/* Computes all outputs from the inputs. Returns 0, or before any work
     {MISSING}  for a null pointer that is needed,
     {MISALIGNED}  for weights, arena or scratch that are not aligned,
     {OTHER_WEIGHTS}  for weights that are not those of this object,
     {OTHER_PROCESSOR}  where the processor, or its system, lacks instructions of {name}_target. */
int {name}_run(const {name}_env *env, const void *const *in, void *const *out);

#ifdef __cplusplus
}}
#endif

#endif
"
    )
}

/// Text that cannot end a comment.
fn comment(text: &str) -> String {
    text.replace("*/", "* /").replace(['\n', '\r'], " ")
}

/// A C string literal.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', byte as char]),
            0x20..=0x7e => out.push(byte as char),
            // Three octal digits end by themselves, whatever follows.
            _ => write!(out, "\\{byte:03o}").expect("strings take all"),
        }
    }
    out.push('"');
    out
}
