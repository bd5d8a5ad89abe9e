/* Blocks of memory that grow to any size without being copied.

A column of a large result is one block from its first row to its last, and NumPy takes that block as it is. Where Linux
is, a large one is a mapping of its own: mremap() moves its pages' addresses, not its bytes (a realloc() that copies costs
as much as the decoding), what is reserved ahead and never touched costs nothing, and what is freed goes back to the
system, whereas malloc()'s heap would keep the holes that twenty growing columns leave behind. Pages of 2 MB are asked
for from 4 MB on, as NumPy does: in a virtual machine the first touch of a small page is 2 µs, which for a result of
200 MB is a tenth of a second, and a fifth of that with large ones. Elsewhere it is realloc(). */

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
#define HUGE_FROM (2 * HUGE_PAGE)

typedef unsigned char byte;

/* `bytes` is NULL when nothing was ever reserved */
typedef struct {
    byte *bytes;
    size_t size, capacity;
    bool is_mapped;
} block;

#if defined(MREMAP_MAYMOVE)

static bool grow_mapped(block *b, size_t capacity) {
    size_t unit = capacity < HUGE_FROM ? PAGE : HUGE_PAGE;
    capacity = (capacity + unit - 1) / unit * unit;
    void *bytes = b->is_mapped ? mremap(b->bytes, b->capacity, capacity, MREMAP_MAYMOVE)
                               : mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) return false;
    if (!b->is_mapped && b->bytes) {
        memcpy(bytes, b->bytes, b->capacity);
        free(b->bytes);
    }
#if defined(MADV_HUGEPAGE)
    if (capacity >= HUGE_FROM) madvise(bytes, capacity, MADV_HUGEPAGE);
#endif
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

static void release(block *b) {
#if defined(MREMAP_MAYMOVE)
    if (b->is_mapped) munmap(b->bytes, b->capacity);
    else
#endif
        free(b->bytes);
    memset(b, 0, sizeof *b);
}

#endif
