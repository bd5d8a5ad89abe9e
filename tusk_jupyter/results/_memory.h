/* Blocks of memory that grow to any size without being copied.

A column of a large result is one block from its first row to its last, and NumPy takes that block as it is. Where Linux
is, a large one is a mapping of its own: mremap() moves its pages' addresses, not its bytes (a realloc() that copies costs
as much as the decoding), what is reserved ahead and never touched costs nothing, and what is freed goes back to the
system, whereas malloc()'s heap would keep the holes that twenty growing columns leave behind. Elsewhere it is realloc().

The largest part of decoding was the system's: the first touch of a page of 4 kB takes 2 µs in a virtual machine, a tenth
of a second in 200 MB. So pages of 2 MB are asked for from 2 MB on, which takes a fifth of that (NumPy does so from
4 MB on); what they hold beyond the block's end, 1 MB on average, is given back when the block is complete. */

#ifndef TUSK_MEMORY_H
#define TUSK_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#if !defined(MAPPED_FROM) /* a fuzzer has smaller ones */
#define MAPPED_FROM ((size_t)1 << 20)
#define PAGE ((size_t)64 << 10) /* a multiple of every system's */
#define HUGE_PAGE ((size_t)2 << 20)
#endif

typedef unsigned char byte;

/* `bytes` is NULL when nothing was ever reserved */
typedef struct {
    byte *bytes;
    size_t size, capacity;
    bool is_mapped;
} block;

static void release(block *b) {
#if defined(MREMAP_MAYMOVE)
    if (b->is_mapped) munmap(b->bytes, b->capacity);
    else
#endif
        free(b->bytes);
    memset(b, 0, sizeof *b);
}

#if defined(MREMAP_MAYMOVE)

/* a mapping where pages of 2 MB can lie, if it is as large as one */
static void *map(size_t size) {
    size_t spare = size < HUGE_PAGE ? 0 : HUGE_PAGE;
    if (size > SIZE_MAX - spare) return MAP_FAILED;
    byte *from = mmap(NULL, size + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (from == MAP_FAILED || spare == 0) return from;
    size_t head = (HUGE_PAGE - (uintptr_t)from % HUGE_PAGE) % HUGE_PAGE;
    if (head) munmap(from, head);
    munmap(from + head + size, spare - head);
#if defined(MADV_HUGEPAGE)
    madvise(from + head, size, MADV_HUGEPAGE);
#endif
    return from + head;
}

static bool grow_mapped(block *b, size_t capacity) {
    size_t unit = capacity < HUGE_PAGE ? PAGE : HUGE_PAGE;
    capacity = (capacity + unit - 1) / unit * unit;
    bool is_huge = b->is_mapped && b->capacity >= HUGE_PAGE;
    if (is_huge && mremap(b->bytes, b->capacity, capacity, 0) != MAP_FAILED) {
        b->capacity = capacity; /* where it is */
        return true;
    }
    void *bytes = map(capacity);
    if (bytes == MAP_FAILED) return false;
    if (is_huge) {
        if (mremap(b->bytes, b->capacity, capacity, MREMAP_MAYMOVE | MREMAP_FIXED, bytes) == MAP_FAILED) {
            munmap(bytes, capacity);
            return false;
        }
    } else if (b->bytes) {
        memcpy(bytes, b->bytes, b->capacity);
        block old = *b;
        release(&old);
    }
    b->bytes = bytes;
    b->capacity = capacity;
    b->is_mapped = true;
    return true;
}

static void shrink_mapped(block *b) {
    size_t kept = (b->size + PAGE - 1) / PAGE * PAGE;
    if (kept == 0 || kept >= b->capacity || munmap(b->bytes + kept, b->capacity - kept) != 0) return;
    b->capacity = kept;
}

#endif

static bool reserve(block *b, size_t size) {
    if (size <= b->capacity) return true;
    if (size > SIZE_MAX / 4) return false;
    size_t grown = b->capacity + b->capacity / 2;
    if (grown < size) grown = size;
    if (grown < 64) grown = 64;
#if defined(MREMAP_MAYMOVE)
    if (b->is_mapped || grown >= MAPPED_FROM) return grow_mapped(b, grown);
#endif
    byte *bytes = realloc(b->bytes, grown);
    if (bytes == NULL) return false;
    b->bytes = bytes;
    b->capacity = grown;
    return true;
}

/* gives back what was reserved beyond the size */
static void shrink(block *b) {
#if defined(MREMAP_MAYMOVE)
    if (b->is_mapped) {
        shrink_mapped(b);
        return;
    }
#endif
    byte *bytes = b->size ? realloc(b->bytes, b->size) : NULL;
    if (bytes == NULL) return;
    b->bytes = bytes;
    b->capacity = b->size;
}

#endif
