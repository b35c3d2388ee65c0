// worker/sandbox/heap.h - The C library's heap, prepared so that a forked child finds its memory ready.
// Used by the zygote before and right after a fork, on its one thread. Only about speed: nothing depends on
// it.
#pragma once

namespace noren::worker {

/// One arena, because a worker has one thread that allocates much. Blocks of a request (pictures, tensors)
/// come from the heap and stay there for the next one: fresh pages for each request cost more than a small
/// model's run.
void tune_heap();

/// In the zygote, before it forks for the first time: the holes that warming up left in the heap are filled.
/// A child would allocate from them, and each would cost the copy of a page that is otherwise shared.
void fill_heap_holes();

/// In the zygote, after the holes are filled: what warming up left becomes huge pages, of which a fork copies
/// one entry where it would copy 512.
void join_heap_pages();

/// In a child: its first pages come with one system call, instead of a fault for each.
void populate_heap();

}  // namespace noren::worker
