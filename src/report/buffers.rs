//! Where every tensor lies in memory, and when: a line per buffer.

use super::{Column, Table, screen};
use regard::pipeline::intermediate_bytes;
use regard_ir::{
    count::counted,
    id::{Id, IdVec},
    program::{BufferDecl, BufferId, Program, Storage},
};

/// One line per buffer: where it lies, how long it lives, what it is; in lines of at most `width` columns.
pub fn text<K>(program: &Program<K>, width: Option<usize>) -> String {
    let arena = program.arena_bytes;
    let sum = intermediate_bytes(program);
    let head = format!(
        "program {}\nconstants {}\narena {}, {:.1} % of all intermediates' {sum}\nscratch {} per worker\n\n",
        program.name,
        counted(program.constant_bytes, "byte"),
        counted(arena, "byte"),
        100.0 * arena as f64 / sum.max(1) as f64,
        counted(program.scratch_bytes(), "byte"),
    );
    let lives = lifetimes(program);
    let row = |(id, buffer): (BufferId, &BufferDecl)| {
        let (place, offset) = match buffer.storage {
            Storage::Input(i) => (format!("input {i}"), String::new()),
            Storage::Output(i) => (format!("output {i}"), String::new()),
            Storage::Constant(at) => ("constant".into(), at.to_string()),
            Storage::Arena(at) => ("arena".into(), at.to_string()),
        };
        let life = lives[id].map_or("never".into(), |(first, last)| format!("{first}..{last}"));
        let (bytes, dtype) = (buffer.bytes().to_string(), buffer.dtype.name().to_owned());
        vec![format!("m{}", id.index()), place, offset, bytes, life, dtype, buffer.name.clone()]
    };
    let columns = [
        Column::left("id"),
        Column::left("place"),
        Column::right("offset").rank(2),
        Column::right("bytes"),
        Column::right("launches").rank(3),
        Column::left("type").rank(4),
        Column::name("name", 12),
    ];
    let table = Table::new(columns).with(program.buffers.iter().map(row)).fit(width);
    screen::wrapped_lines(&head, width) + &table.text + &table.note(width)
}

/// First and last launch that names each buffer.
fn lifetimes<K>(program: &Program<K>) -> IdVec<BufferId, Option<(usize, usize)>> {
    let mut lives: IdVec<BufferId, Option<(usize, usize)>> = program.buffers.values().map(|_| None).collect();
    for (at, launch) in program.launches.iter().enumerate() {
        for &buffer in &launch.buffers {
            let first = lives[buffer].map_or(at, |(first, _)| first);
            lives[buffer] = Some((first, at));
        }
    }
    lives
}
